//! How much happens at a stretch, and who goes on when that is used up.
//!
//! What follows from an input inside a run is bounded by its definition, except where a loop goes round without waiting
//! for anybody. There a step ends when it has done enough, and the loop waits for a turn: an iteration that is over, in
//! a loop that is open. That is in the rows, so an engine that is built from them finds who waits by itself.

use std::collections::VecDeque;

use partitur_model::RunId;

/// So many things follow in a step before loops wait for their next turn: a few milliseconds.
pub(crate) const STRETCH: u32 = 500;

/// What is left of the stretch at hand, and the loops that wait, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Turns {
    stretch: u32,
    left: u32,
    waiting: VecDeque<Turn>,
}

/// A loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub run: RunId,
    /// The iteration that is over.
    pub scope: u32,
}

impl Turns {
    /// Until the first step everybody waits.
    pub(crate) fn new(stretch: u32) -> Turns {
        Turns { stretch, left: 0, waiting: VecDeque::new() }
    }

    /// A step begins.
    pub(crate) fn begin(&mut self) {
        self.left = self.stretch;
    }

    /// One more thing is done.
    pub(crate) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Whether this step has done enough.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// The loop goes on in a later step.
    pub(crate) fn wait(&mut self, turn: Turn) {
        self.waiting.push_back(turn);
    }

    /// Who goes on now: the one that has waited longest, as long as the step has not done enough.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        if self.is_over() { None } else { self.waiting.pop_front() }
    }

    /// Whether anybody waits for a turn.
    pub(crate) fn any(&self) -> bool {
        !self.waiting.is_empty()
    }
}
