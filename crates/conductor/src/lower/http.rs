//! HTTP and HTTP_POLL: calls that the server makes itself.

use partitur_model::definition::{Kind, Node, Remote, TemplateTree};

use super::{input, input_template, node, policy};
use crate::freeze::task_def_of;
use crate::json;
use crate::wire::WorkflowTask;

/// A call of this type.
pub fn call(task: &WorkflowTask, task_type: &str, place: &str) -> Node {
    let input = json::with(&input(task), [("asyncComplete", task.async_complete.into())]);
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
