//! `partitur cancel`.

use partitur_api::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{Going, Target};
use crate::settings::Global;

/// Cancel a run, one of its tasks, or the tasks of an agent
///
/// Tasks that run are asked to end, and killed if they do not. A run on which no process is at work is ended here.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur cancel last
  partitur cancel 12 invoices[de]
  partitur cancel 12 --agent reviewer")]
pub struct Cancel {
    /// Which run
    run: String,
    /// Only this task
    #[arg(conflicts_with = "agent")]
    task: Option<String>,
    /// Only the tasks of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Why, for people
    #[arg(long, default_value = "cancelled by hand")]
    reason: String,
    #[command(flatten)]
    going: Going,
}

impl Cancel {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        let (command, done) = match (self.task, self.agent) {
            (Some(task), _) => {
                let done = format!("`{task}` is asked to end");
                (Command::CancelTask { task }, done)
            }
            (None, Some(agent)) => {
                let done = format!("the tasks of {agent} are asked to end");
                (Command::CancelAgent { agent }, done)
            }
            (None, None) => {
                (Command::Cancel { reason: self.reason }, "its tasks are asked to end".to_owned())
            }
        };
        let rests = !target.run.state.is_ended() && target.hosted()?.is_none();
        match command {
            Command::Cancel { .. } if rests => {
                // That it is cancelled is what was asked for.
                match target.go_on(Some(command), global, &self.going)? {
                    Exit::Cancelled => Ok(Exit::Success),
                    other => Ok(other),
                }
            }
            other => target.tell(other, &done),
        }
    }
}
