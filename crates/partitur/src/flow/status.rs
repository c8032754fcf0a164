//! What can be seen of a flow from outside, while it runs and afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_model::record::TaskOutcome;

use super::context::remaining;
use super::locks::ResourceLock;
use super::run::Run;
use super::run::gate::Held;
use super::run::word::Phase;

/// A task reports how far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The name of the task.
    pub name: &'a str,
    /// `agent#2`, or the name of a task without an agent.
    pub instance: &'a str,
    /// From 0 to 1.
    pub fraction: f64,
    /// What the task says about it.
    pub message: &'a str,
    /// If it goes on as it went; `None` if the task is not measured.
    pub remaining: Option<Duration>,
}

/// A task in flight.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Instance {
    /// `agent#2`, or the name of a task without an agent.
    pub instance: String,
    /// The agent whose task it is.
    pub agent: Option<String>,
    /// The name of the task.
    pub task: String,
    /// Which attempt lives.
    pub attempt: u32,
    /// How long the attempt has lived; `None` if the task is not measured.
    pub running_for: Option<Duration>,
    /// How long ago it gave its last sign of life.
    pub heartbeat: Option<Duration>,
    /// The last progress, from 0 to 1.
    pub fraction: Option<f64>,
    /// What the task said with it.
    pub message: String,
    /// If it goes on as it went.
    pub remaining: Option<Duration>,
}

/// How many tasks are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Not started, or between two attempts.
    pub waiting: usize,
    /// In flight.
    pub running: usize,
    /// Did what they should.
    pub succeeded: usize,
    /// Failed, timed out or cancelled.
    pub failed: usize,
    /// Not started, because a predecessor did not succeed.
    pub skipped: usize,
}

impl Status {
    /// Whether every task has ended.
    pub fn is_over(&self) -> bool {
        self.waiting + self.running == 0
    }

    fn count(&mut self, phase: Phase) {
        let counter = match phase {
            Phase::Waiting => &mut self.waiting,
            Phase::Running => &mut self.running,
            Phase::Ended(TaskOutcome::Succeeded) => &mut self.succeeded,
            Phase::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut | TaskOutcome::Cancelled) => {
                &mut self.failed
            }
            Phase::Ended(TaskOutcome::Skipped) => &mut self.skipped,
        };
        *counter += 1;
    }
}

/// Figures about tasks that were started and have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// How many.
    pub tasks: usize,
    /// How many of them succeeded.
    pub successes: usize,
    /// How many of them were measured.
    pub measured: usize,
    /// How long the measured ones took together, pauses between attempts apart.
    pub execution_time: Duration,
}

impl Figures {
    /// From 0 to 1; `None` before the first task.
    pub fn success_rate(&self) -> Option<f64> {
        (self.tasks > 0).then(|| self.successes as f64 / self.tasks as f64)
    }

    /// Over those that were measured.
    pub fn average_time(&self) -> Option<Duration> {
        (self.measured > 0).then(|| self.execution_time.div_f64(self.measured as f64))
    }

    fn add(&mut self, succeeded: bool, elapsed: Option<Duration>) {
        self.tasks += 1;
        self.successes += usize::from(succeeded);
        if let Some(elapsed) = elapsed {
            self.measured += 1;
            self.execution_time += elapsed;
        }
    }
}

/// Figures about a flow and about each of its agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// All tasks.
    pub total: Figures,
    /// The tasks of each agent.
    pub agents: BTreeMap<String, Figures>,
}

impl Run {
    pub(super) fn status(&self) -> Status {
        let mut status = Status::default();
        (0..self.nodes()).for_each(|node| status.count(self.phase(node)));
        status
    }

    pub(super) fn running_instances(&self) -> Vec<Instance> {
        let running = (0..self.nodes()).filter(|&node| self.phase(node) == Phase::Running);
        running.map(|node| self.instance(node)).collect()
    }

    pub(super) fn resource_locks(&self) -> Vec<ResourceLock> {
        let held = self.queues.gate.iter().flat_map(|gate| gate.held());
        let view = |held: Held| ResourceLock {
            resource: held.lock.resource,
            mode: held.lock.mode,
            units: held.lock.units,
            locked_by: self.plan.instance(held.node),
            held_for: held.since,
        };
        held.map(view).collect()
    }

    fn instance(&self, node: u32) -> Instance {
        let note = self.notes.get(node).unwrap_or_default();
        let running_for = note.started.map(|started| started.elapsed());
        Instance {
            instance: self.plan.instance(node),
            agent: self.plan.special(node).and_then(|special| special.agent.clone()),
            task: self.plan.names.get(node).to_owned(),
            attempt: note.attempts.max(1),
            running_for,
            heartbeat: note.heartbeat.map(|heartbeat| heartbeat.elapsed()),
            remaining: running_for
                .zip(note.fraction)
                .and_then(|(elapsed, fraction)| remaining(elapsed, fraction)),
            fraction: note.fraction,
            message: note.message,
        }
    }

    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        for node in 0..self.nodes() {
            let Phase::Ended(outcome) = self.phase(node) else { continue };
            let known = self.notes.edit_existing(node, |note| (note.elapsed, note.attempts));
            let (elapsed, attempts) = known.unwrap_or_default();
            let elapsed = elapsed.or_else(|| self.times.get(node));
            let never_started = outcome == TaskOutcome::Cancelled && attempts == 0;
            if outcome == TaskOutcome::Skipped || never_started {
                continue;
            }
            let succeeded = outcome == TaskOutcome::Succeeded;
            metrics.total.add(succeeded, elapsed);
            if let Some(agent) = self.plan.special(node).and_then(|special| special.agent.as_ref()) {
                metrics.agents.entry(agent.clone()).or_default().add(succeeded, elapsed);
            }
        }
        metrics
    }
}
