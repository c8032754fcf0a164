//! Whether nothing has to be done, or only little: everything on which a whole run depended is looked at, as its
//! [proof](super::proof) says. As long as all of it is as it was, an equal run would find every task up to date, and need
//! not begin. Of what has changed it is known which tasks it reaches; the others need not be asked.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::BuildContext;
use super::contents::{Digest, digest};
use super::proof::{Head, Index, Kind, Reading, Yielded, path_of};
use super::question::search;
use super::stamp::Stamp;
use crate::sink::now;

/// So many files are looked at in one go; two threads share them.
const CHUNK: usize = 1024;
const THREADS: usize = 2;

/// If a change reaches more than one of so many tasks, all are asked: that is not much more.
const REACHED_PART: usize = 4;

/// So many changed entries are looked at in any case: a task may have many.
const ENTRIES_MIN: usize = 64;

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

/// A seal, and what a run of it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// Whose.
    pub seal: Seal,
    /// If all that the document does is to execute so many tasks, each of which declares what it reads and writes.
    pub tasks: Option<u64>,
    /// The run asks only about the tasks that something has reached since this proof was written: its hash.
    pub onto: Option<[u8; 32]>,
}

impl From<Seal> for Sealing {
    fn from(seal: Seal) -> Sealing {
        Sealing { seal, tasks: None, onto: None }
    }
}

/// A seal, and the run that has earned it.
#[derive(Debug)]
pub(crate) struct Wish {
    pub sealing: Sealing,
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

/// Some tasks have to be asked about, and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Those that something has reached, and all that follow from them.
    pub asked: Vec<String>,
    /// Those before them that nothing has reached, and what they yielded, as JSON.
    pub given: Vec<(String, Option<String>)>,
    /// All tasks of the document.
    pub tasks: u64,
    /// The proof from which this follows.
    pub proof: [u8; 32],
}

/// What has to be done, as far as a proof says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing(Nothing),
    /// Little.
    Little(Reach),
}

/// Where the proof of a seal is.
pub(crate) fn path(dir: &Path, key: &Digest) -> PathBuf {
    let name = blake3::Hash::from_bytes(*key).to_hex();
    dir.join("proofs").join(&name.as_str()[..32])
}

/// A value of a variable, or that it has none.
pub(crate) fn value(value: Option<&[u8]>) -> Digest {
    value.map_or_else(|| digest(b"no value"), |value| digest(&[b"=", value].concat()))
}

impl Nothing {
    /// Whether nothing has to be done for what a seal stands for: see [`Found::look`].
    pub fn look(
        dir: &Path,
        base: &Path,
        seal: Seal,
        variable: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Option<Nothing> {
        match Found::look(dir, base, seal, variable)? {
            Found::Nothing(nothing) => Some(nothing),
            Found::Little(_) => None,
        }
    }
}

impl Found {
    /// What has to be done for what a seal stands for; `None` if that is much, or not known. `dir` is that of
    /// [`build_dir`](super::build_dir), `base` the directory of the document, `variable` the environment of the run.
    pub fn look(
        dir: &Path,
        base: &Path,
        seal: Seal,
        variable: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Option<Found> {
        let proof = fs::read(path(dir, &seal.0)).ok()?;
        let mut reading = Reading::begin(&proof)?;
        if reading.head.key != seal.0 || reading.head.expires <= now() {
            return None;
        }
        let mut changed = changed_values(&reading, base, &variable);
        if !changed.is_empty() && !reading.head.by_task {
            return None;
        }
        let jobs = jobs(&mut reading)?;
        changed.extend(changed_entries(base, &jobs, &reading.head)?);
        if changed.is_empty() {
            let output = Some(reading.output).filter(|output| !output.is_empty()).map(str::to_owned);
            let Head { tasks, run, .. } = reading.head;
            return Some(Found::Nothing(Nothing { tasks, run, output }));
        }
        let index = reading.index()?;
        Reach::of(&changed, &index, &jobs, digest(&proof)).map(Found::Little)
    }
}

/// The owners of variables with other values, and of programs for which something else stands.
fn changed_values(
    reading: &Reading<'_>,
    base: &Path,
    variable: &impl Fn(&OsStr) -> Option<OsString>,
) -> Vec<u32> {
    let path = variable(OsStr::new("PATH"));
    let path = path.as_deref().map(OsStrExt::as_bytes);
    let is_other = |name: &[u8], was: &Digest| {
        value(variable(OsStr::from_bytes(name)).as_deref().map(OsStrExt::as_bytes)) != *was
    };
    let variables =
        reading.variables.iter().filter(|(variable, _)| is_other(&variable.name, &variable.value));
    let programs = reading.programs.iter().filter(|(program, _)| {
        search(&program.name, &program.along, path, &program.dir, base) != program.found
    });
    variables.map(|(_, owner)| *owner).chain(programs.map(|(_, owner)| *owner)).collect()
}

/// Files of one directory.
struct Job<'a> {
    dir: &'a [u8],
    entries: Vec<Look<'a>>,
}

/// How an entry is looked at, and whose it is.
#[derive(Clone, Copy)]
struct Look<'a> {
    kind: Kind,
    stamp: &'a [u8; Stamp::BYTES],
    owner: u32,
    name: &'a [u8],
}

fn jobs<'a>(reading: &mut Reading<'a>) -> Option<Vec<Job<'a>>> {
    let mut jobs: Vec<Job<'a>> = Vec::new();
    reading.entries(|dir, (kind, stamp, owner, name)| {
        let look = Look { kind, stamp, owner, name };
        match jobs.last_mut() {
            Some(job) if job.dir == dir && job.entries.len() < CHUNK => job.entries.push(look),
            Some(_) | None => jobs.push(Job { dir, entries: vec![look] }),
        }
    })?;
    Some(jobs)
}

