//! `partitur rollback`.

use partitur_api::Command;
use partitur_model::record::{RunOutcome, RunState};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{Going, Target};
use crate::settings::Global;

/// Undo what an ended run has done
///
/// The compensations (`undo`) of the tasks that succeeded, in reverse order. One that failed is tried again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur rollback last")]
pub struct Rollback {
    /// Which run
    run: String,
    #[command(flatten)]
    going: Going,
}

impl Rollback {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        match target.go_on(Some(Command::Rollback), global, &self.going)? {
            // That it is undone is what was asked for.
            Exit::Failed if was_rolled_back(&target)? => Ok(Exit::Success),
            other => Ok(other),
        }
    }
}

fn was_rolled_back(target: &Target) -> Result<bool, Failure> {
    let run = target.reader.run(target.run.id)?;
    Ok(run.is_some_and(|run| run.state == RunState::Ended(RunOutcome::RolledBack)))
}
