//! What happens to runs, as it is told: `--json`, the live view and joined terminals all read this.

use std::sync::Arc;

use partitur_model::event::EventKind as ModelKind;
use partitur_model::record::{RunOutcome, RunState, TaskError, TaskOutcome};
use serde::{Deserialize, Serialize};

/// The version of the stream that this crate writes.
pub const VERSION: u32 = 1;

/// Something happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The version of the stream.
    pub v: u32,
    /// When, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The number of the run.
    pub run: u64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. `task` is always a task's path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The run is in a new state: `running`, `paused`, `ending`, `rolling back`, `succeeded`, `failed`, `cancelled`,
    /// `timed out`, `rolled back`, `rollback failed`.
    Run {
        /// Which.
        state: String,
        /// It has ended.
        ended: bool,
        /// Why it did not succeed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// What it yielded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<serde_json::Value>,
    },
    /// A task may start.
    TaskReady {
        /// Which.
        task: Arc<str>,
    },
    /// A task waits for something other than a slot.
    TaskWaits {
        /// Which.
        task: Arc<str>,
        /// For what.
        reason: String,
    },
    /// An attempt was handed out.
    TaskStarted {
        /// Of which task.
        task: Arc<str>,
        /// Which try, from 1.
        attempt: u32,
        /// It undoes the task.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
        /// How long it is expected to take, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_ms: Option<u64>,
    },
    /// Whether a task that declares what it reads and writes is executed.
    TaskDecided {
        /// Which.
        task: Arc<str>,
        /// `runs`, `up to date`, `restored`.
        verdict: String,
        /// Why it runs, or what was restored: for people.
        reasons: Vec<String>,
    },
    /// An attempt is so far.
    TaskProgress {
        /// Of which task.
        task: Arc<str>,
        /// 0..=1.
        fraction: f32,
        /// For people.
        message: String,
    },
    /// An attempt wrote something.
    Output {
        /// Of which task.
        task: Arc<str>,
        /// Where to.
        stream: Stream,
        /// What, secrets masked; bytes that are no UTF-8 are replaced.
        text: String,
    },
    /// An attempt failed and another will follow.
    TaskRetries {
        /// Of which task.
        task: Arc<str>,
        /// When, in milliseconds since the Unix epoch.
        next: u64,
        /// Why.
        error: Failure,
    },
    /// A task is over.
    TaskEnded {
        /// Which.
        task: Arc<str>,
        /// `success`, `failure`, `timeout`, `cancelled`, `skipped`.
        outcome: String,
        /// Why, if it did not succeed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// Its result came from the cache.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        cached: bool,
        /// Why an incremental task was not executed: `up to date`, `restored`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<String>,
    },
    /// A compensation is over.
    UndoEnded {
        /// Of which task.
        task: Arc<str>,
        /// Why, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// A service is up: those that need it may begin.
    TaskServes {
        /// Which.
        task: Arc<str>,
    },
    /// So many attempts of the run may live at once from now on: the machine bears more or less.
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
        task: Arc<str>,
        /// What.
        message: String,
    },
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, for filters: `exit-1`, `timeout`, …
    pub code: String,
    /// For people.
    pub message: String,
}

/// Where an attempt writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Event {
    /// An event of this version.
    pub fn new(at: u64, run: u64, kind: EventKind) -> Event {
        Event { v: VERSION, at, run, kind }
    }
}

impl From<&partitur_model::event::Event> for Event {
    fn from(event: &partitur_model::event::Event) -> Event {
        Event::new(event.at.millis(), event.run.number(), kind(&event.what))
    }
}

impl From<&TaskError> for Failure {
    fn from(error: &TaskError) -> Failure {
        Failure { code: error.code.clone(), message: error.message.clone() }
    }
}

fn kind(what: &ModelKind) -> EventKind {
    match what {
        ModelKind::Run { state } => EventKind::Run {
            state: run_state_name(*state).to_owned(),
            ended: state.is_ended(),
            error: None,
            output: None,
        },
        ModelKind::TaskReady { path, .. } => EventKind::TaskReady { task: path.clone() },
        ModelKind::TaskWaits { path, reason, .. } => {
            EventKind::TaskWaits { task: path.clone(), reason: reason.clone() }
        }
        ModelKind::TaskStarted { path, number, undo, .. } => {
            EventKind::TaskStarted { task: path.clone(), attempt: *number, undo: *undo, expected_ms: None }
        }
        ModelKind::TaskProgress { path, fraction, message, .. } => {
            EventKind::TaskProgress { task: path.clone(), fraction: *fraction, message: message.clone() }
        }
        ModelKind::TaskRetries { path, at, error, .. } => {
            EventKind::TaskRetries { task: path.clone(), next: at.millis(), error: error.into() }
        }
        ModelKind::TaskEnded { path, outcome, error, cached, .. } => EventKind::TaskEnded {
            task: path.clone(),
            outcome: outcome_name(*outcome).to_owned(),
            error: error.as_ref().map(Failure::from),
            cached: *cached,
            verdict: None,
        },
        ModelKind::UndoEnded { path, error, .. } => {
            EventKind::UndoEnded { task: path.clone(), error: error.as_ref().map(Failure::from) }
        }
        ModelKind::TaskServes { path, .. } => EventKind::TaskServes { task: path.clone() },
        ModelKind::Limit { limit, min, max, reason } => {
            EventKind::Limit { limit: *limit, min: *min, max: *max, reason: reason.clone() }
        }
        ModelKind::Notice { path, message } => {
            EventKind::Notice { task: path.clone(), message: message.clone() }
        }
    }
}

/// The name of a task's outcome, as documents write it.
pub fn outcome_name(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Succeeded => "success",
        TaskOutcome::Failed => "failure",
        TaskOutcome::TimedOut => "timeout",
        TaskOutcome::Cancelled => "cancelled",
        TaskOutcome::Skipped => "skipped",
    }
}

/// The name of a run's state, for people and scripts.
pub fn run_state_name(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Ending(_) => "ending",
        RunState::RollingBack(_) => "rolling back",
        RunState::Ended(RunOutcome::Succeeded) => "succeeded",
        RunState::Ended(RunOutcome::Failed) => "failed",
        RunState::Ended(RunOutcome::Cancelled) => "cancelled",
        RunState::Ended(RunOutcome::TimedOut) => "timed out",
        RunState::Ended(RunOutcome::RolledBack) => "rolled back",
        RunState::Ended(RunOutcome::RollbackFailed) => "rollback failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_line_and_reads_back() {
        let kind = EventKind::TaskStarted { task: "a".into(), attempt: 1, undo: false, expected_ms: None };
        let event = Event::new(5, 12, kind);
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"v":1,"at":5,"run":12,"event":"task-started","task":"a","attempt":1}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
