//! How rows stand in Conductor's words.

use partitur_model::record::{RunOutcome, RunState, TaskOutcome, TaskRecord, TaskState};

use crate::TaskType;
use crate::wire::{TaskStatus, WorkflowStatus};

/// The code of an error after which its worker wants no further attempt.
const FAILED_FOR_GOOD: &str = "failed-for-good";

/// How a run stands.
pub fn workflow_status(state: RunState) -> WorkflowStatus {
    match state {
        RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) => WorkflowStatus::Running,
        RunState::Paused => WorkflowStatus::Paused,
        RunState::Ended(outcome) => match outcome {
            RunOutcome::Succeeded => WorkflowStatus::Completed,
            RunOutcome::Failed | RunOutcome::RolledBack | RunOutcome::RollbackFailed => {
                WorkflowStatus::Failed
            }
            RunOutcome::Cancelled => WorkflowStatus::Terminated,
            RunOutcome::TimedOut => WorkflowStatus::TimedOut,
        },
    }
}

/// How a task of this type stands, optional or not.
pub fn task_status(task: &TaskRecord, kind: &TaskType, optional: bool) -> TaskStatus {
    if is_fork(kind) && task.items.is_some() && has_begun(task) {
        // A dynamic fork has done its work when its branches are there; what becomes of them is the join's matter.
        return TaskStatus::Completed;
    }
    match task.state {
        TaskState::Blocked | TaskState::Ready | TaskState::Backoff { .. } => TaskStatus::Scheduled,
        TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => TaskStatus::InProgress,
        TaskState::Ended(outcome) => ended(task, outcome, optional),
    }
}

fn ended(task: &TaskRecord, outcome: TaskOutcome, optional: bool) -> TaskStatus {
    let is_last = task.served.as_ref().is_none_or(|served| !served.superseded);
    let for_good = task.error.as_ref().is_some_and(|error| error.code == FAILED_FOR_GOOD || !error.retriable);
    match outcome {
        TaskOutcome::Succeeded => TaskStatus::Completed,
        TaskOutcome::Failed | TaskOutcome::TimedOut if optional && is_last => TaskStatus::CompletedWithErrors,
        TaskOutcome::Failed if for_good => TaskStatus::FailedWithTerminalError,
        TaskOutcome::Failed => TaskStatus::Failed,
        TaskOutcome::TimedOut => TaskStatus::TimedOut,
        TaskOutcome::Cancelled => TaskStatus::Canceled,
        TaskOutcome::Skipped => TaskStatus::Skipped,
    }
}

fn is_fork(kind: &TaskType) -> bool {
    *kind == TaskType::ForkJoinDynamic
}

fn has_begun(task: &TaskRecord) -> bool {
    matches!(task.state, TaskState::Open | TaskState::Ended(_))
}
