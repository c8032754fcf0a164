//! `partitur doctor`.

use crate::examination::{Check, Verdict, examine};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::Place;
use crate::settings::Global;

/// Look whether everything is in order: the state, the disk, the limits, the port
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur doctor
  partitur doctor --data /var/lib/partitur --listen 127.0.0.1:8080 --full

It changes nothing, and may look while a server is at work. Its exit code is 7 if something is wrong.")]
pub struct Doctor {
    /// Where the server listens, or is to
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "PARTITUR_LISTEN",
        hide_env_values = true
    )]
    listen: String,
    /// Compare every index with its rows, too: it reads the whole database
    #[arg(long)]
    full: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Doctor {
    /// Looks.
    ///
    /// # Errors
    /// There is no state directory at all.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let checks = examine(&self.place.dir(global)?, &self.listen, self.full);
        if self.json {
            println!("{}", serde_json::json!(checks.iter().map(Check::json).collect::<Vec<_>>()));
        } else {
            checks.iter().for_each(|check| println!("{}", check.text()));
        }
        let is_bad = checks.iter().any(|check| check.verdict == Verdict::Bad);
        Ok(if is_bad { Exit::State } else { Exit::Success })
    }
}
