//! `partitur workflow signal`.

use partitur_model::Payload;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::given::Output;
use crate::remote::{Desk, Route, Verb};

/// End the WAIT task that holds a run up
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow signal 3f0cb1a4-… --output by=ada
  partitur workflow signal 3f0cb1a4-… --fail

The WAIT task may be in a sub-workflow. `partitur task update REF --of ID` ends any other task by its name.")]
pub struct Signal {
    /// Which run
    #[arg(value_name = "ID")]
    run: String,
    #[command(flatten)]
    output: Output,
    /// The task fails
    #[arg(long)]
    fail: bool,
}

impl Signal {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let status = if self.fail { "FAILED" } else { "COMPLETED" };
        let output = self.output.object()?.unwrap_or_else(|| Payload::object::<&str>([]));
        let route = Route::new("tasks").at(&self.run).at(status).then("signal");
        desk.client.send(Verb::Post, &route, Some(output.render()))?;
        if !desk.json {
            desk.say(&format!("{} has its signal", self.run));
        }
        Ok(Exit::Success)
    }
}
