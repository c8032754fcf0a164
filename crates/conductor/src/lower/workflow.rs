//! The workflow itself: its output, variables, time and what follows a failure.

use partitur_model::Payload;
use partitur_model::callback::{Callback, Moments, Receiver};
use partitur_model::definition::{
    Definition, Dialect, InputSpec, OnFailure, RunLimit, Scope, Template, TemplateTree,
};

use crate::json;
use crate::lower::{policy, shielded};
use crate::wire::{RateLimitPolicy, SchemaDef, WorkflowDef, WorkflowTimeoutPolicy};

/// The definition around a graph.
pub fn definition(def: &WorkflowDef, root: Scope) -> Definition {
    let output = &def.output_parameters;
    Definition {
        name: def.name.clone(),
        description: def.description.clone().unwrap_or_default(),
        dialect: Dialect::Conductor,
        inputs: inputs(&def.input_template.0),
        output: (!output.is_empty()).then(|| TemplateTree(output.0.clone())),
        root,
        on_failure: OnFailure::FailFast,
        timeout: match def.timeout_policy {
            WorkflowTimeoutPolicy::TimeOutWf => policy::seconds(def.timeout_seconds),
            WorkflowTimeoutPolicy::AlertOnly => None,
        },
        run_limit: run_limit(def),
        callbacks: listener(def).into_iter().collect(),
        hides_output: !def.masked_fields.is_empty(),
        cache: policy::cache(def.cache_config.as_ref()),
        output_schema: def.output_schema.as_ref().filter(|_| def.enforce_schema).and_then(SchemaDef::source),
        variables: TemplateTree(shielded(&def.variables.0)),
        failure_flow: def
            .failure_workflow
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(|name| failure(def, name)),
        ..Definition::default()
    }
}

/// Who listens: at a URL it is told whatever happens to runs, under a name what the server's settings say. Other sinks
/// belong to other servers.
fn listener(def: &WorkflowDef) -> Option<Callback> {
    let sink =
        def.workflow_status_listener_sink.as_deref().filter(|_| def.workflow_status_listener_enabled)?;
    let to = Receiver::read(sink).ok()?;
    let moments = match &to {
        Receiver::Url(_) => Some(Moments::OF_RUNS),
        Receiver::Named(_) => None,
    };
    Some(Callback { moments, ..Callback::to(to) })
}

/// How many runs live at once. Without a key all runs of the workflow count together.
fn run_limit(def: &WorkflowDef) -> Option<RunLimit> {
    let config = def.rate_limit_config.as_ref()?;
    let runs = u32::try_from(config.concurrent_exec_limit).ok().filter(|&runs| runs > 0)?;
    let key = Template(config.rate_limit_key.clone().unwrap_or_default());
    Some(RunLimit { key, runs, refuse: config.policy == RateLimitPolicy::Reject })
}

/// What a run's input is filled with.
fn inputs(template: &Payload) -> Vec<InputSpec> {
    let input = |(name, default): (std::sync::Arc<str>, Payload)| InputSpec {
        name: name.to_string(),
        default: Some(default),
        ..InputSpec::default()
    };
    template.entries().unwrap_or_default().into_iter().map(input).collect()
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
