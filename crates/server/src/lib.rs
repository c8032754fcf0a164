//! The server: Conductor's protocol and the native one over HTTP, in front of a durable shard.
//!
//! [`Server::open`] takes a data directory and a port, [`Server::run`] serves until a signal ends it. A request becomes
//! an input for the node ([`handle`]), which answers when what it decided is on the disk; whoever only reads does so from
//! rows, on threads of their own ([`reads`]).
//!
//! Not here: what a run does (`engine`), what Conductor's documents mean and look like (`conductor`), rows (`store`).
//! Begin with `server.rs`; `node.rs` is the loop, `http/routes.rs` the table of everything that can be asked.

pub mod app;
pub mod auth;
mod bulk_jobs;
pub mod callbacks;
pub mod catalogue;
mod commands;
mod conductor_api;
mod descriptors;
mod events;
mod flows;
pub mod handle;
pub mod health;
mod http;
mod labelling;
pub mod limits;
pub mod live;
mod messages;
pub mod metrics;
mod native_api;
mod nesting;
mod node;
mod notes;
mod payloads;
mod pressure;
pub mod programs;
pub mod reads;
mod resolve;
pub mod retention;
mod schedules;
mod server;
pub mod settings;
mod starting;
pub mod workers;

pub use http::connections::Limits;
pub use node::OpenError;
pub use server::{Server, ServerError};
