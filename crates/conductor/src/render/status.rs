//! How rows stand in Conductor's words.

use partitur_model::record::{RunOutcome, RunRecord, RunState, TaskOutcome, TaskRecord, TaskState};

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

/// Why a run ended as it did, if there is anything to say: who cancels one need not give a reason.
pub fn reason(run: &RunRecord) -> Option<&str> {
    run.error.as_ref().map(|error| error.message.as_str()).filter(|reason| !reason.is_empty())
}

/// How a task of this type stands, optional or not.
pub fn task_status(task: &TaskRecord, kind: &TaskType, optional: bool) -> TaskStatus {
    if is_fork(kind) && task.items.is_some() && has_begun(task) {
        // A dynamic fork has done its work when its branches are there; what becomes of them is the join's matter.
        return TaskStatus::Completed;
    }
    if task.served.as_ref().is_some_and(|served| served.skipped_by_hand) {
        return TaskStatus::Skipped;
    }
    match task.state {
        TaskState::Ready | TaskState::Backoff { .. } if has_had_a_round(task, kind) => TaskStatus::InProgress,
        TaskState::Blocked | TaskState::Ready | TaskState::Backoff { .. } => TaskStatus::Scheduled,
        TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => TaskStatus::InProgress,
        TaskState::Ended(outcome) => ended(task, outcome, kind, optional),
    }
}

fn ended(task: &TaskRecord, outcome: TaskOutcome, kind: &TaskType, optional: bool) -> TaskStatus {
    let is_last = task.served.as_ref().is_none_or(|served| !served.superseded);
    // What failed because of others has no word of its own on further attempts.
    let has_own_word = !matches!(
        kind,
        TaskType::Join
            | TaskType::ExclusiveJoin
            | TaskType::DoWhile
            | TaskType::SubWorkflow
            | TaskType::Dynamic
            // Of scripts Conductor takes those of INLINE alone to fail for good.
            | TaskType::Lambda
            | TaskType::JsonJqTransform
    );
    let for_good = task
        .error
        .as_ref()
        .is_some_and(|error| error.code == FAILED_FOR_GOOD || !error.retriable && has_own_word);
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

/// Whether it is between two rounds: only a worker gives its task back to the queue.
fn has_had_a_round(task: &TaskRecord, kind: &TaskType) -> bool {
    *kind == TaskType::HttpPoll && task.served.as_ref().is_some_and(|served| served.polls > 0)
}

fn has_begun(task: &TaskRecord) -> bool {
    matches!(task.state, TaskState::Open | TaskState::Ended(_))
}

#[cfg(test)]
mod tests {
    use partitur_model::record::{Served, TaskError, UndoState, Usage};
    use partitur_model::{RunId, TaskSeq, Timestamp};

    use super::*;

    fn failed(error: TaskError, superseded: bool) -> TaskRecord {
        TaskRecord {
            run: RunId::new(0, 1, 1),
            seq: TaskSeq(1),
            node: "a".into(),
            scope: None,
            path: "a".into(),
            state: TaskState::Ended(TaskOutcome::Failed),
            generation: 1,
            attempt: 1,
            losses: 0,
            ready: Timestamp::ZERO,
            started: None,
            ended: None,
            output: None,
            error: Some(error),
            items: None,
            iteration: 0,
            child: None,
            undo: UndoState::None,
            cached: false,
            log: None,
            usage: Usage::default(),
            served: Some(Box::new(Served { superseded, ..Served::default() })),
        }
    }

    #[test]
    fn a_failure_is_for_good_by_the_word_of_who_failed() {
        let status = |error, kind| task_status(&failed(error, false), &kind, false);
        let (may, must_not) = (|| TaskError::new("x", ""), || TaskError::terminal("x", ""));
        assert_eq!(status(may(), TaskType::Simple), TaskStatus::Failed);
        assert_eq!(status(must_not(), TaskType::Inline), TaskStatus::FailedWithTerminalError);
        assert_eq!(status(must_not(), TaskType::DoWhile), TaskStatus::Failed);
        assert_eq!(
            status(TaskError::new(FAILED_FOR_GOOD, ""), TaskType::Simple),
            TaskStatus::FailedWithTerminalError
        );
    }

    #[test]
    fn only_the_last_attempt_at_an_optional_task_ends_with_errors() {
        let status =
            |superseded| task_status(&failed(TaskError::new("x", ""), superseded), &TaskType::Simple, true);
        assert_eq!((status(false), status(true)), (TaskStatus::CompletedWithErrors, TaskStatus::Failed));
    }
}
