//! What is due when. A timer names a task and its generation; what it means follows from the task's state when it
//! fires, so that a stale one changes nothing.

use std::collections::BTreeSet;

use partitur_model::{RunId, TaskSeq, Timestamp};

/// Something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    /// When.
    pub at: Timestamp,
    /// In which run.
    pub run: RunId,
    /// For which task; for the run itself if `None`.
    pub task: Option<TaskSeq>,
    /// For which generation of it.
    pub generation: u32,
}

/// All timers, earliest first.
#[derive(Debug, Default)]
pub struct Timers {
    due: BTreeSet<Timer>,
}

impl Timers {
    /// Sets a timer; one that never fires is not kept.
    pub fn set(&mut self, timer: Timer) {
        if timer.at < Timestamp::MAX {
            self.due.insert(timer);
        }
    }

    /// Takes back a timer whose reason is gone.
    pub fn clear(&mut self, timer: &Timer) {
        self.due.remove(timer);
    }

    /// Whether this timer is set.
    pub fn contains(&self, timer: &Timer) -> bool {
        self.due.contains(timer)
    }

    /// When the next one fires.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|timer| timer.at)
    }

    /// Takes the earliest timer that is due.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        if self.due.first()?.at > now {
            return None;
        }
        self.due.pop_first()
    }
}
