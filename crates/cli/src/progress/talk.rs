//! What is said about an event, in lines: above the block, or as the only thing there is.

use std::time::Duration;

use partitur_api::{Event, EventKind};
use partitur_report::short;

use super::captured::{LINES_SHOWN, last_lines};
use crate::ink::{Line, Paint};

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// There is a block that shows what goes well.
    pub block: bool,
    /// All output of tasks is shown.
    pub all_output: bool,
    /// It is said why each task is executed or not.
    pub explain: bool,
}

/// Of more reasons, so many are named.
const REASONS_SHOWN: usize = 4;

/// The lines about an event. `took` is how long the attempt lived, `output` what it has written.
pub fn talk(event: &Event, took: Option<Duration>, output: &str, how: Verbosity) -> Vec<Line> {
    match &event.kind {
        EventKind::Run { state, ended, .. } => run_line(state, *ended).into_iter().collect(),
        EventKind::TaskEnded { task, outcome, error, cached, verdict } => {
            let good = matches!(outcome.as_str(), "success" | "skipped");
            if good && how.block && !how.all_output {
                return Vec::new();
            }
            let error = error.as_ref().map(|error| error.message.as_str());
            let reused = cached.then(|| verdict.as_deref().unwrap_or("from the cache"));
            let mut lines = vec![end_line(task, outcome, reused, took, error)];
            if !good || how.all_output {
                let count = if how.all_output { usize::MAX } else { LINES_SHOWN };
                lines.extend(output_lines(output, count));
            }
            lines
        }
        EventKind::TaskRetries { task, next, error } => {
            let pause = Duration::from_millis(next.saturating_sub(event.at));
            let mut lines = vec![Line::new().add(Paint::Warn, "↻ ").text(task).text(format!(
                "  {}; again in {}",
                error.message,
                short(pause)
            ))];
            if how.block && !how.all_output {
                lines.clear();
            } else {
                lines.extend(output_lines(output, LINES_SHOWN));
            }
            lines
        }
        EventKind::UndoEnded { task, error } => match error {
            Some(error) => {
                let line = Line::new().add(Paint::Bad, "✗ ").text(task);
                let line = line.add(Paint::Bad, "  was not undone: ").text(&error.message);
                [line].into_iter().chain(output_lines(output, LINES_SHOWN)).collect()
            }
            None if how.block => Vec::new(),
            None => vec![Line::new().add(Paint::Warn, "↶ ").text(task).add(Paint::Dim, "  undone")],
        },
        EventKind::Notice { task, message } => {
            vec![Line::new().add(Paint::Warn, "! ").text(task).text("  ").text(message)]
        }
        EventKind::Limit { limit, max, reason, .. } if !how.block => {
            let words = format!("{limit} of {max} at once: {reason}");
            vec![Line::new().add(Paint::Dim, "⇅ ").add(Paint::Dim, words)]
        }
        EventKind::TaskServes { task } if !how.block => {
            vec![Line::new().add(Paint::Good, "● ").text(task).add(Paint::Dim, "  is up")]
        }
        EventKind::TaskWaits { task, reason } if !how.block => {
            let words =
                if reason.starts_with("wait") { reason.clone() } else { format!("waits for {reason}") };
            vec![Line::new().add(Paint::Dim, "◦ ").text(task).text("  ").add(Paint::Dim, words)]
        }
        EventKind::TaskDecided { task, verdict, reasons } if how.explain => {
            let line = Line::new().add(Paint::Dim, "? ").text(task).text(format!("  {verdict}"));
            let why = reasons.iter().take(REASONS_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = match reasons.len().saturating_sub(REASONS_SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let line = if why.is_empty() { line } else { line.add(Paint::Dim, format!(": {why}{more}")) };
            vec![line]
        }
        EventKind::TaskWaits { .. }
        | EventKind::Limit { .. }
        | EventKind::TaskServes { .. }
        | EventKind::TaskDecided { .. }
        | EventKind::TaskReady { .. }
        | EventKind::TaskStarted { .. }
        | EventKind::TaskProgress { .. }
        | EventKind::Output { .. } => Vec::new(),
    }
}

fn run_line(state: &str, ended: bool) -> Option<Line> {
    match state {
        _ if ended => None,
        "paused" => Some(Line::new().add(Paint::Warn, "‖ paused: nothing new starts")),
        "rolling back" => Some(Line::new().add(Paint::Warn, "↶ rolling back: what has been done is undone")),
        _ => None,
    }
}

/// `reused` says why it was not executed.
fn end_line(
    task: &str,
    outcome: &str,
    reused: Option<&str>,
    took: Option<Duration>,
    error: Option<&str>,
) -> Line {
    let (paint, sign) = match outcome {
        "success" => (Paint::Good, "✓ "),
        "skipped" => (Paint::Dim, "∅ "),
        "cancelled" => (Paint::Warn, "✗ "),
        _ => (Paint::Bad, "✗ "),
    };
    let line = Line::new().add(paint, sign).text(task);
    let line = match outcome {
        "success" => match reused {
            Some(words) => line.add(Paint::Dim, format!("  {words}")),
            None => line,
        },
        other => line.add(paint, format!("  {other}")),
    };
    let line = match took {
        Some(took) if reused.is_none() => line.add(Paint::Dim, format!("  {}", short(took))),
        Some(_) | None => line,
    };
    match error {
        Some(error) => line.text("  ").text(error),
        None => line,
    }
}

fn output_lines(output: &str, count: usize) -> Vec<Line> {
    let bar = |line: String| Line::new().add(Paint::Dim, "  │ ").text(line);
    last_lines(output, count).into_iter().map(bar).collect()
}

/// A task that has been running for long, where there is no block to show it.
pub fn still_running(task: &str, since: u64, now: u64) -> Line {
    let elapsed = short(Duration::from_millis(now.saturating_sub(since)));
    Line::new().add(Paint::Active, "▸ ").text(task).add(Paint::Dim, format!("  running for {elapsed}"))
}
