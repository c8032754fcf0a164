//! How runs end, and how things are stopped on the way.

use partitur_model::callback::Moment;
use partitur_model::definition::OnFailure;
use partitur_model::event::EventKind;
use partitur_model::record::{
    RunOutcome, RunState, StopCause, TaskError, TaskOutcome, TaskRecord, TaskState,
};
use partitur_model::{Payload, Timestamp, unit};

use crate::admission::TaskKey;
use crate::cx::{Cx, Order, Todo};
use crate::ready::CANCELLED;
use crate::run::{Key, ROOT, Run, View};
use crate::timers::Timer;

impl Run {
    /// Looks whether the run has ended, and ends it.
    pub(crate) fn may_end(&mut self, cx: &mut Cx<'_>) {
        let done = self.scope(ROOT).open == 0;
        match self.rec.state {
            RunState::Running | RunState::Paused if done && self.live == 0 => {
                let failed = self.scope(ROOT).failed > 0;
                self.rec.output = None;
                self.settle(cx, if failed { RunOutcome::Failed } else { RunOutcome::Succeeded });
            }
            RunState::Ending(outcome) if self.live == 0 => self.settle(cx, outcome),
            RunState::RollingBack(_) => cx.agenda.push_back(Todo::UndoNext(self.id())),
            RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::Ended(_) => {}
        }
    }

