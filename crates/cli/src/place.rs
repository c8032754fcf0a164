//! Which state directory a command of the operations is about: a server's, or that of the documents here.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::settings::Global;

/// Where a server puts its state if nobody says otherwise.
const SERVER: &str = "partitur-data";

/// The flag that names it.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Place {
    /// The directory of a server's state [default: the nearest `.partitur`, else `./partitur-data`]
    #[arg(long, value_name = "DIR", env = "PARTITUR_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The directory.
    ///
    /// # Errors
    /// There is none.
    pub fn dir(&self, global: &Global) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.data {
            return Ok(dir.clone());
        }
        match global.state() {
            Err(Failure::NoState) if PathBuf::from(SERVER).is_dir() => Ok(PathBuf::from(SERVER)),
            found => found,
        }
    }

    /// The database in it.
    ///
    /// # Errors
    /// There is no directory.
    pub fn database(&self, global: &Global) -> Result<PathBuf, Failure> {
        Ok(self.dir(global)?.join("partitur.db"))
    }
}
