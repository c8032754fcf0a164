//! Names: which are possible, which are taken, and which tasks can be seen from where.

use partitur_graph::Interner;
use partitur_model::Fault;

use crate::codes;
use crate::reader::At;

/// What `${…}` may begin with besides a task's name.
pub(crate) const HEADS: &[&str] = &["inputs", "env", "self", "each", "matrix", "run"];

/// Further words that no task may have for a name.
const TAKEN: &[&str] = &["secrets", "workflow", "and", "or", "not", "true", "false", "null"];

/// No name is longer, in characters.
const LENGTH_MAX: usize = 200;

/// The names of tasks that can be seen: those of the innermost scope last. In each, they are numbered in the order of
/// the document.
#[derive(Default)]
pub(crate) struct Names(Vec<Interner>);

impl Names {
    pub(crate) fn enter(&mut self) {
        self.0.push(Interner::new());
    }

    /// Adds the next task to the innermost scope; `false` if it has one of this name.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let scope = self.0.last_mut().expect("a scope was entered");
        let next = scope.len();
        scope.intern(name) == next
    }

    pub(crate) fn leave(&mut self) {
        self.0.pop();
    }

    /// The number of a task of the innermost scope.
    pub(crate) fn here(&self, name: &str) -> Option<u32> {
        self.0.last()?.get(name)
    }

    /// Whether a task of this name can be seen, in whatever scope.
    pub(crate) fn anywhere(&self, name: &str) -> bool {
        self.0.iter().rev().any(|scope| scope.get(name).is_some())
    }

    /// All names that can be seen, the nearest scope first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().rev().flat_map(Interner::names)
    }

    /// The names of the innermost scope.
    pub(crate) fn all_here(&self) -> impl Iterator<Item = &str> {
        self.0.last().into_iter().flat_map(Interner::names)
    }
}

/// What is wrong with a name, if anything.
pub(super) fn name_fault(what: &str, name: &str, at: At<'_>) -> Option<Fault> {
    let begins_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if begins_well { letters_fault(what, name, at) } else { Some(bad_name(what, name, at)) }
}

/// What is wrong with a task's name.
pub(super) fn task_name_fault(name: &str, at: At<'_>) -> Option<Fault> {
    reserved_fault(name, at).or_else(|| name_fault("a task", name, at))
}

/// What is wrong with the id of a node. Editors like to count them.
pub(crate) fn node_id_fault(id: &str, at: At<'_>) -> Option<Fault> {
    reserved_fault(id, at).or_else(|| letters_fault("a node", id, at))
}

fn reserved_fault(name: &str, at: At<'_>) -> Option<Fault> {
    if !(HEADS.contains(&name) || TAKEN.contains(&name)) {
        return None;
    }
    let message = format!("no task can be named `{name}`: the word has a meaning in `${{…}}` and conditions");
    let fault = Fault::error(codes::RESERVED_NAME, at.place(), message).label("taken");
    Some(fault.hint("choose another name"))
}

fn letters_fault(what: &str, name: &str, at: At<'_>) -> Option<Fault> {
    let well = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let good = !name.is_empty()
        && name.chars().all(well)
        && !name.ends_with('-')
        && name.chars().count() <= LENGTH_MAX;
    (!good).then(|| bad_name(what, name, at))
}

fn bad_name(what: &str, name: &str, at: At<'_>) -> Fault {
    let message = format!("`{}` cannot be the name of {what}", crate::reader::shorten(name));
    let hint =
        "a name begins with a letter or `_` and goes on with letters, digits, `_` and `-`; its end is no `-`";
    Fault::error(codes::BAD_NAME, at.place(), message).label("bad name").hint(hint)
}
