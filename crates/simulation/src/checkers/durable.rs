//! An effect is released only when what it rests on is durable.

use partitur_engine::{Effect, Handed};
use partitur_model::AttemptId;
use partitur_model::definition::Kind;
use partitur_model::dispatch::Dispatch;
use partitur_model::record::{TaskRecord, TaskState};

use super::{Checker, Scene, Seen, order};

/// Compares effects with durable rows.
pub struct Durable;

impl Checker for Durable {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Effect(Effect::Dispatch { dispatch, .. }) => handed_out(scene, dispatch),
            Seen::Effect(Effect::HandOut { tasks, .. }) => {
                tasks.iter().try_for_each(|handed| given_out(scene, handed))
            }
            Seen::Effect(Effect::Stop(attempt)) => stopped(scene, *attempt),
            // A question may be asked before what it is asked for is durable: answering it changes nothing.
            Seen::Effect(
                Effect::Evaluate { .. }
                | Effect::Resolve { .. }
                | Effect::Load(_)
                | Effect::Reply { .. }
                | Effect::Event(_),
            )
            | Seen::Commit(_)
            | Seen::Rest
            | Seen::Idle
            | Seen::Started(_)
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

/// The hand-out is durable, or a second one after a crash does no harm and the task's being ready is durable.
fn handed_out(scene: &Scene<'_>, dispatch: &Dispatch) -> Result<(), String> {
    let AttemptId { run, task, token } = dispatch.attempt;
    let row = scene.durable.task(run, task);
    let is_recorded =
        row.is_some_and(|row| row.state.token() == Some(token) || row.undo.token() == Some(token));
    if is_recorded {
        return Ok(());
    }
    let Some(record) = find(scene, dispatch.attempt) else {
        // It is told to stop as soon as its run's removal is durable.
        let is_gone = scene.removals.contains(&run);
        return if is_gone { Ok(()) } else { Err("a dispatch of a task that is unknown".to_owned()) };
    };
    let Some(run) = scene.durable.run(run) else {
        return Err(format!("`{}` is handed out, and its run has no row", dispatch.path));
    };
    let definition = scene.documents.of(run);
    let Some(node) = scene.durable.node(definition, record) else {
        return Err(format!("`{}` is handed out, and its container has no row", dispatch.path));
    };
    let is_harmless =
        !dispatch.undo && dispatch.claims.is_empty() && node.breaker.is_none() && !node.at_most_once;
    if !is_harmless {
        return Err(format!("`{}` is handed out before that is durable: {row:?}", dispatch.path));
    }
    if row.is_some_and(|row| matches!(row.state, TaskState::Ready)) {
        return Ok(());
    }
    order::unmet(scene.durable, definition, record).map_or(Ok(()), |unmet| {
        Err(format!("`{}` is handed out before its being ready is durable: {unmet}", dispatch.path))
    })
}

/// The same of a task that a worker gets: a second hand-out does harm where living attempts or starts are counted.
fn given_out(scene: &Scene<'_>, handed: &Handed) -> Result<(), String> {
    let attempt = handed.attempt;
    let row = scene.durable.task(attempt.run, attempt.task);
    if row.is_some_and(|row| row.state.token() == Some(attempt.token)) {
        return Ok(());
    }
    // What is gone since it was given out is nobody's any more.
    let Some(record) = find(scene, attempt) else { return Ok(()) };
    let (run, path) = (attempt.run, &record.path);
    let Some(run) = scene.durable.run(run) else {
        return Err(format!("`{path}` is given out, and its run has no row"));
    };
    let definition = scene.documents.of(run);
    let Some(node) = scene.durable.node(definition, record) else {
        return Err(format!("`{path}` is given out, and its container has no row"));
    };
    let is_counted = match &node.kind {
        Kind::Remote(remote) => remote.limits.concurrency.is_some() || remote.limits.rate.is_some(),
        _ => return Err(format!("`{path}` is given to a worker, and is none of theirs")),
    };
    // It has gone on since, or its row has gone: that is durable with what came of it.
    let is_gone = row.is_none() && record.state.token() != Some(attempt.token);
    if is_gone || row.is_some_and(|row| row.generation >= handed.task.generation) {
        return Ok(());
    }
    if is_counted {
        return Err(format!("`{path}` is given out before that is durable: {row:?}"));
    }
    if row.is_some_and(|row| matches!(row.state, TaskState::Ready)) {
        return Ok(());
    }
    order::unmet(scene.durable, definition, record).map_or(Ok(()), |unmet| {
        Err(format!("`{path}` is given out before its being ready is durable: {unmet}"))
    })
}

/// A stop is only told once the row says so; of an attempt that is over it does no harm.
fn stopped(scene: &Scene<'_>, attempt: AttemptId) -> Result<(), String> {
    match scene.durable.task(attempt.run, attempt.task) {
        Some(row) if matches!(row.state, TaskState::Running { token, .. } if token == attempt.token) => {
            Err(format!("`{}` is told to stop before that is durable", row.path))
        }
        Some(_) | None => Ok(()),
    }
}

/// The record of an attempt's task, wherever it is known.
pub fn find<'a>(scene: &Scene<'a>, attempt: AttemptId) -> Option<&'a TaskRecord> {
    let in_memory = scene.engine.tasks(attempt.run).find(|task| task.seq == attempt.task);
    in_memory.or_else(|| scene.decided.task(attempt.run, attempt.task))
}
