//! The variables of a script.
//!
//! A name has one meaning in a function and all that it is called in: what declares a name again is not parsed. So a
//! name that is visible where it is read was declared before it, and what JavaScript says about shadows, hoisting and
//! the time before a declaration makes no difference.

use std::collections::BTreeSet;

/// How a variable was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// `var`, a parameter: seen until its function ends.
    Var,
    /// `let`: seen until its block ends.
    Let,
    /// `const`.
    Const,
}

struct Variable {
    name: Box<str>,
    slot: usize,
    declared: Declared,
}

/// The names of a function, and of the functions that are called where they stand in it.
#[derive(Default)]
pub(super) struct Scope {
    visible: Vec<Variable>,
    declared: BTreeSet<Box<str>>,
    slots: usize,
}

/// So many were visible.
pub(super) struct Mark(usize);

impl Scope {
    /// A new variable; `None` if there was one of this name.
    pub(super) fn declare(&mut self, name: &str, declared: Declared) -> Option<usize> {
        self.reserve(name)?;
        let slot = self.slots;
        self.slots += 1;
        self.visible.push(Variable { name: name.into(), slot, declared });
        Some(slot)
    }

    /// The name has a meaning from now on; `None` if it had one.
    pub(super) fn reserve(&mut self, name: &str) -> Option<()> {
        self.declared.insert(name.into()).then_some(())
    }

    /// The variable of this name, if it is visible here.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.visible.iter().find(|variable| &*variable.name == name).map(|variable| variable.slot)
    }

    /// The variable of this name, if it is visible here and may be assigned to.
    pub(super) fn find_mutable(&self, name: &str) -> Option<usize> {
        let found = self.visible.iter().find(|variable| &*variable.name == name)?;
        (found.declared != Declared::Const).then_some(found.slot)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.visible.len())
    }

    /// A block has ended.
    pub(super) fn leave_block(&mut self, mark: &Mark) {
        let mut at = 0;
        self.visible.retain(|variable| {
            at += 1;
            at <= mark.0 || variable.declared == Declared::Var
        });
    }

    /// A function that was called where it stands has ended.
    pub(super) fn leave_function(&mut self, mark: &Mark) {
        self.visible.truncate(mark.0);
    }

    /// How many variables there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }
}
