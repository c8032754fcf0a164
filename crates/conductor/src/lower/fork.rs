//! FORK_JOIN, JOIN and EXCLUSIVE_JOIN.

use partitur_model::Payload;
use partitur_model::definition::{Evaluate, Guard, Join, Kind, TemplateTree, Trigger};

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
        // If it is left out, so are its branches.
        graph.sequence(lowering, branch, vec![(fork, Guard::Success)], &place);
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
    // Where the fork is not reached, the join is not either.
    graph.edge(fork, join, Guard::Continue, &place);
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

/// Adds an EXCLUSIVE_JOIN: it yields what the first of the tasks that it names has, and otherwise what its default has.
pub fn exclusive_join(graph: &mut Graph, task: &WorkflowTask, entries: Vec<Exit>, place: &str) -> Vec<Exit> {
    let named = joined(graph, task);
    let (direct, others): (Vec<Exit>, Vec<Exit>) =
        entries.into_iter().partition(|(node, _)| named.contains(node));
    let mut sources: Vec<Exit> = named.into_iter().map(|node| (node, Guard::Continue)).collect();
    for exit in direct {
        if !sources.contains(&exit) {
            sources.push(exit);
        }
    }
    if !others.is_empty() {
        sources.push((default_of(graph, task, others, place), Guard::Continue));
    }
    let join = Join { exclusive: true, ..Join::default() };
    let join = graph.follow(node(task, Kind::Join(join), join_input(task), place), sources);
    graph.scope.nodes[join as usize].trigger = Trigger::Any;
    vec![(join, Guard::Continue)]
}

/// Adds the point that is reached when nothing was executed that the join names: it yields what its default has.
fn default_of(graph: &mut Graph, task: &WorkflowTask, entries: Vec<Exit>, place: &str) -> u32 {
    let gate = graph.gate(&task.task_reference_name, entries, place);
    if let Some(name) = task.default_exclusive_join_task.first() {
        let output = Payload::string(&format!("${{{name}.output}}"));
        graph.scope.nodes[gate as usize].kind = Kind::Evaluate(Evaluate::Tree(TemplateTree(output)));
    }
    gate
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
