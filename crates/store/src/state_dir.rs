//! The directory in which everything lies, and who may write there.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// Whoever holds this is the host of its state directory. The kernel frees it when the process ends, however it ends.
#[derive(Debug)]
pub struct HostLock {
    /// The lock belongs to the open file; children do not inherit it, because it is closed on exec.
    _file: File,
}

impl StateDir {
    /// Creates the directory, for its owner only, if there is none.
    ///
    /// # Errors
    /// [`StoreError::Directory`] if that cannot be done.
    pub fn open(path: impl Into<PathBuf>) -> Result<StateDir, StoreError> {
        let dir = StateDir { path: path.into() };
        let create = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        create(&dir.path).and_then(|()| create(&dir.runs())).map_err(|error| dir.error(&error))?;
        Ok(dir)
    }

    /// The one in which this database lies.
    pub(crate) fn of_database(path: &Path) -> StateDir {
        StateDir { path: path.parent().unwrap_or(Path::new("")).to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path.join("partitur.db")
    }

    /// The directory of the runs' logs.
    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Becomes the host, unless another process is: then `None`.
    ///
    /// # Errors
    /// [`StoreError::Directory`] if the lock file cannot be opened.
    pub fn try_host(&self) -> Result<Option<HostLock>, StoreError> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.join("host.lock"))
            .map_err(|error| self.error(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(HostLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.error(&error)),
        }
    }

    fn error(&self, error: &io::Error) -> StoreError {
        StoreError::Directory { path: self.path.clone(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_hosts_until_it_lets_go() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::open(parent.path().join("a/state")).unwrap();
        let host = dir.try_host().unwrap().expect("nobody else hosts");
        assert!(StateDir::open(dir.path()).unwrap().try_host().unwrap().is_none());
        drop(host);
        assert!(dir.try_host().unwrap().is_some());
    }

    #[test]
    fn the_directory_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = StateDir::open(parent.path().join("state")).unwrap();
        assert_eq!(dir.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(dir.runs().is_dir());
    }

    #[test]
    fn a_file_in_its_place_is_an_error_with_a_reason() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        std::fs::write(&path, "").unwrap();
        let error = StateDir::open(&path).unwrap_err();
        assert_eq!(error.code(), "P0511");
        assert!(error.to_string().contains("File exists"), "{error}");
    }
}
