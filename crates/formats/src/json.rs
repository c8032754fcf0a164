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
        let mut escapes = Escapes::None;
        loop {
            self.at += plain_length(&self.bytes[self.at.min(self.bytes.len())..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = escapes.and(self.bytes.get(self.at + 1).copied());
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
        let pushed = match escapes {
            Escapes::None => self.builder.scalar_of_source(Form::Quoted, span),
            Escapes::Short => self.builder.escaped_scalar(span),
            Escapes::Any => {
                let text: String = serde_json::from_str(&self.text[start..self.at])
                    .map_err(|error| syntax(span, &format!("this is no JSON string: {error}")))?;
                self.builder.scalar(Form::Quoted, span, &text)
            }
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

/// What a string holds besides letters that stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    /// Only those of two letters, which cannot be wrong: such a string is decoded when somebody asks for it.
    Short,
    /// Others, which may be wrong.
    Any,
}

impl Escapes {
    fn and(self, sign: Option<u8>) -> Escapes {
        let short = matches!(sign, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'));
        if short && self != Escapes::Any { Escapes::Short } else { Escapes::Any }
    }
}

/// How many bytes at the beginning are neither quote nor backslash nor control character; at least nearly so many. Eight
/// at a time: prose is most of a large file.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The high bit of each byte that is zero, or that is behind one that is.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let is = |word: u64, byte: u8| zero(word ^ (ONES * u64::from(byte)));
    let (words, _) = bytes.as_chunks::<8>();
    let special = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = is(word, b'"') | is(word, b'\\') | control;
        (found != 0).then_some(found.trailing_zeros() as usize / 8)
    };
    let found = words.iter().enumerate().find_map(|(at, word)| Some(at * 8 + special(word)?));
    found.unwrap_or(words.len() * 8)
}

/// The text of a string whose escapes are all short ones, without its quotes.
pub(crate) fn unescaped(text: &str) -> Box<str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        out.push(match rest.as_bytes()[at + 1] {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            itself => char::from(itself),
        });
        rest = &rest[at + 2..];
    }
    out.push_str(rest);
    out.into()
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
    fn a_string_is_read_as_serde_reads_it_wherever_its_escapes_stand() {
        let parts = [
            "a",
            "\\n",
            "é",
            "\\\"",
            "\\\\",
            "\\u00e9",
            "\\ud83d\\ude00",
            "/",
            "\\/",
            "\\b\\f\\r\\t",
            " b: [] ",
        ];
        for first in parts {
            for second in parts {
                for length in 0..9 {
                    let text = format!("[\"{}{first}{second}{first}\"]", "x".repeat(length));
                    let tree =
                        parse(text.as_str().into(), Budget::default()).map_err(|why| why.fault).unwrap();
                    let item = tree.parts(tree.root().unwrap()).next().unwrap();
                    let wanted: Vec<String> = serde_json::from_str(&text).unwrap();
                    assert_eq!(tree.text(item), wanted[0], "{text}");
                }
            }
        }
    }

    #[test]
    fn what_serde_refuses_in_a_string_is_refused() {
        for inner in ["\\x", "\\", "\\u12", "\\ud800", "a\nb", "1234567\u{1}", "12345678\u{1f}", "\\n\\q"] {
            let text = format!("[\"{inner}\"]");
            assert!(serde_json::from_str::<Vec<String>>(&text).is_err(), "{text}");
            assert!(parse(text.as_str().into(), Budget::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_plain_beginning_of_a_string_ends_before_whatever_is_special() {
        for length in 0..20 {
            for special in ["\"", "\\", "\n", "\u{1f}", "\u{0}"] {
                let text = format!("{}{special}{}", "é".repeat(length), "x".repeat(16));
                let plain = plain_length(text.as_bytes());
                assert!(plain <= 2 * length && plain + 8 > 2 * length, "{text:?}: {plain}");
            }
        }
        assert_eq!(plain_length(b"0123456789\x7f ~abcdef"), 16);
    }

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
