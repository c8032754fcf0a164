//! The result cache: a task whose command, declared reads and predecessors' results are those of an earlier success
//! takes that one's result instead of being executed.
//!
//! Entries are files in one directory, named by their key, complete by renaming and checked by a hash, so that several
//! processes may share it and a torn file is nothing but a miss. When an entry last served is its modification time, how
//! often stands at its end; [`eviction`] says which go when there are too many. [`key`] says what makes two executions
//! equal, [`entry`] what is kept.

mod entry;
mod eviction;
mod key;
mod store;
mod thread;

pub use eviction::{Eviction, Used};
pub use store::{CacheOptions, CacheStats};

pub(crate) use entry::Entry;
pub(crate) use key::Key;
pub(crate) use thread::{CacheThread, Counters, Inputs, Lookup, Success, output_of};
