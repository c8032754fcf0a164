//! `partitur runs`.

use std::time::Duration;

use partitur::host::{Session, Settings};
use partitur_api::run_state_name;
use partitur_model::Timestamp;
use partitur_model::record::{RunOutcome, RunRecord, RunState};
use partitur_model::unit::format_timestamp;
use partitur_report::short;
use partitur_store::RunFilter;
use serde_json::json;

use crate::commands::run::open_states;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::progress::now;
use crate::records::label;
use crate::settings::Global;

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur runs
  partitur runs --state failed --limit 5
  partitur runs --json | jq '.[0].run'")]
pub struct Runs {
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Only those in this state (may be given several times)
    #[arg(long, value_name = "STATE")]
    state: Vec<State>,
    /// Only those of this name
    #[arg(long)]
    name: Option<String>,
    /// Sub-runs too
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum State {
    Unfinished,
    Running,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
    TimedOut,
    RolledBack,
    RollbackFailed,
}

impl State {
    fn states(self) -> Vec<RunState> {
        match self {
            State::Unfinished => open_states(),
            State::Running => vec![RunState::Running],
            State::Paused => vec![RunState::Paused],
            State::Succeeded => vec![RunState::Ended(RunOutcome::Succeeded)],
            State::Failed => vec![RunState::Ended(RunOutcome::Failed)],
            State::Cancelled => vec![RunState::Ended(RunOutcome::Cancelled)],
            State::TimedOut => vec![RunState::Ended(RunOutcome::TimedOut)],
            State::RolledBack => vec![RunState::Ended(RunOutcome::RolledBack)],
            State::RollbackFailed => vec![RunState::Ended(RunOutcome::RollbackFailed)],
        }
    }
}

impl Runs {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let (dir, reader) = global.reader()?;
        let mut filter = RunFilter {
            states: self.state.iter().flat_map(|state| state.states()).collect(),
            name: self.name,
            limit: self.limit.max(1),
            before: None,
        };
        let (mut runs, mut bad) = (Vec::new(), Vec::new());
        while runs.len() < self.limit {
            let page = reader.runs(&filter)?;
            bad.extend(page.quarantined);
            let Some(last) = page.runs.last() else { break };
            filter.before = Some(last.id);
            runs.extend(page.runs.into_iter().filter(|run| self.all || run.parent.is_none()));
        }
        runs.truncate(self.limit);
        let live = match Session::join(&Settings::new(&dir))? {
            Some(mut session) => session.status()?.runs,
            None => Vec::new(),
        };
        if self.json {
            let told: Vec<_> = runs.iter().map(|run| as_json(run, &live)).collect();
            println!("{}", json!(told));
        } else {
            let colour = global.color.for_stream(&std::io::stdout());
            table(&runs, &live, now()).iter().for_each(|line| println!("{}", line.whole(colour)));
        }
        for bad in bad {
            eprintln!("a run cannot be read: {}", bad.reason);
        }
        Ok(Exit::Success)
    }
}

fn table(runs: &[RunRecord], live: &[u64], now: u64) -> Vec<Line> {
    if runs.is_empty() {
        return vec![Line::new().text("no runs")];
    }
    let name_width = runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max(4);
    let head = format!(
        "{:>5}  {:<17}{:<name_width$}  {:>11}  {:>8}  file",
        "run", "state", "name", "started", "took"
    );
    let mut lines = vec![Line::new().add(Paint::Dim, head)];
    for run in runs {
        let (paint, state) = shown_state(run, live);
        let ago = Duration::from_millis(now.saturating_sub(run.created.millis()));
        let took = run.ended.unwrap_or(Timestamp::from_millis(now)).since(run.created);
        let took =
            if run.state.is_ended() || live.contains(&run.id.number()) { short(took) } else { "".into() };
        lines.push(
            Line::new()
                .text(format!("{:>5}  ", run.id.number()))
                .add(paint, format!("{state:<17}"))
                .text(format!("{:<name_width$}", run.name))
                .text(format!("  {:>11}  {took:>8}", format!("{} ago", short_ago(ago))))
                .add(Paint::Dim, format!("  {}", label(run, "file").unwrap_or_default())),
        );
    }
    lines
}

fn short_ago(time: Duration) -> String {
    if time.as_secs() < 60 { format!("{}s", time.as_secs()) } else { short(time) }
}

/// A run that has not ended, and on which nobody is at work, was interrupted.
pub fn shown_state(run: &RunRecord, live: &[u64]) -> (Paint, String) {
    let name = run_state_name(run.state).to_owned();
    match run.state {
        RunState::Ended(RunOutcome::Succeeded) => (Paint::Good, format!("✓ {name}")),
        RunState::Ended(RunOutcome::Cancelled | RunOutcome::RolledBack) => (Paint::Warn, format!("✗ {name}")),
        RunState::Ended(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::RollbackFailed) => {
            (Paint::Bad, format!("✗ {name}"))
        }
        RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => {
            if live.contains(&run.id.number()) {
                (Paint::Active, format!("▸ {name}"))
            } else {
                (Paint::Warn, "◦ interrupted".to_owned())
            }
        }
    }
}

/// A run as scripts read it.
pub fn as_json(run: &RunRecord, live: &[u64]) -> serde_json::Value {
    let labels: serde_json::Map<_, _> =
        run.options.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "run": run.id.number(),
        "id": run.id.to_string(),
        "name": run.name,
        "state": run_state_name(run.state),
        "ended": run.state.is_ended(),
        "hosted": live.contains(&run.id.number()),
        "created": format_timestamp(run.created),
        "finished": run.ended.map(format_timestamp),
        "definition": run.definition.to_string(),
        "parent": run.parent.map(|parent| parent.run.number()),
        "targets": run.options.targets,
        "labels": labels,
        "input": run.input.to_value(),
        "output": run.output.as_ref().map(|output| output.to_value()),
        "error": run.error.as_ref().map(|error| json!({"code": error.code, "message": error.message})),
    })
}
