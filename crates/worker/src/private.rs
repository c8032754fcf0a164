//! A directory of a run that nobody else may enter, in memory where the system has such a place: for secrets, and for
//! the files in which tasks leave their results. Made when the run enters, so that an attempt makes none.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use partitur_model::{AttemptId, FencingToken, RunId};

use crate::platform::Instance;

/// The directory; removed with everything in it when this is dropped, or by the guard if we are killed.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    path: PathBuf,
    instance: Instance,
}

impl PrivateDir {
    /// A directory for the run. What an earlier executor left of it is removed.
    pub fn new(run: RunId, instance: &Instance) -> io::Result<PrivateDir> {
        let prefix = format!("partitur-{}-{run}-", rustix::process::getuid().as_raw());
        remove_dirs(|name| name.starts_with(&prefix));
        let path = memory().join(format!("{prefix}{}", instance.as_str()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(PrivateDir { path, instance: instance.clone() })
    }

    /// Whose it is.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where an attempt leaves its result.
    pub fn output(&self, attempt: AttemptId) -> PathBuf {
        self.path.join(format!("{}{OUTPUT_SUFFIX}", attempt.token))
    }

    /// Where an attempt says how far it is.
    pub fn progress(&self, attempt: AttemptId) -> PathBuf {
        self.path.join(format!("{}{PROGRESS_SUFFIX}", attempt.token))
    }

    /// Writes a secret for an attempt.
    pub fn write_secret(&self, attempt: AttemptId, name: &str, value: &str) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{}.{name}.secret", attempt.token));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(value.as_bytes())?;
        Ok(path)
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // What cannot be removed lies in memory and is ours alone.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes the private directories that an executor has left.
pub(crate) fn remove_dirs_of(instance: &Instance) {
    remove_dirs(|name| name.ends_with(instance.as_str()));
}

fn remove_dirs(is_meant: impl Fn(&str) -> bool) {
    let Ok(entries) = fs::read_dir(memory()) else { return };
    let ours = |name: &str| name.starts_with("partitur-") && is_meant(name);
    for dir in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(ours)) {
        // One that belongs to somebody else stays.
        let _ = fs::remove_dir_all(dir.path());
    }
}

const PROGRESS_SUFFIX: &str = ".progress";
const OUTPUT_SUFFIX: &str = ".output";

/// What an attempt may write in a private directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// How far it is.
    Progress(FencingToken),
    /// Its result.
    Output(FencingToken),
}

impl Written {
    /// What a file of this name is.
    pub fn of(file_name: &[u8]) -> Option<Written> {
        let name = std::str::from_utf8(file_name).ok()?;
        let token = |suffix: &str| Some(FencingToken(name.strip_suffix(suffix)?.parse().ok()?));
        token(PROGRESS_SUFFIX).map(Written::Progress).or_else(|| token(OUTPUT_SUFFIX).map(Written::Output))
    }
}

/// What a task left in a file, at most `max` bytes and one more; `None` if there is no file. Only a plain file counts:
/// what a task puts there must not make us wait or read what it may not.
pub(crate) fn take_file(path: &Path, max: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome?,
    };
    let content = read_plain(file, max);
    fs::remove_file(path).or_else(|_| fs::remove_dir_all(path))?;
    content.map(Some)
}

fn read_plain(file: File, max: usize) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
    }
    let mut content = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// A directory in memory, else the one for temporary files.
fn memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    match rustix::fs::access(shared, rustix::fs::Access::WRITE_OK) {
        Ok(()) => shared.to_owned(),
        Err(_) => std::env::temp_dir(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use partitur_model::TaskSeq;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_directory_is_private_and_gone_afterwards_and_an_old_one_is_removed() {
        let run = RunId::new(0, 77, u64::from(std::process::id()));
        let attempt = AttemptId { run, task: TaskSeq(1), token: FencingToken(5) };
        let dir = PrivateDir::new(run, &Instance::new()).unwrap();
        let path = dir.path().to_owned();
        let secret = dir.write_secret(attempt, "a", "value").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
        std::mem::forget(dir);
        let again = PrivateDir::new(run, &Instance::new()).unwrap();
        assert!(!path.exists());
        let path = again.path().to_owned();
        let other = PrivateDir::new(RunId::new(0, 78, run.random()), &Instance::new()).unwrap();
        remove_dirs_of(again.instance());
        assert!(!path.exists() && other.path().exists());
    }

    #[test]
    fn only_a_plain_file_is_a_result() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        assert_eq!(take_file(&path, 3).unwrap(), None);
        fs::write(&path, "12345").unwrap();
        assert_eq!(take_file(&path, 3).unwrap().unwrap(), b"1234");
        assert!(!path.exists());
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(take_file(&path, 3).is_err());
        fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(take_file(&path, 3).is_err(), "a pipe that nobody writes must not make us wait");
    }
}
