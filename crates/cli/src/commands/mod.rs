//! The commands, a file each.

mod backup;
mod bench;
mod breakers;
mod cache;
mod cancel;
mod check;
mod clean;
mod completions;
mod diff;
mod doctor;
mod explain;
mod graph;
mod history;
mod key;
mod logs;
mod migrate;
mod pause;
mod plan;
mod remote;
mod report;
mod rerun;
mod restore;
mod resume;
mod rollback;
mod run;
mod runs;
mod schema;
mod server;
mod show;
mod signal;
mod status;
mod support_bundle;
mod taskmaster;
mod trace;
mod version;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

pub use backup::line as described;

/// Runs graphs of tasks in parallel, crash-safe.
#[derive(Debug, Parser)]
#[command(
    name = "partitur",
    version,
    about = "Runs graphs of tasks in parallel, crash-safe",
    after_help = after_help(),
    disable_help_subcommand = true,
    max_term_width = 100,
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// For all commands.
    #[command(flatten)]
    pub global: Global,
}

fn after_help() -> String {
    format!(
        "Examples:
  partitur run flow.yaml           run everything in it
  partitur check flow.yaml         say what is wrong with it
  partitur show last               what became of the last run
  partitur status                  how things stand, from another terminal

RUN is a number, an id or its beginning, or `last`.

{}",
        Exit::table()
    )
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a document, or what its targets need
    Run(run::Run),
    /// Say everything that is wrong with a document
    Check(check::Check),
    /// Say how a document would run, how long that takes, and what would make it faster
    Plan(plan::Plan),
    /// Draw a document or a run of it
    Graph(graph::Graph),
    /// List runs, newest first
    Runs(runs::Runs),
    /// Show a run: its tasks, what was declared, what became of it
    Show(show::Show),
    /// Say why a run took as long as it did, and what would help
    Report(report::Report),
    /// Show the course of durations, successes and parallelism over runs
    History(history::History),
    /// Write a run as a trace, which ui.perfetto.dev and chrome://tracing open
    Trace(trace::Trace),
    /// Say what is different between two runs
    Diff(diff::Diff),
    /// Print what the tasks of a run have written
    Logs(logs::Logs),
    /// How things stand: health, slots, queue, locks, breakers, cache
    Status(status::Status),
    /// Go on with an unfinished or failed run
    Resume(resume::Resume),
    /// Cancel a run, one of its tasks, or the tasks of an agent
    Cancel(cancel::Cancel),
    /// Start nothing new in a run
    Pause(pause::Pause),
    /// Let a paused run go on
    Unpause(pause::Unpause),
    /// End a task that waits for a signal or an approval
    Signal(signal::Signal),
    /// Run an ended run again from one of its tasks on
    Rerun(rerun::Rerun),
    /// Run an ended run again from the beginning
    Restart(rerun::Restart),
    /// Undo what an ended run has done
    Rollback(rollback::Rollback),
    /// Serve workers and programs over HTTP
    Server(server::Server),
    /// Definitions and runs on a server that speaks Conductor's protocol
    Workflow(remote::workflow::Workflow),
    /// Tasks on such a server
    Task(remote::task::Task),
    /// What waits for workers there, and which workers come
    Queue(remote::queue::Queue),
    /// Runs that such a server starts by the clock
    Schedule(remote::schedule::Schedule),
    /// What follows from events there, and events themselves
    Event(remote::event::Event),
    /// Make, list or revoke the keys of a server
    Key(key::Key),
    /// Copy the state to a file, also while a server or a run is at work
    Backup(backup::Backup),
    /// Put a copy of the state in its place, or only look whether it is whole
    Restore(restore::Restore),
    /// Bring the state of an older version to this one's format, or say what that would do
    Migrate(migrate::Migrate),
    /// Look whether everything is in order: the state, the disk, the limits, the port
    Doctor(doctor::Doctor),
    /// Gather what somebody who helps needs, without secrets
    SupportBundle(support_bundle::SupportBundle),
    /// Measure a server
    Bench(bench::Bench),
    /// Check, plan and run the tasks of a Taskmaster file
    Taskmaster(taskmaster::Taskmaster),
    /// List or reset circuit breakers
    Breakers(breakers::Breakers),
    /// Remove what the tasks of a document have written
    Clean(clean::Clean),
    /// Show or clear the cache of results
    Cache(cache::Cache),
    /// Explain an error code
    Explain(explain::Explain),
    /// Print the JSON Schema of documents, for editors
    Schema(schema::Schema),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the version
    Version(version::Version),
}

impl Command {
    /// Does it.
    ///
    /// # Errors
    /// Why it could not.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self {
            Command::Run(run) => run.run(global),
            Command::Check(check) => check.run(global),
            Command::Plan(plan) => plan.run(global),
            Command::Graph(graph) => graph.run(global),
            Command::Runs(runs) => runs.run(global),
            Command::Show(show) => show.run(global),
            Command::Report(report) => report.run(global),
            Command::History(history) => history.run(global),
            Command::Trace(trace) => trace.run(global),
            Command::Diff(diff) => diff.run(global),
            Command::Logs(logs) => logs.run(global),
            Command::Status(status) => status.run(global),
            Command::Resume(resume) => resume.run(global),
            Command::Cancel(cancel) => cancel.run(global),
            Command::Pause(pause) => pause.run(global),
            Command::Unpause(unpause) => unpause.run(global),
            Command::Signal(signal) => signal.run(global),
            Command::Rerun(rerun) => rerun.run(global),
            Command::Restart(restart) => restart.run(global),
            Command::Rollback(rollback) => rollback.run(global),
            Command::Server(server) => server.run(),
            Command::Workflow(workflow) => workflow.run(global),
            Command::Task(task) => task.run(global),
            Command::Queue(queue) => queue.run(global),
            Command::Schedule(schedule) => schedule.run(global),
            Command::Event(event) => event.run(global),
            Command::Key(key) => key.run(),
            Command::Backup(backup) => backup.run(global),
            Command::Restore(restore) => restore.run(global),
            Command::Migrate(migrate) => migrate.run(global),
            Command::Doctor(doctor) => doctor.run(global),
            Command::SupportBundle(bundle) => bundle.run(global),
            Command::Bench(bench) => bench.run(),
            Command::Taskmaster(taskmaster) => taskmaster.run(global),
            Command::Breakers(breakers) => breakers.run(global),
            Command::Clean(clean) => clean.run(global),
            Command::Cache(cache) => cache.run(global),
            Command::Explain(explain) => explain.run(),
            Command::Schema(schema) => schema.run(),
            Command::Completions(completions) => completions.run(),
            Command::Version(version) => version.run(),
        }
    }
}
