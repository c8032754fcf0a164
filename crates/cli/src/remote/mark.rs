//! How tasks and runs stand, as people see it.

use crate::exit::Exit;
use crate::ink::Paint;

/// A colour, a sign and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub paint: Paint,
    pub sign: &'static str,
    pub words: String,
}

impl Mark {
    fn new(paint: Paint, sign: &'static str, status: &str) -> Mark {
        Mark { paint, sign, words: status.to_ascii_lowercase().replace('_', " ") }
    }

    /// Sign and words.
    pub fn shown(&self) -> String {
        format!("{} {}", self.sign, self.words)
    }
}

/// How a run stands.
pub fn run_mark(status: &str) -> Mark {
    match status {
        "COMPLETED" => Mark::new(Paint::Good, "✓", status),
        "FAILED" | "TIMED_OUT" => Mark::new(Paint::Bad, "✗", status),
        "TERMINATED" => Mark::new(Paint::Warn, "✗", status),
        "PAUSED" => Mark::new(Paint::Warn, "‖", status),
        _ => Mark::new(Paint::Active, "▸", status),
    }
}

/// How a task stands.
pub fn task_mark(status: &str) -> Mark {
    match status {
        "COMPLETED" => Mark::new(Paint::Good, "✓", status),
        "COMPLETED_WITH_ERRORS" => Mark::new(Paint::Warn, "✓", status),
        "FAILED" | "FAILED_WITH_TERMINAL_ERROR" | "TIMED_OUT" => Mark::new(Paint::Bad, "✗", status),
        "CANCELED" => Mark::new(Paint::Warn, "✗", status),
        "SKIPPED" => Mark::new(Paint::Dim, "∅", status),
        "SCHEDULED" => Mark::new(Paint::Plain, "◦", status),
        _ => Mark::new(Paint::Active, "▸", status),
    }
}

/// Whether nothing follows in a run any more.
pub fn run_has_ended(status: &str) -> bool {
    matches!(status, "COMPLETED" | "FAILED" | "TIMED_OUT" | "TERMINATED")
}

/// Whether nothing follows of a task any more.
pub fn task_has_ended(status: &str) -> bool {
    !matches!(status, "SCHEDULED" | "IN_PROGRESS" | "")
}

/// What the process says of a run that it has followed.
pub fn run_exit(status: &str) -> Exit {
    match status {
        "COMPLETED" => Exit::Success,
        "TERMINATED" => Exit::Cancelled,
        _ => Exit::Failed,
    }
}
