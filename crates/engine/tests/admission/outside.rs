//! Locks of agents outside, through the whole engine, against the naive model: they come, wait, renew, give back, fall
//! silent, and the node dies and starts again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partitur_engine::admission::TaskKey;
use partitur_engine::{
    Answer, Batch, BatchNo, Boot, Effect, Engine, Input, LockClaim, LockInput, LockWish, OUTSIDE, Options,
    ReplyTo, held_locks_in,
};
use partitur_model::catalogue::Entry;
use partitur_model::change::Change;
use partitur_model::definition::ClaimMode;
use partitur_model::record::NodeRecord;
use partitur_model::{FencingToken, TaskSeq, Timestamp};
use proptest::prelude::*;

use crate::naive::{Claim, Naive};
use crate::rig::greedy;

const AGENTS: usize = 4;

const NAMES: [&str; 8] = [
    "service:billing",
    "machine",
    "dir:/",
    "dir:/src",
    "dir:/src/a",
    "file:/src/a/x",
    "file:/src/b",
    "dir:/doc",
];

/// What an agent does, and how much time has passed before. Indices are taken modulo what there is.
#[derive(Clone, Debug)]
enum Op {
    /// It wants these, alone or not, beside what it holds; it waits, or not.
    Acquire {
        agent: usize,
        claims: Vec<(usize, bool)>,
        lease: u64,
        waits: bool,
    },
    Renew(usize),
    Release(usize),
    /// It does not want any more what it waits for.
    GiveUp(usize),
    Nothing,
    Crash,
}

fn op() -> impl Strategy<Value = (u64, Op)> {
    let claims = prop::collection::vec((0..NAMES.len(), any::<bool>()), 1..4);
    let op = prop_oneof![
        8 => (0..AGENTS, claims, 500..8_000u64, prop::bool::weighted(0.8))
            .prop_map(|(agent, claims, lease, waits)| Op::Acquire { agent, claims, lease, waits }),
        3 => any::<usize>().prop_map(Op::Renew),
        4 => any::<usize>().prop_map(Op::Release),
        1 => any::<usize>().prop_map(Op::GiveUp),
        1 => Just(Op::Nothing),
        1 => Just(Op::Crash),
    ];
    (0..1_500u64, op)
}

/// A lock as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    agent: usize,
    claims: Vec<Claim>,
    lease: Duration,
    /// Where it is held.
    token: Option<FencingToken>,
    until: Timestamp,
    /// The token of the first of those to which it is added.
    eldest: Option<FencingToken>,
    waits: bool,
}

struct World {
    engine: Engine,
    now: Timestamp,
    batches: u64,
    node: NodeRecord,
    rows: BTreeMap<std::sync::Arc<str>, Entry>,
    /// By number, in the order in which they were wanted.
    locks: BTreeMap<u64, Known>,
    naive: Naive,
    count: u64,
    /// The largest that there was.
    token: FencingToken,
    seen: BTreeSet<&'static str>,
}

fn engine(
    node: NodeRecord,
    rows: &BTreeMap<std::sync::Arc<str>, Entry>,
    now: Timestamp,
    batch: &mut Batch,
) -> Engine {
    let options = Options { admission: greedy(), locks: held_locks_in(rows.values()), ..Options::default() };
    let (engine, bad) = Engine::new(options, Boot { node, ..Boot::default() }, now, batch);
    assert!(bad.is_empty());
    engine
}

fn key(lock: u64) -> TaskKey {
    TaskKey { run: OUTSIDE, task: TaskSeq(lock as u32) }
}

impl World {
    fn new() -> World {
        let now = Timestamp::from_millis(1_000);
        let mut batch = Batch::new(BatchNo(1));
        let engine = engine(NodeRecord::default(), &BTreeMap::new(), now, &mut batch);
        let mut world = World {
            engine,
            now,
            batches: 1,
            node: NodeRecord::default(),
            rows: BTreeMap::new(),
            locks: BTreeMap::new(),
            naive: Naive::default(),
            count: 0,
            token: FencingToken::default(),
            seen: BTreeSet::new(),
        };
        world.write(batch);
        world
    }

    /// Everything is durable at once; gives what is answered.
    fn write(&mut self, batch: Batch) -> Vec<(u64, bool)> {
        let (changes, effects) = batch.into_parts();
        for change in changes {
            match change {
                Change::Node(node) => self.node = node,
                Change::Entry(entry) if entry.body.is_none() => drop(self.rows.remove(&entry.name)),
                Change::Entry(entry) => drop(self.rows.insert(entry.name.clone(), *entry)),
                other => panic!("{other:?}"),
            }
        }
        let answers = effects.into_iter().map(|effect| match effect {
            Effect::Reply { to, answer: Answer::Done } => (to.0, true),
            Effect::Reply { to, answer: Answer::Refused(_) } => (to.0, false),
            other => panic!("{other:?}"),
        });
        answers.collect()
    }

