//! Undoing a run: its completed tasks, through their compensations, each after everything that depended on it.
//!
//! What was skipped, cached or failed is not undone. Iterations of a loop are undone from the last to the first, the
//! branches of an `each` at once, sub-runs as runs. A compensation that fails keeps what its task depended on from
//! being undone; everything else goes on, and a further rollback tries again from there.

use std::collections::BTreeMap;

use partitur_model::dispatch::Ending;
use partitur_model::event::EventKind;
use partitur_model::record::{
    RunOutcome, RunState, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState,
};
use partitur_model::{AttemptId, FencingToken, RunId};

use crate::admission::TaskKey;
use crate::cx::{Cx, Order, Todo};
use crate::effect::Effect;
use crate::program::Action;
use crate::retry;
use crate::run::{Key, ROOT, Run};

/// How far a rollback is. Follows from the records, and is counted afresh after recovery.
#[derive(Debug, Default)]
pub(crate) struct Undoing {
    /// For each task, how many of its successors have not been undone yet.
    missing: BTreeMap<Key, u32>,
    /// For each scope, how many of its tasks have not been undone yet.
    open: BTreeMap<u32, u32>,
    /// Tasks whose turn has come.
    turn: Vec<Key>,
    /// Compensations that live, wait for their slot, or for their next attempt.
    busy: u32,
    failed: bool,
}

/// What undoing a task takes.
enum Step {
    /// Nothing: it has left nothing behind.
    Nothing,
    /// Its compensation is executed.
    Compensate,
    /// Its branches or iterations are undone first.
    Inside,
    /// Its sub-run is rolled back.
    SubRun(RunId),
    /// Its compensation failed before, or just now.
    Stuck,
    /// Its compensation lives already.
    Busy,
}

impl Run {
    /// The run's completed tasks are undone from now on; `outcome` is how it ended before.
    pub(crate) fn start_rollback(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        self.rec.state = RunState::RollingBack(outcome);
        self.rec.ended = None;
        self.write(cx);
        self.limit_slots(cx);
        cx.event(self.id(), EventKind::Run { state: self.rec.state });
        self.plan_rollback();
        cx.agenda.push_back(Todo::UndoNext(self.id()));
    }

    /// Counts what is to be undone, from the records alone.
    pub(crate) fn plan_rollback(&mut self) {
        self.undoing = Some(Undoing::default());
        self.plan_scope(ROOT);
    }

    fn plan_scope(&mut self, scope: u32) {
        let body = self.scope(scope).graph.clone();
        let count = self.scope(scope).instances.len() as u32;
        let undoing = self.undoing.as_mut().expect("a rollback has been started");
        undoing.open.insert(scope, count);
        for node in 0..count {
            let missing = body.successors.out_degree(node);
            let key = Key { scope, node };
            #[cfg(feature = "planted-faults")]
            if partitur_model::planted::Planted::UndoInAnyOrder.is_here() {
                undoing.missing.insert(key, u32::MAX);
                undoing.turn.push(key);
                continue;
            }
            undoing.missing.insert(key, missing);
            if missing == 0 {
                undoing.turn.push(key);
            }
        }
    }

    /// Undoes whatever may be undone now, and ends the rollback when nothing is left.
    pub(crate) fn undo_next(&mut self, cx: &mut Cx<'_>) {
        let RunState::RollingBack(_) = self.rec.state else { return };
        while let Some(key) = self.undoing.as_mut().and_then(|undoing| undoing.turn.pop()) {
            self.undo_turn(cx, key);
        }
        let Some(undoing) = &self.undoing else { return };
        if undoing.busy == 0 {
            let failed = undoing.failed;
            self.end_run(cx, if failed { RunOutcome::RollbackFailed } else { RunOutcome::RolledBack });
        }
    }

