//! What SQLite says, in the words of the store.

use rusqlite::{Error, ErrorCode, ffi};

use crate::StoreError;

/// The error of a statement that changed nothing.
pub(super) fn store_error(error: Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}

/// Whether a sync to the disk failed: what the disk holds is unknown from then on, whatever a later sync says.
pub(super) fn is_failed_sync(error: &Error) -> bool {
    extended(error).is_some_and(|code| code == ffi::SQLITE_IOERR_FSYNC || code == ffi::SQLITE_IOERR_DIR_FSYNC)
}

/// Whether COMMIT is known not to have reached its end: it waited in vain for a lock or for room, or a write failed. The
/// mark that makes a commit one is written last, and what stands in the log without it is overwritten by the next.
pub(super) fn is_certain(error: &Error) -> bool {
    let is_refused = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    );
    is_refused || extended(error) == Some(ffi::SQLITE_IOERR_WRITE)
}

fn extended(error: &Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// Why a row could not be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The disk's fault: other rows will not do better.
    Disk(Error),
    /// The row's own: others may be well.
    Row(String),
}

impl From<Error> for Unreadable {
    fn from(error: Error) -> Unreadable {
        match &error {
            Error::SqliteFailure(failure, _) if failure.code != ErrorCode::DatabaseCorrupt => {
                Unreadable::Disk(error)
            }
            // A value of the wrong type, text that is not UTF-8, or a damaged page under this row.
            _ => Unreadable::Row(error.to_string()),
        }
    }
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> StoreError {
        match unreadable {
            Unreadable::Disk(error) => store_error(error),
            Unreadable::Row(reason) => StoreError::Damaged(reason),
        }
    }
}
