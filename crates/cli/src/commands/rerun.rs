//! `partitur rerun` and `partitur restart`.

use partitur_api::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{Going, Target};
use crate::settings::Global;

/// Run an ended run again from one of its tasks on
///
/// The task and everything that depends on it is executed again; the rest keeps its results.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur rerun last report")]
pub struct Rerun {
    /// Which run
    run: String,
    /// From which task on
    task: String,
    #[command(flatten)]
    going: Going,
}

/// Run an ended run again from the beginning
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur restart last")]
pub struct Restart {
    /// Which run
    run: String,
    #[command(flatten)]
    going: Going,
}

impl Rerun {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let command = Command::Rerun { task: self.task };
        Target::find(global, &self.run)?.go_on(Some(command), global, &self.going)
    }
}

impl Restart {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        Target::find(global, &self.run)?.go_on(Some(Command::Restart), global, &self.going)
    }
}
