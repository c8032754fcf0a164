//! Counts what the node tells: runs and tasks that begin and end.

use std::borrow::Cow;
use std::time::Duration;

use partitur_engine::Engine;
use partitur_model::definition::Kind;
use partitur_model::event::{Event, EventKind};
use partitur_model::record::{RunOutcome, RunState, TaskOutcome};
use partitur_model::{RunId, TaskSeq};

use super::Metrics;

impl Metrics {
    /// Something has happened, and is on the disk. Of a run that has left memory by then only its end is counted.
    pub(crate) fn saw(&self, engine: &Engine, event: &Event) {
        match &event.what {
            EventKind::Run { state } => self.saw_run(engine, event, *state),
            EventKind::TaskStarted { attempt, .. } => {
                let Some((task, kind)) = engine.task(event.run, attempt.task) else { return };
                let waited = event.at.since(task.ready);
                self.queue_wait.with(&task_type(kind), 0, |histogram| histogram.time(waited));
            }
            EventKind::TaskRetries { task, .. } => {
                self.task_ended(engine, event, *task, FAILED, true);
            }
            EventKind::TaskEnded { task, outcome, .. } => {
                self.task_ended(engine, event, *task, *outcome as usize, false);
            }
            EventKind::TaskReady { .. }
            | EventKind::TaskWaits { .. }
            | EventKind::TaskProgress { .. }
            | EventKind::UndoEnded { .. }
            | EventKind::TaskServes { .. }
            | EventKind::Limit { .. }
            | EventKind::Notice { .. } => {}
        }
    }

    fn saw_run(&self, engine: &Engine, event: &Event, state: RunState) {
        let Some(run) = engine.run(event.run) else { return };
        match state {
            RunState::Running if run.created == event.at => {
                let trigger = usize::from(run.parent.is_some());
                self.starts.with(&run.name, trigger, |counter| counter.add(1));
                self.runs.foresee(&run.name);
            }
            RunState::Ended(outcome) => {
                let (column, took) = (column(outcome), event.at.since(run.begun));
                self.runs.with(&run.name, column, |counter| counter.add(1));
                self.run_duration.with(&run.name, column, |histogram| histogram.time(took));
            }
            RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => {}
        }
    }

    fn task_ended(&self, engine: &Engine, event: &Event, task: TaskSeq, outcome: usize, again: bool) {
        let Some((record, kind)) = engine.task(event.run, task) else { return };
        self.pace.ended(event.at.millis());
        let task_type = task_type(kind);
        self.attempts.with(&task_type, outcome, |counter| counter.add(1));
        if let Some(started) = record.started.filter(|_| !record.cached) {
            let took = event.at.since(started);
            self.execution.with(&task_type, outcome, |histogram| histogram.time(took));
        }
        if again {
            self.retries.with(&task_type, 0, |counter| counter.add(1));
        }
    }

    /// The engine took a step.
    pub(crate) fn stepped(&self, took: Duration) {
        self.step.time(took);
    }

    /// Runs that went on at a start have begun before: their outcomes are foreseen.
    pub(crate) fn found(&self, engine: &Engine, runs: &[RunId]) {
        for run in runs.iter().filter_map(|&run| engine.run(run)) {
            self.runs.foresee(&run.name);
        }
    }
}

const FAILED: usize = TaskOutcome::Failed as usize;

fn column(outcome: RunOutcome) -> usize {
    match outcome {
        RunOutcome::Succeeded => 0,
        RunOutcome::Failed | RunOutcome::RolledBack | RunOutcome::RollbackFailed => 1,
        RunOutcome::TimedOut => 2,
        RunOutcome::Cancelled => 3,
    }
}

/// What a task is: the queue of a worker's, else what it does.
fn task_type(kind: &Kind) -> Cow<'_, str> {
    let name = match kind {
        Kind::Remote(remote) => return Cow::Borrowed(&remote.task_type),
        Kind::Command(_) => "command",
        Kind::Http(_) => "http",
        Kind::Wait(_) => "wait",
        Kind::Evaluate(_) => "evaluate",
        Kind::SubRun(_) => "sub-run",
        Kind::Start(_) => "start",
        Kind::Each(_) => "each",
        Kind::Expand(_) => "expand",
        Kind::Loop(_) => "loop",
        Kind::Switch(_) => "switch",
        Kind::Join(_) => "join",
        Kind::Terminate(_) => "terminate",
        Kind::SetVariables(_) => "set-variables",
        Kind::Noop => "noop",
    };
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::super::TASK_OUTCOMES;
    use super::*;

    #[test]
    fn outcomes_stand_in_the_order_of_their_names() {
        let named = [
            (TaskOutcome::Succeeded, "completed"),
            (TaskOutcome::Failed, "failed"),
            (TaskOutcome::TimedOut, "timed_out"),
            (TaskOutcome::Cancelled, "canceled"),
            (TaskOutcome::Skipped, "skipped"),
        ];
        for (outcome, name) in named {
            assert_eq!(TASK_OUTCOMES[outcome as usize], name);
        }
    }
}