    /// Everything has stopped: the run rolls back or ends.
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        let failed = match outcome {
            RunOutcome::Failed | RunOutcome::TimedOut => true,
            RunOutcome::Succeeded
            | RunOutcome::Cancelled
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed => false,
        };
        if failed && self.on_failure() == OnFailure::Rollback {
            self.note_failure();
            self.start_rollback(cx, outcome);
        } else if self.wants_failure_run(outcome) {
            self.note_failure();
            self.look_up_failure_run(cx, outcome);
        } else if outcome == RunOutcome::Succeeded && self.wants_output_checked() {
            self.check_output(cx);
        } else {
            self.end_run(cx, outcome);
        }
    }

    /// The run is over.
    pub(crate) fn end_run(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        self.rec.state = RunState::Ended(outcome);
        self.rec.ended = Some(cx.now);
        self.undoing = None;
        self.clear_run_deadline(cx);
        self.sweep(cx);
        self.give_up_slots(cx);
        self.give_up_room(cx);
        match outcome {
            RunOutcome::Succeeded => {
                if self.rec.output.is_none() {
                    self.rec.output = self.outputs();
                }
            }
            RunOutcome::Failed
            | RunOutcome::Cancelled
            | RunOutcome::TimedOut
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed => self.note_failure(),
        }
        if self.serves() {
            self.note_served_output();
            self.keep_own_result(cx, outcome);
        }
        self.write(cx);
        cx.event(self.id(), EventKind::Run { state: self.rec.state });
        self.call_back(cx, Moment::of_end(outcome));
        if let Some(parent) = self.rec.parent {
            self.tell_parent(cx, parent, outcome);
        }
    }

    /// Tasks that were never executed end with the run.
    fn sweep(&mut self, cx: &mut Cx<'_>) {
        let open: Vec<Key> =
            self.keys().filter(|&key| self.state(key).is_some_and(|state| !state.is_ended())).collect();
        for key in open.into_iter().rev() {
            if self.begins_anew(key) {
                self.reset_after_close(cx, key);
            } else if self.state(key) != Some(TaskState::Blocked) {
                self.sweep_inside(cx, key);
                let record = self.record(key);
                self.cancelled(cx, key, record);
            }
        }
    }

    /// In a container of a server's run that ends with its run, whatever has no row was not reached.
    fn sweep_inside(&mut self, cx: &mut Cx<'_>, container: Key) {
        if !self.serves() {
            return;
        }
        for scope in self.branches(container).collect::<Vec<u32>>() {
            for node in 0..self.scope(scope).instances.len() as u32 {
                let key = Key { scope, node };
                if self.task(key).is_none() {
                    self.note_not_reached(cx, key);
                }
            }
        }
    }

    /// A run of a server has an output however it ended: what it declares, else that of its last task.
    pub(crate) fn note_served_output(&mut self) {
        let empty =
            |output: &Payload| output.is_null() || output.entries().is_some_and(|parts| parts.is_empty());
        if self.rec.output.as_ref().is_none_or(empty) {
            let last = || self.numbered().rev().find(|&key| !self.was_not_reached(key));
            self.rec.output = self.outputs().or_else(|| last().map(|key| self.output_of(key)));
        }
        if let Some(id) = self.rec.failure_run {
            let mut parts = self.rec.output.take().and_then(|output| output.entries()).unwrap_or_default();
            parts.push(("conductor.failure_workflow".into(), Payload::string(&id.to_string())));
            self.rec.output = Some(Payload::object(parts));
        }
    }

    fn was_not_reached(&self, key: Key) -> bool {
        let by_hand = |task: &TaskRecord| task.served.as_ref().is_some_and(|served| served.skipped_by_hand);
        self.task(key).is_none_or(|task| match task.state {
            TaskState::Blocked => true,
            TaskState::Ended(TaskOutcome::Skipped) => !by_hand(task),
            TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open
            | TaskState::Ended(_) => false,
        })
    }

    pub(crate) fn outputs(&self) -> Option<Payload> {
        let view = View::root(self);
        if let Some(output) = &self.program.output {
            return Some(output.resolve(&view));
        }
        if self.program.outputs.is_empty() {
            return None;
        }
        Some(Payload::object(
            self.program.outputs.iter().map(|(name, value)| (name.clone(), value.resolve(&view))),
        ))
    }

    /// The run's error is that of its first task that failed, unless it has one of its own.
    fn note_failure(&mut self) {
        if self.rec.error.is_some() {
            return;
        }
        let first = self
            .tasks()
            .filter(|task| match task.state {
                TaskState::Ended(outcome) => {
                    outcome.is_failure() && task.error.as_ref().is_some_and(|error| error.code != CANCELLED)
                }
                _ => false,
            })
            .min_by_key(|task| (task.ended, task.seq));
        self.rec.error = first.map(|task| {
            let error = task.error.as_ref().expect("only tasks with an error are looked at");
            TaskError::terminal(error.code.clone(), format!("`{}`: {}", task.path, error.message))
        });
    }

    /// A task failed that nothing excuses, in a run that does not go on then.
    pub(crate) fn fatal(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome, error: TaskError) {
        if self.is_under_way() {
            self.rec.output = None;
            self.rec.error = Some(error);
            self.wind_down(cx, outcome);
        }
    }

    /// Somebody cancels the run.
    pub(crate) fn cancel(&mut self, cx: &mut Cx<'_>, reason: &str) {
        match self.rec.state {
            RunState::Running | RunState::Paused => {
                self.rec.output = None;
                self.rec.error = Some(TaskError::terminal(CANCELLED, reason));
                self.wind_down(cx, RunOutcome::Cancelled);
            }
            RunState::Ending(_) | RunState::RollingBack(_) | RunState::Ended(_) => {}
        }
    }

    /// Stops every attempt and sub-run, and takes back what only waits.
    pub(crate) fn stop_everything(&mut self, cx: &mut Cx<'_>) {
        let keys: Vec<Key> = self.keys().filter(|&key| self.task(key).is_some()).collect();
        for key in keys {
            if self.state(key) != Some(TaskState::Open) {
                self.cancel_instance(cx, key);
            }
        }
    }

    /// Cancels a task that has begun and has no branches of its own.
    pub(crate) fn cancel_instance(&mut self, cx: &mut Cx<'_>, key: Key) {
        let Some(task) = self.task(key) else { return };
        let (seq, child) = (task.seq, task.child);
        match task.state {
            TaskState::Running { .. } | TaskState::Stopping { .. } => {
                self.stop_attempt(cx, key, StopCause::Cancel);
            }
            TaskState::Waiting { .. } if child.is_some() => {
                let reason = "the task that waits for it was cancelled".to_owned();
                self.order(cx, key, child.expect("just looked at"), Order::Cancel(reason));
            }
            TaskState::Ready | TaskState::Backoff { .. } | TaskState::Waiting { .. } => {
                cx.take_back(TaskKey { run: self.id(), task: seq });
                let record = self.record(key);
                self.cancelled(cx, key, record);
            }
            TaskState::Blocked | TaskState::Open | TaskState::Ended(_) => {}
        }
    }

    /// Sets the timer of the whole run, counted from now.
    pub(crate) fn set_run_deadline(&self, cx: &mut Cx<'_>) {
        if let Some(limit) = self.program.definition.timeout {
            cx.timers.set(self.run_timer(self.rec.begun + limit));
        }
    }

    /// The timer of the whole run goes.
    pub(crate) fn clear_run_deadline(&self, cx: &mut Cx<'_>) {
        if let Some(limit) = self.program.definition.timeout {
            cx.timers.clear(&self.run_timer(self.rec.begun + limit));
        }
    }

    fn run_timer(&self, at: Timestamp) -> Timer {
        Timer { at, run: self.id(), task: None, generation: self.rec.generation }
    }

    /// The run has taken as long as it may.
    pub(crate) fn run_deadline(&mut self, cx: &mut Cx<'_>) {
        match self.rec.state {
            RunState::Running | RunState::Paused => {
                let limit = unit::format_duration(self.program.definition.timeout.unwrap_or_default());
                self.rec.output = None;
                self.rec.error =
                    Some(TaskError::terminal("timeout", format!("the run took longer than {limit}")));
                self.wind_down(cx, RunOutcome::TimedOut);
            }
            RunState::Ending(_) | RunState::RollingBack(_) | RunState::Ended(_) => {}
        }
    }
}
