//! SIMPLE and workers' own types; SET_VARIABLE; NOOP.

use partitur_model::definition::{Kind, Node, Remote, TemplateTree};

use super::{Lowering, input, input_template, node, policy};
use crate::freeze::task_def_of;
use crate::json;
use crate::wire::WorkflowTask;

/// Work for the workers of a queue.
pub fn worker_task(lowering: &Lowering<'_>, task: &WorkflowTask, queue: &str, place: &str) -> Node {
    let input = input(task);
    let remote = Remote {
        task_type: queue.to_owned(),
        input: TemplateTree(input.clone()),
        input_template: input_template(task),
        limits: policy::limits(&task_def_of(task)),
        pushed: !lowering.defs.has_workers(),
        // Only system tasks go on after they are reported done.
        async_complete: false,
    };
    node(task, Kind::Remote(remote), input, place)
}

/// SET_VARIABLE.
pub fn set_variable(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    node(task, Kind::SetVariables(TemplateTree(input.clone())), input, place)
}

/// NOOP: nobody is shown what it is given.
pub fn noop(task: &WorkflowTask, place: &str) -> Node {
    node(task, Kind::Noop, json::empty_object(), place)
}
