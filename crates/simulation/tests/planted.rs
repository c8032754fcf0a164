//! Each planted fault is found within the seeds that the tests run anyway.

use partitur_model::planted::Planted;
use partitur_simulation::{Kind, explore};

#[test]
fn every_planted_fault_is_found() {
    for fault in Planted::ALL {
        let (_, failures) = explore(Kind::Memory, &[], 0..2_000, 1, || fault.plant());
        let failure = failures.first().unwrap_or_else(|| panic!("{fault:?} is not found"));
        println!("{fault:?} is found by seed {}: {}", failure.seed, failure.problem);
    }
}

#[test]
fn without_a_fault_the_same_seeds_find_nothing() {
    let (_, failures) = explore(Kind::Memory, &[], 0..50, 1, || ());
    assert!(failures.is_empty(), "{failures:?}");
}
