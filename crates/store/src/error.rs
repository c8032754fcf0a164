//! What can go wrong with a store, and what a person can do about it.

use std::path::PathBuf;

use partitur_model::change::BatchNo;

/// Why the store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room for what was to be written.
    #[error("the disk is full")]
    Full,
    /// Another process held the database for too long.
    #[error("the database is locked by another process")]
    Busy,
    /// A read or write failed.
    #[error("the database could not be read or written: {0}")]
    Io(String),
    /// Whether the last batch is on the disk is unknown. Every later batch fails; the process has to end.
    #[error("it is unknown whether the last commit reached the disk: {0}")]
    Poisoned(String),
    /// An earlier batch failed when this one had already been submitted.
    #[error("batch {} before it failed", .0.0)]
    Behind(BatchNo),
    /// More batches wait for the disk than may.
    #[error("the disk does not keep up: {} batches wait for it", crate::QUEUE_MAX)]
    Overloaded,
    /// A newer binary has written here.
    #[error("the state has format {found}, this binary knows formats up to {known}")]
    NewerFormat {
        /// What is there.
        found: u32,
        /// What this binary knows.
        known: u32,
    },
    /// It is a database, but of another program.
    #[error("{} is not a database of partitur", .0.display())]
    Foreign(PathBuf),
    /// There is nothing yet.
    #[error("there is no state at {}", .0.display())]
    Absent(PathBuf),
    /// What is there cannot be understood.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The directory cannot be used.
    #[error("the state directory {} cannot be used: {reason}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A search has looked at so much that nobody waits for it any longer.
    #[error("the search looks at too much")]
    TooWide,
    /// The SQLite library is one that is known to damage databases.
    #[error("SQLite {0} can damage databases; 3.51.3 is the oldest that does not")]
    Library(String),
}

impl StoreError {
    /// Stable; each has a page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Full => "P0501",
            StoreError::Busy => "P0502",
            StoreError::Io(_) => "P0503",
            StoreError::Poisoned(_) => "P0504",
            StoreError::Behind(_) => "P0505",
            StoreError::Overloaded => "P0506",
            StoreError::NewerFormat { .. } => "P0507",
            StoreError::Foreign(_) => "P0508",
            StoreError::Absent(_) => "P0509",
            StoreError::Damaged(_) => "P0510",
            StoreError::Directory { .. } => "P0511",
            StoreError::Library(_) => "P0512",
            StoreError::TooWide => "P0513",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            StoreError::Full => "free some space; what was refused can be sent again",
            StoreError::Busy => "close the program that holds the database, such as a database browser",
            StoreError::Io(_) => "look at the system's log for errors of the disk",
            StoreError::Poisoned(_) => {
                "start again: what is on the disk is read, and the runs go on from there"
            }
            StoreError::Behind(_) => "send it again, after the batch that failed",
            StoreError::Overloaded => "send less at once, or use a faster disk",
            StoreError::NewerFormat { .. } => "use the newer binary, or another state directory",
            StoreError::Foreign(_) => "name another state directory",
            StoreError::Absent(_) => "start a run first, or name the state directory that has one",
            StoreError::Damaged(_) => "the other runs are not affected; restore this one from a backup",
            StoreError::Directory { .. } => "name a directory that you may write to",
            StoreError::Library(_) => "build with the bundled library",
            StoreError::TooWide => "name a workflow, a state, or a time at which it started",
        }
    }

    /// Whether the same batch may succeed later, in this process.
    pub fn is_temporary(&self) -> bool {
        match self {
            StoreError::Full
            | StoreError::Busy
            | StoreError::Io(_)
            | StoreError::Behind(_)
            | StoreError::Overloaded => true,
            StoreError::Poisoned(_)
            | StoreError::NewerFormat { .. }
            | StoreError::Foreign(_)
            | StoreError::Absent(_)
            | StoreError::Damaged(_)
            | StoreError::Directory { .. }
            | StoreError::TooWide
            | StoreError::Library(_) => false,
        }
    }
}
