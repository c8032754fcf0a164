//! Where the state lies, and how the terminal is used: flags first, then the environment, then the place.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use partitur_store::{Reader, StateDir, StoreError};

use crate::failure::Failure;
use crate::ink::Colour;

/// The name of a state directory beside a document.
const NAME: &str = ".partitur";

/// Flags that every command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Global {
    /// The state directory [default: `.partitur` beside the document, or the nearest one above]
    #[arg(long, global = true, value_name = "DIR", env = "PARTITUR_STATE", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Colour,
}

impl Global {
    /// The state directory of a document in `dir`.
    pub fn state_for(&self, dir: &Path) -> PathBuf {
        self.state_dir.clone().unwrap_or_else(|| dir.join(NAME))
    }

    /// The state directory that is there: the named one, else that of the current directory or the nearest above.
    ///
    /// # Errors
    /// [`Failure::NoState`] if there is none.
    pub fn state(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.state_dir {
            return Ok(dir.clone());
        }
        let here = std::env::current_dir().map_err(|error| Failure::Io {
            what: "the current directory cannot be used".to_owned(),
            error,
        })?;
        here.ancestors().map(|dir| dir.join(NAME)).find(|dir| dir.is_dir()).ok_or(Failure::NoState)
    }

    /// What is stored there.
    ///
    /// # Errors
    /// [`Failure::NoState`] if nothing is; the store's.
    pub fn reader(&self) -> Result<(PathBuf, Reader), Failure> {
        let dir = self.state()?;
        match open_reader(&dir)? {
            Some(reader) => Ok((dir, reader)),
            None => Err(Failure::NoState),
        }
    }
}

/// The stored state of a directory, if there is any.
///
/// # Errors
/// The store's.
pub fn open_reader(dir: &Path) -> Result<Option<Reader>, StoreError> {
    match Reader::open(dir.join("partitur.db")) {
        Ok(reader) => Ok(Some(reader)),
        Err(StoreError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the state directory, if there is none, so that no version control takes it up.
///
/// # Errors
/// It cannot be made.
pub fn make_state(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let refused =
        |error: std::io::Error| StoreError::Directory { path: dir.to_owned(), reason: error.to_string() };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(refused)?;
    std::fs::write(dir.join(".gitignore"), "*\n").map_err(refused)?;
    StateDir::open(dir)?;
    Ok(())
}
