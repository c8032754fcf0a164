//! FORK_JOIN, JOIN and EXCLUSIVE_JOIN.

use partitur_model::Payload;
use partitur_model::definition::{Guard, Join, Kind, Node, Trigger};

use super::sequence::{Exit, Graph};
use super::{Lowering, input, node};
use crate::TaskType;
use crate::json;
use crate::wire::WorkflowTask;

/// Adds a fork and its branches.
pub fn fork(
    graph: &mut Graph,
    lowering: &Lowering<'_>,
    task: &WorkflowTask,
    entries: Vec<Exit>,
    place: &str,
) -> u32 {
    let fork = graph.follow(node(task, Kind::Noop, input(task), place), entries);
    for (at, branch) in task.fork_tasks.iter().enumerate() {
        let place = format!("{place}.forkTasks[{at}]");
        // Where a branch ends nothing follows: the JOIN waits for the tasks that it names.
        graph.sequence(lowering, branch, vec![(fork, Guard::Continue)], &place);
    }
    fork
}

/// Adds the JOIN of a fork. It begins to wait when the fork begins, after the first tasks of all branches.
pub fn join(graph: &mut Graph, task: &WorkflowTask, fork: u32, place: &str) -> Vec<Exit> {
    let joined = joined(graph, task);
    let permissive =
        task.permissive || joined.iter().any(|&node| graph.scope.nodes[node as usize].permissive);
    let join = Join { permissive, opened_by: Some(fork), exclusive: false };
    let join = graph.add(node(task, Kind::Join(join), join_input(task), place));
    let place = graph.scope.nodes[join as usize].place.clone();
    graph.edge(fork, join, Guard::Any, &place);
    for node in joined {
        if node != fork {
            graph.edge(node, join, Guard::Any, &place);
        }
    }
    vec![(join, Guard::Continue)]
}

/// Adds a JOIN that follows no fork: it begins to wait when what stands before it has ended.
pub fn lone_join(graph: &mut Graph, task: &WorkflowTask, entries: Vec<Exit>, place: &str) -> Vec<Exit> {
    let gate = graph.gate(&task.task_reference_name, entries, place);
    join(graph, task, gate, place)
}

/// Adds an EXCLUSIVE_JOIN: it yields what the first of the tasks that it names has, and otherwise what led to it.
pub fn exclusive_join(graph: &mut Graph, task: &WorkflowTask, entries: Vec<Exit>, place: &str) -> Vec<Exit> {
    let join = Join { exclusive: true, ..Join::default() };
    let join = node(task, Kind::Join(join), join_input(task), place);
    let join = graph.add(Node { trigger: Trigger::Any, ..join });
    let sources = joined(graph, task);
    let place = graph.scope.nodes[join as usize].place.clone();
    for &node in &sources {
        graph.edge(node, join, Guard::Continue, &place);
    }
    for (node, guard) in entries {
        if !sources.contains(&node) {
            graph.edge(node, join, guard, &place);
        }
    }
    vec![(join, Guard::Continue)]
}

/// The nodes that a JOIN names, each once. The checks see to it that they are there.
fn joined(graph: &Graph, task: &WorkflowTask) -> Vec<u32> {
    let mut nodes = Vec::new();
    for node in task.join_on.iter().filter_map(|name| graph.find(name)) {
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    nodes
}

/// What a JOIN shows of itself.
fn join_input(task: &WorkflowTask) -> Payload {
    let names = |names: &[String]| Payload::list(names.iter().map(|name| Payload::string(name)));
    let input = json::with(&json::empty_object(), [("joinOn", names(&task.join_on))]);
    match task.task_type() {
        TaskType::ExclusiveJoin => {
            json::with(&input, [("defaultExclusiveJoinTask", names(&task.default_exclusive_join_task))])
        }
        _ => input,
    }
}
