//! No task begins before its predecessors have ended as its edges demand.

use partitur_engine::Effect;
use partitur_model::change::Change;
use partitur_model::definition::{Definition, Edge, Guard, Kind, Node, Trigger};
use partitur_model::record::{StopCause, TaskOutcome, TaskRecord, TaskState};

use super::{Checker, Scene, Seen, durable};
use crate::rows::Rows;

/// Knows edges, and nothing of counters.
pub struct Order;

impl Checker for Order {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Commit(changes) => committed(scene, changes),
            Seen::Effect(Effect::Dispatch { dispatch, .. }) if !dispatch.undo => {
                let record = durable::find(scene, dispatch.attempt).ok_or("a dispatch of an unknown task")?;
                let run = scene.durable.run(record.run).ok_or("a dispatch of an unknown run")?;
                let row = scene.durable.task(record.run, record.seq);
                if row.is_some_and(|row| matches!(row.state, TaskState::Stopping { .. })) {
                    return Ok(());
                }
                complain(scene.durable, scene.documents.of(run), record)
            }
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
            | Seen::Killed => Ok(()),
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
            | Change::Log(..) => None,
        })
        .filter(|task| begins(task) && !closes(task))
        .filter(|task| {
            let before = scene.decided.task(task.run, task.seq);
            before.is_none_or(|before| matches!(before.state, TaskState::Blocked))
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
        let run = after.run(task.run).ok_or("a task without a run")?;
        complain(&after, scene.documents.of(run), task)
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
    let is_taken = |edge: &&&Edge| {
        let (from, row) = of(edge);
        row.is_some_and(|row| taken(&edge.guard, from, row))
    };
    let is_open = |edge: &&&Edge| of(edge).1.is_none_or(|row| !row.state.is_ended());
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

/// Whether an edge is taken at the end of `row`, by the words of its definition.
fn taken(guard: &Guard, node: &Node, row: &TaskRecord) -> bool {
    let TaskState::Ended(outcome) = row.state else { return false };
    let good = outcome == TaskOutcome::Succeeded || (failed(row) && node.optional);
    let case = || Some(row.output.as_ref()?.member("case")?.to_value().as_str()?.to_owned());
    match guard {
        Guard::Success => good,
        Guard::Failure => failed(row),
        Guard::Any => true,
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
