//! All that is known of a directory's tasks and files, in one file to which is only appended.
//!
//! ```text
//! 0 "PBS1"   then for each entry: length u32, kind u8, first 8 bytes of the BLAKE3 of the body, body
//! ```
//!
//! What follows a torn or damaged entry is cut off: the tasks it spoke of are executed again. When most of the file is out
//! of date it is written anew and put in its place by renaming.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::{In, Out};
use super::contents::{Contents, Digest, digest};
use super::record::{NO_KEY, Record};

const MAGIC: &[u8; 4] = b"PBS1";
const HEAD_BYTES: usize = 4 + 1 + 8;

const RECORD: u8 = 1;
const FORGET: u8 = 2;
const CONTENTS: u8 = 3;

/// So many successes of a task are known, so that who goes back to what was before need not execute it again.
const RECORDS_MAX: usize = 4;
/// A file that is smaller is never written anew.
const WASTE_MIN: u64 = 1 << 20;

/// What is known.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    file: File,
    /// By task; the latest success is the last.
    tasks: BTreeMap<Box<str>, Vec<Arc<Record>>>,
    pub contents: Contents,
    /// What the file has, and what of it is out of date, in bytes.
    bytes: u64,
    waste: u64,
    /// Not all that the file has is known.
    is_part: bool,
}

