//! The nouns that every crate shares: definitions, runs, tasks, attempts, ids, units, changes, and what crosses
//! between the engine and the workers.
//!
//! Not here: behaviour. `engine` decides, `formats` reads, `store` keeps, `worker` executes.
//! Begin with [`definition::Definition`] (what is to be done) and [`record::TaskRecord`] (how far it is).

pub mod callback;
pub mod catalogue;
pub mod change;
pub mod definition;
pub mod dispatch;
pub mod event;
pub mod fault;
pub mod id;
pub mod note;
#[cfg(feature = "planted-faults")]
pub mod planted;
pub mod pressure;
pub mod record;
pub mod unit;
pub mod value;

pub use fault::{Fault, Place, Severity};
pub use id::{AttemptId, DefinitionId, FencingToken, RunId, TaskId, TaskSeq};
pub use pressure::Pressure;
pub use unit::Timestamp;
pub use value::{Payload, RawJson};
