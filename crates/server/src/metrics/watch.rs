//! Counts what the node tells: runs and tasks that begin and end.

use std::borrow::Cow;
use std::time::Duration;

use partitur_engine::Engine;
use partitur_model::definition::Kind;
use partitur_model::event::{Event, EventKind};
use partitur_model::record::{RunOutcome, RunRecord, RunState, TaskError, TaskOutcome};
use partitur_model::{Payload, RunId, TaskSeq};

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
                for claim in engine.claims(event.run, attempt.task) {
                    let class = claim.resource.0.split_once(':').map_or("resource", |(class, _)| class);
                    self.lock_wait.with(class, 0, |histogram| histogram.time(waited));
                }
            }
            EventKind::TaskRetries { task, error, .. } => {
                self.task_ended(engine, event, *task, FAILED, true);
                self.timed_out(engine, event, *task, error);
            }
            EventKind::TaskEnded { task, outcome, error, .. } => {
                self.task_ended(engine, event, *task, *outcome as usize, false);
                error.iter().for_each(|error| self.timed_out(engine, event, *task, error));
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
                let trigger = Trigger::of(run);
                self.starts.with(&run.name, trigger as usize, |counter| counter.add(1));
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

    /// Counts the end of an attempt whose time was over.
    fn timed_out(&self, engine: &Engine, event: &Event, task: TaskSeq, error: &TaskError) {
        let Some(limit) = Limit::of(error) else { return };
        let Some((_, kind)) = engine.task(event.run, task) else { return };
        let task_type = task_type(kind);
        self.timeouts.with(&task_type, limit as usize, |counter| counter.add(1));
        if limit == Limit::Response {
            self.lease_expirations.with(&task_type, 0, |counter| counter.add(1));
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

/// What made a run begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Api,
    Subworkflow,
    Schedule,
    Event,
    Rerun,
}

impl Trigger {
    fn of(run: &RunRecord) -> Trigger {
        if run.generation > 0 {
            Trigger::Rerun
        } else if run.parent.is_some() {
            Trigger::Subworkflow
        } else if run.options.server.as_ref().is_some_and(|server| server.event.is_some()) {
            Trigger::Event
        } else if is_scheduled(&run.input) {
            Trigger::Schedule
        } else {
            Trigger::Api
        }
    }
}

/// Schedules put this into the input of what they start.
const SCHEDULED: &str = "_startedByScheduler";

/// Looks into the input only where that may be worth it.
fn is_scheduled(input: &Payload) -> bool {
    match input {
        Payload::Raw(text) => text.as_str().contains(SCHEDULED) && input.member(SCHEDULED).is_some(),
        Payload::Object(_) => input.member(SCHEDULED).is_some(),
        Payload::Null | Payload::List(_) => false,
    }
}

/// Which time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    StartToClose,
    Response,
    Poll,
}

impl Limit {
    fn of(error: &TaskError) -> Option<Limit> {
        match error.code.as_str() {
            "timeout" => Some(Limit::StartToClose),
            "heartbeat" => Some(Limit::Response),
            "queue-timeout" => Some(Limit::Poll),
            _ => None,
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
    use super::super::{LIMITS, TASK_OUTCOMES, TRIGGERS};
    use super::*;

    #[test]
    fn triggers_and_limits_stand_in_the_order_of_their_names() {
        use Trigger::{Api, Event, Rerun, Schedule, Subworkflow};
        let names = [Api, Subworkflow, Schedule, Event, Rerun].map(|trigger| TRIGGERS[trigger as usize]);
        assert_eq!(names, ["api", "subworkflow", "schedule", "event", "rerun"]);
        let names = [Limit::StartToClose, Limit::Response, Limit::Poll].map(|limit| LIMITS[limit as usize]);
        assert_eq!(names, ["start_to_close", "response", "poll"]);
    }

    #[test]
    fn only_what_a_schedule_has_put_there_makes_a_run_scheduled() {
        let told = |text: &str| is_scheduled(&Payload::parse(text).unwrap());
        assert!(told(r#"{"_startedByScheduler":"s"}"#));
        assert!(!told(r#"{"x":"_startedByScheduler"}"#));
        assert!(!told("[\"_startedByScheduler\"]"));
    }

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
