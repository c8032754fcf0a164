//! Each planted fault is found within the seeds that the tests run anyway.

use partitur_model::planted::Planted;
use partitur_simulation::{Kind, Runs, explore};

fn is_found(fault: Planted, runs: Runs, seeds: u64) {
    let (_, failures) = explore(Kind::Memory, runs, &[], 0..seeds, 1, || fault.plant());
    let failure = failures.first().unwrap_or_else(|| panic!("{fault:?} is not found"));
    println!("{fault:?} is found by seed {}: {}", failure.seed, failure.problem);
}

#[test]
fn every_planted_fault_is_found() {
    Planted::ALL.into_iter().for_each(|fault| is_found(fault, Runs::Local, 2_000));
}

#[test]
fn every_fault_that_only_a_server_can_have_is_found() {
    Planted::OF_SERVED_RUNS.into_iter().for_each(|fault| is_found(fault, Runs::Served, 800));
}

#[test]
fn every_fault_of_what_a_server_does_beside_its_runs_is_found() {
    Planted::OF_HOUSEKEEPING.into_iter().for_each(|fault| is_found(fault, Runs::Managed, 800));
}

#[test]
fn without_a_fault_the_same_seeds_find_nothing() {
    for runs in [Runs::Local, Runs::Served, Runs::Managed] {
        let (_, failures) = explore(Kind::Memory, runs, &[], 0..50, 1, || ());
        assert!(failures.is_empty(), "{failures:?}");
    }
}
