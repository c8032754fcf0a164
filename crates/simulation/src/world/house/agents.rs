//! Agents outside that take locks: some wait, some give up, some add to what they hold, and some are never heard of again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::{Answer, Input, LockClaim, LockInput, LockWish, ReplyTo};
use partitur_model::catalogue::Entry;
use partitur_model::definition::ClaimMode;

use super::super::{Event, Stop, World};
use super::Errand;
use crate::disk::Disk;

/// So many agents there are.
pub const AGENTS: u8 = 4;

/// What they want.
const NAMES: [&str; 6] =
    ["file:/src/a", "dir:/src", "file:/src/b/c", "dir:/src/b", "service:billing", "machine"];

/// What agents have, and want.
#[derive(Default)]
pub struct Agents {
    /// The locks that each agent was given, the first first.
    held: [Vec<u64>; AGENTS as usize],
    wanted: BTreeMap<ReplyTo, (u8, u64)>,
    /// Who gives something back and has not heard yet that it has.
    releasing: BTreeMap<ReplyTo, u8>,
    /// Those that were given back.
    released: BTreeSet<String>,
    /// So often each has begun anew, as somebody else.
    lives: [u32; AGENTS as usize],
}

impl Agents {
    /// The node has died: who held something holds it. Who waited for an answer does not know what it holds, gives
    /// everything up, and begins anew.
    pub fn forget(&mut self) {
        let wanted = std::mem::take(&mut self.wanted).into_values().map(|(agent, _)| agent);
        for agent in wanted.chain(std::mem::take(&mut self.releasing).into_values()) {
            self.held[usize::from(agent)].clear();
            self.lives[usize::from(agent)] += 1;
        }
    }

    /// The lock that is wanted so.
    pub fn wanted(&self, reply: ReplyTo) -> Option<u64> {
        self.wanted.get(&reply).map(|(_, id)| *id)
    }
}

impl<D: Disk> World<D> {
    /// An agent does something.
    pub(super) fn agent(&mut self, agent: u8) -> Result<(), Stop> {
        if !self.is_busy() || self.shard.is_none() {
            return Ok(());
        }
        let pause = self.rng.pause(50, 9_000);
        self.soon(pause, Event::House(Errand::Agent(agent)));
        if self.house.agents.wanted.values().any(|(other, _)| *other == agent) {
            return Ok(());
        }
        let held = self.house.agents.held[usize::from(agent)].clone();
        match (held.last(), self.rng.below(10)) {
            (Some(&last), 0..=2) => self.acquire(agent, Some(last)),
            (Some(_), 3..=4) => {
                let id = *self.rng.pick(&held).expect("it has one");
                self.summary.deed("a lock is renewed");
                self.about_lock(|reply| LockInput::Renew { id, reply })
            }
            (Some(_), 5..=7) => {
                let at = self.rng.below(held.len());
                let id = self.house.agents.held[usize::from(agent)].remove(at);
                self.summary.deed("a lock is given back");
                self.house.agents.released.insert(format!("{id:016x}"));
                let reply = self.call(None, None).0;
                self.house.agents.releasing.insert(reply, agent);
                self.about_lock(|reply| LockInput::Release { id, reply })
            }
            (Some(_), 8) => {
                self.summary.deed("an agent is never heard of again");
                self.house.agents.held[usize::from(agent)].clear();
                self.house.agents.lives[usize::from(agent)] += 1;
                Ok(())
            }
            (Some(_), _) => Ok(()),
            (None, _) => self.acquire(agent, None),
        }
    }

    /// Counts what becomes of locks.
    pub(in crate::world) fn note_lock(&mut self, entry: &Entry) {
        if entry.body.is_none() && !self.house.agents.released.contains(&*entry.name) {
            self.summary.deed("a lease ends");
        }
    }

    /// Counts those that wait.
    pub(in crate::world) fn note_lock_waits(&mut self) {
        let waits = self.shard.iter().any(|shard| !shard.engine().wanted_locks().is_empty());
        if waits {
            self.summary.deed("a lock waits for its turn");
        }
    }

    fn about_lock(&mut self, input: impl FnOnce(Option<ReplyTo>) -> LockInput) -> Result<(), Stop> {
        let (reply, call) = self.call(None, None);
        self.input(Input::Locks(input(Some(reply))), Some((reply, call)))
    }

    fn acquire(&mut self, agent: u8, with: Option<u64>) -> Result<(), Stop> {
        let (id, count) = (self.rng.bits(), self.rng.between(1, 3));
        let mut claims: Vec<LockClaim> = (0..count).map(|_| self.some_claim()).collect();
        claims.sort_by(|a, b| a.resource.cmp(&b.resource));
        claims.dedup_by(|a, b| a.resource == b.resource);
        let (lease, waits) = (self.rng.pause(500, 20_000), self.rng.percent(75));
        self.summary.deed(match (with.is_some(), waits) {
            (true, true) => "a lock is added and waited for",
            (true, false) => "a lock is added if it is free",
            (false, true) => "a lock is waited for",
            (false, false) => "a lock is taken if it is free",
        });
        let (reply, call) = self.call(None, None);
        self.house.agents.wanted.insert(reply, (agent, id));
        let life = self.house.agents.lives[usize::from(agent)];
        let holder: Arc<str> = format!("agent{agent}.{life}").into();
        let wish = LockWish { id, holder, claims, lease, with, waits, reply: Some(reply) };
        self.input(Input::Locks(LockInput::Acquire(Box::new(wish))), Some((reply, call)))
    }

    fn some_claim(&mut self) -> LockClaim {
        let resource = self.rng.pick(&NAMES).expect("there are some").to_string();
        let mode = if self.rng.percent(60) { ClaimMode::Exclusive } else { ClaimMode::Shared };
        LockClaim { resource, mode, units: 1 }
    }

    pub(super) fn agent_hears(&mut self, to: ReplyTo, answer: &Answer) {
        self.house.agents.releasing.remove(&to);
        let Some((agent, id)) = self.house.agents.wanted.remove(&to) else { return };
        match answer {
            Answer::Refused(refusal) => {
                let dies = refusal.to_string().contains("older token");
                self.summary.deed(if dies { "a younger one dies" } else { "a lock is refused" });
            }
            Answer::Done | Answer::Accepted { .. } | Answer::Updated { .. } => {
                self.summary.deed("a lock is held");
                self.house.agents.held[usize::from(agent)].push(id);
                let renew = self.rng.percent(50);
                if renew {
                    self.soon(Duration::from_millis(400), Event::House(Errand::Agent(agent)));
                }
            }
        }
    }
}
