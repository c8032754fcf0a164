//! What stands in definitions in another language: whether it can be read, only who knows the language can say.

use std::sync::Arc;

use super::workflow::{schemas, under};
use super::{task, walk};
use crate::TaskType;
use crate::wire::{SchemaDef, TaskDef, ValidationError, WorkflowDef, WorkflowTask};

/// Source code, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where.
    pub path: String,
    /// `schema` or `javascript`.
    pub language: &'static str,
    /// The source code.
    pub text: Arc<str>,
}

/// All that is certain before a run begins: schemas that are obeyed, conditions into which nothing is filled.
pub fn sources(def: &WorkflowDef, prefix: &str) -> Vec<Source> {
    let mut found = Vec::new();
    if def.enforce_schema {
        found.extend(of_schemas(prefix, &def.input_schema, &def.output_schema));
    }
    walk(&def.tasks, &format!("{prefix}.tasks"), &mut |task, path| {
        found.extend(task::poll_condition(task).filter(|(_, text)| !text.contains("${")).map(
            |(place, text)| Source {
                path: format!("{path}.inputParameters.{place}"),
                language: "javascript",
                text: text.into(),
            },
        ));
        found.extend(switch_expression(task).map(|text| Source {
            path: path.to_owned(),
            language: "javascript",
            text: text.into(),
        }));
        if let Some(def) = task.task_definition.as_deref().filter(|def| def.enforce_schema) {
            let path = format!("{path}.taskDefinition");
            found.extend(of_schemas(&path, &def.input_schema, &def.output_schema));
        }
    });
    found
}

/// The script that chooses among the cases of a SWITCH, unless something is filled into it.
fn switch_expression(task: &WorkflowTask) -> Option<&str> {
    let is_script = matches!(task.evaluator_type.as_deref(), Some("javascript" | "graaljs"));
    let text = task.expression.as_deref().filter(|text| !text.contains("${"))?;
    (task.task_type() == TaskType::Switch && is_script).then_some(text)
}

/// Those of a task definition.
pub fn sources_of_task_def(def: &TaskDef, prefix: &str) -> Vec<Source> {
    match def.enforce_schema {
        true => of_schemas(prefix, &def.input_schema, &def.output_schema).collect(),
        false => Vec::new(),
    }
}

/// That of a schema by itself.
pub fn sources_of_schema(schema: &SchemaDef, path: &str) -> Vec<Source> {
    let source = |text| Source { path: path.to_owned(), language: "schema", text };
    schema.source().map(source).into_iter().collect()
}

/// The schemas that a frozen definition obeys and that are nowhere.
pub fn unknown_schemas(def: &WorkflowDef) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if def.enforce_schema {
        schemas([("inputSchema", &def.input_schema), ("outputSchema", &def.output_schema)], &mut faults);
    }
    walk(&def.tasks, "tasks", &mut |task, path| faults.extend(unknown_to(task, path)));
    faults
}

fn unknown_to(task: &WorkflowTask, path: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if let Some(def) = task.task_definition.as_deref().filter(|def| def.enforce_schema) {
        schemas([("inputSchema", &def.input_schema), ("outputSchema", &def.output_schema)], &mut faults);
    }
    under(&format!("{path}.taskDefinition"), faults)
}

fn of_schemas<'a>(
    prefix: &'a str,
    input: &'a Option<SchemaDef>,
    output: &'a Option<SchemaDef>,
) -> impl Iterator<Item = Source> + 'a {
    [("inputSchema", input), ("outputSchema", output)].into_iter().filter_map(move |(name, schema)| {
        let text = schema.as_ref()?.source()?;
        Some(Source { path: format!("{prefix}.{name}"), language: "schema", text })
    })
}
