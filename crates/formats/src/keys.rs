//! One table of keys for each kind of mapping: the reader follows it, and schema and documentation are made from it.

use crate::reader::{At, Reader};

/// A key of a mapping that is read into a `T`.
pub(crate) struct Key<T> {
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) about: &'static str,
    /// What may stand there, for the schema; a test compares it with what `read` takes.
    pub(crate) shape: Shape,
    pub(crate) read: for<'t> fn(&mut Reader<'t>, &mut T, At<'_>),
}

/// What may stand at a place.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// A single value that is not null, as text.
    Text,
    /// A text in which `${…}` is replaced.
    Template,
    /// An expression without `${}`.
    Expression,
    /// `90s`, `1h 30m`.
    Duration,
    /// `true` or `false`.
    Flag,
    /// A whole number from this one on.
    Count(u32),
    /// A number from this one on.
    Number(u32),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text that this regular expression matches.
    Pattern(&'static str),
    /// Nothing.
    Null,
    /// Any value.
    Any,
    /// A text that is one `${…}` as a whole.
    Whole,
    /// A list or mapping that is not empty.
    Filled(&'static Shape),
    /// One such thing, or a list of them.
    OneOrMany(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// A mapping from names of the author's choice.
    Named(&'static Shape),
    /// One of these.
    Either(&'static [Shape]),
    /// A mapping with known keys.
    Block(&'static Block),
}

/// A mapping with known keys.
pub(crate) struct Block {
    /// Its name in the schema.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Keys that must be there.
    pub(crate) required: &'static [&'static str],
    /// Keys with this prefix are not read: a place for anchors and for other tools.
    pub(crate) ignored_prefix: Option<&'static str>,
    pub(crate) keys: fn() -> Vec<KeyText>,
}

/// A key without its reader.
pub(crate) struct KeyText {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
}

/// The texts of a table.
pub(crate) fn texts<T>(keys: &[Key<T>]) -> Vec<KeyText> {
    keys.iter().map(|key| KeyText { name: key.name, about: key.about, shape: key.shape }).collect()
}
