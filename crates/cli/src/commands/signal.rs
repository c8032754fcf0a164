//! `partitur signal`.

use partitur_api::Command;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::settings::Global;

/// End a task that waits for a signal or an approval
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur signal last release
  partitur signal 12 release --output '{\"by\": \"ada\"}'
  partitur signal 12 release --fail 'not before Monday'")]
pub struct Signal {
    /// Which run
    run: String,
    /// Which task
    task: String,
    /// What the task yields, as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "fail")]
    output: Option<String>,
    /// The task fails, with this message
    #[arg(long, value_name = "MESSAGE")]
    fail: Option<String>,
}

impl Signal {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        if let Some(output) = &self.output {
            Command::parse_output(output)
                .map_err(|why| Failure::usage(why, "text needs quotes of its own: --output '\"text\"'"))?;
        }
        let done = format!("`{}` has its signal", self.task);
        let command = Command::Signal { task: self.task, output: self.output, fail: self.fail };
        Target::find(global, &self.run)?.tell(command, &done)
    }
}
