//! What all tasks of a node have in common, written once.

use super::object::Object;
use crate::TaskType;
use crate::freeze::task_def_of;
use crate::json;
use crate::wire::{RetryLogic, TaskDef, WorkflowTask};

/// What all tasks of a node have in common.
pub struct TaskTemplate {
    /// Properties that are the same for all of them.
    pub constant: String,
    /// What it is.
    pub kind: TaskType,
    /// What the wire calls that: for workers' tasks, their queue.
    pub task_type: String,
    /// What the wire calls its definition.
    pub def_name: String,
    /// The task itself.
    pub task: WorkflowTask,
    /// The task before it in its list: of a JOIN, its fork.
    pub before: Option<String>,
    /// Its definition.
    pub def: TaskDef,
}

impl TaskTemplate {
    /// For a frozen task of this workflow.
    pub fn new(task: &WorkflowTask, workflow: &str, before: Option<&str>) -> TaskTemplate {
        let kind = task.task_type();
        let (task_type, def_name) = names(task, &kind);
        let def = task_def_of(task);
        let constant = constant(task, &def, &kind, [&task_type, &def_name, workflow]);
        let before = before.map(str::to_owned);
        TaskTemplate { constant, kind, task_type, def_name, task: task.clone(), before, def }
    }

    /// The constant part of a task that is shown with another definition than it follows.
    pub fn shown_as(task: &WorkflowTask, shown: &WorkflowTask, workflow: &str) -> String {
        let kind = task.task_type();
        let (task_type, def_name) = names(task, &kind);
        constant(shown, &task_def_of(task), &kind, [&task_type, &def_name, workflow])
    }

    /// The constant part of a task that was left out by hand: of its definition Conductor shows the names alone.
    pub fn left_out(&self) -> String {
        let (name, task_reference_name) = (self.task.name.clone(), self.task.task_reference_name.clone());
        let named = WorkflowTask { name, task_reference_name, ..WorkflowTask::default() };
        let mut out = String::new();
        let mut object = Object::continued(&mut out);
        object.text("taskType", &named.name);
        object.text("taskDefName", &named.name);
        object.truth("callbackFromWorker", true);
        object.key("workflowTask").push_str(&compact(&named));
        for number in ["responseTimeoutSeconds", "rateLimitPerFrequency", "rateLimitFrequencyInSeconds"] {
            object.number(number, 0);
        }
        never_used(&mut object);
        object.key("taskDefinition").push_str("null");
        out
    }

    /// The pause in front of the n-th attempt, in seconds: what Conductor shows of it, without what chance adds.
    pub fn start_delay(&self, retries: u32) -> u64 {
        let Some(failures) = retries.checked_sub(1) else { return positive(self.task.start_delay) };
        let delay = positive(self.def.retry_delay_seconds);
        let grown = match self.def.retry_logic {
            RetryLogic::Fixed => delay,
            RetryLogic::LinearBackoff => {
                let scale = positive(self.def.backoff_scale_factor.unwrap_or(1));
                delay.saturating_mul(scale).saturating_mul(u64::from(retries))
            }
            RetryLogic::ExponentialBackoff => {
                delay.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX))
            }
        };
        let cap = Some(positive(self.def.max_retry_delay_seconds)).filter(|&cap| cap > 0);
        grown.min(cap.unwrap_or(i32::MAX as u64))
    }
}

fn positive(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The names of its type and of its definition on the wire.
pub(crate) fn names(task: &WorkflowTask, kind: &TaskType) -> (String, String) {
    let own = task.name.clone();
    let of_type = |name: &str| (name.to_owned(), name.to_owned());
    match kind {
        TaskType::Simple => (own.clone(), own),
        TaskType::ForkJoin | TaskType::ForkJoinDynamic => of_type("FORK"),
        TaskType::Join => of_type("JOIN"),
        TaskType::ExclusiveJoin => of_type("EXCLUSIVE_JOIN"),
        TaskType::Switch => of_type("SWITCH"),
        TaskType::Decision => of_type("DECISION"),
        TaskType::Custom(_)
        | TaskType::Http
        | TaskType::HttpPoll
        | TaskType::Inline
        | TaskType::Lambda
        | TaskType::JsonJqTransform
        | TaskType::DoWhile
        | TaskType::Dynamic
        | TaskType::SubWorkflow
        | TaskType::StartWorkflow
        | TaskType::Terminate
        | TaskType::SetVariable
        | TaskType::Wait
        | TaskType::Human
        | TaskType::Yield
        | TaskType::Event
        | TaskType::PullMessages
        | TaskType::Noop
        | TaskType::Absent(_) => (task.kind.clone().unwrap_or_default(), own),
    }
}

fn constant(task: &WorkflowTask, def: &TaskDef, kind: &TaskType, names: [&str; 3]) -> String {
    let [task_type, def_name, workflow] = names;
    let mut out = String::new();
    let mut object = Object::continued(&mut out);
    object.text("taskType", task_type);
    object.text("taskDefName", def_name);
    object.truth("callbackFromWorker", true);
    let is_timed = kind.is_for_workers() && def.response_timeout_seconds > 0;
    object
        .number("responseTimeoutSeconds", if is_timed { positive(def.response_timeout_seconds) } else { 0 });
    object.text("workflowType", workflow);
    object.key("workflowTask").push_str(&compact(task));
    let is_limited = matches!(kind, TaskType::DoWhile | TaskType::Http | TaskType::HttpPoll);
    let [per_frequency, frequency] = if kind.is_for_workers() || is_limited {
        [def.rate_limit_per_frequency, def.rate_limit_frequency_in_seconds]
            .map(|number| positive(number.unwrap_or(0)))
    } else {
        [0, 0]
    };
    object.number("rateLimitPerFrequency", per_frequency);
    object.number("rateLimitFrequencyInSeconds", frequency);
    object.some_text("executionNameSpace", def.execution_name_space.as_deref());
    object.some_text("isolationGroupId", def.isolation_group_id.as_deref());
    never_used(&mut object);
    let def = task.task_definition.is_some().then(|| compact(def));
    object.key("taskDefinition").push_str(def.as_deref().unwrap_or("null"));
    out
}

/// What Conductor says about how a task was executed.
const NOTHING_SAID: &str = r#"{"additionalContext":{},"empty":true,"additionalContextMap":{}}"#;
const CACHED: &str =
    r#"{"additionalContext":{"cached":true},"empty":false,"additionalContextMap":{"cached":true}}"#;

/// The constant part of a task whose result is that of an earlier one.
pub fn said_to_be_cached(constant: &str) -> String {
    constant.replacen(NOTHING_SAID, CACHED, 1)
}

/// Properties that Conductor's clients know and that nobody sets.
fn never_used(object: &mut Object<'_>) {
    object.truth("subworkflowChanged", false);
    object.number("firstStartTime", 0);
    object.key("executionMetadata").push_str(NOTHING_SAID);
}

fn compact(value: &impl serde::Serialize) -> String {
    json::compact(&serde_json::to_string(value).expect("definitions are made of text and numbers"))
}
