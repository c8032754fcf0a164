//! Partitur as a library: graphs of tasks, run in parallel.
//!
//! Begin with [`flow::Flow`], a graph of async closures that runs in this process, without a store. What tasks of
//! documents and of closures have in common, such as [`flow::Retry`] and [`flow::Priority`], comes from
//! [`model`].
//!
//! Not here: what tasks do, and how documents are read. By default this crate brings few others with it.
#![forbid(unsafe_code)]

pub mod flow;
#[cfg(feature = "host")]
pub mod host;

pub use partitur_model as model;

/// What most programs need.
pub mod prelude {
    pub use crate::flow::{
        Failure, Flow, Handle, Lock, OnFailure, Options, Outcome, Priority, Progress, Retry, Task,
        TaskContext, TaskId, TaskOutcome, TaskResult,
    };
}
