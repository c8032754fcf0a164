//! What crosses between Conductor's clients and a server: names, defaults and gaps are Conductor's.
//!
//! Properties that nobody knows are passed over; `null` is a missing property; what is `None` is not written. Inputs and
//! outputs stay the bytes that came.

mod answer;
mod callback;
mod event_handler;
mod parts;
mod raw;
mod request;
mod scalar;
mod schedule;
mod status;
mod task_def;
mod task_result;
mod workflow_def;
mod workflow_task;

pub use answer::{BulkResponse, ErrorResponse, PollData, ValidationError, search_result};
pub use callback::CallbackRequest;
pub use event_handler::{Action, ActionKind, EventHandler, StartWorkflow, TaskDetails};
pub use parts::{PARTS_MAX, Parts};
pub use raw::{Entries, Json, Object};
pub use request::{
    IdempotencyStrategy, RerunWorkflowRequest, SkipTaskRequest, StartWorkflowRequest, TaskMock, TaskMocks,
    WorkflowTestRequest,
};
pub use schedule::{CronSchedule, ScheduleExecution, ScheduleState, WorkflowSchedule};
pub use status::{ReturnStrategy, TaskResultStatus, TaskStatus, WorkflowStatus};
pub use task_def::{RetryLogic, SchemaDef, SchemaKind, TaskDef, TimeoutPolicy};
pub use task_result::{TaskExecLog, TaskResult};
pub use workflow_def::{
    RateLimitConfig, RateLimitPolicy, Tag, WorkflowDef, WorkflowDefSummary, WorkflowTimeoutPolicy,
};
pub use workflow_task::{CacheConfig, SubWorkflowParams, WorkflowTask};

use serde::de::DeserializeOwned;

/// A body that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("JSON parse error at `{path}`: {message}")]
pub struct BadJson {
    /// Where, as `tasks[0].startDelay`; `.` for the whole.
    pub path: String,
    /// What was expected, and what is there.
    pub message: String,
}

/// Reads a body.
///
/// # Errors
/// Where the text is no JSON, or not what was expected.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadJson> {
    // The way to a fault is only followed when there is one: it costs more than the reading.
    parts::counted(|| serde_json::from_slice(body)).or_else(|_| {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let read = parts::counted(|| serde_path_to_error::deserialize(&mut deserializer));
        let value = read.map_err(|error| BadJson {
            path: error.path().to_string(),
            message: error.inner().to_string(),
        })?;
        let rest = deserializer.end();
        rest.map_err(|error| BadJson { path: ".".to_owned(), message: error.to_string() }).map(|()| value)
    })
}
