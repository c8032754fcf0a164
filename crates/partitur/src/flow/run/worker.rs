//! The loop of one worker: takes a task, polls it, tells its successors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossbeam_deque::Worker as Deque;
use partitur_model::record::{TaskError, TaskOutcome};

use super::super::context::{Desk, Seat};
use super::super::failure::{CODE_CANCELLED, CODE_TIMEOUT, Failure};
use super::super::options::OnFailure;
use super::super::retry;
use super::Run;
use super::wakeup::Wakeup;
use super::word::{ALWAYS, BLOCKED, SPECIAL, STOP, Snapshot};

/// So long an idle worker looks round before it sleeps: about what a wake-up costs.
const PATIENCE: Duration = Duration::from_micros(20);
/// Pauses of the processor between two looks.
const SPINS: u32 = 16;

/// One thread's part of a run.
pub(super) struct Worker {
    run: Arc<Run>,
    /// Contexts of tasks share this one, so that making a context touches no cache line of another worker.
    desk: Arc<Desk>,
    /// Ready tasks, the latest first: what they need is still warm.
    deque: Deque<u32>,
    /// The first successor that the last task made ready. It never visits the deque.
    in_hand: Option<u32>,
    /// Whether this worker may start a task.
    permit: bool,
    /// A pending task was polled last: a ready one is next, so that neither starves the other.
    resumed_last: bool,
    /// Tasks ended since the run was last told.
    finished: usize,
}

/// What to do next.
enum Step {
    Start(u32),
    Resume(u32),
}

/// How a task left the worker.
enum Left {
    /// For good, or until its next attempt.
    Over,
    /// It is pending and stays in flight.
    Pending,
}

impl Worker {
    pub(super) fn new(run: Arc<Run>, deque: Deque<u32>) -> Worker {
        let desk = Arc::new(Desk::new(Arc::clone(&run)));
        Worker { run, desk, deque, in_hand: None, permit: false, resumed_last: false, finished: 0 }
    }

    pub(super) fn serve(&mut self) {
        while let Some(step) = self.next() {
            match step {
                Step::Start(node) => match self.start(node) {
                    Left::Over => {}
                    // The right to be in flight goes with the task.
                    Left::Pending => self.lose_permit(),
                },
                Step::Resume(node) => match self.resume(node) {
                    Left::Over => self.gain_permit(),
                    Left::Pending => {}
                },
            }
        }
    }

