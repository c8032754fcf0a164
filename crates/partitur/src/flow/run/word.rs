//! The state of a task in one atomic word: how many predecessors are missing, what was asked of it, how far it is.
//!
//! One word and not two, so that the arrival of a predecessor brings both the count and what it says about the
//! predecessor, and touches one cache line.
//!
//! # Why these orderings suffice
//!
//! *A successor sees all that its predecessors did.* Each predecessor arrives with a read-modify-write of order
//! `AcqRel`. Such operations on one word form a release sequence, so that the one which finds the count at one (and
//! alone may start the task) has acquired what every earlier arrival released. The start happens on the thread of
//! that arrival, or after a queue (deque, injector, mutex) that itself synchronises.
//!
//! *A task starts once.* Exactly one of the decrements returns a count of one.
//!
//! *A failed predecessor is not overlooked.* It sets [`BLOCKED`] in the same word before its own decrement, and the
//! modification order of one word is total: the last decrement returns a value that contains the flag.
//!
//! *An ended task shows its output.* The end is stored with `Release` and read with `Acquire`. The output itself lies
//! behind a mutex, so that even a reader who was early would see it whole or not at all.
//!
//! *A request to stop may come too late.* [`Word::request_stop`] fails once the task has ended; if it comes while the
//! task ends, the plain store of the end wins and the task counts as what it became.

use std::sync::atomic::{AtomicU32, Ordering};

use partitur_model::record::TaskOutcome;

/// A predecessor did not succeed.
pub(in crate::flow) const BLOCKED: u32 = 1 << 24;
/// Somebody cancelled the task.
pub(in crate::flow) const STOP: u32 = 1 << 25;
/// It runs even if a predecessor did not succeed.
pub(in crate::flow) const ALWAYS: u32 = 1 << 26;
/// There is more to know about it than its graph: look into the plan.
pub(in crate::flow) const SPECIAL: u32 = 1 << 27;
/// More predecessors do not fit.
pub(in crate::flow) const MISSING_MAX: u32 = (1 << 24) - 1;

const PHASE_SHIFT: u32 = 28;
const RUNNING: u32 = 1 << PHASE_SHIFT;

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Phase {
    /// For predecessors, for its turn, or for its next attempt.
    Waiting,
    /// Started and not ended.
    Running,
    /// Over.
    Ended(TaskOutcome),
}

/// The state of one task.
pub(in crate::flow) struct Word(AtomicU32);

/// What a word said at one moment.
#[derive(Clone, Copy)]
pub(in crate::flow) struct Snapshot(u32);

impl Word {
    pub(in crate::flow) fn new(missing: u32, flags: u32) -> Word {
        debug_assert!(missing <= MISSING_MAX, "the flow was checked");
        Word(AtomicU32::new(missing | flags))
    }

    /// A predecessor has ended. `true` for the one arrival that completes the set.
    pub(in crate::flow) fn arrive(&self, succeeded: bool) -> bool {
        if !succeeded {
            // The decrement below releases it.
            self.0.fetch_or(BLOCKED, Ordering::Relaxed);
        }
        self.0.fetch_sub(1, Ordering::AcqRel) & MISSING_MAX == 1
    }

    /// From waiting to running.
    pub(in crate::flow) fn start(&self) -> Snapshot {
        Snapshot(self.0.fetch_add(RUNNING, Ordering::Acquire))
    }

    /// From running back to waiting: for another attempt.
    pub(in crate::flow) fn rest(&self) {
        self.0.fetch_sub(RUNNING, Ordering::Release);
    }

    /// From running to its end.
    pub(in crate::flow) fn end(&self, outcome: TaskOutcome) {
        let code = match outcome {
            TaskOutcome::Succeeded => 2,
            TaskOutcome::Failed => 3,
            TaskOutcome::TimedOut => 4,
            TaskOutcome::Cancelled => 5,
            TaskOutcome::Skipped => 6,
        };
        self.0.store(code << PHASE_SHIFT, Ordering::Release);
    }

    /// Notes that the task is to stop; `false` if it has ended or knows already.
    pub(in crate::flow) fn request_stop(&self) -> bool {
        let asked = |word: u32| match Snapshot(word).phase() {
            Phase::Waiting | Phase::Running if word & STOP == 0 => Some(word | STOP),
            Phase::Waiting | Phase::Running | Phase::Ended(_) => None,
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, asked).is_ok()
    }

    /// From now on there is a note about the task.
    pub(in crate::flow) fn set_special(&self) {
        self.0.fetch_or(SPECIAL, Ordering::Relaxed);
    }

    pub(in crate::flow) fn look(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }
}

impl Snapshot {
    /// Nothing but to run it.
    pub(in crate::flow) fn is_plain(self) -> bool {
        self.0 & (BLOCKED | STOP | SPECIAL) == 0
    }

    pub(in crate::flow) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    pub(in crate::flow) fn phase(self) -> Phase {
        match self.0 >> PHASE_SHIFT {
            0 => Phase::Waiting,
            1 => Phase::Running,
            2 => Phase::Ended(TaskOutcome::Succeeded),
            3 => Phase::Ended(TaskOutcome::Failed),
            4 => Phase::Ended(TaskOutcome::TimedOut),
            5 => Phase::Ended(TaskOutcome::Cancelled),
            6 => Phase::Ended(TaskOutcome::Skipped),
            other => unreachable!("no task has phase {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_arrival_makes_it_ready_and_brings_the_bad_news() {
        let word = Word::new(3, ALWAYS);
        assert_eq!([word.arrive(true), word.arrive(false), word.arrive(true)], [false, false, true]);
        let before = word.start();
        assert!(before.has(BLOCKED) && before.has(ALWAYS) && !before.is_plain());
        assert_eq!(word.look().phase(), Phase::Running);
    }

    #[test]
    fn every_outcome_can_be_read_again_and_is_final() {
        use TaskOutcome::{Cancelled, Failed, Skipped, Succeeded, TimedOut};
        for outcome in [Succeeded, Failed, TimedOut, Cancelled, Skipped] {
            let word = Word::new(0, SPECIAL);
            word.start();
            word.rest();
            assert_eq!(word.look().phase(), Phase::Waiting);
            assert!(word.request_stop() && !word.request_stop());
            word.start();
            word.end(outcome);
            assert_eq!(word.look().phase(), Phase::Ended(outcome));
            assert!(!word.request_stop());
        }
    }
}