impl State {
    /// Of the directory `base`, kept in the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(path: PathBuf, base: PathBuf) -> io::Result<State> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = File::options().create(true).append(true).read(true).open(&path)?;
        let content = fs::read(&path)?;
        let mut state = State {
            path,
            file,
            tasks: BTreeMap::new(),
            contents: Contents::new(base),
            bytes: 0,
            waste: 0,
            is_part: false,
        };
        let good = state.take_up(&content);
        if good == 0 {
            state.file.set_len(0)?;
            state.file.write_all(MAGIC)?;
            state.bytes = MAGIC.len() as u64;
        } else {
            state.file.set_len(good as u64)?;
            state.bytes = good as u64;
        }
        Ok(state)
    }

    /// What is known, without a file that could be written to; nothing if there is none.
    pub fn look(path: &Path, base: PathBuf) -> io::Result<State> {
        let content = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            outcome => outcome?,
        };
        let file = File::open("/dev/null")?;
        let (tasks, contents) = (BTreeMap::new(), Contents::new(base));
        let path = path.to_owned();
        let mut state = State { path, file, tasks, contents, bytes: 0, waste: 0, is_part: false };
        state.take_up(&content);
        Ok(state)
    }

    /// What is known of these tasks and of the files that they name; more can be added to it. Of a large file that costs
    /// little.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open_part(path: PathBuf, base: PathBuf, wanted: &HashSet<Box<str>>) -> io::Result<State> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let file = File::options().create(true).append(true).read(true).open(&path)?;
        let length = file.metadata()?.len();
        let (tasks, contents) = (BTreeMap::new(), Contents::new(base));
        let mut state = State { path, file, tasks, contents, bytes: 0, waste: 0, is_part: true };
        state.bytes = state.take_up_part(length, wanted)?;
        if state.bytes == 0 {
            state.file.set_len(0)?;
            state.file.write_all(MAGIC)?;
            state.bytes = MAGIC.len() as u64;
        } else if state.bytes < length {
            state.file.set_len(state.bytes)?;
        }
        Ok(state)
    }

    /// Whether some tasks only are known.
    pub fn is_part_of_it(&self) -> bool {
        self.is_part
    }

    /// Says how many bytes are whole, as far as their lengths tell; of what is not wanted nothing else is looked at.
    fn take_up_part(&mut self, length: u64, wanted: &HashSet<Box<str>>) -> io::Result<u64> {
        let mut source = BufReader::with_capacity(1 << 18, File::open(&self.path)?);
        let mut magic = [0; 4];
        if length < MAGIC.len() as u64 || source.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Ok(0);
        }
        let (mut good, mut body, mut of_files) = (MAGIC.len() as u64, Vec::new(), Vec::new());
        let mut head = [0; HEAD_BYTES];
        while good + HEAD_BYTES as u64 <= length {
            source.read_exact(&mut head)?;
            let size = u32::from_le_bytes(head[..4].try_into().expect("four bytes"));
            if good + HEAD_BYTES as u64 + u64::from(size) > length {
                break;
            }
            let kind = head[4];
            if kind == CONTENTS {
                of_files.push((good, size));
                source.seek_relative(i64::from(size))?;
            } else {
                body.resize(size as usize, 0);
                source.read_exact(&mut body)?;
                if is_of(kind, &body, wanted) && digest(&body)[..8] == head[5..] {
                    // One that cannot be understood is one that is not known.
                    let _ = self.take_entry(kind, &body);
                }
            }
            good += HEAD_BYTES as u64 + u64::from(size);
        }
        let named: HashSet<Vec<u8>> = self.named().map(<[u8]>::to_vec).collect();
        for (at, size) in of_files {
            body.resize(size as usize, 0);
            source.seek(SeekFrom::Start(at + HEAD_BYTES as u64))?;
            source.read_exact(&mut body)?;
            // What is not known of a file is read from it.
            let _ = self.contents.decode(&body, |path| named.contains(path));
        }
        Ok(good)
    }

    /// The files that tasks read and have left.
    fn named(&self) -> impl Iterator<Item = &[u8]> {
        let records = || self.tasks.values().flatten();
        let read = records().flat_map(|record| record.parts.iter().map(|part| &*part.name));
        read.chain(
            records().flat_map(|record| record.made.iter().map(|made| made.path.as_os_str().as_bytes())),
        )
    }

    /// Says how many bytes are whole.
    fn take_up(&mut self, content: &[u8]) -> usize {
        let Some(rest) = content.strip_prefix(MAGIC) else { return 0 };
        let mut bytes = In(rest);
        let mut good = MAGIC.len();
        while let Some((kind, body)) = entry(&mut bytes) {
            if self.take_entry(kind, body).is_none() {
                break;
            }
            good += HEAD_BYTES + body.len();
        }
        good
    }

    fn take_entry(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        match kind {
            RECORD => self.remember(Arc::new(Record::decode(body)?)),
            FORGET => {
                let (key, task) = body.split_first_chunk::<32>()?;
                self.drop_record(std::str::from_utf8(task).ok()?, key);
            }
            CONTENTS => self.contents.decode(body, |_| true)?,
            _ => return None,
        }
        Some(())
    }

    /// The latest success of a task.
    pub fn latest(&self, task: &str) -> Option<&Arc<Record>> {
        self.tasks.get(task)?.last()
    }

    /// The success of a task that followed from exactly this.
    pub fn find(&self, task: &str, key: &Digest) -> Option<&Arc<Record>> {
        self.tasks.get(task)?.iter().find(|record| record.key == *key && record.key != NO_KEY)
    }

    /// The latest successes of a task and of its parts: branches, iterations, tasks of a body.
    pub fn family(&self, task: &str) -> impl Iterator<Item = &Arc<Record>> {
        let is_part = move |name: &str| {
            let rest = name.strip_prefix(task);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '#', '/']))
        };
        let from = (Bound::Included(task), Bound::Unbounded);
        let below = self.tasks.range::<str, _>(from).take_while(move |(name, _)| name.starts_with(task));
        below.filter(move |(name, _)| is_part(name)).filter_map(|(_, records)| records.last())
    }

    /// All successes that are known.
    pub fn every(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.tasks.values().flatten()
    }

    /// A success, or another look at one that was known: it is the latest now.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(&mut self, record: Arc<Record>) -> io::Result<()> {
        if self.latest(&record.task).is_some_and(|latest| **latest == *record) {
            return Ok(());
        }
        self.append(RECORD, &record.encode())?;
        self.remember(record);
        Ok(())
    }

    /// From now on it is the latest, for us alone: nothing is written.
    pub fn recall(&mut self, record: Arc<Record>) {
        self.remember(record);
    }

    /// An execution that follows from this is about to begin: whatever it leaves, it is not known until it has succeeded.
    ///
    /// # Errors
    /// That cannot be written, and so nothing may begin.
    pub fn forget(&mut self, task: &str, key: &Digest) -> io::Result<()> {
        if self.find(task, key).is_none() {
            return Ok(());
        }
        let mut body = key.to_vec();
        body.extend(task.as_bytes());
        self.append(FORGET, &body)?;
        self.drop_record(task, key);
        Ok(())
    }

    fn remember(&mut self, record: Arc<Record>) {
        self.drop_record(&record.task, &record.key);
        let records = self.tasks.entry(record.task.clone()).or_default();
        records.push(record);
        if records.len() > RECORDS_MAX {
            let oldest = records.remove(0);
            self.waste += oldest.encode().len() as u64;
        }
    }

    fn drop_record(&mut self, task: &str, key: &Digest) {
        let Some(records) = self.tasks.get_mut(task) else { return };
        if let Some(at) = records.iter().position(|record| record.key == *key) {
            let record = records.remove(at);
            self.waste += record.encode().len() as u64;
        }
        if records.is_empty() {
            self.tasks.remove(task);
        }
    }

    fn append(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let entry = framed(kind, body);
        self.file.write_all(&entry)?;
        self.bytes += entry.len() as u64;
        Ok(())
    }

    /// Keeps what was learned of files, and writes the file anew if most of it is out of date.
    ///
    /// # Errors
    /// It cannot be written; what was known before still is.
    pub fn save(&mut self) -> io::Result<()> {
        let news = self.contents.take_news();
        if !news.is_empty() {
            self.append(CONTENTS, &news)?;
            // What was known of the same files before is out of date.
            self.waste += news.len() as u64 / 2;
        }
        let is_due = self.waste > WASTE_MIN && self.waste * 2 > self.bytes;
        // Who knows a part would lose the rest.
        if is_due && !self.is_part { self.compact() } else { Ok(()) }
    }

    fn compact(&mut self) -> io::Result<()> {
        let mut whole = MAGIC.to_vec();
        self.every().for_each(|record| whole.extend(framed(RECORD, &record.encode())));
        let wanted: HashSet<&[u8]> = self.named().collect();
        let contents = self.contents.encode(|path| wanted.contains(path.as_os_str().as_bytes()));
        whole.extend(framed(CONTENTS, &contents));
        let temporary = self.path.with_extension("tmp");
        fs::write(&temporary, &whole)?;
        fs::rename(&temporary, &self.path)?;
        self.file = File::options().append(true).read(true).open(&self.path)?;
        (self.bytes, self.waste) = (whole.len() as u64, 0);
        Ok(())
    }
}

