//! How rows stand in Conductor's words.

use partitur_model::definition::Label;
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

/// What of a row says how its task stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// How far it is.
    pub state: TaskState,
    /// It is a container that knows over what it runs.
    pub has_items: bool,
    /// It was left out by hand.
    pub skipped_by_hand: bool,
    /// A later attempt has a row of its own.
    pub superseded: bool,
    /// How often it was handed out.
    pub polls: u32,
    /// The code of its error, and whether another attempt may help.
    pub error: Option<(&'a str, bool)>,
}

impl<'a> From<&'a TaskRecord> for Standing<'a> {
    fn from(task: &'a TaskRecord) -> Standing<'a> {
        let served = task.served.as_deref();
        Standing {
            state: task.state,
            has_items: task.items.is_some(),
            skipped_by_hand: served.is_some_and(|served| served.skipped_by_hand),
            superseded: served.is_some_and(|served| served.superseded),
            polls: served.map_or(0, |served| served.polls),
            error: task.error.as_ref().map(|error| (error.code.as_str(), error.retriable)),
        }
    }
}

/// How a task of this type stands, optional or not.
pub fn task_status(task: &TaskRecord, kind: &TaskType, optional: bool) -> TaskStatus {
    status_of(&Standing::from(task), kind, optional)
}

/// How a task with this label stands; nothing if nobody sees it.
pub fn labelled_status(task: &Standing<'_>, label: &Label) -> Option<TaskStatus> {
    let kind = match label.task_type.as_str() {
        // The wire has one name for both kinds; only one has a value to go by.
        "FORK" => TaskType::ForkJoinDynamic,
        name => TaskType::parse(name),
    };
    if !is_seen(task, &kind) {
        return None;
    }
    let status = status_of(task, &kind, label.optional);
    let joined_errors = kind == TaskType::Join && task.error.is_some() && status == TaskStatus::Completed;
    Some(if joined_errors { TaskStatus::CompletedWithErrors } else { status })
}

/// Rows of containers that stand for their only branch, of what was never executed, and of points where edges meet are
/// nobody's tasks.
pub(super) fn is_seen(task: &Standing<'_>, kind: &TaskType) -> bool {
    let skipped = task.state == TaskState::Ended(TaskOutcome::Skipped);
    let stands_for_branch = *kind == TaskType::Dynamic && task.has_items;
    !stands_for_branch && (task.skipped_by_hand || !(skipped || task.state == TaskState::Blocked))
}

fn status_of(task: &Standing<'_>, kind: &TaskType, optional: bool) -> TaskStatus {
    if is_fork(kind) && task.has_items && has_begun(task) {
        // A dynamic fork has done its work when its branches are there; what becomes of them is the join's matter.
        return TaskStatus::Completed;
    }
    if task.skipped_by_hand {
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

fn ended(task: &Standing<'_>, outcome: TaskOutcome, kind: &TaskType, optional: bool) -> TaskStatus {
    let is_last = !task.superseded;
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
    let for_good =
        task.error.is_some_and(|(code, retriable)| code == FAILED_FOR_GOOD || !retriable && has_own_word);
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
fn has_had_a_round(task: &Standing<'_>, kind: &TaskType) -> bool {
    matches!(kind, TaskType::HttpPoll | TaskType::PullMessages) && task.polls > 0
}

fn has_begun(task: &Standing<'_>) -> bool {
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
