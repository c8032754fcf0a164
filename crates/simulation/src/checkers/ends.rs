//! A task ends once unless it was reset, its attempts are counted, and a run that has ended agrees with its rows.

use partitur_engine::Effect;
use partitur_model::change::Change;
use partitur_model::definition::{Dialect, Kind};
use partitur_model::event::EventKind;
use partitur_model::record::{
    RunOutcome, RunRecord, RunState, StopCause, TaskOutcome, TaskRecord, TaskState, UndoState,
};

use super::{Checker, Scene, Seen, order};

/// Compares each row with the one before.
pub struct Ends;

impl Checker for Ends {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Commit(changes) => changes.iter().try_for_each(|change| match change {
                Change::Task(task) => self.task(scene, task),
                Change::Node(_)
                | Change::Definition(_)
                | Change::Run(_)
                | Change::RemoveTask(..)
                | Change::RemoveRun(_)
                | Change::Breaker(_)
                | Change::Entry(_)
                | Change::Note(_)
                | Change::Log(..) => Ok(()),
            }),
            Seen::Effect(Effect::Event(event)) => match event.what {
                EventKind::Run { state: RunState::Ended(outcome) } => ended(scene, event.run, outcome),
                EventKind::Run { .. }
                | EventKind::TaskReady { .. }
                | EventKind::TaskWaits { .. }
                | EventKind::TaskStarted { .. }
                | EventKind::TaskProgress { .. }
                | EventKind::TaskRetries { .. }
                | EventKind::TaskEnded { .. }
                | EventKind::UndoEnded { .. }
                | EventKind::TaskServes { .. }
                | EventKind::Limit { .. }
                | EventKind::Notice { .. } => Ok(()),
            },
            Seen::Rest => match scene.engine.quarantined().next() {
                Some(run) => Err(format!("{run:?} is set aside by a fault of the engine's own")),
                None => Ok(()),
            },
            Seen::Effect(
                Effect::Dispatch { .. }
                | Effect::Stop(_)
                | Effect::Evaluate { .. }
                | Effect::HandOut { .. }
                | Effect::Resolve { .. }
                | Effect::Load(_)
                | Effect::Reply { .. },
            )
            | Seen::Idle
            | Seen::Started(_)
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

impl Ends {
    fn task(&self, scene: &Scene<'_>, after: &TaskRecord) -> Result<(), String> {
        let Some(before) = scene.decided.task(after.run, after.seq) else { return Ok(()) };
        let same_task = before.node == after.node && before.scope == after.scope;
        if !same_task {
            // Its run was started afresh.
            return Ok(());
        }
        let ended_twice = before.state.is_ended()
            && after.state.is_ended()
            && before.generation == after.generation
            && (before.state != after.state || before.ended != after.ended);
        if ended_twice && after.child.is_none() && !lives_again(scene, after) {
            return Err(format!("`{}` of {:?} ends twice", after.path, after.run));
        }
        if after.generation < before.generation && !restarted(scene, after) {
            return Err(format!("the generation of `{}` of {:?} falls", after.path, after.run));
        }
        // A worker may have the same attempt many times.
        if after.served.is_some() { tries(scene, after) } else { self.counts(scene, before, after) }
    }

    /// Each attempt counts: as an attempt, or as a loss. One batch may hold several.
    fn counts(&self, scene: &Scene<'_>, before: &TaskRecord, after: &TaskRecord) -> Result<(), String> {
        let Some(token) = after.state.token().filter(|token| before.state.token() != Some(*token)) else {
            return Ok(());
        };
        let (used, uses) = (before.attempt + before.losses, after.attempt + after.losses);
        let was_reset = match before.state {
            TaskState::Blocked
            | TaskState::Ended(_)
            | TaskState::Stopping { cause: StopCause::Reset, .. } => true,
            TaskState::Stopping { .. }
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open => restarted(scene, after),
        };
        if uses <= used && !was_reset {
            return Err(format!(
                "attempt {token} of `{}` of {:?} is number {} with {} losses, after {} and {}",
                after.path, after.run, after.attempt, after.losses, before.attempt, before.losses,
            ));
        }
        self.not_too_many(scene, after)
    }