/// Whether an entry is about one of these tasks or a part of one.
fn is_of(kind: u8, body: &[u8], wanted: &HashSet<Box<str>>) -> bool {
    let task = match kind {
        RECORD => In(body).text(),
        FORGET => body.get(size_of::<Digest>()..),
        _ => None,
    };
    let Some(task) = task.and_then(|task| std::str::from_utf8(task).ok()) else { return false };
    wanted.contains(task) || task.match_indices(['[', '#', '/']).any(|(at, _)| wanted.contains(&task[..at]))
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Out(Vec::with_capacity(HEAD_BYTES + body.len()));
    out.small(u32::try_from(body.len()).expect("nothing kept has four gigabytes"));
    out.byte(kind);
    out.raw(&digest(body)[..8]);
    out.raw(body);
    out.0
}

fn entry<'a>(bytes: &mut In<'a>) -> Option<(u8, &'a [u8])> {
    let length = bytes.small()?;
    let kind = bytes.byte()?;
    let check: [u8; 8] = bytes.array()?;
    let body = bytes.take(length as usize)?;
    (digest(body)[..8] == check).then_some((kind, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::record::tests::record;

    fn open(dir: &tempfile::TempDir) -> State {
        State::open(dir.path().join("build/state"), dir.path().to_owned()).unwrap()
    }

    #[test]
    fn what_was_put_is_known_after_the_next_start_and_what_was_forgotten_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = open(&dir);
        (1..=3).for_each(|key| state.put(Arc::new(record("a", key))).unwrap());
        state.put(Arc::new(record("b", 1))).unwrap();
        state.forget("a", &[3; 32]).unwrap();
        for state in [open(&dir), state] {
            assert_eq!(state.latest("a").unwrap().key, [2; 32]);
            assert!(state.find("a", &[1; 32]).is_some() && state.find("a", &[3; 32]).is_none());
            assert_eq!(state.every().count(), 3);
        }
        let looked = State::look(&dir.path().join("build/state"), dir.path().to_owned()).unwrap();
        assert_eq!(looked.every().count(), 3);
        assert_eq!(State::look(&dir.path().join("none"), dir.path().to_owned()).unwrap().every().count(), 0);
    }

    #[test]
    fn whatever_is_torn_off_the_rest_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("build/state");
        let mut state = open(&dir);
        let mut ends = vec![state.bytes];
        for key in 1..=3 {
            state.put(Arc::new(record("a", key))).unwrap();
            ends.push(state.bytes);
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut state = open(&dir);
            let known = ends.iter().filter(|&&end| end <= cut as u64).count().saturating_sub(1);
            assert_eq!(state.tasks.get("a").map_or(0, Vec::len), known, "cut at {cut}");
            state.put(Arc::new(record("z", 9))).unwrap();
            assert!(open(&dir).find("z", &[9; 32]).is_some(), "cut at {cut}");
        }
        fs::write(&path, "something else").unwrap();
        assert_eq!(open(&dir).every().count(), 0);
    }

    #[test]
    fn parts_belong_to_their_container_and_no_other_task_does() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = open(&dir);
        for task in ["d\0b", "d\0b[de]", "d\0b#2/x", "d\0b/y", "d\0bc", "d\0a"] {
            state.put(Arc::new(record(task, 1))).unwrap();
        }
        let family: Vec<&str> = state.family("d\0b").map(|record| &*record.task).collect();
        assert_eq!(family, ["d\0b", "d\0b#2/x", "d\0b/y", "d\0b[de]"]);
    }

    #[test]
    fn what_is_out_of_date_does_not_fill_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = open(&dir);
        for round in 0..5_000_u32 {
            let mut next = record("a", 0);
            next.key[..4].copy_from_slice(&(round + 1).to_le_bytes());
            state.put(Arc::new(next)).unwrap();
        }
        let before = fs::metadata(&state.path).unwrap().len();
        state.save().unwrap();
        let after = fs::metadata(&state.path).unwrap().len();
        assert!(before > 1_000_000 && after < 10_000, "{before} {after}");
        state.put(Arc::new(record("b", 1))).unwrap();
        let again = open(&dir);
        assert_eq!((again.tasks["a"].len(), again.every().count()), (RECORDS_MAX, RECORDS_MAX + 1));
    }
}
