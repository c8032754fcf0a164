//! A place in a source, moved forward by the parsers.

use std::ops::Range;

use partitur_model::fault::did_you_mean;

use crate::error::ParseError;
use crate::{NESTING_MAX, SOURCE_MAX};

/// In which language the source is, for paths are in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Between `${` and `}`: names may contain almost everything.
    Template,
    /// Expressions: names are letters, digits, `_`, and `-` between them.
    Expression,
}

pub(crate) struct Cursor<'a> {
    pub(crate) source: &'a str,
    pub(crate) at: usize,
    pub(crate) language: Language,
    depth: u32,
}

impl<'a> Cursor<'a> {
    /// At `at` in `source`, which ends where the parser shall stop.
    pub(crate) fn new(source: &'a str, at: usize, language: Language) -> Cursor<'a> {
        Cursor { source, at, language, depth: 0 }
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Whether `text` comes next.
    pub(crate) fn sees(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    /// Goes past `text` if it comes next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let seen = self.sees(text);
        if seen {
            self.at += text.len();
        }
        seen
    }

    pub(crate) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Goes past white space and then past `text` if it comes next.
    pub(crate) fn eat_spaced(&mut self, text: &str) -> bool {
        self.skip_space();
        self.eat(text)
    }

    /// Goes past `text`, which must come next, after white space.
    pub(crate) fn expect(&mut self, text: &str) -> Result<(), ParseError> {
        if self.eat_spaced(text) { Ok(()) } else { Err(self.unexpected(&format!("`{text}`"))) }
    }

    /// The longest name that begins here; empty if none does.
    pub(crate) fn name(&self) -> &'a str {
        let rest = self.rest();
        let end = match self.language {
            Language::Template => rest.char_indices().find(|&(at, c)| !is_loose(rest, at, c)),
            Language::Expression => rest.char_indices().find(|&(at, c)| !is_strict(rest, at, c)),
        };
        &rest[..end.map_or(rest.len(), |(at, _)| at)]
    }

    /// Runs `parse` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth == NESTING_MAX {
            return Err(self.here(format!("nested more than {NESTING_MAX} deep")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// A string in quotes, which comes next; `\` escapes as in JSON, and the quote itself.
    pub(crate) fn quoted(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let quote = self.peek().expect("the caller has seen a quote");
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                _ if c == quote => return Ok(text),
                '\\' => text.push(self.escape()?),
                _ => text.push(c),
            }
        }
        Err(ParseError::new(start..self.at, "the string has no end").hint(format!("close it with `{quote}`")))
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at - 1;
        let c = self.peek().unwrap_or_default();
        self.at += self.peek().map_or(0, char::len_utf8);
        Ok(match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '\\' | '/' | '"' | '\'' => c,
            'u' => return self.unicode(start),
            _ => {
                return Err(ParseError::new(start..self.at, "unknown escape in the string")
                    .hint("write `\\\\` for a backslash"));
            }
        })
    }

    fn unicode(&mut self, start: usize) -> Result<char, ParseError> {
        let first = self.four_digits(start)?;
        let code = match first {
            0xd800..=0xdbff if self.eat("\\u") => {
                let second = self.four_digits(start)?;
                0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| ParseError::new(start..self.at, "this escape is no character"))
    }

    fn four_digits(&mut self, start: usize) -> Result<u32, ParseError> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let wrong = || ParseError::new(start..self.at, "`\\u` needs four hexadecimal digits");
        let code = u32::from_str_radix(digits.ok_or_else(wrong)?, 16).expect("four hexadecimal digits");
        self.at += 4;
        Ok(code)
    }

    /// An error at the character that comes next.
    pub(crate) fn here(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.at..self.at + self.peek().map_or(0, char::len_utf8), message)
    }

    /// An error that says what is here instead of `wanted`.
    pub(crate) fn unexpected(&self, wanted: &str) -> ParseError {
        match self.peek() {
            None => self.here(format!("expected {wanted}, found the end")),
            Some(c) => self.here(format!("expected {wanted}, found `{c}`")),
        }
    }
}

/// A source that is longer is refused before anything else.
pub(crate) fn check_length(source: &str) -> Result<(), ParseError> {
    if source.len() > SOURCE_MAX {
        return Err(ParseError::new(0..source.len(), format!("longer than {SOURCE_MAX} bytes")));
    }
    Ok(())
}

/// An error about an unknown name, with the known one that may have been meant.
pub(crate) fn unknown<'k>(
    at: Range<usize>,
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> ParseError {
    let error = ParseError::new(at, format!("unknown {what} `{name}`"));
    match did_you_mean(name, known.clone()) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint(format!("there are {}", known.into_iter().collect::<Vec<_>>().join(", "))),
    }
}

/// Whether `c` at `at` belongs to a name between `${` and `}`.
fn is_loose(rest: &str, at: usize, c: char) -> bool {
    match c {
        '-' | '_' | '@' | ':' | '#' | '/' => true,
        '$' => !rest[at + 1..].starts_with('{'),
        _ => c.is_alphanumeric(),
    }
}

/// Whether `c` at `at` belongs to a name in an expression: a minus does between characters of the name.
fn is_strict(rest: &str, at: usize, c: char) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    match c {
        '-' => at > 0 && rest[at + 1..].starts_with(is_word),
        _ => is_word(c),
    }
}
