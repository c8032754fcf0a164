//! The real binary, as its users meet it: killed, joined from a second terminal, given bad input, on a broken disk.
//!
//! A test makes a [`Place`] (a directory with documents), starts [`Terminal`]s in it, and reads the [`journal`] that the
//! tasks themselves keep. What the tasks do is `partitur-test-task`: it proves with locks of the kernel that nobody else
//! is where only it may be.
//!
//! Not here: any crate of the product. These tests know the command line, the documents, and what a task sees.
//! `PARTITUR_BINARY` names another binary to be tested; without it, the one of this workspace is built.

mod binary;
mod dice;
pub mod http;
pub mod journal;
mod place;
mod processes;
mod server;
mod terminal;

pub use dice::Dice;
pub use place::Place;
pub use processes::{Process, living};
pub use server::Server;
pub use terminal::{Ended, Terminal};

use std::time::{Duration, Instant};

/// What takes longer on any machine is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until something is there.
///
/// # Panics
/// If it does not come within [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A number that the environment may raise: `KILL9_KILLS=5000 cargo test -p partitur-tests --test kill9`.
pub fn number(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}
