//! TERMINATE.

use partitur_model::Payload;
use partitur_model::definition::{Kind, Node, Template, TemplateTree, Terminate};
use partitur_model::record::RunOutcome;

use super::{input, node};
use crate::json;
use crate::wire::WorkflowTask;

/// As what a TERMINATE ends its run; nothing for a word that is none.
pub fn outcome(status: &str) -> Option<RunOutcome> {
    match status {
        "COMPLETED" => Some(RunOutcome::Succeeded),
        "FAILED" => Some(RunOutcome::Failed),
        "TERMINATED" => Some(RunOutcome::Cancelled),
        _ => None,
    }
}

/// TERMINATE. Without an output of its own the run yields what its definition says.
pub fn terminate(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let text =
        |key: &str| input.member(key).filter(|value| !value.is_null()).map(|value| json::plain(&value));
    let terminate = Terminate {
        outcome: text("terminationStatus").and_then(|status| outcome(&status)).unwrap_or(RunOutcome::Failed),
        output: TemplateTree(output(input.member("workflowOutput"))),
        reason: Template(text("terminationReason").unwrap_or_default()),
    };
    node(task, Kind::Terminate(terminate), input, place)
}

/// An object stands for itself; what an expression yields is only known later; everything else is wrapped.
fn output(written: Option<Payload>) -> Payload {
    match written {
        None => json::empty_object(),
        Some(value) if value.is_null() => json::empty_object(),
        Some(value) if json::is_object(&value) => value,
        Some(value) if json::text(&value).is_some_and(|text| text.contains("${")) => value,
        Some(value) => Payload::object([("output", value)]),
    }
}
