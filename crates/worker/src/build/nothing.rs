//! The proof that nothing has to be done: a file that names everything on which a whole run depended, with the stamps that
//! it had. As long as they are what they were, an equal run would find every task up to date, and need not begin.
//!
//! ```text
//! 0 "PBN1"   4 key   36 expires u64 (µs)   44 tasks u64   52 run u64
//! variables: count u32, each name, hash of its value · output: text
//! directories: count u32, each path, entries u32, each kind u8, stamp, name   … BLAKE3 of all before it
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use partitur_model::Timestamp;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::BuildContext;
use super::codec::{In, Out};
use super::contents::{Digest, Seen, digest};
use super::question::{listing, lists, without_own};
use super::record::{PartKind, Record};
use super::stamp::{SETTLE, Stamp, now as moment};
use super::state::State;
use crate::pattern::expand;
use crate::sink::now;

const MAGIC: &[u8; 4] = b"PBN1";
/// Proofs of so many different commands are kept.
const PROOFS_MAX: usize = 16;
/// So many files are looked at in one go; two threads share them.
const CHUNK: usize = 1024;
const THREADS: usize = 2;

/// What a whole run is the same by: a hash over the document and all that a run of it was given. Whoever asks for the same
/// may be told that nothing has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// Of all these, in this order.
    pub fn of(parts: &[&[u8]]) -> Seal {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Seal(*hasher.finalize().as_bytes())
    }
}

/// A seal, and the run that has earned it.
#[derive(Debug)]
pub(crate) struct Wish {
    pub seal: Seal,
    pub context: BuildContext,
    pub base: PathBuf,
    pub run: u64,
    /// What the run yielded.
    pub output: Option<String>,
    /// The environment of the run.
    pub env: HashMap<Vec<u8>, Vec<u8>>,
}

/// Nothing has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nothing {
    /// So many tasks are up to date.
    pub tasks: u64,
    /// As this run left them.
    pub run: u64,
    /// What it yielded.
    pub output: Option<String>,
}

/// How an entry is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// There is nothing.
    Absent,
    /// There is a directory.
    Dir,
    /// It has this stamp, links being followed.
    Behind,
    /// It has this stamp itself.
    Itself,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Absent, Kind::Dir, Kind::Behind, Kind::Itself];
}

/// Everything on which a run depended.
struct Evidence<'a> {
    state: &'a State,
    base: &'a Path,
    /// By directory: name, how it is looked at, its stamp.
    entries: BTreeMap<PathBuf, BTreeMap<(OsString, Kind), Option<Stamp>>>,
    variables: BTreeSet<Vec<u8>>,
    expires: Timestamp,
}

/// Writes the proof, if there is one.
pub(crate) fn write(wish: &Wish, tasks: &[Box<str>], state: &State) -> io::Result<()> {
    let tasks: BTreeSet<&str> = tasks.iter().map(|task| &**task).collect();
    let mut evidence = Evidence {
        state,
        base: &wish.base,
        entries: BTreeMap::new(),
        variables: BTreeSet::from([b"PATH".to_vec()]),
        expires: Timestamp::MAX,
    };
    let records: Vec<&Record> = tasks.iter().filter_map(|task| Some(&**state.latest(task)?)).collect();
    let is_proved = records.len() == tasks.len()
        && records.iter().all(|record| evidence.take(record).is_some())
        && evidence.take_listings(&records).is_some()
        && evidence.take_search_path(wish.env.get(&b"PATH"[..])).is_some();
    let path = path(&wish.context.dir, &wish.seal.0);
    if !is_proved {
        // An old one proves nothing either.
        return fs::remove_file(path);
    }
    fs::create_dir_all(path.parent().expect("it has a directory"))?;
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, evidence.encode(wish, records.len() as u64))?;
    fs::rename(&temporary, &path)?;
    forget_old_ones(path.parent().expect("it has a directory"))
}

fn path(dir: &Path, key: &Digest) -> PathBuf {
    let name = blake3::Hash::from_bytes(*key).to_hex();
    dir.join("proofs").join(&name.as_str()[..32])
}

