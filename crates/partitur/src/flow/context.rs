//! What a closure is given: who it is, what its predecessors made, and whom to tell how far it is.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use partitur_model::record::TaskOutcome;

use super::failure::Failure;
use super::run::Run;
use super::run::word::Phase;
use super::status::Progress;
use super::task::Task;

/// The part of a run that contexts made on one thread share: their counting of references meets on no other thread
/// unless a context moves there.
pub(super) struct Desk(Arc<Run>);

impl Desk {
    pub(super) fn new(run: Arc<Run>) -> Desk {
        Desk(run)
    }
}

/// What a context is made of; most tasks need none.
pub(super) struct Seat<'a> {
    pub(super) desk: &'a Arc<Desk>,
    pub(super) node: u32,
}

impl Seat<'_> {
    pub(super) fn context(&self) -> TaskContext {
        TaskContext { desk: Arc::clone(self.desk), node: self.node }
    }
}

/// The task as its closure sees it.
pub struct TaskContext {
    desk: Arc<Desk>,
    node: u32,
}

impl TaskContext {
    fn run(&self) -> &Arc<Run> {
        &self.desk.0
    }

    /// The name of the task; empty if it has none.
    pub fn name(&self) -> &str {
        self.run().plan.names.get(self.node)
    }

    /// The agent whose task it is.
    pub fn agent(&self) -> Option<&str> {
        self.run().plan.special(self.node)?.agent.as_deref()
    }

    /// `agent#2`, or the name of a task without an agent.
    pub fn instance(&self) -> String {
        self.run().plan.instance(self.node)
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.run().notes.edit_existing(self.node, |note| note.attempts).unwrap_or(1).max(1)
    }

    /// A copy of what another task returned. That task stands in `after`, of this one or of a predecessor of it;
    /// large outputs belong into an `Arc`.
    ///
    /// # Errors
    /// If the task has not ended, or has not succeeded.
    pub fn output_of<T: Clone + 'static>(&self, task: &Task<T>) -> Result<T, Failure> {
        let id = task.id();
        if id.flow != self.run().plan.flow || id.node >= self.run().nodes() {
            return Err(Failure::terminal("foreign-task", "the task belongs to another flow"));
        }
        let title = || self.run().plan.title(id.node);
        match self.run().phase(id.node) {
            Phase::Waiting | Phase::Running => {
                let message = format!("task `{}` has not ended: name it in `after`", title());
                Err(Failure::terminal("not-ended", message))
            }
            Phase::Ended(TaskOutcome::Succeeded) => {
                self.run().output(id.node, |output: &mut Option<T>| output.clone()).ok_or_else(|| {
                    Failure::terminal("no-output", format!("the output of task `{}` was taken", title()))
                })
            }
            Phase::Ended(
                outcome @ (TaskOutcome::Failed
                | TaskOutcome::TimedOut
                | TaskOutcome::Cancelled
                | TaskOutcome::Skipped),
            ) => {
                Err(Failure::terminal("no-output", format!("task `{}` has no output: {outcome:?}", title())))
            }
        }
    }

    /// Tells how much is done, from 0 to 1. It is a sign of life too.
    pub fn progress(&self, fraction: f64) {
        self.progress_with(fraction, "");
    }

    /// Tells how much is done, and in words what.
    pub fn progress_with(&self, fraction: f64, message: &str) {
        let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let elapsed = self.run().notes.edit(self.node, |note| {
            note.heartbeat = Some(Instant::now());
            note.fraction = Some(fraction);
            message.clone_into(&mut note.message);
            note.started.map(|started| started.elapsed())
        });
        let remaining = elapsed.and_then(|elapsed| remaining(elapsed, fraction));
        let instance = self.instance();
        self.run().report(&Progress { name: self.name(), instance: &instance, fraction, message, remaining });
    }

    /// A sign of life, for those who look at [`Instance::heartbeat`](super::Instance::heartbeat).
    pub fn heartbeat(&self) {
        self.run().notes.edit(self.node, |note| note.heartbeat = Some(Instant::now()));
    }

    /// How sure the task is of its answer, from 0 to 1.
    pub fn confidence(&self, confidence: f64) {
        self.run().notes.edit(self.node, |note| note.confidence = Some(confidence.clamp(0.0, 1.0)));
    }

    /// Adds something by which the answer can be checked.
    pub fn evidence(&self, evidence: impl Into<String>) {
        let evidence = evidence.into();
        self.run().notes.edit(self.node, |note| note.evidence.push(evidence));
    }

    /// Whether the task was cancelled. Futures are stopped where they wait; a long computation asks here.
    pub fn is_cancelled(&self) -> bool {
        self.run().is_stopped(self.node)
    }

    /// Waits so long, with or without a runtime around the flow.
    pub async fn sleep(&self, duration: Duration) {
        let until = Instant::now().checked_add(duration);
        let mut waiting: Option<Waker> = None;
        poll_fn(|context| match until {
            Some(until) if Instant::now() >= until => Poll::Ready(()),
            until => {
                let known = waiting.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
                if let Some(until) = until
                    && !known
                {
                    waiting = Some(context.waker().clone());
                    self.run().timer.at(until, context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await;
    }
}

/// If it goes on as it went.
pub(super) fn remaining(elapsed: Duration, fraction: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - fraction) / fraction).ok()
}
