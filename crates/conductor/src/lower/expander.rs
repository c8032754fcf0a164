//! Makes tasks of values: the branches of FORK_JOIN_DYNAMIC, the task of DYNAMIC.
//!
//! What came in as data is data: a `${…}` in the input of a branch stands for itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use partitur_model::Payload;
use partitur_model::definition::{Branch, MakeBranches};
use partitur_model::record::TaskError;

use super::{Lowering, shielded};
use crate::check;
use crate::freeze::{TaskDefs, freeze_task};
use crate::json;
use crate::task_type::TaskType;
use crate::wire::{self, Json, Object, SubWorkflowParams, WorkflowTask};

/// A fork has no more branches.
const BRANCHES_MAX: usize = 100_000;

/// Makes the branches of a FORK_JOIN_DYNAMIC.
pub struct DynamicFork {
    /// The fork.
    pub task: WorkflowTask,
    /// Whether it is the first dynamic fork of its workflow.
    pub is_first: bool,
    /// For the tasks of its branches.
    pub defs: Arc<dyn TaskDefs>,
}

/// Makes the task of a DYNAMIC.
pub struct DynamicTask {
    /// The DYNAMIC.
    pub task: WorkflowTask,
    /// For the task that it becomes.
    pub defs: Arc<dyn TaskDefs>,
}

/// The tasks that a FORK_JOIN_DYNAMIC or DYNAMIC came to, as definitions.
///
/// # Errors
/// Why there are none.
pub(crate) fn expanded(
    task: &WorkflowTask,
    is_first: bool,
    input: &Payload,
    defs: &dyn TaskDefs,
) -> Result<Vec<WorkflowTask>, TaskError> {
    let mut tasks = match task.task_type() {
        TaskType::Dynamic => vec![named(task, input)?],
        _ => branches(task, is_first, input)?,
    };
    for task in tasks.iter_mut().filter(|task| !is_mere_workflow(task)) {
        freeze_task(task, defs);
    }
    Ok(tasks)
}

/// Whether nothing but a workflow was named for the branch: it has no definition of a task.
fn is_mere_workflow(task: &WorkflowTask) -> bool {
    let workflow = task.sub_workflow_param.as_ref().and_then(|params| params.name.as_ref());
    task.task_type() == TaskType::SubWorkflow && workflow == Some(&task.name)
}

impl MakeBranches for DynamicFork {
    fn branches(&self, input: &Payload) -> Result<Vec<Branch>, TaskError> {
        let tasks = expanded(&self.task, self.is_first, input, &*self.defs)?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = tasks.iter().find(|task| !seen.insert(&task.task_reference_name)) {
            return Err(fault(format!("two branches are called `{}`", twice.task_reference_name)));
        }
        tasks.iter().map(|task| branch(task, &self.defs)).collect()
    }

    fn describe(&self) -> String {
        describe("fork", &self.task)
    }
}

impl MakeBranches for DynamicTask {
    fn branches(&self, input: &Payload) -> Result<Vec<Branch>, TaskError> {
        let tasks = expanded(&self.task, false, input, &*self.defs)?;
        tasks.iter().map(|task| branch(task, &self.defs)).collect()
    }

    fn describe(&self) -> String {
        describe("dynamic", &self.task)
    }
}

/// Equal tasks make equal branches of equal values.
fn describe(what: &str, task: &WorkflowTask) -> String {
    let text = serde_json::to_string(task).expect("a task is made of text and numbers");
    format!("{what} {text}")
}

fn branch(task: &WorkflowTask, defs: &Arc<dyn TaskDefs>) -> Result<Branch, TaskError> {
    let tasks = std::slice::from_ref(task);
    if let Some(first) = check::tasks(tasks).first() {
        return Err(fault(format!(
            "branch `{}`: {}: {}",
            task.task_reference_name, first.path, first.message
        )));
    }
    let scope = Lowering { defs, first_dynamic: None }.scope(tasks, &task.task_reference_name);
    Ok(Branch { last: task.task_reference_name.clone(), scope })
}

