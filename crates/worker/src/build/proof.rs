//! The file that proves that nothing has to be done: everything on which a whole run depended, with the stamps that it had,
//! and which of its tasks depended on what.
//!
//! ```text
//! 0 "PBN2"   4 key   36 expires u64 (µs)   44 tasks u64   52 run u64   60 by task u8
//! variables: count u32, each name, hash of its value, owner u32 · programs: count u32, each name, where it was searched
//! for, what was found, owner · output: text · directories: count u32, each path, entries u32, each kind u8, stamp,
//! owner, name · lists: count u32, each tasks · tasks: count u32, each name, result, sources
//! ```
//!
//! An owner is a task by number or, with the highest bit, a list of them. A proof that is not by task has neither lists
//! nor tasks: it says that nothing has changed, or nothing at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use partitur_model::Timestamp;

use super::codec::{In, Out};
use super::contents::{Digest, digest};
use super::stamp::Stamp;

const MAGIC: &[u8; 4] = b"PBN2";
/// An owner that is a list of tasks.
const LIST: u32 = 1 << 31;
/// A longer result is not kept with a proof.
const RESULT_BYTES_MAX: usize = 4096;

/// How an entry is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// There is nothing.
    Absent,
    /// There is a directory.
    Dir,
    /// It has this stamp, links being followed.
    Behind,
    /// It has this stamp itself.
    Itself,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Absent, Kind::Dir, Kind::Behind, Kind::Itself];
}

/// What stands at the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub key: Digest,
    pub expires: Timestamp,
    /// So many tasks are up to date.
    pub tasks: u64,
    /// As this run left them.
    pub run: u64,
    /// Whether it says which tasks depended on what.
    pub by_task: bool,
}

/// A variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub name: Vec<u8>,
    pub value: Digest,
    pub owners: Vec<u32>,
}

/// Where a program was searched for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Along {
    /// The `PATH` of the run.
    OfRun,
    /// One of its own; where programs usually are if `None`.
    Own(Option<Vec<u8>>),
}

/// A program by name, and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub name: String,
    pub along: Along,
    pub dir: PathBuf,
    /// Nothing was found if it is empty.
    pub found: Vec<u8>,
    pub owners: Vec<u32>,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact<'a> {
    pub dir: Cow<'a, [u8]>,
    pub name: Cow<'a, [u8]>,
    pub kind: Kind,
    pub stamp: [u8; Stamp::BYTES],
    pub owners: Vec<u32>,
}

impl<'a> Fact<'a> {
    pub fn of(path: Cow<'a, [u8]>, kind: Kind, stamp: Option<Stamp>, owner: u32) -> Fact<'a> {
        let (dir, name) = match path {
            Cow::Borrowed(path) => {
                let (dir, name) = split(path);
                (Cow::Borrowed(dir), Cow::Borrowed(name))
            }
            Cow::Owned(path) => {
                let (dir, name) = split(&path);
                (Cow::Owned(dir.to_vec()), Cow::Owned(name.to_vec()))
            }
        };
        let stamp = stamp.map_or([0; Stamp::BYTES], |stamp| stamp.encode());
        Fact { dir, name, kind, stamp, owners: vec![owner] }
    }

    fn place(&self) -> (&[u8], &[u8], Kind) {
        (&self.dir, &self.name, self.kind)
    }
}

/// Directory and name of a path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) => (&b"/"[..], &path[1..]),
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&b""[..], path),
    }
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    pub name: Cow<'a, str>,
    pub result: Yielded<'a>,
    /// The tasks before it, by number.
    pub sources: Vec<u32>,
}

/// What a task yielded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Yielded<'a> {
    Nothing,
    This(Cow<'a, str>),
    /// It is too long to be kept here.
    Much,
}

