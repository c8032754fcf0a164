//! The chain of tasks that determined when the run ended: from the task that ended last back to the predecessor that it
//! waited for longest, and so on to the beginning.

use std::time::Duration;

use partitur_model::record::{ScopeRef, TaskOutcome, TaskState};

use crate::story::Cast;

/// A task of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its path.
    pub path: String,
    /// From its first start to its end.
    pub took: Duration,
    /// From ready to started.
    pub queued: Duration,
}

/// The chain, first to last.
pub(crate) fn chain(cast: &Cast<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    // No chain is longer than there are tasks; the bound keeps records that contradict each other from leading in
    // circles.
    let mut left = cast.tasks.len() * 2;
    let mut next = last(cast, |_, scope| scope.is_none());
    while let Some(at) = next
        && left > 0
    {
        left -= 1;
        if let Some(inner) = last_inside(cast, at) {
            next = Some(inner);
            continue;
        }
        links.extend(link(cast, at));
        next = before(cast, at);
    }
    links.reverse();
    links
}

fn link(cast: &Cast<'_>, at: usize) -> Option<Link> {
    let task = &cast.tasks[at];
    let (started, ended) = (task.started?, task.ended?);
    let took = ended.since(started);
    let queued = started.since(task.ready);
    let skipped = task.state == TaskState::Ended(TaskOutcome::Skipped);
    let counts = !skipped && (took > Duration::ZERO || queued > Duration::ZERO || cast.works(at));
    counts.then(|| Link { path: task.path.to_string(), took, queued })
}

/// What the task waited for longest: a predecessor beside it; else the iteration before; else what its container
/// waited for.
fn before(cast: &Cast<'_>, at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        if let Some(found) = predecessor(cast, at) {
            return Some(found);
        }
        let scope = cast.tasks[at].scope?;
        if scope.index > 1 {
            let previous = ScopeRef { index: scope.index - 1, ..scope };
            let is_loop = cast.container(scope).is_some_and(|container| {
                cast.node(container)
                    .is_some_and(|node| matches!(node.kind, partitur_model::definition::Kind::Loop(_)))
            });
            if is_loop && let Some(found) = last(cast, |_, scope| scope == Some(previous)) {
                return Some(found);
            }
        }
        at = cast.container(scope)?;
    }
}

fn predecessor(cast: &Cast<'_>, at: usize) -> Option<usize> {
    let task = &cast.tasks[at];
    let graph = cast.graph(task.scope)?;
    let own = graph.nodes.iter().position(|node| node.name == *task.node)? as u32;
    graph
        .edges
        .iter()
        .filter(|edge| edge.to == own)
        .filter_map(|edge| cast.find(task.scope, &graph.nodes[edge.from as usize].name))
        .filter(|&from| cast.tasks[from].ended.is_some())
        .max_by_key(|&from| cast.tasks[from].ended)
}

/// The task inside a container that ended last.
fn last_inside(cast: &Cast<'_>, container: usize) -> Option<usize> {
    if !cast.unfolds(container) {
        return None;
    }
    let seq = cast.tasks[container].seq;
    last(cast, |_, scope| scope.is_some_and(|scope| scope.container == seq))
}

fn last(cast: &Cast<'_>, among: impl Fn(usize, Option<ScopeRef>) -> bool) -> Option<usize> {
    (0..cast.tasks.len())
        .filter(|&at| cast.tasks[at].ended.is_some() && among(at, cast.tasks[at].scope))
        .max_by_key(|&at| (cast.tasks[at].ended, cast.tasks[at].seq))
}
