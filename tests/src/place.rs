//! A directory in which something is run.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;
use crate::journal::{self, Line};
use crate::terminal::{Ended, Terminal};

/// A directory with documents, their state, and the journal of their tasks. It is removed at the end.
pub struct Place {
    dir: TempDir,
}

impl Default for Place {
    fn default() -> Place {
        Place::new()
    }
}

impl Place {
    /// An empty one, in which tasks can execute `./task`.
    ///
    /// # Panics
    /// If the disk takes none.
    pub fn new() -> Place {
        let dir = tempfile::Builder::new().prefix("partitur-test-").tempdir().expect("a temporary directory");
        std::os::unix::fs::symlink(binary::task(), dir.path().join("task")).expect("a link");
        std::fs::create_dir(dir.path().join("held")).expect("a directory");
        Place { dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.path().join(".partitur")
    }

    /// Writes a file.
    ///
    /// # Panics
    /// If it cannot.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), text).expect("the directory takes a file");
    }

    /// `partitur` with these arguments, in this directory, with nothing of the caller's environment that changes it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary::partitur());
        command.args(arguments).current_dir(self.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PARTITUR_") {
                command.env_remove(name);
            }
        }
        command.env("TERM", "dumb").env("TEST_PLACE", self.path());
        command
    }

    /// A terminal in which `partitur` has been started.
    pub fn start(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(self.command(arguments))
    }

    /// Runs `partitur` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).wait()
    }

    /// What a command prints as JSON.
    ///
    /// # Panics
    /// If it fails.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", ended.stdout))
    }

    /// What the tasks have written down.
    pub fn journal(&self) -> Vec<Line> {
        journal::read(self.path())
    }
}
