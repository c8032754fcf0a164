//! Contents by their hash: what tasks have written, so that it can be brought back.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use blake3::{Hash, Hasher};

use super::contents::Digest;
use crate::pattern::UNFINISHED;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// All together.
    pub bytes_max: u64,
    /// A larger file is not kept.
    pub file_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes_max: 2_000_000_000, file_bytes_max: 256 << 20 }
    }
}

/// Contents are thrown away until so many hundredths of what may be are left.
const AFTER_EVICTION_PERCENT: u64 = 80;

/// A directory with a file for each content; several processes may share it.
#[derive(Debug)]
pub(crate) struct Objects {
    dir: PathBuf,
    limits: Limits,
    /// As far as we know; looked up when first something is put.
    bytes: Option<u64>,
}

impl Objects {
    pub fn new(dir: PathBuf, limits: Limits) -> Objects {
        Objects { dir, limits, bytes: None }
    }

    fn path(&self, content: &Digest) -> PathBuf {
        let name = Hash::from_bytes(*content).to_hex();
        let (first, rest) = name.as_str().split_at(2);
        self.dir.join(first).join(rest)
    }

    /// Whether it could be brought back.
    pub fn has(&self, content: &Digest) -> bool {
        self.path(content).exists()
    }

    /// Keeps a file that is known to have this content.
    ///
    /// # Errors
    /// It cannot be read or written; or it has another content by now.
    pub fn put_file(&mut self, content: &Digest, source: &Path) -> io::Result<()> {
        let length = fs::metadata(source)?.len();
        if length > self.limits.file_bytes_max {
            return Ok(());
        }
        self.put(content, length, &mut File::open(source)?)
    }

    /// Keeps some bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn put_bytes(&mut self, content: &Digest, bytes: &[u8]) -> io::Result<()> {
        self.put(content, bytes.len() as u64, &mut &*bytes)
    }

    fn put(&mut self, content: &Digest, length: u64, source: &mut dyn Read) -> io::Result<()> {
        let path = self.path(content);
        if let Ok(file) = File::options().append(true).open(&path) {
            // Used now, so that it goes later.
            return file.set_modified(SystemTime::now());
        }
        let before = match self.bytes {
            Some(bytes) => bytes,
            None => self.list()?.iter().map(|found| found.bytes).sum(),
        };
        fs::create_dir_all(path.parent().expect("it has two levels"))?;
        copy(source, &path, content, 0o600)?;
        self.bytes = Some(before + length);
        if before + length > self.limits.bytes_max {
            self.evict()?;
        }
        Ok(())
    }

    /// The bytes of a content.
    pub fn bytes(&self, content: &Digest) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(content)).ok()?;
        (blake3::hash(&bytes) == Hash::from_bytes(*content)).then_some(bytes)
    }

    /// Puts the content at a path, in one piece: whoever looks there sees what was there before, or all of it.
    ///
    /// # Errors
    /// It is not kept, is damaged, or cannot be written.
    pub fn restore(&self, content: &Digest, target: &Path, mode: u32) -> io::Result<()> {
        let path = self.path(content);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let restored = copy(&mut File::open(&path)?, target, content, mode);
        if let Err(error) = &restored
            && error.kind() == io::ErrorKind::InvalidData
        {
            // It is of no use to anybody.
            let _ = fs::remove_file(&path);
        }
        restored
    }

    fn list(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        let dirs = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            outcome => outcome?,
        };
        for dir in dirs.flatten() {
            for file in fs::read_dir(dir.path())?.flatten() {
                // Another process may have thrown it away meanwhile.
                let Ok(meta) = file.metadata() else { continue };
                let last = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(Found { last, bytes: meta.len(), path: file.path() });
            }
        }
        Ok(found)
    }

    fn evict(&mut self) -> io::Result<()> {
        let mut found = self.list()?;
        found.sort_by_key(|found| found.last);
        let mut bytes: u64 = found.iter().map(|found| found.bytes).sum();
        let target = self.limits.bytes_max / 100 * AFTER_EVICTION_PERCENT;
        for old in found {
            if bytes <= target {
                break;
            }
            // Gone is gone, whoever was faster.
            let _ = fs::remove_file(&old.path);
            bytes -= old.bytes;
        }
        self.bytes = Some(bytes);
        Ok(())
    }
}

struct Found {
    last: SystemTime,
    bytes: u64,
    path: PathBuf,
}

/// Writes beside the target and renames: all or nothing, and only what has the right hash.
fn copy(source: &mut dyn Read, target: &Path, content: &Digest, mode: u32) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.{}{UNFINISHED}", std::process::id()));
    let written = write(source, &temporary, content, mode).and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(source: &mut dyn Read, path: &Path, content: &Digest, mode: u32) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut hasher = Hasher::new();
    let mut part = vec![0; 128 << 10];
    loop {
        match source.read(&mut part)? {
            0 => break,
            length => {
                hasher.update(&part[..length]);
                file.write_all(&part[..length])?;
            }
        }
    }
    if hasher.finalize() != Hash::from_bytes(*content) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not what it was"));
    }
    // The system's own stamp is as coarse as its clock tick.
    file.set_modified(SystemTime::now())?;
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::contents::digest;

    #[test]
    fn what_is_put_comes_back_in_one_piece_and_damage_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut objects = Objects::new(dir.path().join("objects"), Limits::default());
        let source = dir.path().join("source");
        fs::write(&source, "content").unwrap();
        let content = digest(b"content");
        objects.put_file(&content, &source).unwrap();
        assert!(objects.put_file(&digest(b"other"), &source).is_err(), "it is not what it should be");
        let target = dir.path().join("deep/target");
        objects.restore(&content, &target, 0o755).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"content");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(objects.bytes(&content).unwrap(), b"content");

        fs::write(objects.path(&content), "contenT").unwrap();
        fs::write(&target, "before").unwrap();
        assert!(objects.restore(&content, &target, 0o644).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"before");
        assert!(!objects.has(&content), "damaged ones go");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_was_not_used_for_longest_goes_when_there_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { bytes_max: 1000, file_bytes_max: 500 };
        let mut objects = Objects::new(dir.path().join("objects"), limits);
        let body = |number: u8| vec![number; 100];
        for number in 0..10 {
            objects.put_bytes(&digest(&body(number)), &body(number)).unwrap();
        }
        objects.put_bytes(&digest(&body(0)), &body(0)).unwrap();
        objects.put_bytes(&digest(&body(10)), &body(10)).unwrap();
        let left: Vec<u8> = (0..=10).filter(|&number| objects.has(&digest(&body(number)))).collect();
        assert_eq!(left, [0, 4, 5, 6, 7, 8, 9, 10]);
        let large = dir.path().join("large");
        fs::write(&large, vec![1; 501]).unwrap();
        objects.put_file(&digest(&[1; 501]), &large).unwrap();
        assert!(!objects.has(&digest(&[1; 501])));
    }
}
