//! What files contain, as hashes. A file is read only if its stamp is not that of an earlier reading, or if that reading
//! came so shortly after a change that the stamp proves nothing.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use blake3::Hasher;

use super::codec::{In, Out};
use super::stamp::{Stamp, now};
use crate::pattern::is_absent;

/// A BLAKE3 hash.
pub(crate) type Digest = [u8; 32];

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing.
    Absent,
    /// A file: the hash of its content, and whether it may be executed.
    File { content: Digest, executable: bool },
    /// A directory, whatever is in it.
    Dir,
    /// A link that is itself what counts.
    Link(PathBuf),
}

impl Seen {
    /// Equal for what is equal, in one hash.
    pub fn digest(&self) -> Digest {
        match self {
            Seen::Absent => digest(b"absent"),
            Seen::Dir => digest(b"directory"),
            Seen::File { content, executable: false } => *content,
            Seen::File { content, executable: true } => {
                *Hasher::new().update(b"x").update(content).finalize().as_bytes()
            }
            Seen::Link(target) => {
                *Hasher::new().update(b"link").update(target.as_os_str().as_bytes()).finalize().as_bytes()
            }
        }
    }

    pub fn encode(&self, out: &mut Out) {
        match self {
            Seen::Absent => out.byte(0),
            Seen::Dir => out.byte(1),
            Seen::File { content, executable } => {
                out.byte(2 + u8::from(*executable));
                out.raw(content);
            }
            Seen::Link(target) => {
                out.byte(4);
                out.text(target.as_os_str().as_bytes());
            }
        }
    }

    pub fn decode(bytes: &mut In<'_>) -> Option<Seen> {
        Some(match bytes.byte()? {
            0 => Seen::Absent,
            1 => Seen::Dir,
            kind @ (2 | 3) => Seen::File { content: bytes.array()?, executable: kind == 3 },
            4 => Seen::Link(PathBuf::from(std::ffi::OsString::from_vec(bytes.text()?.to_vec()))),
            _ => return None,
        })
    }
}

/// What is known of a file since it was last read.
#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Stamp,
    content: Digest,
    /// A change after the reading would have left another stamp.
    settled: bool,
    /// It stands in the file of the state.
    kept: bool,
}

/// The files below a directory, and those outside by their absolute paths.
#[derive(Debug)]
pub(crate) struct Contents {
    base: PathBuf,
    known: HashMap<PathBuf, Known>,
    /// Files that have to be read once more before their stamps prove anything.
    fresh: VecDeque<PathBuf>,
}

impl Contents {
    pub fn new(base: PathBuf) -> Contents {
        Contents { base, known: HashMap::new(), fresh: VecDeque::new() }
    }

    /// The directory from which relative paths start.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// What a task reads at this path: links are followed.
    ///
    /// # Errors
    /// It cannot be read, or is neither file nor directory.
    pub fn read(&mut self, path: &Path) -> io::Result<Seen> {
        match std::fs::metadata(self.base.join(path)) {
            Ok(meta) => self.seen(path, &meta),
            Err(error) if is_absent(&error) => Ok(Seen::Absent),
            Err(error) => Err(error),
        }
    }

    /// What a task has left at this path: a link is a link.
    ///
    /// # Errors
    /// It cannot be read, or is neither file, directory nor link.
    pub fn left(&mut self, path: &Path) -> io::Result<Seen> {
        match std::fs::symlink_metadata(self.base.join(path)) {
            Ok(meta) if meta.is_symlink() => Ok(Seen::Link(std::fs::read_link(self.base.join(path))?)),
            Ok(meta) => self.seen(path, &meta),
            Err(error) if is_absent(&error) => Ok(Seen::Absent),
            Err(error) => Err(error),
        }
    }

    fn seen(&mut self, path: &Path, meta: &Metadata) -> io::Result<Seen> {
        if meta.is_dir() {
            return Ok(Seen::Dir);
        }
        if !meta.is_file() {
            // Whoever opens a pipe waits for its other end.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file"));
        }
        let stamp = Stamp::of(meta);
        let executable = stamp.is_executable();
        if let Some(known) = self.known.get(path).filter(|known| known.settled && known.stamp == stamp) {
            return Ok(Seen::File { content: known.content, executable });
        }
        Ok(Seen::File { content: self.hash(path)?, executable })
    }

    fn hash(&mut self, path: &Path) -> io::Result<Digest> {
        let began = now();
        let mut file = File::open(self.base.join(path))?;
        let before = Stamp::of(&file.metadata()?);
        let mut hasher = Hasher::new();
        hasher.update_reader(&mut file)?;
        let content = *hasher.finalize().as_bytes();
        // One that changed while it was read has a stamp that belongs to no content.
        let settled = before.is_settled(began) && Stamp::of(&file.metadata()?) == before;
        if !settled {
            self.fresh.push_back(path.to_owned());
        }
        self.known.insert(path.to_owned(), Known { stamp: before, content, settled, kept: false });
        Ok(content)
    }

