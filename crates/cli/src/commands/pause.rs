//! `partitur pause` and `partitur unpause`.

use partitur_api::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::settings::Global;

/// Start nothing new in a run
///
/// Tasks that run go on to their end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur pause last
  partitur unpause last")]
pub struct Pause {
    /// Which run
    run: String,
}

/// Let a paused run go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur unpause last")]
pub struct Unpause {
    /// Which run
    run: String,
}

impl Pause {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        Target::find(global, &self.run)?.tell(Command::Pause, "paused")
    }
}

impl Unpause {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        Target::find(global, &self.run)?.tell(Command::Unpause, "goes on")
    }
}
