//! Incremental execution: a task that declares what it reads and writes is executed only if something from which its
//! success follows has changed since.
//!
//! [`question`] says what that is: command, environment, programs, contents of files, results of predecessors. [`state`]
//! keeps the successes of a directory's tasks, [`contents`] the hashes of its files and when their stamps may be trusted,
//! [`objects`] what tasks have written. [`keeper`] is the thread that decides, restores, and keeps. [`nothing`] is the
//! short way: a file that proves that a whole run would find everything up to date.
//!
//! What files contain decides, never which is newer. A task is known to have succeeded only from the moment at which its
//! success is kept; before it begins, an equal earlier success is forgotten.

mod codec;
mod contents;
mod evidence;
mod forecast;
mod keeper;
mod nothing;
mod objects;
mod proof;
mod question;
mod reason;
mod record;
mod remains;
mod script;
mod sources;
mod stamp;
mod state;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use forecast::{Forecast, Foreseen};
pub use nothing::{Found, Nothing, Reach, Seal, Sealing};
pub use reason::{Decision, Reason, Verdict};
pub use remains::{Remains, Remnant, Standing};
pub use sources::{Declared, LATE, Snapshot, Sources, changed_since};

pub(crate) use keeper::{Decided, Keeper, Kept, Reuse, Ticket};
pub(crate) use nothing::Wish;
pub(crate) use question::Question;

/// Where what is known of a run's tasks is kept, and how it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildContext {
    /// The directory of [`build_dir`].
    pub dir: PathBuf,
    /// The name of the document: tasks of others are others.
    pub name: String,
    /// Every task is executed, whatever is known.
    pub force: bool,
    /// Nobody asks about others than these; about any if `None`.
    pub only: Option<Arc<[String]>>,
}

impl BuildContext {
    /// The name of a task among all that are known.
    pub(crate) fn task(&self, path: &str) -> Box<str> {
        format!("{}\0{path}", self.name).into()
    }

    fn state(&self) -> PathBuf {
        self.dir.join(STATE)
    }

    fn objects(&self) -> PathBuf {
        self.dir.parent().unwrap_or(&self.dir).join(OBJECTS)
    }
}

const STATE: &str = "state";
const OBJECTS: &str = "objects";

/// Where what is known of the tasks of documents in `base` is kept, below a state directory.
pub fn build_dir(state_dir: &Path, base: &Path) -> PathBuf {
    let beside = std::path::absolute(state_dir).ok().and_then(|dir| dir.parent().map(Path::to_owned));
    // A tree that is moved with all that is in it is still the same.
    let name = match beside {
        Some(beside) if beside == base => "here".to_owned(),
        Some(_) | None => blake3::hash(base.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned(),
    };
    state_dir.join("build").join(name)
}
