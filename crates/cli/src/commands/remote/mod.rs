//! The commands that ask a server: ours, Conductor itself, or any other that speaks its protocol.
//!
//! A folder for each thing that they are about, a file for each thing that is done with it.

pub mod event;
pub mod queue;
pub mod schedule;
mod search;
pub mod task;
mod upload;
pub mod workflow;
