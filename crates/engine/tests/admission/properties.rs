//! Random work against the naive model.

use std::time::Duration;

use partitur_engine::admission::{Admission, Grant, Options, Request, TaskKey, Ticket};
use partitur_model::Timestamp;
use partitur_model::change::BatchNo;
use partitur_model::definition::{ClaimMode, Priority};
use proptest::prelude::*;

use crate::naive::{Claim, Naive};
use crate::rig::{greedy, task};

const NAMES: [&str; 14] = [
    "slots",
    "run:1",
    "gpu",
    "service:billing",
    "db",
    "dir:/",
    "dir:/src",
    "dir:/src/a",
    "file:/src/a/x",
    "file:/src/a/y",
    "file:/src/b",
    "dir:/doc",
    "file:/doc/x",
    "file:/src/a",
];

/// What can happen to admission. Indices are taken modulo what there is.
#[derive(Clone, Debug)]
enum Op {
    Offer { claims: Vec<(usize, bool, u32)>, class: usize, level: u8, fresh: bool },
    Release(usize),
    Withdraw(usize),
    Settle,
    Capacity(u32),
    Decide { after_ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let claim = (0..NAMES.len(), any::<bool>(), 1..3u32);
    prop_oneof![
        6 => (prop::collection::vec(claim, 1..5), 0..4usize, 0..4u8, any::<bool>())
            .prop_map(|(claims, class, level, fresh)| Op::Offer { claims, class, level, fresh }),
        4 => any::<usize>().prop_map(Op::Release),
        1 => any::<usize>().prop_map(Op::Withdraw),
        1 => Just(Op::Settle),
        1 => (1..4u32).prop_map(Op::Capacity),
        6 => (0..2000u64).prop_map(|after_ms| Op::Decide { after_ms }),
    ]
}

/// Admission and the model side by side.
struct World {
    admission: Admission,
    naive: Naive,
    now: Timestamp,
    batch: BatchNo,
    offered: u32,
    tickets: Vec<(Ticket, Vec<Claim>)>,
    one_class: bool,
}

impl World {
    fn new(options: Options) -> World {
        let mut world = World {
            admission: Admission::new(options),
            naive: Naive::default(),
            now: Timestamp::from_millis(1000),
            batch: BatchNo(1),
            offered: 0,
            tickets: Vec::new(),
            one_class: false,
        };
        for (name, units) in [("slots", 3), ("run:1", 2), ("gpu", 2)] {
            world.set_capacity(name, units);
        }
        world
    }

    fn set_capacity(&mut self, name: &str, units: u32) {
        self.admission.set_capacity(name, units);
        self.naive.capacities.insert(name.into(), units);
    }

    fn apply(&mut self, op: &Op) -> Vec<Grant> {
        match op {
            Op::Offer { claims, class, level, fresh } => self.offer(claims, *class, *level, *fresh),
            Op::Release(at) => {
                if let Some(task) = nth(self.naive.holders.keys(), *at) {
                    self.naive.holders.remove(&task);
                    self.admission.release(self.now, task);
                }
            }
            Op::Withdraw(at) => {
                if let Some(task) = nth(self.naive.waiting.keys(), *at) {
                    self.naive.waiting.remove(&task);
                    self.admission.withdraw(task);
                }
            }
            Op::Settle => {
                self.admission.settle(self.batch);
                self.batch = self.batch.next();
            }
            Op::Capacity(units) => self.set_capacity("gpu", *units),
            Op::Decide { after_ms } => return self.decide(*after_ms),
        }
        self.admission.check();
        Vec::new()
    }

    fn offer(&mut self, claims: &[(usize, bool, u32)], class: usize, level: u8, fresh: bool) {
        let claims: Vec<Claim> = claims
            .iter()
            .map(|&(name, exclusive, units)| {
                let counted = matches!(NAMES[name], "gpu" | "slots");
                Claim { name: NAMES[name].into(), exclusive, units: if counted { units } else { 1 } }
            })
            .collect();
        self.offered += 1;
        let ticket = Ticket {
            task: task(self.offered),
            class: Priority::ALL[if self.one_class { 2 } else { class }],
            level: f32::from(level),
            ready: self.now,
            order: u64::from(self.offered),
            claims: claims.iter().map(|claim| resolve(&mut self.admission, claim)).collect(),
            breaker: None,
            expected: 1.0,
        };
        self.naive.waiting.insert(ticket.task, claims.clone());
        self.tickets.push((ticket.clone(), claims));
        self.admission.offer(self.now, ticket, if fresh { self.batch } else { BatchNo(0) });
    }

