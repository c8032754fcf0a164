//! What the states of tasks are called.

use partitur_model::record::{TaskOutcome, TaskState};

/// For people and scripts; ended ones by their outcome, as documents write it.
pub fn state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Blocked => "blocked",
        TaskState::Ready => "ready",
        TaskState::Running { .. } => "running",
        TaskState::Stopping { .. } => "stopping",
        TaskState::Backoff { .. } => "backoff",
        TaskState::Waiting { .. } => "waiting",
        TaskState::Open => "open",
        TaskState::Ended(TaskOutcome::Succeeded) => "success",
        TaskState::Ended(TaskOutcome::Failed) => "failure",
        TaskState::Ended(TaskOutcome::TimedOut) => "timeout",
        TaskState::Ended(TaskOutcome::Cancelled) => "cancelled",
        TaskState::Ended(TaskOutcome::Skipped) => "skipped",
    }
}
