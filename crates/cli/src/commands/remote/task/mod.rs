//! `partitur task`: tasks on a server, as their workers and whoever looks after them meet them.

mod definitions;
mod log;
mod poll;
mod search;
mod show;
mod update;

use clap::Subcommand;

use crate::commands::remote::queue::Sizes;
use crate::commands::remote::upload::Upload;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::definitions::Kind;
use crate::remote::{Desk, Problem, Remote};
use crate::settings::Global;

/// Tasks on a server that speaks Conductor's protocol
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task poll book --worker desk-7              take a task, as a worker does
  partitur task update 8d0e… --status COMPLETED -o receipt=4711
  partitur task search --status FAILED --since 1h
  partitur task upload tasks.json")]
pub struct Task {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show a task: what it was given, what it yielded, why it failed
    Show(show::Show),
    /// Find tasks
    Search(search::Search),
    /// Take tasks, as a worker does
    Poll(poll::Poll),
    /// Say what became of a task
    Update(update::Update),
    /// Print what a task has logged, or add to it
    Log(log::Log),
    /// How many tasks wait for workers
    QueueSize(Sizes),
    /// List definitions, or show one
    Definitions(definitions::Definitions),
    /// Bring definitions to the server
    #[command(after_help = "Examples:
  partitur task upload tasks.json
  partitur task upload tasks/*.json --force")]
    Upload(Upload),
    /// Forget a definition
    DeleteDefinition(definitions::Delete),
}

impl Task {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let desk = Desk::open(&self.remote, global)?;
        match self.action {
            Action::Show(show) => show.run(&desk),
            Action::Search(search) => search.run(&desk),
            Action::Poll(poll) => poll.run(&desk),
            Action::Update(update) => update.run(&desk),
            Action::Log(log) => log.run(&desk),
            Action::QueueSize(sizes) => sizes.run(&desk),
            Action::Definitions(definitions) => definitions.run(&desk),
            Action::Upload(upload) => upload.run(&desk, Kind::Task, global.color),
            Action::DeleteDefinition(delete) => delete.run(&desk),
        }
    }
}

/// Of a task that is not there.
fn unknown_task(problem: Problem) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| Some("`partitur workflow show ID --json` has the ids of a run's tasks".to_owned()))
}
