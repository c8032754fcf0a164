//! `partitur run --watch`: the same run, again whenever a source changes.
//!
//! Each run is a process of its own, so that nothing of one is left for the next. What changes while one runs is looked at
//! when it has ended: nothing is cancelled, and nothing is missed. What tasks write is no source.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use partitur::host::load;
use partitur_worker::build::{Snapshot, Sources};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::undeclared::declared;

/// Of more changes, so many are named.
const SHOWN: usize = 3;
/// Between two looks at whether a run has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs the document, and again after each change, until somebody ends it.
///
/// # Errors
/// The run cannot be started, or nothing can be watched.
pub fn watch(file: &Path, targets: &[String]) -> Result<Exit, Failure> {
    let asked = Asked::listen().map_err(|error| failed("signals cannot be heard", error))?;
    let mut sources = None;
    loop {
        // A document that is faulty at the moment names no sources; those of before still count.
        sources = sources_of(file).or(sources);
        let look = || sources.as_ref().map(Sources::look).unwrap_or_default();
        let before = look();
        let status = run(&asked).map_err(|error| failed("the run cannot be started", error))?;
        if asked.to_end() || status.code() == Some(i32::from(Exit::Cancelled.code())) {
            return Ok(Exit::Cancelled);
        }
        let after = look();
        let meanwhile = before.changed(&after);
        let changed = match (&sources, meanwhile.is_empty()) {
            (Some(sources), true) => {
                eprintln!("── {}; Ctrl-C ends", waits_for(&after, targets));
                sources
                    .wait(&after, &|| asked.to_end())
                    .map_err(|error| failed("nothing can be watched", error))?
            }
            (Some(_), false) => Some(meanwhile),
            // There never was a document that could be read.
            (None, _) => return Ok(Exit::Faulty),
        };
        let Some(changed) = changed else { return Ok(Exit::Success) };
        eprintln!("── {}", told(&changed));
    }
}

fn waits_for(snapshot: &Snapshot, targets: &[String]) -> String {
    let of = if targets.is_empty() { String::new() } else { format!(" for {}", targets.join(", ")) };
    match snapshot.count() {
        0 | 1 => format!("watching the document{of}: its tasks declare nothing else that they read"),
        count => format!("watching {count} files{of}"),
    }
}

fn told(changed: &[PathBuf]) -> String {
    let names: Vec<String> = changed.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    match changed.len().saturating_sub(SHOWN) {
        0 => format!("{} changed", names.join(", ")),
        more => format!("{} and {more} more changed", names.join(", ")),
    }
}

/// What tasks read and nobody writes, and the document itself.
fn sources_of(file: &Path) -> Option<Sources> {
    let loaded = load(file).ok()?;
    let (mut reads, mut writes) = (vec![file.file_name()?.to_str()?.to_owned()], Vec::new());
    reads.extend(loaded.document.definition.flows.keys().cloned());
    let mut take = |pattern, is_written| if is_written { writes.push(pattern) } else { reads.push(pattern) };
    declared(&loaded.document.definition.root, &mut take);
    for flow in loaded.document.definition.flows.values() {
        declared(&flow.root, &mut take);
    }
    Some(Sources::new(&loaded.dir, reads, &writes))
}

/// The same command without the watch. Whoever presses Ctrl-C asks it and us; what only we are told is passed on.
fn run(asked: &Asked) -> std::io::Result<ExitStatus> {
    let args = std::env::args_os().skip(1).filter(|arg| arg != "--watch");
    let mut child = Command::new(std::env::current_exe()?).args(args).spawn()?;
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if asked.by_name.load(Ordering::Relaxed) && !told {
            told = true;
            pass_on(&child);
        }
        std::thread::sleep(PAUSE);
    }
}

fn pass_on(child: &Child) {
    // It may have ended meanwhile.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

fn failed(what: &str, error: std::io::Error) -> Failure {
    Failure::Io { what: what.to_owned(), error }
}

/// Whether somebody has asked us to end.
struct Asked {
    /// From the terminal: all its processes are asked.
    by_key: Arc<AtomicBool>,
    /// Us alone.
    by_name: Arc<AtomicBool>,
}

impl Asked {
    fn listen() -> std::io::Result<Asked> {
        let asked = Asked { by_key: Arc::default(), by_name: Arc::default() };
        signal_hook::flag::register(SIGINT, asked.by_key.clone())?;
        signal_hook::flag::register(SIGTERM, asked.by_name.clone())?;
        signal_hook::flag::register(SIGHUP, asked.by_name.clone())?;
        Ok(asked)
    }

    fn to_end(&self) -> bool {
        self.by_key.load(Ordering::Relaxed) || self.by_name.load(Ordering::Relaxed)
    }
}