fn fault(message: impl Into<String>) -> TaskError {
    TaskError::terminal("expansion", message)
}

/// The branches of a fork: three forms of input, tried in this order.
fn branches(fork: &WorkflowTask, is_first: bool, input: &Payload) -> Result<Vec<WorkflowTask>, TaskError> {
    let mut tasks = if let Some(inputs) = input.member("forkTaskInputs").filter(|inputs| !inputs.is_null()) {
        of_one_kind(fork, is_first, input, &inputs)?
    } else if let Some(key) = &fork.dynamic_fork_tasks_param {
        of_tasks_and_inputs(fork, key, input)?
    } else {
        of_old_form(fork.dynamic_fork_join_tasks_param.as_deref().unwrap_or_default(), input)?
    };
    for task in &mut tasks {
        task.optional |= fork.optional;
    }
    Ok(tasks)
}

/// `forkTaskInputs`: as many branches of one kind as there are inputs.
fn of_one_kind(
    fork: &WorkflowTask,
    is_first: bool,
    input: &Payload,
    inputs: &Payload,
) -> Result<Vec<WorkflowTask>, TaskError> {
    let inputs = elements("forkTaskInputs", inputs)?;
    let text =
        |key: &str| input.member(key).filter(|value| !value.is_null()).map(|value| json::plain(&value));
    let kind = text("forkTaskType").filter(|kind| !kind.is_empty());
    let workflow = text("forkTaskWorkflow").filter(|workflow| !workflow.is_empty());
    let fallback = kind.clone().filter(|kind| TaskType::is_built_in(kind));
    let name = text("forkTaskName").or(fallback).unwrap_or_else(|| fork.task_reference_name.clone());
    let prefix = if is_first { "_".to_owned() } else { format!("_{}_", fork.task_reference_name) };
    let version = input.member("forkTaskWorkflowVersion").and_then(|version| json::whole(&version));
    let branch = |(at, element): (usize, &Payload)| {
        let mut task = described_by(element);
        task.name = name.clone();
        task.task_reference_name = format!("{prefix}{name}_{at}");
        task.kind = Some(kind.clone().unwrap_or_else(|| "SIMPLE".to_owned()));
        let given = if json::is_object(element) {
            element.clone()
        } else {
            Payload::object([("input", element.clone())])
        };
        let given = json::with(&given, [("__index", (at as u64).into())]);
        task.input_parameters = Object(shielded(&given));
        if let Some(workflow) = &workflow {
            task.kind = Some("SUB_WORKFLOW".to_owned());
            task.name = workflow.clone();
            task.sub_workflow_param = Some(Box::new(SubWorkflowParams {
                name: Some(workflow.clone()),
                version: version.map(|version| Json(Payload::from(version.max(0) as u64))),
                task_to_domain: element.member("taskToDomain").map(Json),
                ..SubWorkflowParams::default()
            }));
        }
        task
    };
    Ok(inputs.iter().enumerate().map(branch).collect())
}

/// An input may carry properties of a task, too.
fn described_by(element: &Payload) -> WorkflowTask {
    let read = json::is_object(element).then(|| wire::read(element.render().as_bytes()).ok()).flatten();
    read.unwrap_or_default()
}

