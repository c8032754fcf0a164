//! Turns a dispatched task into a process, an HTTP call, a wait for a file, and says what became of it.
//!
//! [`LocalExecutor`] takes a [`Dispatch`](partitur_model::dispatch::Dispatch) and gives
//! [reports](partitur_model::dispatch::Report). It is synchronous and driven by its owner's loop: one thread waits in
//! [`LocalExecutor::poll`] for everything at once, the owner's own descriptors included. What a task sees and how it
//! reports is described in `docs/task-environment.md`.
//!
//! Not here: what may start, what follows from an end, retries, locks, rows. `engine` decides that, `runtime` commits
//! it. All that is particular to the operating system is in `platform`.
//! Begin with [`LocalExecutor`]; `process` is the life of a process, [`log`] what becomes of its output, [`calls`] what
//! definitions of Conductor call over HTTP.

mod attempt;
mod await_file;
pub mod build;
mod cache;
pub mod calls;
mod capture;
mod env_file;
mod environment;
mod executor;
mod http;
pub mod https;
mod inbox;
mod jobserver;
pub mod log;
mod mask;
mod pattern;
mod platform;
mod private;
mod process;
mod progress;
mod run;
mod secret;
mod service;
mod sink;

use std::io;
use std::time::Duration;

use partitur_model::RunId;

pub use cache::{CacheOptions, CacheStats, Eviction, Used};
pub use executor::{LocalExecutor, Options, WorkerEvent};
pub use jobserver::Jobserver;
pub use platform::{PressureGauge, Waker};
pub use run::RunContext;
pub use secret::{DirSecrets, EnvSecrets, Secrets, variable_name};

/// After a crash: kills every process that an earlier start of these runs has left, with all that belongs to it.
/// Returns how many there were.
///
/// # Errors
/// The processes cannot be listed, or something still lives after `grace`.
pub fn kill_strays(runs: &dyn Fn(RunId) -> bool, grace: Duration) -> io::Result<u32> {
    platform::kill_strays(&platform::Strays::OfRuns(runs), grace)
}

/// A child of this process that leads a session of its own and is no task: without this, an executor takes it for
/// something that a task has left behind.
pub fn spare_child(child: &std::process::Child) {
    platform::spare(child.id() as i32);
}
