//! The pool's thread: who is asked what, who takes too long, who is started anew.
//!
//! A helper answers in order, so at any time it works on the first in flight, and only that one can be to blame for
//! what happens to it. Whoever stands behind a request that takes long is asked of another helper instead.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use partitur_model::Payload;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::helper::{Broken, Helper, Lane};
use super::pace::{Pace, Work};
use super::queue::FairQueue;
use super::{Job, Shared, closed};
use crate::error::{ScriptError, Subject};
use crate::frame::Said;

/// A helper that does not listen by then never will.
const START_MAX: Duration = Duration::from_secs(10);

/// So many helpers in a row may end before they listen.
const START_FAILURES_MAX: u32 = 3;

/// Of several helpers, those that had nothing to do for so long end.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// So often a helper may die while it works on a request. The first death may have come from outside.
const DEATHS_MAX: u32 = 2;

pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    queue: FairQueue<Job>,
    /// Requests of which a helper may have died. They go first, and alone.
    trials: VecDeque<Job>,
    helpers: Vec<Helper>,
    start_failures: u32,
}

impl Dispatcher {
    pub fn new(shared: Arc<Shared>) -> Dispatcher {
        let (queue, trials) = (FairQueue::new(), VecDeque::new());
        Dispatcher { shared, queue, trials, helpers: Vec::new(), start_failures: 0 }
    }

    /// Works until the pool is dropped.
    pub fn run(mut self) {
        while self.take_letters() {
            let now = Instant::now();
            self.look_at_clock(now);
            self.hand_out(now);
            self.wait(now);
            self.listen();
        }
        self.close();
    }

    /// Whether the pool is still there.
    fn take_letters(&mut self) -> bool {
        let mut letters = self.shared.letters();
        for job in letters.jobs.drain(..) {
            self.queue.push(job.request.owner, job);
        }
        letters.waiting = self.queue.len() + self.trials.len();
        !letters.is_closed
    }

    /// Ends what takes too long, and moves aside what takes long.
    fn look_at_clock(&mut self, now: Instant) {
        for at in (0..self.helpers.len()).rev() {
            let helper = &mut self.helpers[at];
            let since = now.duration_since(helper.work.since);
            match helper.pace(now) {
                None if !helper.is_ready && since >= START_MAX => self.bury(at),
                None if helper.is_ready && since >= IDLE_MAX && self.helpers.len() > 1 => {
                    self.helpers.swap_remove(at);
                }
                Some(Pace::Endless) => self.end_endless(at),
                Some(Pace::Slow) if self.helpers[at].lane == Lane::Fast => self.move_aside(at),
                None | Some(Pace::Slow | Pace::Fine) => {}
            }
        }
    }

    /// Kills a helper whose request has used up its time.
    fn end_endless(&mut self, at: usize) {
        let mut helper = self.helpers.swap_remove(at);
        helper.kill();
        let job = helper.in_flight.pop_front().expect("it works on something");
        self.give_back(&mut helper);
        let after = job.request.timeout;
        self.answer(job, Err(ScriptError::Timeout { after }));
    }

    /// Whoever waits behind a request that takes long waits no longer, and others take the helper's place.
    fn move_aside(&mut self, at: usize) {
        let mut helper = self.helpers.swap_remove(at);
        let job = helper.in_flight.pop_front().expect("it works on something");
        self.give_back(&mut helper);
        let owner = job.request.owner;
        helper.in_flight.push_front(job);
        let slow = self.helpers.iter().filter(|helper| helper.lane == Lane::Slow).count();
        if slow < self.shared.settings.slow && slow_of(&self.helpers, owner) < self.share() {
            helper.make_slow();
        } else {
            helper.lane = Lane::Stalled;
        }
        self.helpers.push(helper);
    }

    /// What a helper was asked and will not be answered waits again, where it was.
    fn give_back(&mut self, helper: &mut Helper) {
        while let Some(job) = helper.in_flight.pop_back() {
            self.queue.push_front(job.request.owner, job);
        }
    }

    /// So many slow requests one owner may have. Then it may have one helper of the fast lane, unless that is the last.
    fn share(&self) -> usize {
        (self.shared.settings.slow / 2).max(1)
    }

