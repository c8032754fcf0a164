//! Paths: what comes after a name to reach into its value.
//!
//! `.key`, `['a key']`, `['a','b']`, `[0]`, `[-1]`, `[0,2]`, `[1:3]`, `[*]`, `.*`, `..key`, `[?(@.x > 1)]`, and the
//! functions `.length()`, `.keys()`, `.first()`, `.last()`, `.min()`, `.max()`, `.sum()`, `.avg()`.
//! A path with `*`, `..`, a filter, a slice or several indexes is *wide*: its value is the list of what it finds.

use std::fmt;
use std::ops::Range;

use crate::PATH_STEPS_MAX;
use crate::cursor::{Cursor, Language, unknown};
use crate::error::ParseError;
use crate::parse::parse_filter;
use crate::syntax::Expr;

/// A name and the steps after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The name: `inputs`, `self`, `each`, a task's name, …
    pub head: Box<str>,
    /// The way into its value.
    pub steps: Box<[Step]>,
    /// Which bytes of the source.
    pub at: Range<u32>,
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A member of an object.
    Key(Box<str>),
    /// An element of a list; from the end if negative.
    Index(i64),
    /// Some members of an object, as an object.
    Keys(Box<[Box<str>]>),
    /// Some elements of a list.
    Indexes(Box<[i64]>),
    /// The elements from the first index up to, without, the second; from the end if negative.
    Slice(Option<i64>, Option<i64>),
    /// All elements or members.
    Wildcard,
    /// The value and everything below it.
    Descend,
    /// The elements or members for which a condition holds.
    Filter(Filter),
    /// What a function makes of the value.
    Reduce(Reduce),
}

/// The condition of a filter; `@` is the element.
#[derive(Clone)]
pub struct Filter {
    pub(crate) source: Box<str>,
    pub(crate) condition: Box<Expr>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Filter) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A function at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// How many elements, members or characters.
    Length,
    /// The keys of an object.
    Keys,
    /// The first element.
    First,
    /// The last element.
    Last,
    /// The least number.
    Min,
    /// The greatest number.
    Max,
    /// The sum of the numbers.
    Sum,
    /// The mean of the numbers.
    Avg,
}

impl Reduce {
    pub(crate) const NAMES: [(&'static str, Reduce); 9] = [
        ("length", Reduce::Length),
        ("size", Reduce::Length),
        ("keys", Reduce::Keys),
        ("first", Reduce::First),
        ("last", Reduce::Last),
        ("min", Reduce::Min),
        ("max", Reduce::Max),
        ("sum", Reduce::Sum),
        ("avg", Reduce::Avg),
    ];
}

impl Path {
    /// Reads the path that begins at the cursor.
    pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Path, ParseError> {
        let start = cursor.at;
        let head: Box<str> = match cursor.peek() {
            Some('[') if cursor.language == Language::Template => bracketed_head(cursor)?,
            Some(_) | None => key(cursor, "a name")?.into(),
        };
        let steps = parse_steps(cursor)?;
        Ok(Path { head, steps, at: start as u32..cursor.at as u32 })
    }
}

fn bracketed_head(cursor: &mut Cursor<'_>) -> Result<Box<str>, ParseError> {
    let start = cursor.at;
    match bracket(cursor)? {
        Step::Key(key) => Ok(key),
        Step::Index(_)
        | Step::Keys(_)
        | Step::Indexes(_)
        | Step::Slice(..)
        | Step::Wildcard
        | Step::Descend
        | Step::Filter(_)
        | Step::Reduce(_) => Err(ParseError::new(start..cursor.at, "a path begins with a name")),
    }
}

/// Reads all steps that follow here.
pub(crate) fn parse_steps(cursor: &mut Cursor<'_>) -> Result<Box<[Step]>, ParseError> {
    let mut steps = Vec::new();
    loop {
        if steps.len() > PATH_STEPS_MAX {
            return Err(cursor.here(format!("more than {PATH_STEPS_MAX} steps")));
        }
        match cursor.peek() {
            Some('[') => steps.push(bracket(cursor)?),
            Some('.') => dotted(cursor, &mut steps)?,
            Some(_) | None => return Ok(steps.into()),
        }
    }
}

/// A step that begins with a dot, or the two that begin with `..`.
fn dotted(cursor: &mut Cursor<'_>, steps: &mut Vec<Step>) -> Result<(), ParseError> {
    cursor.eat(".");
    if cursor.eat(".") {
        steps.push(Step::Descend);
        if cursor.sees("[") {
            return Ok(());
        }
    }
    if cursor.eat("*") {
        steps.push(Step::Wildcard);
        return Ok(());
    }
    let start = cursor.at;
    let name = key(cursor, "a key after the dot")?;
    steps.push(if cursor.eat("(") { reduce(cursor, start, name)? } else { Step::Key(name.into()) });
    Ok(())
}

fn key<'a>(cursor: &mut Cursor<'a>, wanted: &str) -> Result<&'a str, ParseError> {
    let name = cursor.name();
    if name.is_empty() {
        return Err(cursor.unexpected(wanted));
    }
    cursor.at += name.len();
    Ok(name)
}

