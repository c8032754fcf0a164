//! The files of a tree, seen from outside a run: those that tasks read and nobody writes, to be told when one changes; and
//! those that have changed without anybody declaring it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use rustix::event::{PollFd, PollFlags, poll};

use super::stamp::{SETTLE, Stamp};
use crate::pattern::{UNFINISHED, expand, is_glob};
use crate::platform::DirWatch;

/// What comes so shortly after a change belongs to it: an editor that saves, a version control that switches.
const QUIET: Duration = Duration::from_millis(80);
/// Even then, nobody waits longer.
const NOISY: Duration = Duration::from_secs(2);
/// Without a watch one looks this often.
const LOOK: Duration = Duration::from_secs(1);

/// Files that tasks read and nobody writes.
pub struct Sources {
    base: PathBuf,
    reads: Vec<String>,
    written: Declared,
}

/// How they are at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, Stamp>,
    dirs: Vec<PathBuf>,
}

impl Snapshot {
    /// How many files there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Files that came, went or changed since.
    pub fn changed(&self, later: &Snapshot) -> Vec<PathBuf> {
        let gone = self.files.keys().filter(|path| !later.files.contains_key(*path));
        let new = later.files.iter().filter(|(path, stamp)| self.files.get(*path) != Some(stamp));
        gone.chain(new.map(|(path, _)| path)).cloned().collect()
    }
}

impl Sources {
    /// Those that these patterns name, without those that the other patterns name.
    pub fn new(base: &Path, reads: Vec<String>, writes: &[String]) -> Sources {
        Sources { base: base.to_owned(), reads, written: Declared::new(writes) }
    }

    /// How they are now.
    pub fn look(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for pattern in &self.reads {
            // What cannot be listed now is looked at again after the next change.
            let Ok(found) = expand(&self.base, pattern) else { continue };
            for path in found.files.into_iter().filter(|path| !self.written.covers(path)) {
                let parent = path.parent().unwrap_or(Path::new("")).to_owned();
                if let Ok(meta) = fs::metadata(self.base.join(&path)) {
                    snapshot.files.insert(path, Stamp::of(&meta));
                }
                snapshot.dirs.push(parent);
            }
            snapshot.dirs.extend(found.dirs);
        }
        snapshot.dirs.sort();
        snapshot.dirs.dedup();
        snapshot
    }

    /// Waits until one is not as in the snapshot, and then until it is quiet; says which. `None` if `is_over` says so.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn wait(&self, since: &Snapshot, is_over: &dyn Fn() -> bool) -> io::Result<Option<Vec<PathBuf>>> {
        let watch = DirWatch::new()?;
        // A directory that is not there, or one too many to be watched: then one looks from time to time.
        let all = since.dirs.iter().filter(|dir| watch.add_all(&self.base.join(dir)).is_err()).count() == 0;
        loop {
            let changed = since.changed(&self.look());
            if !changed.is_empty() {
                return Ok(Some(self.settled(since, &watch)?));
            }
            let mut woken = false;
            while !woken {
                if is_over() {
                    return Ok(None);
                }
                woken = pause(&watch, LOOK)? || !all;
            }
        }
    }

    fn settled(&self, since: &Snapshot, watch: &DirWatch) -> io::Result<Vec<PathBuf>> {
        let until = Instant::now() + NOISY;
        while Instant::now() < until && pause(watch, QUIET)? {}
        Ok(since.changed(&self.look()))
    }
}

/// Waits for an event, at most so long; says whether there was one.
fn pause(watch: &DirWatch, timeout: Duration) -> io::Result<bool> {
    let mut fds = [PollFd::new(watch, PollFlags::IN)];
    let timeout = timeout.try_into().expect("it is short");
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Ok(_) => {
            watch.read(|_, _| {});
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

/// Paths that patterns declare: themselves, what is below them, what they match.
pub struct Declared {
    plain: Vec<PathBuf>,
    globs: GlobSet,
}

impl Declared {
    /// Those of these patterns; one that is none declares nothing.
    pub fn new(patterns: &[String]) -> Declared {
        let mut globs = GlobSetBuilder::new();
        let mut plain = Vec::new();
        for pattern in patterns {
            let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
            match GlobBuilder::new(pattern).literal_separator(true).build() {
                Ok(glob) if is_glob(pattern) => drop(globs.add(glob)),
                Ok(_) | Err(_) => plain.push(PathBuf::from(pattern)),
            }
        }
        Declared { plain, globs: globs.build().unwrap_or_default() }
    }

    /// Whether a path is one of them.
    pub fn covers(&self, path: &Path) -> bool {
        self.plain.iter().any(|plain| path.starts_with(plain)) || self.globs.is_match(path)
    }
}

/// Files below a directory that have changed since a moment, and when, in microseconds since the Unix epoch. What lies in
/// `.partitur` and `.git` belongs to others.
///
/// # Errors
/// A directory cannot be read.
pub fn changed_since(base: &Path, micros: u64) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut changed = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(base.join(&dir))?.flatten() {
            let (name, path) = (entry.file_name(), dir.join(entry.file_name()));
            // It may have gone meanwhile.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                if name != ".partitur" && name != ".git" {
                    open.push(path);
                }
            } else if Stamp::of(&meta).is_since(micros * 1000)
                && !name.as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
            {
                changed.push((path, Stamp::of(&meta).changed() / 1000));
            }
        }
    }
    changed.sort();
    Ok(changed)
}

/// Within this time a clock of a file system may be late.
pub const LATE: Duration = SETTLE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_it_is_quiet_and_what_is_written_is_no_source() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.c", "b.c", "gen.c"] {
            fs::write(dir.path().join(name), "1").unwrap();
        }
        let sources = Sources::new(dir.path(), vec!["*.c".into(), "gen.c".into()], &["gen.c".into()]);
        let before = sources.look();
        assert_eq!(before.count(), 2);
        let base = dir.path().to_owned();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            fs::write(base.join("gen.c"), "2").unwrap();
            fs::write(base.join("other"), "2").unwrap();
            std::thread::sleep(Duration::from_millis(50));
            fs::write(base.join("a.c"), "2").unwrap();
            fs::rename(base.join("b.c"), base.join("c.c")).unwrap();
        });
        let changed = sources.wait(&before, &|| false).unwrap().unwrap();
        writer.join().unwrap();
        assert_eq!(changed, ["b.c", "a.c", "c.c"].map(PathBuf::from));
        let after = sources.look();
        assert_eq!(sources.wait(&after, &|| true).unwrap(), None);
    }

    #[test]
    fn what_has_changed_and_is_not_declared_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for sub in ["out/deep", ".partitur", ".git"] {
            fs::create_dir_all(at(sub)).unwrap();
        }
        fs::write(at("old"), "").unwrap();
        std::thread::sleep(SETTLE * 2);
        let since = super::super::stamp::now() / 1000;
        std::thread::sleep(SETTLE);
        for name in ["out/deep/a", "x.o", "tmp", ".partitur/y", ".git/z"] {
            fs::write(at(name), "").unwrap();
        }
        let declared = Declared::new(&["out".into(), "./*.o".into()]);
        let changed = changed_since(dir.path(), since).unwrap();
        let found: Vec<&PathBuf> =
            changed.iter().map(|(path, _)| path).filter(|path| !declared.covers(path)).collect();
        assert_eq!((changed.len(), found), (3, vec![&PathBuf::from("tmp")]));
    }
}
