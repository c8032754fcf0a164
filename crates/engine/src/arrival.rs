//! What reaches a run from outside, other than reports and commands: timers, evaluations, the end of a crash.

use partitur_model::record::{TaskError, TaskOutcome, TaskState};
use partitur_model::{FencingToken, Payload, TaskSeq};

use crate::cx::Cx;
use crate::program::{Action, Computation};
use crate::run::{Key, Run};
use crate::schema::THE_RUN;
use crate::timers::Timer;

impl Run {
    /// A timer has fired.
    pub(crate) fn fire(&mut self, cx: &mut Cx<'_>, timer: &Timer) {
        match timer.task {
            None if timer.generation == self.rec.generation => self.run_deadline(cx),
            None => {}
            Some(seq) => {
                let Some(key) = self.key_of(seq) else { return };
                if self.task(key).is_some_and(|task| task.generation == timer.generation) {
                    self.due(cx, key);
                }
            }
        }
    }

    pub(crate) fn lose_attempts(&mut self, cx: &mut Cx<'_>, epoch: u32) {
        let keys: Vec<_> = self.keys().filter(|&key| self.task(key).is_some()).collect();
        for key in keys {
            let Some(task) = self.task(key) else { continue };
            let (undo, state) = (task.undo, task.state);
            let is_old = |token: FencingToken| token.epoch() < epoch;
            if undo.token().is_some_and(is_old) {
                self.undo_lost(cx, key);
            } else if state.token().is_some_and(is_old) && !self.node(key).is_polled() {
                self.attempt_lost(cx, key);
            }
        }
    }

    /// Whether attempts of an earlier start of the node still count as alive.
    pub(crate) fn has_attempts_before(&self, epoch: u32) -> bool {
        // The workers of others do not die with this node.
        let here = self.numbered().filter(|&key| !self.node(key).is_polled());
        let tokens =
            here.filter_map(|key| self.task(key)).flat_map(|task| [task.state.token(), task.undo.token()]);
        tokens.flatten().any(|token| token.epoch() < epoch)
    }

    /// Gives every task that is ready a row: what follows from the rows of others is not known to who only has them.
    pub(crate) fn write_derived(&mut self, cx: &mut Cx<'_>) {
        for task in self.tasks().filter(|task| task.state == TaskState::Ready) {
            cx.batch.task(task);
        }
    }

    /// An evaluation outside the engine has ended.
    pub(crate) fn evaluated(
        &mut self,
        cx: &mut Cx<'_>,
        seq: TaskSeq,
        generation: u32,
        result: Result<Payload, TaskError>,
    ) {
        if seq == THE_RUN {
            return self.output_checked(cx, generation, result);
        }
        let Some(key) = self.key_of(seq) else { return };
        let Some(task) = self.task(key).filter(|task| task.generation == generation) else { return };
        let checking = task.served.as_ref().and_then(|served| served.checking);
        match task.state {
            TaskState::Waiting { .. } if checking.is_some() => self.checked(cx, key, result),
            TaskState::Open => self.loop_evaluated(cx, key, result),
            TaskState::Waiting { .. } => self.value_arrived(cx, key, result),
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Backoff { .. }
            | TaskState::Ended(_) => {}
        }
    }

    /// The value of a task that was computed elsewhere.
    fn value_arrived(&mut self, cx: &mut Cx<'_>, key: Key, result: Result<Payload, TaskError>) {
        let mut record = self.record(key);
        match (result, &self.node(key).action) {
            (Err(error), action) => {
                let own_script = match action {
                    Action::Evaluate(Computation::Script { language, .. }) => Some(language),
                    _ => None,
                };
                // By Conductor's rules a script of a task's own that fails, fails for good; others just fail.
                let for_good = own_script.is_some_and(|language| language == "javascript");
                let retriable = if self.serves() { !for_good } else { error.retriable };
                if self.serves() && own_script.is_some() {
                    // Conductor has the reason in the output, too.
                    record.output = Some(Payload::object([("error", Payload::string(&error.message))]));
                }
                self.judge(cx, key, record, TaskError { retriable, ..error }, TaskOutcome::Failed);
            }
            (Ok(value), Action::Switch { .. }) => self.switched(cx, key, record, &value),
            // It yields many values, and says so itself.
            (Ok(value), Action::Evaluate(Computation::Script { language, .. })) if language == "jq" => {
                self.succeed(cx, key, record, value);
            }
            (Ok(value), Action::Evaluate(_)) => {
                self.succeed(cx, key, record, Payload::object([("result", value)]));
            }
            // Only these two wait for values.
            (Ok(_), _) => {}
        }
    }
}
