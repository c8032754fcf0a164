//! What is held is what living attempts hold, and no limit is passed.

use std::collections::{BTreeMap, BTreeSet};

use partitur_engine::OUTSIDE;
use partitur_engine::admission::TaskKey;
use partitur_model::definition::Kind;
use partitur_model::record::{RunRecord, TaskRecord};
use partitur_model::{RunId, TaskSeq};

use super::{Checker, Scene, Seen};
use crate::rows::Rows;
use crate::workload::LIVE_MAX;

/// Counts attempts from records.
#[derive(Default)]
pub struct Slots {
    /// How many lived when last looked at: a limit that is lowered may be passed by those that live.
    lived: usize,
}

impl Checker for Slots {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        if let Seen::Started(_) = seen {
            self.lived = usize::MAX;
        }
        let Seen::Rest = seen else { return Ok(()) };
        let live = live(scene);
        self.same(scene, &live)?;
        no_process_outlives_its_attempt(scene, &live)?;
        limits_are_kept(scene, &live)?;
        let slots = live.values().filter(|task| !waits_outside(scene, task)).count();
        if slots > (scene.limit as usize).max(self.lived) {
            let paths: Vec<_> = live.values().map(|task| (task.run, &task.path)).collect();
            return Err(format!("{slots} attempts live, and {} may: {paths:?}", scene.limit));
        }
        self.lived = slots;
        runs_keep_their_limits(scene, &live)
    }
}

/// Whether the run may have been removed: what is forgotten in memory is gone from the rows a moment later.
fn is_gone(scene: &Scene<'_>, run: RunId) -> bool {
    scene.engine.run(run).is_none() && scene.removals.contains(&run)
}

type Live<'a> = BTreeMap<(RunId, TaskSeq), &'a TaskRecord>;

impl Slots {
    /// Those that hold are those that live.
    fn same(&self, scene: &Scene<'_>, live: &Live<'_>) -> Result<(), String> {
        let holders = scene.engine.holders();
        // A run that has its place among those of its name holds it under a number that no task has; and locks of those
        // outside are no tasks.
        let is_task = |task: TaskKey| task.task != TaskSeq(0) && task.run != OUTSIDE;
        let of_tasks = holders.iter().filter(|holder| is_task(holder.task));
        let holding: BTreeSet<TaskKey> = of_tasks.map(|holder| holder.task).collect();
        for (&(run, task), record) in live {
            if !is_gone(scene, run) && !holding.contains(&TaskKey { run, task }) {
                return Err(format!("an attempt of `{}` of {run:?} lives and holds nothing", record.path));
            }
        }
        for TaskKey { run, task } in holding {
            if !live.contains_key(&(run, task)) {
                let path = scene.engine.path(run, task).unwrap_or("?");
                return Err(format!("`{path}` of {run:?} holds its claims, and no attempt of it lives"));
            }
        }
        Ok(())
    }
}

/// Processes of this start execute attempts that live; of those before, only the next start knows.
fn no_process_outlives_its_attempt(scene: &Scene<'_>, live: &Live<'_>) -> Result<(), String> {
    let ours = scene.processes.live.iter().filter(|(id, _)| id.token.epoch() == scene.engine.epoch());
    for (id, process) in ours {
        let task = live.get(&(id.run, id.task));
        let token = |task: &TaskRecord| task.state.token().or(task.undo.token());
        // Somebody has said from outside that it is done: it is told to stop when that is durable.
        let not_told_yet = scene.durable.task(id.run, id.task).and_then(token) == Some(id.token);
        if task.copied().and_then(token) != Some(id.token) && !process.stopping && !not_told_yet {
            return Err(format!("a process executes an attempt that is over: {id:?}"));
        }
    }
    Ok(())
}

