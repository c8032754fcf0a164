//! Tells when files in certain directories appear and are written.

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
        let flags = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        Ok(DirId(inotify::add_watch(&self.0, dir, flags)?))
    }

    /// From now on, whatever happens in it: also what goes, and what only gets another mode.
    pub fn add_all(&self, dir: &Path) -> io::Result<()> {
        use inotify::WatchFlags as Flags;
        let comes = Flags::MODIFY | Flags::CLOSE_WRITE | Flags::CREATE | Flags::MOVED_TO;
        let flags = comes | Flags::DELETE | Flags::MOVED_FROM | Flags::ATTRIB | Flags::DELETE_SELF;
        inotify::add_watch(&self.0, dir, flags)?;
        Ok(())
    }

    /// Each file that has appeared or was written since, by its directory and name; several changes may count as one.
    /// Says whether there may have been others: there were more than the kernel keeps.
    pub fn read(&self, mut changed: impl FnMut(DirId, &[u8])) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut missed = false;
        while let Ok(event) = reader.next() {
            missed |= event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
            if let Some(name) = event.file_name() {
                changed(DirId(event.wd()), name.to_bytes());
            }
        }
        missed
    }
}

impl AsFd for DirWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_appear_in_any_way_are_told_and_too_many_are_told_as_missed() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(&outside, "").unwrap();
        let watch = DirWatch::new().unwrap();
        let id = watch.add(&inside).unwrap();
        std::fs::write(inside.join("empty"), "").unwrap();
        std::fs::hard_link(&outside, inside.join("linked")).unwrap();
        std::fs::rename(&outside, inside.join("moved")).unwrap();
        let mut told = Vec::new();
        let missed = watch.read(|dir, name| told.push((dir, String::from_utf8_lossy(name).into_owned())));
        assert_eq!(
            (told, missed),
            (["empty", "linked", "moved"].map(|name| (id, name.to_owned())).into(), false)
        );

        let kept = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        for number in 0..kept.trim().parse::<u32>().unwrap() + 1 {
            std::fs::write(inside.join(number.to_string()), "").unwrap();
        }
        assert!(watch.read(|_, _| {}));
        assert!(!watch.read(|_, _| {}));
    }
}
