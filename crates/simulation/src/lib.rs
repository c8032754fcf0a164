//! Deterministic simulation of the whole node with injected faults: the seed is the whole test.
//!
//! A [`World`] holds the real shard (engine and store loop) over a [`Disk`], with a clock, executors and people of its
//! own. It runs until everything has ended, and the checkers look on: they know what must always hold, and never
//! steer. [`explore`] runs many seeds and counts what happened; a seed that fails is run again with a trace.
//!
//! Not here: sockets, real processes, real time. Begin with [`World::run`]; `faults.rs` is what goes wrong,
//! `workload/` what is asked, `checkers/` what must hold.

mod checkers;
mod disk;
mod explore;
mod faults;
mod gate;
mod processes;
mod rng;
mod rows;
mod summary;
mod workload;
mod world;

pub use disk::{Disk, Memory, Sqlite};
pub use explore::{Failure, Kind, explore, kept_seeds, run_seed, trace};
pub use summary::Summary;
pub use world::{Runs, World};