fn forget_old_ones(dir: &Path) -> io::Result<()> {
    let last = |file: &fs::DirEntry| {
        file.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let mut proofs: Vec<fs::DirEntry> = fs::read_dir(dir)?.flatten().collect();
    proofs.sort_by_key(|file| std::cmp::Reverse(last(file)));
    proofs.iter().skip(PROOFS_MAX).try_for_each(|file| fs::remove_file(file.path()))
}

impl Evidence<'_> {
    fn take(&mut self, record: &Record) -> Option<()> {
        self.expires = self.expires.min(record.expires);
        for part in &record.parts {
            let path = Path::new(OsStr::from_bytes(&part.name));
            match part.kind {
                PartKind::File | PartKind::Tool => self.file(path, &part.digest)?,
                PartKind::Variable => drop(self.variables.insert(part.name.to_vec())),
                // What these follow from is part of the seal, or of other tasks' evidence.
                PartKind::Command
                | PartKind::Listing
                | PartKind::Writes
                | PartKind::Result
                | PartKind::Written
                | PartKind::Key => {}
            }
        }
        for made in &record.made {
            match &made.seen {
                Seen::File { .. } => {
                    let stamp = self.state.contents.proof(&made.path, &made.seen.digest())?;
                    self.entry(&made.path, Kind::Itself, Some(stamp));
                }
                Seen::Link(target) => {
                    let at = self.base.join(&made.path);
                    let stamp = settled(|| fs::symlink_metadata(&at).ok().as_ref().map(Stamp::of))?;
                    if fs::read_link(&at).ok()? != *target {
                        return None;
                    }
                    self.entry(&made.path, Kind::Itself, Some(stamp));
                }
                Seen::Dir => self.entry(&made.path, Kind::Dir, None),
                Seen::Absent => self.entry(&made.path, Kind::Absent, None),
            }
        }
        Some(())
    }

    fn file(&mut self, path: &Path, seen: &Digest) -> Option<()> {
        if let Some(stamp) = self.state.contents.proof(path, seen) {
            self.entry(path, Kind::Behind, Some(stamp));
        } else if *seen == Seen::Absent.digest() {
            self.entry(path, Kind::Absent, None);
        } else if *seen == Seen::Dir.digest() {
            self.entry(path, Kind::Dir, None);
        } else {
            return None;
        }
        Some(())
    }

    /// The directories that were listed are as they were, and list the same.
    fn take_listings(&mut self, records: &[&Record]) -> Option<()> {
        let mut expanded = HashMap::new();
        for record in records {
            let own: HashSet<&Path> = record.made.iter().map(|made| made.path.as_path()).collect();
            for part in record.parts.iter().filter(|part| part.kind == PartKind::Listing) {
                let pattern = std::str::from_utf8(&part.name).ok()?;
                if !expanded.contains_key(pattern) {
                    expanded.insert(pattern, self.expand(pattern)?);
                }
                let found = &expanded[pattern];
                if !lists(pattern, found) || listing(&without_own(found, &own)) != part.digest {
                    return None;
                }
            }
        }
        Some(())
    }

    fn expand(&mut self, pattern: &str) -> Option<crate::pattern::Matched> {
        // Listed once to know which directories these are, and again when their stamps can be trusted.
        let dirs = expand(self.base, pattern).ok()?.dirs;
        for dir in &dirs {
            let at = self.base.join(dir);
            if at.exists() {
                let stamp = settled(|| fs::metadata(&at).ok().as_ref().map(Stamp::of))?;
                self.entry(&dir.join("."), Kind::Behind, Some(stamp));
            } else {
                self.entry(dir, Kind::Absent, None);
            }
        }
        let found = expand(self.base, pattern).ok()?;
        (found.dirs == dirs).then_some(found)
    }

    /// A program that comes to stand before another one of its name changes the directory in which it stands.
    fn take_search_path(&mut self, path: Option<&Vec<u8>>) -> Option<()> {
        for dir in path?.split(|&byte| byte == b':').filter(|dir| dir.starts_with(b"/")) {
            let dir = Path::new(OsStr::from_bytes(dir));
            match fs::metadata(dir) {
                Ok(meta) => self.entry(&dir.join("."), Kind::Behind, Some(Stamp::of(&meta))),
                Err(_) => self.entry(dir, Kind::Absent, None),
            }
        }
        Some(())
    }

    fn entry(&mut self, path: &Path, kind: Kind, stamp: Option<Stamp>) {
        let bytes = path.as_os_str().as_bytes();
        let cut = bytes.iter().rposition(|&byte| byte == b'/');
        let (parent, name) = match cut {
            Some(0) => (&b"/"[..], &bytes[1..]),
            Some(at) => (&bytes[..at], &bytes[at + 1..]),
            None => (&b""[..], bytes),
        };
        let (parent, name) = (PathBuf::from(OsStr::from_bytes(parent)), OsStr::from_bytes(name).to_owned());
        self.entries.entry(parent).or_default().insert((name, kind), stamp);
    }

    fn encode(&self, wish: &Wish, tasks: u64) -> Vec<u8> {
        let mut out = Out(MAGIC.to_vec());
        out.raw(&wish.seal.0);
        out.number(self.expires.micros());
        out.number(tasks);
        out.number(wish.run);
        out.small(self.variables.len() as u32);
        for name in &self.variables {
            out.text(name);
            out.raw(&value(wish.env.get(name).map(Vec::as_slice)));
        }
        out.text(wish.output.as_deref().unwrap_or_default().as_bytes());
        out.small(self.entries.len() as u32);
        for (dir, entries) in &self.entries {
            out.text(dir.as_os_str().as_bytes());
            out.small(entries.len() as u32);
            for ((name, kind), stamp) in entries {
                out.byte(*kind as u8);
                out.raw(&stamp.map_or([0; Stamp::BYTES], |stamp| stamp.encode()));
                out.text(name.as_bytes());
            }
        }
        let check = digest(&out.0);
        out.raw(&check);
        out.0
    }
}

