//! How tasks stand to each other: unique names, forks with their joins, joins that can end.

use std::collections::BTreeSet;

use super::{NESTING_MAX, TASKS_MAX, walk};
use crate::TaskType;
use crate::wire::{ValidationError, WorkflowTask};

/// More tasks, or nested deeper, than anything else has to bear.
pub fn too_large(tasks: &[WorkflowTask]) -> Option<ValidationError> {
    if depth(tasks) > NESTING_MAX {
        let message = format!("tasks are nested more than {NESTING_MAX} deep");
        return Some(ValidationError::new("tasks", message));
    }
    let mut count = 0;
    walk(tasks, "", &mut |_, _| count += 1);
    (count > TASKS_MAX)
        .then(|| ValidationError::new("tasks", format!("there are {count} tasks; {TASKS_MAX} are allowed")))
}

fn depth(tasks: &[WorkflowTask]) -> usize {
    let below = tasks.iter().flat_map(|task| task.children()).map(|(_, children)| depth(children)).max();
    1 + below.unwrap_or(0)
}

/// The faults of the whole.
pub fn shape(tasks: &[WorkflowTask], faults: &mut Vec<ValidationError>) {
    let mut seen = BTreeSet::new();
    walk(tasks, "tasks", &mut |task, path| {
        let name = task.task_reference_name.as_str();
        if !name.is_empty() && !seen.insert(name) {
            let message = format!(
                "taskReferenceName: {name} should be unique across tasks for a given workflowDefinition"
            );
            faults.push(ValidationError::new(path, message));
        }
    });
    Scope::default().list(tasks, "tasks", faults);
}

/// The tasks that have come before, in the same scope.
#[derive(Default)]
struct Scope<'a> {
    before: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    fn list(&mut self, tasks: &'a [WorkflowTask], path: &str, faults: &mut Vec<ValidationError>) {
        let mut fork: Option<&WorkflowTask> = None;
        for (at, task) in tasks.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let follows_dynamic = fork.is_some_and(|fork| fork.task_type() == TaskType::ForkJoinDynamic);
            self.task(task, follows_dynamic, &path, faults);
            fork = Some(task);
            let is_fork = matches!(task.task_type(), TaskType::ForkJoin | TaskType::ForkJoinDynamic);
            let is_joined = tasks.get(at + 1).is_some_and(|next| next.task_type() == TaskType::Join);
            if is_fork && !is_joined {
                let name = &task.task_reference_name;
                faults.push(ValidationError::new(
                    path,
                    format!("a fork must be followed by a JOIN: `{name}` is not"),
                ));
            }
        }
    }

    fn task(
        &mut self,
        task: &'a WorkflowTask,
        follows_dynamic: bool,
        path: &str,
        faults: &mut Vec<ValidationError>,
    ) {
        match task.task_type() {
            // What a dynamic fork is joined on follows from its branches.
            TaskType::Join if follows_dynamic => {}
            TaskType::Join | TaskType::ExclusiveJoin => self.join(task, path, faults),
            _ => {}
        }
        self.before.insert(&task.task_reference_name);
        for (step, children) in task.children() {
            let path = format!("{path}{step}");
            match task.task_type() {
                TaskType::DoWhile => Scope::default().list(children, &path, faults),
                _ => self.list(children, &path, faults),
            }
        }
    }

    /// Whatever a join waits for must have come before it; otherwise it would wait for ever.
    fn join(&self, task: &WorkflowTask, path: &str, faults: &mut Vec<ValidationError>) {
        for (at, name) in task.join_on.iter().enumerate() {
            if !self.before.contains(name.as_str()) {
                let message = format!(
                    "{} `{}` would wait for ever: no task `{name}` stands before it outside of loops",
                    task.kind.as_deref().unwrap_or_default(),
                    task.task_reference_name
                );
                faults.push(ValidationError::of(format!("{path}.joinOn[{at}]"), message, name));
            }
        }
    }
}
