//! Locks of those outside: agents and programs that work on the same things as tasks do.
//!
//! They are tickets like all others, so the one admission function decides about tasks and them together, and a lock gets
//! all of its claims or none. Who holds one has a fencing token, larger than all before, and a lease that it renews. A
//! lock is a row before anybody hears of it; a start takes up what is held before anything else may have it.
//!
//! Whoever asks for all at once cannot deadlock. Whoever adds a lock to others that it holds may: then the one with the
//! older token waits and the younger is refused (wait-die), whenever somebody else outside is in the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::catalogue::Entry;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::{FencingToken, RunId, TaskSeq, Timestamp};

use super::lock_row::entry;
use super::{Engine, answer_to};
use crate::admission::{Grant, Request, TaskKey, Ticket};
use crate::batch::{Batch, BatchNo};
use crate::effect::{Answer, Refusal};
use crate::input::ReplyTo;
use crate::work::resource_name;

/// The run to which the tickets of those outside belong: there is no run with this number.
pub const OUTSIDE: RunId = RunId::new(0, 0, 0);

/// So many locks of those outside there may be, held and waited for.
pub const LOCKS_MAX: usize = 10_000;

/// Somebody outside wants something of locks.
#[derive(Clone, Debug, PartialEq)]
pub enum LockInput {
    /// All of these, or none.
    Acquire(Box<LockWish>),
    /// The holder lives.
    Renew {
        /// Which lock.
        id: u64,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// It is held, or wanted, no longer.
    Release {
        /// Which lock.
        id: u64,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
}

/// A lock that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct LockWish {
    /// What it will be known by; nobody can guess it.
    pub id: u64,
    /// Who wants it, for people.
    pub holder: Arc<str>,
    /// What is claimed.
    pub claims: Vec<LockClaim>,
    /// It is held for so long without a sign of life.
    pub lease: Duration,
    /// The lock to which it is added.
    pub with: Option<u64>,
    /// It waits until it has them; otherwise it is refused at once.
    pub waits: bool,
    /// Who waits for the answer: [`Answer::Done`] when it is held.
    pub reply: Option<ReplyTo>,
}

/// One claim of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockClaim {
    /// Of what; paths are absolute.
    pub resource: String,
    /// Alone or together with others.
    pub mode: ClaimMode,
    /// How many units.
    pub units: u32,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldLock {
    /// What it is known by.
    pub id: u64,
    /// Who holds it.
    pub holder: Arc<str>,
    /// What is claimed.
    pub claims: Vec<LockClaim>,
    /// Larger than those of all who held anything before.
    pub token: FencingToken,
    /// Since when.
    pub since: Timestamp,
    /// Without a sign of life it ends then.
    pub until: Timestamp,
    /// So long each sign of life is good for.
    pub lease: Duration,
    /// The token of the first of those to which it was added, or its own.
    pub eldest: FencingToken,
}

/// A lock that is wanted and not held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLock {
    /// Who wants it.
    pub holder: Arc<str>,
    /// What is claimed.
    pub claims: Vec<LockClaim>,
    /// Since when.
    pub since: Timestamp,
    /// Who has what it waits for.
    pub waits_for: Vec<TaskKey>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outside {
    locks: BTreeMap<TaskSeq, Lock>,
    by_id: BTreeMap<u64, TaskSeq>,
    last: u32,
    /// So many wait.
    waiting: usize,
}

#[derive(Debug)]
enum Lock {
    Wanted { wish: LockWish, since: Timestamp, eldest: Option<FencingToken> },
    Held(HeldLock),
}

impl Outside {
    /// When the first lease ends.
    pub fn next(&self) -> Option<Timestamp> {
        self.held().map(|(_, held)| held.until).min()
    }

    fn held(&self) -> impl Iterator<Item = (TaskSeq, &HeldLock)> {
        self.locks.iter().filter_map(|(&seq, lock)| match lock {
            Lock::Held(held) => Some((seq, held)),
            Lock::Wanted { .. } => None,
        })
    }

    fn held_by_id(&self, id: u64) -> Option<(TaskSeq, &HeldLock)> {
        let seq = *self.by_id.get(&id)?;
        match self.locks.get(&seq)? {
            Lock::Held(held) => Some((seq, held)),
            Lock::Wanted { .. } => None,
        }
    }