    fn step(&mut self, input: Input) -> Vec<(u64, bool)> {
        self.batches += 1;
        let mut batch = Batch::new(BatchNo(self.batches));
        self.engine.step(self.now, input, &mut batch);
        self.write(batch)
    }

    fn apply(&mut self, (after, op): &(u64, Op)) {
        self.now = self.now + Duration::from_millis(*after);
        let answers = self.step(Input::Tick);
        self.leases_end();
        self.hear(&answers);
        let answers = match op {
            Op::Acquire { agent, claims, lease, waits } => self.acquire(*agent, claims, *lease, *waits),
            Op::Renew(at) => self.about_a_held_one(*at, |id, reply| LockInput::Renew { id, reply }),
            Op::Release(at) => self.about_a_held_one(*at, |id, reply| LockInput::Release { id, reply }),
            Op::GiveUp(at) => self.give_up(*at),
            Op::Nothing => Vec::new(),
            Op::Crash => self.crash(),
        };
        self.hear(&answers);
        self.compare();
    }

    fn held(&self) -> impl Iterator<Item = (u64, &Known)> {
        self.locks.iter().filter(|(_, lock)| lock.token.is_some()).map(|(&id, lock)| (id, lock))
    }

    fn waiting(&self) -> impl Iterator<Item = (u64, &Known)> {
        self.locks.iter().filter(|(_, lock)| lock.token.is_none()).map(|(&id, lock)| (id, lock))
    }