/// The stamp, when it is old enough to prove something; not waited for if it goes on changing.
fn settled(look: impl Fn() -> Option<Stamp>) -> Option<Stamp> {
    for _ in 0..3 {
        let stamp = look()?;
        if stamp.is_settled(moment()) {
            return Some(stamp);
        }
        thread::sleep(SETTLE);
    }
    None
}

fn value(value: Option<&[u8]>) -> Digest {
    value.map_or_else(|| digest(b"no value"), |value| digest(&[b"=", value].concat()))
}

impl Nothing {
    /// Whether nothing has to be done for what a seal stands for. `dir` is that of [`build_dir`](super::build_dir), `base`
    /// the directory of the document, `variable` the environment of the run.
    pub fn look(
        dir: &Path,
        base: &Path,
        seal: Seal,
        variable: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Option<Nothing> {
        let key = &seal.0;
        let proof = fs::read(path(dir, key)).ok()?;
        let (bytes, check) = proof.split_last_chunk::<32>()?;
        if digest(bytes) != *check {
            return None;
        }
        let mut bytes = In(bytes);
        if bytes.take(4)? != MAGIC
            || bytes.array()? != *key
            || Timestamp::from_micros(bytes.number()?) <= now()
        {
            return None;
        }
        let (tasks, run) = (bytes.number()?, bytes.number()?);
        for _ in 0..bytes.small()? {
            let (name, was) = (OsStr::from_bytes(bytes.text()?), bytes.array::<32>()?);
            if value(variable(name).as_deref().map(OsStrExt::as_bytes)) != was {
                return None;
            }
        }
        let output = std::str::from_utf8(bytes.text()?).ok().filter(|text| !text.is_empty());
        let jobs = jobs(&mut bytes)?;
        is_unchanged(base, &jobs).then(|| Nothing { tasks, run, output: output.map(str::to_owned) })
    }
}

/// Files of one directory.
struct Job<'a> {
    dir: &'a Path,
    entries: Vec<(Kind, &'a [u8; Stamp::BYTES], &'a OsStr)>,
}

fn jobs<'a>(bytes: &mut In<'a>) -> Option<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for _ in 0..bytes.small()? {
        let dir = Path::new(OsStr::from_bytes(bytes.text()?));
        let mut entries = Vec::new();
        for _ in 0..bytes.small()? {
            let kind = *Kind::ALL.get(usize::from(bytes.byte()?))?;
            let stamp = bytes.take(Stamp::BYTES)?.try_into().ok()?;
            entries.push((kind, stamp, OsStr::from_bytes(bytes.text()?)));
            if entries.len() == CHUNK {
                jobs.push(Job { dir, entries: std::mem::take(&mut entries) });
            }
        }
        jobs.push(Job { dir, entries });
    }
    Some(jobs)
}

fn is_unchanged(base: &Path, jobs: &[Job<'_>]) -> bool {
    let (next, changed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if changed.load(Ordering::Relaxed) || !job.is_unchanged(base) {
                return changed.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(work);
        }
        work();
    });
    !changed.into_inner()
}

impl Job<'_> {
    fn is_unchanged(&self, base: &Path) -> bool {
        // Names are looked up from here: it costs less than from the root.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(base.join(self.dir), flags, Mode::empty()) {
            Ok(dir) => self.entries.iter().all(|entry| is_as_it_was(&dir, *entry)),
            Err(Errno::NOENT | Errno::NOTDIR) => self.entries.iter().all(|(kind, ..)| *kind == Kind::Absent),
            Err(_) => false,
        }
    }
}

fn is_as_it_was(dir: &OwnedFd, (kind, stamp, name): (Kind, &[u8; Stamp::BYTES], &OsStr)) -> bool {
    let flags = if kind == Kind::Itself { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
    match (kind, rustix::fs::statat(dir, name, flags)) {
        (Kind::Absent, outcome) => matches!(outcome, Err(Errno::NOENT | Errno::NOTDIR)),
        (Kind::Dir, Ok(stat)) => rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir(),
        (Kind::Behind | Kind::Itself, Ok(stat)) => Stamp::of_stat(&stat).encode() == *stamp,
        (Kind::Dir | Kind::Behind | Kind::Itself, Err(_)) => false,
    }
}
