//! What is asked about a task before it is executed: everything from which its success would follow.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partitur_model::RunId;
use partitur_model::dispatch::{BuildRequest, Dispatch, Process, Work};

use super::contents::{Contents, Digest, Seen, digest};
use super::proof::{Along, path_of};
use super::record::{Part, PartKind, Record};
use super::state::State;
use super::{BuildContext, script};
use crate::environment::{Environment, find_program};
use crate::pattern::{Matched, expand, is_glob};

/// A task that is about to be executed.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub run: RunId,
    pub task: Box<str>,
    pub base: PathBuf,
    pub context: BuildContext,
    pub reads: Vec<String>,
    pub writes: Vec<String>,
    pub ttl: Option<Duration>,
    key: Option<String>,
    command: Digest,
    variables: BTreeMap<String, Digest>,
    programs: Vec<String>,
    along: Along,
    /// The `PATH` of the run.
    path: Option<OsString>,
    dir: PathBuf,
    results: Vec<(Box<str>, Digest)>,
}

impl Question {
    /// About a process, of a run in this directory with this environment; `None` if the task does something else.
    pub fn of(
        dispatch: &Dispatch,
        request: &BuildRequest,
        context: &BuildContext,
        (dir, environment): (&Path, &Environment),
    ) -> Option<Question> {
        let Work::Process(process) = &dispatch.work else { return None };
        let script = script_of(process);
        let mut variables = BTreeMap::new();
        if let (Some(script), false) = (script, process.clean_env) {
            for name in script::variables(script) {
                let value = environment.get(name).map_or(&b"-"[..], |value| value.as_bytes());
                variables.insert(name.to_owned(), digest(value));
            }
        }
        variables.extend(dispatch.env.iter().map(|(name, value)| (name.clone(), digest(value.as_bytes()))));
        let declared_path = dispatch.env.iter().rev().find(|(name, _)| name == "PATH");
        let along = match declared_path {
            Some((_, path)) => Along::Own(Some(path.as_bytes().to_vec())),
            None if process.clean_env => Along::Own(None),
            None => Along::OfRun,
        };
        let mut programs: Vec<String> = process.argv.first().cloned().into_iter().collect();
        programs.extend(script.into_iter().flat_map(script::programs).map(str::to_owned));
        Some(Question {
            run: dispatch.attempt.run,
            task: context.task(&dispatch.path),
            base: dir.to_owned(),
            context: context.clone(),
            reads: dispatch.reads.clone(),
            writes: dispatch.writes.clone(),
            ttl: request.ttl,
            key: request.key.clone(),
            command: command(process),
            variables,
            programs,
            along,
            path: environment.get("PATH").map(OsString::from),
            dir: process.dir.as_ref().map_or_else(|| dir.to_owned(), |below| dir.join(below)),
            results: request
                .results
                .iter()
                .map(|(path, result)| (context.task(path), digest(result.as_bytes())))
                .collect(),
        })
    }

    /// What a proof has to know of it.
    pub fn footing(&self) -> Footing {
        let names = self.programs.iter().filter(|name| !name.contains('/'));
        Footing {
            task: self.task.clone(),
            sources: self.results.iter().map(|(task, _)| task.clone()).collect(),
            searched: names.map(|name| (name.clone(), self.along.clone())).collect(),
            dir: self.dir.strip_prefix(&self.base).unwrap_or(&self.dir).to_owned(),
        }
    }

    /// From what its success would follow, in order.
    ///
    /// # Errors
    /// Something cannot be read: which, and why.
    pub fn parts(&self, state: &mut State, latest: Option<&Record>) -> Result<Vec<Part>, String> {
        let mut parts = vec![part(PartKind::Writes, b"", digest(self.writes.join("\0").as_bytes()))];
        if let Some(key) = &self.key {
            parts.push(part(PartKind::Key, b"", digest(key.as_bytes())));
            return Ok(parts);
        }
        parts.push(part(PartKind::Command, b"", self.command));
        parts.extend(
            self.variables.iter().map(|(name, value)| part(PartKind::Variable, name.as_bytes(), *value)),
        );
        self.tools(&mut parts, &mut state.contents)?;
        self.files(&mut parts, &mut state.contents, latest)?;
        for (task, result) in &self.results {
            let (_, path) = task.split_once('\0').expect("made by `BuildContext::task`");
            parts.push(part(PartKind::Result, path.as_bytes(), *result));
            let written: Vec<u8> = state.family(task).flat_map(|record| record.made_digest()).collect();
            if !written.is_empty() {
                parts.push(part(PartKind::Written, path.as_bytes(), digest(&written)));
            }
        }
        parts.sort();
        parts.dedup();
        Ok(parts)
    }

