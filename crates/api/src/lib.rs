//! The native wire: what terminals, hosts and scripts say to each other, as JSON, one message a line.
//!
//! Not here: sockets, and what the messages lead to. Begin with [`Request`], [`Response`] and [`Event`].
//!
//! The event stream is versioned by [`Event::v`]: fields are added, never changed or removed, within a version.

pub mod bulk;
mod event;
mod message;
mod metric;
mod status;

pub use event::{Event, EventKind, Failure, Stream, VERSION, outcome_name, run_state_name};
pub use message::{Command, Definition, OnFailure, Request, Response, SourceFile, Submit};
pub use metric::{METRICS_VERSION, RunMetric, Sample};
pub use status::{Breaker, Cache, Holder, Limit, Status, Waiter};
