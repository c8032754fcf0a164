//! The host of a state directory: the one process that runs what is submitted there, from its own terminal and others.
//!
//! A [`Session`] is what a terminal has: it hosts if nobody else does, and joins the host otherwise; if the host dies,
//! one of those who joined takes over. Whoever hosts turns the shard, executes attempts, and tells all who follow.
//!
//! Not here: how things look, and what commands there are. Begin with [`Session::enter`].

mod build;
mod conductor;
mod context;
mod document;
mod feed;
mod guest;
mod metrics;
mod pressure;
mod rehearsal;
mod server;
mod session;
mod status;
mod terminals;

pub use build::sealing_to_wire;
pub use document::{LoadError, Loaded, compile_record, load, load_text, read_definition};
/// Which cached results go first when there are too many.
pub use partitur_worker::Eviction;
pub use rehearsal::{Fate, Rehearsal};
pub use session::{
    Accepted, Followed, HostError, Notice, Refused, Scheduler, Session, Settings, environment,
};
