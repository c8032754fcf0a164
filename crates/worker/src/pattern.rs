//! The files that a pattern stands for: a path, all below a directory, or what a glob matches.

use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// No walk below a pattern goes through more entries; a task that reads so much is better named by a key of its own.
const WALK_ENTRIES_MAX: usize = 1_000_000;

/// What lies in a directory of this name is ours, and nobody's input.
const STATE: &str = ".partitur";

/// How the names of files end that are being written by us; one may be left after a crash.
pub(crate) const UNFINISHED: &str = ".partitur-tmp";

/// What a pattern stands for at the moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matched {
    /// The files, in order, relative as the pattern is.
    pub files: Vec<PathBuf>,
    /// The directories that were listed to find them: what is added, removed or renamed changes one of these.
    pub dirs: Vec<PathBuf>,
}

/// Whether it names more than one path.
pub(crate) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// The files that a pattern stands for, in order: itself, all below it if it is a directory, or those it matches.
///
/// # Errors
/// A directory cannot be read, or the pattern is none.
pub(crate) fn expand(dir: &Path, pattern: &str) -> io::Result<Matched> {
    let mut found = Matched::default();
    let pattern = if pattern == "." { "" } else { pattern.strip_prefix("./").unwrap_or(pattern) };
    if !is_glob(pattern) {
        match std::fs::metadata(dir.join(pattern)) {
            Ok(meta) if meta.is_dir() => walk(dir, Path::new(pattern), None, &mut found)?,
            Ok(_) | Err(_) => found.files.push(PathBuf::from(pattern)),
        }
    } else {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let matcher = glob.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
        walk(dir, &literal_prefix(pattern), Some(&matcher.compile_matcher()), &mut found)?;
    }
    found.files.sort();
    Ok(found)
}

/// The directories before the first part that is a pattern.
fn literal_prefix(pattern: &str) -> PathBuf {
    let parts: Vec<&str> = pattern.split('/').collect();
    let literal = parts.iter().take_while(|part| !is_glob(part)).count();
    let prefix = parts[..literal.min(parts.len() - 1)].join("/");
    PathBuf::from(if prefix.is_empty() && pattern.starts_with('/') { "/".into() } else { prefix })
}

/// Collects the files below `start`. Links to directories are not followed: they may lead in a circle.
fn walk(dir: &Path, start: &Path, matcher: Option<&GlobMatcher>, found: &mut Matched) -> io::Result<()> {
    let mut open = vec![start.to_owned()];
    let mut seen = 0_usize;
    while let Some(place) = open.pop() {
        let entries = match std::fs::read_dir(dir.join(&place)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => {
                // That it is not there is what a listing says of it.
                found.dirs.push(place);
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            seen += 1;
            if seen > WALK_ENTRIES_MAX {
                let message = "the pattern matches too many files";
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            let path = place.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                if entry.file_name() != STATE {
                    open.push(path);
                }
            } else if matcher.is_none_or(|matcher| matcher.is_match(&path))
                && !entry.file_name().as_encoded_bytes().ends_with(UNFINISHED.as_bytes())
                && is_file(&dir.join(&path), entry.file_type()?.is_symlink())
            {
                found.files.push(path);
            }
        }
        found.dirs.push(place);
    }
    Ok(())
}

/// A link that leads nowhere is what a file is: somebody may have left it. One to a directory is not.
fn is_file(path: &Path, is_link: bool) -> bool {
    match std::fs::metadata(path) {
        Ok(meta) => meta.is_file(),
        Err(_) => is_link,
    }
}

/// Whether there is nothing at that path.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "data/b.csv",
            "data/a.csv",
            "data/deep/c.csv",
            "data/d.txt",
            ".partitur/x.csv",
            "data/.partitur/y",
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let check = |pattern: &str, expected: &[&str]| {
            let found = expand(dir.path(), pattern).unwrap().files;
            assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{pattern}");
        };
        check("data/*.csv", &["data/a.csv", "data/b.csv"]);
        check("./data/**/*.csv", &["data/a.csv", "data/b.csv", "data/deep/c.csv"]);
        check("**/*.csv", &["data/a.csv", "data/b.csv", "data/deep/c.csv"]);
        check("data", &["data/a.csv", "data/b.csv", "data/d.txt", "data/deep/c.csv"]);
        check("data/{a,d}.*", &["data/a.csv", "data/d.txt"]);
        check("missing", &["missing"]);
        check("missing/*", &[]);
        check("*", &[]);
        assert!(expand(dir.path(), "data/[").is_err());
        let listed = expand(dir.path(), "data/**/*.csv").unwrap().dirs;
        assert_eq!(listed, ["data", "data/deep"].map(PathBuf::from));
        assert_eq!(expand(dir.path(), "missing/*").unwrap().dirs, [PathBuf::from("missing")]);
    }
}
