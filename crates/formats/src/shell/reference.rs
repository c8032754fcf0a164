//! `${head.rest}`: which are ours, and where they end.

use crate::native::{HEADS, Names};

/// No `${…}` is longer, in bytes.
pub(super) const REFERENCE_MAX: usize = 1_000;

/// A `${head.rest}` of ours.
pub(super) struct Reference {
    /// Bytes from `$` to behind `}`.
    pub(super) length: usize,
}

/// What begins with `${` at the beginning of `text`.
pub(super) enum Dollar<'s> {
    Ours(Reference),
    /// Ours by its head, but it has no end.
    Open,
    /// A name with a dot that nobody knows: no shell has such names either.
    Unknown(&'s str),
    /// The shell's.
    Theirs,
}

/// Looks at a text that begins with `${`.
pub(super) fn dollar<'s>(text: &'s str, names: &Names) -> Dollar<'s> {
    let inner = &text[2..];
    let end = inner.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(inner.len());
    let head = &inner[..end];
    if !inner[end..].starts_with('.')
        || !inner[end + 1..].starts_with(|c: char| c.is_alphanumeric() || "_['*.$".contains(c))
    {
        return Dollar::Theirs;
    }
    if HEADS.contains(&head) || names.anywhere(head) {
        return match closing_brace(text) {
            Some(length) => Dollar::Ours(Reference { length }),
            None => Dollar::Open,
        };
    }
    if head.is_empty() || head.starts_with(|c: char| c.is_ascii_digit()) {
        Dollar::Theirs
    } else {
        Dollar::Unknown(head)
    }
}

/// Bytes up to and with the brace that closes the `${` at the beginning of `text`. Braces in quotes do not count.
fn closing_brace(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    let mut brackets = 0_u32;
    for (at, c) in text.char_indices().take_while(|(at, _)| *at < REFERENCE_MAX) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '[' => brackets += 1,
                ']' => brackets = brackets.saturating_sub(1),
                '\'' | '"' if brackets > 0 => quote = Some(c),
                '{' => depth += 1,
                '}' if depth == 1 => return Some(at + 1),
                '}' => depth -= 1,
                '\n' => return None,
                _ => {}
            },
        }
    }
    None
}
