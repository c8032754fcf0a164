//! Faults planted on purpose, to see that the simulation finds them. Only with the feature `planted-faults`; without it
//! no trace of them is compiled.

use std::cell::Cell;

/// A fault that can be planted: what goes wrong, as a sentence about the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// An answer is given before what it says is durable.
    ReplyBeforeCommit,
    /// A task with several predecessors forgets that one of them has ended.
    ArrivalForgotten,
    /// An attempt that is over keeps what it held.
    SlotLeaked,
    /// Two attempts get one token.
    TokenReused,
    /// Nobody looks at those who wait for what has become free.
    ParkedNotWoken,
    /// An attempt with claims is handed out before that is durable.
    HandOutNotDurable,
    /// Attempts are handed out before the start of the node is durable.
    StartNotDurable,
    /// The report of an older attempt ends the living one.
    StaleReportAccepted,
    /// A second report of its end ends a task again.
    EndsTwice,
    /// Further attempts do not count.
    RetryNotCounted,
    /// Compensations are executed in any order.
    UndoInAnyOrder,
    /// After a crash all attempts are open again.
    AttemptsForgotten,
    /// After a start no timer fires.
    TimersForgotten,
    /// After a start nobody asks again for the values that were on their way.
    ValuesForgotten,
    /// After a start equal submissions are strangers.
    KeysForgotten,
    /// A loop drops the iteration that it has just begun.
    IterationDropped,
    /// Who updates a task that goes on, and wants the next one, hears nothing.
    UpdateUnanswered,
    /// What is said of a removed run brings it back, while its removal is on its way to the disk.
    RemovalForgotten,
    /// A late result ends a task that waits again for those before it.
    ResetTaskUpdated,
    /// When a schedule is due next is not written with what it starts.
    NextTimeNotNoted,
    /// What was chosen to be removed is removed, whatever has become of it since.
    ChoiceNotLookedAtAgain,
    /// Whoever takes up a job leaves the last of its runs out.
    LastOfJobForgotten,
    /// After a start the tokens of locks are counted from the beginning.
    LockTokenReused,
    /// A lock of somebody outside is not held any more after a start.
    LockForgotten,
}

thread_local! {
    static ACTIVE: Cell<Option<Planted>> = const { Cell::new(None) };
}

impl Planted {
    /// Plants this fault, and no other, in everything that this thread does from now on.
    pub fn plant(self) {
        ACTIVE.set(Some(self));
    }

    /// Whether this fault is planted here.
    pub fn is_here(self) -> bool {
        ACTIVE.get() == Some(self)
    }

    /// Those that only runs of a server can show.
    pub const OF_SERVED_RUNS: [Planted; 3] =
        [Planted::UpdateUnanswered, Planted::RemovalForgotten, Planted::ResetTaskUpdated];

    /// Those of what a server does beside its runs.
    pub const OF_HOUSEKEEPING: [Planted; 5] = [
        Planted::NextTimeNotNoted,
        Planted::ChoiceNotLookedAtAgain,
        Planted::LastOfJobForgotten,
        Planted::LockTokenReused,
        Planted::LockForgotten,
    ];

    /// Those that any run may show.
    pub const ALL: [Planted; 16] = [
        Planted::ReplyBeforeCommit,
        Planted::ArrivalForgotten,
        Planted::SlotLeaked,
        Planted::TokenReused,
        Planted::ParkedNotWoken,
        Planted::HandOutNotDurable,
        Planted::StartNotDurable,
        Planted::StaleReportAccepted,
        Planted::EndsTwice,
        Planted::RetryNotCounted,
        Planted::UndoInAnyOrder,
        Planted::AttemptsForgotten,
        Planted::TimersForgotten,
        Planted::ValuesForgotten,
        Planted::KeysForgotten,
        Planted::IterationDropped,
    ];
}