    fn decide(&mut self, after_ms: u64) -> Vec<Grant> {
        self.now = self.now + Duration::from_millis(after_ms);
        let mut grants = Vec::new();
        self.admission.decide(self.now, &mut grants);
        self.admission.check();
        for grant in &grants {
            let claims = self.naive.waiting.remove(&grant.task).expect("only who waits is granted something");
            assert!(self.naive.admits(&claims), "{:?} conflicts with a holder", grant.task);
            self.naive.holders.insert(grant.task, claims);
        }
        self.check_wake_ups();
        grants
    }

    /// Nobody waits who could start, except where something is kept free for an older one.
    fn check_wake_ups(&self) {
        let waits = self.admission.waits(self.now);
        assert_eq!(waits.len(), self.naive.waiting.len());
        for wait in waits {
            let could_start = self.naive.admits(&self.naive.waiting[&wait.task]);
            assert!(!could_start || !wait.kept_for.is_empty(), "{wait:?} could start");
            assert!(self.admission.blocked_on(wait.task).is_some());
        }
        let held: Vec<TaskKey> = self.admission.holders().iter().map(|hold| hold.task).collect();
        assert!(held.iter().eq(self.naive.holders.keys()));
    }

    /// The same state, built again from what is known to be held and what waits.
    fn recovered(&self, options: Options) -> World {
        let mut again = World::new(options);
        for (name, units) in &self.naive.capacities {
            again.set_capacity(name, *units);
        }
        for (ticket, claims) in self.tickets.iter().rev() {
            let claims: Vec<Request> =
                claims.iter().map(|claim| resolve(&mut again.admission, claim)).collect();
            let ticket = Ticket { claims, ..ticket.clone() };
            if self.naive.holders.contains_key(&ticket.task) {
                again.admission.adopt(ticket);
            } else if self.naive.waiting.contains_key(&ticket.task) {
                again.admission.offer(self.now, ticket, BatchNo(0));
            }
        }
        again.admission.check();
        (again.naive, again.now) = (self.naive.clone(), self.now);
        again
    }
}

fn resolve(admission: &mut Admission, claim: &Claim) -> Request {
    let mode = if claim.exclusive { ClaimMode::Exclusive } else { ClaimMode::Shared };
    Request { resource: admission.resource(&claim.name), mode, units: claim.units }
}

fn nth<'a>(mut tasks: impl ExactSizeIterator<Item = &'a TaskKey>, at: usize) -> Option<TaskKey> {
    if tasks.len() == 0 { None } else { tasks.nth(at % tasks.len()).copied() }
}

/// Reservations come early, so that there are many.
fn eager() -> Options {
    Options { lock_aging_factor: 0.5, ..Options::default() }
}

/// Releases whoever holds until nobody waits who can ever start.
fn drain(world: &mut World) {
    world.set_capacity("gpu", 3);
    for _ in 0..1000 {
        world.apply(&Op::Decide { after_ms: 100 });
        if world.naive.holders.is_empty() {
            break;
        }
        world.apply(&Op::Release(0));
    }
    assert!(world.naive.waiting.is_empty(), "{:?} never started", world.naive.waiting);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn greedy_admission_grants_exactly_what_fits(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new(greedy());
        for op in &ops {
            world.apply(op);
        }
        drain(&mut world);
    }

    #[test]
    fn with_reservations_only_what_is_kept_free_waits(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new(eager());
        for op in &ops {
            world.apply(op);
        }
        drain(&mut world);
    }

    #[test]
    fn the_same_inputs_give_the_same_decisions(ops in prop::collection::vec(op(), 1..120)) {
        let (mut one, mut two) = (World::new(eager()), World::new(eager()));
        for op in &ops {
            prop_assert_eq!(one.apply(op), two.apply(op));
        }
    }

    #[test]
    fn what_is_rebuilt_after_a_crash_decides_alike(
        ops in prop::collection::vec(op(), 1..80),
        more in prop::collection::vec(any::<usize>(), 1..40),
    ) {
        let mut straight = World::new(greedy());
        straight.one_class = true;
        for op in &ops {
            straight.apply(op);
        }
        straight.apply(&Op::Settle);
        let mut rebuilt = straight.recovered(greedy());
        for at in more {
            prop_assert_eq!(straight.decide(10), rebuilt.decide(10));
            straight.apply(&Op::Release(at));
            rebuilt.apply(&Op::Release(at));
        }
    }
}
