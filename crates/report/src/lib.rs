//! Reads what happened: how long a run took, what it saved, what determined its end, what its tasks waited for.
//!
//! [`Story`] holds the records of a run; [`Performance::of`] reads the figures from it, and [`Performance`] prints them
//! for people. [`Watch`] is fed while a run is followed and knows what records do not keep: single attempts, and what
//! a task waited for.
//!
//! [`trust`] looks at declared dependencies instead: which say nothing new, which are missing, which cost time.
//!
//! Not here: files, clocks, terminals; where the records come from.
//! Begin with `performance.rs`; `chain.rs` finds the chain of tasks that determined the end.
#![forbid(unsafe_code)]

mod chain;
mod performance;
mod rest;
mod story;
mod text;
mod time;
pub mod trust;
mod watch;

pub use chain::Link;
pub use performance::{Counts, Performance, Saving};
pub use story::Story;
pub use time::{bytes, clock, short};
pub use watch::{Cause, Waits, Watch};
