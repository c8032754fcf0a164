//! Many seeds over rows in memory, some over a real database: `PARTITUR_SEEDS` says how many.

use std::ops::Range;

use partitur_simulation::{Kind, Runs, Summary, explore, kept_seeds, trace};

/// Lines of the trace that a failure shows.
const TAIL: usize = 60;

fn seeds(default: u64) -> Range<u64> {
    let wanted = std::env::var("PARTITUR_SEEDS").ok().and_then(|count| count.parse().ok());
    0..wanted.unwrap_or(default)
}

/// Runs the seeds; panics with the end of the first failure's trace.
fn check(kind: Kind, runs: Runs, seeds: Range<u64>) -> Summary {
    let (summary, failures) = explore(kind, runs, &kept_seeds(kind, runs), seeds, 1, || ());
    if let Some(failure) = failures.first() {
        let lines = trace(kind, runs, failure.seed);
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        panic!("{tail}\n{runs:?} seed {} over {kind:?}: {}", failure.seed, failure.problem);
    }
    println!("{runs:?}, {kind:?}: {summary}");
    summary
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let summary = check(Kind::Memory, Runs::Local, seeds(2_000));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
    assert_eq!(summary.missing(Runs::Local), [""; 0], "every fault and every pair of state and input occurs");
}

#[test]
fn it_holds_over_a_real_database_too() {
    let summary = check(Kind::Sqlite, Runs::Local, seeds(200));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
}

#[test]
fn it_holds_for_runs_of_a_server() {
    let summary = check(Kind::Memory, Runs::Served, seeds(3_000));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
    assert_eq!(
        summary.missing(Runs::Served),
        [""; 0],
        "every fault, every operation and what follows occurs"
    );
}

#[test]
fn it_holds_for_runs_of_a_server_over_a_real_database_too() {
    check(Kind::Sqlite, Runs::Served, seeds(200));
}

#[test]
fn it_holds_for_what_a_server_does_beside_its_runs() {
    let summary = check(Kind::Memory, Runs::Managed, seeds(1_500));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
    assert_eq!(summary.missing(Runs::Managed), [""; 0], "every fault, every chore and what follows occurs");
}

#[test]
fn it_holds_for_that_over_a_real_database_too() {
    check(Kind::Sqlite, Runs::Managed, seeds(100));
}

#[test]
fn a_seed_is_the_whole_test() {
    let local_and_served = [(Runs::Local, 7), (Runs::Local, 8), (Runs::Served, 7), (Runs::Served, 8)];
    for (runs, seed) in local_and_served.into_iter().chain([(Runs::Managed, 7), (Runs::Managed, 8)]) {
        let once = trace(Kind::Memory, runs, seed);
        assert_eq!(once, trace(Kind::Memory, runs, seed));
        assert_eq!(once, trace(Kind::Sqlite, runs, seed));
    }
}
