//! Tasks of workflow definitions.

use partitur_model::Payload;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{lists_of_parts, named_parts, parts};
use super::raw::{Entries, Json, Object};
use super::scalar::{or_default, some_text, some_truth, some_whole, text, truth, whole};
use super::task_def::TaskDef;
use crate::TaskType;

/// A task of a workflow definition, of whatever type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowTask {
    /// The name of its task definition; that of its queue, if workers do it.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// Unique within the workflow: what everything else calls it.
    #[serde(deserialize_with = "text")]
    pub task_reference_name: String,
    /// For people.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it is given, with `${…}` in it.
    pub input_parameters: Object,
    /// What it is; see [`TaskType`].
    #[serde(rename = "type", deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// DYNAMIC: the key of its input that names the task.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub dynamic_task_name_param: Option<String>,
    /// DECISION: the key of its input that holds the case.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub case_value_param: Option<String>,
    /// DECISION: a script whose value is the case.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub case_expression: Option<String>,
    /// LAMBDA: the body of a function.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub script_expression: Option<String>,
    /// SWITCH and DECISION: what is done in which case.
    #[serde(deserialize_with = "named_parts")]
    pub decision_cases: Entries<Vec<WorkflowTask>>,
    /// FORK_JOIN_DYNAMIC, old form: the key of its input that holds the branches.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub dynamic_fork_join_tasks_param: Option<String>,
    /// FORK_JOIN_DYNAMIC: the key of its input that holds the tasks.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub dynamic_fork_tasks_param: Option<String>,
    /// FORK_JOIN_DYNAMIC: the key of its input that holds the inputs of the tasks.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub dynamic_fork_tasks_input_param_name: Option<String>,
    /// SWITCH and DECISION: what is done in all other cases.
    #[serde(deserialize_with = "parts")]
    pub default_case: Vec<WorkflowTask>,
    /// FORK_JOIN: its branches.
    #[serde(deserialize_with = "lists_of_parts")]
    pub fork_tasks: Vec<Vec<WorkflowTask>>,
    /// So long it is held back, in seconds.
    #[serde(deserialize_with = "whole")]
    pub start_delay: i64,
    /// SUB_WORKFLOW: what is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_workflow_param: Option<Box<SubWorkflowParams>>,
    /// JOIN and EXCLUSIVE_JOIN: what it waits for.
    #[serde(deserialize_with = "or_default")]
    pub join_on: Vec<String>,
    /// EVENT: where to.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Its failure is no failure of the run.
    #[serde(deserialize_with = "truth")]
    pub optional: bool,
    /// Frozen into the definition when a run starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<Box<TaskDef>>,
    /// Nothing follows from it.
    #[serde(deserialize_with = "some_truth", skip_serializing_if = "Option::is_none")]
    pub rate_limited: Option<bool>,
    /// EXCLUSIVE_JOIN: whose output counts if nothing that it waits for was executed.
    #[serde(deserialize_with = "or_default")]
    pub default_exclusive_join_task: Vec<String>,
    /// It ends only when somebody outside says so.
    #[serde(deserialize_with = "truth")]
    pub async_complete: bool,
    /// DO_WHILE: another iteration follows while this holds.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub loop_condition: Option<String>,
    /// DO_WHILE: its body.
    #[serde(deserialize_with = "parts")]
    pub loop_over: Vec<WorkflowTask>,
    /// DO_WHILE: one iteration for each element.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Instead of that of its task definition.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<i64>,
    /// SWITCH: the language of its expression.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub evaluator_type: Option<String>,
    /// SWITCH: its value is the case.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// What is told when its state changes.
    pub on_state_change: Object,
    /// JOIN: not used by anything.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub join_status: Option<String>,
    /// When an equal earlier result serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_config: Option<CacheConfig>,
    /// The run goes on after its failure, and fails at its end.
    #[serde(deserialize_with = "truth")]
    pub permissive: bool,
    /// JOIN: how often it is looked at; here it always is at once.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub join_mode: Option<String>,
    /// For people and tools.
    pub metadata: Object,
}

impl Default for WorkflowTask {
    fn default() -> WorkflowTask {
        WorkflowTask {
            name: String::new(),
            task_reference_name: String::new(),
            description: None,
            input_parameters: Object::default(),
            kind: Some("SIMPLE".to_owned()),
            dynamic_task_name_param: None,
            case_value_param: None,
            case_expression: None,
            script_expression: None,
            decision_cases: Entries::default(),
            dynamic_fork_join_tasks_param: None,
            dynamic_fork_tasks_param: None,
            dynamic_fork_tasks_input_param_name: None,
            default_case: Vec::new(),
            fork_tasks: Vec::new(),
            start_delay: 0,
            sub_workflow_param: None,
            join_on: Vec::new(),
            sink: None,
            optional: false,
            task_definition: None,
            rate_limited: None,
            default_exclusive_join_task: Vec::new(),
            async_complete: false,
            loop_condition: None,
            loop_over: Vec::new(),
            items: None,
            retry_count: None,
            evaluator_type: None,
            expression: None,
            on_state_change: Object::default(),
            join_status: None,
            cache_config: None,
            permissive: false,
            join_mode: None,
            metadata: Object::default(),
        }
    }
}

impl WorkflowTask {
    /// What it is.
    pub fn task_type(&self) -> TaskType {
        TaskType::parse(self.kind.as_deref().unwrap_or(""))
    }

    /// The value of a key of its input, as it is written.
    pub fn parameter(&self, key: &str) -> Option<Payload> {
        self.input_parameters.0.member(key)
    }

    /// The text of a key of its input, if it is one.
    pub fn text_parameter(&self, key: &str) -> Option<String> {
        crate::json::text(&self.parameter(key)?)
    }

    /// The lists of tasks in it, each with the path to its elements, in the order in which they are written.
    pub fn children(&self) -> Vec<(String, &Vec<WorkflowTask>)> {
        let cases = self.decision_cases.0.iter();
        let cases = cases.map(|(case, tasks)| (format!(".decisionCases[{case}].<map value>"), tasks));
        let branches = self.fork_tasks.iter().enumerate();
        let branches = branches.map(|(at, tasks)| (format!(".forkTasks[{at}].<list element>"), tasks));
        let others = [(".defaultCase", &self.default_case), (".loopOver", &self.loop_over)];
        let others = others.into_iter().map(|(path, tasks)| (path.to_owned(), tasks));
        cases.chain(branches).chain(others).filter(|(_, tasks)| !tasks.is_empty()).collect()
    }
}

/// Which workflow a SUB_WORKFLOW runs. Each text may be an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SubWorkflowParams {
    /// Its name.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version; the latest if none or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Json>,
    /// Which domain's workers get its tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_to_domain: Option<Json>,
    /// The definition itself, or an expression that yields it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_definition: Option<Json>,
    /// At most one run of this name and key.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What a second run under the key means.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub idempotency_strategy: Option<String>,
    /// Its weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Json>,
}

/// When an equal earlier result serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CacheConfig {
    /// What makes results equal.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long a result serves, in seconds.
    #[serde(deserialize_with = "whole")]
    pub ttl_in_second: i64,
}
