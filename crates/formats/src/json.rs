//! JSON into a [`Tree`], in one pass over the bytes.

use std::sync::Arc;

use crate::codes;
use crate::tree::{Budget, Builder, Form, OverBudget, Span, Tree};
use crate::yaml::Unreadable;

/// Reads the one value of `source`.
pub(crate) fn parse(source: Arc<str>, budget: Budget) -> Result<Tree, Unreadable> {
    let builder = Builder::new(source.clone(), budget);
    let mut reader =
        JsonReader { text: &source, bytes: source.as_bytes(), at: 0, builder, open: Vec::new(), budget };
    reader.skip_space();
    if reader.at < reader.bytes.len() {
        reader.read_document()?;
    }
    Ok(reader.builder.finish())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    List,
    Map,
}

struct JsonReader<'s> {
    text: &'s str,
    bytes: &'s [u8],
    at: usize,
    builder: Builder,
    open: Vec<Container>,
    budget: Budget,
}

impl JsonReader<'_> {
    /// The value and all within it; a loop instead of recursion, so that depth costs no stack.
    fn read_document(&mut self) -> Result<(), Unreadable> {
        self.begin_value()?;
        while let Some(&container) = self.open.last() {
            self.skip_space();
            let close = if container == Container::List { b']' } else { b'}' };
            match self.peek() {
                Some(byte) if byte == close => self.close(),
                Some(b',') => {
                    self.at += 1;
                    self.skip_space();
                    self.member_or_element(container)?;
                }
                Some(_) | None => {
                    let wanted = if container == Container::List { "`,` or `]`" } else { "`,` or `}`" };
                    return Err(self.expected(wanted));
                }
            }
        }
        self.skip_space();
        if self.at < self.bytes.len() { Err(self.expected("the end of the file")) } else { Ok(()) }
    }

    fn member_or_element(&mut self, container: Container) -> Result<(), Unreadable> {
        if container == Container::Map {
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            self.string()?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.expected("`:`"));
            }
            self.at += 1;
            self.skip_space();
        }
        self.begin_value()
    }

    /// A scalar as a whole; of a container, its beginning up to its first scalar.
    fn begin_value(&mut self) -> Result<(), Unreadable> {
        loop {
            let container = match self.peek() {
                Some(b'"') => return self.string(),
                Some(b'{') => Container::Map,
                Some(b'[') => Container::List,
                Some(_) | None => return self.literal(),
            };
            self.open(container)?;
            self.skip_space();
            let close = if container == Container::List { b']' } else { b'}' };
            if self.peek() == Some(close) {
                self.close();
                return Ok(());
            }
            if container == Container::Map {
                return self.member_or_element(container);
            }
        }
    }

    fn open(&mut self, container: Container) -> Result<(), Unreadable> {
        let span = self.span_from(self.at);
        let form = if container == Container::List { Form::List } else { Form::Map };
        let begun = self.builder.begin(form, span);
        self.within_budget(begun, span)?;
        self.open.push(container);
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        self.open.pop();
        self.builder.end(self.at as u32);
    }

    /// `true`, `false`, `null` or a number.
    fn literal(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        if !(matches!(text, "true" | "false" | "null") || is_number(text)) {
            self.at = start;
            return Err(self.expected("a value"));
        }
        let span = self.span_from(start);
        let pushed = self.builder.scalar_of_source(Form::Plain, span);
        self.within_budget(pushed, span).map(|_| ())
    }

    fn string(&mut self) -> Result<(), Unreadable> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..0x20) => return Err(self.expected("no control character within a string")),
                Some(_) => self.at += 1,
                None => {
                    self.at = start;
                    return Err(self.expected("the closing `\"` of this string"));
                }
            }
        }
        self.at += 1;
        let span = self.span_from(start);
        let pushed = if escaped {
            let text: String = serde_json::from_str(&self.text[start..self.at])
                .map_err(|error| syntax(span, &format!("this is no JSON string: {error}")))?;
            self.builder.scalar(Form::Quoted, span, &text)
        } else {
            self.builder.scalar_of_source(Form::Quoted, span)
        };
        self.within_budget(pushed, span).map(|_| ())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn span_from(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.at as u32 }
    }

    fn within_budget<T>(&self, result: Result<T, OverBudget>, span: Span) -> Result<T, Unreadable> {
        result.map_err(|over| Unreadable::over_budget(over, span, self.budget))
    }

    fn expected(&self, wanted: &str) -> Unreadable {
        let at = self.at.min(self.bytes.len());
        let found = self.text[at..].chars().next();
        let end = at + found.map_or(0, char::len_utf8);
        let found = found.map_or("the end of the file".to_owned(), |c| match c.is_control() {
            true => format!("`{}`", c.escape_default()),
            false => format!("`{c}`"),
        });
        let span = Span { start: at as u32, end: end as u32 };
        syntax(span, &format!("this is no JSON: expected {wanted}, found {found}"))
    }
}

fn syntax(span: Span, message: &str) -> Unreadable {
    Unreadable::new(codes::SYNTAX, span, message).label("here")
}

/// Whether the text is a number as JSON writes it.
pub(crate) fn is_number(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for text in ["0", "-0", "10", "1.50", "1e5", "1E-7", "12345678901234567890123"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", "01", "+1", ".5", "1.", "1e", "0x1", "1_000", "NaN", "1e+"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
