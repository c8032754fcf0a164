//! Keeps what the engine decided: submit a batch, hear when it is durable, read back what is open, query.
//!
//! A [`Store`] takes the after-images of rows ([`Change`]) and decides nothing. What is durable is always a prefix of
//! what was submitted: when a batch fails, those submitted behind it fail with it, until the caller has heard of it.
//!
//! Not here: what the rows mean, clocks, retries. `engine` decides, `runtime` submits and waits.
//! Begin with [`Store`]; [`SqliteStore`] is the one people use, [`MemoryStore`] the one whose disk a test can break,
//! [`Reader`] what terminals and the server ask, [`StateDir`] where it all lies and whose it is.

mod error;
mod memory;
pub mod retention;
mod sqlite;
mod state_dir;
mod tables;

pub use error::StoreError;
pub use memory::{DiskFault, MemoryStore};
#[cfg(feature = "test-support")]
pub use sqlite::recording_vfs;
pub use sqlite::{
    CataloguePage, Clause, Column, Counts, EndedRoot, Found, FoundTasks, Inspection, NoteSearch, Options,
    Order, Reader, Room, RunFilter, RunPage, Search, SearchedTask, SqliteStore, Synchronous, TOTAL_MAX,
    TaskHead, TaskPage, TaskSearch, Test,
};
pub use sqlite::{back_up, inspect, restore};
pub use state_dir::{HostLock, StateDir};
pub use tables::Tables;

use std::sync::Arc;

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{BreakerRecord, DefinitionRecord, NodeRecord, RunRecord, TaskRecord};
use partitur_model::{DefinitionId, RunId, Timestamp};

/// Batches that may wait for the disk; one more is refused with [`StoreError::Overloaded`].
pub const QUEUE_MAX: usize = 1024;

/// Durable state.
///
/// Payloads come back as the bytes they render to; a rope comes back as one piece, and `null` as
/// [`Payload::Null`](partitur_model::Payload::Null).
pub trait Store: Send {
    /// Takes a batch. A small one may be written here and now; otherwise nobody waits for the disk. Batches become
    /// durable in this order, each wholly or not at all.
    fn submit(&mut self, commit: Commit);

    /// Appends what has completed since the last call, in the order of submission. Never blocks.
    fn completions(&mut self, out: &mut Vec<Completion>);

    /// Blocks until there is a completion to take, or nothing is pending.
    fn wait(&mut self);

    /// What the engine needs to go on: node, breakers, every run that has not ended, and the definitions of these.
    ///
    /// # Errors
    /// Only when nothing can be read; rows that are damaged are reported in [`Recovered::quarantined`].
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// A run with all of its tasks, ended or not, as all batches submitted so far leave it.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    fn load_run(&mut self, run: RunId) -> Result<Option<StoredRun>, StoreError>;

    /// The newest run of this name that was started under this key, and whether it has ended, as all batches submitted so
    /// far leave it.
    ///
    /// # Errors
    /// The disk's.
    fn run_under_key(&mut self, name: &str, key: &str) -> Result<Option<(RunId, bool)>, StoreError>;

    /// A definition, as all batches submitted so far leave it.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    fn definition(&mut self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError>;
}

/// Changes that become durable together.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Its number; the completion carries it.
    pub number: BatchNo,
    /// In the order in which they were made; of several changes to a row the last counts. Shared with whoever submits
    /// them, who may have to do it again.
    pub changes: Arc<[Change]>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// It is on the disk.
    Durable(BatchNo),
    /// Nothing of it is on the disk.
    /// With [`StoreError::Poisoned`] that is unknown, and the process has to end: the next start reads what is there.
    Failed(BatchNo, StoreError),
}

/// A run with all of its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// The run.
    pub run: RunRecord,
    /// Its tasks, by number.
    pub tasks: Vec<TaskRecord>,
}

/// What a start finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// What the node remembers.
    pub node: NodeRecord,
    /// By name.
    pub breakers: Vec<BreakerRecord>,
    /// The definitions of `runs`, by id.
    pub definitions: Vec<DefinitionRecord>,
    /// Every run that has not ended, by number; a parent that waits for an open child is open itself.
    pub runs: Vec<StoredRun>,
    /// The newest run under each key of deduplication, ended or not, by key.
    pub submitted: Vec<Submitted>,
    /// What could not be read, and is left as it is.
    pub quarantined: Vec<Quarantined>,
}

/// A submission that an equal one joins for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Its key.
    pub key: String,
    /// Its run.
    pub run: RunId,
    /// When it was accepted.
    pub created: Timestamp,
}

/// Something on the disk that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The number of the run that it belongs to, if it belongs to one.
    pub run: Option<u64>,
    /// What and why, for people: `task 7: state 99 is unknown`.
    pub reason: String,
}

impl Quarantined {
    /// A run can only go on with its definition.
    fn without_definition(run: &RunRecord) -> Quarantined {
        Quarantined {
            run: Some(run.id.number()),
            reason: format!("definition {} is missing", run.definition),
        }
    }
}
