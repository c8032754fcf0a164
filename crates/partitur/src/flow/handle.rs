//! A flow while it runs: look at it, wait for it, stop it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::locks::ResourceLock;
use super::outcome::Outcome;
use super::run::Run;
use super::status::{Instance, Metrics, Progress, Status};
use super::task::TaskId;

/// A flow that runs. Dropping the handle cancels what has not ended.
#[must_use = "dropping the handle cancels the flow"]
pub struct Handle {
    /// Taken when the outcome is handed out.
    run: Option<Arc<Run>>,
}

impl Handle {
    pub(super) fn new(run: Arc<Run>) -> Handle {
        Handle { run: Some(run) }
    }

    fn run(&self) -> &Arc<Run> {
        self.run.as_ref().expect("only the methods that consume the handle take the run")
    }

    /// Calls `listener` with each progress that a task reports from now on, on the thread of that task.
    /// A listener that panics fails the task that reports.
    pub fn on_progress(&self, listener: impl Fn(&Progress<'_>) + Send + Sync + 'static) {
        let mut listeners = self.run().listeners.write().unwrap_or_else(|poison| poison.into_inner());
        listeners.push(Arc::new(listener));
    }

    /// The tasks in flight.
    pub fn running_instances(&self) -> Vec<Instance> {
        self.run().running_instances()
    }

    /// The locks that are held.
    pub fn resource_locks(&self) -> Vec<ResourceLock> {
        self.run().resource_locks()
    }

    /// How many tasks are where.
    pub fn status(&self) -> Status {
        self.run().status()
    }

    /// Figures about the tasks that have ended so far.
    pub fn metrics(&self) -> Metrics {
        self.run().metrics()
    }

    /// Bytes that graph and state take; closures, futures, outputs and texts apart.
    pub fn bytes(&self) -> usize {
        self.run().bytes()
    }

    /// Blocks until every task has ended, at most so long. `false` if some have not.
    pub fn wait_all(&self, timeout: Duration) -> bool {
        self.run().wait(Some(timeout))
    }

    /// As [`Handle::wait_all`], without blocking the thread.
    pub async fn wait_all_async(&self, timeout: Duration) -> bool {
        let run = self.run();
        let until = Instant::now().checked_add(timeout);
        let mut watched = false;
        poll_fn(|context| {
            if run.poll_end(context.waker()).is_ready() {
                return Poll::Ready(true);
            }
            let Some(until) = until else { return Poll::Pending };
            if Instant::now() >= until {
                return Poll::Ready(false);
            }
            if !std::mem::replace(&mut watched, true) {
                run.timer.at(until, context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Starts no further task until [`Handle::resume`]; those in flight go on.
    pub fn pause(&self) {
        self.run().queues.set_paused(true);
    }

    /// Goes on after [`Handle::pause`].
    pub fn resume(&self) {
        self.run().queues.set_paused(false);
    }

    /// Cancels every task that has not ended: futures are dropped where they wait, and what has not started never
    /// does. A computation that does not wait runs to its next `await`, or asks
    /// [`TaskContext::is_cancelled`](super::TaskContext::is_cancelled).
    pub fn cancel(&self) {
        self.run().stop();
    }

    /// Cancels one task; what depends on it is skipped. `false` if it has ended or was cancelled before.
    ///
    /// # Panics
    /// If the task belongs to another flow.
    pub fn cancel_task(&self, task: impl Into<TaskId>) -> bool {
        let id = task.into();
        assert!(id.flow == self.run().plan.flow, "task {id:?} belongs to another flow");
        self.run().stop_task(id.node)
    }

    /// Cancels the tasks of these agents, in flight or not yet started. How many were told to stop.
    pub fn cancel_tasks(&self, agents: &[&str]) -> usize {
        let theirs =
            |agent: &Option<String>| agent.as_ref().is_some_and(|agent| agents.contains(&agent.as_str()));
        let tasks = self.run().plan.specials().filter(|(_, special)| theirs(&special.agent));
        tasks.filter(|(node, _)| self.run().stop_task(*node)).count()
    }

    /// Waits for the end.
    pub async fn outcome(mut self) -> Outcome {
        let run = Arc::clone(self.run());
        poll_fn(|context| run.poll_end(context.waker())).await;
        self.run = None;
        Outcome { run }
    }

    /// Blocks until the end.
    pub fn join(mut self) -> Outcome {
        self.run().wait(None);
        let run = self.run.take().expect("taken here only, and the handle is gone afterwards");
        Outcome { run }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(run) = &self.run {
            run.stop();
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.run.as_ref().map(|run| run.status())).finish()
    }
}
