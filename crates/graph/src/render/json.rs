//! JSON that may stand in a page: nothing in it ends a script or begins a tag.

use std::fmt::Write as _;

use super::shorten::printable;

/// A text of JSON.
pub fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in printable(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(out, "\\u{:04x}", c as u32).expect("writing into a string cannot fail");
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// A list of what is JSON already.
pub fn list(parts: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", parts.into_iter().collect::<Vec<_>>().join(","))
}

/// An object of what is JSON already.
pub fn object<const N: usize>(parts: [(&str, String); N]) -> String {
    let parts: Vec<String> = parts.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", parts.join(","))
}

/// A number with one digit after the point, or none where it is zero.
pub fn number(value: f32) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    format!("{tenths}")
}

/// A position, or nothing.
pub fn index(value: Option<u32>) -> String {
    value.map_or("-1".to_owned(), |value| value.to_string())
}
