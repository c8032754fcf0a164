//! Reads what happened: how long a run took, what it saved, what determined its end, what its tasks waited for.
//!
//! [`Story`] holds the records of a run; [`Performance::of`] reads the figures from it, and [`Performance`] prints them
//! for people. [`Review`] says why it took as long as it did and what would help, [`Timeline`] when what ran,
//! [`trace`] the same for tools that draw it, [`Difference`] what is different between two runs. [`Watch`] is fed while a
//! run is followed and knows what records do not keep: single attempts, and what a task waited for.
//!
//! [`picture`] draws a definition with what a run has made of it. [`trust`] looks at declared dependencies instead: which say nothing new, which are missing, which cost time.
//!
//! Not here: files, clocks, terminals; where the records come from.
//! Begin with `performance.rs`; `chain.rs` finds the chain of tasks that determined the end.
#![forbid(unsafe_code)]

mod advice;
mod at_best;
mod chain;
mod covered;
mod difference;
mod page;
mod performance;
pub mod picture;
mod rest;
mod review;
mod review_text;
mod sparkline;
mod state;
mod story;
#[cfg(test)]
mod testing;
mod text;
mod time;
mod timeline;
mod trace;
pub mod trust;
mod watch;

pub use advice::Advice;
pub use chain::Link;
pub use difference::{Change, Difference};
pub use performance::{Counts, Performance, Saving};
pub use review::{Queued, Review, Slow, Surroundings, Use};
pub use sparkline::sparkline;
pub use state::state_name;
pub use story::Story;
pub use time::{bytes, clock, short};
pub use timeline::{Level, Span, Timeline};
pub use trace::trace;
pub use watch::{Cause, Waits, Watch};
