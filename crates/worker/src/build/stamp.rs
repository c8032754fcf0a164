//! What tells, without reading it, that a file may have changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file system stamps changes with a clock that ticks this seldom at most: two changes within one tick leave the same
/// stamp. What changed so shortly before it was read may have changed since without a trace, and has to be read again.
pub(crate) const SETTLE: Duration = Duration::from_millis(12);

/// The same where stamps have no fractions of seconds.
const SETTLE_COARSE: Duration = Duration::from_millis(2_050);

/// Size, times, number and mode of a file. The time of the change of its inode is the one that nobody can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    modified: u64,
    changed: u64,
    number: u64,
    mode: u32,
}

impl Stamp {
    pub const BYTES: usize = 36;

    pub fn of(meta: &Metadata) -> Stamp {
        Stamp {
            size: meta.size(),
            modified: nanos(meta.mtime(), meta.mtime_nsec() as u64),
            changed: nanos(meta.ctime(), meta.ctime_nsec() as u64),
            number: meta.ino(),
            mode: meta.mode(),
        }
    }

    pub fn of_stat(stat: &rustix::fs::Stat) -> Stamp {
        Stamp {
            size: stat.st_size as u64,
            modified: nanos(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanos(stat.st_ctime, stat.st_ctime_nsec),
            number: stat.st_ino,
            mode: stat.st_mode,
        }
    }

    /// Whether a change after `now` would leave another stamp.
    pub fn is_settled(&self, now: u64) -> bool {
        let is_coarse = self.changed.is_multiple_of(NANOS) && self.modified.is_multiple_of(NANOS);
        let settle = if is_coarse { SETTLE_COARSE } else { SETTLE };
        self.changed + (settle.as_nanos() as u64) < now
    }

    /// Whether it has changed at `moment` or later, as far as the clock of the file system can tell.
    pub fn is_since(&self, moment: u64) -> bool {
        self.changed + (SETTLE.as_nanos() as u64) >= moment
    }

    /// When it last changed, in nanoseconds since the Unix epoch.
    pub fn changed(&self) -> u64 {
        self.changed
    }

    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    pub fn encode(&self) -> [u8; Stamp::BYTES] {
        let mut bytes = [0; Stamp::BYTES];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.modified.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.changed.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..].copy_from_slice(&self.mode.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; Stamp::BYTES]) -> Stamp {
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        Stamp {
            size: number(0),
            modified: number(8),
            changed: number(16),
            number: number(24),
            mode: u32::from_le_bytes(bytes[32..].try_into().expect("four bytes")),
        }
    }
}

const NANOS: u64 = 1_000_000_000;

fn nanos(seconds: i64, nanos: u64) -> u64 {
    // What claims to be older than the epoch is at it.
    u64::try_from(seconds).unwrap_or(0).saturating_mul(NANOS).saturating_add(nanos)
}

/// The wall clock, in nanoseconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_as_bytes_and_changes_with_everything_that_may_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "1").unwrap();
        let stamp = || Stamp::of(&std::fs::metadata(&path).unwrap());
        let first = stamp();
        assert_eq!(Stamp::decode(&first.encode()), first);
        let stat = rustix::fs::stat(&path).unwrap();
        assert_eq!(Stamp::of_stat(&stat), first);
        std::thread::sleep(SETTLE);
        // Same size, and the time of its contents set back: the inode still tells.
        std::fs::write(&path, "2").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_nanos(first.modified)).unwrap();
        assert_eq!(stamp().modified, first.modified);
        assert_ne!(stamp(), first);
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_settled() {
        let stamp = Stamp { size: 1, modified: 5, changed: 100 * NANOS + 1, number: 1, mode: 0 };
        let settled_after = |duration: Duration| stamp.is_settled(stamp.changed + duration.as_nanos() as u64);
        assert!(!settled_after(Duration::ZERO) && !settled_after(SETTLE));
        assert!(settled_after(SETTLE + Duration::from_nanos(1)));
        let coarse = Stamp { modified: 0, changed: 100 * NANOS, ..stamp };
        assert!(!coarse.is_settled(101 * NANOS) && coarse.is_settled(103 * NANOS));
    }
}
