//! What is counted of callbacks.

use std::time::Duration;

use super::ANSWERS;
use super::instrument::{Counter, Grid, Histogram, Known};
use super::text::Text;
use crate::callbacks::policy::Outcome;

const PROTOCOLS: Known = ("protocol", &["http", "https"]);

const OUTCOMES: Known = ("outcome", &["delivered", "rejected", "unanswered", "refused"]);

/// Tries by what came of them.
#[derive(Debug)]
pub(crate) struct Callbacks {
    attempts: Grid<Counter>,
    duration: Grid<Histogram>,
    /// Nobody is told by itself any more.
    pub dead: Counter,
}

impl Callbacks {
    pub fn new() -> Callbacks {
        Callbacks {
            attempts: Grid::new(
                "partitur_callback_attempts_total",
                "Times that somebody was to be told of a run.",
                PROTOCOLS,
                OUTCOMES,
                Counter::default,
            ),
            duration: Grid::new(
                "partitur_callback_duration_seconds",
                "From the beginning of a call to the end of its answer.",
                PROTOCOLS,
                OUTCOMES,
                || Histogram::new(ANSWERS),
            ),
            dead: Counter::default(),
        }
    }

    /// One try is over.
    pub fn tried(&self, is_secure: bool, outcome: &Outcome, took: Duration) {
        let column = match outcome {
            Outcome::Answered { status: 200..=299, .. } => 0,
            Outcome::Answered { .. } => 1,
            Outcome::Unanswered(_) => 2,
            Outcome::Refused(_) => 3,
        };
        let row = usize::from(is_secure);
        self.attempts.at(row, column).add(1);
        self.duration.at(row, column).time(took);
    }

    pub(super) fn write(&self, out: &mut Text) {
        self.attempts.write(out);
        self.duration.write(out);
        let about = "What is not told by itself any more.";
        out.one("partitur_callback_dead_letters_total", about, &self.dead);
    }
}
