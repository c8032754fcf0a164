//! What makes two runs equal, known before the document is understood: its bytes, and everything that it is given.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use partitur::host::{Loaded, load_text, sealing_to_wire};
use partitur_formats::{Keep, excerpt};
use partitur_model::definition::{Definition, Dialect, Kind, Node, Scope};
use partitur_worker::build::{Found, Reach, Seal, Sealing, build_dir};

use crate::settings::Global;

/// What somebody wants to run.
pub struct Wanted<'a> {
    pub file: &'a Path,
    pub targets: &'a [String],
    pub inputs: &'a [String],
    pub input_file: Option<&'a Path>,
    pub clean_env: bool,
}

/// The same, in one hash.
pub struct Sealed {
    seal: Seal,
    /// The directory of the document.
    base: PathBuf,
    state: PathBuf,
    clean_env: bool,
}

impl Sealed {
    /// `None` if something cannot be read, or if the document may say something else each time.
    pub fn of(wanted: &Wanted<'_>, global: &Global) -> Option<Sealed> {
        let document = std::fs::read(wanted.file).ok()?;
        let text = std::str::from_utf8(&document).ok()?;
        if names_the_run(text) {
            return None;
        }
        let mut parts: Vec<&[u8]> = vec![env!("CARGO_PKG_VERSION").as_bytes(), &document];
        let input = match wanted.input_file {
            Some(file) if file == Path::new("-") => return None,
            Some(file) => Some(std::fs::read(file).ok()?),
            None => None,
        };
        let flags =
            format!("{:?} {:?} {:?} {}", wanted.file, wanted.targets, wanted.inputs, wanted.clean_env);
        parts.push(flags.as_bytes());
        parts.extend(input.as_deref());
        let base = std::path::absolute(wanted.file).ok()?.parent()?.to_owned();
        Some(Sealed {
            seal: Seal::of(&parts),
            state: global.state_for(&base),
            base,
            clean_env: wanted.clean_env,
        })
    }

    /// What has to be done, if that is nothing or little.
    pub fn look(&self) -> Option<Found> {
        let is_given = |name: &OsStr| !self.clean_env || super::is_kept(name.as_bytes());
        let variable = |name: &OsStr| is_given(name).then(|| std::env::var_os(name)).flatten();
        Found::look(&build_dir(&self.state, &self.base), &self.base, self.seal, variable)
    }

    /// For whoever runs the whole document.
    pub fn of_whole(&self, definition: &Definition) -> String {
        sealing_to_wire(&Sealing { seal: self.seal, tasks: commands(definition), onto: None })
    }

    /// For whoever runs what something has reached.
    pub fn of_part(&self, reach: &Reach) -> String {
        sealing_to_wire(&Sealing { seal: self.seal, tasks: Some(reach.tasks), onto: Some(reach.proof) })
    }

    /// The document with only the tasks that something has reached, and the results of those before them; `None` if all
    /// of it is needed to understand these.
    pub fn excerpt(&self, file: &Path, reach: &Reach) -> Option<Loaded> {
        let document = std::fs::read(file).ok()?;
        let asked: HashSet<&str> = reach.asked.iter().map(String::as_str).collect();
        let mut given = HashMap::new();
        for (name, result) in &reach.given {
            given.insert(name.as_str(), standing_for(result.as_deref())?);
        }
        let text = excerpt(std::str::from_utf8(&document).ok()?, &mut |name| match given.get(name) {
            _ if asked.contains(name) => Keep::AsItIs,
            Some(value) => Keep::Instead(value.clone()),
            None => Keep::Not,
        })?;
        drop(document);
        let loaded = load_text(file, text.as_bytes()).ok()?;
        let nodes = &loaded.document.definition.root.nodes;
        let is_known = |node: &Node| asked.contains(node.name.as_str()) || given.contains_key(&*node.name);
        (nodes.len() == asked.len() + given.len() && nodes.iter().all(is_known)).then_some(loaded)
    }

    /// Whether all that a run of this does follows from files and values: it waits for nobody and asks nobody.
    pub fn covers(definition: &Definition) -> bool {
        definition.dialect == Dialect::Native && definition.flows.is_empty() && covers(&definition.root)
    }
}

/// A task that yields this and does nothing; `None` if there is none.
fn standing_for(result: Option<&str>) -> Option<String> {
    match result {
        // A point where tasks meet yields nothing.
        None | Some("null") => Some("{ needs: [] }".to_owned()),
        // What looks like a template would be filled in.
        Some(result) if result.starts_with(['{', '[']) && !result.contains('$') && !result.contains('\n') => {
            Some(format!("{{ eval: {result} }}"))
        }
        Some(_) => None,
    }
}

/// How many tasks there are, if each is a command that declares what it reads and writes. Points where they meet do not
/// count.
fn commands(definition: &Definition) -> Option<u64> {
    let mut count = 0;
    for node in &definition.root.nodes {
        match &node.kind {
            Kind::Command(_) if !node.reads.is_empty() && !node.writes.is_empty() => count += 1,
            Kind::Noop => {}
            Kind::Command(_)
            | Kind::Evaluate(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Each(_)
            | Kind::Loop(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_) => return None,
        }
    }
    Some(count)
}

fn covers(scope: &Scope) -> bool {
    scope.nodes.iter().all(|node| match &node.kind {
        Kind::Command(command) => command.service.is_none(),
        Kind::Evaluate(_) | Kind::Switch(_) | Kind::Join(_) | Kind::Noop => true,
        Kind::Each(_) | Kind::Loop(_) => node.kind.body().is_none_or(covers),
        Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::SubRun(_)
        | Kind::Start(_)
        | Kind::Expand(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_) => false,
    })
}

/// Whether the document may name the run itself, which is another one each time. One that only seems to is run.
fn names_the_run(text: &str) -> bool {
    const FACTS: [&str; 6] = [".id", ".name", ".number", ".started", ".error", "["];
    text.match_indices("run").any(|(at, _)| {
        let is_word = |c: char| "_-./".contains(c) || c.is_ascii_alphanumeric();
        let is_head = text[..at].chars().next_back().is_none_or(|before| !is_word(before));
        is_head && FACTS.iter().any(|fact| text[at + 3..].starts_with(fact))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_names_its_run_is_never_sealed() {
        assert!(names_the_run("run: echo ${run.id}"));
        assert!(names_the_run("when: run.name == 'x'"));
        assert!(!names_the_run("run: ./run.sh run.sh prerun.id"));
        assert!(!names_the_run("tasks: { a: { run: [make] } }"));
    }
}
