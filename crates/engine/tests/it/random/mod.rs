//! Random definitions under random inputs, against the oracle.
//!
//! A case is its seed: `PARTITUR_SEED=123 cargo test -p partitur-engine random` runs one case alone and tells what it does;
//! `PARTITUR_CASES=1000000` runs more of them, `PARTITUR_FIRST=20000` begins there. A seed that fails is told at once.

mod compare;
mod driver;
mod oracle;
mod revive;
mod seen;
mod spec;

use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::met::{Met, STATES};

use driver::{Driver, Outcome};
pub use spec::Dice;

/// So many cases unless told otherwise.
const CASES: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_runs_go_as_the_oracle_says() {
    if let Some(seed) = number("PARTITUR_SEED") {
        Driver::new(seed, true).run();
        return;
    }
    let first = number("PARTITUR_FIRST").unwrap_or(0);
    let cases = number("PARTITUR_CASES").unwrap_or(CASES);
    let outcome = explore(first..first + cases);
    println!("{cases} cases, {} inputs, {} attempts\n{}", outcome.inputs, outcome.attempts, outcome.seen);
    assert!(
        outcome.failed.is_empty(),
        "{} cases failed; the first seeds: {:?}",
        outcome.failed.len(),
        shortest(&outcome)
    );
    if cases >= CASES {
        assert_eq!(outcome.seen.missing(), [""; 0], "what no case had");
        every_pair_was_met(&outcome.met);
    }
}

/// Runs the seeds on every processor.
fn explore(seeds: Range<u64>) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end);
    let work = || std::iter::from_fn(take).fold(Outcome::default(), |sum, seed| sum.and(case(seed)));
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(work)).collect();
        hands.into_iter().fold(Outcome::default(), |sum, hand| sum.and(hand.join().expect("it reports")))
    })
}

/// Failing seeds, those with the fewest inputs first: they are the easiest to read.
fn shortest(outcome: &Outcome) -> Vec<(u64, u64)> {
    let mut failed = outcome.failed.clone();
    failed.sort_unstable();
    failed.truncate(10);
    failed
}

fn case(seed: u64) -> Outcome {
    let mut driver = Driver::new(seed, false);
    let done = catch_unwind(AssertUnwindSafe(|| driver.run()));
    let mut outcome = driver.outcome();
    if done.is_err() {
        // Past what captures the output of tests: whoever runs many of them need not wait for the last.
        let _ = writeln!(std::io::stderr(), "seed {seed} fails after {} inputs", outcome.inputs);
        outcome.failed.push((outcome.inputs, seed));
    }
    if seed.is_multiple_of(8) && done.is_ok() {
        let mut again = Driver::new(seed, false);
        again.run();
        assert_eq!(again.log, driver.log, "the same inputs twice, seed {seed}");
    }
    outcome
}

/// What cannot be: no task is in such a state when such an input comes, or the input finds no such task.
fn cannot_be(state: &str, input: &str) -> bool {
    let lives = matches!(state, "running" | "stopping" | "resetting");
    match input {
        // Only living attempts speak, and only of what lives can a crash take something away.
        "alive" | "success" | "failure" => !lives,
        // What resets had a second attempt only if it failed before, was retried, and was reset within one breath.
        "late report" => matches!(state, "waiting" | "open" | "resetting"),
        "due" => !matches!(state, "backoff"),
        // These are for runs that have ended, and then every task has, but for those that were reset and never begun.
        "retry" | "restart" | "rerun" => state != "ended",
        // Random cases do not cancel these; scripts do.
        "cancel task" => matches!(state, "blocked" | "waiting" | "open" | "ended"),
        _ => false,
    }
}

/// Pairs that random definitions do not reach; scripts do.
fn every_pair_was_met(met: &Met) {
    let inputs = [
        "success",
        "failure",
        "late report",
        "due",
        "cancel task",
        "cancel run",
        "pause",
        "unpause",
        "lost",
        "loaded",
        "evicted",
        "retry",
        "restart",
        "rerun",
    ];
    let missing: Vec<(&str, &str)> = STATES
        .into_iter()
        .flat_map(|state| inputs.into_iter().map(move |input| (state, input)))
        .filter(|&(state, input)| !cannot_be(state, input) && !met.0.contains_key(&(state, input)))
        .collect();
    assert_eq!(missing, [], "(state, input) pairs that no case has met");
}
