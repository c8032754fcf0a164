//! `partitur migrate`.

use std::path::Path;
use std::time::Instant;

use partitur_store::{Inspection, Options, SqliteStore, StateDir, Store as _, StoreError, back_up, inspect};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::place::Place;
use crate::settings::Global;

/// Bring the state of an older version to this one's format, or say what that would do
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur migrate --dry-run --data /var/lib/partitur
  partitur migrate --data /var/lib/partitur

A start does the same by itself. With --dry-run a copy beside the state is brought up to date and read as a start reads it; the
state stays as it is, and its server may be at work. Without it a copy of the old state stays as `partitur.db.format-N`.")]
pub struct Migrate {
    /// Do it with a copy, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// What came of it.
struct Migrated {
    from: u32,
    to: u32,
    /// Runs in flight that were read.
    open: usize,
    /// Why others could not be.
    quarantined: Vec<String>,
    millis: u128,
}

impl Migrate {
    /// Does it.
    ///
    /// # Errors
    /// The disk's; a process is at work; the state is of a newer format.
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let state = StateDir::open(self.place.dir(global)?)?;
        let database = state.database();
        let before = inspect(&database, false)?;
        if let Some(fault) = before.faults.first() {
            return Err(StoreError::Damaged(fault.clone()).into());
        }
        let migrated = if self.dry_run { rehearse(&database, &before)? } else { migrate(&state, &before)? };
        self.tell(&migrated);
        Ok(if migrated.quarantined.is_empty() { Exit::Success } else { Exit::State })
    }

    fn tell(&self, migrated: &Migrated) {
        let Migrated { from, to, open, quarantined, millis } = migrated;
        if self.json {
            let said = serde_json::json!({
                "dryRun": self.dry_run, "from": from, "to": to, "open": open, "quarantined": quarantined,
                "millis": millis,
            });
            return println!("{said}");
        }
        match (from == to, self.dry_run) {
            (true, _) => println!("format {to} already: there is nothing to do"),
            (false, true) => println!("format {from} would become {to}, in {millis} ms"),
            (false, false) => println!("format {from} is now {to}, after {millis} ms"),
        }
        println!("{open} runs in flight can be carried on");
        quarantined.iter().for_each(|reason| println!("set aside: {reason}"));
    }
}

/// With a copy, which goes again.
fn rehearse(database: &Path, before: &Inspection) -> Result<Migrated, Failure> {
    let mut copy = database.as_os_str().to_owned();
    copy.push(".rehearsal");
    let copy = std::path::PathBuf::from(copy);
    discard(&copy);
    back_up_as_it_is(database, &copy)?;
    let migrated = open(&copy, before);
    discard(&copy);
    migrated
}

fn migrate(state: &StateDir, before: &Inspection) -> Result<Migrated, Failure> {
    let Some(_host) = state.try_host()? else {
        return Err(Failure::refused(
            format!("another process works in {}", state.path().display()),
            "stop it first; `--dry-run` works beside it",
        ));
    };
    if before.format < before.known {
        let kept = state.path().join(format!("partitur.db.format-{}", before.format));
        if !kept.exists() {
            back_up_as_it_is(&state.database(), &kept)?;
        }
    }
    open(&state.database(), before)
}

fn back_up_as_it_is(from: &Path, to: &Path) -> Result<(), Failure> {
    Ok(back_up(from, to, |_, _| {}).map(drop)?)
}

/// As a start does it.
fn open(database: &Path, before: &Inspection) -> Result<Migrated, Failure> {
    let begin = Instant::now();
    let mut store = SqliteStore::open(database, Options::default(), || {})?;
    let recovered = store.recover()?;
    Ok(Migrated {
        from: before.format,
        to: before.known,
        open: recovered.runs.len(),
        quarantined: recovered.quarantined.into_iter().map(|damaged| damaged.reason).collect(),
        millis: begin.elapsed().as_millis(),
    })
}

/// What is not there need not go.
fn discard(copy: &Path) {
    for ending in ["", "-wal", "-shm", ".partial"] {
        let mut name = copy.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(name);
    }
}
