//! What workers say about tasks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::parts;
use super::raw::Object;
use super::scalar::{some_text, text, truth, whole};
use super::status::TaskResultStatus;

/// How a task stands, as its worker says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskResult {
    /// Its run.
    #[serde(deserialize_with = "text")]
    pub workflow_instance_id: String,
    /// The task.
    #[serde(deserialize_with = "text")]
    pub task_id: String,
    /// How it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<TaskResultStatus>,
    /// Why it did not succeed.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub reason_for_incompletion: Option<String>,
    /// So long nobody gets it, in seconds, if it is not done.
    #[serde(deserialize_with = "whole")]
    pub callback_after_seconds: i64,
    /// Who says so.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// What it yielded.
    pub output_data: Object,
    /// What was written about it.
    #[serde(deserialize_with = "parts")]
    pub logs: Vec<TaskExecLog>,
    /// Where its output is instead.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub external_output_payload_storage_path: Option<String>,
    /// The run that is its work.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub sub_workflow_id: Option<String>,
    /// It lives, and nothing else changes.
    #[serde(deserialize_with = "truth")]
    pub extend_lease: bool,
}

/// A line that a worker has written about a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskExecLog {
    /// What.
    #[serde(deserialize_with = "text")]
    pub log: String,
    /// About which task.
    #[serde(deserialize_with = "text")]
    pub task_id: String,
    /// When, in milliseconds.
    #[serde(deserialize_with = "whole")]
    pub created_time: i64,
}
