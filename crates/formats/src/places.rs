//! From a [`Place`] such as `tasks.report.needs[0]` to file, line and column.
//!
//! A place in a sub-flow begins with the sub-flow's path and `#`: `close-books.yaml#tasks.sum.run`.
//! A place that is not in the text leads to the nearest one around it that is.

use std::sync::{Arc, OnceLock};

use partitur_model::{Fault, Place};

use crate::tree::{Form, Item, Span, Tree};

/// Where in a file something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Which file: 0 is the main file.
    pub file: usize,
    /// The bytes.
    pub span: Span,
    /// The line of the first byte, from 1.
    pub line: u32,
    /// The column of the first byte, in characters from 1.
    pub column: u32,
}

/// The texts of a document, and where in them each place is.
#[derive(Default)]
pub struct Places {
    files: Vec<PlacedFile>,
    marks: Vec<Mark>,
}

struct PlacedFile {
    /// What stands before `#` in places; empty for the main file.
    prefix: String,
    /// For people.
    path: String,
    tree: Tree,
    /// Where each line begins, once somebody has asked: a large file may have thousands of faults.
    lines: OnceLock<Vec<u32>>,
}

impl PlacedFile {
    /// Which line, from 0, holds this byte, and where it begins.
    fn line(&self, at: u32) -> (u32, u32) {
        let lines = self.lines.get_or_init(|| {
            let feeds = self.tree.source().bytes().zip(1..).filter(|&(byte, _)| byte == b'\n');
            std::iter::once(0).chain(feeds.map(|(_, next)| next)).collect()
        });
        let line = lines.partition_point(|&start| start <= at) - 1;
        (line as u32, lines[line])
    }
}

/// A fault whose text is not the value at its place: a key that nobody knows, a place where the text ends too soon.
struct Mark {
    code: &'static str,
    place: Place,
    span: Span,
}

impl Places {
    pub(crate) fn add_file(&mut self, prefix: &str, path: &str, tree: Tree) {
        let (prefix, path) = (prefix.to_owned(), path.to_owned());
        self.files.push(PlacedFile { prefix, path, tree, lines: OnceLock::new() });
    }

    /// What the main file holds.
    pub(crate) fn main_tree(&self) -> Option<&Tree> {
        self.files.first().map(|file| &file.tree)
    }

    /// From now on the faults of this code at this place are shown at `span`.
    pub(crate) fn mark(&mut self, code: &'static str, place: Place, span: Span) {
        self.marks.push(Mark { code, place, span });
    }