    fn not_too_many(&self, scene: &Scene<'_>, task: &TaskRecord) -> Result<(), String> {
        let Some(run) = scene.decided.run(task.run) else { return Ok(()) };
        let Some(node) = scene.decided.node(scene.documents.of(run), task) else { return Ok(()) };
        let most = node.retry.as_ref().map_or(1, |retry| retry.attempts);
        if task.attempt > most {
            return Err(format!("`{}` of {:?} is tried {} times", task.path, task.run, task.attempt));
        }
        Ok(())
    }
}

/// In a run of a server each try has a row: so many of them follow each other without anybody's wish.
fn tries(scene: &Scene<'_>, task: &TaskRecord) -> Result<(), String> {
    let Some(run) = scene.decided.run(task.run) else { return Ok(()) };
    let Some(node) = scene.decided.node(scene.documents.of(run), task) else { return Ok(()) };
    let most = node.retry.as_ref().map_or(1, |retry| retry.attempts);
    let (mut at, mut tries) = (task, 1);
    while let Some(served) = at.served.as_deref().filter(|served| !served.by_hand)
        && let Some(before) = served.retry_of.and_then(|seq| scene.decided.task(task.run, seq))
    {
        (at, tries) = (before, tries + 1);
    }
    match tries > most {
        true => Err(format!("`{}` of {:?} is tried {tries} times", task.path, task.run)),
        false => Ok(()),
    }
}

/// Whether the run lives again, or was started afresh, since its row was last written.
fn lives_again(scene: &Scene<'_>, task: &TaskRecord) -> bool {
    let (now, before) = (scene.engine.run(task.run), scene.decided.run(task.run));
    now.zip(before).is_none_or(|(now, before)| now.generation > before.generation)
}

/// Whether the task may have been reset since its row was last written: by the run, or by a sub-run that lives again.
fn restarted(scene: &Scene<'_>, task: &TaskRecord) -> bool {
    lives_again(scene, task) || scene.decided.tasks(task.run).any(|task| task.child.is_some())
}

/// What the rows of a run that has ended must say.
fn ended(scene: &Scene<'_>, id: partitur_model::RunId, outcome: RunOutcome) -> Result<(), String> {
    let Some(run) = scene.durable.run(id) else {
        let is_gone = scene.removals.contains(&id);
        return if is_gone { Ok(()) } else { Err(format!("{id:?} has ended without a row")) };
    };
    if run.state != RunState::Ended(outcome) {
        // It lives again, or counts as cancelled by somebody's late wish, by the same batch.
        return if run.generation > 0 || run.state == RunState::Ended(RunOutcome::Cancelled) {
            Ok(())
        } else {
            Err(format!("{id:?} has ended, and {:?}", run.state))
        };
    }
    for task in scene.durable.tasks(id) {
        let is_over = matches!(task.state, TaskState::Ended(_) | TaskState::Blocked);
        let undoes = matches!(task.undo, UndoState::Running { .. } | UndoState::Backoff { .. });
        if !is_over || undoes {
            let (state, undo) = (task.state, task.undo);
            return Err(format!("{id:?} has ended, and `{}` is {state:?}, {undo:?}", task.path));
        }
    }
    if outcome == RunOutcome::Succeeded { all_done(scene, run) } else { Ok(()) }
}

/// In a run that succeeded everything has ended, and nothing failed that had to succeed.
fn all_done(scene: &Scene<'_>, run: &RunRecord) -> Result<(), String> {
    let definition = scene.documents.of(run);
    let (root, serves) = (&definition.root, definition.dialect == Dialect::Conductor);
    let rows = root.nodes.iter().map(|node| (node, scene.durable.of_node(run.id, None, &node.name)));
    let terminated = scene.durable.tasks(run.id).any(|task| {
        let node = scene.durable.node(scene.documents.of(run), task);
        node.is_some_and(|node| matches!(node.kind, Kind::Terminate(_)))
            && task.state == TaskState::Ended(TaskOutcome::Succeeded)
    });
    if terminated {
        return Ok(());
    }
    for (at, (node, row)) in (0..).zip(rows) {
        let state = row.map(|row| row.state);
        let good = match state {
            Some(TaskState::Ended(outcome)) => !outcome.is_failure() || node.optional,
            Some(_) => false,
            // By Conductor's rules, what is not reached leaves no row.
            None if serves => order::is_dead(scene.durable, root, (run.id, None), at, serves),
            // Outside of what the targets need.
            None => !run.options.targets.is_empty(),
        };
        if !good {
            return Err(format!("{:?} succeeded, and `{}` is {state:?}", run.id, node.name));
        }
    }
    Ok(())
}
