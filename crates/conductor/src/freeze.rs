//! Gives a workflow definition its task definitions, as they are when a run starts.

use partitur_model::Payload;

use crate::TaskType;
use crate::json;
use crate::wire::{self, Json, SchemaDef, TaskDef, WorkflowDef, WorkflowTask};

/// Knows what is registered.
pub trait TaskDefs: Send + Sync {
    /// The task definition of this name.
    fn task_def(&self, name: &str) -> Option<TaskDef>;

    /// The highest version of a workflow.
    fn latest_version(&self, _workflow: &str) -> Option<u32> {
        None
    }

    /// The schema of this name: of this version, or the latest for 0.
    fn schema(&self, _name: &str, _version: i64) -> Option<SchemaDef> {
        None
    }

    /// Whether workers may come for tasks. Where they cannot, their tasks are put to the process of the run itself,
    /// which says so.
    fn has_workers(&self) -> bool {
        true
    }
}

/// Nothing is registered.
pub struct NoTaskDefs;

impl TaskDefs for NoTaskDefs {
    fn task_def(&self, _: &str) -> Option<TaskDef> {
        None
    }
}

/// The definition as a run of it keeps it: with a task definition in each task that has none of its own, and with the
/// versions of the workflows that its tasks run; schemas that are only named stand as they are.
pub fn freeze(def: &WorkflowDef, defs: &dyn TaskDefs) -> WorkflowDef {
    let mut frozen = def.clone();
    fill_schemas([&mut frozen.input_schema, &mut frozen.output_schema], defs);
    freeze_tasks(&mut frozen.tasks, defs);
    frozen
}

/// Puts the schemas that were registered in the place of those that are only named.
pub fn fill_schemas(schemas: [&mut Option<SchemaDef>; 2], defs: &dyn TaskDefs) {
    for schema in schemas.into_iter().flatten().filter(|schema| schema.is_only_named()) {
        if let Some(found) = defs.schema(&schema.name, schema.version) {
            *schema = found;
        }
    }
}

fn freeze_tasks(tasks: &mut [WorkflowTask], defs: &dyn TaskDefs) {
    for task in tasks {
        freeze_task(task, defs);
    }
}

/// Freezes one task and what is in it.
pub(crate) fn freeze_task(task: &mut WorkflowTask, defs: &dyn TaskDefs) {
    if task.task_definition.is_none() {
        let found = defs.task_def(&task.name);
        task.task_definition = Some(Box::new(found.unwrap_or_else(|| unregistered(task))));
    }
    if let Some(def) = &mut task.task_definition {
        fill_schemas([&mut def.input_schema, &mut def.output_schema], defs);
    }
    freeze_version(task, defs);
    write_out_inline(task);
    for (_, tasks) in &mut task.decision_cases.0 {
        freeze_tasks(tasks, defs);
    }
    for tasks in &mut task.fork_tasks {
        freeze_tasks(tasks, defs);
    }
    freeze_tasks(&mut task.default_case, defs);
    freeze_tasks(&mut task.loop_over, defs);
}

fn freeze_version(task: &mut WorkflowTask, defs: &dyn TaskDefs) {
    let Some(params) = &mut task.sub_workflow_param else { return };
    // 0 stays open: what is the latest then is started.
    let is_open = params
        .version
        .as_ref()
        .is_none_or(|version| version.0.is_null() || json::plain(&version.0).is_empty());
    if is_open && params.workflow_definition.is_none() {
        let latest = params.name.as_deref().and_then(|name| defs.latest_version(name));
        params.version = latest.map(|version| Json(u64::from(version).into())).or(params.version.take());
    }
}

/// An inline definition stands with all its properties, like one that was registered.
fn write_out_inline(task: &mut WorkflowTask) {
    let params = task.sub_workflow_param.as_deref_mut();
    let Some(Json(inline)) = params.and_then(|params| params.workflow_definition.as_mut()) else { return };
    if json::is_object(inline)
        && let Ok(def) = wire::read::<WorkflowDef>(inline.render().as_bytes())
    {
        let text = serde_json::to_string(&def).expect("a definition is made of text and numbers");
        *inline = Payload::parse(&json::compact(&text)).expect("it was just written");
    }
}

/// The definition of a task: its own, or what holds for a task without one.
pub fn task_def_of(task: &WorkflowTask) -> TaskDef {
    task.task_definition.as_deref().cloned().unwrap_or_else(|| unregistered(task))
}

/// What holds for tasks without a definition: workers' tasks are tried again, others are not.
fn unregistered(task: &WorkflowTask) -> TaskDef {
    let name = task.name.clone();
    match task.task_type() {
        TaskType::Simple => TaskDef { name, ..TaskDef::default() },
        _ => TaskDef { name, retry_count: 0, response_timeout_seconds: 0, ..TaskDef::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    impl TaskDefs for Known {
        fn task_def(&self, name: &str) -> Option<TaskDef> {
            (name == "known").then(|| TaskDef { name: name.to_owned(), retry_count: 7, ..TaskDef::default() })
        }

        fn latest_version(&self, workflow: &str) -> Option<u32> {
            (workflow == "child").then_some(4)
        }
    }

    fn frozen(json: &str) -> WorkflowDef {
        freeze(&crate::wire::read(json.as_bytes()).unwrap(), &Known)
    }

    #[test]
    fn every_task_gets_a_definition_at_every_depth() {
        let def = frozen(
            r#"{"tasks":[
                {"name":"known","taskReferenceName":"a"},
                {"name":"other","taskReferenceName":"b","taskDefinition":{"name":"own","retryCount":1}},
                {"name":"loop","taskReferenceName":"l","type":"DO_WHILE","loopOver":[
                    {"name":"unknown","taskReferenceName":"c"}]}]}"#,
        );
        let counts = |task: &WorkflowTask| {
            let def = task.task_definition.as_ref().unwrap();
            (def.retry_count, def.response_timeout_seconds)
        };
        assert_eq!(counts(&def.tasks[0]), (7, 3600));
        assert_eq!(counts(&def.tasks[1]), (1, 3600));
        assert_eq!(counts(&def.tasks[2]), (0, 0));
        assert_eq!(counts(&def.tasks[2].loop_over[0]), (3, 3600));
    }

    #[test]
    fn an_open_version_is_the_latest_and_stays_open_if_nothing_is_known() {
        let version = |params: &str| {
            let task = format!(
                r#"{{"tasks":[{{"name":"s","taskReferenceName":"s","type":"SUB_WORKFLOW","subWorkflowParam":{params}}}]}}"#
            );
            let params = frozen(&task).tasks[0].sub_workflow_param.clone().unwrap();
            params.version.map(|version| version.0.render())
        };
        assert_eq!(version(r#"{"name":"child"}"#).as_deref(), Some("4"));
        assert_eq!(version(r#"{"name":"child","version":0}"#).as_deref(), Some("0"));
        assert_eq!(version(r#"{"name":"child","version":2}"#).as_deref(), Some("2"));
        assert_eq!(version(r#"{"name":"${x}"}"#), None);
    }
}