    fn hand_out(&mut self, now: Instant) {
        while self.queue.len() + self.trials.len() > 0 {
            let Some(at) = self.roomiest(now) else { return };
            let Some(job) = self.next_job(at) else { return };
            self.ask(at, job, now);
        }
    }

    /// The helper with the fewest requests in flight; a new one if all are busy and there may be more.
    fn roomiest(&mut self, now: Instant) -> Option<usize> {
        let in_lane = self.helpers.iter().filter(|helper| helper.lane != Lane::Slow).count();
        let idle = self.helpers.iter().any(|helper| helper.has_room() && helper.in_flight.is_empty());
        if !idle && in_lane < self.shared.settings.helpers.max(1) {
            self.start(now);
        }
        let room = self.helpers.iter().enumerate().filter(|(_, helper)| helper.has_room());
        // A helper that is being started takes nothing that another could take at once.
        room.min_by_key(|(_, helper)| (!helper.is_ready, helper.in_flight.len())).map(|(at, _)| at)
    }

    fn start(&mut self, now: Instant) {
        match Helper::start(&self.shared.settings, now) {
            Ok(helper) => {
                self.shared.helpers_started.fetch_add(1, Ordering::Relaxed);
                self.helpers.push(helper);
            }
            Err(error) => {
                self.start_failures += 1;
                if self.helpers.is_empty() {
                    self.refuse_all(&error.to_string());
                }
            }
        }
    }

    /// What the helper should be asked next.
    fn next_job(&mut self, at: usize) -> Option<Job> {
        if !self.trials.is_empty() {
            // Nobody is asked more until one has nothing left to do, or a trial might wait for ever.
            return if self.helpers[at].in_flight.is_empty() { self.trials.pop_front() } else { None };
        }
        let (helpers, share) = (&self.helpers, self.share());
        let has_others = helpers.iter().filter(|helper| helper.lane == Lane::Fast).count() > 1;
        self.queue
            .pop(|owner| slow_of(helpers, owner) < share || (has_others && !is_busy_for(helpers, owner)))
    }

    fn ask(&mut self, at: usize, job: Job, now: Instant) {
        let input = job.request.input.to_raw();
        let max = self.shared.settings.input_max;
        if input.as_str().len() > max {
            let bytes = input.as_str().len();
            return self.answer(job, Err(ScriptError::TooLarge { subject: Subject::Input, bytes, max }));
        }
        if self.helpers[at].ask(job, input.as_str(), now).is_err() {
            self.bury(at);
        }
    }

