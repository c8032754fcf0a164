//! Names: which are possible, which are taken, and which tasks can be seen from where.

use std::collections::HashMap;

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
    scopes: Vec<HashMap<&'t str, u32>>,
}

impl<'t> Names<'t> {
    pub(crate) fn enter(&mut self, scope: HashMap<&'t str, u32>) {
        self.scopes.push(scope);
    }

    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// The number of a task of the innermost scope.
    pub(crate) fn here(&self, name: &str) -> Option<u32> {
        self.scopes.last()?.get(name).copied()
    }

    /// Whether a task of this name can be seen, in whatever scope.
    pub(crate) fn anywhere(&self, name: &str) -> bool {
        self.scopes.iter().rev().any(|scope| scope.contains_key(name))
    }

    /// All names that can be seen.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'t str> {
        self.scopes.iter().flat_map(|scope| scope.keys().copied())
    }

    /// The names of the innermost scope.
    pub(crate) fn all_here(&self) -> impl Iterator<Item = &'t str> {
        self.scopes.last().into_iter().flat_map(|scope| scope.keys().copied())
    }
}

/// What is wrong with a name, if anything.
pub(crate) fn name_fault(what: &str, name: &str, at: At<'_>) -> Option<Fault> {
    let begins_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let bad = name.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    if begins_well && bad.is_none() && !name.ends_with('-') && name.chars().count() <= LENGTH_MAX {
        return None;
    }
    let shown = crate::reader::shorten(name);
    let message = match bad {
        Some(c) => format!("the {what} `{shown}` has `{}` in its name", c.escape_debug()),
        None => format!("`{shown}` cannot be the name of a {what}"),
    };
    let hint = "a name begins with a letter or `_`, goes on with letters, digits, `_` and `-`, and ends in none of `-`";
    Some(Fault::error(codes::BAD_NAME, at.place(), message).label("bad name").hint(hint))
}

/// What is wrong with a task's name.
pub(crate) fn task_name_fault(name: &str, at: At<'_>) -> Option<Fault> {
    if HEADS.contains(&name) || TAKEN.contains(&name) {
        let message =
            format!("no task can be named `{name}`: the word has a meaning in `${{…}}` and conditions");
        return Some(Fault::error(codes::RESERVED_NAME, at.place(), message).label("taken"));
    }
    name_fault("task", name, at)
}
