//! WAIT, HUMAN and YIELD.

use partitur_model::definition::{Kind, Node, Template, Wait, WaitFor};

use super::{input, node};
use crate::json;
use crate::wire::WorkflowTask;

/// WAIT: for a span, until a point in time, or for a signal.
pub fn wait(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let text =
        |key: &str| input.member(key).map(|value| json::plain(&value)).filter(|text| !text.trim().is_empty());
    let what = match (text("duration"), text("until")) {
        (Some(duration), _) => WaitFor::Duration(Template(duration)),
        (None, Some(until)) => WaitFor::Until(Template(until)),
        (None, None) => WaitFor::Signal,
    };
    node(task, Kind::Wait(Wait { what, at_most: None }), input, place)
}

/// HUMAN and YIELD: for a signal.
pub fn signal(task: &WorkflowTask, place: &str) -> Node {
    node(task, Kind::Wait(Wait { what: WaitFor::Signal, at_most: None }), input(task), place)
}
