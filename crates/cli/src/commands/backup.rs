//! `partitur backup`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use partitur_store::{Inspection, back_up};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::Place;
use crate::settings::Global;

/// Copy the state to a file, also while a server or a run is at work
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur backup --data /var/lib/partitur /backup/partitur-monday.db
  partitur restore --verify /backup/partitur-monday.db

The copy is of one moment, is looked through, and gets its name when it is on the disk. Output of commands (`runs/`) and the
cache of results are not in it.")]
pub struct Backup {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    to: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Backup {
    /// Writes the copy.
    ///
    /// # Errors
    /// The disk's; or the copy is not whole.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let shown = std::io::stderr().is_terminal();
        let copy = back_up(&self.place.database(global)?, &self.to, |left, all| {
            if shown {
                eprint!("\r{} %", 100 - i64::from(left) * 100 / i64::from(all.max(1)));
            }
        })?;
        if shown {
            eprint!("\r");
        }
        println!("{}", if self.json { json(&copy).to_string() } else { line(&copy) });
        Ok(Exit::Success)
    }
}

/// `412 runs (3 not ended) of 2060 tasks, 1.2 MB, format 3: whole`.
pub fn line(found: &Inspection) -> String {
    let Inspection { format, bytes, runs, open, tasks, .. } = found;
    let size = *bytes as f64 / 1e6;
    format!("{runs} runs ({open} not ended) of {tasks} tasks, {size:.1} MB, format {format}: whole")
}

/// The same for programs.
pub fn json(found: &Inspection) -> serde_json::Value {
    serde_json::json!({
        "runs": found.runs, "open": found.open, "tasks": found.tasks, "bytes": found.bytes,
        "format": found.format, "known": found.known, "faults": found.faults,
    })
}