impl<'a> Yielded<'a> {
    pub fn of(result: Option<&'a str>) -> Yielded<'a> {
        match result {
            None => Yielded::Nothing,
            Some(result) if result.len() <= RESULT_BYTES_MAX => Yielded::This(result.into()),
            Some(_) => Yielded::Much,
        }
    }
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof<'a> {
    pub head: Head,
    pub variables: Vec<Variable>,
    pub programs: Vec<Program>,
    pub output: Cow<'a, str>,
    /// In order, each once: see [`in_order`].
    pub facts: Vec<Fact<'a>>,
    /// None if it is not by task.
    pub known: Vec<Known<'a>>,
}

/// In the order in which they are written, those of several tasks once. `None` if two say different things.
pub(crate) fn in_order(mut facts: Vec<Fact<'_>>) -> Option<Vec<Fact<'_>>> {
    facts.sort_by(|one, other| one.place().cmp(&other.place()));
    let mut contradict = false;
    facts.dedup_by(|later, first| {
        let same = later.place() == first.place();
        if same {
            contradict |= later.stamp != first.stamp;
            merge(&mut first.owners, &later.owners);
        }
        same
    });
    (!contradict).then_some(facts)
}

/// Adds those that are not there.
pub(crate) fn merge(owners: &mut Vec<u32>, more: &[u32]) {
    // Most come one by one and in order: a hundred thousand tasks use the same compiler.
    match (owners.last(), more) {
        (Some(last), [one]) if one >= last => {
            if one > last {
                owners.push(*one);
            }
        }
        _ => {
            owners.extend(more);
            owners.sort_unstable();
            owners.dedup();
        }
    }
}

/// Writes owners; lists of several once.
#[derive(Default)]
struct Lists {
    numbers: HashMap<Vec<u32>, u32>,
    lists: Vec<Vec<u32>>,
}

impl Lists {
    fn number(&mut self, owners: &[u32], by_task: bool) -> u32 {
        match owners {
            _ if !by_task => 0,
            [one] => *one,
            several => {
                let next = self.lists.len() as u32;
                let number = *self.numbers.entry(several.to_vec()).or_insert(next);
                if number == next {
                    self.lists.push(several.to_vec());
                }
                LIST | number
            }
        }
    }
}

impl Proof<'_> {
    pub fn encode(&self) -> Vec<u8> {
        let Head { key, expires, tasks, run, by_task } = &self.head;
        let mut lists = Lists::default();
        let mut out = Out(MAGIC.to_vec());
        out.raw(key);
        out.number(expires.micros());
        out.number(*tasks);
        out.number(*run);
        out.byte(u8::from(*by_task));
        out.small(self.variables.len() as u32);
        for variable in &self.variables {
            out.text(&variable.name);
            out.raw(&variable.value);
            out.small(lists.number(&variable.owners, *by_task));
        }
        out.small(self.programs.len() as u32);
        for program in &self.programs {
            program.encode(&mut out);
            out.small(lists.number(&program.owners, *by_task));
        }
        out.text(self.output.as_bytes());
        self.encode_facts(&mut out, &mut lists);
        if *by_task {
            numbers_of(&mut out, &lists.lists);
            out.small(self.known.len() as u32);
            self.known.iter().for_each(|known| known.encode(&mut out));
        }
        let check = digest(&out.0);
        out.raw(&check);
        out.0
    }

    fn encode_facts(&self, out: &mut Out, lists: &mut Lists) {
        let dirs: Vec<&[Fact<'_>]> = self.facts.chunk_by(|one, next| one.dir == next.dir).collect();
        out.small(dirs.len() as u32);
        for facts in dirs {
            out.text(&facts[0].dir);
            out.small(facts.len() as u32);
            for fact in facts {
                out.byte(fact.kind as u8);
                out.raw(&fact.stamp);
                out.small(lists.number(&fact.owners, self.head.by_task));
                out.text(&fact.name);
            }
        }
    }
}

fn numbers_of(out: &mut Out, lists: &[Vec<u32>]) {
    out.small(lists.len() as u32);
    for list in lists {
        out.small(list.len() as u32);
        list.iter().for_each(|&number| out.small(number));
    }
}

impl Program {
    fn encode(&self, out: &mut Out) {
        out.text(self.name.as_bytes());
        match &self.along {
            Along::OfRun => out.byte(0),
            Along::Own(None) => out.byte(1),
            Along::Own(Some(path)) => {
                out.byte(2);
                out.text(path);
            }
        }
        out.text(self.dir.as_os_str().as_bytes());
        out.text(&self.found);
    }

    fn decode(bytes: &mut In<'_>) -> Option<Program> {
        let name = std::str::from_utf8(bytes.text()?).ok()?.to_owned();
        let along = match bytes.byte()? {
            0 => Along::OfRun,
            1 => Along::Own(None),
            2 => Along::Own(Some(bytes.text()?.to_vec())),
            _ => return None,
        };
        let dir = path_of(bytes.text()?).to_owned();
        Some(Program { name, along, dir, found: bytes.text()?.to_vec(), owners: Vec::new() })
    }
}

impl<'a> Known<'a> {
    fn encode(&self, out: &mut Out) {
        out.text(self.name.as_bytes());
        match &self.result {
            Yielded::Nothing => out.byte(0),
            Yielded::This(result) => {
                out.byte(1);
                out.text(result.as_bytes());
            }
            Yielded::Much => out.byte(2),
        }
        out.small(self.sources.len() as u32);
        self.sources.iter().for_each(|&source| out.small(source));
    }

    fn decode(bytes: &mut In<'a>) -> Option<Known<'a>> {
        let name = std::str::from_utf8(bytes.text()?).ok()?.into();
        let result = match bytes.byte()? {
            0 => Yielded::Nothing,
            1 => Yielded::This(std::str::from_utf8(bytes.text()?).ok()?.into()),
            2 => Yielded::Much,
            _ => return None,
        };
        Some(Known { name, result, sources: numbers(bytes)? })
    }
}

pub(crate) fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn numbers(bytes: &mut In<'_>) -> Option<Vec<u32>> {
    let count = bytes.small()?;
    (0..count).map(|_| bytes.small()).collect()
}

/// A proof that is read from its front: most often there is nothing to be read of its end.
pub(crate) struct Reading<'a> {
    pub head: Head,
    pub variables: Vec<(Variable, u32)>,
    pub programs: Vec<(Program, u32)>,
    pub output: &'a str,
    rest: In<'a>,
}

/// An entry as it stands in the file.
pub(crate) type Entry<'a> = (Kind, &'a [u8; Stamp::BYTES], u32, &'a [u8]);

/// What stands at the end.
pub(crate) struct Index<'a> {
    lists: Vec<Vec<u32>>,
    pub known: Vec<Known<'a>>,
}

impl Index<'_> {
    /// The tasks that an owner stands for.
    pub fn tasks(&self, owner: u32) -> Vec<u32> {
        if owner & LIST == 0 {
            return vec![owner];
        }
        self.lists.get((owner & !LIST) as usize).cloned().unwrap_or_default()
    }
}

