//! Every run that has not ended has a reason to wake, and after a start every open effect is there again.

use std::collections::BTreeSet;

use partitur_engine::Effect;
use partitur_model::definition::{Evaluate, Kind, Node};
use partitur_model::record::{RunRecord, RunState, TaskState};
use partitur_model::{RunId, TaskSeq, Timestamp};

use super::{Checker, Scene, Seen};
use crate::rows::is_past;

/// Remembers which evaluations this start has asked for.
#[derive(Default)]
pub struct Wakes {
    epoch: u32,
    evaluations: BTreeSet<(RunId, TaskSeq, u32)>,
    /// And what it has asked of the catalogue.
    lookups: BTreeSet<(RunId, Option<TaskSeq>, u32)>,
    /// The attempts of earlier starts are known to be dead.
    killed: bool,
}

impl Checker for Wakes {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Started(epoch) => *self = Wakes { epoch: *epoch, ..Wakes::default() },
            Seen::Killed => self.killed = true,
            Seen::Effect(Effect::Evaluate { run, task, generation, .. }) => {
                self.evaluations.insert((*run, *task, *generation));
            }
            Seen::Effect(Effect::Resolve { run, task, generation, .. }) => {
                self.lookups.insert((*run, *task, *generation));
            }
            Seen::Idle => return scene.durable.runs().try_for_each(|run| self.has_reason(scene, run)),
            Seen::Effect(
                Effect::Dispatch { .. }
                | Effect::Stop(_)
                | Effect::HandOut { .. }
                | Effect::Load(_)
                | Effect::Reply { .. }
                | Effect::Event(_),
            )
            | Seen::Commit(_)
            | Seen::Forgotten(_)
            | Seen::Rest => {}
        }
        Ok(())
    }
}

impl Wakes {
    /// When nothing happens by itself, a run waits for a person, for another run, or for an attempt of which nothing
    /// is heard.
    fn has_reason(&self, scene: &Scene<'_>, run: &RunRecord) -> Result<(), String> {
        if run.state.is_ended() || run.state == RunState::Paused {
            return Ok(());
        }
        let mut waits = false;
        for task in scene.durable.tasks(run.id).filter(|task| !is_past(task)) {
            let node = scene.durable.node(scene.documents.of(run), task).ok_or("a task without a node")?;
            let token = task.state.token().or(task.undo.token());
            let is_polled = is_polled(node);
            if token.is_some_and(|token| self.killed && !is_polled && token.epoch() < self.epoch) {
                return Err(format!("`{}` of {:?} still counts as alive after its death", task.path, run.id));
            }
            let asks = match &node.kind {
                Kind::Evaluate(evaluate) => is_script(evaluate),
                Kind::Switch(switch) => is_script(&switch.value),
                _ => false,
            };
            if asks
                && matches!(task.state, TaskState::Waiting { .. })
                && !self.evaluations.contains(&(run.id, task.seq, task.generation))
            {
                return Err(format!("nobody was asked for the value of `{}` of {:?}", task.path, run.id));
            }
            let child_lives = task
                .child
                .and_then(|child| scene.durable.run(child))
                .is_some_and(|child| !child.state.is_ended());
            let waits_for_people = matches!(task.state, TaskState::Waiting { until: Timestamp::MAX });
            if wants_flow(node)
                && matches!(task.state, TaskState::Waiting { .. })
                && task.child.is_none()
                && !self.lookups.contains(&(run.id, Some(task.seq), task.generation))
            {
                return Err(format!("nobody was asked what `{}` of {:?} executes", task.path, run.id));
            }
            // Workers are free to come whenever they like.
            waits |= is_polled && task.state == TaskState::Ready;
            waits |= token.is_some() || child_lives || (waits_for_people && task.child.is_none() && !asks);
        }
        // What it waits for may be held by another run, which has its own reasons.
        waits |=
            scene.engine.waits().iter().any(|wait| {
                wait.task.run == run.id && !(wait.held_by.is_empty() && wait.kept_for.is_empty())
            });
        if waits { Ok(()) } else { Err(format!("{:?} is {:?} for no reason", run.id, run.state)) }
    }
}

/// Whether workers come for it, from wherever they are.
fn is_polled(node: &Node) -> bool {
    matches!(&node.kind, Kind::Remote(remote) if !remote.pushed)
}

/// Whether what it executes is looked up.
fn wants_flow(node: &Node) -> bool {
    match &node.kind {
        Kind::SubRun(sub) => sub.flow.frozen().is_none(),
        Kind::Start(_) => true,
        _ => false,
    }
}

fn is_script(evaluate: &Evaluate) -> bool {
    matches!(evaluate, Evaluate::Script { .. })
}
