//! Entries as files in a directory that several processes may share.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use partitur_model::Timestamp;

use super::entry::{USE_BYTES, decode_use, encode_use};
use super::{Entry, Eviction, Key, Used};

/// Where results are cached, and how many.
#[derive(Clone, Debug)]
pub struct CacheOptions {
    /// The directory; created when first needed.
    pub dir: PathBuf,
    /// All entries together are no larger, as they lie on the disk.
    pub bytes_max: u64,
    /// There are no more entries.
    pub entries_max: u64,
    /// What goes when there would be.
    pub eviction: Eviction,
}

impl CacheOptions {
    /// In this directory, 500 MB and 10,000 entries, of which those go that have not served for longest.
    pub fn new(dir: impl Into<PathBuf>) -> CacheOptions {
        CacheOptions {
            dir: dir.into(),
            bytes_max: 500_000_000,
            entries_max: 10_000,
            eviction: Eviction::default(),
        }
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
                // If that cannot be noted, the entry goes earlier than it should: no harm.
                let _ = note_use(&path, &bytes);
                Some(entry)
            }
            None => {
                self.remove(&path, bytes.len() as u64);
                None
            }
        }
    }

    /// Keeps an entry, and throws others away if there are too many.
    pub fn put(&mut self, key: Key, entry: &Entry, now: Timestamp) -> io::Result<()> {
        let Some(bytes) = entry.encode(now).filter(|bytes| bytes.len() as u64 <= self.options.bytes_max)
        else {
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
        found.sort_by_cached_key(|file| (self.options.eviction.worth(&file.used()), file.path.clone()));
        for Found { bytes, path, .. } in found {
            let low = |value: u64, max: u64| value * 100 <= max * AFTER_EVICTION_PERCENT;
            if low(self.bytes, self.options.bytes_max) && low(self.entries, self.options.entries_max) {
                break;
            }
            self.remove(&path, bytes);
        }
        Ok(())
    }

    /// Everything that is there, with time of use and size; counts it, and clears away what a writer abandoned.
    fn list(&mut self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for file in fs::read_dir(&self.options.dir)?.flatten() {
            let Ok(meta) = file.metadata() else { continue };
            let last = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if file.path().extension().is_some_and(|extension| extension == TEMPORARY) {
                if last.elapsed().is_ok_and(|age| age > ABANDONED) {
                    let _ = fs::remove_file(file.path());
                }
            } else if meta.is_file() {
                found.push(Found { last, bytes: meta.len(), path: file.path() });
            }
        }
        self.bytes = found.iter().map(|file| file.bytes).sum();
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

/// A file in the directory.
struct Found {
    last: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Found {
    fn used(&self) -> Used {
        let since = self.last.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (written, count) = self.read_use().unwrap_or_default();
        let last = Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        Used { written, last, count, bytes: self.bytes }
    }

    fn read_use(&self) -> io::Result<(Timestamp, u32)> {
        let mut bytes = [0; USE_BYTES];
        let at = self.bytes.saturating_sub(USE_BYTES as u64);
        File::open(&self.path)?.read_exact_at(&mut bytes, at)?;
        Ok(decode_use(&bytes))
    }
}

/// The entry has served once more. Of two processes that note it at once, one may be forgotten.
fn note_use(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some((before, used)) = bytes.split_last_chunk::<USE_BYTES>() else { return Ok(()) };
    let (written, count) = decode_use(used);
    let file = File::options().write(true).open(path)?;
    file.write_all_at(&encode_use(written, count.saturating_add(1)), before.len() as u64)?;
    // The system's own stamp is as coarse as its clock tick.
    file.set_modified(SystemTime::now())
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
        store.put(key(1), &entry(101), NOW).unwrap();
        store.put(key(2), &entry(100), NOW).unwrap();
        store.put(key(3), &entry(101), NOW).unwrap();
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
            if number % 2 == 0 { &mut ours } else { &mut theirs }.put(key(number), &entry(101), NOW).unwrap();
        }
        assert!(ours.get(key(0), NOW).is_some(), "used now, so it stays");
        (10..16).for_each(|number| ours.put(key(number), &entry(101), NOW).unwrap());
        let left: Vec<u32> = (0..16).filter(|&number| theirs.get(key(number), NOW).is_some()).collect();
        assert_eq!(left, [0, 8, 9, 10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let dir = tempfile::tempdir().unwrap();
        let size = entry(1).encode(NOW).unwrap().len() as u64;
        let options = CacheOptions { bytes_max: size * 5, ..CacheOptions::new(dir.path()) };
        let mut store = Store::open(options).unwrap();
        (0..100).for_each(|number| store.put(key(number), &entry(101), NOW).unwrap());
        let on_disk: u64 =
            fs::read_dir(dir.path()).unwrap().flatten().map(|file| file.metadata().unwrap().len()).sum();
        assert_eq!(store.size().0, on_disk);
        assert!(on_disk <= size * 5, "{on_disk}");
    }

    /// Ten entries, written in order; 0 has served three times and 1 once, a long time ago; then an eleventh is written.
    fn left_by(eviction: Eviction) -> Vec<u32> {
        let dir = tempfile::tempdir().unwrap();
        let options = CacheOptions { entries_max: 10, eviction, ..CacheOptions::new(dir.path()) };
        let mut store = Store::open(options).unwrap();
        for number in 0..10 {
            store.put(key(number), &entry(1_000), Timestamp::from_micros(u64::from(number))).unwrap();
            let served = [3, 1].get(number as usize).copied().unwrap_or(0);
            (0..served).for_each(|_| drop(store.get(key(number), NOW)));
        }
        store.put(key(10), &entry(1_000), NOW).unwrap();
        (0..11).filter(|&number| store.path(key(number)).exists()).collect()
    }

    #[test]
    fn the_rule_says_which_entries_go() {
        assert_eq!(left_by(Eviction::LeastRecentlyUsed), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(left_by(Eviction::LeastFrequentlyUsed), [0, 1, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(left_by(Eviction::FirstInFirstOut), [2, 3, 4, 5, 6, 7, 8, 9, 10]);
        let youngest = Eviction::Own(std::sync::Arc::new(|used| u64::MAX - used.written.micros()));
        assert_eq!(left_by(youngest), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn first_in_first_out_does_not_care_for_use() {
        let dir = tempfile::tempdir().unwrap();
        let rule = Eviction::FirstInFirstOut;
        let options = CacheOptions { entries_max: 10, eviction: rule, ..CacheOptions::new(dir.path()) };
        let mut store = Store::open(options).unwrap();
        (0..10).for_each(|at| store.put(key(at), &entry(1_000), Timestamp::from_micros(at.into())).unwrap());
        assert!(store.get(key(0), NOW).is_some(), "used last");
        store.put(key(10), &entry(1_000), NOW).unwrap();
        assert!(store.get(key(0), NOW).is_none() && store.get(key(2), NOW).is_some());
    }
}
