//! What is left of a flow when it is over.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::record::{TaskError, TaskOutcome};

use super::run::Run;
use super::run::word::Phase;
use super::status::{Metrics, Status};
use super::task::{Task, TaskId};

/// What came out of a task, its output apart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskResult {
    /// The name of the task; empty if it has none.
    pub name: String,
    /// The agent whose task it was.
    pub agent: Option<String>,
    /// `agent#2`, or the name of a task without an agent.
    pub instance: String,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// Attempts begun; 0 if it never started.
    pub attempts: u32,
    /// How sure it was of its answer, if it said so.
    pub confidence: Option<f64>,
    /// By what its answer can be checked.
    pub evidence: Vec<String>,
    /// Why it did not succeed.
    pub error: Option<TaskError>,
    /// How long its attempts took, pauses between them apart; `None` if it was not measured.
    pub execution_time: Option<Duration>,
}

impl TaskResult {
    /// Whether it did what it should.
    pub fn is_success(&self) -> bool {
        self.outcome == TaskOutcome::Succeeded
    }

    /// Why it did not succeed, for people; empty if it did.
    pub fn error_message(&self) -> &str {
        self.error.as_ref().map_or("", |error| &error.message)
    }
}

/// A flow that is over: results and outputs, also those of a flow of which a part failed.
pub struct Outcome {
    pub(super) run: Arc<Run>,
}

impl Outcome {
    /// Whether every task succeeded.
    pub fn is_success(&self) -> bool {
        let succeeded = Phase::Ended(TaskOutcome::Succeeded);
        (0..self.run.nodes()).all(|node| self.run.phase(node) == succeeded)
    }

    /// How many tasks ended how.
    pub fn status(&self) -> Status {
        self.run.status()
    }

    /// Figures about the flow and its agents.
    pub fn metrics(&self) -> Metrics {
        self.run.metrics()
    }

    /// The result of each task, in the order of creation.
    pub fn results(&self) -> impl Iterator<Item = TaskResult> + '_ {
        (0..self.run.nodes()).map(|node| self.result_of(node))
    }

    /// The results of the tasks that did not succeed.
    pub fn failures(&self) -> impl Iterator<Item = TaskResult> + '_ {
        self.results().filter(|result| !result.is_success())
    }

    /// The result of one task.
    ///
    /// # Panics
    /// If the task belongs to another flow.
    pub fn result(&self, task: impl Into<TaskId>) -> TaskResult {
        self.result_of(self.node(task.into()))
    }

    /// A copy of what a task returned; `None` if it did not succeed.
    ///
    /// # Panics
    /// If the task belongs to another flow.
    pub fn output<T: Clone + 'static>(&self, task: Task<T>) -> Option<T> {
        self.run.output(self.node(task.id()), |output: &mut Option<T>| output.clone())
    }

    /// What a task returned, which is then gone from here; `None` if it did not succeed.
    ///
    /// # Panics
    /// If the task belongs to another flow.
    pub fn take<T: 'static>(&mut self, task: Task<T>) -> Option<T> {
        self.run.output(self.node(task.id()), Option::take)
    }

    /// Copies of what several tasks returned, in their order; of a batch, for example.
    ///
    /// # Panics
    /// If a task belongs to another flow.
    pub fn outputs<T: Clone + 'static>(&self, tasks: &[Task<T>]) -> Vec<Option<T>> {
        tasks.iter().map(|task| self.output(*task)).collect()
    }

    fn node(&self, id: TaskId) -> u32 {
        assert!(id.flow == self.run.plan.flow, "task {id:?} belongs to another flow");
        id.node
    }

    fn result_of(&self, node: u32) -> TaskResult {
        let Phase::Ended(outcome) = self.run.phase(node) else {
            unreachable!("an outcome is handed out when every task has ended");
        };
        let note = self.run.notes.get(node).unwrap_or_default();
        let started = outcome != TaskOutcome::Skipped && outcome != TaskOutcome::Cancelled;
        TaskResult {
            name: self.run.plan.names.get(node).to_owned(),
            agent: self.run.plan.special(node).and_then(|special| special.agent.clone()),
            instance: self.run.plan.instance(node),
            outcome,
            attempts: note.attempts.max(u32::from(started)),
            confidence: note.confidence,
            evidence: note.evidence,
            error: note.error,
            execution_time: note.elapsed.or_else(|| self.run.times.get(node)),
        }
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outcome").field(&self.status()).finish()
    }
}

impl Run {
    /// Reads the output of a task of this type that has ended.
    pub(super) fn output<T: 'static, R>(
        &self,
        node: u32,
        read: impl FnOnce(&mut Option<T>) -> Option<R>,
    ) -> Option<R> {
        self.body(node).as_mut().output()?.downcast_mut().and_then(read)
    }
}