    fn undo_turn(&mut self, cx: &mut Cx<'_>, key: Key) {
        match self.undo_step(key) {
            Step::Nothing => self.undone(key),
            Step::Stuck => self.undoing_mut().failed = true,
            Step::Busy => self.undoing_mut().busy += 1,
            Step::Inside => self.undo_inside(key),
            Step::SubRun(child) => {
                self.undoing_mut().busy += 1;
                let mut record = self.record(key);
                record.undo = UndoState::Running { token: FencingToken(0), attempt: 1 };
                self.put(cx, key, record);
                self.order(cx, key, child, Order::Rollback);
            }
            Step::Compensate => {
                self.undoing_mut().busy += 1;
                self.offer(cx, key);
            }
        }
    }

    fn undoing_mut(&mut self) -> &mut Undoing {
        self.undoing.as_mut().expect("a rollback has been started")
    }

    fn undo_step(&self, key: Key) -> Step {
        let Some(task) = self.task(key) else { return Step::Nothing };
        match task.undo {
            UndoState::Done => return Step::Nothing,
            UndoState::Failed => return Step::Stuck,
            UndoState::Running { .. } | UndoState::Backoff { .. } => return Step::Busy,
            UndoState::None => {}
        }
        let node = self.node(key);
        match &node.action {
            Action::Each(_) | Action::Expand(_) | Action::Loop(_) if self.branches(key).next().is_some() => {
                Step::Inside
            }
            // What was started on its own is not undone with who started it.
            Action::Start(_) => Step::Nothing,
            Action::SubRun { .. } => task.child.map_or(Step::Nothing, Step::SubRun),
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::Each(_)
            | Action::Expand(_)
            | Action::Loop(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => {
                let did = task.state == TaskState::Ended(TaskOutcome::Succeeded) && !task.cached;
                if did && node.undo.is_some() { Step::Compensate } else { Step::Nothing }
            }
        }
    }

    /// Begins with the branches of an `each`, all at once, or with the last iteration of a loop.
    fn undo_inside(&mut self, key: Key) {
        let scopes: Vec<u32> = self.branches(key).collect();
        let in_order = matches!(self.node(key).action, Action::Loop(_));
        let first = if in_order { scopes.len().saturating_sub(1) } else { 0 };
        for &scope in &scopes[first..] {
            self.plan_scope(scope);
        }
        for &scope in &scopes[first..] {
            if self.scope(scope).instances.is_empty() {
                self.scope_undone(scope);
            }
        }
    }

    /// The task has left nothing behind any more: it is the turn of what it depended on.
    fn undone(&mut self, key: Key) {
        let body = self.scope(key.scope).graph.clone();
        let undoing = self.undoing_mut();
        for &node in body.predecessors.successors(key.node) {
            let before = Key { scope: key.scope, node };
            if let Some(missing) = undoing.missing.get_mut(&before) {
                *missing -= 1;
                if *missing == 0 {
                    undoing.turn.push(before);
                }
            }
        }
        let open = undoing.open.get_mut(&key.scope).expect("its scope is being undone");
        *open -= 1;
        if *open == 0 {
            self.scope_undone(key.scope);
        }
    }

    fn scope_undone(&mut self, scope: u32) {
        let Some((container, index)) = self.scope(scope).container else { return };
        if matches!(self.node(container).action, Action::Loop(_)) {
            let branches = &self.children[&container];
            if let Some((_, &before)) = branches.scopes.range(..index).next_back() {
                return self.plan_scope(before);
            }
        } else {
            let open = &self.undoing.as_ref().expect("a rollback has been started").open;
            if self.branches(container).any(|scope| open.get(&scope).is_none_or(|&open| open > 0)) {
                return;
            }
        }
        self.undone(container);
    }

    /// An attempt at a compensation is over.
    pub(crate) fn undo_ended(&mut self, cx: &mut Cx<'_>, key: Key, ending: Ending) {
        let mut record = self.record(key);
        record.log = ending.log.or(record.log);
        match ending.result {
            Ok(_) => {
                record.undo = UndoState::Done;
                self.tell_undo_ended(cx, &record, None);
                self.put(cx, key, record);
                self.compensation_over(cx, key, true);
            }
            Err(error) => self.judge_undo(cx, key, record, error),
        }
    }

    fn judge_undo(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, error: TaskError) {
        let attempt = undo_attempt(&record);
        let policy = self.node(key).undo.as_ref().and_then(|undo| undo.retry.as_ref());
        let pause = policy.and_then(|retry| retry::pause(&retry.policy, attempt, &error, cx.token.0));
        match pause {
            Some(pause) => {
                record.undo = UndoState::Backoff { until: cx.now + pause, attempt };
                self.put(cx, key, record);
            }
            None => self.undo_failed(cx, key, record, error),
        }
    }

    /// A compensation has failed for good.
    pub(crate) fn undo_failed(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        error: TaskError,
    ) {
        record.undo = UndoState::Failed;
        self.tell_undo_ended(cx, &record, Some(error.clone()));
        let message = format!("undoing `{}` failed: {}", record.path, error.message);
        self.rec.error = Some(TaskError::terminal("undo", message));
        self.put(cx, key, record);
        self.compensation_over(cx, key, false);
    }

    fn tell_undo_ended(&self, cx: &mut Cx<'_>, record: &TaskRecord, error: Option<TaskError>) {
        let (task, path) = (record.seq, record.path.clone());
        cx.event(self.id(), EventKind::UndoEnded { task, path, error });
    }

    fn compensation_over(&mut self, cx: &mut Cx<'_>, key: Key, done: bool) {
        let Some(undoing) = &mut self.undoing else { return };
        undoing.busy -= 1;
        if done {
            self.undone(key);
        } else {
            undoing.failed = true;
        }
        cx.agenda.push_back(Todo::UndoNext(self.id()));
    }

    /// A sub-run has been rolled back, or could not be.
    pub(crate) fn child_undone(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        outcome: RunOutcome,
        error: Option<TaskError>,
    ) {
        if outcome == RunOutcome::RolledBack {
            record.undo = UndoState::Done;
            self.put(cx, key, record);
            self.compensation_over(cx, key, true);
        } else {
            let error = error.unwrap_or_else(|| TaskError::terminal("undo", "its sub-run was not undone"));
            self.undo_failed(cx, key, record, error);
        }
    }

    /// A timer of a compensation: its next attempt, or the end of its patience.
    pub(crate) fn undo_due(&mut self, cx: &mut Cx<'_>, key: Key) {
        let Some(task) = self.task(key) else { return };
        match task.undo {
            UndoState::Backoff { until, .. } if until <= cx.now => {
                if !cx.admission.is_waiting(TaskKey { run: self.id(), task: task.seq }) {
                    self.offer(cx, key);
                }
            }
            // The only timer of this generation is the end of its patience.
            UndoState::Running { token, .. } if token.0 > 0 => {
                let attempt = AttemptId { run: self.id(), task: task.seq, token };
                cx.batch.effect(Effect::Stop(attempt));
            }
            UndoState::Backoff { .. }
            | UndoState::Running { .. }
            | UndoState::None
            | UndoState::Done
            | UndoState::Failed => {}
        }
    }

    /// The attempt at a compensation was lost with the process that ran it: it is made again.
    pub(crate) fn undo_lost(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        cx.admission.release(cx.now, TaskKey { run: self.id(), task: record.seq });
        let attempt = undo_attempt(&record).saturating_sub(1);
        record.undo = UndoState::Backoff { until: cx.now, attempt };
        self.put(cx, key, record);
        self.offer(cx, key);
    }
}

/// Which attempt at its compensation the record speaks of.
fn undo_attempt(record: &TaskRecord) -> u32 {
    match record.undo {
        UndoState::Running { attempt, .. } | UndoState::Backoff { attempt, .. } => attempt,
        UndoState::None | UndoState::Done | UndoState::Failed => 0,
    }
}
