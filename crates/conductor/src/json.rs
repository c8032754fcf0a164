//! Small things about JSON text.

use partitur_model::Payload;
use partitur_model::value::RawJson;

/// The text of a payload, if it is a string.
pub fn text(payload: &Payload) -> Option<String> {
    match payload {
        Payload::Raw(raw) if raw.as_str().starts_with('"') => serde_json::from_str(raw.as_str()).ok(),
        Payload::Raw(_) | Payload::Null | Payload::Object(_) | Payload::List(_) => None,
    }
}

/// A scalar as text: strings without quotes, everything else as JSON.
pub fn plain(payload: &Payload) -> String {
    text(payload).unwrap_or_else(|| payload.render())
}

/// The whole number that a payload is, in quotes or not.
pub fn whole(payload: &Payload) -> Option<i64> {
    plain(payload).trim().parse().ok()
}

/// Whether a payload is an object.
pub fn is_object(payload: &Payload) -> bool {
    match payload {
        Payload::Object(_) => true,
        Payload::Raw(raw) => raw.as_str().starts_with('{'),
        Payload::Null | Payload::List(_) => false,
    }
}

/// Whether a payload is an object or array without anything in it, or `null`.
pub fn is_empty(payload: &Payload) -> bool {
    payload.is_null()
        || payload.entries().is_some_and(|entries| entries.is_empty())
        || payload.elements().is_some_and(|elements| elements.is_empty())
}

/// The empty object.
pub fn empty_object() -> Payload {
    Payload::from(RawJson::trusted("{}"))
}

/// An object with some entries replaced or added.
pub fn with(object: &Payload, added: impl IntoIterator<Item = (&'static str, Payload)>) -> Payload {
    let mut entries = object.entries().unwrap_or_default();
    for (key, value) in added {
        entries.retain(|(known, _)| &**known != key);
        entries.push((key.into(), value));
    }
    Payload::Object(entries.into())
}

/// Appends a JSON string.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => {
                out.push_str(&text[plain_from..at]);
                out.push_str(&format!("\\u{byte:04x}"));
                plain_from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[plain_from..at]);
        out.push_str(escape);
        plain_from = at + 1;
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

/// JSON text without the white space between its parts.
pub fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut from, mut in_string, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else if byte == b'"' {
            in_string = true;
        } else if byte.is_ascii_whitespace() {
            out.push_str(&text[from..at]);
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
    out
}

/// JSON text in which no string holds a `${…}` any more: each stands for itself where templates are filled in.
pub fn shielded(text: &str) -> String {
    // A dollar or brace may be spelt as an escape; both spellings of both are made one first.
    let mut plain = text.to_owned();
    for (escape, character) in [("\\u0024", "$"), ("\\u007b", "{"), ("\\u007B", "{")] {
        plain = unescaped(&plain, escape, character);
    }
    plain.replace("${", "$${")
}

/// Replaces an escape by its character, but not where its backslash is itself escaped.
fn unescaped(text: &str, escape: &str, character: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(escape) {
        let backslashes = text[..at].bytes().rev().take_while(|&byte| byte == b'\\').count();
        if backslashes % 2 == 0 {
            out.push_str(&text[from..at]);
            out.push_str(character);
            from = at + escape.len();
        }
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pushed_text_is_read_back() {
        for text in ["", "plain", "a\"b\\c\nd\re\tf\u{1}g\u{1f}", "ümlaut 🎼", "\u{7f}"] {
            let mut out = String::new();
            push_text(&mut out, text);
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn compact_text_keeps_what_strings_hold() {
        let text = "{ \"a b\" : [ 1 , \" \\\" x \" ] ,\n\t\"c\\\\\" : 0.10 }";
        assert_eq!(compact(text), r#"{"a b":[1," \" x "],"c\\":0.10}"#);
    }

    #[test]
    fn a_shielded_template_stands_for_itself() {
        assert_eq!(shielded(r#"{"a":"${x} $${y}"}"#), r#"{"a":"$${x} $$${y}"}"#);
        assert_eq!(shielded(r#""\u0024\u007bx}""#), r#""$${x}""#);
        assert_eq!(shielded(r#""\\u0024{x}""#), r#""\\u0024{x}""#);
    }
}
