//! `partitur taskmaster`: files of Taskmaster, a file for each thing that can be done with them.

mod check;
mod file;
mod graph;
mod next;
mod plan;
mod run;
mod save;
mod shape;
mod trust;
mod weights;
mod work;

use clap::Subcommand;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Check, plan and run the tasks of a Taskmaster file
///
/// Reads `tasks.json` in every shape that Taskmaster has had. One rule holds for all commands: docs/taskmaster.md. Nothing is
/// written unless you ask for it, and then only what has to change.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster check                    # what is wrong, with line and column
  partitur taskmaster next                     # what to do now, and why
  partitur taskmaster plan                     # what can be done at the same time
  partitur taskmaster run -j 3 -- ./agent.sh   # a command for each task, in parallel")]
pub struct Taskmaster {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say everything that is wrong with the file
    Check(check::Check),
    /// Say what to do now, and why
    Next(next::Next),
    /// Say what can be done at the same time, and how long all of it takes
    Plan(plan::Plan),
    /// Draw the tasks, what they depend on, and how far they are
    Graph(graph::Graph),
    /// Say whether the declared dependencies can be trusted
    Trust(trust::TrustArgs),
    /// Run a command for each task, as many at once as the dependencies allow
    Run(run::Run),
    /// Work on one task: what `run` executes for each
    #[command(hide = true)]
    Work(work::Work),
}

impl Taskmaster {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(check) => check.run(global),
            Action::Next(next) => next.run(global),
            Action::Plan(plan) => plan.run(global),
            Action::Graph(graph) => graph.run(global),
            Action::Trust(trust) => trust.run(global),
            Action::Run(run) => run.run(global),
            Action::Work(work) => work.run(),
        }
    }
}
