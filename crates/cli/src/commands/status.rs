//! `partitur status`: how things stand, on one page.

use std::time::Duration;

use partitur::host::{Session, Settings};
use partitur_api as api;
use partitur_report::{bytes, short};

use crate::commands::breakers;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::now;
use crate::records::newest;
use crate::settings::{Global, open_reader};

/// Of a longer list, so many lines are shown.
const LINES_MAX: usize = 20;

/// How things stand: health, slots, queue, locks, breakers, cache
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur status
  watch -n1 partitur --color always status
  partitur status --json | jq .queued")]
pub struct Status {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let state = global.state()?;
        let status = match Session::join(&Settings::new(&state))? {
            Some(mut session) => Some(session.status()?),
            None => None,
        };
        if self.json {
            println!("{}", serde_json::json!({"hosted": status.is_some(), "status": status}));
            return Ok(Exit::Success);
        }
        let colour = global.color.for_stream(&std::io::stdout());
        let lines = match &status {
            Some(status) => page(status, now()),
            None => resting(global)?,
        };
        lines.iter().for_each(|line| println!("{}", line.whole(colour)));
        Ok(Exit::Success)
    }
}

fn resting(global: &Global) -> Result<Vec<Line>, Failure> {
    let state = global.state()?;
    let mut lines = vec![Line::new().text("no process is at work in ").text(state.display().to_string())];
    if let Some(reader) = open_reader(&state)?
        && let Some(run) = newest(&reader, |run| !run.state.is_ended())?
    {
        let number = run.id.number();
        lines.push(Line::new().add(
            Paint::Warn,
            format!("run {number} ({}) is unfinished: `partitur resume {number}` goes on with it", run.name),
        ));
    }
    Ok(lines)
}

/// The page.
fn page(status: &api::Status, now: u64) -> Vec<Line> {
    let health = if status.health == "ok" { Paint::Good } else { Paint::Bad };
    let up = short(Duration::from_millis(status.uptime_ms));
    let runs = status.runs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let cache = status.cache;
    let looked_up = cache.hits + cache.misses;
    let rate = if looked_up == 0 { 0.0 } else { 100.0 * cache.hits as f64 / looked_up as f64 };
    let mut lines = vec![
        row("health", health, &status.health),
        row("host", Paint::Plain, &format!("process {}, up {up}", status.pid)),
        row("runs", Paint::Plain, if runs.is_empty() { "none" } else { &runs }),
        row("active", Paint::Plain, &format!("{} of {} slots", status.active, status.slots)),
        row("queued", Paint::Plain, &status.queued.to_string()),
        row("throughput", Paint::Plain, &format!("{:.1} tasks/s", status.tasks_per_second)),
        row("memory", Paint::Plain, &bytes(status.memory_bytes)),
        row(
            "cache",
            Paint::Plain,
            &format!("{} results, {}, {rate:.0} % of {looked_up} served", cache.entries, bytes(cache.bytes)),
        ),
    ];
    section(&mut lines, "limits that follow the load", status.limits.iter().map(|l| limit(l, now)).collect());
    let open: Vec<Line> =
        status.breakers.iter().map(|b| Line::new().text("  ").text(breakers::line(b))).collect();
    section(&mut lines, "breakers that are not closed", open);
    section(&mut lines, "holders", status.holders.iter().map(|held| holder(held, now)).collect());
    section(&mut lines, "waiters", status.waiters.iter().map(|waits| waiter(waits, now)).collect());
    lines
}

fn row(name: &str, paint: Paint, text: &str) -> Line {
    Line::new().add(Paint::Dim, format!("{name:<12}")).add(paint, text)
}

fn section(lines: &mut Vec<Line>, title: &str, rows: Vec<Line>) {
    if rows.is_empty() {
        return;
    }
    let more = rows.len().saturating_sub(LINES_MAX);
    lines.push(Line::new());
    lines.push(Line::new().add(Paint::Bold, title));
    lines.extend(rows.into_iter().take(LINES_MAX));
    if more > 0 {
        lines.push(Line::new().add(Paint::Dim, format!("  … and {more} more")));
    }
}

fn limit(limit: &api::Limit, now: u64) -> Line {
    Line::new()
        .text(format!("  run {}  {} of {}..{} at once", limit.run, limit.limit, limit.min, limit.max))
        .add(Paint::Dim, format!("  {}, {} ago", limit.reason, since(limit.since, now)))
}

fn holder(held: &api::Holder, now: u64) -> Line {
    let units = if held.units > 1 { format!(" ×{}", held.units) } else { String::new() };
    Line::new()
        .text("  ")
        .text(&held.resource)
        .text(units)
        .add(Paint::Dim, format!("  {}", held.mode))
        .text(format!("  run {} {}", held.run, held.task))
        .add(Paint::Dim, format!("  {}", since(held.since, now)))
}

fn waiter(waits: &api::Waiter, now: u64) -> Line {
    let held = if waits.held_by.is_empty() {
        String::new()
    } else {
        format!(", held by {}", waits.held_by.join(" and "))
    };
    let reserves = if waits.reserves { "  it is next" } else { "" };
    Line::new()
        .text(format!("  run {} {}", waits.run, waits.task))
        .text(format!("  waits for {}{held}", waits.reason))
        .add(Paint::Dim, format!("  {}{reserves}", since(waits.since, now)))
}

fn since(from: u64, now: u64) -> String {
    short(Duration::from_millis(now.saturating_sub(from)))
}
