//! No task begins before its predecessors have ended as its edges demand.

use partitur_engine::Effect;
use partitur_model::RunId;
use partitur_model::change::Change;
use partitur_model::definition::{Definition, Dialect, Edge, Guard, Kind, Node, Scope, Trigger};
use partitur_model::record::{ScopeRef, StopCause, TaskOutcome, TaskRecord, TaskState};

use super::{Checker, Scene, Seen, durable};
use crate::rows::{Rows, is_past};

/// Knows edges, and nothing of counters.
pub struct Order;

impl Checker for Order {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Commit(changes) => committed(scene, changes),
            Seen::Effect(Effect::Dispatch { dispatch, .. }) if !dispatch.undo => {
                let Some(record) = durable::find(scene, dispatch.attempt) else {
                    // Its run is removed: the rule of hand-outs has looked at that.
                    return Ok(());
                };
                let run = scene.durable.run(record.run).ok_or("a dispatch of an unknown run")?;
                let row = scene.durable.task(record.run, record.seq);
                if row.is_some_and(|row| matches!(row.state, TaskState::Stopping { .. })) {
                    return Ok(());
                }
                complain(scene.durable, scene.documents.of(run), record)
            }
            // A task that a worker gets is looked at when its row says that it is ready.
            Seen::Effect(
                Effect::Dispatch { .. }
                | Effect::Stop(_)
                | Effect::Evaluate { .. }
                | Effect::HandOut { .. }
                | Effect::Resolve { .. }
                | Effect::Load(_)
                | Effect::Reply { .. }
                | Effect::Event(_),
            )
            | Seen::Rest
            | Seen::Idle
            | Seen::Started(_)
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

/// Rows that say that a task has begun, against the rows of its predecessors as the same batch leaves them.
fn committed(scene: &Scene<'_>, changes: &[Change]) -> Result<(), String> {
    let begins = |task: &TaskRecord| match task.state {
        TaskState::Blocked | TaskState::Ended(TaskOutcome::Skipped | TaskOutcome::Cancelled) => false,
        // It began and was reset within one batch, with what it depends on.
        TaskState::Stopping { cause: StopCause::Reset, .. } => false,
        TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Backoff { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open
        | TaskState::Ended(TaskOutcome::Succeeded | TaskOutcome::Failed | TaskOutcome::TimedOut) => true,
    };
    // It began and was reset within one batch, and waits for what is inside it to stop.
    let closes = |task: &TaskRecord| task.state == TaskState::Open && task.error.is_some();
    let begun: Vec<&TaskRecord> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Task(task) => Some(&**task),
            Change::Node(_)
            | Change::Definition(_)
            | Change::Run(_)
            | Change::RemoveTask(..)
            | Change::RemoveRun(_)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => None,
        })
        .filter(|task| begins(task) && !closes(task) && !is_past(task))
        .filter(|task| {
            let before = scene.decided.task(task.run, task.seq);
            // A join of a server's run waits from the moment its fork begins, and is looked at when it is done.
            let may_be_done = task.served.is_some() && task.state.is_ended();
            before.is_none_or(|before| match before.state {
                TaskState::Blocked => true,
                TaskState::Waiting { .. } => may_be_done,
                TaskState::Ready
                | TaskState::Running { .. }
                | TaskState::Stopping { .. }
                | TaskState::Backoff { .. }
                | TaskState::Open
                | TaskState::Ended(_) => false,
            })
        })
        .collect();
    if begun.is_empty() {
        return Ok(());
    }
    let mut after = Rows::default();
    for task in &begun {
        // Only these runs matter; copying all rows for each batch would be slow.
        if after.run(task.run).is_none() {
            scene.decided.copy_run(task.run, &mut after);
        }
    }
    changes.iter().for_each(|change| after.apply(change));
    begun.into_iter().try_for_each(|task| {
        let Some(run) = after.run(task.run) else {
            // The run goes with this batch, and all of its rows with it.
            let left = after.task(task.run, task.seq);
            return left.map_or(Ok(()), |left| Err(format!("`{}` is left of a removed run", left.path)));
        };
        let definition = scene.documents.of(run);
        let before = scene.decided.task(task.run, task.seq);
        let waited = before.is_some_and(|before| matches!(before.state, TaskState::Waiting { .. }));
        let node = after.node(definition, task);
        if waited && node.is_none_or(|node| !matches!(node.kind, Kind::Join(_))) {
            return Ok(());
        }
        complain(&after, definition, task)
    })
}

fn complain(rows: &Rows, definition: &Definition, task: &TaskRecord) -> Result<(), String> {
    match unmet(rows, definition, task) {
        None => Ok(()),
        Some(problem) => Err(format!("`{}` of {:?} begins: {problem}", task.path, task.run)),
    }
}

