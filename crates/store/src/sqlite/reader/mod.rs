//! What other terminals and the server ask, on a connection that can only read.
//!
//! A read transaction keeps the log from being reset, so none lasts longer than one page: larger answers are put
//! together from pages, which may show a run at slightly different moments.
//!
//! `runs` finds runs by what they are called and in order, `search` by anything, `tasks` is what a run did,
//! `catalogue` what a server was taught, `notes` what it noted beside its runs, `durations` how long things took.

mod catalogue;
mod durations;
mod families;
mod notes;
mod runs;
mod search;
mod tasks;

use std::path::Path;
use std::time::Duration;

use partitur_model::record::{DefinitionRecord, NodeRecord, RunRecord};
use partitur_model::{DefinitionId, RunId};
use rusqlite::Connection;

pub use self::catalogue::CataloguePage;
pub use self::families::{EndedRoot, Room};
pub use self::notes::NoteSearch;
pub use self::runs::{RunFilter, RunPage};
pub use self::search::{
    Clause, Column, Found, FoundTasks, Order, Search, SearchedTask, TOTAL_MAX, TaskSearch, Test,
};
pub use self::tasks::{TaskHead, TaskPage};
use super::{load, schema};
use crate::StoreError;
use crate::tables::RunKey;

/// Rows in a page.
const PAGE: u32 = 1_000;

/// A page of rows with large payloads ends earlier.
const PAGE_TIME: Duration = Duration::from_millis(200);

/// Reads a store's file, also while another process writes it.
pub struct Reader {
    conn: Connection,
}

impl Reader {
    /// Opens the file. If an older binary wrote it, and nobody hosts it, it is brought to this one's format first.
    ///
    /// # Errors
    /// [`StoreError::Absent`] if there is none yet; [`StoreError::Busy`] if an older binary is still at work; see also
    /// [`SqliteStore::open`](crate::SqliteStore::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, StoreError> {
        let conn = schema::open_reader(path.as_ref(), Duration::from_secs(2))?;
        Ok(Reader { conn })
    }

    /// A run.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(load::run(&self.conn, id.into())?.filter(|run| run.id == id))
    }

    /// The run with this number on this shard, as the id of one of its tasks names it.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn run_by_number(&self, shard: u16, number: u64) -> Result<Option<RunRecord>, StoreError> {
        Ok(load::run(&self.conn, RunKey::from(RunId::new(shard, number, 0)))?)
    }

    /// A definition.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn definition(&self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        Ok(load::definition(&self.conn, id)?)
    }

    /// What the node remembers.
    ///
    /// # Errors
    /// The disk's.
    pub fn node(&self) -> Result<NodeRecord, StoreError> {
        load::node(&self.conn)
    }
}
