//! FORK_JOIN_DYNAMIC and DYNAMIC: what is done follows from a value.

use std::sync::Arc;

use partitur_model::definition::{Expand, Expander, Kind, Node, TemplateTree};

use super::expander::{DynamicFork, DynamicTask};
use super::{Lowering, input, node};
use crate::wire::WorkflowTask;

/// FORK_JOIN_DYNAMIC, without its JOIN.
pub fn fork(lowering: &Lowering<'_>, task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let expander = DynamicFork {
        task: task.clone(),
        is_first: lowering.first_dynamic == Some(&task.task_reference_name),
        defs: lowering.defs.clone(),
    };
    let expand = Expand {
        input: TemplateTree(input.clone()),
        expander: Expander(Arc::new(expander)),
        stands_for_branch: false,
    };
    node(task, Kind::Expand(Box::new(expand)), input, place)
}

/// DYNAMIC.
pub fn task(lowering: &Lowering<'_>, task: &WorkflowTask, place: &str) -> Node {
    let input = input(task);
    let expander = DynamicTask { task: task.clone(), defs: lowering.defs.clone() };
    let expand = Expand {
        input: TemplateTree(input.clone()),
        expander: Expander(Arc::new(expander)),
        stands_for_branch: true,
    };
    // What is tried again, and what takes too long, is the task in it.
    Node {
        out_of_sight: true,
        retry: None,
        timeouts: Default::default(),
        delay: None,
        ..node(task, Kind::Expand(Box::new(expand)), input, place)
    }
}
