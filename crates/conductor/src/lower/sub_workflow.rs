//! SUB_WORKFLOW and START_WORKFLOW.

use partitur_model::Payload;
use partitur_model::definition::{Flow, Kind, Node, SubRun, TemplateTree};

use super::{input, node, shielded};
use crate::json;
use crate::wire::{Json, SubWorkflowParams, WorkflowTask};

/// SUB_WORKFLOW: the input of the task describes the run, and holds the run's own input under `workflowInput`.
pub fn sub_workflow(task: &WorkflowTask, place: &str) -> Node {
    let input = described(task, input(task));
    let named = |key: &'static str| (key, input.member(key).unwrap_or_default());
    let description = Payload::object([named("subWorkflowName"), named("subWorkflowVersion")]);
    let flow = Flow::Wanted(TemplateTree(description));
    node(task, Kind::SubRun(SubRun { flow, input: TemplateTree(input.clone()) }), input, place)
}

/// START_WORKFLOW.
pub fn start(task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    node(task, Kind::Start(TemplateTree(input.clone())), input, place)
}

fn described(task: &WorkflowTask, own: Payload) -> Payload {
    let none = SubWorkflowParams::default();
    let params = task.sub_workflow_param.as_deref().unwrap_or(&none);
    let text = |text: &Option<String>| text.as_deref().map_or(Payload::Null, Payload::string);
    let json = |json: &Option<Json>| json.as_ref().map_or(Payload::Null, |json| json.0.clone());
    let inline = json(&params.workflow_definition);
    // Which version of what stands there itself is nobody's question.
    let version = if crate::json::is_object(&inline) { Payload::Null } else { json(&params.version) };
    Payload::object([
        ("subWorkflowDefinition", definition(&inline)),
        ("workflowInput", own),
        ("subWorkflowTaskToDomain", json(&params.task_to_domain)),
        ("idempotencyKey", text(&params.idempotency_key)),
        ("subWorkflowName", text(&params.name)),
        ("priority", json(&params.priority)),
        ("subWorkflowVersion", version),
        ("idempotencyStrategy", text(&params.idempotency_strategy)),
    ])
}

/// The inline definition. Its own expressions are those of its runs: nothing is filled into it here, unless it is one
/// expression that yields it.
fn definition(definition: &Payload) -> Payload {
    if json::is_object(definition) { shielded(definition) } else { definition.clone() }
}