impl<'a> Reading<'a> {
    /// `None` if it is damaged.
    pub fn begin(proof: &'a [u8]) -> Option<Reading<'a>> {
        let (bytes, check) = proof.split_last_chunk::<32>()?;
        if digest(bytes) != *check {
            return None;
        }
        let mut bytes = In(bytes);
        if bytes.take(4)? != MAGIC {
            return None;
        }
        let head = Head {
            key: bytes.array()?,
            expires: Timestamp::from_micros(bytes.number()?),
            tasks: bytes.number()?,
            run: bytes.number()?,
            by_task: bytes.byte()? == 1,
        };
        let count = bytes.small()?;
        let variable = |bytes: &mut In<'_>| {
            let (name, value) = (bytes.text()?.to_vec(), bytes.array()?);
            Some((Variable { name, value, owners: Vec::new() }, bytes.small()?))
        };
        let variables = (0..count).map(|_| variable(&mut bytes)).collect::<Option<_>>()?;
        let count = bytes.small()?;
        let program = |bytes: &mut In<'_>| Some((Program::decode(bytes)?, bytes.small()?));
        let programs = (0..count).map(|_| program(&mut bytes)).collect::<Option<_>>()?;
        let output = std::str::from_utf8(bytes.text()?).ok()?;
        Some(Reading { head, variables, programs, output, rest: bytes })
    }

