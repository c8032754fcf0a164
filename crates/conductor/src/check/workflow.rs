//! What is checked when something is registered, started or reported.

use partitur_model::callback::Receiver;

use super::{NAME_MAX, expressions, tasks};
use crate::wire::{EventHandler, SchemaDef, StartWorkflowRequest, TaskResult, ValidationError, WorkflowDef};

/// All faults of a workflow definition. Paths begin with `prefix`, by which clients know the request:
/// `registerWorkflowDef.arg0`, `updateWorkflowDef.arg0[3]`.
pub fn workflow(def: &WorkflowDef, prefix: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if def.name.is_empty() {
        faults.push(ValidationError::new("name", "WorkflowDef name cannot be null or empty"));
    }
    if def.name.len() > NAME_MAX {
        faults.push(ValidationError::new("name", format!("names have at most {NAME_MAX} bytes")));
    }
    if def.schema_version != 2 {
        let message = "workflowDef schemaVersion: 2 is only supported";
        faults.push(ValidationError::of("schemaVersion", message, def.schema_version));
    }
    if def.tasks.is_empty() {
        faults.push(ValidationError::new("tasks", "WorkflowTask list cannot be empty"));
    }
    if def.enforce_schema {
        schemas([("inputSchema", &def.input_schema), ("outputSchema", &def.output_schema)], &mut faults);
    }
    faults.extend(sink(def));
    faults.extend(tasks(&def.tasks));
    expressions::expressions(&def.tasks, &mut faults);
    under(prefix, faults)
}

/// What looks like a URL must be one. Sinks of other servers stay what they are.
fn sink(def: &WorkflowDef) -> Option<ValidationError> {
    let sink =
        def.workflow_status_listener_sink.as_deref().filter(|_| def.workflow_status_listener_enabled)?;
    let is_url =
        sink.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http")) && sink.contains("://");
    let problem = Receiver::read(sink).err().filter(|_| is_url)?;
    Some(ValidationError::new("workflowStatusListenerSink", problem))
}

/// The faults of schemas that are obeyed.
pub(super) fn schemas(named: [(&str, &Option<SchemaDef>); 2], faults: &mut Vec<ValidationError>) {
    for (name, schema) in named {
        let fault = schema.as_ref().and_then(SchemaDef::fault);
        faults.extend(fault.map(|message| ValidationError::new(name, message)));
    }
}

/// All faults of a request to start a run.
pub fn start_request(request: &StartWorkflowRequest, prefix: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if request.name.is_empty() {
        faults.push(ValidationError::new("name", "Workflow name cannot be null or empty"));
    }
    if request.priority > 99 {
        faults.push(ValidationError::of("priority", "priority: 100 should be maximum 99", request.priority));
    }
    if request.priority < 0 {
        faults.push(ValidationError::of("priority", "priority: 0 should be minimum 0", request.priority));
    }
    for (at, callback) in request.callbacks.iter().enumerate() {
        if let Err((field, problem)) = callback.read() {
            faults.push(ValidationError::new(format!("callbacks[{at}].{field}"), problem));
        }
    }
    let mut faults = under(prefix, faults);
    if let Some(def) = &request.workflow_def {
        let inner = tasks(&def.tasks);
        faults.extend(under(&joined(prefix, "workflowDef"), inner));
    }
    faults
}

/// All faults of what a worker says.
pub fn task_result(result: &TaskResult, prefix: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if result.task_id.is_empty() {
        faults.push(ValidationError::new("taskId", "Task ID cannot be null or empty"));
    }
    if result.workflow_instance_id.is_empty() {
        faults.push(ValidationError::new("workflowInstanceId", "Workflow Id cannot be null or empty"));
    }
    under(prefix, faults)
}

/// All faults of an event handler.
pub fn event_handler(handler: &EventHandler, prefix: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if handler.event.is_empty() {
        faults.push(ValidationError::new("event", "Missing event location"));
    }
    if handler.name.is_empty() {
        faults.push(ValidationError::new("name", "Missing event handler name"));
    }
    if handler.actions.is_empty() {
        faults.push(ValidationError::new(
            "actions",
            "No actions specified. Please specify at-least one action",
        ));
    }
    under(prefix, faults)
}

/// The faults with their paths below `prefix`.
pub(super) fn under(prefix: &str, faults: Vec<ValidationError>) -> Vec<ValidationError> {
    let below = |fault: ValidationError| ValidationError { path: joined(prefix, &fault.path), ..fault };
    faults.into_iter().map(below).collect()
}

fn joined(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}
