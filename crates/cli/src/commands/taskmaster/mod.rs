//! `partitur taskmaster`: files of Taskmaster, a file for each thing that can be done with them.

mod check;
mod file;
mod next;
mod save;
mod weights;

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
  partitur taskmaster next                     # what to do now, and why")]
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
}

impl Taskmaster {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        match self.action {
            Action::Check(check) => check.run(global),
            Action::Next(next) => next.run(global),
        }
    }
}
