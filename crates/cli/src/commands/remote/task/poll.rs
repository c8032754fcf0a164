//! `partitur task poll`.

use std::time::Duration;

use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::Paint;
use crate::remote::{Cell, Desk, Route, Table, Told as _, left, parsed, right, span, wide};

/// Servers let nobody wait longer.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Take tasks, as a worker does
///
/// What is taken is in progress from then on: say what became of it with `partitur task update`, or the server waits for
/// that until its response timeout is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task poll book
  partitur task poll book --count 5 --wait 2s --json | jq -r '.[].taskId'
  partitur task poll book --domain eu --worker desk-7")]
pub struct Poll {
    /// Of which type
    #[arg(value_name = "TYPE")]
    task_type: String,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 1)]
    count: u32,
    /// Wait so long if there are none, at most 5s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = span)]
    wait: Duration,
    /// Who takes them [default: the name of this machine]
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Only those that are for this domain
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
}

impl Poll {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let wait = self.wait.min(WAIT_MAX).as_millis();
        let route = Route::new("tasks/poll/batch")
            .at(&self.task_type)
            .with("count", self.count)
            .with("timeout", wait)
            .with("workerid", self.worker.clone().unwrap_or_else(machine))
            .with_some("domain", self.domain.as_ref());
        let answer = desk.client.take(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let mut table = Table::new([
            left("task"),
            left("name"),
            left("run"),
            wide("workflow"),
            right("attempt"),
            wide("input"),
        ]);
        for task in told.as_array().into_iter().flatten() {
            table.row([
                task.text("taskId").into(),
                task.text("referenceTaskName").into(),
                Cell::new(Paint::Dim, task.text("workflowInstanceId")),
                task.text("workflowType").into(),
                (task.whole("retryCount") + 1).to_string().into(),
                task.get("inputData").map(Value::to_string).unwrap_or_default().into(),
            ]);
        }
        desk.table(&table, &format!("no task of type {} waits", self.task_type));
        Ok(Exit::Success)
    }
}

/// The name of this machine.
pub fn machine() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "partitur".to_owned() } else { name }
}
