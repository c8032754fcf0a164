//! Writes the proof that nothing has to be done, from the successes of a run: of all tasks, or of some on top of an older
//! proof.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use partitur_model::Timestamp;

use super::contents::{Digest, Seen, digest};
use super::nothing::{Wish, path, value};
use super::proof::{Along, Fact, Head, Kind, Known, Program, Proof, Variable, Yielded, in_order, merge};
use super::question::{Footing, listing, lists, search, without_own};
use super::record::{PartKind, Record};
use super::stamp::{SETTLE, Stamp, now as moment};
use super::state::State;
use crate::pattern::{Matched, expand};

/// Proofs of so many different commands are kept.
const PROOFS_MAX: usize = 16;

/// Everything on which tasks depended.
struct Evidence<'a> {
    state: &'a State,
    wish: &'a Wish,
    facts: Vec<Fact<'a>>,
    variables: BTreeMap<Vec<u8>, Vec<u32>>,
    programs: BTreeMap<(String, Along, PathBuf), Resolved>,
    expanded: HashMap<&'a str, Expanded>,
    expires: Timestamp,
}

/// What stands for a program, and whose it is.
type Resolved = (Vec<u8>, Vec<u32>);

/// What a pattern stands for, and the directories that were listed for it.
type Expanded = (Matched, Vec<(PathBuf, Kind, Option<Stamp>)>);

/// Writes the proof, if there is one.
pub(crate) fn write(wish: &Wish, footings: &[Footing], state: &State) -> io::Result<()> {
    let mut latest: BTreeMap<&str, &Footing> = BTreeMap::new();
    latest.extend(footings.iter().map(|footing| (&*footing.task, footing)));
    let footings: Vec<&Footing> = latest.into_values().collect();
    let at = path(&wish.context.dir, &wish.sealing.seal.0);
    let proof = match wish.sealing.onto {
        None => whole(wish, &footings, state),
        // What somebody else has proved meanwhile stays.
        Some(onto) => match fs::read(&at)? {
            old if digest(&old) != onto => return Ok(()),
            old => onto_old(wish, &footings, state, &old),
        },
    };
    let Some(proof) = proof else {
        // An old one proves nothing either.
        return fs::remove_file(at);
    };
    fs::create_dir_all(at.parent().expect("it has a directory"))?;
    let temporary = at.with_extension("tmp");
    fs::write(&temporary, proof)?;
    fs::rename(&temporary, &at)?;
    forget_old_ones(at.parent().expect("it has a directory"))
}

