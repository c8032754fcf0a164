//! What survives the process: rows in memory, or the files of a real SQLite database.

use std::path::PathBuf;

use partitur_model::note::NoteKind;
use partitur_store::{MemoryStore, NoteSearch, Options, Reader, SqliteStore, Store, Synchronous};

use crate::rows::Kept;

/// A disk, on which one start of the node after another opens its store.
pub trait Disk {
    /// The store.
    type Store: Store;

    /// A start of the node opens it.
    fn open(&mut self) -> Self::Store;

    /// What it keeps beside runs.
    fn kept(&self) -> Kept;

    /// The process dies now: the next start finds what the disk holds at this moment.
    fn crash(&mut self);
}

/// Rows in memory.
#[derive(Default)]
pub struct Memory {
    store: MemoryStore,
}

impl Disk for Memory {
    type Store = MemoryStore;

    fn open(&mut self) -> MemoryStore {
        self.store.clone()
    }

    fn kept(&self) -> Kept {
        let rows = self.store.durable();
        Kept::of(rows.entries(), rows.notes())
    }

    fn crash(&mut self) {
        self.store = self.store.crash();
    }
}

/// An SQLite database. The process that dies leaves its database and log as they are, unclosed: the next start opens
/// copies of both, taken at the moment of death, and recovers from the log.
///
/// This covers the death of the process between two transactions. What a power cut leaves, and a death within a
/// transaction, are replayed by the tests of `store`.
pub struct Sqlite {
    dir: tempfile::TempDir,
    start: u32,
}

impl Sqlite {
    /// An empty one.
    pub fn new() -> Sqlite {
        Sqlite { dir: tempfile::tempdir().expect("a directory for temporary files"), start: 0 }
    }

    fn file(&self, start: u32) -> PathBuf {
        self.dir.path().join(format!("state{start}.db"))
    }
}

impl Default for Sqlite {
    fn default() -> Sqlite {
        Sqlite::new()
    }
}

impl Disk for Sqlite {
    type Store = SqliteStore;

    fn open(&mut self) -> SqliteStore {
        // What the process has written, the next one reads, whether the disk has it or not.
        let options = Options { synchronous: Synchronous::Normal, at_once_max: 8, ..Options::default() };
        SqliteStore::open(self.file(self.start), options, || ()).expect("the database opens")
    }

    fn kept(&self) -> Kept {
        let reader = Reader::open(self.file(self.start)).expect("the database opens");
        let entries = reader.catalogue().expect("a database in order").entries;
        let all = NoteSearch { limit: u32::MAX, ..NoteSearch::default() };
        let notes = NoteKind::ALL.map(|kind| reader.notes(kind, all).expect("a database in order"));
        Kept::of(&entries, notes.iter().flatten())
    }

    fn crash(&mut self) {
        let (old, new) = (self.file(self.start), self.file(self.start + 1));
        self.start += 1;
        for suffix in ["", "-wal"] {
            let with_suffix = |path: &PathBuf| PathBuf::from(format!("{}{suffix}", path.display()));
            if with_suffix(&old).exists() {
                std::fs::copy(with_suffix(&old), with_suffix(&new)).expect("the files can be copied");
            }
        }
    }
}
