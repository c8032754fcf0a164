//! `partitur workflow show`: a run as a tree.

use partitur_model::Timestamp;
use partitur_model::unit::format_timestamp;
use partitur_report::short;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{run_route, unknown_run};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint, printable};
use crate::progress::moment;
use crate::remote::{Children, Desk, Problem, Story, Told as _, parsed, run_has_ended, run_mark};

/// So many sub-workflows are read to show them.
const CHILDREN_MAX: usize = 100;
/// So much of a value is shown.
const VALUE_MAX: usize = 2_000;

/// Show a run as a tree: what is done, how long it took, what is wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow show 3f0cb1a4-…
  partitur workflow show 3f0cb1a4-… --depth 5 --all
  partitur workflow show 3f0cb1a4-… --json | jq '.tasks[] | select(.status == \"FAILED\")'

✓ completed  ✗ failed or cancelled  ▸ in progress  ◦ waits for a worker  ∅ skipped  · not begun  ├ begins a branch, a case \
or an iteration")]
pub struct Show {
    /// Which run
    #[arg(value_name = "ID")]
    run: String,
    /// So deep into sub-workflows
    #[arg(long, value_name = "N", default_value_t = 2)]
    depth: u32,
    /// Every branch and every iteration, however many
    #[arg(long)]
    all: bool,
}

impl Show {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let answer = desk.client.get(&run_route(&self.run)).map_err(unknown_run)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let run = parsed(&answer)?;
        let children = children(desk, &run, self.depth)?;
        let now = moment();
        let story = Story { run: &run, children: &children, now, all: self.all };
        let values: Values<'_> = serde_json::from_str(&answer).unwrap_or_default();
        let mut lines = head(&run, &values, now);
        lines.push(Line::new());
        lines.extend(Story::lines(&story.rows()));
        lines.extend(tail(&values));
        desk.print(&lines);
        Ok(Exit::Success)
    }
}

/// The sub-workflows of a run, level by level.
pub fn children(desk: &Desk, run: &Value, depth: u32) -> Result<Children, Problem> {
    let mut found = Children::new();
    let mut level = ids(run);
    for _ in 0..depth {
        let mut next = Vec::new();
        for id in level {
            if found.len() >= CHILDREN_MAX || found.contains_key(&id) {
                continue;
            }
            // One that was removed meanwhile is not shown.
            if let Some(child) = desk.client.find_json(&run_route(&id))? {
                next.extend(ids(&child));
                found.insert(id, child);
            }
        }
        level = next;
    }
    Ok(found)
}

fn ids(run: &Value) -> Vec<String> {
    let ids = run.items("tasks").iter().filter(|task| task.text("taskType") == "SUB_WORKFLOW");
    ids.map(|task| task.text("subWorkflowId").to_owned()).filter(|id| !id.is_empty()).collect()
}

/// Name, version, state and time.
pub fn title(run: &Value, now: Timestamp) -> Line {
    let status = run.text("status");
    let mark = run_mark(status);
    let started = run.moment("startTime").unwrap_or(now);
    let ended = run.moment("endTime").filter(|_| run_has_ended(status)).unwrap_or(now);
    let word = if run_has_ended(status) { "after" } else { "for" };
    Line::new()
        .add(mark.paint, format!("{} ", mark.sign))
        .add(Paint::Bold, run.text("workflowName"))
        .add(Paint::Dim, format!("  version {}  ", run.whole("workflowVersion")))
        .add(mark.paint, mark.words)
        .text(format!(" {word} {}", short(ended.since(started))))
}

fn head(run: &Value, values: &Values<'_>, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![title(run, now), row("id", run.text("workflowId"))];
    let mut more = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(row(name, &cut(text)));
        }
    };
    more("started", &run.moment("startTime").map(format_timestamp).unwrap_or_default());
    more("ended", &run.moment("endTime").map(format_timestamp).unwrap_or_default());
    more("correlation", run.text("correlationId"));
    more("part of", run.text("parentWorkflowId"));
    more("reason", run.text("reasonForIncompletion"));
    more("input", shown(values.input));
    more("variables", shown(values.variables));
    lines
}

fn tail(values: &Values<'_>) -> Vec<Line> {
    match shown(values.output) {
        "" => Vec::new(),
        output => vec![Line::new(), row("output", &cut(output))],
    }
}

/// What a run was given and what it yields, as the server wrote it: money keeps its digits.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub struct Values<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    pub output: Option<&'a RawValue>,
}

/// A value, if there is anything in it.
pub fn shown(value: Option<&RawValue>) -> &str {
    value.map(RawValue::get).filter(|text| !matches!(*text, "{}" | "null")).unwrap_or_default()
}

fn row(name: &str, text: &str) -> Line {
    Line::new().add(Paint::Dim, format!("  {name:<12}")).text(text)
}

fn cut(text: &str) -> String {
    let text = printable(&text.replace('\n', " "));
    match text.char_indices().nth(VALUE_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
