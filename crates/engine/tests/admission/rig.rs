//! A short way to say who wants what.

use partitur_engine::admission::{Admission, Grant, Options, Request, TaskKey, Ticket};
use partitur_model::change::BatchNo;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::{RunId, TaskSeq, Timestamp};

/// A task of the one run of these tests.
pub fn task(number: u32) -> TaskKey {
    TaskKey { run: RunId::new(0, 1, 7), task: TaskSeq(number) }
}

/// A point in time.
pub fn at(seconds: f64) -> Timestamp {
    Timestamp::from_micros((seconds * 1e6) as u64)
}

/// Greedy: nobody reserves, nobody stops newcomers.
pub fn greedy() -> Options {
    Options { max_reservations: 0, lock_aging_factor: f64::INFINITY, ..Options::default() }
}

/// A claim in words: `gpu`, `gpu*2`, `dir:/src shared`.
pub fn request(admission: &mut Admission, text: &str) -> Request {
    let (name, mode) = match text.strip_suffix(" shared") {
        Some(name) => (name, ClaimMode::Shared),
        None => (text, ClaimMode::Exclusive),
    };
    let (name, units) =
        name.split_once('*').map_or((name, 1), |(name, units)| (name, units.parse().unwrap()));
    Request { resource: admission.resource(name), mode, units }
}

/// A ticket for claims in words.
pub fn ticket(admission: &mut Admission, number: u32, ready: Timestamp, claims: &[&str]) -> Ticket {
    Ticket {
        task: task(number),
        class: Priority::Normal,
        level: 0.0,
        ready,
        order: u64::from(number),
        claims: claims.iter().map(|text| request(admission, text)).collect(),
        breaker: None,
        expected: 1.0,
    }
}

/// Offers a ticket whose readiness is durable.
pub fn offer(admission: &mut Admission, number: u32, ready: Timestamp, claims: &[&str]) {
    let ticket = ticket(admission, number, ready, claims);
    admission.offer(ready, ticket, BatchNo(0));
}

/// The numbers of the tasks that start now, in order.
pub fn decide(admission: &mut Admission, now: Timestamp) -> Vec<u32> {
    let mut grants = Vec::new();
    admission.decide(now, &mut grants);
    admission.check();
    numbers(&grants)
}

/// The numbers of the tasks.
pub fn numbers(grants: &[Grant]) -> Vec<u32> {
    grants.iter().map(|grant| grant.task.task.0).collect()
}

/// Numbers that look random and are the same everywhere (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Exponentially distributed, with mean 1.
    pub fn exponential(&mut self) -> f64 {
        let uniform = ((self.roll() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        -uniform.ln()
    }
}
