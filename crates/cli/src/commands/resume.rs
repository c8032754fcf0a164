//! `partitur resume`.

use partitur_api::{Command, run_state_name};
use partitur_model::record::{RunOutcome, RunRecord, RunState};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{Going, Target};
use crate::records::newest;
use crate::settings::Global;

/// Go on with an unfinished or failed run
///
/// An unfinished run goes on where the process that hosted it left it: finished tasks are not run again. A failed or
/// cancelled run goes on from its failures, and one whose rollback failed goes on with the rollback. The document is
/// the one that the run was started with.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur resume
  partitur resume 12 --json")]
pub struct Resume {
    /// Which run [default: the newest unfinished one, else the newest that failed]
    run: Option<String>,
    #[command(flatten)]
    going: Going,
}

impl Resume {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = match &self.run {
            Some(text) => Target::find(global, text)?,
            None => newest_to_resume(global)?,
        };
        let number = target.number();
        if target.hosted()?.is_some() {
            self.say(&format!("another process is at work on run {number}: following it"));
            return target.follow(global, &self.going);
        }
        let command = match target.run.state {
            RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) => None,
            RunState::Paused => Some(Command::Unpause),
            RunState::Ended(RunOutcome::Failed | RunOutcome::Cancelled | RunOutcome::TimedOut) => {
                Some(Command::Retry)
            }
            RunState::Ended(RunOutcome::RollbackFailed) => Some(Command::Rollback),
            RunState::Ended(RunOutcome::Succeeded | RunOutcome::RolledBack) => {
                let state = run_state_name(target.run.state);
                let message = format!("run {number} has {state}: there is nothing to go on with");
                return Err(Failure::refused(message, format!("`partitur restart {number}` runs it again")));
            }
        };
        self.say(&format!("going on with run {number} ({})", run_state_name(target.run.state)));
        target.go_on(command, global, &self.going)
    }

    fn say(&self, words: &str) {
        if !self.going.look.json && !self.going.look.quiet {
            eprintln!("{words}");
        }
    }
}

fn newest_to_resume(global: &Global) -> Result<Target, Failure> {
    let (state, reader) = global.reader()?;
    let failed = |run: &RunRecord| match run.state {
        RunState::Ended(
            RunOutcome::Failed | RunOutcome::Cancelled | RunOutcome::TimedOut | RunOutcome::RollbackFailed,
        ) => true,
        RunState::Ended(RunOutcome::Succeeded | RunOutcome::RolledBack)
        | RunState::Running
        | RunState::Paused
        | RunState::Ending(_)
        | RunState::RollingBack(_) => false,
    };
    let run = match newest(&reader, |run| !run.state.is_ended())? {
        Some(open) => Some(open),
        None => newest(&reader, failed)?,
    };
    match run {
        Some(run) => Ok(Target { state, reader, run }),
        None => Err(Failure::refused(
            "no run is unfinished, and none has failed",
            "`partitur runs` lists them; `partitur restart RUN` runs one again",
        )),
    }
}