    /// What to do next; `None` when the run is over.
    fn next(&mut self) -> Option<Step> {
        let mut idle_since = None;
        loop {
            if let Some(step) = self.find() {
                return Some(step);
            }
            if self.run.is_over() {
                return None;
            }
            if idle_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
                (0..SPINS).for_each(|_| std::hint::spin_loop());
            } else {
                idle_since = None;
                self.sleep();
            }
        }
    }

    fn find(&mut self) -> Option<Step> {
        if self.resumed_last {
            self.resumed_last = false;
            return self.find_ready().map(Step::Start).or_else(|| self.find_woken());
        }
        self.find_woken().or_else(|| self.find_ready().map(Step::Start))
    }

    fn find_woken(&mut self) -> Option<Step> {
        let node = self.run.queues.pop_woken()?;
        self.resumed_last = true;
        self.put_down();
        Some(Step::Resume(node))
    }

    fn find_ready(&mut self) -> Option<u32> {
        if self.run.queues.is_paused() {
            self.put_down();
            return None;
        }
        self.permit = self.permit || self.run.queues.take_permit();
        if !self.permit {
            return None;
        }
        self.in_hand.take().or_else(|| self.deque.pop()).or_else(|| {
            self.tell_finished();
            self.run.queues.pop_ready(&self.deque)
        })
    }

    fn tell_finished(&mut self) {
        if self.finished > 0 {
            self.run.count_finished(std::mem::take(&mut self.finished));
        }
    }

    fn sleep(&mut self) {
        if std::mem::take(&mut self.permit) {
            self.run.queues.give_permit();
        }
        self.tell_finished();
        let run = &self.run;
        run.queues.sleepers.sleep_unless(|| run.queues.has_work() || run.is_over());
    }

    fn lose_permit(&mut self) {
        self.permit = false;
        self.put_down();
    }

    /// What this worker cannot start now, another one may.
    fn put_down(&mut self) {
        if let Some(node) = self.in_hand.take() {
            self.deque.push(node);
            self.run.queues.sleepers.notify(1);
        }
    }

    fn gain_permit(&mut self) {
        if std::mem::replace(&mut self.permit, true) {
            self.run.queues.give_permit();
        }
    }

    /// Runs a task whose predecessors have all arrived.
    fn start(&mut self, node: u32) -> Left {
        let before = self.run.words[node as usize].start();
        if before.is_plain() && !self.run.is_stopping() {
            self.poll_first(node)
        } else {
            self.start_special(node, before)
        }
    }

    fn start_special(&mut self, node: u32, before: Snapshot) -> Left {
        if before.has(BLOCKED) && !before.has(ALWAYS) {
            return self.end(node, TaskOutcome::Skipped);
        }
        if before.has(STOP) || self.run.is_stopping() {
            return self.cancel(node);
        }
        if !before.has(SPECIAL) {
            return self.poll_first(node);
        }
        match self.begin_note(node) {
            None => self.poll_first(node),
            Some(wakeup) => self.poll_again(node, &wakeup),
        }
    }

    /// Writes down that an attempt begins. A task that was pending in an earlier attempt keeps its waker.
    fn begin_note(&self, node: u32) -> Option<Arc<Wakeup>> {
        let now = Instant::now();
        let timeout = self.run.plan.special(node).and_then(|special| special.timeout);
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
        let wakeup = self.run.notes.edit(node, |note| {
            note.attempts += 1;
            note.started = Some(now);
            note.heartbeat = Some(now);
            note.deadline = deadline;
            note.wakeup.clone()
        });
        if let Some(wakeup) = &wakeup {
            wakeup.begin_poll();
            self.watch(deadline, wakeup);
        }
        wakeup
    }

    fn watch(&self, deadline: Option<Instant>, wakeup: &Arc<Wakeup>) {
        if let Some(deadline) = deadline {
            self.run.timer.at(deadline, Waker::from(Arc::clone(wakeup)));
        }
    }

    /// Polls without a waker: most futures never wait.
    fn poll_first(&mut self, node: u32) -> Left {
        let begin = self.run.times.begin();
        match self.poll(node, Waker::noop()) {
            Poll::Ready(result) => {
                self.run.times.end(node, begin);
                self.settle(node, result)
            }
            Poll::Pending => {
                let wakeup = Wakeup::polling(&self.run, node);
                let known = Arc::clone(&wakeup);
                self.run.words[node as usize].set_special();
                let deadline = self.run.notes.edit(node, |note| {
                    note.wakeup = Some(known);
                    note.attempts = note.attempts.max(1);
                    note.started = note.started.or(begin);
                    note.deadline
                });
                self.watch(deadline, &wakeup);
                // A second poll, because the first one left a waker that does nothing. Only the waker of the latest
                // poll counts, and what happened in between is seen by this one.
                self.poll_again(node, &wakeup)
            }
        }
    }

    /// A pending task was woken: by its future, by the timer, or to be cancelled.
    fn resume(&mut self, node: u32) -> Left {
        let known = self.run.notes.edit_existing(node, |note| Some((note.wakeup.clone()?, note.rests_until)));
        let (wakeup, rests_until) = known.flatten().expect("only a task with a waker can be woken");
        wakeup.begin_poll();
        match rests_until {
            None => self.poll_again(node, &wakeup),
            Some(until) => self.wake_up_rested(node, until, &wakeup),
        }
    }

    /// A task that waits for its next attempt was woken. It is not in flight, so that no permit comes back.
    fn wake_up_rested(&mut self, node: u32, until: Instant, wakeup: &Wakeup) -> Left {
        if Instant::now() < until && !self.run.is_stopped(node) {
            if !wakeup.end_poll() {
                self.run.queues.push_woken(node);
            }
            return Left::Pending;
        }
        self.run.notes.edit(node, |note| note.rests_until = None);
        // In state "polling" the waker is silent until the task is started again.
        self.run.offer(node);
        self.run.queues.sleepers.notify(1);
        Left::Pending
    }

    /// Polls with a waker that works.
    fn poll_again(&mut self, node: u32, wakeup: &Arc<Wakeup>) -> Left {
        if self.run.is_stopped(node) {
            return self.cancel(node);
        }
        let deadline = self.run.notes.edit_existing(node, |note| note.deadline).flatten();
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.settle(node, Err(Failure::new(CODE_TIMEOUT, "took longer than it may")));
        }
        match self.poll(node, &Waker::from(Arc::clone(wakeup))) {
            Poll::Ready(result) => self.settle(node, result),
            Poll::Pending => {
                if !wakeup.end_poll() {
                    self.run.queues.push_woken(node);
                }
                Left::Pending
            }
        }
    }

    /// Polls; a panic is a failure of this task alone.
    fn poll(&self, node: u32, waker: &Waker) -> Poll<Result<(), Failure>> {
        let mut body = self.run.body(node);
        let seat = Seat { desk: &self.desk, node };
        let polled =
            catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&seat, &mut Context::from_waker(waker))));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(Failure::from_panic(&*panic))))
    }

    fn settle(&mut self, node: u32, result: Result<(), Failure>) -> Left {
        match result {
            Ok(()) => self.end(node, TaskOutcome::Succeeded),
            Err(failure) => self.fail(node, failure),
        }
    }

    /// Another attempt, or the end.
    fn fail(&mut self, node: u32, failure: Failure) -> Left {
        let timed_out = failure.code() == CODE_TIMEOUT;
        if let Some(pause) = self.pause_before_retry(node, &failure)
            && self.rewind(node)
        {
            return self.rest(node, pause, failure);
        }
        self.run.notes.edit(node, |note| note.error = Some(failure.into_error()));
        self.end(node, if timed_out { TaskOutcome::TimedOut } else { TaskOutcome::Failed })
    }

    fn pause_before_retry(&self, node: u32, failure: &Failure) -> Option<Duration> {
        let policy = self.run.plan.special(node)?.retry.as_ref()?;
        let attempts = self.run.notes.edit_existing(node, |note| note.attempts)?;
        if self.run.is_stopped(node) { None } else { retry::pause(policy, attempts, failure.error()) }
    }

    /// Drops what the last attempt left; a panic in a destructor is one more reason to give up.
    fn rewind(&self, node: u32) -> bool {
        let mut body = self.run.body(node);
        catch_unwind(AssertUnwindSafe(|| body.as_mut().rewind())).unwrap_or(false)
    }

    /// Waits for its next attempt, without a place among the tasks in flight.
    fn rest(&mut self, node: u32, pause: Duration, failure: Failure) -> Left {
        let until = Instant::now().checked_add(pause).unwrap_or_else(Instant::now);
        let fresh = Wakeup::polling(&self.run, node);
        self.run.release(node);
        self.run.words[node as usize].rest();
        let wakeup = self.run.notes.edit(node, |note| {
            note.close_attempt();
            note.error = Some(failure.into_error());
            note.rests_until = Some(until);
            Arc::clone(note.wakeup.get_or_insert(fresh))
        });
        self.watch(Some(until), &wakeup);
        // Cancelled since the last look, or woken by what the attempt left behind: look once more.
        if !wakeup.end_poll() {
            self.run.queues.push_woken(node);
        } else if self.run.is_stopped(node) {
            Waker::from(wakeup).wake();
        }
        Left::Over
    }

    fn cancel(&mut self, node: u32) -> Left {
        let error = TaskError::terminal(CODE_CANCELLED, "cancelled");
        self.run.notes.edit(node, |note| note.error = Some(error));
        self.end(node, TaskOutcome::Cancelled)
    }

    /// The task is over: whoever waits for it learns it.
    fn end(&mut self, node: u32, outcome: TaskOutcome) -> Left {
        let succeeded = outcome == TaskOutcome::Succeeded;
        if !succeeded {
            self.discard(node);
        }
        let word = &self.run.words[node as usize];
        if word.look().has(SPECIAL) {
            self.run.notes.edit(node, |note| note.close(succeeded));
        }
        self.run.release(node);
        word.end(outcome);
        if outcome.is_failure() && self.run.on_failure == OnFailure::FailFast {
            self.run.stop();
        }
        self.finished += 1;
        self.tell_successors(node, succeeded);
        Left::Over
    }

    /// Frees what an unsuccessful task still holds.
    fn discard(&self, node: u32) {
        let mut body = self.run.body(node);
        // A destructor that panics has nobody left to tell.
        drop(catch_unwind(AssertUnwindSafe(|| body.as_mut().discard())));
    }

    fn tell_successors(&mut self, node: u32, succeeded: bool) {
        let mut offered = 0;
        for &next in self.run.plan.successors(node) {
            if !self.run.words[next as usize].arrive(succeeded) {
                continue;
            }
            if self.run.queues.gate.is_some() {
                self.run.offer(next);
                offered += 1;
            } else if self.in_hand.is_none() {
                self.in_hand = Some(next);
            } else {
                self.deque.push(next);
                offered += 1;
            }
        }
        if offered > 0 {
            self.run.queues.sleepers.notify(offered);
        }
    }
}