    /// The entries, by directory; to be called once.
    pub fn entries(&mut self, mut take: impl FnMut(&'a [u8], Entry<'a>)) -> Option<()> {
        let bytes = &mut self.rest;
        for _ in 0..bytes.small()? {
            let dir = bytes.text()?;
            for _ in 0..bytes.small()? {
                let kind = *Kind::ALL.get(usize::from(bytes.byte()?))?;
                let stamp = bytes.take(Stamp::BYTES)?.try_into().ok()?;
                take(dir, (kind, stamp, bytes.small()?, bytes.text()?));
            }
        }
        Some(())
    }

    /// Which tasks there are; to be called after the entries.
    pub fn index(&mut self) -> Option<Index<'a>> {
        let bytes = &mut self.rest;
        let count = bytes.small()?;
        let lists = (0..count).map(|_| numbers(bytes)).collect::<Option<_>>()?;
        let count = bytes.small()?;
        let known = (0..count).map(|_| Known::decode(bytes)).collect::<Option<_>>()?;
        Some(Index { lists, known })
    }
}

impl<'a> Proof<'a> {
    /// All of one that is by task.
    pub fn decode(proof: &'a [u8]) -> Option<Proof<'a>> {
        let mut reading = Reading::begin(proof)?;
        let mut entries = Vec::new();
        reading.entries(|dir, entry| entries.push((dir, entry)))?;
        let index = reading.index()?;
        let Reading { head, variables, programs, output, .. } = reading;
        let variable = |(variable, owner)| Variable { owners: index.tasks(owner), ..variable };
        let program = |(program, owner)| Program { owners: index.tasks(owner), ..program };
        let fact = |(dir, (kind, stamp, owner, name)): (&'a [u8], Entry<'a>)| {
            let owners = index.tasks(owner);
            Fact { dir: dir.into(), name: name.into(), kind, stamp: *stamp, owners }
        };
        Some(Proof {
            head,
            variables: variables.into_iter().map(variable).collect(),
            programs: programs.into_iter().map(program).collect(),
            output: output.into(),
            facts: entries.into_iter().map(fact).collect(),
            known: index.known,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_survives_as_bytes_and_a_torn_one_is_none() {
        let fact =
            |path: &'static str, owner| Fact::of(Cow::Borrowed(path.as_bytes()), Kind::Behind, None, owner);
        let proof = Proof {
            head: Head { key: [1; 32], expires: Timestamp::MAX, tasks: 2, run: 3, by_task: true },
            variables: vec![Variable { name: b"CC".to_vec(), value: [2; 32], owners: vec![0, 1] }],
            programs: vec![Program {
                name: "cc".into(),
                along: Along::Own(Some(b"/bin".to_vec())),
                dir: "sub".into(),
                found: b"/bin/cc".to_vec(),
                owners: vec![1],
            }],
            output: "5".into(),
            facts: in_order(vec![fact("d/a", 0), fact("/a", 1), fact("b", 1), fact("d/a", 1)]).unwrap(),
            known: vec![
                Known { name: "a".into(), result: Yielded::Nothing, sources: vec![] },
                Known { name: "b".into(), result: Yielded::of(Some("{}")), sources: vec![0] },
            ],
        };
        assert_eq!(proof.facts.len(), 3);
        let bytes = proof.encode();
        assert_eq!(Proof::decode(&bytes), Some(proof));
        assert!((0..bytes.len()).all(|cut| Proof::decode(&bytes[..cut]).is_none()));
    }

    #[test]
    fn two_that_say_different_things_of_an_entry_prove_nothing() {
        let fact = |stamp| Fact { stamp, ..Fact::of(Cow::Borrowed(b"a"), Kind::Itself, None, 0) };
        assert!(in_order(vec![fact([0; Stamp::BYTES]), fact([0; Stamp::BYTES])]).is_some());
        assert!(in_order(vec![fact([0; Stamp::BYTES]), fact([1; Stamp::BYTES])]).is_none());
    }
}