fn forget_old_ones(dir: &Path) -> io::Result<()> {
    let last = |file: &fs::DirEntry| {
        file.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let mut proofs: Vec<fs::DirEntry> = fs::read_dir(dir)?.flatten().collect();
    proofs.sort_by_key(|file| std::cmp::Reverse(last(file)));
    proofs.iter().skip(PROOFS_MAX).try_for_each(|file| fs::remove_file(file.path()))
}

/// Of all tasks of a run.
fn whole(wish: &Wish, footings: &[&Footing], state: &State) -> Option<Vec<u8>> {
    let numbers: HashMap<&str, u32> = footings.iter().map(|footing| &*footing.task).zip(0..).collect();
    let known: Option<Vec<Known<'_>>> =
        footings.iter().map(|footing| known(footing, state, &|task| numbers.get(task).copied())).collect();
    // Only where every task of the document is one of these is it known what follows from what.
    let known = known.filter(|known| wish.sealing.tasks == Some(known.len() as u64));
    let mut evidence = Evidence::new(wish, state);
    for (owner, footing) in (0..).zip(footings) {
        evidence.take(footing, owner)?;
    }
    let tasks = footings.len() as u64;
    let head = Head {
        key: wish.sealing.seal.0,
        expires: evidence.expires,
        tasks,
        run: wish.run,
        by_task: known.is_some(),
    };
    let output = wish.output.as_deref().unwrap_or_default().into();
    Some(evidence.proof(head, output, known.unwrap_or_default())?.encode())
}

/// Of some tasks of a run, in place of what an older proof says of them.
fn onto_old(wish: &Wish, footings: &[&Footing], state: &State, old: &[u8]) -> Option<Vec<u8>> {
    let mut old = Proof::decode(old).filter(|old| old.head.by_task)?;
    let prefix = wish.context.task("");
    let mut numbers: HashMap<String, u32> = HashMap::new();
    numbers.extend(old.known.iter().map(|known| format!("{prefix}{}", known.name)).zip(0..));
    let number = |task: &str| numbers.get(task).copied();
    let mut evidence = Evidence::new(wish, state);
    let mut renewed = HashSet::new();
    for footing in footings {
        let owner = number(&footing.task)?;
        evidence.take(footing, owner)?;
        old.known[owner as usize] = known(footing, state, &number)?;
        renewed.insert(owner);
    }
    let keep = |owners: &mut Vec<u32>| {
        owners.retain(|owner| !renewed.contains(owner));
        !owners.is_empty()
    };
    old.facts.retain_mut(|fact| keep(&mut fact.owners));
    old.variables.retain_mut(|variable| keep(&mut variable.owners));
    old.programs.retain_mut(|program| keep(&mut program.owners));
    let head = Head { expires: old.head.expires.min(evidence.expires), run: wish.run, ..old.head };
    for variable in old.variables {
        merge(evidence.variables.entry(variable.name).or_default(), &variable.owners);
    }
    for program in old.programs {
        let place = (program.name, program.along, program.dir);
        let (found, owners) = evidence.programs.entry(place).or_insert((program.found.clone(), Vec::new()));
        if *found != program.found {
            return None;
        }
        merge(owners, &program.owners);
    }
    evidence.facts.extend(old.facts);
    let output = wish.output.as_deref().map_or(old.output, Cow::Borrowed);
    Some(evidence.proof(head, output, old.known)?.encode())
}

fn known<'a>(
    footing: &'a Footing,
    state: &'a State,
    number: &dyn Fn(&str) -> Option<u32>,
) -> Option<Known<'a>> {
    let (_, name) = footing.task.split_once('\0')?;
    let record = state.latest(&footing.task)?;
    // A point where tasks meet is none itself, and stands for those before it.
    let sources = footing.sources.iter().filter_map(|source| number(source)).collect();
    let result = Yielded::of(record.result.as_ref().map(|result| result.as_str()));
    Some(Known { name: name.into(), result, sources })
}

