//! How tasks and runs stand, in Conductor's words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum TaskStatus {
    InProgress,
    Canceled,
    Failed,
    FailedWithTerminalError,
    Completed,
    CompletedWithErrors,
    Scheduled,
    TimedOut,
    Skipped,
}

impl TaskStatus {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskStatus::InProgress => "IN_PROGRESS",
            TaskStatus::Canceled => "CANCELED",
            TaskStatus::Failed => "FAILED",
            TaskStatus::FailedWithTerminalError => "FAILED_WITH_TERMINAL_ERROR",
            TaskStatus::Completed => "COMPLETED",
            TaskStatus::CompletedWithErrors => "COMPLETED_WITH_ERRORS",
            TaskStatus::Scheduled => "SCHEDULED",
            TaskStatus::TimedOut => "TIMED_OUT",
            TaskStatus::Skipped => "SKIPPED",
        }
    }

    /// Whether nothing follows any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, TaskStatus::InProgress | TaskStatus::Scheduled)
    }

    /// Whether what follows it goes on.
    pub fn is_successful(self) -> bool {
        matches!(self, TaskStatus::Completed | TaskStatus::CompletedWithErrors | TaskStatus::Skipped)
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum WorkflowStatus {
    Running,
    Completed,
    Failed,
    TimedOut,
    Terminated,
    Paused,
}

impl WorkflowStatus {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            WorkflowStatus::Running => "RUNNING",
            WorkflowStatus::Completed => "COMPLETED",
            WorkflowStatus::Failed => "FAILED",
            WorkflowStatus::TimedOut => "TIMED_OUT",
            WorkflowStatus::Terminated => "TERMINATED",
            WorkflowStatus::Paused => "PAUSED",
        }
    }

    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        !matches!(self, WorkflowStatus::Running | WorkflowStatus::Paused)
    }
}

/// How a worker says that its task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum TaskResultStatus {
    InProgress,
    Failed,
    FailedWithTerminalError,
    Completed,
    Canceled,
}

impl TaskResultStatus {
    /// The status of this name, as it stands in paths.
    pub fn parse(name: &str) -> Option<TaskResultStatus> {
        let all = [
            ("IN_PROGRESS", TaskResultStatus::InProgress),
            ("FAILED", TaskResultStatus::Failed),
            ("FAILED_WITH_TERMINAL_ERROR", TaskResultStatus::FailedWithTerminalError),
            ("COMPLETED", TaskResultStatus::Completed),
            ("CANCELED", TaskResultStatus::Canceled),
        ];
        all.into_iter().find(|(known, _)| *known == name).map(|(_, status)| status)
    }
}

/// What an answer to a signal or to a synchronous start shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReturnStrategy {
    /// The run that was asked for.
    #[default]
    TargetWorkflow,
    /// The run in which a task waits: that, or one below it.
    BlockingWorkflow,
    /// The task that waits.
    BlockingTask,
    /// The task that waits, by its input.
    BlockingTaskInput,
}

impl ReturnStrategy {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ReturnStrategy::TargetWorkflow => "TARGET_WORKFLOW",
            ReturnStrategy::BlockingWorkflow => "BLOCKING_WORKFLOW",
            ReturnStrategy::BlockingTask => "BLOCKING_TASK",
            ReturnStrategy::BlockingTaskInput => "BLOCKING_TASK_INPUT",
        }
    }

    /// The strategy of this name.
    pub fn parse(name: &str) -> Option<ReturnStrategy> {
        let all = [
            ReturnStrategy::TargetWorkflow,
            ReturnStrategy::BlockingWorkflow,
            ReturnStrategy::BlockingTask,
            ReturnStrategy::BlockingTaskInput,
        ];
        all.into_iter().find(|strategy| strategy.as_str() == name)
    }
}
