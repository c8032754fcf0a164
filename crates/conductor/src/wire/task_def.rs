//! Task definitions: how often a task is tried, how long it may take, how many at once.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::raw::{Json, Object};
use super::scalar::{or_default, some_text, some_truth, some_whole, text, truth, whole};

/// A task definition. Spans are in seconds unless they say otherwise; 0 is "none".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskDef {
    /// Whose it is.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub owner_app: Option<String>,
    /// When it was first registered.
    #[serde(deserialize_with = "whole")]
    pub create_time: i64,
    /// When it was last changed.
    #[serde(deserialize_with = "whole")]
    pub update_time: i64,
    /// Who registered it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who changed it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// Its name: that of the queue of its tasks.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// For people.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// So many attempts after the first.
    #[serde(deserialize_with = "whole")]
    pub retry_count: i64,
    /// From the start of an attempt to its end.
    #[serde(deserialize_with = "whole")]
    pub timeout_seconds: i64,
    /// For people.
    #[serde(deserialize_with = "or_default")]
    pub input_keys: Vec<String>,
    /// For people.
    #[serde(deserialize_with = "or_default")]
    pub output_keys: Vec<String>,
    /// Names of secrets and settings that the worker gets.
    #[serde(deserialize_with = "or_default")]
    pub runtime_metadata: Vec<String>,
    /// What follows when an attempt takes too long.
    #[serde(deserialize_with = "or_default")]
    pub timeout_policy: TimeoutPolicy,
    /// How the pauses between attempts grow.
    #[serde(deserialize_with = "or_default")]
    pub retry_logic: RetryLogic,
    /// The pause after the first failure.
    #[serde(deserialize_with = "whole")]
    pub retry_delay_seconds: i64,
    /// Between two signs of life of an attempt.
    #[serde(deserialize_with = "whole")]
    pub response_timeout_seconds: i64,
    /// So many attempts at once, over all runs.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub concurrent_exec_limit: Option<i64>,
    /// Fills keys that a task's input lacks.
    pub input_template: Object,
    /// So many starts within [`TaskDef::rate_limit_frequency_in_seconds`].
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub rate_limit_per_frequency: Option<i64>,
    /// The span over which starts are counted.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub rate_limit_frequency_in_seconds: Option<i64>,
    /// Part of the queue's name.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub isolation_group_id: Option<String>,
    /// Part of the queue's name.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub execution_name_space: Option<String>,
    /// Whom to ask.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
    /// From ready to started.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub poll_timeout_seconds: Option<i64>,
    /// Multiplies the pauses of [`RetryLogic::LinearBackoff`].
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub backoff_scale_factor: Option<i64>,
    /// No pause is longer.
    #[serde(deserialize_with = "whole")]
    pub max_retry_delay_seconds: i64,
    /// Added to each pause: drawn from nothing to this, in milliseconds.
    #[serde(deserialize_with = "whole")]
    pub backoff_jitter_ms: i64,
    /// For people.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub base_type: Option<String>,
    /// From the first scheduling to the end of the last attempt.
    #[serde(deserialize_with = "whole")]
    pub total_timeout_seconds: i64,
    /// Whether listeners hear of its tasks.
    #[serde(deserialize_with = "truth")]
    pub task_status_listener_enabled: bool,
    /// What a task's input must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<SchemaDef>,
    /// What a task's output must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaDef>,
    /// Whether the schemas are obeyed.
    #[serde(deserialize_with = "truth")]
    pub enforce_schema: bool,
}

impl Default for TaskDef {
    fn default() -> TaskDef {
        TaskDef {
            owner_app: None,
            create_time: 0,
            update_time: 0,
            created_by: None,
            updated_by: None,
            name: String::new(),
            description: None,
            retry_count: 3,
            timeout_seconds: 0,
            input_keys: Vec::new(),
            output_keys: Vec::new(),
            runtime_metadata: Vec::new(),
            timeout_policy: TimeoutPolicy::default(),
            retry_logic: RetryLogic::default(),
            retry_delay_seconds: 60,
            response_timeout_seconds: 3600,
            concurrent_exec_limit: None,
            input_template: Object::default(),
            rate_limit_per_frequency: Some(0),
            rate_limit_frequency_in_seconds: Some(1),
            isolation_group_id: None,
            execution_name_space: None,
            owner_email: None,
            poll_timeout_seconds: None,
            backoff_scale_factor: Some(1),
            max_retry_delay_seconds: 0,
            backoff_jitter_ms: 0,
            base_type: None,
            total_timeout_seconds: 0,
            task_status_listener_enabled: true,
            input_schema: None,
            output_schema: None,
            enforce_schema: false,
        }
    }
}

/// What follows when an attempt takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeoutPolicy {
    /// Another attempt, while there are any.
    Retry,
    /// The run has timed out.
    #[default]
    TimeOutWf,
    /// Somebody is told.
    AlertOnly,
}

/// How the pauses between attempts grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryLogic {
    /// All alike.
    #[default]
    Fixed,
    /// Twice as long each time.
    ExponentialBackoff,
    /// Longer by one delay each time.
    LinearBackoff,
}

/// A schema of inputs or outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SchemaDef {
    /// Whose it is.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub owner_app: Option<String>,
    /// When it was first registered.
    #[serde(deserialize_with = "whole")]
    pub create_time: i64,
    /// When it was last changed.
    #[serde(deserialize_with = "whole")]
    pub update_time: i64,
    /// Who registered it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who changed it.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// Its version.
    #[serde(deserialize_with = "whole")]
    pub version: i64,
    /// Its language.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: SchemaKind,
    /// The schema itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// Where it is instead.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub external_ref: Option<String>,
    /// Not used by anything.
    #[serde(deserialize_with = "some_truth", skip_serializing_if = "Option::is_none")]
    pub short: Option<bool>,
}

impl SchemaDef {
    /// What is wrong with it for whoever obeys it.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match (self.kind, &self.data, &self.external_ref) {
            (SchemaKind::Avro | SchemaKind::Protobuf, _, _) => {
                Some("only schemas of type JSON are enforced; set enforceSchema to false, or use JSON")
            }
            (SchemaKind::Json, Some(Json(data)), _) if !data.is_null() => None,
            (SchemaKind::Json, _, Some(_)) => {
                Some("schemas elsewhere (externalRef) are not fetched; give the schema as `data`")
            }
            (SchemaKind::Json, _, None) => {
                Some("no schema of this name and version is registered; register it, or give it as `data`")
            }
        }
    }

    /// Whether it stands elsewhere: under its name.
    pub(crate) fn is_only_named(&self) -> bool {
        let has_data = self.data.as_ref().is_some_and(|Json(data)| !data.is_null());
        !has_data && self.external_ref.is_none() && self.kind == SchemaKind::Json
    }

    /// Its text, if it is obeyed.
    pub(crate) fn source(&self) -> Option<Arc<str>> {
        let data = self.data.as_ref().filter(|_| self.fault().is_none())?;
        Some(data.0.render().into())
    }
}

/// Languages of schemas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchemaKind {
    /// JSON Schema.
    #[default]
    Json,
    /// Avro.
    Avro,
    /// Protocol buffers.
    Protobuf,
}
