//! The chain of tasks that determined when the run ended: from the task that ended last back to the predecessor that it
//! waited for longest, and so on to the beginning.

use std::time::Duration;

use partitur_model::definition::Kind;
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
    let mut next = cast.last(None);
    while let Some(at) = next
        && left > 0
    {
        left -= 1;
        if let Some(inner) = cast.last_inside(at) {
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
        let container = cast.container(scope)?;
        if let Some(previous) = iteration_before(cast, container, scope) {
            return Some(previous);
        }
        at = container;
    }
}

fn predecessor(cast: &Cast<'_>, at: usize) -> Option<usize> {
    let ended = cast.before(at).filter(|&from| cast.tasks[from].ended.is_some());
    ended.max_by_key(|&from| cast.tasks[from].ended)
}

fn iteration_before(cast: &Cast<'_>, container: usize, scope: ScopeRef) -> Option<usize> {
    let is_loop = cast.node(container).is_some_and(|node| matches!(node.kind, Kind::Loop(_)));
    if !is_loop || scope.index <= 1 {
        return None;
    }
    cast.last(Some(ScopeRef { index: scope.index - 1, ..scope }))
}
