//! Why a task is executed, in words.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::record::{Part, PartKind, Record};

/// What was decided about a task, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Why it is executed, or what was restored.
    pub reasons: Vec<Reason>,
}

/// Whether a task is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as an earlier success left it.
    UpToDate,
    /// It follows from the same as an earlier success, and what was missing of that was brought back.
    Restored,
    /// It is executed.
    Runs,
}

/// Why a task is executed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No success of it is known.
    First,
    /// It was asked for.
    Forced,
    /// Its command is another one, or its directory, its input, how its output is found.
    Command,
    /// A variable has another value.
    Variable(String),
    /// A program that it uses has changed.
    Tool(String),
    /// A file that it reads has changed, or whether it may be executed.
    Changed(String),
    /// It reads a file that it did not read before.
    Added(String),
    /// It reads a file no longer.
    Removed(String),
    /// It declares to write something else.
    Writes,
    /// A predecessor yielded something else.
    Result(String),
    /// A predecessor wrote something else.
    Written(String),
    /// Its declared key has another value.
    Key,
    /// The earlier success is too old.
    Expired,
    /// Something that it wrote is missing, and is not kept.
    Missing(String),
    /// Something that it wrote has changed since, and is not kept as it was.
    Altered(String),
    /// What it depends on cannot be read.
    Unreadable(String),
    /// Something was missing or altered, and was brought back.
    BroughtBack(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::First => f.write_str("no success of it is known"),
            Reason::Forced => f.write_str("asked for"),
            Reason::Command => f.write_str("its command changed"),
            Reason::Variable(name) => write!(f, "${name} changed"),
            Reason::Tool(path) => write!(f, "the program {path} changed"),
            Reason::Changed(path) => write!(f, "{path} changed"),
            Reason::Added(path) => write!(f, "{path} is new"),
            Reason::Removed(path) => write!(f, "{path} is gone"),
            Reason::Writes => f.write_str("what it declares to write changed"),
            Reason::Result(task) => write!(f, "{task} yielded something else"),
            Reason::Written(task) => write!(f, "{task} wrote something else"),
            Reason::Key => f.write_str("its key changed"),
            Reason::Expired => f.write_str("its result is too old"),
            Reason::Missing(path) => write!(f, "{path} is missing"),
            Reason::Altered(path) => write!(f, "{path} is not as it was left"),
            Reason::Unreadable(why) => write!(f, "what it depends on cannot be read: {why}"),
            Reason::BroughtBack(path) => write!(f, "{path} was brought back"),
        }
    }
}

/// What is different since the latest success.
pub(crate) fn differences(latest: Option<&Record>, now: &[Part]) -> Vec<Reason> {
    let Some(latest) = latest.filter(|latest| !latest.parts.is_empty()) else { return vec![Reason::First] };
    let mut reasons = Vec::new();
    let mut before: BTreeMap<(PartKind, &[u8]), &Part> =
        latest.parts.iter().map(|part| ((part.kind, &*part.name), part)).collect();
    for part in now {
        match before.remove(&(part.kind, &*part.name)) {
            Some(before) if before.digest == part.digest => {}
            Some(_) => reasons.push(changed(part)),
            None => reasons.push(added(part)),
        }
    }
    reasons.extend(before.into_values().map(removed));
    // That other names match says no more than which ones.
    let of_files = |reason: &Reason| matches!(reason, Reason::Added(_) | Reason::Removed(_));
    let listing = |reason: &Reason| matches!(reason, Reason::Changed(name) if name.ends_with(LISTING));
    if reasons.iter().any(of_files) {
        reasons.retain(|reason| !listing(reason));
    }
    // Another command uses other programs.
    if reasons.contains(&Reason::Command) {
        reasons.retain(|reason| !matches!(reason, Reason::Tool(_)));
    }
    let mut seen = HashSet::new();
    reasons.retain(|reason| seen.insert(reason.clone()));
    reasons
}

const LISTING: &str = " (which files there are)";

fn name(part: &Part) -> String {
    String::from_utf8_lossy(&part.name).into_owned()
}

fn changed(part: &Part) -> Reason {
    match part.kind {
        PartKind::Command => Reason::Command,
        PartKind::Variable => Reason::Variable(name(part)),
        PartKind::Tool => Reason::Tool(name(part)),
        PartKind::File => Reason::Changed(name(part)),
        PartKind::Listing => Reason::Changed(name(part) + LISTING),
        PartKind::Writes => Reason::Writes,
        PartKind::Result => Reason::Result(name(part)),
        PartKind::Written => Reason::Written(name(part)),
        PartKind::Key => Reason::Key,
    }
}

fn added(part: &Part) -> Reason {
    if part.kind == PartKind::File { Reason::Added(name(part)) } else { changed(part) }
}

fn removed(part: &Part) -> Reason {
    if part.kind == PartKind::File { Reason::Removed(name(part)) } else { changed(part) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::contents::digest;
    use crate::build::record::tests::record;

    fn part(kind: PartKind, name: &str, content: &str) -> Part {
        Part { kind, name: name.as_bytes().into(), digest: digest(content.as_bytes()) }
    }

    #[test]
    fn what_is_different_is_named() {
        let before = vec![
            part(PartKind::Command, "", "cc a.c"),
            part(PartKind::File, "a.c", "1"),
            part(PartKind::File, "b.c", "1"),
            part(PartKind::Listing, "*.c", "a.c b.c"),
            part(PartKind::Variable, "CC", "gcc"),
        ];
        let latest = Record { parts: before.clone(), ..record("a", 1) };
        let told = |now: &[Part]| {
            differences(Some(&latest), now).iter().map(Reason::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told(&before), "");
        let now = [
            part(PartKind::Command, "", "cc a.c"),
            part(PartKind::File, "a.c", "2"),
            part(PartKind::File, "c.c", "1"),
            part(PartKind::Listing, "*.c", "a.c c.c"),
            part(PartKind::Variable, "CC", "clang"),
        ];
        assert_eq!(told(&now), "a.c changed; c.c is new; $CC changed; b.c is gone");
        assert_eq!(differences(None, &before), [Reason::First]);
    }
}