    fn add(&mut self, id: u64, lock: Lock) -> TaskSeq {
        self.last = self.last.wrapping_add(1).max(1);
        let seq = TaskSeq(self.last);
        self.by_id.insert(id, seq);
        self.locks.insert(seq, lock);
        seq
    }
}

impl Engine {
    /// At the start, before anything else can have what they hold. Nobody could renew while the node rested: each lease
    /// begins anew.
    pub(super) fn take_up_locks(&mut self, held: Vec<HeldLock>) {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::LockForgotten.is_here() {
            return;
        }
        for mut lock in held {
            lock.until = lock.until.max(self.now + lock.lease);
            let (claims, since) = (self.requests(&lock.claims), lock.since);
            let seq = self.outside.add(lock.id, Lock::Held(lock));
            self.admission.adopt(ticket(seq, claims, since));
        }
    }

    pub(super) fn locks(&mut self, input: LockInput, batch: &mut Batch) {
        match input {
            LockInput::Acquire(wish) => {
                let reply = wish.reply;
                self.unit.replies.extend(reply);
                if let Err(refusal) = self.want_lock(*wish) {
                    answer_to(reply, Answer::Refused(refusal), batch);
                }
            }
            LockInput::Renew { id, reply } => {
                self.unit.replies.extend(reply);
                let answer = self.renew_lock(id, batch).map_or_else(Answer::Refused, |()| Answer::Done);
                answer_to(reply, answer, batch);
            }
            LockInput::Release { id, reply } => {
                self.unit.replies.extend(reply);
                let answer = self.release_lock(id, batch).map_or_else(Answer::Refused, |()| Answer::Done);
                answer_to(reply, answer, batch);
            }
        }
    }

    fn want_lock(&mut self, wish: LockWish) -> Result<(), Refusal> {
        if self.outside.locks.len() >= LOCKS_MAX {
            return Err(Refusal::LockTaken(format!("there are {LOCKS_MAX} locks of those outside already")));
        }
        let eldest = match wish.with {
            Some(with) => Some(self.outside.held_by_id(with).ok_or(Refusal::NoLock)?.1.eldest),
            None => None,
        };
        let requests = self.requests(&wish.claims);
        if let Some(why) = self.admission.impossible(&requests) {
            return Err(Refusal::LockTaken(why));
        }
        let since = self.now;
        let seq = self.outside.add(wish.id, Lock::Wanted { wish, since, eldest });
        self.outside.waiting += 1;
        self.admission.offer(since, ticket(seq, requests, since), BatchNo(0));
        Ok(())
    }

    fn renew_lock(&mut self, id: u64, batch: &mut Batch) -> Result<(), Refusal> {
        let now = self.now;
        let seq = *self.outside.by_id.get(&id).ok_or(Refusal::NoLock)?;
        let Some(Lock::Held(held)) = self.outside.locks.get_mut(&seq) else { return Err(Refusal::NoLock) };
        held.until = now + held.lease;
        batch.entry(entry(held, now));
        Ok(())
    }

    fn release_lock(&mut self, id: u64, batch: &mut Batch) -> Result<(), Refusal> {
        let seq = *self.outside.by_id.get(&id).ok_or(Refusal::NoLock)?;
        let why = self.held_by(seq);
        self.outside.by_id.remove(&id);
        let lock = self.outside.locks.remove(&seq).ok_or(Refusal::NoLock)?;
        match lock {
            Lock::Held(held) => {
                self.admission.release(self.now, key(seq));
                batch.entry(Entry { body: None, ..entry(&held, self.now) });
            }
            Lock::Wanted { wish, .. } => {
                self.outside.waiting -= 1;
                self.admission.withdraw(key(seq));
                let refusal = Refusal::LockTaken(why);
                answer_to(wish.reply, Answer::Refused(refusal), batch);
            }
        }
        Ok(())
    }

    /// Admission has given a lock what it wants.
    pub(super) fn hold_lock(&mut self, grant: &Grant, batch: &mut Batch) {
        let seq = grant.task.task;
        let Some(Lock::Wanted { wish, eldest, .. }) = self.outside.locks.remove(&seq) else {
            return self.admission.release(self.now, grant.task);
        };
        self.outside.waiting -= 1;
        self.token = self.token.next();
        let (token, since) = (self.token, self.now);
        #[cfg(feature = "planted-faults")]
        let token = match partitur_model::planted::Planted::LockTokenReused.is_here() {
            true => FencingToken(u64::from(self.outside.last)),
            false => token,
        };
        let held = HeldLock {
            id: wish.id,
            holder: wish.holder,
            claims: wish.claims,
            token,
            since,
            until: since + wish.lease,
            lease: wish.lease,
            eldest: eldest.unwrap_or(token),
        };
        batch.entry(entry(&held, since));
        self.outside.locks.insert(seq, Lock::Held(held));
        answer_to(wish.reply, Answer::Done, batch);
    }

