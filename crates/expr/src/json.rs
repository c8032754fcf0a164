//! Looks into JSON without copying it.
//!
//! The text has been validated when it came, so this only finds where values begin and end. Text that is no JSON after
//! all gives wrong parts, never a panic.

use std::borrow::Cow;
use std::sync::Arc;

use partitur_model::{Payload, RawJson};

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Truth,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// The kind with its article, for sentences.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Truth => "a truth value",
            Kind::Number => "a number",
            Kind::Text => "a string",
            Kind::List => "a list",
            Kind::Object => "an object",
        }
    }
}

/// A value within a payload.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    /// A whole payload, which is shared when the value is kept.
    Whole(&'a Payload),
    /// A piece of JSON text.
    Piece(&'a str),
}

/// What a value is made of.
enum Shape<'a> {
    Text(&'a str),
    Object(&'a [(Arc<str>, Payload)]),
    List(&'a [Payload]),
}

impl<'a> Node<'a> {
    pub(crate) fn kind(self) -> Kind {
        match self.shape() {
            Shape::Object(_) => Kind::Object,
            Shape::List(_) => Kind::List,
            Shape::Text(text) => match text.as_bytes().first() {
                Some(b'{') => Kind::Object,
                Some(b'[') => Kind::List,
                Some(b'"') => Kind::Text,
                Some(b't' | b'f') => Kind::Truth,
                Some(b'-' | b'0'..=b'9') => Kind::Number,
                Some(_) | None => Kind::Null,
            },
        }
    }

    /// The value on its own.
    pub(crate) fn to_payload(self) -> Payload {
        match self {
            Node::Whole(payload) => payload.clone(),
            Node::Piece(text) => Payload::from(RawJson::trusted(text)),
        }
    }

    /// The JSON text of a number or truth value; for others, what there is.
    pub(crate) fn source(self) -> &'a str {
        match self.shape() {
            Shape::Text(text) => text,
            Shape::Object(_) | Shape::List(_) => "",
        }
    }

    /// The member `key` of an object; of duplicate keys the last.
    pub(crate) fn member(self, key: &str) -> Option<Node<'a>> {
        match self.shape() {
            Shape::Object(parts) => {
                parts.iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| Node::Whole(value))
            }
            Shape::List(_) => None,
            Shape::Text(text) => {
                let parts = parts(text, b'{')?.filter(|(name, _)| is_key(name, key));
                parts.last().map(|(_, value)| Node::Piece(value))
            }
        }
    }

    /// The element at `index` of a list, counted from the end if negative.
    pub(crate) fn element(self, index: i64) -> Option<Node<'a>> {
        let at = match index {
            0.. => usize::try_from(index).ok()?,
            ..0 => self.elements()?.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
        };
        match self.shape() {
            Shape::List(parts) => parts.get(at).map(Node::Whole),
            Shape::Object(_) => None,
            Shape::Text(text) => parts(text, b'[')?.nth(at).map(|(_, value)| Node::Piece(value)),
        }
    }

    /// The elements of a list.
    pub(crate) fn elements(self) -> Option<Vec<Node<'a>>> {
        match self.shape() {
            Shape::List(parts) => Some(parts.iter().map(Node::Whole).collect()),
            Shape::Object(_) => None,
            Shape::Text(text) => Some(parts(text, b'[')?.map(|(_, value)| Node::Piece(value)).collect()),
        }
    }

    /// The entries of an object in written order.
    pub(crate) fn entries(self) -> Option<Vec<(Cow<'a, str>, Node<'a>)>> {
        match self.shape() {
            Shape::Object(parts) => {
                Some(parts.iter().map(|(key, value)| (Cow::from(&**key), Node::Whole(value))).collect())
            }
            Shape::List(_) => None,
            Shape::Text(text) => {
                Some(parts(text, b'{')?.map(|(key, value)| (decode(key), Node::Piece(value))).collect())
            }
        }
    }

    /// The values of a list or object.
    pub(crate) fn children(self) -> Vec<Node<'a>> {
        if let Some(elements) = self.elements() {
            return elements;
        }
        self.entries().unwrap_or_default().into_iter().map(|(_, value)| value).collect()
    }

    /// The characters of a string.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.shape() {
            Shape::Text(text) if text.starts_with('"') => Some(decode(text)),
            Shape::Text(_) | Shape::Object(_) | Shape::List(_) => None,
        }
    }

    fn shape(self) -> Shape<'a> {
        match self {
            Node::Whole(Payload::Null) => Shape::Text("null"),
            Node::Whole(Payload::Raw(raw)) => Shape::Text(raw.as_str()),
            Node::Whole(Payload::Object(parts)) => Shape::Object(parts),
            Node::Whole(Payload::List(parts)) => Shape::List(parts),
            Node::Piece(text) => Shape::Text(text),
        }
    }
}

