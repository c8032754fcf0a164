//! A rollback undoes everything that the run did, each task after everything that depended on it.

use std::collections::BTreeSet;

use partitur_engine::Effect;
use partitur_model::change::Change;
use partitur_model::definition::{Definition, Scope};
use partitur_model::record::{RunOutcome, RunState, ScopeRef, TaskOutcome, TaskRecord, TaskState, UndoState};

use super::{Checker, Scene, Seen};
use crate::rows::Rows;

/// Reads dependencies off the definition.
pub struct Undoing;

impl Checker for Undoing {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Effect(Effect::Dispatch { dispatch, .. }) if dispatch.undo => {
                let run = scene.durable.run(dispatch.attempt.run).ok_or("the run has no row")?;
                let task = scene.durable.task(run.id, dispatch.attempt.task).ok_or("the task has no row")?;
                let definition = scene.documents.of(run);
                match successor_not_undone(scene.durable, definition, task) {
                    Some(other) => {
                        Err(format!("`{}` of {:?} is undone before `{other}`", task.path, task.run))
                    }
                    None => Ok(()),
                }
            }
            Seen::Commit(changes) => changes.iter().try_for_each(|change| match change {
                Change::Run(run) if run.state == RunState::Ended(RunOutcome::RolledBack) => {
                    let mut rows = Rows::default();
                    scene.decided.copy_run(run.id, &mut rows);
                    changes.iter().for_each(|change| rows.apply(change));
                    nothing_left(&rows, scene.documents.of(run), run.id)
                }
                Change::Run(_)
                | Change::Node(_)
                | Change::Definition(_)
                | Change::Task(_)
                | Change::RemoveTask(..)
                | Change::RemoveRun(_)
                | Change::Breaker(_)
                | Change::Entry(_)
                | Change::Note(_)
                | Change::Log(..) => Ok(()),
            }),
            Seen::Effect(_)
            | Seen::Rest
            | Seen::Idle
            | Seen::Started(_)
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

fn nothing_left(rows: &Rows, definition: &Definition, run: partitur_model::RunId) -> Result<(), String> {
    match rows.tasks(run).find(|task| has_left_something(rows, definition, task)) {
        Some(task) => Err(format!("{run:?} is rolled back, and `{}` is not undone", task.path)),
        None => Ok(()),
    }
}

/// Whether the task did something that its compensation would undo, and has not.
fn has_left_something(rows: &Rows, definition: &Definition, task: &TaskRecord) -> bool {
    let can_be_undone = rows.node(definition, task).is_some_and(|node| node.undo.is_some());
    can_be_undone
        && task.state == TaskState::Ended(TaskOutcome::Succeeded)
        && !task.cached
        && task.undo != UndoState::Done
}

/// A task that depends on this one, in its graph or in one around it, and has not been undone.
fn successor_not_undone(rows: &Rows, definition: &Definition, task: &TaskRecord) -> Option<String> {
    let mut at = task;
    loop {
        let scope = rows.scope(definition, at)?;
        let after = descendants(scope, &at.node);
        let found = rows.tasks(task.run).find(|other| {
            is_below(rows, other, at.scope, &after) && has_left_something(rows, definition, other)
        });
        if let Some(found) = found {
            return Some(found.path.to_string());
        }
        at = rows.task(task.run, at.scope?.container)?;
    }
}

/// Whether the task is one of these nodes, or inside one of them.
fn is_below(rows: &Rows, task: &TaskRecord, scope: Option<ScopeRef>, nodes: &BTreeSet<&str>) -> bool {
    let mut at = task;
    loop {
        if at.scope == scope {
            return nodes.contains(&*at.node);
        }
        let Some(container) = at.scope.and_then(|place| rows.task(task.run, place.container)) else {
            return false;
        };
        at = container;
    }
}

fn descendants<'a>(scope: &'a Scope, node: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<u32> =
        (0..).zip(&scope.nodes).filter(|(_, n)| n.name == node).map(|(at, _)| at).collect();
    while let Some(at) = todo.pop() {
        for edge in scope.edges.iter().filter(|edge| edge.from == at) {
            if found.insert(&*scope.nodes[edge.to as usize].name) {
                todo.push(edge.to);
            }
        }
    }
    found
}
