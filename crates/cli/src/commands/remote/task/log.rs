//! `partitur task log`.

use serde_json::Value;

use super::unknown_task;
use crate::commands::remote::workflow::logs::{line, of_task};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::{Desk, Route, Verb};

/// Print what a task has logged, or add to it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task log 8d0e71c2-…
  partitur task log 8d0e71c2-… --add 'called the bank'")]
pub struct Log {
    /// Which task
    #[arg(value_name = "ID")]
    task: String,
    /// Add a line; may be given often
    #[arg(long, value_name = "TEXT")]
    add: Vec<String>,
}

impl Log {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("tasks").at(&self.task).then("log");
        for text in &self.add {
            desk.client.send(Verb::Post, &route, Some(text.clone())).map_err(unknown_task)?;
        }
        if !self.add.is_empty() {
            return Ok(Exit::Success);
        }
        let logs = of_task(desk, &self.task)?;
        if desk.json {
            return Ok(desk.raw(&Value::Array(logs).to_string()));
        }
        if logs.is_empty() {
            desk.say("no logs");
        }
        desk.print_whole(&logs.iter().map(|log| line(None, log)).collect::<Vec<_>>());
        Ok(Exit::Success)
    }
}
