//! What all parts of the reader share: where they are, what they found wrong, and how mappings are read.

mod single;
mod wording;

use hashbrown::HashSet;
use partitur_model::{Fault, Place};

use crate::codes;
use crate::flows::{FlowUse, resolve_path};
use crate::keys::{Block, Key};
use crate::native::Names;
use crate::scalar::{self, Plain};
use crate::tree::{Form, Item, Span, Tree};

use wording::usual_name;
pub(crate) use wording::{listed, nearest, shorten, with_meant};

/// An item together with the way to it. The place is only put into words when somebody asks.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) item: Item,
    up: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    /// The whole file; what its places begin with.
    File(&'a str),
    Member(&'a str),
    Element(usize),
}

impl<'a> At<'a> {
    pub(crate) fn file(item: Item, prefix: &'a str) -> At<'a> {
        At { item, up: None, step: Step::File(prefix) }
    }

    pub(crate) fn member(&'a self, key: &'a str, item: Item) -> At<'a> {
        At { item, up: Some(self), step: Step::Member(key) }
    }

    pub(crate) fn element(&'a self, index: usize, item: Item) -> At<'a> {
        At { item, up: Some(self), step: Step::Element(index) }
    }

    pub(crate) fn place(&self) -> Place {
        let mut text = String::with_capacity(self.length());
        self.write(&mut text);
        Place(text)
    }

    /// About how long the place is: 100,000 tasks have 300,000 places.
    fn length(&self) -> usize {
        let own = match self.step {
            Step::File(prefix) => prefix.len() + 1,
            Step::Member(key) => key.len() + 1,
            Step::Element(_) => 3,
        };
        own + self.up.map_or(0, At::length) - usize::from(self.up.is_none())
    }

    fn write(&self, out: &mut String) {
        if let Some(up) = self.up {
            up.write(out);
        }
        match self.step {
            Step::File("") => {}
            Step::File(prefix) => {
                out.push_str(prefix);
                out.push('#');
            }
            Step::Member(key) => {
                if !(out.is_empty() || out.ends_with('#')) {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Element(index) => {
                out.push('[');
                push_number(out, index);
                out.push(']');
            }
        }
    }
}

/// Most lists are short, and formatting a number costs as much as all the rest of a place.
fn push_number(out: &mut String, number: usize) {
    use std::fmt::Write as _;
    match u32::try_from(number).ok().and_then(|digit| char::from_digit(digit, 10)) {
        Some(digit) => out.push(digit),
        None => write!(out, "{number}").expect("a string takes everything"),
    }
}

/// Whether no entry has this name. Most mappings are too small for a set to be worth it.
fn is_new<'t>(name: &'t str, entries: &[(&'t str, Item)], seen: &mut HashSet<&'t str>) -> bool {
    const FEW: usize = 8;
    if entries.len() < FEW {
        return entries.iter().all(|(known, _)| *known != name);
    }
    if seen.is_empty() {
        seen.extend(entries.iter().map(|(known, _)| *known));
    }
    seen.insert(name)
}

/// A file with more faults is no document with mistakes but no document. Each costs memory and time to show.
const FAULTS_MAX: usize = 200;

/// Which keys of a table were given.
#[derive(Clone, Copy, Default)]
pub(crate) struct Given {
    bits: u64,
    /// There were keys that nobody knows: what is missing may be one of them, misspelt.
    pub(crate) unknown: bool,
}

impl Given {
    /// The keys of these names.
    pub(crate) fn of<T>(keys: &'static [Key<T>], names: &[&str]) -> Given {
        let bit = |name: &&str| position(keys, name).expect("a table has the keys of its rules");
        Given { bits: names.iter().map(bit).fold(0, |bits, index| bits | 1 << index), unknown: false }
    }

    pub(crate) fn and(self, other: Given) -> Given {
        Given { bits: self.bits & other.bits, ..self }
    }

    pub(crate) fn count(self) -> u32 {
        self.bits.count_ones()
    }

    /// The names of the keys, in the order of the table.
    pub(crate) fn names<T>(self, keys: &'static [Key<T>]) -> Vec<&'static str> {
        keys.iter()
            .enumerate()
            .filter(|(index, _)| self.bits & (1 << index) != 0)
            .map(|(_, key)| key.name)
            .collect()
    }
}

/// Reads one file.
pub(crate) struct Reader<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) faults: Vec<Fault>,
    /// Faults whose text is not the value at their place.
    pub(crate) marks: Vec<(&'static str, Place, Span)>,
    pub(crate) names: Names,
    /// How many faults have not been kept.
    pub(crate) untold: usize,
    /// The sub-flows that the file names.
    pub(crate) uses: Vec<FlowUse>,
    /// Relative to the main file's directory.
    path: &'t str,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(tree: &'t Tree, path: &'t str) -> Reader<'t> {
        Reader {
            tree,
            faults: Vec::new(),
            marks: Vec::new(),
            names: Names::default(),
            untold: 0,
            uses: Vec::new(),
            path,
        }
    }

    /// The path of a sub-flow, relative to the main file's directory.
    pub(crate) fn flow(&mut self, at: At<'_>) -> Option<String> {
        let named = self.text(at)?;
        match resolve_path(self.path, named, at.place()) {
            Ok(path) => {
                self.uses.push(FlowUse { path: path.clone(), place: at.place() });
                Some(path)
            }
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        if !self.is_full() {
            self.faults.push(fault);
        }
    }

    /// Whether there are so many faults that this one is only counted: then it need not be put into words.
    pub(crate) fn is_full(&mut self) -> bool {
        let full = self.faults.len() >= FAULTS_MAX;
        self.untold += usize::from(full);
        full
    }

    /// A fault that is shown at `span` instead of at the value.
    pub(crate) fn fault_at(&mut self, fault: Fault, span: Span) {
        if !self.is_full() {
            self.marks.push((fault.code, fault.place.clone(), span));
            self.faults.push(fault);
        }
    }

    pub(crate) fn form(&self, at: At<'_>) -> Form {
        self.tree.form(at.item)
    }

    pub(crate) fn is_scalar(&self, at: At<'_>) -> bool {
        match self.form(at) {
            Form::Plain | Form::Quoted | Form::Literal | Form::Folded => true,
            Form::List | Form::Map => false,
        }
    }

    pub(crate) fn is_null(&self, at: At<'_>) -> bool {
        self.form(at) == Form::Plain && scalar::plain(self.tree.text(at.item)) == Plain::Null
    }

    /// The elements of a list; a single value is a list of one.
    pub(crate) fn one_or_many<R>(
        &mut self,
        at: At<'_>,
        mut read: impl FnMut(&mut Self, At<'_>) -> Option<R>,
    ) -> Vec<R> {
        if self.form(at) == Form::List { self.list(at, read) } else { read(self, at).into_iter().collect() }
    }

    pub(crate) fn list<R>(
        &mut self,
        at: At<'_>,
        mut read: impl FnMut(&mut Self, At<'_>) -> Option<R>,
    ) -> Vec<R> {
        if self.form(at) != Form::List {
            self.expected(at, "a list");
            return Vec::new();
        }
        let tree = self.tree;
        tree.parts(at.item)
            .enumerate()
            .filter_map(|(index, item)| read(self, at.element(index, item)))
            .collect()
    }

    /// The entries of a mapping whose keys the author chose; a key that comes twice is a fault.
    pub(crate) fn named<R>(
        &mut self,
        at: At<'_>,
        mut read: impl FnMut(&mut Self, &'t str, At<'_>) -> Option<R>,
    ) -> Vec<R> {
        self.entries(at)
            .into_iter()
            .filter_map(|(name, item)| read(self, name, at.member(name, item)))
            .collect()
    }

    /// The keys and values of a mapping; keys that come twice or are no text are faults and are left out.
    pub(crate) fn entries(&mut self, at: At<'_>) -> Vec<(&'t str, Item)> {
        if self.form(at) != Form::Map {
            self.expected(at, "a mapping");
            return Vec::new();
        }
        let tree = self.tree;
        let mut entries: Vec<(&'t str, Item)> = Vec::new();
        let mut seen = HashSet::new();
        for (key, value) in tree.members(at.item) {
            let Some(name) = self.key_text(at, key) else { continue };
            if is_new(name, &entries, &mut seen) {
                entries.push((name, value));
            } else {
                self.duplicate_key(at, name, key);
            }
        }
        entries
    }

    /// The entries of a mapping of tasks, whose names can be seen from now on.
    pub(crate) fn enter_scope(&mut self, at: At<'_>) -> Vec<(&'t str, Item)> {
        let tree = self.tree;
        if self.form(at) != Form::Map {
            self.expected(at, "a mapping");
        }
        let size = tree.members(at.item).count();
        let mut entries = Vec::with_capacity(size);
        self.names.enter();
        for (key, value) in tree.members(at.item) {
            let Some(name) = self.key_text(at, key) else { continue };
            if self.names.add(name) {
                entries.push((name, value));
            } else {
                self.duplicate_key(at, name, key);
            }
        }
        entries
    }

    fn key_text(&mut self, at: At<'_>, key: Item) -> Option<&'t str> {
        let text = self.tree.text(key);
        match self.tree.form(key) {
            Form::Plain if text == "<<" => {
                let message = "merge keys (`<<`) are not part of this format";
                let fault = Fault::error(codes::UNSUPPORTED_YAML, at.member(text, key).place(), message)
                    .label("merge key")
                    .hint("use `defaults:`, or repeat single values with anchors and aliases");
                self.fault_at(fault, self.tree.span(key));
                None
            }
            Form::Plain | Form::Quoted | Form::Literal | Form::Folded => Some(text),
            Form::List | Form::Map => {
                let message = format!("a key is a text, not {}", self.tree.form(key).noun());
                let fault = Fault::error(codes::WRONG_TYPE, at.place(), message).label("no key");
                self.fault_at(fault, self.tree.span(key));
                None
            }
        }
    }

    fn duplicate_key(&mut self, at: At<'_>, name: &str, key: Item) {
        let message = format!("the key `{}` is given twice", shorten(name));
        let fault = Fault::error(codes::DUPLICATE_KEY, at.member(name, key).place(), message)
            .label("given before")
            .hint("keep one of the two");
        self.fault_at(fault, self.tree.span(key));
    }

    /// Reads a mapping by its table. Unknown, repeated and missing keys are faults.
    pub(crate) fn block<T>(
        &mut self,
        at: At<'_>,
        block: &Block,
        keys: &'static [Key<T>],
        into: &mut T,
    ) -> Given {
        debug_assert!(keys.len() <= 64, "one bit for each key");
        let mut given = Given::default();
        if self.form(at) != Form::Map {
            self.expected(at, "a mapping");
            return given;
        }
        let tree = self.tree;
        for (key, value) in tree.members(at.item) {
            let Some(name) = self.key_text(at, key) else { continue };
            match position(keys, name) {
                Some(index) if given.bits & (1 << index) != 0 => self.duplicate_key(at, name, key),
                Some(index) => {
                    given.bits |= 1 << index;
                    (keys[index].read)(self, into, at.member(name, value));
                }
                None if block.ignored_prefix.is_some_and(|prefix| name.starts_with(prefix)) => {}
                None => {
                    given.unknown = true;
                    self.unknown_key(at, block, name, key, keys.iter().map(|known| known.name));
                }
            }
        }
        for required in block.required {
            if given.and(Given::of(keys, &[required])).count() == 0 {
                let message = format!("{} needs the key `{required}`", block.about);
                let fault = Fault::error(codes::MISSING_KEY, at.place(), message);
                self.fault(fault.label(format!("no `{required}`")));
            }
        }
        given
    }

    fn unknown_key(
        &mut self,
        at: At<'_>,
        block: &Block,
        name: &str,
        key: Item,
        known: impl Iterator<Item = &'static str>,
    ) {
        if self.is_full() {
            return;
        }
        let message = format!("{} has no key `{}`", block.about, shorten(name));
        let fault =
            Fault::error(codes::UNKNOWN_KEY, at.member(name, key).place(), message).label("unknown key");
        let known: Vec<&str> = known.collect();
        let usual = usual_name(name).filter(|usual| known.contains(usual));
        let fault = match (usual, nearest(name, known.iter().copied())) {
            (Some(usual), _) | (None, Some(usual)) => fault.hint(format!("did you mean `{usual}`?")),
            (None, None) => fault.hint(format!("known keys: {}", known.join(", "))),
        };
        self.fault_at(fault, self.tree.span(key));
    }
}

/// Where the table has the key. The first letter rules out nearly all others, which is cheaper than a comparison.
fn position<T>(keys: &'static [Key<T>], name: &str) -> Option<usize> {
    let first = name.as_bytes().first()?;
    keys.iter().position(|known| known.name.as_bytes().first() == Some(first) && known.name == name)
}
