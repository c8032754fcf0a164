//! `partitur task definitions` and `delete-definition`.

use std::time::Duration;

use partitur_report::short;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::remote::{Cell, Desk, Problem, Route, Table, Told as _, Verb, left, parsed, right, wide};

/// List definitions, or show one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task definitions
  partitur task definitions book --json > book.json")]
pub struct Definitions {
    /// Show this one [default: list all]
    name: Option<String>,
}

/// Forget a definition
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur task delete-definition book")]
pub struct Delete {
    /// Which
    name: String,
}

impl Definitions {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("metadata/taskdefs");
        let answer = match &self.name {
            Some(name) => desk.client.get(&route.at(name)).map_err(unknown)?,
            None => desk.client.get(&route)?,
        };
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        match parsed(&answer)? {
            Value::Array(all) => desk.table(&table(&all), "no definitions"),
            definition => desk.print(&lines(&definition)),
        }
        Ok(Exit::Success)
    }
}

impl Delete {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("metadata/taskdefs").at(&self.name);
        desk.client.send(Verb::Delete, &route, None).map_err(unknown)?;
        if !desk.json {
            desk.say(&format!("{} is forgotten", self.name));
        }
        Ok(Exit::Success)
    }
}

fn table(all: &[Value]) -> Table {
    let mut table = Table::new([
        left("name"),
        right("retries"),
        right("response"),
        right("timeout"),
        right("at once"),
        wide("description"),
    ]);
    let mut all: Vec<&Value> = all.iter().collect();
    all.sort_by_key(|definition| definition.text("name"));
    for definition in all {
        table.row([
            definition.text("name").into(),
            definition.whole("retryCount").to_string().into(),
            seconds(definition, "responseTimeoutSeconds").into(),
            seconds(definition, "timeoutSeconds").into(),
            some(definition.whole("concurrentExecLimit")).into(),
            Cell::new(Paint::Dim, definition.text("description")),
        ]);
    }
    table
}

fn lines(definition: &Value) -> Vec<Line> {
    let mut lines = vec![Line::new().add(Paint::Bold, definition.text("name"))];
    let mut row = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(Line::new().add(Paint::Dim, format!("  {name:<18}")).text(text));
        }
    };
    row("description", definition.text("description"));
    let pause = seconds(definition, "retryDelaySeconds");
    let logic = definition.text("retryLogic").to_ascii_lowercase().replace('_', " ");
    let pause = if pause.is_empty() { "at once".to_owned() } else { format!("after {pause} ({logic})") };
    row("retries", &format!("{}, {pause}", definition.whole("retryCount")));
    row("response timeout", &seconds(definition, "responseTimeoutSeconds"));
    row("timeout", &seconds(definition, "timeoutSeconds"));
    row("poll timeout", &seconds(definition, "pollTimeoutSeconds"));
    row("total timeout", &seconds(definition, "totalTimeoutSeconds"));
    row("when it times out", &definition.text("timeoutPolicy").to_ascii_lowercase().replace('_', " "));
    row("at once", &some(definition.whole("concurrentExecLimit")));
    let rate = definition.whole("rateLimitPerFrequency");
    let span = seconds(definition, "rateLimitFrequencyInSeconds");
    row("rate", &if rate > 0 { format!("{rate} in {span}") } else { String::new() });
    row("owner", definition.text("ownerEmail"));
    lines
}

/// A span in seconds; 0 is none.
fn seconds(definition: &Value, key: &str) -> String {
    let seconds = u64::try_from(definition.whole(key)).unwrap_or(0);
    if seconds == 0 { String::new() } else { short(Duration::from_secs(seconds)) }
}

fn some(count: i64) -> String {
    if count > 0 { count.to_string() } else { String::new() }
}

fn unknown(problem: Problem) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| Some("`partitur task definitions` lists what there is".to_owned()))
}
