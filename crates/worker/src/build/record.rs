//! What is known of a success: from what it followed, and what it left.

use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use blake3::Hasher;
use partitur_model::{RawJson, Timestamp};

use super::codec::{In, Out};
use super::contents::{Digest, Seen};

/// A success of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// Whose: the name of its document, then its path.
    pub task: Box<str>,
    /// The hash of all parts; nothing has it if the task is executed each time.
    pub key: Digest,
    /// From what it followed.
    pub parts: Vec<Part>,
    /// What it left.
    pub made: Vec<Made>,
    /// Its result.
    pub result: Option<RawJson>,
    /// Its output, as an object of the cache; it wrote nothing if `None`.
    pub output: Option<Digest>,
    /// It does not serve any more from then on.
    pub expires: Timestamp,
    /// When it began, in nanoseconds since the Unix epoch.
    pub began: u64,
}

/// Something from which a success followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Part {
    pub kind: PartKind,
    /// Which of this kind: a path, the name of a variable.
    pub name: Box<[u8]>,
    pub digest: Digest,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PartKind {
    /// The command, its directory and its input.
    Command,
    /// A variable that is declared, or that the script names.
    Variable,
    /// A program, by its absolute path.
    Tool,
    /// A file that it reads.
    File,
    /// The names that a pattern stands for.
    Listing,
    /// What it declares to write.
    Writes,
    /// What a predecessor yielded.
    Result,
    /// What a predecessor wrote.
    Written,
    /// A declared key, instead of all others.
    Key,
}

impl PartKind {
    const ALL: [PartKind; 9] = [
        PartKind::Command,
        PartKind::Variable,
        PartKind::Tool,
        PartKind::File,
        PartKind::Listing,
        PartKind::Writes,
        PartKind::Result,
        PartKind::Written,
        PartKind::Key,
    ];
}

/// Something that a task has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Relative to the directory of the run, as declared.
    pub path: PathBuf,
    pub seen: Seen,
    /// The permissions of a file.
    pub mode: u32,
}

/// No task that may be found again has this key.
pub(crate) const NO_KEY: Digest = [0; 32];

/// Raised when what a key is made of changes, so that older records are never met.
const VERSION: &[u8] = b"partitur build 1";

/// The hash over all parts, which must be in order.
pub(crate) fn key_of(parts: &[Part]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(VERSION);
    for part in parts {
        hasher.update(&[part.kind as u8]);
        hasher.update(&(part.name.len() as u64).to_le_bytes());
        hasher.update(&part.name);
        hasher.update(&part.digest);
    }
    *hasher.finalize().as_bytes()
}

impl Record {
    /// The hash over all that it left: equal bytes, equal hash.
    pub fn made_digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        for made in &self.made {
            let path = made.path.as_os_str().as_bytes();
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path);
            hasher.update(&made.seen.digest());
        }
        *hasher.finalize().as_bytes()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.text(self.task.as_bytes());
        out.raw(&self.key);
        out.number(self.expires.micros());
        out.number(self.began);
        out.small(self.parts.len() as u32);
        for part in &self.parts {
            out.byte(part.kind as u8);
            out.text(&part.name);
            out.raw(&part.digest);
        }
        out.small(self.made.len() as u32);
        for made in &self.made {
            out.text(made.path.as_os_str().as_bytes());
            made.seen.encode(&mut out);
            out.small(made.mode);
        }
        out.byte(u8::from(self.output.is_some()));
        out.raw(&self.output.unwrap_or_default());
        out.byte(u8::from(self.result.is_some()));
        out.raw(self.result.as_ref().map_or("", |result| result.as_str()).as_bytes());
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Option<Record> {
        let mut bytes = In(bytes);
        let task = std::str::from_utf8(bytes.text()?).ok()?.into();
        let key = bytes.array()?;
        let expires = Timestamp::from_micros(bytes.number()?);
        let began = bytes.number()?;
        let count = bytes.small()?;
        let part = |bytes: &mut In<'_>| {
            let kind = *PartKind::ALL.get(usize::from(bytes.byte()?))?;
            Some(Part { kind, name: bytes.text()?.into(), digest: bytes.array()? })
        };
        let parts = (0..count).map(|_| part(&mut bytes)).collect::<Option<Vec<Part>>>()?;
        let count = bytes.small()?;
        let made = |bytes: &mut In<'_>| {
            let path = PathBuf::from(std::ffi::OsString::from_vec(bytes.text()?.to_vec()));
            Some(Made { path, seen: Seen::decode(bytes)?, mode: bytes.small()? })
        };
        let made = (0..count).map(|_| made(&mut bytes)).collect::<Option<Vec<Made>>>()?;
        let has_output = bytes.byte()? == 1;
        let output: Digest = bytes.array()?;
        let has_result = bytes.byte()? == 1;
        let text = std::str::from_utf8(bytes.0).ok()?;
        let result = has_result.then(|| RawJson::trusted(text));
        let output = has_output.then_some(output);
        Some(Record { task, key, parts, made, result, output, expires, began })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::build::contents::digest;

    pub fn record(task: &str, key: u8) -> Record {
        let part =
            |kind, name: &str| Part { kind, name: name.as_bytes().into(), digest: digest(name.as_bytes()) };
        Record {
            task: task.into(),
            key: [key; 32],
            parts: PartKind::ALL.map(|kind| part(kind, "a")).to_vec(),
            made: vec![
                Made {
                    path: "x".into(),
                    seen: Seen::File { content: [7; 32], executable: true },
                    mode: 0o755,
                },
                Made { path: "y".into(), seen: Seen::Absent, mode: 0 },
            ],
            result: Some(RawJson::trusted("{\"a\":0.10}")),
            output: Some([3; 32]),
            expires: Timestamp::MAX,
            began: 5,
        }
    }

    #[test]
    fn a_record_survives_as_bytes_and_a_torn_one_is_none() {
        for record in
            [record("flow\0a", 1), Record { result: None, output: None, made: vec![], ..record("b", 2) }]
        {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes).as_ref(), Some(&record));
            let whole = bytes.len() - record.result.map_or(0, |result| result.as_str().len());
            assert!((0..whole).all(|cut| Record::decode(&bytes[..cut]).is_none()));
        }
    }

    #[test]
    fn a_key_tells_parts_apart_that_only_look_alike_side_by_side() {
        let part = |kind, name: &str| Part { kind, name: name.as_bytes().into(), digest: [0; 32] };
        let keys = [
            key_of(&[part(PartKind::File, "ab"), part(PartKind::File, "c")]),
            key_of(&[part(PartKind::File, "a"), part(PartKind::File, "bc")]),
            key_of(&[part(PartKind::Tool, "ab"), part(PartKind::File, "c")]),
            key_of(&[part(PartKind::File, "ab")]),
        ];
        assert!((0..keys.len()).all(|at| !keys[at + 1..].contains(&keys[at])));
    }
}
