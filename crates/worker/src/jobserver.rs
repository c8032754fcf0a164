//! Places that are shared with what tasks start: the jobserver of GNU make, in its fifo form.
//!
//! A byte in the fifo is a place. Whoever starts a job beyond its first takes one and puts the same byte back when the job
//! is over; make, cargo and ninja do so if `MAKEFLAGS` names the fifo. An attempt takes a place before its process
//! starts, so that what it starts in turn shares ours. Source: the GNU make manual, "Sharing Job Slots with GNU make".

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open, unlink};
use rustix::io::{Errno, read, write};

/// How places are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jobserver {
    /// So many places are offered in a fifo of this name, which is made anew.
    Serve {
        /// Where the fifo is made.
        fifo: PathBuf,
        /// How many there are, for attempts and what they start together.
        places: u32,
    },
    /// Places are taken from whoever started us, who has told us so.
    Join {
        /// Its fifo.
        fifo: PathBuf,
    },
}

impl Jobserver {
    /// The one that `MAKEFLAGS` names, if it is a fifo.
    pub fn named(makeflags: &OsStr) -> Option<Jobserver> {
        let words = makeflags.as_bytes().split(|byte| *byte == b' ');
        let fifo = words.filter_map(|word| word.strip_prefix(b"--jobserver-auth=fifo:")).next_back()?;
        Some(Jobserver::Join { fifo: PathBuf::from(OsString::from_vec(fifo.to_vec())) })
    }
}

/// A place that an attempt holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// That of this process: whoever started it has taken it already.
    Ours,
    /// One from the fifo.
    Taken(u8),
}

/// The fifo, opened.
pub(crate) struct Places {
    fifo: OwnedFd,
    ours: bool,
    held: u32,
    /// If it is our own: its name, and how many places there are.
    served: Option<(PathBuf, u32)>,
}

const BYTE: u8 = b'+';

impl Places {
    pub fn open(jobserver: &Jobserver) -> io::Result<Places> {
        let (Jobserver::Serve { fifo, .. } | Jobserver::Join { fifo }) = jobserver;
        if let Jobserver::Serve { .. } = jobserver {
            // What a dead host has left; if it is anything else that is in the way, making ours fails.
            let _ = unlink(fifo);
            mknodat(CWD, fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        // For reading and writing: a fifo without a writer would be at its end.
        let opened = open(fifo, OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        let (ours, served) = match jobserver {
            Jobserver::Serve { fifo, places } => (false, Some((fifo.clone(), *places))),
            Jobserver::Join { .. } => (true, None),
        };
        let places = Places { fifo: opened, ours, held: 0, served };
        places.fill()?;
        Ok(places)
    }

    /// What `MAKEFLAGS` says to those who share, after what it says already; nothing if they know it from elsewhere.
    pub fn makeflags(&self, before: Option<&OsStr>) -> Option<OsString> {
        let (fifo, places) = self.served.as_ref()?;
        let mut flags = before.unwrap_or_default().to_owned();
        flags.push(format!(" -j{places} --jobserver-auth=fifo:"));
        flags.push(fifo);
        Some(flags)
    }

    /// A place, if one is free.
    pub fn take(&mut self) -> Option<Place> {
        let place = if self.ours { Place::Ours } else { Place::Taken(self.read()?) };
        self.ours = false;
        self.held += 1;
        Some(place)
    }

    /// It is free again.
    pub fn give(&mut self, place: Place) {
        self.held -= 1;
        match place {
            Place::Ours => self.ours = true,
            // There is room for it: it came from there.
            Place::Taken(byte) => drop(write(&self.fifo, &[byte])),
        }
        if self.held == 0 {
            // Whoever was killed has put nothing back. Nobody lives now who could hold any.
            let _ = self.fill();
        }
    }

    /// As many places as there are.
    fn fill(&self) -> io::Result<()> {
        let Some((_, places)) = &self.served else { return Ok(()) };
        while self.read().is_some() {}
        for _ in 0..*places {
            write(&self.fifo, &[BYTE])?;
        }
        Ok(())
    }

    fn read(&self) -> Option<u8> {
        let mut byte = [0];
        loop {
            match read(&self.fifo, &mut byte) {
                Ok(1) => return Some(byte[0]),
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }
}

impl AsFd for Places {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fifo.as_fd()
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        if let Some((fifo, _)) = &self.served {
            // Somebody else may have cleared it away.
            let _ = unlink::<&Path>(fifo);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(dir: &tempfile::TempDir, places: u32) -> (Places, PathBuf) {
        let fifo = dir.path().join("jobs");
        (Places::open(&Jobserver::Serve { fifo: fifo.clone(), places }).unwrap(), fifo)
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut places, fifo) = served(&dir, 2);
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        assert_eq!(places.take(), None);
        // Whoever joins has the place of the process that started it, and takes others from the same fifo.
        let mut joined = Places::open(&Jobserver::Join { fifo }).unwrap();
        assert_eq!(joined.take(), Some(Place::Ours));
        assert_eq!(joined.take(), None);
        places.give(second);
        let taken = joined.take();
        assert_eq!((taken.is_some(), places.take()), (true, None));
        joined.give(taken.unwrap());
        joined.give(Place::Ours);
        places.give(first);
        assert_eq!(places.held, 0);
    }

    #[test]
    fn what_the_dead_have_held_comes_back_when_nobody_lives() {
        let dir = tempfile::tempdir().unwrap();
        let (mut places, _) = served(&dir, 3);
        let first = places.take().unwrap();
        // A make that is killed with two places.
        assert!(places.read().is_some() && places.read().is_some());
        assert_eq!(places.take(), None);
        places.give(first);
        assert_eq!((0..4).filter(|_| places.take().is_some()).count(), 3);
    }

    #[test]
    fn the_last_fifo_that_makeflags_names_counts() {
        let flags = OsStr::new("kw -j4 --jobserver-auth=fifo:/tmp/a -- --jobserver-auth=fifo:/tmp/b");
        assert_eq!(Jobserver::named(flags), Some(Jobserver::Join { fifo: "/tmp/b".into() }));
        assert_eq!(Jobserver::named(OsStr::new("-j4 --jobserver-auth=3,4")), None);
        let dir = tempfile::tempdir().unwrap();
        let (places, fifo) = served(&dir, 3);
        let told = places.makeflags(Some(OsStr::new("-k"))).unwrap();
        assert_eq!(Jobserver::named(&told), Some(Jobserver::Join { fifo }));
        assert!(told.as_bytes().starts_with(b"-k -j3 "));
    }
}