    /// The path of a file, as it is shown to people.
    pub fn path(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.path)
    }

    /// The text of a file.
    pub fn text(&self, file: usize) -> Option<&Arc<str>> {
        self.files.get(file).map(|file| file.tree.source())
    }

    /// Where the value at `place` stands, or its key if it takes several lines.
    pub fn locate(&self, place: &Place) -> Option<Location> {
        let (file, path) = self.file_of(place)?;
        let found = Found::follow(&self.files[file].tree, path);
        Some(self.location(file, found.span(&self.files[file].tree)))
    }

    /// Where the fault is shown: the part of the scalar that it names, if that can be found.
    pub fn locate_fault(&self, fault: &Fault) -> Option<Location> {
        let (file, path) = self.file_of(&fault.place)?;
        if fault.within.is_none()
            && let Some(mark) =
                self.marks.iter().find(|mark| mark.code == fault.code && mark.place == fault.place)
        {
            return Some(self.location(file, mark.span));
        }
        let tree = &self.files[file].tree;
        let found = Found::follow(tree, path);
        let part = fault.within.and_then(|(start, end)| found.part(tree, start, end));
        Some(self.location(file, part.unwrap_or_else(|| found.span(tree))))
    }

    /// The file of a place, and the place within it.
    fn file_of<'p>(&self, place: &'p Place) -> Option<(usize, &'p str)> {
        let inner = self.files.iter().enumerate().skip(1).find_map(|(at, file)| {
            Some((at, place.0.strip_prefix(file.prefix.as_str())?.strip_prefix('#')?))
        });
        inner.or_else(|| (!self.files.is_empty()).then_some((0, place.0.as_str())))
    }

    fn location(&self, file: usize, span: Span) -> Location {
        let text = self.files[file].tree.source();
        let at = floor_boundary(text, span.start as usize);
        let (line, line_start) = self.files[file].line(at as u32);
        let column = text[line_start as usize..at].chars().count() as u32 + 1;
        Location { file, span, line: line + 1, column }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What a place leads to.
struct Found {
    key: Option<Item>,
    value: Option<Item>,
    /// The whole path could be followed.
    exact: bool,
}

impl Found {
    /// Follows a path from the root as far as it leads.
    fn follow(tree: &Tree, path: &str) -> Found {
        let mut found = Found { key: None, value: tree.root(), exact: true };
        let mut rest = path;
        while !rest.is_empty() {
            let Some((next, left)) = found.value.and_then(|value| step(tree, value, rest)) else {
                found.exact = false;
                break;
            };
            (found, rest) = (next, left);
        }
        found
    }

    /// The value if it stands on one line, else its key.
    fn span(&self, tree: &Tree) -> Span {
        let Some(value) = self.value else { return Span::default() };
        let span = tree.span(value);
        let text = &tree.source()[span.start as usize..span.end as usize];
        match self.key {
            Some(key) if text.trim_end().contains('\n') || text.is_empty() => tree.span(key),
            Some(_) => span,
            None if tree.form(value) == Form::Map && text.contains('\n') => {
                Span { start: span.start, end: span.start }
            }
            None => span,
        }
    }

    /// The bytes `start..end` of the decoded scalar; of `{ if: … }`, of the condition.
    fn part(&self, tree: &Tree, start: u32, end: u32) -> Option<Span> {
        if !self.exact {
            return None;
        }
        let mut value = self.value?;
        if tree.form(value) == Form::Map {
            let condition = tree.members(value).find(|&(key, _)| matches!(tree.text(key), "if" | "run"));
            value = condition?.1;
        }
        let text = tree.text(value);
        let (start, end) = (start.min(text.len() as u32), end.min(text.len() as u32).max(start));
        if let Some(text_start) = tree.text_start(value) {
            return Some(Span { start: text_start + start, end: text_start + end });
        }
        match tree.form(value) {
            Form::Literal => literal_part(tree, value, start as usize, end as usize),
            Form::Plain | Form::Quoted | Form::Folded | Form::List | Form::Map => None,
        }
    }
}

/// One step of a path: the longest key that fits, for keys may hold dots.
fn step<'p>(tree: &Tree, value: Item, path: &'p str) -> Option<(Found, &'p str)> {
    if let Some(rest) = path.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        let element = tree.parts(value).nth(index.parse().ok()?)?;
        let list = tree.form(value) == Form::List;
        return list.then_some((Found { key: None, value: Some(element), exact: true }, rest));
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    if tree.form(value) != Form::Map {
        return None;
    }
    let fits =
        |key: &str| path.strip_prefix(key).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    tree.members(value)
        .filter_map(|(key, value)| Some((key, value, fits(tree.text(key))?)))
        .min_by_key(|(_, _, rest)| rest.len())
        .map(|(key, value, rest)| (Found { key: Some(key), value: Some(value), exact: true }, rest))
}

/// The bytes `start..end` of a literal block: its lines are those of the source without the indentation.
fn literal_part(tree: &Tree, item: Item, start: usize, end: usize) -> Option<Span> {
    let text = tree.text(item);
    let line_start = text[..floor_boundary(text, start)].rfind('\n').map_or(0, |found| found + 1);
    let number = text[..line_start].matches('\n').count();
    let line = text[line_start..].split('\n').next()?;
    // The block begins behind the indentation of its first line.
    let source = tree.source();
    let first = source[..tree.span(item).start as usize].rfind('\n').map_or(0, |found| found + 1);
    let written = source[first..].split_inclusive('\n').nth(number)?.trim_end_matches(['\n', '\r']);
    let indent = written.strip_suffix(line)?.len();
    let before: usize = source[first..].split_inclusive('\n').take(number).map(str::len).sum();
    let from = first + before + indent + (start - line_start);
    let length = (end - start).min(line.len() - (start - line_start));
    Some(Span { start: from as u32, end: (from + length) as u32 })
}