    /// Sleeps until somebody has said something or time is up.
    fn wait(&mut self, now: Instant) {
        let timeout = {
            let mut letters = self.shared.letters();
            letters.is_asleep = letters.jobs.is_empty() && !letters.is_closed;
            if letters.is_asleep { self.next_time(now) } else { Some(Duration::ZERO) }
        };
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        });
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.shared.bell.as_fd(), PollFlags::IN)];
        descriptors.extend(self.helpers.iter().map(|helper| {
            let sending = if helper.has_unsent() { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(helper.as_fd(), PollFlags::IN | sending)
        }));
        // Interrupted is as good as woken: everything is looked at again.
        let _ = poll(&mut descriptors, timeout.as_ref());
        if !descriptors[0].revents().is_empty() {
            self.shared.bell.silence();
        }
        self.shared.letters().is_asleep = false;
    }

    /// How long nothing has to be done if nobody says anything.
    fn next_time(&self, now: Instant) -> Option<Duration> {
        let is_shared = self.helpers.len() > 1;
        let due = self.helpers.iter().filter_map(|helper| {
            let at = match helper.in_flight.front() {
                _ if !helper.is_ready => helper.work.since + START_MAX,
                Some(job) => helper.work.next_look(now, job.request.timeout, helper.lane != Lane::Fast),
                None if is_shared => helper.work.since + IDLE_MAX,
                None => return None,
            };
            Some(at.saturating_duration_since(now))
        });
        due.min()
    }

    /// Takes in what helpers have said.
    fn listen(&mut self) {
        for at in (0..self.helpers.len()).rev() {
            let received = self.helpers[at].receive();
            let heard = self.hear(at);
            match (received, heard) {
                (Ok(()), Ok(true)) => {
                    if self.helpers[at].send().is_err() {
                        self.bury(at);
                    }
                }
                // It has ended itself, or has done what it was kept for.
                (_, Ok(false)) => {
                    let mut helper = self.helpers.swap_remove(at);
                    self.give_back(&mut helper);
                }
                (Err(Broken), Ok(true)) | (_, Err(Broken)) => self.bury(at),
            }
        }
    }

    /// Takes all answers of one helper; false if it is not to be used any more.
    fn hear(&mut self, at: usize) -> Result<bool, Broken> {
        loop {
            let helper = &mut self.helpers[at];
            match helper.hear(&self.shared.settings)? {
                None => return Ok(true),
                Some(Said::Ready) if !helper.is_ready => {
                    helper.is_ready = true;
                    helper.work = Work::begin(Instant::now());
                    self.start_failures = 0;
                }
                Some(Said::Ready) => return Err(Broken),
                Some(Said::Answer { outcome, last }) => {
                    let job = helper.in_flight.pop_front().ok_or(Broken)?;
                    helper.work = Work::begin(Instant::now());
                    let is_used_up = last || helper.lane != Lane::Fast;
                    self.answer(job, outcome);
                    if is_used_up {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Removes a helper that has died or makes no sense.
    fn bury(&mut self, at: usize) {
        let mut helper = self.helpers.swap_remove(at);
        let status = helper.kill();
        let first = if helper.is_ready { helper.in_flight.pop_front() } else { None };
        self.give_back(&mut helper);
        if !helper.is_ready {
            self.start_failures += 1;
            if self.start_failures >= START_FAILURES_MAX {
                self.refuse_all(&format!("the helper does not start ({})", ending(status)));
            }
        }
        let Some(mut job) = first else { return };
        job.deaths += 1;
        if job.deaths < DEATHS_MAX {
            self.trials.push_back(job);
        } else {
            let message =
                format!("the evaluation needs more memory or stack than it may have ({})", ending(status));
            self.answer(job, Err(ScriptError::Memory { message }));
        }
    }

    /// Nothing can be evaluated; the next request tries again.
    fn refuse_all(&mut self, reason: &str) {
        self.start_failures = 0;
        let mut refused: Vec<Job> = self.trials.drain(..).collect();
        refused.extend(std::iter::from_fn(|| self.queue.pop(|_| true)));
        for job in refused {
            self.answer(job, Err(ScriptError::Unavailable { reason: reason.to_owned() }));
        }
    }

    fn answer(&self, job: Job, outcome: Result<Payload, ScriptError>) {
        self.shared.answered.fetch_add(1, Ordering::Relaxed);
        let is_timeout = matches!(outcome, Err(ScriptError::Timeout { .. }));
        self.shared.timed_out.fetch_add(u64::from(is_timeout), Ordering::Relaxed);
        // Whoever panics is told so by the hook; the others still want their answers.
        let _ = catch_unwind(AssertUnwindSafe(|| (job.done)(outcome)));
    }

    fn close(mut self) {
        let mut jobs: Vec<Job> = std::mem::take(&mut self.shared.letters().jobs);
        jobs.extend(self.trials.drain(..));
        jobs.extend(self.helpers.drain(..).flat_map(|mut helper| std::mem::take(&mut helper.in_flight)));
        jobs.extend(std::iter::from_fn(|| self.queue.pop(|_| true)));
        for job in jobs {
            self.answer(job, Err(closed()));
        }
    }
}

/// How many slow requests of an owner are worked on.
fn slow_of(helpers: &[Helper], owner: u64) -> usize {
    helpers.iter().filter(|helper| helper.lane == Lane::Slow && helper.has_asked(owner)).count()
}

/// Whether a helper of the fast lane has something to do for an owner.
fn is_busy_for(helpers: &[Helper], owner: u64) -> bool {
    helpers.iter().any(|helper| helper.lane != Lane::Slow && helper.has_asked(owner))
}

/// How a process ended, for people.
fn ending(status: Option<ExitStatus>) -> String {
    status.map_or("its end is unknown".to_owned(), |status| status.to_string())
}