    /// Reads those once more that had only just changed when they were read, as far as the time for that has come.
    pub fn settle(&mut self) {
        let now = now();
        for _ in 0..self.fresh.len() {
            let Some(path) = self.fresh.pop_front() else { return };
            match self.known.get(&path) {
                Some(known) if known.settled => {}
                Some(known) if !known.stamp.is_settled(now) => {
                    self.fresh.push_back(path);
                    return;
                }
                // What cannot be read will be read when somebody asks for it.
                Some(_) => drop(self.hash(&path)),
                None => {}
            }
        }
    }

    /// Whether some have to be read once more.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// The stamp that proves that what is there has this hash ([`Seen::digest`]), if there is one.
    pub fn proof(&self, path: &Path, digest: &Digest) -> Option<Stamp> {
        let known = self.known.get(path).filter(|known| known.settled)?;
        let seen = Seen::File { content: known.content, executable: known.stamp.is_executable() };
        (seen.digest() == *digest).then_some(known.stamp)
    }

    /// Those that are not in the file of the state yet, and from now on are.
    pub fn take_news(&mut self) -> Vec<u8> {
        let mut out = Out::default();
        for (path, known) in self.known.iter_mut().filter(|(_, known)| known.settled && !known.kept) {
            known.kept = true;
            encode(&mut out, path, known);
        }
        out.0
    }

    /// All that are worth keeping.
    pub fn encode(&self, is_wanted: impl Fn(&Path) -> bool) -> Vec<u8> {
        let mut out = Out::default();
        for (path, known) in self.known.iter().filter(|(path, known)| known.settled && is_wanted(path)) {
            encode(&mut out, path, known);
        }
        out.0
    }

    /// Takes up what was kept of wanted files.
    pub fn decode(&mut self, bytes: &[u8], is_wanted: impl Fn(&[u8]) -> bool) -> Option<()> {
        let mut bytes = In(bytes);
        while !bytes.0.is_empty() {
            let path = bytes.text()?;
            let stamp = Stamp::decode(&bytes.array()?);
            let content = bytes.array()?;
            if !is_wanted(path) {
                continue;
            }
            let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
            self.known.insert(path, Known { stamp, content, settled: true, kept: true });
        }
        Some(())
    }
}

fn encode(out: &mut Out, path: &Path, known: &Known) {
    out.text(path.as_os_str().as_bytes());
    out.raw(&known.stamp.encode());
    out.raw(&known.content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::stamp::SETTLE;

    fn content(contents: &mut Contents, path: &str) -> Digest {
        match contents.read(Path::new(path)).unwrap() {
            Seen::File { content, .. } => content,
            other @ (Seen::Absent | Seen::Dir | Seen::Link(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_within_the_same_tick_of_the_clock_does_not_go_unnoticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut contents = Contents::new(dir.path().to_owned());
        for round in 0..200_u32 {
            std::fs::write(dir.path().join("a"), format!("{round:05}")).unwrap();
            let first = content(&mut contents, "a");
            // As large as before, and most likely stamped as before.
            std::fs::write(dir.path().join("a"), format!("{:05}", round + 1)).unwrap();
            assert_ne!(content(&mut contents, "a"), first, "round {round}");
        }
    }

    #[test]
    fn what_has_settled_is_not_read_again_and_is_proved_by_its_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let mut contents = Contents::new(dir.path().to_owned());
        std::fs::write(dir.path().join("a"), "1").unwrap();
        let first = content(&mut contents, "a");
        assert!(contents.proof(Path::new("a"), &first).is_none() && contents.has_fresh());
        std::thread::sleep(SETTLE * 2);
        contents.settle();
        let stamp = contents.proof(Path::new("a"), &first).expect("it has settled");
        assert!(!contents.has_fresh());

        let mut later = Contents::new(dir.path().to_owned());
        later.decode(&contents.take_news(), |_| true).unwrap();
        assert_eq!(later.proof(Path::new("a"), &first), Some(stamp));
        assert!(contents.take_news().is_empty(), "told once");
    }

    #[test]
    fn links_modes_directories_and_absence_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "1").unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        let mut contents = Contents::new(dir.path().to_owned());
        let plain = contents.read(Path::new("file")).unwrap();
        assert_eq!(contents.read(Path::new("link")).unwrap(), plain);
        assert_eq!(contents.left(Path::new("link")).unwrap(), Seen::Link("file".into()));
        assert_eq!(contents.read(Path::new("dangling")).unwrap(), Seen::Absent);
        assert_eq!(contents.read(Path::new("dir")).unwrap(), Seen::Dir);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(at("file"), mode).unwrap();
        let executable = contents.read(Path::new("file")).unwrap();
        let all = [plain, executable, Seen::Dir, Seen::Absent, Seen::Link("file".into())];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| other.digest() != one.digest()), "{one:?}");
            let mut out = Out::default();
            one.encode(&mut out);
            assert_eq!(Seen::decode(&mut In(&out.0)).as_ref(), Some(one));
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        assert!(contents.read(Path::new("pipe")).is_err(), "nobody waits for its other end");
    }
}