/// A list of tasks under one key, an object of their inputs under another.
fn of_tasks_and_inputs(
    fork: &WorkflowTask,
    key: &str,
    input: &Payload,
) -> Result<Vec<WorkflowTask>, TaskError> {
    let listed = elements(key, &input.member(key).unwrap_or_default())?;
    let inputs_key = fork.dynamic_fork_tasks_input_param_name.as_deref().unwrap_or_default();
    let inputs = input.member(inputs_key).unwrap_or_default();
    if !listed.is_empty() && !json::is_object(&inputs) {
        return Err(fault(format!("`{inputs_key}` is no object of the inputs of the branches")));
    }
    // Read once: to look each branch up in the text would cost the square of their number. Of equal names the last counts.
    let inputs: HashMap<Arc<str>, Payload> = inputs.entries().unwrap_or_default().into_iter().collect();
    let task = |(at, listed): (usize, &Payload)| {
        let read = wire::read::<WorkflowTask>(listed.render().as_bytes());
        let mut task = read.map_err(|error| fault(format!("`{key}[{at}]` is no task: {error}")))?;
        if task.task_reference_name.is_empty() {
            return Err(fault(format!("`{key}[{at}]` has no `taskReferenceName`")));
        }
        let given = inputs.get(task.task_reference_name.as_str());
        if let Some(given) = given.filter(|given| json::is_object(given)) {
            task.input_parameters = Object(overlaid(&task.input_parameters.0, &shielded(given)));
        }
        Ok(task)
    };
    listed.iter().enumerate().map(task).collect()
}

/// `{"dynamicTasks": […]}` under one key.
fn of_old_form(key: &str, input: &Payload) -> Result<Vec<WorkflowTask>, TaskError> {
    let listed = input.member(key).and_then(|list| list.member("dynamicTasks"));
    let listed = listed.ok_or_else(|| fault(format!("`{key}` holds no `dynamicTasks`")))?;
    let task = |listed: &Payload| {
        let text = |name: &str| listed.member(name).and_then(|value| json::text(&value));
        let workflow = text("workflowName").filter(|name| !name.is_empty());
        let kind = text("type").unwrap_or_else(|| match &workflow {
            Some(_) => "SUB_WORKFLOW".to_owned(),
            None => "SIMPLE".to_owned(),
        });
        let name = text("taskName").or_else(|| workflow.clone()).unwrap_or_default();
        let given = listed.member("input").filter(json::is_object).unwrap_or_else(json::empty_object);
        let params =
            workflow.map(|name| Box::new(SubWorkflowParams { name: Some(name), ..Default::default() }));
        WorkflowTask {
            task_reference_name: text("referenceName").unwrap_or_else(|| name.clone()),
            name,
            kind: Some(kind),
            sub_workflow_param: params,
            input_parameters: Object(shielded(&given)),
            ..WorkflowTask::default()
        }
    };
    Ok(elements("dynamicTasks", &listed)?.iter().map(task).collect())
}

/// The task that a DYNAMIC names.
fn named(dynamic: &WorkflowTask, input: &Payload) -> Result<WorkflowTask, TaskError> {
    let key = dynamic.dynamic_task_name_param.as_deref().unwrap_or_default();
    let name = input.member(key).filter(|name| !name.is_null()).map(|name| json::plain(&name));
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| fault(format!("`{key}` names no task")))?;
    let kind = if TaskType::is_built_in(&name) { name.clone() } else { "SIMPLE".to_owned() };
    // Its own definition counts, if it has one; otherwise that of the DYNAMIC, as in Conductor.
    Ok(WorkflowTask {
        name,
        kind: Some(kind),
        input_parameters: Object(shielded(input)),
        dynamic_task_name_param: None,
        ..dynamic.clone()
    })
}

fn elements(key: &str, list: &Payload) -> Result<Vec<Payload>, TaskError> {
    let elements = list.elements().ok_or_else(|| fault(format!("`{key}` is no list")))?;
    if elements.len() > BRANCHES_MAX {
        return Err(fault(format!("`{key}` has {} elements; {BRANCHES_MAX} are allowed", elements.len())));
    }
    Ok(elements)
}

/// An object with the entries of another laid over it.
fn overlaid(below: &Payload, above: &Payload) -> Payload {
    let above = above.entries().unwrap_or_default();
    let mut entries = below.entries().unwrap_or_default();
    entries.retain(|(key, _)| !above.iter().any(|(known, _)| known == key));
    entries.extend(above);
    Payload::Object(entries.into())
}

#[cfg(test)]
mod tests;
