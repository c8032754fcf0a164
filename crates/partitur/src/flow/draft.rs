//! A task that has just been added and can still be told how it is to be run.

use std::marker::PhantomData;
use std::time::Duration;

use partitur_model::definition::{Priority, Retry};

use super::Flow;
use super::body::{BoxedBody, Repeating, Stage};
use super::context::TaskContext;
use super::failure::Failure;
use super::locks::Lock;
use super::task::{Predecessors, Task, TaskId};

/// A task of a flow, added when the draft is gone: at the end of the statement, or with [`Draft::handle`].
pub struct Draft<'flow, F, Fut, T>
where
    F: FnOnce(TaskContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    flow: &'flow mut Flow,
    task: TaskId,
    make: Option<F>,
    /// How the closure becomes a body: a function, because only `retry` knows that the closure can be copied.
    seal: fn(F) -> BoxedBody,
    output: PhantomData<fn() -> (Fut, T)>,
}

impl<'flow, F, Fut, T> Draft<'flow, F, Fut, T>
where
    F: FnOnce(TaskContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    pub(super) fn new(flow: &'flow mut Flow, task: TaskId, make: F) -> Draft<'flow, F, Fut, T> {
        Draft { flow, task, make: Some(make), seal: |make| Box::pin(Stage::fresh(make)), output: PhantomData }
    }

    /// Starts only when these have succeeded: a task, a list of tasks, or a tuple of tasks with different outputs.
    #[must_use = "a draft without a handle is added when it is dropped"]
    pub fn after(self, tasks: impl Predecessors) -> Self {
        self.flow.order(tasks, self.task);
        self
    }

    /// Runs once all tasks that it is `after` have ended, whether or not they succeeded: to gather what there is, or
    /// to clean up. A cancelled flow does not run it.
    pub fn always(self) -> Self {
        self.flow.special(self.task).always = true;
        self
    }

    /// The agent whose task this is. Several tasks of one agent are its instances, `agent#1`, `agent#2`, …; they are
    /// cancelled and measured together.
    pub fn agent(self, agent: impl Into<String>) -> Self {
        let agent = agent.into();
        self.flow.special(self.task).agent = Some(agent);
        self
    }

    /// Its weight against other ready tasks.
    pub fn priority(self, priority: Priority) -> Self {
        self.flow.special(self.task).priority = priority;
        self
    }

    /// What each attempt holds from its start to its end: all of it, or the task waits.
    pub fn locks(self, locks: impl IntoIterator<Item = Lock>) -> Self {
        self.flow.special(self.task).locks.extend(locks);
        self
    }

    /// How long it is expected to take: of ready tasks with one priority, that with the longest way to the end of the
    /// flow starts first. A second, if nothing is said.
    pub fn expected(self, duration: Duration) -> Self {
        self.flow.special(self.task).expected = Some(duration);
        self
    }

    /// No attempt may take longer. The future is dropped where it waits; a computation that does not wait is not
    /// interrupted.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.flow.special(self.task).timeout = Some(timeout);
        self
    }

    /// Tries again after a failure, a panic or a timeout. Each attempt gets a copy of the closure as it was given.
    /// While it waits for the next attempt, a task is not in flight.
    pub fn retry(mut self, retry: Retry) -> Self
    where
        F: Clone,
    {
        self.flow.special(self.task).retry = Some(retry);
        self.seal = |make| Box::pin(Repeating::fresh(make));
        self
    }

    /// The handle by which others wait for this task and read its output.
    pub fn handle(self) -> Task<T> {
        Task::new(self.task)
    }
}

impl<F, Fut, T> Drop for Draft<'_, F, Fut, T>
where
    F: FnOnce(TaskContext) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    T: Send + 'static,
{
    fn drop(&mut self) {
        let make = self.make.take().expect("taken here only");
        self.flow.bodies.push((self.seal)(make));
    }
}
