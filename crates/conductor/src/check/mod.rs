//! What is wrong with definitions, all of it at once, under the paths by which Conductor's clients know it.
//!
//! [`workflow`] and [`task_def`] are what registering checks; [`tasks`] is what a definition must be to be run at all.

mod expressions;
mod shape;
mod sources;
mod task;
mod task_defs;
mod workflow;

pub use sources::{Source, sources, sources_of_schema, sources_of_task_def, unknown_schemas};
pub use task_defs::task_def;
pub use workflow::{event_handler, start_request, task_result, workflow};

use crate::TaskType;
use crate::wire::{ValidationError, WorkflowTask};

/// Definitions are nested no deeper.
pub const NESTING_MAX: usize = 30;

/// A definition has no more tasks.
pub const TASKS_MAX: usize = 20_000;

/// No name is longer, in bytes.
pub const NAME_MAX: usize = 1_000;

/// Everything for which tasks cannot be run. Paths begin with `tasks`.
pub fn tasks(tasks: &[WorkflowTask]) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if let Some(fault) = shape::too_large(tasks) {
        return vec![fault];
    }
    walk(tasks, "tasks", &mut |task, path| task::task(task, path, &mut faults));
    shape::shape(tasks, &mut faults);
    faults
}

/// The reference name of the first FORK_JOIN_DYNAMIC, in document order.
pub fn first_dynamic_fork(tasks: &[WorkflowTask]) -> Option<&str> {
    tasks.iter().find_map(|task| match task.task_type() {
        TaskType::ForkJoinDynamic => Some(task.task_reference_name.as_str()),
        _ => task.children().into_iter().find_map(|(_, children)| first_dynamic_fork(children)),
    })
}

/// Visits every task, those that hold others first.
fn walk<'a>(tasks: &'a [WorkflowTask], path: &str, visit: &mut impl FnMut(&'a WorkflowTask, &str)) {
    for (at, task) in tasks.iter().enumerate() {
        let path = format!("{path}[{at}]");
        visit(task, &path);
        for (step, children) in task.children() {
            walk(children, &format!("{path}{step}"), visit);
        }
    }
}

#[cfg(test)]
mod tests;
