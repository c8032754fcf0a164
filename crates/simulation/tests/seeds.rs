//! Many seeds over rows in memory, some over a real database: `PARTITUR_SEEDS` says how many.

use std::ops::Range;

use partitur_simulation::{Kind, Summary, explore, kept_seeds, trace};

/// Lines of the trace that a failure shows.
const TAIL: usize = 60;

fn seeds(default: u64) -> Range<u64> {
    let wanted = std::env::var("PARTITUR_SEEDS").ok().and_then(|count| count.parse().ok());
    0..wanted.unwrap_or(default)
}

/// Runs the seeds; panics with the end of the first failure's trace.
fn check(kind: Kind, seeds: Range<u64>) -> Summary {
    let (summary, failures) = explore(kind, &kept_seeds(kind), seeds, 1, || ());
    if let Some(failure) = failures.first() {
        let lines = trace(kind, failure.seed);
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        panic!("{tail}\nseed {} over {kind:?}: {}", failure.seed, failure.problem);
    }
    println!("{kind:?}: {summary}");
    summary
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let summary = check(Kind::Memory, seeds(2_000));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
    assert_eq!(summary.missing(), [""; 0], "every fault and every pair of state and input occurs");
}

#[test]
fn it_holds_over_a_real_database_too() {
    let summary = check(Kind::Sqlite, seeds(200));
    assert!(summary.inputs_min >= 200 && summary.crashes_min >= 3, "{summary}");
}

#[test]
fn a_seed_is_the_whole_test() {
    for seed in [7, 8] {
        assert_eq!(trace(Kind::Memory, seed), trace(Kind::Memory, seed));
        assert_eq!(trace(Kind::Memory, seed), trace(Kind::Sqlite, seed));
    }
}
