//! Decides what a run does next.
//!
//! [`Engine::step`] takes the time and one input and writes what changed and what to do into a [`Batch`]. The same
//! inputs in the same order give the same batches, on every machine. Whatever the engine knows follows from the rows
//! that it has written: an engine that is built from them goes on as if nothing had happened.
//!
//! Not here: clocks, randomness, threads, files, SQL, sockets. `runtime` has them.
//! Begin with [`Engine::step`]; `ready.rs` and `attempt.rs` are the life of a task, `run/` is a run in memory,
//! [`admission`] is who may start and who may hold what.

pub mod admission;
mod arrival;
mod attempt;
mod batch;
mod callback;
pub mod check;
mod command;
mod container;
mod cx;
mod describe;
mod effect;
mod ending;
mod engine;
mod expand;
mod family;
mod found;
mod input;
mod join;
mod load;
mod operate;
#[cfg(test)]
mod planted;
mod polls;
pub mod program;
mod ready;
mod recovery;
mod reset;
mod results;
mod retry;
mod rollback;
mod room;
mod run;
mod schema;
mod served;
mod service;
mod submission;
mod timers;
mod turns;
mod update;
mod wanted;
mod work;

pub use batch::{Batch, BatchNo};
pub use check::check;
pub use effect::{Answer, Effect, Handed, Purpose, Refusal};
pub use engine::lock_row::held_locks_in;
pub use engine::outside::{
    HeldLock, LOCKS_MAX, LockClaim, LockInput, LockWish, OUTSIDE, WantedLock, lock_name,
};
pub use engine::{Boot, Engine, Options, Reason, Urgency};
pub use found::{SHIPPED as SHIPPED_RESOURCE_RULES, find_resources};
pub use input::{
    Command, Input, Poll, QueueName, ReplyTo, Resolved, Restart, StoredRun, Submission, TaskName, Update,
    UpdateStatus,
};
pub use load::{Cause as LimitCause, Governor, LimitView, Sight};
pub use program::{Program, compile};
pub use recovery::BadRows;
pub use reset::state_name;
pub use results::ResultsView;
pub use submission::{complete_inputs, target_faults};
