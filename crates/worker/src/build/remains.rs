//! What tasks have left in the tree, so that it can be cleaned away: only what is known to be theirs.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::STATE;
use super::contents::Seen;
use super::record::{PartKind, Record};
use super::state::State;

/// What is known to have been left.
pub struct Remains {
    state: State,
    base: PathBuf,
}

/// Something that a task has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remnant {
    /// Relative to the directory of the document, as declared.
    pub path: PathBuf,
    /// The path of the task that left it.
    pub task: String,
    /// How it stands now.
    pub standing: Standing,
}

/// How something that a task has left stands now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it was left.
    AsLeft,
    /// A directory: it goes when it is empty.
    Directory,
    /// Somebody has changed it since.
    Changed,
    /// The task reads it too, so it may have been there before.
    Read,
}

impl Remains {
    /// What is known below a directory of [`build_dir`](super::build_dir).
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(dir: &Path, base: &Path) -> io::Result<Remains> {
        let state = State::look(&dir.join(STATE), base.to_owned())?;
        Ok(Remains { state, base: base.to_owned() })
    }

    /// Everything of this document that is still there; files first, then directories from the deepest up.
    ///
    /// # Errors
    /// Something cannot be looked at.
    pub fn list(&mut self, name: &str) -> io::Result<Vec<Remnant>> {
        let mut left: BTreeMap<PathBuf, (String, Vec<Seen>, bool)> = BTreeMap::new();
        for record in self.state.every() {
            let Some((document, task)) = record.task.split_once('\0') else { continue };
            let is_its_own =
                document.strip_prefix(name).is_some_and(|flow| flow.is_empty() || flow.starts_with('/'));
            if !is_its_own {
                continue;
            }
            let named = named(record);
            for made in &record.made {
                let entry =
                    left.entry(made.path.clone()).or_insert_with(|| (task.to_owned(), Vec::new(), false));
                entry.1.push(made.seen.clone());
                entry.2 |= named.contains(made.path.as_os_str().as_bytes());
            }
        }
        let mut remnants = Vec::new();
        for (path, (task, seen, is_read)) in left {
            let standing = match self.state.contents.left(&path)? {
                Seen::Absent => continue,
                Seen::Dir => Standing::Directory,
                Seen::File { .. } | Seen::Link(_) if is_read => Standing::Read,
                now if seen.contains(&now) => Standing::AsLeft,
                Seen::File { .. } | Seen::Link(_) => Standing::Changed,
            };
            remnants.push(Remnant { path, task, standing });
        }
        let is_dir = |remnant: &Remnant| remnant.standing == Standing::Directory;
        let (mut dirs, mut remnants): (Vec<Remnant>, Vec<Remnant>) = remnants.into_iter().partition(is_dir);
        dirs.sort_by(|one, other| other.path.cmp(&one.path));
        remnants.extend(dirs);
        Ok(remnants)
    }

    /// Removes it. A directory that is not empty stays; says whether it has gone.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, remnant: &Remnant) -> io::Result<bool> {
        let path = self.base.join(&remnant.path);
        let removed = match remnant.standing {
            Standing::Directory => match fs::remove_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(false),
                outcome => outcome,
            },
            Standing::AsLeft | Standing::Changed | Standing::Read => fs::remove_file(&path),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            outcome => outcome.map(|()| true),
        }
    }
}

/// The files that a task reads.
fn named(record: &Record) -> HashSet<&[u8]> {
    record.parts.iter().filter(|part| part.kind == PartKind::File).map(|part| &*part.name).collect()
}
