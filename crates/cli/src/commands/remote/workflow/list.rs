//! `partitur workflow list` and `search`: runs, newest first.

use partitur_report::short;
use serde_json::Value;

use crate::commands::remote::search::{Page, Query};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::moment;
use crate::remote::{Cell, Desk, Table, Told as _, left, parsed, right, run_has_ended, run_mark, wide};

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow list
  partitur workflow list --name month-end --status RUNNING,PAUSED
  partitur workflow list --status FAILED --since 1d --json | jq -r '.results[].workflowId'")]
pub struct List {
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    page: Page,
}

/// Find runs with the server's query language
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow search \"workflowType='month-end' AND status IN (FAILED,TIMED_OUT)\"
  partitur workflow search 'correlationId=c-17' --sort endTime:DESC
  partitur workflow search --text 4711 --status RUNNING

QUERY joins parts with AND: FIELD=VALUE, FIELD IN (A,B), FIELD>MILLISECONDS, FIELD<MILLISECONDS. Fields: workflowId, \
workflowType, version, correlationId, status, startTime, updateTime, endTime, parentWorkflowId.")]
pub struct Search {
    /// What must hold
    query: Option<String>,
    /// Words that occur anywhere in a run
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    #[command(flatten)]
    narrow: Narrow,
    #[command(flatten)]
    page: Page,
}

/// What narrows a search.
#[derive(Debug, clap::Args)]
struct Narrow {
    /// Only runs of these definitions
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    name: Vec<String>,
    /// Only runs in these states: RUNNING, PAUSED, COMPLETED, FAILED, TIMED_OUT, TERMINATED
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state)]
    status: Vec<String>,
    /// Only those that their submitter calls so
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
}

impl List {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        find(desk, self.narrow.query(), None, &self.page)
    }
}

impl Search {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let mut query = Query::default();
        query.words(self.query.as_deref());
        self.narrow.add_to(&mut query);
        find(desk, query, self.text.as_deref(), &self.page)
    }
}

impl Narrow {
    fn query(&self) -> Query {
        let mut query = Query::default();
        self.add_to(&mut query);
        query
    }

    fn add_to(&self, query: &mut Query) {
        query.any("workflowType", &self.name);
        query.any("status", &self.status);
        query.any("correlationId", self.correlation_id.as_slice());
    }
}

fn find(desk: &Desk, query: Query, text: Option<&str>, page: &Page) -> Result<Exit, Failure> {
    let answer = desk.client.get(&page.route("workflow/search", query, text, "startTime"))?;
    if desk.json {
        return Ok(desk.raw(&answer));
    }
    let told = parsed(&answer)?;
    let runs = told.items("results");
    desk.table(&table(runs), "no runs");
    if let Some(rest) = page.rest(runs.len(), told.whole("totalHits")) {
        desk.say_line(&Line::new().add(Paint::Dim, rest));
    }
    Ok(Exit::Success)
}

fn table(runs: &[Value]) -> Table {
    let mut table = Table::new([
        left("run"),
        left("state"),
        wide("name"),
        right("version"),
        right("started"),
        right("took"),
        wide("correlation"),
        wide("reason"),
    ]);
    let now = moment();
    for run in runs {
        let mark = run_mark(run.text("status"));
        let started = run.moment("startTime");
        let ended = run.moment("endTime").filter(|_| run_has_ended(run.text("status"))).unwrap_or(now);
        let ago = started.map(|started| format!("{} ago", short_ago(now.since(started)))).unwrap_or_default();
        table.row([
            run.text("workflowId").into(),
            Cell::new(mark.paint, mark.shown()),
            run.text("workflowType").into(),
            run.whole("version").to_string().into(),
            ago.into(),
            started.map(|started| short(ended.since(started))).unwrap_or_default().into(),
            run.text("correlationId").into(),
            Cell::new(Paint::Dim, run.text("reasonForIncompletion").replace('\n', " ")),
        ]);
    }
    table
}

/// Of what is long ago nobody wants to know the milliseconds.
pub fn short_ago(time: std::time::Duration) -> String {
    if time.as_secs() < 60 { format!("{}s", time.as_secs()) } else { short(time) }
}

fn state(text: &str) -> Result<String, String> {
    const STATES: [&str; 6] = ["RUNNING", "PAUSED", "COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED"];
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    if STATES.contains(&wanted.as_str()) { Ok(wanted) } else { Err(format!("one of {}", STATES.join(", "))) }
}
