//! `partitur schedule`: runs that a server starts by the clock.

mod list;
mod next;
mod operate;

use clap::Subcommand;

use crate::commands::remote::upload::Upload;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::definitions::Kind;
use crate::remote::{Desk, Problem, Remote};
use crate::settings::Global;

/// Runs that a server starts by the clock
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule list
  partitur schedule upload nightly.json
  partitur schedule pause nightly --reason 'stocktaking'
  partitur schedule next --cron '0 0 8 * * MON-FRI' --zone Europe/Berlin")]
pub struct Schedule {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List schedules
    List(list::List),
    /// Show a schedule
    Show(list::Show),
    /// List what schedules have started
    Runs(list::Runs),
    /// When a schedule, or a cron expression, is due next
    Next(next::Next),
    /// Bring schedules to the server
    #[command(after_help = "Examples:
  partitur schedule upload nightly.json

A schedule is {\"name\": \"nightly\", \"cronExpression\": \"0 0 2 * * *\", \"zoneId\": \"Europe/Berlin\", \
\"startWorkflowRequest\": {\"name\": \"month-end\", \"version\": 1}}; the first field of the expression are the seconds.")]
    Upload(Upload),
    /// Start nothing more
    Pause(operate::Pause),
    /// Let paused schedules go on
    Resume(operate::Resume),
    /// Forget schedules
    Delete(operate::Delete),
}

impl Schedule {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let desk = Desk::open(&self.remote, global)?;
        match self.action {
            Action::List(list) => list.run(&desk),
            Action::Show(show) => show.run(&desk),
            Action::Runs(runs) => runs.run(&desk),
            Action::Next(next) => next.run(&desk),
            Action::Upload(upload) => upload.run(&desk, Kind::Schedule, global.color),
            Action::Pause(pause) => pause.run(&desk),
            Action::Resume(resume) => resume.run(&desk),
            Action::Delete(delete) => delete.run(&desk),
        }
    }
}

/// Of a schedule that is not there.
fn unknown(problem: Problem) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| Some("`partitur schedule list` lists what there is".to_owned()))
}
