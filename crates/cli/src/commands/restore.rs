//! `partitur restore`.

use std::path::PathBuf;

use partitur_store::{Inspection, StateDir, StoreError, inspect, restore};

use super::backup::{json, line};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::Place;
use crate::settings::{Global, make_state};

/// Put a copy of the state in its place, or only look whether it is whole
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur restore --verify /backup/partitur-monday.db
  partitur restore --data /var/lib/partitur /backup/partitur-monday.db

Nothing is overwritten: a directory that has a state already is refused. A copy that is not whole is refused, too.")]
pub struct Restore {
    /// The copy
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// Look at the copy, and put it nowhere
    #[arg(long)]
    verify: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Restore {
    /// Looks at the copy, and puts it in its place.
    ///
    /// # Errors
    /// The disk's; the copy is not whole; there is a state already.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let found = if self.verify { self.look()? } else { self.put(global)? };
        println!("{}", if self.json { json(&found).to_string() } else { line(&found) });
        Ok(Exit::Success)
    }

    fn look(&self) -> Result<Inspection, Failure> {
        let found = inspect(&self.from, true)?;
        match found.faults.first() {
            Some(fault) => Err(StoreError::Damaged(fault.clone()).into()),
            None => Ok(found),
        }
    }

    fn put(&self, global: &Global) -> Result<Inspection, Failure> {
        let dir = match (&self.place.data, &global.state_dir) {
            (Some(dir), _) | (None, Some(dir)) => dir.clone(),
            (None, None) => {
                return Err(Failure::usage(
                    "nobody says where to put it",
                    "name the state directory with `--data DIR` or `--state-dir DIR`",
                ));
            }
        };
        make_state(&dir)?;
        let state = StateDir::open(&dir)?;
        let Some(_host) = state.try_host()? else {
            return Err(Failure::refused(
                format!("another process works in {}", dir.display()),
                "stop it, or name another directory",
            ));
        };
        Ok(restore(&self.from, &state.database())?)
    }
}
