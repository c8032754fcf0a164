//! What follows from events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::parts;
use super::raw::{Entries, Object};
use super::scalar::{or_default, some_text, some_whole, text, truth};
use super::workflow_def::Tag;

/// What is done when an event arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EventHandler {
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// Of which queue: `type:name`.
    #[serde(deserialize_with = "text")]
    pub event: String,
    /// Only events for which this holds.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What is done.
    #[serde(deserialize_with = "parts")]
    pub actions: Vec<Action>,
    /// Whether anything is done.
    #[serde(deserialize_with = "truth")]
    pub active: bool,
    /// The language of its condition.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub evaluator_type: Option<String>,
    /// Its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// One thing that follows from an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Action {
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionKind>,
    /// `start_workflow`: the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_workflow: Option<StartWorkflow>,
    /// `complete_task`: the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_task: Option<TaskDetails>,
    /// `fail_task`: the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_task: Option<TaskDetails>,
    /// `terminate_workflow`: the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminate_workflow: Option<Object>,
    /// `update_workflow_variables`: the run and the variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_workflow_variables: Option<Object>,
    /// `start_agent`: the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_agent: Option<Object>,
    /// Texts of the event that hold JSON are read.
    #[serde(rename = "expandInlineJSON", deserialize_with = "truth")]
    pub expand_inline_json: bool,
}

/// Kinds of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum ActionKind {
    StartWorkflow,
    CompleteTask,
    FailTask,
    TerminateWorkflow,
    UpdateWorkflowVariables,
    StartAgent,
}

/// A run that an event starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StartWorkflow {
    /// Of which workflow.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In which version.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What its submitter calls it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// What it is given.
    pub input: Object,
    /// Which domain's workers get tasks of which name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_to_domain: Option<Entries<String>>,
}

/// A task that an event ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDetails {
    /// Its run.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// Its reference name.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub task_ref_name: Option<String>,
    /// What it yields.
    pub output: Object,
    /// The task.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Why it failed.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub reason_for_incompletion: Option<String>,
}
