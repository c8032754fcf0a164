//! What makes two executions equal: the text that the dispatch names, and the contents of the files that it reads.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use blake3::{Hash, Hasher};
use globset::{GlobBuilder, GlobMatcher};

/// Names a cached result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub Hash);

/// Raised when what a key is made of changes, so that older entries are never met.
const VERSION: &[u8] = b"partitur cache 1";

/// No walk below a pattern goes through more entries; a task that reads so much is better named by a key of its own.
const WALK_ENTRIES_MAX: usize = 1_000_000;

impl Key {
    /// The key of an execution.
    ///
    /// # Errors
    /// A declared file or directory cannot be read, or a pattern is none.
    pub fn new(material: &str, dir: &Path, reads: &[String]) -> io::Result<Key> {
        let mut hasher = Hasher::new();
        part(&mut hasher, VERSION);
        part(&mut hasher, material.as_bytes());
        part(&mut hasher, fingerprint(dir, reads)?.as_bytes());
        Ok(Key(hasher.finalize()))
    }
}

/// A hash over the names and contents of all files that some patterns match. A file that does not exist counts as
/// absent, which is different from empty.
///
/// # Errors
/// Something cannot be read, or a pattern is none.
pub(crate) fn fingerprint(dir: &Path, patterns: &[String]) -> io::Result<Hash> {
    let mut hasher = Hasher::new();
    for pattern in patterns {
        part(&mut hasher, pattern.as_bytes());
        let files = files(dir, pattern)?;
        hasher.update(&(files.len() as u64).to_le_bytes());
        for file in files {
            part(&mut hasher, file.as_os_str().as_encoded_bytes());
            hash_file(&mut hasher, &dir.join(file))?;
        }
    }
    Ok(hasher.finalize())
}

/// With its length before it, so that no two lists of parts give the same bytes.
fn part(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn hash_file(hasher: &mut Hasher, path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => {
            let mut content = Hasher::new();
            content.update_reader(file)?;
            hasher.update(b"f").update(content.finalize().as_bytes());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            hasher.update(b"-");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The files that a pattern stands for, in order: itself, all below it if it is a directory, or those it matches.
fn files(dir: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    if !pattern.contains(['*', '?', '[', '{']) {
        match std::fs::metadata(dir.join(pattern)) {
            Ok(meta) if meta.is_dir() => walk(dir, Path::new(pattern), None, &mut found)?,
            Ok(_) | Err(_) => found.push(PathBuf::from(pattern)),
        }
    } else {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let matcher = glob.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        walk(dir, &literal_prefix(pattern), Some(&matcher.compile_matcher()), &mut found)?;
    }
    found.sort();
    Ok(found)
}

/// The directories before the first part that is a pattern.
fn literal_prefix(pattern: &str) -> PathBuf {
    let parts: Vec<&str> = pattern.split('/').collect();
    let literal = parts.iter().take_while(|part| !part.contains(['*', '?', '[', '{'])).count();
    let prefix = parts[..literal.min(parts.len() - 1)].join("/");
    PathBuf::from(if prefix.is_empty() && pattern.starts_with('/') { "/".into() } else { prefix })
}

/// Collects the files below `start`. Links to directories are not followed: they may lead in a circle.
fn walk(dir: &Path, start: &Path, matcher: Option<&GlobMatcher>, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut open = vec![start.to_owned()];
    let mut seen = 0_usize;
    while let Some(place) = open.pop() {
        let entries = match std::fs::read_dir(dir.join(&place)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            seen += 1;
            if seen > WALK_ENTRIES_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the pattern matches too many files",
                ));
            }
            let path = place.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if matcher.is_none_or(|matcher| matcher.is_match(&path)) && dir.join(&path).is_file() {
                found.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn patterns_match_as_in_a_shell_and_in_order() {
        let dir =
            tree(&[("data/b.csv", ""), ("data/a.csv", ""), ("data/deep/c.csv", ""), ("data/d.txt", "")]);
        let check = |pattern: &str, expected: &[&str]| {
            let found = files(dir.path(), pattern).unwrap();
            assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{pattern}");
        };
        check("data/*.csv", &["data/a.csv", "data/b.csv"]);
        check("./data/**/*.csv", &["data/a.csv", "data/b.csv", "data/deep/c.csv"]);
        check("data", &["data/a.csv", "data/b.csv", "data/d.txt", "data/deep/c.csv"]);
        check("data/{a,d}.*", &["data/a.csv", "data/d.txt"]);
        check("missing", &["missing"]);
        check("missing/*", &[]);
        check("*", &[]);
        assert!(files(dir.path(), "data/[").is_err());
    }

    #[test]
    fn a_key_changes_with_everything_that_it_is_made_of() {
        let dir = tree(&[("a", "1"), ("b", "2")]);
        let key = |material: &str, reads: &[&str]| {
            Key::new(material, dir.path(), &reads.iter().map(|&read| read.to_owned()).collect::<Vec<_>>())
                .unwrap()
        };
        let keys = || {
            [key("m", &["a", "b"]), key("m", &["a"]), key("m", &["*"]), key("n", &["a"]), key("m", &["c"])]
        };
        let before = keys();
        for (at, first) in before.iter().enumerate() {
            assert!(before[at + 1..].iter().all(|other| other != first), "{at}");
        }
        assert_eq!(before, keys());
        std::fs::write(dir.path().join("b"), "3").unwrap();
        std::fs::write(dir.path().join("c"), "").unwrap();
        let after = keys();
        let same: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before == after).collect();
        assert_eq!(same, [false, true, false, true, false]);
    }
}
