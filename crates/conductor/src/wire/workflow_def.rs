//! Workflow definitions.

use std::sync::Arc;

use partitur_model::Payload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::parts;
use super::raw::{Json, Object};
use super::scalar::{or_default, some_text, some_whole, text, truth, whole};
use super::task_def::SchemaDef;
use super::workflow_task::{CacheConfig, WorkflowTask};

/// A workflow definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowDef {
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
    /// For people.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its version.
    #[serde(deserialize_with = "whole")]
    pub version: u32,
    /// What is done, one after the other.
    #[serde(deserialize_with = "parts")]
    pub tasks: Vec<WorkflowTask>,
    /// Names of what a run may be given; for people.
    #[serde(deserialize_with = "or_default")]
    pub input_parameters: Vec<String>,
    /// The run's output; that of its last task if empty.
    pub output_parameters: Object,
    /// What is started when a run has ended without success.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub failure_workflow: Option<String>,
    /// In which version; the latest if none.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub failure_workflow_version: Option<u32>,
    /// 2.
    #[serde(deserialize_with = "whole")]
    pub schema_version: i64,
    /// Whether a completed run may be restarted.
    #[serde(deserialize_with = "truth")]
    pub restartable: bool,
    /// Whether listeners hear of its runs.
    #[serde(deserialize_with = "truth")]
    pub workflow_status_listener_enabled: bool,
    /// Whom to ask.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub owner_email: Option<String>,
    /// What follows when a run takes too long.
    #[serde(deserialize_with = "or_default")]
    pub timeout_policy: WorkflowTimeoutPolicy,
    /// From the start of a run to its end, in seconds; 0 is "never".
    #[serde(deserialize_with = "whole")]
    pub timeout_seconds: i64,
    /// What a run's variables are at first.
    pub variables: Object,
    /// Fills keys that a run's input lacks.
    pub input_template: Object,
    /// Where listeners are.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub workflow_status_listener_sink: Option<String>,
    /// How many runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit_config: Option<RateLimitConfig>,
    /// What a run's input must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<SchemaDef>,
    /// What a run's output must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaDef>,
    /// Whether the schemas are obeyed.
    #[serde(deserialize_with = "truth")]
    pub enforce_schema: bool,
    /// For people and tools.
    pub metadata: Object,
    /// When an equal earlier result serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_config: Option<CacheConfig>,
    /// Names of fields that nobody is shown.
    #[serde(deserialize_with = "or_default")]
    pub masked_fields: Vec<String>,
}

impl Default for WorkflowDef {
    fn default() -> WorkflowDef {
        WorkflowDef {
            owner_app: None,
            create_time: 0,
            update_time: 0,
            created_by: None,
            updated_by: None,
            name: String::new(),
            description: None,
            version: 1,
            tasks: Vec::new(),
            input_parameters: Vec::new(),
            output_parameters: Object::default(),
            failure_workflow: None,
            failure_workflow_version: None,
            schema_version: 2,
            restartable: true,
            workflow_status_listener_enabled: false,
            owner_email: None,
            timeout_policy: WorkflowTimeoutPolicy::default(),
            timeout_seconds: 0,
            variables: Object::default(),
            input_template: Object::default(),
            workflow_status_listener_sink: None,
            rate_limit_config: None,
            input_schema: None,
            output_schema: None,
            enforce_schema: true,
            metadata: Object::default(),
            cache_config: None,
            masked_fields: Vec::new(),
        }
    }
}

impl WorkflowDef {
    /// What a run is given: `input`, and what the template has for keys that it lacks or in which it has nothing. As in
    /// Conductor, an empty input stays empty.
    pub fn filled_input(&self, input: &Payload) -> Payload {
        let template = self.input_template.0.entries().unwrap_or_default();
        let mut entries = input.entries().unwrap_or_default();
        if template.is_empty() || entries.is_empty() {
            return input.clone();
        }
        for (key, value) in template {
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) if known.is_null() => *known = value,
                Some(_) => {}
                None => entries.push((key, value)),
            }
        }
        Payload::Object(entries.into())
    }
}

impl WorkflowDef {
    /// What a run's input must be, if the definition wants that obeyed: a JSON Schema.
    pub fn wanted_input(&self) -> Option<Arc<str>> {
        self.input_schema.as_ref().filter(|_| self.enforce_schema).and_then(SchemaDef::source)
    }
}

/// What follows when a run takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkflowTimeoutPolicy {
    /// It has timed out.
    TimeOutWf,
    /// Somebody is told.
    #[default]
    AlertOnly,
}

/// How many runs at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RateLimitConfig {
    /// Runs with an equal key count together.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub rate_limit_key: Option<String>,
    /// So many.
    #[serde(deserialize_with = "whole", alias = "concurrentExecutionLimit")]
    pub concurrent_exec_limit: i64,
    /// What happens to a run too many.
    #[serde(deserialize_with = "or_default")]
    pub policy: RateLimitPolicy,
}

/// What happens to a run too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RateLimitPolicy {
    /// It waits.
    #[default]
    Queue,
    /// It is refused.
    Reject,
}

/// What is known of a definition without its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowDefSummary {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// When it was first registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<i64>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<i64>,
}

/// A label of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tag {
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub key: String,
    /// `METADATA`.
    #[serde(rename = "type", deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fills_an_input_that_is_not_empty() {
        let def: WorkflowDef = crate::wire::read(br#"{"inputTemplate":{"x":9,"y":8}}"#).unwrap();
        let filled = |input: &str| def.filled_input(&Payload::parse(input).unwrap()).render();
        assert_eq!(filled(r#"{"y":null}"#), r#"{"y":8,"x":9}"#);
        assert_eq!(filled("{}"), "{}");
    }
}
