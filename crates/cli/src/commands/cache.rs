//! `partitur cache`.

use std::path::{Path, PathBuf};

use partitur::host::{Session, Settings};
use partitur_report::bytes;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Global;

/// Show or clear the cache of results
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur cache stats
  partitur cache clear")]
pub struct Cache {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How large it is, and how often it has served
    Stats {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove all results
    Clear,
}

impl Cache {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let state = global.state()?;
        let entries = entries(&state.join("cache"))?;
        let size: u64 = entries.iter().map(|(_, size)| size).sum();
        match self.what {
            What::Stats { json } => {
                let served = match Session::join(&Settings::new(&state))? {
                    Some(mut session) => Some(session.status()?.cache),
                    None => None,
                };
                if json {
                    let (hits, misses) = served.map_or((0, 0), |cache| (cache.hits, cache.misses));
                    println!(
                        "{}",
                        json!({"entries": entries.len(), "bytes": size, "hits": hits, "misses": misses})
                    );
                } else {
                    println!("{} results, {}", entries.len(), bytes(size));
                    if let Some(cache) = served {
                        println!(
                            "served {} times since the host started, {} misses",
                            cache.hits, cache.misses
                        );
                    }
                }
            }
            What::Clear => {
                for (path, _) in &entries {
                    // Another process may have thrown it away meanwhile.
                    let _ = std::fs::remove_file(path);
                }
                eprintln!("{} results removed, {} freed", entries.len(), bytes(size));
            }
        }
        Ok(Exit::Success)
    }
}

/// The files of the cache and their sizes, without those that are being written.
fn entries(dir: &Path) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let list = match std::fs::read_dir(dir) {
        Ok(list) => list,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::Io { what: format!("cannot read {}", dir.display()), error }),
    };
    let finished = list.flatten().map(|entry| entry.path());
    let finished = finished.filter(|path| path.extension().is_none_or(|extension| extension != "tmp"));
    Ok(finished
        .filter_map(|path| Some((path.metadata().ok()?.len(), path)))
        .map(|(size, path)| (path, size))
        .collect())
}
