//! What clients ask for.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::callback::CallbackRequest;
use super::raw::{Entries, Object};
use super::scalar::{or_default, some_text, some_whole, text, whole};
use super::status::TaskResultStatus;
use super::workflow_def::WorkflowDef;

/// A run that somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StartWorkflowRequest {
    /// Of which workflow.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// In which version; the latest if none.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What its submitter calls it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What it is given.
    pub input: Object,
    /// Which domain's workers get tasks of which name.
    #[serde(deserialize_with = "or_default")]
    pub task_to_domain: Entries<String>,
    /// The definition itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_def: Option<Box<WorkflowDef>>,
    /// Where its input is instead.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub external_input_payload_storage_path: Option<String>,
    /// 0..=99.
    #[serde(deserialize_with = "whole")]
    pub priority: i64,
    /// Who starts it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// At most one run of this name and key.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What a second run under the key means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_strategy: Option<IdempotencyStrategy>,
    /// Who is told what becomes of it, besides those whom its definition names.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<CallbackRequest>,
}

/// What a second run under a key means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IdempotencyStrategy {
    /// It is refused.
    #[default]
    Fail,
    /// It is the run that is there.
    ReturnExisting,
    /// It is refused while that run has not ended.
    FailOnRunning,
}

/// A run is to go on from a task, or from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RerunWorkflowRequest {
    /// Which run.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub re_run_from_workflow_id: Option<String>,
    /// Another input for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_input: Option<Object>,
    /// From which task; from the beginning if none.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub re_run_from_task_id: Option<String>,
    /// Another input for the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_input: Option<Object>,
    /// Another correlation.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

/// A task is to be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SkipTaskRequest {
    /// As if it had been given this.
    pub task_input: Object,
    /// As if it had yielded this.
    pub task_output: Object,
}

/// A run without workers: its tasks end as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkflowTestRequest {
    /// The run.
    pub start: StartWorkflowRequest,
    /// How its tasks end.
    pub mocks: TaskMocks,
}

impl<'de> Deserialize<'de> for WorkflowTestRequest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<WorkflowTestRequest, D::Error> {
        // Two readings of the same text: a flattened structure could not hold raw JSON.
        let text = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let start = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        let mocks = serde_json::from_str(text.get()).map_err(serde::de::Error::custom)?;
        Ok(WorkflowTestRequest { start, mocks })
    }
}

impl JsonSchema for WorkflowTestRequest {
    fn schema_name() -> Cow<'static, str> {
        "WorkflowTestRequest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "allOf": [
                generator.subschema_for::<StartWorkflowRequest>(),
                generator.subschema_for::<TaskMocks>(),
            ],
        })
    }
}

/// How the tasks of a run without workers end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskMocks {
    /// By reference name, with the suffix of the iteration: how the task's attempts end, one after the other.
    #[serde(deserialize_with = "or_default")]
    pub task_ref_to_mock_output: Entries<Vec<TaskMock>>,
    /// By reference name: the same for the run that is the task's work.
    #[serde(deserialize_with = "or_default")]
    pub sub_workflow_test_request: Entries<WorkflowTestRequest>,
}

/// How an attempt ends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskMock {
    /// As what.
    pub status: TaskResultStatus,
    /// With which output.
    pub output: Object,
    /// So long it takes, in milliseconds.
    #[serde(deserialize_with = "whole")]
    pub execution_time: i64,
    /// So long it waits before, in milliseconds.
    #[serde(deserialize_with = "whole")]
    pub queue_wait_time: i64,
}

impl Default for TaskMock {
    fn default() -> TaskMock {
        TaskMock {
            status: TaskResultStatus::Completed,
            output: Object::default(),
            execution_time: 0,
            queue_wait_time: 0,
        }
    }
}
