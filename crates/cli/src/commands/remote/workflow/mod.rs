//! `partitur workflow`: definitions and runs on a server.

mod definitions;
mod list;
pub(super) mod logs;
mod operate;
mod rerun;
mod show;
mod signal;
mod skip;
pub(super) mod start;
mod watch;

use clap::Subcommand;

use crate::commands::remote::upload::Upload;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::definitions::Kind;
use crate::remote::{Desk, Problem, Remote, Route};
use crate::settings::Global;

/// Definitions and runs on a server that speaks Conductor's protocol
///
/// Any such server will do: `partitur server`, Conductor itself, or another. Local runs have `partitur run`, `runs` and
/// `show` instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow upload flows/*.json               new and changed definitions
  partitur workflow start month-end -i month=2026-10 --watch
  partitur workflow list --status FAILED --since 1d
  partitur workflow show 3f0c…                        a run as a tree
  partitur workflow retry 3f0c…                       go on from its failures
  partitur workflow --server https://flows.example/api list")]
pub struct Workflow {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List runs, newest first
    List(list::List),
    /// Find runs with the server's query language
    Search(list::Search),
    /// Show a run as a tree: what is done, how long it took, what is wrong
    Show(show::Show),
    /// Start a run
    Start(start::Start),
    /// Follow a run to its end
    Watch(watch::Watch),
    /// Print what the tasks of a run have logged
    Logs(logs::Logs),
    /// Start nothing new in runs
    Pause(operate::Pause),
    /// Let paused runs go on
    Resume(operate::Resume),
    /// Go on with ended runs from their failures
    Retry(operate::Retry),
    /// Run an ended run again from one of its tasks on
    Rerun(rerun::Rerun),
    /// Run ended runs again from the beginning
    Restart(operate::Restart),
    /// Leave out a task that has not begun
    Skip(skip::Skip),
    /// End the WAIT task that holds a run up
    Signal(signal::Signal),
    /// End runs
    #[command(visible_alias = "cancel")]
    Terminate(operate::Terminate),
    /// Forget ended runs
    Remove(operate::Remove),
    /// List definitions, or show one
    Definitions(definitions::Definitions),
    /// Bring definitions to the server
    #[command(after_help = "Examples:
  partitur workflow upload flows/*.json
  partitur workflow upload flows/ordering.json --dry-run

Definitions of tasks in a file with `taskDefs` are brought first. What the server has already is left alone. All files are \
read and checked before anything is sent; all faults are told at once.")]
    Upload(Upload),
    /// Forget a version of a definition
    DeleteDefinition(definitions::Delete),
}

impl Workflow {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let desk = Desk::open(&self.remote, global)?;
        match self.action {
            Action::List(list) => list.run(&desk),
            Action::Search(search) => search.run(&desk),
            Action::Show(show) => show.run(&desk),
            Action::Start(start) => start.run(&desk, global),
            Action::Watch(watch) => watch.run(&desk, global),
            Action::Logs(logs) => logs.run(&desk),
            Action::Pause(pause) => pause.run(&desk),
            Action::Resume(resume) => resume.run(&desk),
            Action::Retry(retry) => retry.run(&desk),
            Action::Rerun(rerun) => rerun.run(&desk),
            Action::Restart(restart) => restart.run(&desk),
            Action::Skip(skip) => skip.run(&desk),
            Action::Signal(signal) => signal.run(&desk),
            Action::Terminate(terminate) => terminate.run(&desk),
            Action::Remove(remove) => remove.run(&desk),
            Action::Definitions(definitions) => definitions.run(&desk),
            Action::Upload(upload) => upload.run(&desk, Kind::Workflow, global.color),
            Action::DeleteDefinition(delete) => delete.run(&desk),
        }
    }
}

/// A run, with its tasks and its definition.
fn run_route(id: &str) -> Route {
    Route::new("workflow").at(id).with("includeTasks", true)
}

/// Of a run that is not there.
fn unknown_run(problem: Problem) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| Some("`partitur workflow list` shows the newest runs".to_owned()))
}
