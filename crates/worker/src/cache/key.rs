//! What makes two executions equal: the text that the dispatch names, and the contents of the files that it reads.

use std::fs::File;
use std::io;
use std::path::Path;

use blake3::{Hash, Hasher};

use crate::pattern::expand;

/// Names a cached result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub Hash);

/// Raised when what a key is made of changes, so that older entries are never met.
const VERSION: &[u8] = b"partitur cache 1";

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
        let files = expand(dir, pattern)?.files;
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
