//! The workflow itself: its output, variables, time and what follows a failure.

use partitur_model::Payload;
use partitur_model::definition::{Definition, Dialect, OnFailure, Scope, TemplateTree};

use crate::json;
use crate::lower::{policy, shielded};
use crate::wire::{WorkflowDef, WorkflowTimeoutPolicy};

/// The definition around a graph.
pub fn definition(def: &WorkflowDef, root: Scope) -> Definition {
    let output = &def.output_parameters;
    Definition {
        name: def.name.clone(),
        description: def.description.clone().unwrap_or_default(),
        dialect: Dialect::Conductor,
        output: (!output.is_empty()).then(|| TemplateTree(output.0.clone())),
        root,
        on_failure: OnFailure::FailFast,
        timeout: match def.timeout_policy {
            WorkflowTimeoutPolicy::TimeOutWf => policy::seconds(def.timeout_seconds),
            WorkflowTimeoutPolicy::AlertOnly => None,
        },
        variables: TemplateTree(shielded(&def.variables.0)),
        failure_flow: def
            .failure_workflow
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(|name| failure(def, name)),
        ..Definition::default()
    }
}

/// The description of the run that follows a failure. A name that begins with `$` is that of an input: the third part
/// of `$.workflow.input.name` or `${workflow.input.name}`, as Conductor reads it.
fn failure(def: &WorkflowDef, name: &str) -> TemplateTree {
    let name = match name.strip_prefix('$').and_then(|path| path.split("input.").nth(1)) {
        Some(input) => format!("${{workflow.input.{}}}", input.trim_end_matches('}')),
        None => name.to_owned(),
    };
    let version = def.failure_workflow_version.map_or(Payload::Null, |version| u64::from(version).into());
    TemplateTree(json::with(&json::empty_object(), [("name", Payload::string(&name)), ("version", version)]))
}
