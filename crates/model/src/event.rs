//! What observers are told, after it is durable.

use std::sync::Arc;

use crate::id::{AttemptId, RunId, TaskSeq};
use crate::record::{RunState, TaskError, TaskOutcome};
use crate::unit::Timestamp;

/// Something happened to a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, in engine time.
    pub at: Timestamp,
    /// To which run.
    pub run: RunId,
    /// What.
    pub what: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The run is in a new state.
    Run {
        /// Which.
        state: RunState,
    },
    /// A task may start.
    TaskReady {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
    },
    /// A task waits for something other than a slot: for people.
    TaskWaits {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
        /// `lock file:data/erp.db, held by import`, `signal`, `breaker erp until …`
        reason: String,
    },
    /// An attempt was handed out.
    TaskStarted {
        /// Which.
        attempt: AttemptId,
        /// Its path.
        path: Arc<str>,
        /// Which try.
        number: u32,
        /// Whether it undoes the task.
        undo: bool,
    },
    /// An attempt is so far.
    TaskProgress {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
        /// 0..=1.
        fraction: f32,
        /// For people.
        message: String,
    },
    /// An attempt failed and another will follow.
    TaskRetries {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
        /// When.
        at: Timestamp,
        /// Why.
        error: TaskError,
    },
    /// A task is over.
    TaskEnded {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
        /// How.
        outcome: TaskOutcome,
        /// Why, if it failed.
        error: Option<TaskError>,
        /// Its result came from the cache.
        cached: bool,
    },
    /// A compensation is over.
    UndoEnded {
        /// Of which task.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
        /// Why, if it failed.
        error: Option<TaskError>,
    },
    /// A service is up: those that need it may begin.
    TaskServes {
        /// Which.
        task: TaskSeq,
        /// Its path.
        path: Arc<str>,
    },
    /// So many attempts of the run may live at once from now on: its bounds stay, the machine bears more or less.
    Limit {
        /// How many.
        limit: u32,
        /// Never fewer.
        min: u32,
        /// Never more.
        max: u32,
        /// Why, for people.
        reason: String,
    },
    /// A condition asks that people be told.
    Notice {
        /// About which task.
        path: Arc<str>,
        /// What.
        message: String,
    },
}
