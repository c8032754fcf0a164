//! `partitur workflow skip`.

use partitur_model::Payload;

use super::unknown_run;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::given::Output;
use crate::remote::{Desk, Route, Verb};

/// Leave out a task that has not begun
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow skip 3f0cb1a4-… ask_the_boss
  partitur workflow skip 3f0cb1a4-… ask_the_boss --output approved=true")]
pub struct Skip {
    /// Of which run
    #[arg(value_name = "ID")]
    run: String,
    /// Which task, by its reference name
    task: String,
    /// As if it had yielded this
    #[command(flatten)]
    output: Output,
}

impl Skip {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let output = self.output.object()?;
        let body = output.clone().map(|output| Payload::object([("taskOutput", output)]).render());
        let mut route = Route::new("workflow").at(&self.run).then("skiptask").at(&self.task);
        // Conductor itself takes the output from the address, where it is text; others take it from the body.
        for (name, value) in output.and_then(|output| output.entries()).unwrap_or_default() {
            let text = value.to_value();
            route = route.with(
                &format!("taskOutput[{name}]"),
                text.as_str().map_or_else(|| value.render(), str::to_owned),
            );
        }
        desk.client.send(Verb::Put, &route, body).map_err(unknown_run)?;
        if !desk.json {
            desk.say(&format!("`{}` will be left out", self.task));
        }
        Ok(Exit::Success)
    }
}