    /// Refuses those who do not wait, and those who must not.
    pub(super) fn refuse_locks(&mut self, batch: &mut Batch) {
        if self.outside.waiting == 0 {
            return;
        }
        let refused: Vec<(u64, String)> = self
            .outside
            .locks
            .iter()
            .filter_map(|(&seq, lock)| match lock {
                Lock::Wanted { wish, eldest, .. } => Some((wish.id, self.why_not(seq, wish, *eldest)?)),
                Lock::Held(_) => None,
            })
            .collect();
        for (id, why) in refused {
            let Some(seq) = self.outside.by_id.remove(&id) else { continue };
            if let Some(Lock::Wanted { wish, .. }) = self.outside.locks.remove(&seq) {
                self.outside.waiting -= 1;
                self.admission.withdraw(key(seq));
                answer_to(wish.reply, Answer::Refused(Refusal::LockTaken(why)), batch);
            }
        }
    }

    fn why_not(&self, seq: TaskSeq, wish: &LockWish, eldest: Option<FencingToken>) -> Option<String> {
        if wish.waits && eldest.is_none() {
            return None;
        }
        if !wish.waits {
            return Some(self.held_by(seq));
        }
        let (own, in_the_way) = (eldest?, self.admission.in_the_way_of(key(seq)));
        let elder = in_the_way.iter().find(|task| {
            task.run == OUTSIDE
                && matches!(self.outside.locks.get(&task.task), Some(Lock::Held(held)) if held.eldest <= own)
        })?;
        let name = self.name_of(*elder);
        Some(format!("{name} holds it with an older token: release what you hold and ask for all at once"))
    }

    /// Who has what a lock wants, in words.
    fn held_by(&self, seq: TaskSeq) -> String {
        let in_the_way = self.admission.in_the_way_of(key(seq));
        let names: Vec<String> = in_the_way.iter().map(|&task| self.name_of(task)).collect();
        let names = if names.is_empty() { "others who wait".to_owned() } else { names.join(", ") };
        format!("it is held by {names}")
    }

    /// Ends the leases that are over.
    pub(super) fn end_leases(&mut self, batch: &mut Batch) {
        let now = self.now;
        let over: Vec<u64> =
            self.outside.held().filter(|(_, held)| held.until <= now).map(|(_, held)| held.id).collect();
        for id in over {
            // It was found just now.
            let _ = self.release_lock(id, batch);
        }
    }

    fn requests(&mut self, claims: &[LockClaim]) -> Vec<Request> {
        let request = |claim: &LockClaim| Request {
            resource: self.admission.resource(&claim.resource),
            mode: claim.mode,
            units: claim.units.max(1),
        };
        claims.iter().map(request).collect()
    }

    /// Whoever holds or wants something, for people.
    pub fn name_of(&self, task: TaskKey) -> String {
        if task.run != OUTSIDE {
            return format!("run {} {}", task.run, self.path(task.run, task.task).unwrap_or("?"));
        }
        match self.outside.locks.get(&task.task) {
            Some(Lock::Held(held)) => held.holder.to_string(),
            Some(Lock::Wanted { wish, .. }) => wish.holder.to_string(),
            None => "?".to_owned(),
        }
    }

    /// The locks that those outside hold.
    pub fn held_locks(&self) -> impl Iterator<Item = &HeldLock> {
        self.outside.held().map(|(_, held)| held)
    }

    /// One of them.
    pub fn held_lock(&self, id: u64) -> Option<&HeldLock> {
        self.outside.held_by_id(id).map(|(_, held)| held)
    }

    /// The locks for which those outside wait.
    pub fn wanted_locks(&self) -> Vec<WantedLock> {
        let wanted = self.outside.locks.iter().filter_map(|(&seq, lock)| match lock {
            Lock::Wanted { wish, since, .. } => Some(WantedLock {
                holder: wish.holder.clone(),
                claims: wish.claims.clone(),
                since: *since,
                waits_for: self.admission.in_the_way_of(key(seq)),
            }),
            Lock::Held(_) => None,
        });
        wanted.collect()
    }
}

/// The name of a thing as all know it: paths are absolute and free of `.` and `..`.
pub fn lock_name(declared: &str, dir: &str) -> String {
    resource_name(declared, dir)
}

fn key(seq: TaskSeq) -> TaskKey {
    TaskKey { run: OUTSIDE, task: seq }
}

fn ticket(seq: TaskSeq, claims: Vec<Request>, ready: Timestamp) -> Ticket {
    Ticket {
        task: key(seq),
        class: Priority::Normal,
        level: 0.0,
        ready,
        order: u64::from(seq.0),
        claims,
        breaker: None,
        expected: 0.0,
    }
}
