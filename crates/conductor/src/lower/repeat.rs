//! DO_WHILE.

use partitur_model::Payload;
use partitur_model::definition::{Kind, Loop, Node, TemplateTree};

use super::{Lowering, input, node, script};
use crate::json;
use crate::wire::WorkflowTask;

/// A loop. Its condition sees, beside the input, the loop and the tasks of its body by their names; the engine adds them,
/// because what a long loop has yielded is not to be copied for each iteration.
pub fn do_while(lowering: &Lowering<'_>, task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let body = lowering.scope(&task.loop_over, &format!("{place}.loopOver"));
    let condition = task.loop_condition.as_deref().filter(|condition| !condition.trim().is_empty());
    let repeat = Loop {
        body,
        condition: condition.map(|condition| script::fixed_javascript(condition, input.clone())),
        items: items(task, &input),
        keep_last: keep_last(task).and_then(|number| u32::try_from(number).ok()).filter(|&number| number > 0),
        iterations_max: u32::MAX,
    };
    node(task, Kind::Loop(Box::new(repeat)), input, place)
}

/// The list over which it runs, if there is one.
fn items(task: &WorkflowTask, input: &Payload) -> Option<TemplateTree> {
    let own = task.items.as_deref().filter(|items| !items.trim().is_empty()).map(Payload::string);
    own.or_else(|| input.member("_items")).map(TemplateTree)
}

/// How many iterations are kept.
pub fn keep_last(task: &WorkflowTask) -> Option<i64> {
    task.parameter("keepLastN").and_then(|number| json::whole(&number))
}
