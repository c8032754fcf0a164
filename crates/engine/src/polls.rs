//! Workers that wait for tasks, in the order in which they asked.
//!
//! A poll is an offer of units on its queue's resource, which admission grants to tasks like any other claim and which
//! are used up by it. What a poll has got is told at the end of the step. Nothing of this is durable: who asked is gone
//! when the node is.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use partitur_model::Timestamp;

use crate::batch::BatchNo;
use crate::effect::{Effect, Handed};
use crate::input::{Poll, QueueName, ReplyTo};

/// A worker counts as active for so long after it has asked; Conductor's `activeWorkerLastPollTimeout`.
const ACTIVE: std::time::Duration = std::time::Duration::from_secs(10);

/// All open polls.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    open: BTreeMap<ReplyTo, OpenPoll>,
    queues: BTreeMap<Arc<str>, Queue>,
    /// Those to be answered when the step is over.
    due: Vec<ReplyTo>,
}

/// Those who wait at one queue.
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<ReplyTo>,
    /// How many tasks they want together.
    wanted: u32,
    /// When somebody last asked.
    asked: Timestamp,
}

#[derive(Debug)]
struct OpenPoll {
    queue: Arc<str>,
    worker: Arc<str>,
    /// So many more it wants.
    wanted: u32,
    wait: bool,
    handed: Vec<Handed>,
    /// When the answer may go.
    after: BatchNo,
}

impl fmt::Display for QueueName {
    /// As Conductor writes it: `type`, or `domain:type`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.domain {
            Some(domain) => write!(f, "{domain}:{}", self.task_type),
            None => f.write_str(&self.task_type),
        }
    }
}

/// The name of the resource that polls of a queue offer.
pub(crate) fn offers(queue: &str) -> String {
    format!("workers/{queue}")
}

impl Polls {
    /// A worker asks. Returns the queue, whose offers have grown.
    pub(crate) fn ask(&mut self, now: Timestamp, poll: Poll) -> Arc<str> {
        let queue: Arc<str> = poll.queue.to_string().into();
        let state = self.queues.entry(queue.clone()).or_default();
        state.asked = now;
        state.wanted += poll.count;
        // Who wants nothing stands in nobody's way.
        if poll.count > 0 {
            state.waiting.push_back(poll.reply);
        }
        if !poll.wait || poll.count == 0 {
            self.due.push(poll.reply);
        }
        let open = OpenPoll {
            queue: queue.clone(),
            worker: poll.worker,
            wanted: poll.count,
            wait: poll.wait,
            handed: Vec::new(),
            after: BatchNo(0),
        };
        self.open.insert(poll.reply, open);
        queue
    }

    /// The poll is to be answered with what it has.
    pub(crate) fn over(&mut self, reply: ReplyTo) {
        if self.open.contains_key(&reply) {
            self.due.push(reply);
        }
    }

    /// The answer to the poll rests on something of this batch.
    pub(crate) fn not_before(&mut self, reply: ReplyTo, batch: BatchNo) {
        if let Some(poll) = self.open.get_mut(&reply) {
            poll.after = poll.after.max(batch);
        }
    }

    /// So many tasks are wanted from the queue.
    pub(crate) fn wanted(&self, queue: &str) -> u32 {
        self.queues.get(queue).map_or(0, |queue| queue.wanted)
    }

    /// The worker that gets the next task of the queue.
    pub(crate) fn next_worker(&self, queue: &str) -> Option<Arc<str>> {
        let reply = self.queues.get(queue)?.waiting.front()?;
        self.open.get(reply).map(|poll| poll.worker.clone())
    }

    /// Gives a task to the worker that asked first.
    pub(crate) fn hand(&mut self, queue: &str, handed: Handed, after: BatchNo) {
        let Some(state) = self.queues.get_mut(queue) else { return };
        let Some(&reply) = state.waiting.front() else { return };
        let poll = self.open.get_mut(&reply).expect("who waits at a queue has an open poll");
        if poll.handed.is_empty() && poll.wait {
            self.due.push(reply);
        }
        poll.handed.push(handed);
        poll.after = poll.after.max(after);
        poll.wanted -= 1;
        state.wanted -= 1;
        if poll.wanted == 0 {
            state.waiting.pop_front();
        }
    }

    /// What was handed to somebody in this step is not.
    pub(crate) fn take_back(&mut self, run: partitur_model::RunId) {
        for reply in &self.due {
            if let Some(poll) = self.open.get_mut(reply) {
                poll.handed.retain(|handed| handed.attempt.run != run);
            }
        }
    }

    /// The answers of this step, and the queues in which less is wanted now. As long as tasks are on their way into memory,
    /// who has less than it wants is not told so: more will be there in a moment.
    pub(crate) fn answers(&mut self, on_their_way: bool) -> Vec<(Arc<str>, Effect)> {
        let mut answers = Vec::new();
        for reply in std::mem::take(&mut self.due) {
            if on_their_way && self.open.get(&reply).is_some_and(|poll| poll.wanted > 0) {
                self.due.push(reply);
                continue;
            }
            let Some(poll) = self.open.remove(&reply) else { continue };
            if poll.wanted > 0
                && let Some(state) = self.queues.get_mut(&poll.queue)
            {
                state.wanted -= poll.wanted;
                state.waiting.retain(|&waiting| waiting != reply);
            }
            let effect = Effect::HandOut { to: reply, tasks: poll.handed, after: poll.after };
            answers.push((poll.queue, effect));
        }
        answers
    }

    /// So many queues are known.
    pub(crate) fn queues(&self) -> usize {
        self.queues.len()
    }

    /// Forgets the queues at which nobody waits and for which nobody has asked lately: of these there is no more to say.
    pub(crate) fn forget_idle(&mut self, now: Timestamp) {
        self.queues.retain(|_, queue| queue.is_active(now));
    }

    /// Whether a worker of the queue has asked lately.
    pub(crate) fn is_active(&self, now: Timestamp, queue: &str) -> bool {
        self.queues.get(queue).is_some_and(|queue| queue.is_active(now))
    }
}

impl Queue {
    fn is_active(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty() || self.asked + ACTIVE > now && self.asked > Timestamp::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Timestamp = Timestamp::from_millis(60_000);

    fn poll(queue: &str, reply: u64, wait: bool) -> Poll {
        let queue = QueueName { task_type: queue.into(), domain: None };
        Poll { queue, worker: "w".into(), count: 1, wait, reply: ReplyTo(reply) }
    }

    #[test]
    fn a_queue_that_nobody_asks_for_is_forgotten() {
        let mut polls = Polls::default();
        polls.ask(Timestamp::from_millis(1_000), poll("once", 1, false));
        polls.ask(Timestamp::from_millis(1_000), poll("waited for", 2, true));
        polls.ask(Timestamp::from_millis(55_000), poll("lately", 3, false));
        assert_eq!(polls.answers(false).len(), 2);
        polls.forget_idle(LATE);
        let known: Vec<&str> = polls.queues.keys().map(|queue| &**queue).collect();
        assert_eq!(known, ["lately", "waited for"]);
        assert_eq!(polls.wanted("waited for"), 1);
    }
}
