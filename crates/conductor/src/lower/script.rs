//! INLINE, LAMBDA and JSON_JQ_TRANSFORM; scripts of switches and loops.
//!
//! The source of a script is a template: Conductor fills values into those that stand among the parameters of a task. Those
//! that stand elsewhere are shielded.

use partitur_model::Payload;
use partitur_model::definition::{Evaluate, Kind, Node, TemplateTree};

use super::{input, node};
use crate::json;
use crate::wire::WorkflowTask;

/// Languages in which expressions are written.
pub fn language(evaluator: Option<&str>) -> Option<&'static str> {
    match evaluator.unwrap_or("javascript") {
        "javascript" | "graaljs" => Some("javascript"),
        VALUE_PARAM => Some(VALUE_PARAM),
        _ => None,
    }
}

/// The expression is the name of a key of the input.
pub const VALUE_PARAM: &str = "value-param";

/// INLINE.
pub fn inline(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let text = |key: &str| input.member(key).and_then(|value| json::text(&value));
    let expression = text("expression").unwrap_or_default();
    let evaluate = match language(text("evaluatorType").as_deref()) {
        Some("javascript") => javascript(expression, input.clone()),
        Some(_) | None => {
            let value = input.member(&expression).unwrap_or_default();
            Evaluate::Tree(TemplateTree(Payload::object([("result", value)])))
        }
    };
    node(task, Kind::Evaluate(evaluate), input, place)
}

/// LAMBDA: its script is the body of a function, and may be tried again when it fails.
pub fn lambda(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let body = input.member("scriptExpression").and_then(|value| json::text(&value));
    let body = body.or_else(|| task.script_expression.clone()).unwrap_or_default();
    let (language, source) = ("lambda".to_owned(), body);
    let evaluate = Evaluate::Script { language, source, input: TemplateTree(input.clone()) };
    node(task, Kind::Evaluate(evaluate), input, place)
}

/// JSON_JQ_TRANSFORM.
pub fn jq(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let source = input.member("queryExpression").and_then(|value| json::text(&value)).unwrap_or_default();
    let evaluate = Evaluate::Script { language: "jq".to_owned(), source, input: TemplateTree(input.clone()) };
    node(task, Kind::Evaluate(evaluate), input, place)
}

/// JavaScript over an input.
fn javascript(source: String, input: Payload) -> Evaluate {
    Evaluate::Script { language: "javascript".to_owned(), source, input: TemplateTree(input) }
}

/// JavaScript in which nothing is filled in.
pub fn fixed_javascript(source: &str, input: Payload) -> Evaluate {
    javascript(source.replace("${", "$${"), input)
}

/// The value under a key of an input; `null` if there is none.
pub fn parameter(input: &Payload, key: &str) -> Evaluate {
    Evaluate::Tree(TemplateTree(input.member(key).unwrap_or_default()))
}
