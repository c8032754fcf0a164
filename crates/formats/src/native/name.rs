//! Names: which are possible, which are taken, and which tasks can be seen from where.

use std::hash::BuildHasher as _;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use partitur_model::Fault;

use crate::codes;
use crate::reader::At;

/// What `${…}` may begin with besides a task's name.
pub(crate) const HEADS: &[&str] = &["inputs", "env", "self", "each", "matrix", "run"];

/// Further words that no task may have for a name.
const TAKEN: &[&str] = &["secrets", "workflow", "and", "or", "not", "true", "false", "null"];

/// No name is longer, in characters.
const LENGTH_MAX: usize = 200;

/// The names of tasks that can be seen: those of the innermost scope last.
#[derive(Default)]
pub(crate) struct Names<'t> {
    scopes: Vec<ScopeNames<'t>>,
    /// Seeds the hashes: a document must not be able to choose names that collide.
    seed: DefaultHashBuilder,
}

/// A table of numbers only: it stays in the processor's cache when there are 100,000 names.
struct ScopeNames<'t> {
    table: HashTable<u32>,
    /// In the order of the document.
    names: Vec<&'t str>,
}

impl<'t> Names<'t> {
    /// Enters a scope of about so many tasks.
    pub(crate) fn enter(&mut self, size: usize) {
        self.scopes
            .push(ScopeNames { table: HashTable::with_capacity(size), names: Vec::with_capacity(size) });
    }

    /// Adds the next task to the innermost scope; `false` if it has one of this name.
    pub(crate) fn add(&mut self, name: &'t str) -> bool {
        let Names { scopes, seed } = self;
        let ScopeNames { table, names } = scopes.last_mut().expect("a scope was entered");
        let same = |&number: &u32| names[number as usize] == name;
        let hash = |&number: &u32| seed.hash_one(names[number as usize]);
        match table.entry(seed.hash_one(name), same, hash) {
            Entry::Occupied(_) => false,
            Entry::Vacant(slot) => {
                slot.insert(names.len() as u32);
                names.push(name);
                true
            }
        }
    }

    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// The number of a task of the innermost scope.
    pub(crate) fn here(&self, name: &str) -> Option<u32> {
        self.number(self.scopes.last()?, name)
    }

    /// Whether a task of this name can be seen, in whatever scope.
    pub(crate) fn anywhere(&self, name: &str) -> bool {
        self.scopes.iter().rev().any(|scope| self.number(scope, name).is_some())
    }

    fn number(&self, scope: &ScopeNames<'t>, name: &str) -> Option<u32> {
        scope.table.find(self.seed.hash_one(name), |&number| scope.names[number as usize] == name).copied()
    }

    /// All names that can be seen, the nearest scope first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'t str> {
        self.scopes.iter().rev().flat_map(|scope| scope.names.iter().copied())
    }

    /// The names of the innermost scope.
    pub(crate) fn all_here(&self) -> impl Iterator<Item = &'t str> {
        self.scopes.last().into_iter().flat_map(|scope| scope.names.iter().copied())
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
