//! Tells when files in certain directories are written.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify;

/// Directories that are watched.
pub(crate) struct DirWatch(OwnedFd);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirId(i32);

impl DirWatch {
    pub fn new() -> io::Result<DirWatch> {
        Ok(DirWatch(inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?))
    }

    /// From now on. It ends when the directory is removed.
    pub fn add(&self, dir: &Path) -> io::Result<DirId> {
        Ok(DirId(inotify::add_watch(&self.0, dir, inotify::WatchFlags::MODIFY)?))
    }

    /// Each file that was written since, by its directory and name. Several writes may count as one.
    pub fn read(&self, mut written: impl FnMut(DirId, &[u8])) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        while let Ok(event) = reader.next() {
            if let Some(name) = event.file_name() {
                written(DirId(event.wd()), name.to_bytes());
            }
        }
    }
}

impl AsFd for DirWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
