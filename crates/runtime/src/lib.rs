//! Where clocks and the store meet the engine.
//!
//! A [`Shard`] is an engine and its store, turned by whoever owns it: a thread with an event loop, or a simulation with
//! a clock of its own. It gathers what steps change into batches, has them committed, and hands out effects only when
//! what they rest on is durable.
//!
//! Not here: threads of its own, processes, sockets, terminals. `worker` executes; `partitur::host` has the loop.
//! Begin with [`Shard::open`] and [`Shard::turn`].

mod clock;
mod shard;

pub use clock::Clock;
pub use shard::{Adopt, Compile, OpenError, Opened, Options, Shard, ShardError};
