//! `partitur task show`.

use partitur_model::unit::format_timestamp;
use partitur_report::short;
use serde_json::Value;

use super::unknown_task;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::moment;
use crate::remote::{Desk, Route, Told as _, parsed, task_mark, took};

/// Show a task: what it was given, what it yielded, why it failed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task show 8d0e71c2-…
  partitur task show 8d0e71c2-… --json | jq .outputData")]
pub struct Show {
    /// Which task
    #[arg(value_name = "ID")]
    task: String,
}

impl Show {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let answer = desk.client.get(&Route::new("tasks").at(&self.task)).map_err(unknown_task)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        desk.print_whole(&lines(&parsed(&answer)?));
        Ok(Exit::Success)
    }
}

fn lines(task: &Value) -> Vec<Line> {
    let mark = task_mark(task.text("status"));
    let took = took(task, moment()).map(|took| format!(" after {}", short(took))).unwrap_or_default();
    let mut lines = vec![
        Line::new()
            .add(mark.paint, format!("{} ", mark.sign))
            .add(Paint::Bold, task.text("referenceTaskName"))
            .text("  ")
            .add(mark.paint, &mark.words)
            .text(took),
    ];
    let mut row = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(Line::new().add(Paint::Dim, format!("  {name:<12}")).text(text));
        }
    };
    let at = |key: &str| task.moment(key).map(format_timestamp).unwrap_or_default();
    row("id", task.text("taskId"));
    row("run", &format!("{} of {}", task.text("workflowInstanceId"), task.text("workflowType")));
    row("type", &kind(task));
    row("attempt", &(task.whole("retryCount") + 1).to_string());
    row("scheduled", &at("scheduledTime"));
    row("started", &at("startTime"));
    row("ended", &at("endTime"));
    row("worker", task.text("workerId"));
    row("domain", task.text("domain"));
    row("polled", &times(task.whole("pollCount")));
    row("reason", &task.text("reasonForIncompletion").replace('\n', " "));
    row("sub-workflow", task.text("subWorkflowId"));
    for (name, key) in [("input", "inputData"), ("output", "outputData")] {
        let value =
            task.get(key).filter(|value| value.as_object().is_some_and(|members| !members.is_empty()));
        row(name, &value.map(Value::to_string).unwrap_or_default());
    }
    lines
}

fn kind(task: &Value) -> String {
    let (kind, name) = (task.text("taskType"), task.text("taskDefName"));
    if name.is_empty() || name == kind { kind.to_owned() } else { format!("{kind}, defined as {name}") }
}

fn times(count: i64) -> String {
    match count {
        0 => String::new(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
