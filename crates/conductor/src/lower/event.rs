//! EVENT and PULL_WORKFLOW_MESSAGES: what the server does itself with what happens and with what its runs are told.

use partitur_model::Payload;
use partitur_model::definition::{Kind, Node, Remote, TemplateTree};

use super::{input, input_template, node, policy};
use crate::freeze::task_def_of;
use crate::json;
use crate::wire::WorkflowTask;

/// Tells others that something has happened.
pub fn event(task: &WorkflowTask, place: &str) -> Node {
    let sink = Payload::string(task.sink.as_deref().unwrap_or_default());
    let input = json::with(&input(task), [("sink", sink), ("asyncComplete", task.async_complete.into())]);
    pushed(task, "EVENT", input, place)
}

/// Waits for messages to its run.
pub fn pull_messages(task: &WorkflowTask, place: &str) -> Node {
    pushed(task, "PULL_WORKFLOW_MESSAGES", input(task), place)
}

fn pushed(task: &WorkflowTask, task_type: &str, input: Payload, place: &str) -> Node {
    let remote = Remote {
        task_type: task_type.to_owned(),
        input: TemplateTree(input.clone()),
        input_template: input_template(task),
        limits: policy::limits(&task_def_of(task)),
        pushed: true,
        async_complete: task.async_complete,
    };
    node(task, Kind::Remote(remote), input, place)
}