/// The characters that a JSON string stands for.
fn decode(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(raw);
    if inner.contains('\\') {
        return Cow::from(serde_json::from_str::<String>(raw).unwrap_or_else(|_| inner.to_owned()));
    }
    Cow::from(inner)
}

fn is_key(raw: &str, key: &str) -> bool {
    // Keys with escapes are rare; all others compare as they stand.
    if raw.contains('\\') {
        return decode(raw) == key;
    }
    raw.len() == key.len() + 2 && raw.get(1..raw.len() - 1) == Some(key)
}

/// The parts of the list or object `text`; `None` if it does not begin with `open`. Keys of lists are empty.
fn parts(text: &str, open: u8) -> Option<Parts<'_>> {
    (text.as_bytes().first() == Some(&open)).then_some(Parts { text, at: 1, keyed: open == b'{' })
}

struct Parts<'a> {
    text: &'a str,
    at: usize,
    keyed: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.skip_space_and(b',');
        let key = if self.keyed {
            let key = self.value()?;
            self.skip_space_and(b':');
            key
        } else {
            ""
        };
        Some((key, self.value()?))
    }
}

impl<'a> Parts<'a> {
    fn skip_space_and(&mut self, separator: u8) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at)
            && (matches!(byte, b' ' | b'\n' | b'\r' | b'\t') || byte == separator)
        {
            self.at += 1;
        }
    }

    /// The value that begins here; nothing at the closing bracket.
    fn value(&mut self) -> Option<&'a str> {
        let end = value_end(self.text.as_bytes(), self.at);
        let value = self.text.get(self.at..end)?;
        self.at = end;
        (!value.is_empty()).then_some(value)
    }
}

fn value_end(bytes: &[u8], from: usize) -> usize {
    match bytes.get(from) {
        Some(b'"') => string_end(bytes, from),
        Some(b'{' | b'[') => container_end(bytes, from),
        Some(_) | None => {
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\n' | b'\r' | b'\t');
            from + bytes[from.min(bytes.len())..].iter().take_while(|byte| !ends(byte)).count()
        }
    }
}

fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn container_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0_u32);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_between_all_kinds_of_space() {
        let payload = Payload::parse("{ \"a\" : [ 1 , \"]\\\"\" ,{ } ], \"\\u0062\":\ttrue}").unwrap();
        let node = Node::Whole(&payload);
        assert_eq!(node.member("a").unwrap().element(1).unwrap().text().unwrap(), "]\"");
        assert_eq!(node.member("a").unwrap().element(-1).unwrap().kind(), Kind::Object);
        assert_eq!(node.member("b").unwrap().source(), "true");
        assert!(node.member("c").is_none() && node.member("a").unwrap().element(3).is_none());
    }

    #[test]
    fn the_last_of_duplicate_keys_wins() {
        let payload = Payload::parse(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(Node::Whole(&payload).member("a").unwrap().source(), "2");
    }

    #[test]
    fn text_that_is_no_json_after_all_never_panics() {
        for text in ["{", "[", "{\"", "{\"a", "{\"a\":", "[1,", "]", "[]]", "{\"\\", "[\"ä\\ä", "", "[}{"] {
            let payload = Payload::from(RawJson::trusted(text));
            let node = Node::Whole(&payload);
            let _ =
                (node.kind(), node.member("a").is_some(), node.element(-1).is_some(), node.children().len());
        }
    }
}