    fn leases_end(&mut self) {
        let over: Vec<u64> =
            self.held().filter(|(_, lock)| lock.until <= self.now).map(|(id, _)| id).collect();
        for id in over {
            self.seen.insert("a lease ends");
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        self.locks.remove(&id);
        self.naive.holders.remove(&key(id));
    }

    fn acquire(
        &mut self,
        agent: usize,
        claims: &[(usize, bool)],
        lease: u64,
        waits: bool,
    ) -> Vec<(u64, bool)> {
        if self.waiting().any(|(_, lock)| lock.agent == agent) {
            return Vec::new();
        }
        let claims: BTreeMap<usize, bool> = claims.iter().copied().collect();
        let claims =
            claims.iter().map(|(&name, &exclusive)| Claim { name: NAMES[name].into(), exclusive, units: 1 });
        let claims: Vec<Claim> = claims.collect();
        // Whoever holds something says so.
        let with = self.held().filter(|(_, lock)| lock.agent == agent).map(|(id, _)| id).last();
        self.count += 1;
        let id = self.count;
        let claim = |claim: &Claim| LockClaim {
            resource: claim.name.clone(),
            mode: if claim.exclusive { ClaimMode::Exclusive } else { ClaimMode::Shared },
            units: 1,
        };
        let lease = Duration::from_millis(lease);
        let wish = LockWish {
            id,
            holder: format!("{agent}").into(),
            claims: claims.iter().map(claim).collect(),
            lease,
            with,
            waits,
            reply: Some(ReplyTo(id)),
        };
        let eldest = with.and_then(|with| self.locks[&with].eldest.or(self.locks[&with].token));
        let known = Known { agent, claims, lease, token: None, until: Timestamp::ZERO, eldest, waits };
        self.locks.insert(id, known);
        self.step(Input::Locks(LockInput::Acquire(Box::new(wish))))
    }

    fn about_a_held_one(
        &mut self,
        at: usize,
        input: impl FnOnce(u64, Option<ReplyTo>) -> LockInput,
    ) -> Vec<(u64, bool)> {
        let held: Vec<u64> = self.held().map(|(id, _)| id).collect();
        let Some(&id) = held.get(at % held.len().max(1)) else { return Vec::new() };
        let input = input(id, None);
        let (now, lock) = (self.now, self.locks.get_mut(&id).expect("it is held"));
        match &input {
            LockInput::Renew { .. } => lock.until = now + lock.lease,
            LockInput::Release { .. } => self.forget(id),
            LockInput::Acquire(_) => {}
        }
        self.step(Input::Locks(input))
    }

    fn give_up(&mut self, at: usize) -> Vec<(u64, bool)> {
        let waiting: Vec<u64> = self.waiting().map(|(id, _)| id).collect();
        let Some(&id) = waiting.get(at % waiting.len().max(1)) else { return Vec::new() };
        self.seen.insert("one gives up");
        self.forget(id);
        let answers = self.step(Input::Locks(LockInput::Release { id, reply: None }));
        answers.into_iter().filter(|(other, _)| *other != id).collect()
    }

    /// Who waited is forgotten; who held holds, each for another whole lease.
    fn crash(&mut self) -> Vec<(u64, bool)> {
        self.seen.insert("the node dies");
        self.batches += 1;
        let mut batch = Batch::new(BatchNo(self.batches));
        self.engine = engine(self.node, &self.rows, self.now, &mut batch);
        let now = self.now;
        self.locks.retain(|_, lock| lock.token.is_some());
        for lock in self.locks.values_mut() {
            lock.until = lock.until.max(now + lock.lease);
        }
        self.write(batch)
    }

    /// What was granted is what fits, the oldest first; who was refused had to be.
    fn hear(&mut self, answers: &[(u64, bool)]) {
        let granted: BTreeSet<u64> =
            answers.iter().filter(|(_, is_held)| *is_held).map(|(id, _)| *id).collect();
        let waiting: Vec<u64> = self.waiting().map(|(id, _)| id).collect();
        for id in waiting {
            let fits = self.naive.admits(&self.locks[&id].claims);
            assert_eq!(fits, granted.contains(&id), "{id} fits: {fits}; {:?}", self.locks);
            if fits {
                self.grant(id);
            }
        }
        for &(id, is_held) in answers {
            if !is_held {
                self.refuse(id);
            }
        }
    }

    fn grant(&mut self, id: u64) {
        let held = self.engine.held_lock(id).expect("it was granted");
        assert!(held.token > self.token, "{} after {}", held.token, self.token);
        self.token = held.token;
        self.seen.insert("one is held");
        let (until, token) = (self.now + held.lease, held.token);
        let lock = self.locks.get_mut(&id).expect("it waits");
        assert_eq!((held.until, held.eldest), (until, lock.eldest.unwrap_or(token)));
        (lock.token, lock.until) = (Some(token), until);
        self.naive.holders.insert(key(id), lock.claims.clone());
    }

    /// It would not wait, or it holds something and an elder one is in its way.
    fn refuse(&mut self, id: u64) {
        let lock = self.locks.remove(&id).expect("it waits");
        if !lock.waits {
            self.seen.insert("one does not wait");
            return;
        }
        let own = lock.eldest.unwrap_or_else(|| panic!("{id} holds nothing and must wait"));
        let eldest = |held: &Known| held.eldest.or(held.token).expect("it is held");
        let elder = self.held().any(|(_, held)| eldest(held) <= own && conflict(&held.claims, &lock.claims));
        assert!(elder, "{id} has nobody elder in its way: {:?}", self.locks);
        self.seen.insert("a younger one dies");
    }

    fn compare(&mut self) {
        let held: BTreeSet<u64> = self.engine.held_locks().map(|held| held.id).collect();
        assert!(held.iter().copied().eq(self.held().map(|(id, _)| id)));
        let rows: BTreeSet<String> = self.rows.keys().map(|name| name.to_string()).collect();
        assert!(rows.iter().cloned().eq(held.iter().map(|id| format!("{id:016x}"))));
        assert_eq!(self.engine.wanted_locks().len(), self.waiting().count());
        self.nobody_waits_in_a_ring();
        if self.waiting().count() > 0 {
            self.seen.insert("one waits");
        }
    }

    /// Agents that wait for agents, by the model's own idea of who is in whose way.
    fn nobody_waits_in_a_ring(&self) {
        let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (_, wanted) in self.waiting() {
            let in_the_way = self.held().filter(|(_, held)| conflict(&held.claims, &wanted.claims));
            let others = in_the_way.map(|(_, held)| held.agent).filter(|&agent| agent != wanted.agent);
            waits.entry(wanted.agent).or_default().extend(others);
        }
        // Whoever waits for nobody who waits will go on; take them away until nobody is left.
        while !waits.is_empty() {
            let waiting: BTreeSet<usize> = waits.keys().copied().collect();
            let free = waits.iter().find(|(_, others)| others.is_disjoint(&waiting)).map(|(&agent, _)| agent);
            let free = free.unwrap_or_else(|| panic!("they wait for each other: {waits:?} {:?}", self.locks));
            waits.remove(&free);
        }
    }
}

/// Whether two may not hold these at once.
fn conflict(held: &[Claim], wanted: &[Claim]) -> bool {
    let mut naive = Naive::default();
    naive.holders.insert(key(1), held.to_vec());
    !naive.admits(wanted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn locks_of_those_outside_are_what_the_plainest_bookkeeping_says(
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new();
        for op in &ops {
            world.apply(op);
        }
        // Nobody says anything any more: in the end nothing is held and nobody waits.
        for _ in 0..100 {
            world.apply(&(9_000, Op::Nothing));
        }
        prop_assert!(world.locks.is_empty(), "{:?}", world.locks);
    }
}

#[test]
fn everything_that_may_become_of_a_lock_does() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let ops = prop::collection::vec(op(), 60..80);
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..200 {
        let mut world = World::new();
        let tree = ops.new_tree(&mut runner).expect("operations");
        proptest::strategy::ValueTree::current(&tree).iter().for_each(|op| world.apply(op));
        world.seen.iter().for_each(|what| *seen.entry(what).or_default() += 1);
    }
    println!("{seen:?}");
    let all = [
        "a lease ends",
        "one gives up",
        "the node dies",
        "one is held",
        "one waits",
        "one does not wait",
        "a younger one dies",
    ];
    for what in all {
        assert!(seen.contains_key(what), "never: {what}");
    }
}
