//! `partitur workflow logs`: what the tasks of a run have logged.

use partitur_model::unit::format_timestamp;
use serde_json::Value;

use super::{run_route, unknown_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::remote::{Desk, Route, Told as _, parsed};

/// Print what the tasks of a run have logged
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow logs 3f0cb1a4-…
  partitur workflow logs 3f0cb1a4-… --task book --json")]
pub struct Logs {
    /// Which run
    #[arg(value_name = "ID")]
    run: String,
    /// Only of these tasks, by their reference names
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
}

impl Logs {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let run = desk.client.get_json(&run_route(&self.run)).map_err(unknown_run)?;
        let is_wanted = |task: &&Value| {
            self.task.is_empty() || self.task.iter().any(|name| name == task.text("referenceTaskName"))
        };
        let (mut lines, mut all) = (Vec::new(), Vec::new());
        for task in run.items("tasks").iter().filter(is_wanted) {
            let logs = of_task(desk, task.text("taskId"))?;
            lines.extend(logs.iter().map(|log| line(Some(task.text("referenceTaskName")), log)));
            all.extend(logs);
        }
        if desk.json {
            return Ok(desk.raw(&Value::Array(all).to_string()));
        }
        if lines.is_empty() {
            desk.say("no logs");
        }
        desk.print_whole(&lines);
        Ok(Exit::Success)
    }
}

/// What a task has logged.
///
/// # Errors
/// The server's.
pub fn of_task(desk: &Desk, id: &str) -> Result<Vec<Value>, Failure> {
    let answer = desk.client.get(&Route::new("tasks").at(id).then("log"))?;
    if answer.trim().is_empty() {
        return Ok(Vec::new());
    }
    Ok(parsed(&answer)?.as_array().cloned().unwrap_or_default())
}

/// A line of a log.
pub fn line(task: Option<&str>, log: &Value) -> Line {
    let at = log.moment("createdTime").map(format_timestamp).unwrap_or_default();
    let mut line = Line::new().add(Paint::Dim, format!("{at}  "));
    if let Some(task) = task {
        line = line.add(Paint::Active, format!("{task}  "));
    }
    line.text(log.text("log").trim_end())
}
