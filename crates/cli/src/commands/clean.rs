//! `partitur clean`.

use std::path::PathBuf;

use partitur_store::StateDir;
use partitur_worker::build::{Remains, Remnant, Standing, build_dir};

use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Remove what the tasks of a document have written
///
/// Only files that are known to have been written by a task that declares them, as they were left; what somebody has
/// changed since stays, and so does what a task reads and writes in place. The next run brings them back from what is
/// kept, or makes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur clean flow.yaml --dry-run
  partitur clean flow.yaml
  partitur clean flow.yaml --cache     # the next run executes everything")]
pub struct Clean {
    /// The document
    file: PathBuf,
    /// Remove nothing, only say what would go
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Remove what somebody has changed since, too
    #[arg(short, long)]
    force: bool,
    /// Forget earlier successes and what was kept of them, too
    #[arg(long)]
    cache: bool,
}

/// What became of everything.
#[derive(Default)]
struct Tally {
    gone: usize,
    changed: usize,
    read: usize,
}

impl Clean {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = document::open(&self.file, global.color)?;
        let state = global.state_for(&loaded.dir);
        if !state.exists() {
            eprintln!("nothing is known to have been written");
            return Ok(Exit::Success);
        }
        let Some(_lock) = StateDir::open(&state)?.try_host()? else {
            return Err(Failure::refused(
                "runs are at work in this directory",
                "wait for them, or cancel them: `partitur status`",
            ));
        };
        let dir = build_dir(&state, &loaded.dir);
        let mut remains = Remains::open(&dir, &loaded.dir).map_err(unreadable)?;
        let remnants = remains.list(&loaded.document.definition.name).map_err(unreadable)?;
        let mut tally = Tally::default();
        for remnant in &remnants {
            self.clean(&remains, remnant, &mut tally)?;
        }
        if self.cache && !self.dry_run {
            forget(&state.join("build"))?;
            forget(&state.join("cache"))?;
        }
        self.sum_up(&tally);
        Ok(Exit::Success)
    }

    fn clean(&self, remains: &Remains, remnant: &Remnant, tally: &mut Tally) -> Result<(), Failure> {
        let path = remnant.path.display();
        match remnant.standing {
            Standing::Read => {
                tally.read += 1;
                return Ok(());
            }
            Standing::Changed if !self.force => {
                tally.changed += 1;
                eprintln!("{path} stays: it is not as `{}` left it", remnant.task);
                return Ok(());
            }
            Standing::Changed | Standing::AsLeft | Standing::Directory => {}
        }
        let refused = |error| Failure::Io { what: format!("{path} cannot be removed"), error };
        if self.dry_run || remains.remove(remnant).map_err(refused)? {
            tally.gone += 1;
            println!("{path}");
        }
        Ok(())
    }

    fn sum_up(&self, tally: &Tally) {
        let gone = if self.dry_run { "would be removed" } else { "removed" };
        let mut words = vec![format!("{} {gone}", tally.gone)];
        if tally.changed > 0 {
            words.push(format!("{} changed since and kept (--force removes them)", tally.changed));
        }
        if tally.read > 0 {
            words.push(format!("{} kept, for a task reads and writes them", tally.read));
        }
        eprintln!("{}", words.join(", "));
    }
}

fn forget(dir: &std::path::Path) -> Result<(), Failure> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::Io { what: format!("{} cannot be removed", dir.display()), error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::Io { what: "what tasks have written cannot be looked at".to_owned(), error }
}
