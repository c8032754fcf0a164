//! `partitur task search`.

use partitur_report::short;

use crate::commands::remote::search::{Page, Query};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::moment;
use crate::remote::{Cell, Desk, Table, Told as _, left, parsed, right, task_has_ended, task_mark, wide};

/// Find tasks
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task search --status FAILED --since 1h
  partitur task search \"taskType='book' AND status IN (SCHEDULED,IN_PROGRESS)\"
  partitur task search --of 3f0cb1a4-… --json

QUERY joins parts with AND: FIELD=VALUE, FIELD IN (A,B), FIELD>MILLISECONDS, FIELD<MILLISECONDS. Fields: taskId, taskType, \
taskDefName, workflowId, workflowType, status, scheduledTime, startTime, updateTime, endTime.")]
pub struct Search {
    /// What must hold
    query: Option<String>,
    /// Words that occur anywhere in a task
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Only tasks of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only tasks in these states: SCHEDULED, IN_PROGRESS, COMPLETED, FAILED, …
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    status: Vec<String>,
    /// Only tasks of this run
    #[arg(long, value_name = "ID")]
    of: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Search {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let mut query = Query::default();
        query.words(self.query.as_deref());
        query.any("taskType", &self.types);
        query.any("status", &self.status.iter().map(|state| state.to_ascii_uppercase()).collect::<Vec<_>>());
        query.any("workflowId", self.of.as_slice());
        let answer =
            desk.client.get(&self.page.route("tasks/search", query, self.text.as_deref(), "startTime"))?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let tasks = told.items("results");
        let mut table = Table::new([
            left("task"),
            left("state"),
            wide("type"),
            right("took"),
            left("run"),
            wide("workflow"),
            wide("reason"),
        ]);
        let now = moment();
        for task in tasks {
            let mark = task_mark(task.text("status"));
            let began = task.moment("startTime").or_else(|| task.moment("scheduledTime"));
            let ended = task.moment("endTime").filter(|_| task_has_ended(task.text("status"))).unwrap_or(now);
            table.row([
                task.text("taskId").into(),
                Cell::new(mark.paint, mark.shown()),
                task.text("taskType").into(),
                began.map(|began| short(ended.since(began))).unwrap_or_default().into(),
                Cell::new(Paint::Dim, task.text("workflowId")),
                task.text("workflowType").into(),
                Cell::new(Paint::Dim, task.text("reasonForIncompletion").replace('\n', " ")),
            ]);
        }
        desk.table(&table, "no tasks");
        if let Some(rest) = self.page.rest(tasks.len(), told.whole("totalHits")) {
            desk.say_line(&Line::new().add(Paint::Dim, rest));
        }
        Ok(Exit::Success)
    }
}
