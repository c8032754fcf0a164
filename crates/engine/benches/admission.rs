//! What admission costs and what it is worth.
//!
//! The cost of a task must not grow with the number of those who wait; two reservations must not cost throughput.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "../tests/admission/lock_model.rs"]
mod lock_model;
#[path = "../tests/admission/rig.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod rig;

use std::time::{Duration, Instant};

use partitur_engine::admission::{Admission, Options, Request, Ticket};
use partitur_model::Timestamp;
use partitur_model::change::BatchNo;
use partitur_model::definition::{ClaimMode, Priority};

const FEW: u32 = 100;
const MANY: u32 = 100_000;
const ROUNDS: usize = 9;

/// The names that a task claims.
type Claims = fn(u32) -> Vec<String>;

fn main() {
    println!("cost of a task from offer to release, ns (best of {ROUNDS}, taken in turns)");
    println!("{:36} {:>9} {:>9} {:>7}", "all ready at once, over", FEW, MANY, "ratio");
    let scenarios: [(&str, Claims); 4] = [
        ("one exclusive lock", |_| vec!["db".into(), "slots".into()]),
        ("one limit of 4", |_| vec!["slots/four".into(), "slots".into()]),
        ("one limit of 4, a file each", |number| {
            vec![format!("file:/out/{number}"), "slots/four".into(), "slots".into()]
        }),
        ("two runs of 4, a lock each, 6 slots", |number| {
            vec![format!("lock-{number}"), format!("slots/four-{}", number % 2), "slots".into()]
        }),
    ];
    for (what, claims) in scenarios {
        let (mut few, mut many) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            few = few.min((0..MANY / FEW).map(|_| drain(FEW, claims)).sum::<Duration>() / MANY);
            many = many.min(drain(MANY, claims) / MANY);
        }
        let ratio = many.as_nanos() as f64 / few.as_nanos() as f64;
        println!("{what:36} {:9} {:9} {ratio:7.2}", few.as_nanos(), many.as_nanos());
    }
    println!("\nlock model: 40 resources, 16 workers, 4,000 tasks; mean of 5 seeds");
    println!("{:12} {:>5} {:>9} {:>10} {:>16}", "policy", "load", "makespan", "mean wait", "worst wide wait");
    for load in [5.0, 7.0, 9.0] {
        for (policy, max_reservations) in
            [("greedy", 0), ("1 reserves", 1), ("2 reserve", 2), ("all reserve", 4000)]
        {
            model(policy, load, max_reservations);
        }
    }
}

/// All offered at once; then one ends and what may start starts, until all are over.
fn drain(count: u32, claims: Claims) -> Duration {
    let mut admission = Admission::new(Options::default());
    admission.set_capacity("slots", 6);
    admission.set_capacity("slots/four*", 4);
    let tickets: Vec<Ticket> = (0..count).map(|number| ticket(&mut admission, number, claims)).collect();
    let begin = Instant::now();
    for ticket in tickets {
        admission.offer(Timestamp::ZERO, ticket, BatchNo(0));
    }
    let (mut grants, mut over, mut clock) = (Vec::new(), 0, 0);
    while over < count as usize {
        clock += 1000;
        let now = Timestamp::from_micros(clock);
        admission.decide(now, &mut grants);
        admission.release(now, grants[over].task);
        over += 1;
    }
    begin.elapsed()
}

fn ticket(admission: &mut Admission, number: u32, claims: Claims) -> Ticket {
    let claims = claims(number)
        .iter()
        .map(|name| Request { resource: admission.resource(name), mode: ClaimMode::Exclusive, units: 1 })
        .collect();
    Ticket {
        task: rig::task(number),
        class: Priority::Normal,
        level: (number % 50) as f32,
        ready: Timestamp::ZERO,
        order: u64::from(number),
        claims,
        breaker: None,
        expected: 1.0,
    }
}

fn model(policy: &str, load: f64, max_reservations: usize) {
    let played: Vec<_> = (1..=5)
        .map(|seed| lock_model::play(Options { max_reservations, ..Options::default() }, seed, load, 4000))
        .collect();
    let mean = |part: fn(&lock_model::Outcome) -> f64| played.iter().map(part).sum::<f64>() / 5.0;
    println!(
        "{policy:12} {load:5.0} {:9.0} {:10.2} {:16.0}",
        mean(|outcome| outcome.makespan),
        mean(|outcome| outcome.mean_wait),
        mean(|outcome| outcome.worst_wide_wait),
    );
}
