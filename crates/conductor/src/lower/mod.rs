//! What a workflow definition comes to: the tasks and edges that `engine` compiles.
//!
//! The name of a node is the reference name of its task. All tasks of a sequence, its forks and its switches lie in one
//! scope; the body of a loop and each dynamic branch are scopes of their own. `sequence.rs` strings tasks together; what
//! a task does is in a file for its family.

mod dynamic;
mod event;
mod expander;
mod fork;
mod http;
mod policy;
mod repeat;
mod script;
mod sequence;
mod simple;
mod sub_workflow;
mod switch;
mod terminate;
mod wait;
mod workflow;

use std::sync::Arc;

use partitur_model::definition::{Definition, Kind, Label, Node, Scope, TemplateTree};
use partitur_model::{Payload, Place};

use crate::check;
use crate::freeze::{NoTaskDefs, TaskDefs, task_def_of};
use crate::json;
use crate::render::names;
use crate::wire::{ValidationError, WorkflowDef, WorkflowTask};

pub(crate) use expander::expanded;
pub(crate) use script::language;
use sequence::Graph;
pub(crate) use terminate::outcome;

/// What a definition comes to. Tasks that only a value names get the task definitions that hold for unknown ones.
///
/// # Errors
/// Everything for which it cannot be run, at once.
pub fn lower(def: &WorkflowDef) -> Result<Definition, Vec<ValidationError>> {
    lower_with(def, &(Arc::new(NoTaskDefs) as Arc<dyn TaskDefs>))
}

/// As [`lower`]; tasks that only a value names get their task definitions from `defs`.
///
/// # Errors
/// Everything for which it cannot be run, at once.
pub fn lower_with(def: &WorkflowDef, defs: &Arc<dyn TaskDefs>) -> Result<Definition, Vec<ValidationError>> {
    let faults = check::tasks(&def.tasks);
    if faults.is_empty() {
        let root = Lowering { defs, first_dynamic: check::first_dynamic_fork(&def.tasks) }
            .scope(&def.tasks, "tasks");
        Ok(workflow::definition(def, root))
    } else {
        Err(faults)
    }
}

/// What is known while a definition is lowered.
#[derive(Clone, Copy)]
struct Lowering<'a> {
    defs: &'a Arc<dyn TaskDefs>,
    /// The first FORK_JOIN_DYNAMIC of the workflow: its branches have shorter names.
    first_dynamic: Option<&'a str>,
}

impl Lowering<'_> {
    /// A graph of its own.
    fn scope(&self, tasks: &[WorkflowTask], place: &str) -> Scope {
        let mut graph = Graph::default();
        graph.sequence(self, tasks, Vec::new(), place);
        graph.scope
    }
}

/// A node with all that follows from the task and its definition, whatever it does.
fn node(task: &WorkflowTask, kind: Kind, input: Payload, place: &str) -> Node {
    let def = task_def_of(task);
    Node {
        kind,
        input: Some(TemplateTree(input)),
        optional: task.optional,
        permissive: task.permissive,
        retry: policy::retry(task, &def),
        timeouts: policy::timeouts(&def),
        on_timeout: policy::on_timeout(&def),
        cache: policy::cache(
            task.cache_config.as_ref().filter(|_| policy::yields_results(&task.task_type())),
        ),
        delay: policy::seconds(task.start_delay),
        schemas: policy::schemas(&task.task_type(), &def),
        label: Some(Arc::new(label(task))),
        description: task.description.clone().unwrap_or_default(),
        ..Node::at(&task.task_reference_name, Place(place.to_owned()))
    }
}

/// As the wire calls it.
fn label(task: &WorkflowTask) -> Label {
    let (task_type, definition) = names(task, &task.task_type());
    Label { task_type, definition, optional: task.optional }
}

/// What a task is given: its parameters, and what its definition's template has for keys that are missing or `null`.
fn input(task: &WorkflowTask) -> Payload {
    let own = &task.input_parameters.0;
    let template = task.task_definition.as_ref().map(|def| &def.input_template.0);
    match template.and_then(Payload::entries) {
        Some(template) if !template.is_empty() => filled(own, template),
        Some(_) | None => own.clone(),
    }
}

/// What takes the place of values that turn out to be nothing.
fn input_template(task: &WorkflowTask) -> Option<TemplateTree> {
    let template = task.task_definition.as_ref().map(|def| &def.input_template.0)?;
    (!json::is_empty(template)).then(|| TemplateTree(template.clone()))
}

fn filled(own: &Payload, template: Vec<(Arc<str>, Payload)>) -> Payload {
    let mut entries = own.entries().unwrap_or_default();
    entries.retain(|(key, value)| !value.is_null() || !template.iter().any(|(known, _)| known == key));
    let missing: Vec<_> =
        template.into_iter().filter(|(key, _)| !entries.iter().any(|(known, _)| known == key)).collect();
    entries.extend(missing);
    Payload::Object(entries.into())
}

/// A payload in which nothing is filled in.
fn shielded(payload: &Payload) -> Payload {
    let text = payload.render();
    if text.contains("${") || text.contains("\\u0024") || text.contains("\\u007") {
        Payload::from(partitur_model::RawJson::trusted(json::shielded(&text)))
    } else {
        payload.clone()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
