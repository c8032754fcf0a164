//! `kill -9` amid what a server does beside its runs, and amid what is done to its state: schedules, retention, jobs over many
//! runs, locks of those outside, copies, migrations.
//!
//! `UPKEEP_KILLS=500 cargo test -p partitur-tests --test upkeep` kills so often; `UPKEEP_SEED=…` begins with another seed.

mod copies;
mod house;

use partitur_tests::{Dice, number};

/// So often something is killed in each test.
fn kills() -> usize {
    number("UPKEEP_KILLS", 30)
}

fn dice() -> Dice {
    Dice::new(number("UPKEEP_SEED", 1) as u64)
}
