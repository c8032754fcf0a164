//! Keys of a server that does not run: whoever may write its directory may make them.

use partitur_model::Timestamp;
use partitur_model::catalogue::Entry;
use partitur_model::change::{BatchNo, Change};
use partitur_store::{
    Commit, Completion, Options, Reader, SqliteStore, StateDir, Store as _, StoreError, Synchronous,
};

use super::keys::{Keys, KeysError};
use super::signature::Signature;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The wish.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A server runs there.
    #[error("a server works in {0}")]
    Occupied(String),
}

/// Does something with the keys of a directory in which nobody works, and keeps what comes of it.
///
/// # Errors
/// Why nothing was done.
pub fn with_keys<T>(
    state: &StateDir,
    now: Timestamp,
    act: impl FnOnce(&Keys, Timestamp) -> Result<(Vec<Entry>, T), KeysError>,
) -> Result<T, OfflineError> {
    let occupied = || OfflineError::Occupied(state.path().display().to_string());
    let _lock = state.try_host()?.ok_or_else(occupied)?;
    let options = Options { synchronous: Synchronous::Full, ..Options::default() };
    let mut store = SqliteStore::open(state.database(), options, || {})?;
    store.recover()?;
    let keys = Keys::new(Signature::random());
    keys.learn(&Reader::open(state.database())?.catalogue()?.entries);
    let (entries, done) = act(&keys, now)?;
    if entries.is_empty() {
        return Ok(done);
    }
    let changes = entries.into_iter().map(|entry| Change::Entry(Box::new(entry))).collect();
    store.submit(Commit { number: BatchNo(1), changes });
    store.wait();
    let mut completions = Vec::new();
    store.completions(&mut completions);
    match completions.pop() {
        Some(Completion::Failed(_, error)) => Err(error.into()),
        Some(Completion::Durable(_)) | None => Ok(done),
    }
}
