//! `partitur schedule list`, `show` and `runs`.

use partitur_model::unit::format_timestamp;
use serde_json::Value;

use super::unknown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::remote::{Cell, Desk, Route, Table, Told as _, left, parsed, wide};

/// List schedules
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule list
  partitur schedule list --of month-end --json")]
pub struct List {
    /// Only those that start this workflow
    #[arg(long, value_name = "NAME")]
    of: Option<String>,
}

/// Show a schedule
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule show nightly
  partitur schedule show nightly --json > nightly.json")]
pub struct Show {
    /// Which
    name: String,
}

/// List what schedules have started
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule runs
  partitur schedule runs nightly --limit 5")]
pub struct Runs {
    /// Only of this schedule
    name: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
}

impl List {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("scheduler/schedules").with_some("workflowName", self.of.as_ref());
        let answer = desk.client.get(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let mut table = Table::new([
            left("name"),
            left("state"),
            wide("when"),
            wide("zone"),
            wide("starts"),
            left("next"),
        ]);
        for schedule in told.as_array().into_iter().flatten() {
            let (paint, state) = state(schedule);
            let crons = crons(schedule);
            let join = |parts: Vec<&str>| parts.join(" | ");
            table.row([
                schedule.text("name").into(),
                Cell::new(paint, state),
                join(crons.iter().map(|(cron, _)| *cron).collect()).into(),
                join(crons.iter().map(|(_, zone)| *zone).collect()).into(),
                starts(schedule).into(),
                next(schedule).into(),
            ]);
        }
        desk.table(&table, "no schedules");
        Ok(Exit::Success)
    }
}

impl Show {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let answer = desk.client.get(&Route::new("scheduler/schedules").at(&self.name)).map_err(unknown)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        desk.print_whole(&lines(&parsed(&answer)?));
        Ok(Exit::Success)
    }
}

impl Runs {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let query = self.name.as_ref().map(|name| format!("scheduleName='{name}'")).unwrap_or_default();
        let route = Route::new("scheduler/search/executions")
            .with("start", 0)
            .with("size", self.limit)
            .with("sort", "scheduledTime:DESC")
            .with("freeText", self.name.as_deref().unwrap_or("*"))
            .with("query", query);
        let answer = desk.client.get(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let mut table = Table::new([
            left("due"),
            left("schedule"),
            left("state"),
            wide("workflow"),
            left("run"),
            wide("reason"),
        ]);
        let is_wanted =
            |row: &&Value| self.name.as_deref().is_none_or(|name| row.text("scheduleName") == name);
        for row in told.items("results").iter().filter(is_wanted) {
            let paint = if row.text("state") == "FAILED" { Paint::Bad } else { Paint::Plain };
            table.row([
                row.moment("scheduledTime").map(format_timestamp).unwrap_or_default().into(),
                row.text("scheduleName").into(),
                Cell::new(paint, row.text("state").to_ascii_lowercase()),
                row.text("workflowName").into(),
                row.text("workflowId").into(),
                Cell::new(Paint::Dim, row.text("reason").replace('\n', " ")),
            ]);
        }
        desk.table(&table, "no schedule has started anything");
        Ok(Exit::Success)
    }
}

fn lines(schedule: &Value) -> Vec<Line> {
    let (paint, state) = state(schedule);
    let mut lines = vec![Line::new().add(Paint::Bold, schedule.text("name")).text("  ").add(paint, state)];
    let mut row = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(Line::new().add(Paint::Dim, format!("  {name:<12}")).text(text));
        }
    };
    row("description", schedule.text("description"));
    for (cron, zone) in crons(schedule) {
        row("when", &format!("{cron}  {zone}"));
    }
    let moment = |key: &str| schedule.moment(key).map(format_timestamp).unwrap_or_default();
    row("from", &moment("scheduleStartTime"));
    row("until", &moment("scheduleEndTime"));
    row("next", &next(schedule));
    row("starts", &starts(schedule));
    let request = schedule.get("startWorkflowRequest");
    let input = request
        .and_then(|request| request.get("input"))
        .filter(|input| input.as_object().is_some_and(|members| !members.is_empty()));
    row("input", &input.map(Value::to_string).unwrap_or_default());
    row("paused", schedule.text("pausedReason"));
    row("missed", if schedule.truth("runCatchupScheduleInstances") { "is made up for" } else { "" });
    lines
}

fn state(schedule: &Value) -> (Paint, &'static str) {
    if schedule.truth("paused") { (Paint::Warn, "‖ paused") } else { (Paint::Good, "▸ active") }
}

/// The expressions of a schedule, each with its zone.
pub fn crons(schedule: &Value) -> Vec<(&str, &str)> {
    let many = schedule.items("cronSchedules");
    if many.is_empty() {
        return vec![(schedule.text("cronExpression"), or_utc(schedule.text("zoneId")))];
    }
    many.iter().map(|cron| (cron.text("cronExpression"), or_utc(cron.text("zoneId")))).collect()
}

fn or_utc(zone: &str) -> &str {
    if zone.is_empty() { "UTC" } else { zone }
}

fn starts(schedule: &Value) -> String {
    let request = schedule.get("startWorkflowRequest").unwrap_or(&Value::Null);
    match request.whole("version") {
        0 => request.text("name").to_owned(),
        version => format!("{} version {version}", request.text("name")),
    }
}

fn next(schedule: &Value) -> String {
    schedule.moment("nextRunTime").map(format_timestamp).unwrap_or_default()
}
