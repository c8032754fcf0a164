//! Whether the names in `${…}` are those of tasks.
//!
//! Only the inputs of top-level tasks are looked at: deeper ones may name what only exists while the run lives.

use std::collections::BTreeSet;

use partitur_model::Payload;

use super::walk;
use crate::json;
use crate::wire::{ValidationError, WorkflowTask};

/// Names that stand for no task.
const RESERVED: &[&str] = &["workflow", "CPEWF_TASK_ID", "NETFLIX_ENV", "NETFLIX_STACK"];

/// The faults of the inputs of top-level tasks.
pub fn expressions(tasks: &[WorkflowTask], faults: &mut Vec<ValidationError>) {
    let mut known: BTreeSet<&str> = RESERVED.iter().copied().collect();
    walk(tasks, "", &mut |task, _| {
        known.insert(&task.task_reference_name);
    });
    for task in tasks {
        for (key, value) in task.input_parameters.0.entries().unwrap_or_default() {
            Check { task, known: &known, faults }.value(&key, &value);
        }
    }
}

struct Check<'a> {
    task: &'a WorkflowTask,
    known: &'a BTreeSet<&'a str>,
    faults: &'a mut Vec<ValidationError>,
}

impl Check<'_> {
    fn value(&mut self, key: &str, value: &Payload) {
        if let Some(text) = json::text(value) {
            self.text(key, &text);
        }
        for (key, value) in value.entries().unwrap_or_default() {
            self.value(&key, &value);
        }
        for value in value.elements().unwrap_or_default() {
            self.value(key, &value);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        for expression in expressions_in(text) {
            if expression.trim().is_empty()
                || expression.contains(char::is_whitespace) && !expression.contains('[')
            {
                let message = format!("key: {key} input parameter value: {expression} is not valid");
                self.faults.push(ValidationError::new("", message));
                continue;
            }
            let head = expression.split(['.', '[']).next().unwrap_or_default();
            if !self.known.contains(head) {
                let name = &self.task.name;
                let message = format!(
                    "taskReferenceName: {head} for given task: {name} input value: {key} of input parameter: {text} is not defined in workflow definition."
                );
                self.faults.push(ValidationError::new("", message));
            }
        }
    }
}

/// What stands between `${` and `}`, without what is escaped and without expressions that hold others.
pub(super) fn expressions_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("${") {
        let is_escaped = text[..at].ends_with('$');
        let inner = &text[at + 2..];
        if let Some(end) = inner.find('}')
            && !is_escaped
            && !inner[..end].contains("${")
        {
            found.push(&inner[..end]);
        }
    }
    found
}
