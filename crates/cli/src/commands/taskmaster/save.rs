//! Writes a file that others write too: under Taskmaster's lock, from what is in it then, whole or not at all.

use std::fs::{self, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partitur_formats::taskmaster::Source;

use super::file::{parse, read};
use crate::failure::Failure;
use crate::ink::Colour;

/// So often the lock is tried for, each time after twice the pause.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// So often whoever is patient begins anew.
const PATIENCE: u32 = 8;

/// A lock this old was left behind.
const STALE: Duration = Duration::from_secs(10);

/// So often the file is read again when an editor that takes no lock has written it meanwhile.
const READS_MAX: u32 = 5;

/// Changes a file: `change` gets what is in it under the lock, and says what should be. Tells whether it was written.
///
/// # Errors
/// The lock is held, the file cannot be read or written, or `change` refuses.
pub fn update(
    path: &Path,
    mut change: impl FnMut(&Source) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<bool, Failure> {
    let _lock = Lock::take(path)?;
    // Behind a link stands the file; the lock stands beside the link, as Taskmaster has it.
    let real = fs::canonicalize(path).map_err(|error| cannot("find", path, error))?;
    for _ in 0..READS_MAX {
        let before = fs::metadata(&real).map_err(|error| cannot("read", path, error))?;
        let source = parse(path, &read(&real)?, Colour::Auto)?;
        let Some(bytes) = change(&source)? else { return Ok(false) };
        if replace(&real, &before, &bytes).map_err(|error| cannot("write", path, error))? {
            return Ok(true);
        }
    }
    let message = format!("{} changes all the time", path.display());
    Err(Failure::refused(message, "close the program that writes it, and try again"))
}

/// As [`update`], for one of many that write at the same time: it waits several times as long for the lock.
///
/// # Errors
/// As [`update`].
pub fn update_patiently(
    path: &Path,
    mut change: impl FnMut(&Source) -> Result<Option<Vec<u8>>, Failure>,
) -> Result<bool, Failure> {
    for _ in 1..PATIENCE {
        match update(path, &mut change) {
            Err(Failure::Refused { .. }) => {}
            other => return other,
        }
    }
    update(path, change)
}

/// Puts the bytes in the file's place, unless it is another one than `before`.
fn replace(real: &Path, before: &Metadata, bytes: &[u8]) -> std::io::Result<bool> {
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push(format!(".tmp.{}", std::process::id()));
    let temporary = real.with_file_name(name);
    let written = write_beside(&temporary, real, before, bytes);
    if !matches!(written, Ok(true)) {
        // It may never have been made.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_beside(temporary: &Path, real: &Path, before: &Metadata, bytes: &[u8]) -> std::io::Result<bool> {
    let mut file = fs::File::create(temporary)?;
    file.set_permissions(before.permissions())?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let stamp = |it: &Metadata| (it.ino(), it.len(), it.mtime(), it.mtime_nsec());
    if stamp(&fs::metadata(real)?) != stamp(before) {
        return Ok(false);
    }
    fs::rename(temporary, real)?;
    Ok(true)
}

/// Taskmaster's lock: a directory beside the file, which only one can make.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Lock, Failure> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        let mut pause = FIRST_PAUSE;
        for attempt in 0..=TRIES {
            match fs::create_dir(&lock) {
                Ok(()) => return Ok(Lock(lock)),
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(cannot("lock", path, error));
                }
                Err(_) if remove_stale(&lock) => {}
                Err(_) if attempt < TRIES => {
                    std::thread::sleep(pause);
                    pause = PAUSE_MAX.min(pause * 2);
                }
                Err(_) => {}
            }
        }
        Err(Failure::refused(
            format!("somebody else writes {}: {} is there", path.display(), lock.display()),
            "try again; a lock that was left behind is taken over after ten seconds",
        ))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever found it stale has removed it already.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes a lock that nobody has touched for long; other programs make a file of it.
fn remove_stale(lock: &Path) -> bool {
    let age = || fs::metadata(lock).ok()?.modified().ok()?.elapsed().ok();
    if age().is_none_or(|age| age < STALE) {
        return false;
    }
    fs::remove_dir(lock).or_else(|_| fs::remove_file(lock)).is_ok()
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Failure {
    Failure::Io { what: format!("cannot {what} {}", path.display()), error }
}
