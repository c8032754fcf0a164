//! Why a run will go on: every run that has not ended waits for something that will come, or that people can name.

use partitur_model::record::{RunState, TaskRecord, TaskState, UndoState};
use partitur_model::{RunId, Timestamp};

use super::Engine;
use crate::admission::TaskKey;
use crate::run::{Key, OutputCheck, Run, due};
use crate::timers::Timer;

/// What a live run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody has paused it.
    Paused,
    /// A loop has done enough for one step: it goes on in the next.
    Turn,
    /// An attempt, a compensation or a sub-run that lives will report its end.
    Attempt,
    /// A task waits for slots, locks, a rate or a breaker.
    Queued,
    /// A timer fires then.
    Timer(Timestamp),
    /// A task waits for a signal, or for an evaluation outside the engine.
    Named,
}

impl Engine {
    /// Why this run will go on, if it is in memory and has not ended. The first reason found: there may be others.
    pub fn reason_to_wake(&self, run: RunId) -> Option<Reason> {
        let run = self.runs.get(&run)?;
        match run.rec.state {
            RunState::Ended(_) => None,
            RunState::Paused => Some(Reason::Paused),
            RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) if !run.turns.is_empty() => {
                Some(Reason::Turn)
            }
            RunState::Running if run.waits_for_room => Some(Reason::Queued),
            RunState::Ending(_) if run.awaits_failure_run || run.output_check == OutputCheck::Asked => {
                Some(Reason::Named)
            }
            RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) if run.live > 0 => {
                Some(Reason::Attempt)
            }
            RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) => {
                run.keys().find_map(|key| self.reason_of(run, key, run.task(key)?))
            }
        }
    }

    fn reason_of(&self, run: &Run, key: Key, task: &TaskRecord) -> Option<Reason> {
        let task_key = TaskKey { run: task.run, task: task.seq };
        if self.admission.is_waiting(task_key) || self.admission.holds(task_key) {
            return Some(Reason::Queued);
        }
        let at = due(task, run.node(key), run.instance(key).undo_deadline);
        let timer = Timer { at, run: task.run, task: Some(task.seq), generation: task.generation };
        let undoes = matches!(task.undo, UndoState::Running { .. });
        match task.state {
            TaskState::Backoff { .. } | TaskState::Waiting { .. } | TaskState::Ended(_)
                if self.timers.contains(&timer) =>
            {
                Some(Reason::Timer(at))
            }
            TaskState::Waiting { until: Timestamp::MAX } => Some(Reason::Named),
            TaskState::Open if run.awaits_evaluation(key) => Some(Reason::Named),
            TaskState::Running { .. } | TaskState::Stopping { .. } => Some(Reason::Attempt),
            TaskState::Ended(_) if undoes => Some(Reason::Attempt),
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open
            | TaskState::Ended(_) => None,
        }
    }

    /// No run that the unit at hand has touched stands still for ever.
    pub(super) fn assert_awake(&self) {
        for &id in &self.unit.touched {
            let Some(run) = self.runs.get(&id).filter(|run| !run.rec.state.is_ended()) else { continue };
            let awaits_load = self.loading.contains_key(&id) || !self.unit.queued.is_empty();
            assert!(
                awaits_load || self.reason_to_wake(id).is_some(),
                "{id:?} stands still without a reason: {:?}",
                run.rec.state
            );
        }
    }
}