/// The owners of entries that are not as they were; `None` if there are some and it is not known which, or too many.
fn changed_entries(base: &Path, jobs: &[Job<'_>], head: &Head) -> Option<Vec<u32>> {
    let (next, too_many) = (AtomicUsize::new(0), AtomicBool::new(false));
    let owners = Mutex::new(Vec::new());
    // Of more entries than there are tasks it need not be counted which tasks they belong to.
    let most = if head.by_task { (head.tasks as usize).max(ENTRIES_MIN) } else { 0 };
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if too_many.load(Ordering::Relaxed) {
                return;
            }
            let changed = job.changed(base);
            if !changed.is_empty() {
                let mut owners = owners.lock().expect("nobody panics while holding it");
                owners.extend(changed);
                too_many.fetch_or(owners.len() > most, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(work);
        }
        work();
    });
    if too_many.into_inner() { None } else { owners.into_inner().ok() }
}

impl Job<'_> {
    fn changed(&self, base: &Path) -> Vec<u32> {
        // Names are looked up from here: it costs less than from the root.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(base.join(path_of(self.dir)), flags, Mode::empty());
        let is_as_it_was = |look: &Look<'_>| match &dir {
            Ok(dir) => look.is_as_it_was(dir),
            Err(Errno::NOENT | Errno::NOTDIR) => look.kind == Kind::Absent,
            Err(_) => false,
        };
        self.entries.iter().filter(|look| !is_as_it_was(look)).map(|look| look.owner).collect()
    }
}

impl Look<'_> {
    fn is_as_it_was(&self, dir: &OwnedFd) -> bool {
        let flags = if self.kind == Kind::Itself { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        match (self.kind, rustix::fs::statat(dir, self.name, flags)) {
            (Kind::Absent, outcome) => matches!(outcome, Err(Errno::NOENT | Errno::NOTDIR)),
            (Kind::Dir, Ok(stat)) => rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir(),
            (Kind::Behind | Kind::Itself, Ok(stat)) => Stamp::of_stat(&stat).encode() == *self.stamp,
            (Kind::Dir | Kind::Behind | Kind::Itself, Err(_)) => false,
        }
    }
}

impl Reach {
    /// `None` if that is much.
    fn of(changed: &[u32], index: &Index<'_>, jobs: &[Job<'_>], proof: Digest) -> Option<Reach> {
        let known = &index.known;
        let mut reached = vec![false; known.len()];
        let mut fresh: Vec<u32> = changed.iter().flat_map(|&owner| index.tasks(owner)).collect();
        while !fresh.is_empty() {
            follow(index, &mut reached, fresh);
            fresh = touched(index, &reached, jobs);
        }
        let count = reached.iter().filter(|&&reached| reached).count();
        if count > (known.len() / REACHED_PART).max(1) || count == known.len() {
            return None;
        }
        let asked = || known.iter().zip(&reached).filter(|(_, reached)| **reached).map(|(known, _)| known);
        let mut sources: Vec<u32> = asked().flat_map(|known| &known.sources).copied().collect();
        sources.retain(|&source| !reached[source as usize]);
        sources.sort_unstable();
        sources.dedup();
        let given = |&source: &u32| {
            let known = &known[source as usize];
            let result = match &known.result {
                Yielded::Nothing => None,
                Yielded::This(result) => Some(result.to_string()),
                Yielded::Much => return None,
            };
            Some((known.name.to_string(), result))
        };
        Some(Reach {
            asked: asked().map(|known| known.name.to_string()).collect(),
            given: sources.iter().map(given).collect::<Option<_>>()?,
            tasks: known.len() as u64,
            proof,
        })
    }
}

/// Marks these and all that follow from them.
fn follow(index: &Index<'_>, reached: &mut [bool], mut todo: Vec<u32>) {
    let mut followers: HashMap<u32, Vec<u32>> = HashMap::new();
    for (task, known) in (0..).zip(&index.known) {
        known.sources.iter().for_each(|&source| followers.entry(source).or_default().push(task));
    }
    while let Some(task) = todo.pop() {
        if !std::mem::replace(&mut reached[task as usize], true) {
            todo.extend(followers.get(&task).into_iter().flatten());
        }
    }
}

/// Those that look at what the reached ones write, or list its directory, whether or not they say that they need them.
fn touched(index: &Index<'_>, reached: &[bool], jobs: &[Job<'_>]) -> Vec<u32> {
    let is_reached = |owner: u32| index.tasks(owner).iter().any(|&task| reached[task as usize]);
    let entries = || jobs.iter().flat_map(|job| job.entries.iter().map(|look| (job.dir, look)));
    let written = |look: &Look<'_>| look.kind == Kind::Itself && is_reached(look.owner);
    let written: HashSet<(&[u8], &[u8])> = entries()
        .filter(|(_, look)| written(look))
        .flat_map(|(dir, look)| [(dir, look.name), (dir, &b"."[..])])
        .collect();
    let dirs: HashSet<&[u8]> = written.iter().map(|(dir, _)| *dir).collect();
    entries()
        .filter(|(dir, look)| dirs.contains(dir) && written.contains(&(*dir, look.name)))
        .flat_map(|(_, look)| index.tasks(look.owner))
        .filter(|&task| !reached[task as usize])
        .collect()
}