impl<'a> Evidence<'a> {
    fn new(wish: &'a Wish, state: &'a State) -> Evidence<'a> {
        Evidence {
            state,
            wish,
            facts: Vec::new(),
            variables: BTreeMap::new(),
            programs: BTreeMap::new(),
            expanded: HashMap::new(),
            expires: Timestamp::MAX,
        }
    }

    /// `None` if something is not as the success of the task left it.
    fn take(&mut self, footing: &Footing, owner: u32) -> Option<()> {
        let state = self.state;
        let record: &'a Record = state.latest(&footing.task)?;
        self.expires = self.expires.min(record.expires);
        let own: HashSet<&Path> = record.made.iter().map(|made| made.path.as_path()).collect();
        for part in &record.parts {
            match part.kind {
                PartKind::File | PartKind::Tool => self.file(&part.name, &part.digest, owner)?,
                PartKind::Variable => {
                    merge(self.variables.entry(part.name.to_vec()).or_default(), &[owner]);
                }
                PartKind::Listing => {
                    let pattern = std::str::from_utf8(&part.name).ok()?;
                    if !self.lists_the_same(pattern, &own, &part.digest, owner)? {
                        return None;
                    }
                }
                // What these follow from is part of the seal, or of other tasks' evidence.
                PartKind::Command
                | PartKind::Writes
                | PartKind::Result
                | PartKind::Written
                | PartKind::Key => {}
            }
        }
        self.made(record, owner)?;
        self.search(footing, record, owner)
    }

    fn made(&mut self, record: &'a Record, owner: u32) -> Option<()> {
        for made in &record.made {
            let path = made.path.as_os_str().as_bytes();
            let (kind, stamp) = match &made.seen {
                Seen::File { .. } => {
                    (Kind::Itself, Some(self.state.contents.proof(&made.path, &made.seen.digest())?))
                }
                Seen::Link(target) => {
                    let at = self.wish.base.join(&made.path);
                    let stamp = settled(|| fs::symlink_metadata(&at).ok().as_ref().map(Stamp::of))?;
                    if fs::read_link(&at).ok()? != *target {
                        return None;
                    }
                    (Kind::Itself, Some(stamp))
                }
                Seen::Dir => (Kind::Dir, None),
                Seen::Absent => (Kind::Absent, None),
            };
            self.facts.push(Fact::of(path.into(), kind, stamp, owner));
        }
        Some(())
    }

    fn file(&mut self, path: &'a [u8], seen: &Digest, owner: u32) -> Option<()> {
        let at = Path::new(OsStr::from_bytes(path));
        let (kind, stamp) = if let Some(stamp) = self.state.contents.proof(at, seen) {
            (Kind::Behind, Some(stamp))
        } else if *seen == Seen::Absent.digest() {
            (Kind::Absent, None)
        } else if *seen == Seen::Dir.digest() {
            (Kind::Dir, None)
        } else {
            return None;
        };
        self.facts.push(Fact::of(path.into(), kind, stamp, owner));
        Some(())
    }

    /// The directories that were listed are as they were, and list the same.
    fn lists_the_same(
        &mut self,
        pattern: &'a str,
        own: &HashSet<&Path>,
        listed: &Digest,
        owner: u32,
    ) -> Option<bool> {
        if !self.expanded.contains_key(pattern) {
            let expanded = self.expand(pattern)?;
            self.expanded.insert(pattern, expanded);
        }
        let (found, dirs) = &self.expanded[pattern];
        for (path, kind, stamp) in dirs {
            let path = path.as_os_str().as_bytes().to_vec();
            self.facts.push(Fact::of(Cow::Owned(path), *kind, *stamp, owner));
        }
        Some(lists(pattern, found) && listing(&without_own(found, own)) == *listed)
    }

    fn expand(&self, pattern: &str) -> Option<Expanded> {
        // Listed once to know which directories these are, and again when their stamps can be trusted.
        let base = &self.wish.base;
        let dirs = expand(base, pattern).ok()?.dirs;
        let mut seen = Vec::new();
        for dir in &dirs {
            let at = base.join(dir);
            if at.exists() {
                let stamp = settled(|| fs::metadata(&at).ok().as_ref().map(Stamp::of))?;
                seen.push((dir.join("."), Kind::Behind, Some(stamp)));
            } else {
                seen.push((dir.clone(), Kind::Absent, None));
            }
        }
        let found = expand(base, pattern).ok()?;
        (found.dirs == dirs).then_some((found, seen))
    }

    /// A program that comes to stand before another one of its name is found instead of it.
    fn search(&mut self, footing: &Footing, record: &Record, owner: u32) -> Option<()> {
        for (name, along) in &footing.searched {
            let place = (name.clone(), along.clone(), footing.dir.clone());
            if !self.programs.contains_key(&place) {
                let of_run = self.wish.env.get(&b"PATH"[..]).map(Vec::as_slice);
                let found = search(name, along, of_run, &footing.dir, &self.wish.base);
                self.programs.insert(place.clone(), (found, Vec::new()));
            }
            let (found, owners) = self.programs.get_mut(&place).expect("it was put there");
            let is_used = |part: &super::record::Part| part.kind == PartKind::Tool && *part.name == **found;
            if !found.is_empty() && !record.parts.iter().any(is_used) {
                return None;
            }
            merge(owners, &[owner]);
        }
        Some(())
    }

    fn proof(self, head: Head, output: Cow<'a, str>, known: Vec<Known<'a>>) -> Option<Proof<'a>> {
        let env = &self.wish.env;
        let variable = |(name, owners): (Vec<u8>, Vec<u32>)| {
            let value = value(env.get(&name).map(Vec::as_slice));
            Variable { name, value, owners }
        };
        let program = |((name, along, dir), (found, owners))| Program { name, along, dir, found, owners };
        Some(Proof {
            head,
            variables: self.variables.into_iter().map(variable).collect(),
            programs: self.programs.into_iter().map(program).collect(),
            output,
            facts: in_order(self.facts)?,
            known,
        })
    }
}

/// The stamp, when it is old enough to prove something; not waited for if it goes on changing.
fn settled(look: impl Fn() -> Option<Stamp>) -> Option<Stamp> {
    for _ in 0..3 {
        let stamp = look()?;
        if stamp.is_settled(moment()) {
            return Some(stamp);
        }
        thread::sleep(SETTLE);
    }
    None
}