/// Tasks of which an attempt lives, by the records in memory; by the rows, where the run has left it.
fn live<'a>(scene: &Scene<'a>) -> Live<'a> {
    let there = scene.engine.resident().flat_map(|run| scene.engine.tasks(run));
    let gone = scene.decided.runs().filter(|run| scene.engine.run(run.id).is_none());
    let tasks = there.chain(gone.flat_map(|run| scene.decided.tasks(run.id)));
    tasks.filter(|task| is_live(task)).map(|task| ((task.run, task.seq), task)).collect()
}

/// Whether an attempt at the task or at its compensation lives. The compensation of a sub-run is a run.
pub fn is_live(task: &TaskRecord) -> bool {
    task.state.token().or(task.undo.token()).is_some()
}

/// Of the tasks whose number is limited in all runs together, no more live than may.
fn limits_are_kept(scene: &Scene<'_>, live: &Live<'_>) -> Result<(), String> {
    let limited = live.values().filter(|task| {
        if is_gone(scene, task.run) {
            return false;
        }
        let Some(run) = scene.decided.run(task.run) else { return false };
        let rows = memory_of(scene, task.run);
        match rows.node(scene.documents.of(run), task).map(|node| &node.kind) {
            Some(Kind::Remote(remote)) => remote.limits.concurrency.is_some(),
            _ => false,
        }
    });
    match limited.count() {
        count if count > LIVE_MAX as usize => Err(format!("{count} attempts live of which {LIVE_MAX} may")),
        _ => Ok(()),
    }
}

/// Whether the task waits for a file or is a worker's, which takes no slot.
fn waits_outside(scene: &Scene<'_>, task: &TaskRecord) -> bool {
    let Some(run) = scene.engine.run(task.run).or_else(|| scene.decided.run(task.run)) else { return false };
    let node = memory_of(scene, task.run).node(scene.documents.of(run), task).cloned();
    node.is_some_and(|node| match &node.kind {
        Kind::Wait(_) => true,
        Kind::Remote(remote) => !remote.pushed && task.served.is_some(),
        _ => false,
    })
}

fn memory_of(scene: &Scene<'_>, run: RunId) -> Rows {
    let mut rows = Rows::default();
    scene.decided.copy_run(run, &mut rows);
    scene.engine.tasks(run).for_each(|task| rows.insert(task));
    rows
}

fn runs_keep_their_limits(scene: &Scene<'_>, live: &Live<'_>) -> Result<(), String> {
    let runs: BTreeSet<RunId> = live.keys().map(|(run, _)| *run).collect();
    for id in runs {
        let Some(run) = scene.engine.run(id) else { continue };
        let rows = memory_of(scene, id);
        let definition = scene.documents.of(run);
        let attempts = live.range((id, TaskSeq(0))..=(id, TaskSeq(u32::MAX))).map(|(_, task)| *task);
        let attempts: Vec<&TaskRecord> = attempts
            .filter(|task| {
                rows.node(definition, task).is_some_and(|node| !matches!(node.kind, Kind::Wait(_)))
            })
            .collect();
        if limit(scene, run).is_some_and(|limit| attempts.len() > limit as usize) {
            return Err(format!("{} attempts of {id:?} live at once", attempts.len()));
        }
        let mut inside: BTreeMap<TaskSeq, usize> = BTreeMap::new();
        for task in attempts {
            let mut place = task.scope;
            while let Some(scope) = place {
                *inside.entry(scope.container).or_default() += 1;
                place = rows.task(id, scope.container).and_then(|container| container.scope);
            }
        }
        for (container, count) in inside {
            let node = rows.task(id, container).and_then(|container| rows.node(definition, container));
            if let Some(Kind::Each(each)) = node.map(|node| &node.kind)
                && each.max_parallel.is_some_and(|most| count > most as usize)
            {
                return Err(format!("{count} attempts live at once in container {container:?} of {id:?}"));
            }
        }
    }
    Ok(())
}

fn limit(scene: &Scene<'_>, run: &RunRecord) -> Option<u32> {
    run.options.concurrency.or(scene.documents.of(run).concurrency.map(|range| range.max))
}
