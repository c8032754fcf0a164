//! Entries as files in a directory that several processes may share.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use partitur_model::Timestamp;

use super::{Entry, Key};

/// Where results are cached, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// The directory; created when first needed.
    pub dir: PathBuf,
    /// All entries together are no larger, as they lie on the disk.
    pub bytes_max: u64,
    /// There are no more entries.
    pub entries_max: u64,
}

impl CacheOptions {
    /// In this directory, 500 MB and 10,000 entries.
    pub fn new(dir: impl Into<PathBuf>) -> CacheOptions {
        CacheOptions { dir: dir.into(), bytes_max: 500_000_000, entries_max: 10_000 }
    }
}

/// How a cache serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// So many results were found.
    pub hits: u64,
    /// So many were not.
    pub misses: u64,
    /// So many bytes its entries have on the disk.
    pub bytes: u64,
    /// So many entries there are.
    pub entries: u64,
}

/// Entries are thrown away until so many hundredths of what may be are left, so that it is not done for each.
const AFTER_EVICTION_PERCENT: u64 = 90;
/// What is being written is older than this only if its writer is gone.
const ABANDONED: Duration = Duration::from_secs(3600);
const TEMPORARY: &str = "tmp";

/// The directory. Its size is counted by us and, before anything is thrown away, looked up: others write to it too.
#[derive(Debug)]
pub(super) struct Store {
    options: CacheOptions,
    bytes: u64,
    entries: u64,
}

impl Store {
    pub fn open(options: CacheOptions) -> io::Result<Store> {
        fs::create_dir_all(&options.dir)?;
        let mut store = Store { options, bytes: 0, entries: 0 };
        store.list()?;
        Ok(store)
    }

    /// Bytes and entries.
    pub fn size(&self) -> (u64, u64) {
        (self.bytes, self.entries)
    }

    /// The entry of a key, if there is one that serves; it counts as used now.
    pub fn get(&mut self, key: Key, now: Timestamp) -> Option<Entry> {
        let path = self.path(key);
        let bytes = fs::read(&path).ok()?;
        match Entry::decode(&bytes).filter(|entry| entry.expires > now) {
            Some(entry) => {
                // If the time cannot be noted, the entry goes earlier than it should: no harm.
                let _ = File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.set_modified(SystemTime::now()));
                Some(entry)
            }
            None => {
                self.remove(&path, bytes.len() as u64);
                None
            }
        }
    }

    /// Keeps an entry, and throws away those not used for longest if there are too many.
    pub fn put(&mut self, key: Key, entry: &Entry) -> io::Result<()> {
        let Some(bytes) = entry.encode().filter(|bytes| bytes.len() as u64 <= self.options.bytes_max) else {
            return Ok(());
        };
        let path = self.path(key);
        let temporary = path.with_extension(format!("{}.{TEMPORARY}", std::process::id()));
        let before = fs::metadata(&path).map(|old| old.len()).ok();
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(&bytes)?;
            // The system's own stamp is as coarse as its clock tick.
            file.set_modified(SystemTime::now())
        });
        written
            .and_then(|()| fs::rename(&temporary, &path))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        self.bytes = self.bytes.saturating_sub(before.unwrap_or(0)) + bytes.len() as u64;
        self.entries += u64::from(before.is_none());
        if self.bytes > self.options.bytes_max || self.entries > self.options.entries_max {
            self.evict()?;
        }
        Ok(())
    }

    fn evict(&mut self) -> io::Result<()> {
        let mut found = self.list()?;
        if self.bytes <= self.options.bytes_max && self.entries <= self.options.entries_max {
            return Ok(());
        }
        found.sort();
        for (_, bytes, path) in found {
            let low = |value: u64, max: u64| value * 100 <= max * AFTER_EVICTION_PERCENT;
            if low(self.bytes, self.options.bytes_max) && low(self.entries, self.options.entries_max) {
                break;
            }
            self.remove(&path, bytes);
        }
        Ok(())
    }

    /// Everything that is there, with time of use and size; counts it, and clears away what a writer abandoned.
    fn list(&mut self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let mut found = Vec::new();
        for file in fs::read_dir(&self.options.dir)?.flatten() {
            let Ok(meta) = file.metadata() else { continue };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if file.path().extension().is_some_and(|extension| extension == TEMPORARY) {
                if used.elapsed().is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(file.path());
                }
            } else if meta.is_file() {
                found.push((used, meta.len(), file.path()));
            }
        }
        self.bytes = found.iter().map(|(_, bytes, _)| bytes).sum();
        self.entries = found.len() as u64;
        Ok(found)
    }

    fn remove(&mut self, path: &Path, bytes: u64) {
        // Another process may have been faster; gone is gone.
        let _ = fs::remove_file(path);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.entries = self.entries.saturating_sub(1);
    }

    fn path(&self, key: Key) -> PathBuf {
        self.options.dir.join(key.0.to_hex().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Key {
        Key(blake3::hash(&number.to_le_bytes()))
    }

    fn entry(expires: u64) -> Entry {
        Entry { expires: Timestamp::from_micros(expires), written: [0; 32], result: None, output: Vec::new() }
    }

    const NOW: Timestamp = Timestamp::from_micros(100);

    #[test]
    fn what_expired_or_is_damaged_does_not_serve_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(CacheOptions::new(dir.path())).unwrap();
        store.put(key(1), &entry(101)).unwrap();
        store.put(key(2), &entry(100)).unwrap();
        store.put(key(3), &entry(101)).unwrap();
        let torn = store.path(key(3));
        fs::write(&torn, &fs::read(&torn).unwrap()[..20]).unwrap();
        assert_eq!(store.get(key(1), NOW), Some(entry(101)));
        assert_eq!(store.get(key(2), NOW), None);
        assert_eq!(store.get(key(3), NOW), None);
        assert_eq!(store.get(key(4), NOW), None);
        assert_eq!(store.size().1, 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_least_recently_used_go_first_also_when_two_processes_write() {
        let dir = tempfile::tempdir().unwrap();
        let options = CacheOptions { entries_max: 10, ..CacheOptions::new(dir.path()) };
        let mut ours = Store::open(options.clone()).unwrap();
        let mut theirs = Store::open(options).unwrap();
        for number in 0..10 {
            if number % 2 == 0 { &mut ours } else { &mut theirs }.put(key(number), &entry(101)).unwrap();
        }
        assert!(ours.get(key(0), NOW).is_some(), "used now, so it stays");
        (10..16).for_each(|number| ours.put(key(number), &entry(101)).unwrap());
        let left: Vec<u32> = (0..16).filter(|&number| theirs.get(key(number), NOW).is_some()).collect();
        assert_eq!(left, [0, 8, 9, 10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let dir = tempfile::tempdir().unwrap();
        let size = entry(1).encode().unwrap().len() as u64;
        let options = CacheOptions { bytes_max: size * 5, ..CacheOptions::new(dir.path()) };
        let mut store = Store::open(options).unwrap();
        (0..100).for_each(|number| store.put(key(number), &entry(101)).unwrap());
        let on_disk: u64 =
            fs::read_dir(dir.path()).unwrap().flatten().map(|file| file.metadata().unwrap().len()).sum();
        assert_eq!(store.size().0, on_disk);
        assert!(on_disk <= size * 5, "{on_disk}");
    }
}