fn reduce(cursor: &mut Cursor<'_>, start: usize, name: &str) -> Result<Step, ParseError> {
    let known = Reduce::NAMES.iter().map(|(known, _)| *known);
    let Some((_, reduce)) = Reduce::NAMES.iter().find(|(known, _)| *known == name) else {
        return Err(unknown(start..cursor.at - 1, "function", name, known));
    };
    cursor.expect(")")?;
    Ok(Step::Reduce(*reduce))
}

/// A step in brackets.
fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, ParseError> {
    cursor.eat("[");
    cursor.skip_space();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.eat("*");
            Step::Wildcard
        }
        Some('\'' | '"') => quoted_keys(cursor)?,
        Some('?') => filter(cursor)?,
        Some('0'..='9' | '-' | ':') => indexes(cursor)?,
        Some(_) | None => {
            return Err(cursor.unexpected("an index, a key in quotes, `*` or a filter").hint(
                "write `['key']` for a key, `[0]` for the first element, `[?(@.x > 1)]` for a filter",
            ));
        }
    };
    cursor.expect("]")?;
    Ok(step)
}

fn quoted_keys(cursor: &mut Cursor<'_>) -> Result<Step, ParseError> {
    let first = cursor.quoted()?.into();
    let mut keys: Vec<Box<str>> = vec![first];
    while cursor.eat_spaced(",") {
        cursor.skip_space();
        match cursor.peek() {
            Some('\'' | '"') => keys.push(cursor.quoted()?.into()),
            Some(_) | None => return Err(cursor.unexpected("a key in quotes")),
        }
    }
    Ok(if keys.len() == 1 { Step::Key(keys.remove(0)) } else { Step::Keys(keys.into()) })
}

fn indexes(cursor: &mut Cursor<'_>) -> Result<Step, ParseError> {
    let first = integer(cursor)?;
    if cursor.eat_spaced(":") {
        cursor.skip_space();
        return Ok(Step::Slice(first, integer(cursor)?));
    }
    let mut all = vec![first.ok_or_else(|| cursor.unexpected("an index"))?];
    while cursor.eat_spaced(",") {
        cursor.skip_space();
        all.push(integer(cursor)?.ok_or_else(|| cursor.unexpected("an index"))?);
    }
    Ok(if all.len() == 1 { Step::Index(all[0]) } else { Step::Indexes(all.into()) })
}

fn integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, ParseError> {
    let rest = cursor.rest();
    let sign = usize::from(rest.starts_with('-'));
    let end = sign + rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return Ok(None);
    }
    let at = cursor.at..cursor.at + end;
    cursor.at = at.end;
    rest[..end].parse().map(Some).map_err(|_| ParseError::new(at, "this is no index"))
}

fn filter(cursor: &mut Cursor<'_>) -> Result<Step, ParseError> {
    cursor.eat("?");
    let start = cursor.at;
    let condition = parse_filter(cursor)?;
    Ok(Step::Filter(Filter { source: cursor.source[start..cursor.at].into(), condition: condition.into() }))
}