/// What the rows lack for the task to begin; `None` if nothing.
pub fn unmet(rows: &Rows, definition: &Definition, task: &TaskRecord) -> Option<String> {
    let Some(scope) = rows.scope(definition, task) else { return Some("it stands nowhere".into()) };
    let at = scope.nodes.iter().position(|node| node.name == *task.node)? as u32;
    let node = &scope.nodes[at as usize];
    let of = |edge: &Edge| {
        let from = &scope.nodes[edge.from as usize];
        (from, rows.of_node(task.run, task.scope, &from.name))
    };
    let edges: Vec<&Edge> = scope.edges.iter().filter(|edge| edge.to == at).collect();
    if task.served.is_some()
        && matches!(node.kind, Kind::Join(_))
        && matches!(task.state, TaskState::Waiting { .. })
    {
        return None;
    }
    let serves = definition.dialect == Dialect::Conductor;
    let is_taken = |edge: &&&Edge| {
        let (from, row) = of(edge);
        row.is_some_and(|row| taken(&edge.guard, from, row, serves))
    };
    let is_open = |edge: &&&Edge| match of(edge).1 {
        Some(row) => !row.state.is_ended(),
        None => !is_dead(rows, scope, (task.run, task.scope), edge.from, serves),
    };
    let met = match (&node.kind, node.trigger) {
        (Kind::Join(join), _) => {
            let has_failed = |edge: &&Edge| {
                let (from, row) = of(edge);
                !from.optional && row.is_some_and(failed)
            };
            !edges.iter().any(|edge| is_open(&edge)) || (!join.permissive && edges.iter().any(has_failed))
        }
        (_, Trigger::Any) => edges.is_empty() || edges.iter().any(|edge| is_taken(&edge)),
        (_, Trigger::All) => edges.iter().all(|edge| is_taken(&edge)),
    };
    if met {
        return None;
    }
    let missing = edges.iter().find(|edge| !is_taken(edge))?;
    let (from, row) = of(missing);
    Some(format!("`{}` is {:?}, and the edge wants {:?}", from.name, row.map(|row| row.state), missing.guard))
}

/// A run, and the branch or iteration in it.
type Place = (RunId, Option<ScopeRef>);

/// Whether a node without a row will not be reached: no edge into it can be taken any more.
pub fn is_dead(rows: &Rows, scope: &Scope, place: Place, at: u32, serves: bool) -> bool {
    let edges: Vec<&Edge> = scope.edges.iter().filter(|edge| edge.to == at).collect();
    let cannot_be_taken = |edge: &&&Edge| {
        let from = &scope.nodes[edge.from as usize];
        match rows.of_node(place.0, place.1, &from.name) {
            Some(row) => row.state.is_ended() && !taken(&edge.guard, from, row, serves),
            None => is_dead(rows, scope, place, edge.from, serves),
        }
    };
    let node = &scope.nodes[at as usize];
    let opener = match &node.kind {
        Kind::Join(join) => join.opened_by,
        _ => None,
    };
    match (opener, node.trigger) {
        // A join is not reached if its fork is not.
        (Some(opener), _) => is_dead(rows, scope, place, opener, serves),
        (None, Trigger::Any) => !edges.is_empty() && edges.iter().all(|edge| cannot_be_taken(&edge)),
        (None, Trigger::All) => edges.iter().any(|edge| cannot_be_taken(&edge)),
    }
}

/// Whether an edge is taken at the end of `row`, by the words of its definition.
fn taken(guard: &Guard, node: &Node, row: &TaskRecord, serves: bool) -> bool {
    let TaskState::Ended(outcome) = row.state else { return false };
    let excused = node.optional || node.permissive;
    let good = outcome == TaskOutcome::Succeeded || (failed(row) && excused);
    let by_hand = row.served.as_ref().is_some_and(|served| served.skipped_by_hand);
    let name = if row.served.is_some() { "selectedCase" } else { "case" };
    let case = || Some(row.output.as_ref()?.member(name)?.to_value().as_str()?.to_owned());
    match guard {
        Guard::Success => good,
        Guard::Failure => failed(row),
        Guard::Any => true,
        // A switch leads on through its cases, unless it was left out by hand.
        Guard::Continue if serves && matches!(node.kind, Kind::Switch(_)) => by_hand,
        // A step that was not reached leads nowhere; one that was left out by hand leads on.
        Guard::Continue if serves => good || by_hand,
        Guard::Continue => good || outcome == TaskOutcome::Skipped,
        Guard::Case(wanted) => case().as_ref() == Some(wanted),
        Guard::DefaultCase => match &node.kind {
            Kind::Switch(switch) => case().is_some_and(|case| !switch.cases.contains(&case)),
            _ => false,
        },
    }
}

fn failed(row: &TaskRecord) -> bool {
    matches!(
        row.state,
        TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut | TaskOutcome::Cancelled)
    )
}
