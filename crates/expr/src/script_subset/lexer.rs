//! Words and signs. Whatever the parser has no use for is not read.

/// A word or sign, and whether a line ends before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) is_first_on_line: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Word(Box<str>),
    Number(f64),
    Text(Box<str>),
    Sign(&'static str),
}

/// Longer ones first. Signs that the parser does not know are here so that they are not taken for shorter ones.
const SIGNS: [&str; 57] = [
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=",
    ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>",
    "**", "{", "}", "(", ")", "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~",
    "?", ":", "=", ".",
];

/// The words and signs of `source`; `None` if there is something else in it.
pub(super) fn tokens(source: &str) -> Option<Vec<Token>> {
    // Interpreters do not agree where these end a line.
    if source.contains(['\u{2028}', '\u{2029}']) {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = source;
    loop {
        let (after, is_first_on_line) = skip_space(rest)?;
        rest = after;
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        let (kind, after) = match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => word(rest),
            '0'..='9' => number(rest)?,
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest)?,
            '"' | '\'' => text(rest, first)?,
            _ => sign(rest)?,
        };
        rest = after;
        tokens.push(Token { kind, is_first_on_line });
    }
}

/// What comes after white space and comments, and whether a line ended in them.
fn skip_space(source: &str) -> Option<(&str, bool)> {
    let (mut rest, mut line_ended) = (source, false);
    loop {
        let first = rest.chars().next();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = &comment[comment.find(is_line_end).unwrap_or(comment.len())..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/")?;
            line_ended |= comment[..end].contains(is_line_end);
            rest = &comment[end + 2..];
        } else if let Some(space) = first.filter(|&c| super::value::is_space(c)) {
            line_ended |= is_line_end(space);
            rest = &rest[space.len_utf8()..];
        } else {
            return Some((rest, line_ended));
        }
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

fn word(source: &str) -> (TokenKind, &str) {
    let (word, rest) = source.split_at(source.find(|c| !is_word(c)).unwrap_or(source.len()));
    (TokenKind::Word(word.into()), rest)
}

/// A decimal number. Not here: other bases, `_`, `n`, and a zero before other digits.
fn number(source: &str) -> Option<(TokenKind, &str)> {
    let digits = |at: usize| source[at..].bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(0);
    if whole > 1 && source.starts_with('0') {
        return None;
    }
    let mut end = whole;
    if source[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    if source[end..].starts_with(['e', 'E']) {
        end += 1;
        end += usize::from(source[end..].starts_with(['+', '-']));
        let exponent = digits(end);
        if exponent == 0 {
            return None;
        }
        end += exponent;
    }
    let (number, rest) = source.split_at(end);
    // A name may not begin where a number ends.
    let is_whole = !rest.starts_with(|c: char| is_word(c) || c == '\\' || !c.is_ascii());
    is_whole.then(|| number.parse().ok().map(|number| (TokenKind::Number(number), rest)))?
}

fn text(source: &str, quote: char) -> Option<(TokenKind, &str)> {
    let mut text = String::new();
    let mut chars = source[1..].chars();
    loop {
        match chars.next()? {
            c if c == quote => return Some((TokenKind::Text(text.into()), chars.as_str())),
            '\n' | '\r' => return None,
            '\\' => text.push(escape(&mut chars)?),
            c => text.push(c),
        }
    }
}

fn escape(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'v' => '\u{b}',
        c @ ('\\' | '\'' | '"' | '/') => c,
        'x' => hexadecimal(chars, 2)?,
        'u' => hexadecimal(chars, 4)?,
        _ => return None,
    })
}

/// Halves of surrogate pairs are no characters.
fn hexadecimal(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let rest = chars.as_str();
    let code = rest.get(..digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    *chars = rest[digits..].chars();
    char::from_u32(u32::from_str_radix(code, 16).ok()?)
}

fn sign(source: &str) -> Option<(TokenKind, &str)> {
    SIGNS.iter().find_map(|sign| source.strip_prefix(sign).map(|rest| (TokenKind::Sign(sign), rest)))
}