    /// The programs that it names, as far as they are found: what is not is a word of the shell's own.
    fn tools(&self, parts: &mut Vec<Part>, contents: &mut Contents) -> Result<(), String> {
        for name in &self.programs {
            let of_run = self.path.as_deref().map(OsStrExt::as_bytes);
            let found = search(name, &self.along, of_run, &self.dir, &self.base);
            if found.is_empty() {
                continue;
            }
            let shown = path_of(&found);
            let seen = contents.read(shown).map_err(|error| cannot(shown, &error))?;
            if seen != Seen::Absent {
                parts.push(part(PartKind::Tool, shown.as_os_str().as_bytes(), seen.digest()));
            }
        }
        Ok(())
    }

    fn files(
        &self,
        parts: &mut Vec<Part>,
        contents: &mut Contents,
        latest: Option<&Record>,
    ) -> Result<(), String> {
        let own: HashSet<&Path> =
            latest.iter().flat_map(|record| &record.made).map(|made| made.path.as_path()).collect();
        for pattern in &self.reads {
            let found = expand(&self.base, pattern).map_err(|error| cannot(Path::new(pattern), &error))?;
            let files = without_own(&found, &own);
            if lists(pattern, &found) {
                parts.push(part(PartKind::Listing, pattern.as_bytes(), listing(&files)));
            }
            for file in files {
                let seen = contents.read(file).map_err(|error| cannot(file, &error))?;
                parts.push(part(PartKind::File, file.as_os_str().as_bytes(), seen.digest()));
            }
        }
        Ok(())
    }
}

/// What of a question a proof needs beside the record of its success.
#[derive(Clone, Debug)]
pub(crate) struct Footing {
    pub task: Box<str>,
    /// The tasks before it, as far as it depends on them.
    pub sources: Vec<Box<str>>,
    /// The programs that were searched for, and along which path.
    pub searched: Vec<(String, Along)>,
    /// From here.
    pub dir: PathBuf,
}

/// What stands for the name of a program; nothing if it is empty.
pub(crate) fn search(name: &str, along: &Along, of_run: Option<&[u8]>, dir: &Path, base: &Path) -> Vec<u8> {
    let path = match along {
        Along::OfRun => of_run,
        Along::Own(path) => path.as_deref(),
    };
    let dir = base.join(dir);
    let Ok(found) = find_program(name, path.map(OsStr::from_bytes), &dir) else { return Vec::new() };
    let found = dir.join(OsStr::from_bytes(found.as_bytes()));
    found.strip_prefix(base).unwrap_or(&found).as_os_str().as_bytes().to_vec()
}

/// Whether files may come to a pattern and go from it.
pub(crate) fn lists(pattern: &str, found: &Matched) -> bool {
    is_glob(pattern) || !found.dirs.is_empty()
}

/// What a task wrote itself is not what it reads, unless it names it.
pub(crate) fn without_own<'a>(found: &'a Matched, own: &HashSet<&Path>) -> Vec<&'a Path> {
    let is_named = found.dirs.is_empty();
    found.files.iter().map(PathBuf::as_path).filter(|file| is_named || !own.contains(file)).collect()
}

/// Which files there are.
pub(crate) fn listing(files: &[&Path]) -> Digest {
    let names: Vec<&[u8]> = files.iter().map(|file| file.as_os_str().as_bytes()).collect();
    digest(&names.join(&0))
}

fn part(kind: PartKind, name: &[u8], digest: Digest) -> Part {
    Part { kind, name: name.into(), digest }
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// What is executed, and where, in one hash.
fn command(process: &Process) -> Digest {
    // Of a service nobody asks.
    let Process { argv, dir, env_files, stdin, output, clean_env, service: _ } = process;
    digest(format!("{argv:?} {dir:?} {env_files:?} {stdin:?} {output:?} {clean_env:?}").as_bytes())
}

/// The script, if it is a shell that is started with one.
fn script_of(process: &Process) -> Option<&str> {
    const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];
    let [shell, .., flag, script] = process.argv.as_slice() else { return None };
    let name = Path::new(shell).file_name()?.to_str()?;
    (SHELLS.contains(&name) && flag.starts_with('-') && flag.ends_with('c')).then_some(script)
}
