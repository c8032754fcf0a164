//! Payloads: JSON that stays the bytes that came.
//!
//! A payload is validated once and then kept raw, so that `0.10` stays `0.10` and a large output costs nothing.
//! It is a rope: [`Payload::Object`] and [`Payload::List`] share the parts of which they are made, so that the output
//! of ten thousand branches is composed without copying and rendered only when it leaves.

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

/// How deep JSON may be nested; deeper text is refused by the parser.
pub const DEPTH_MAX: usize = 128;

/// Validated JSON text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Arc<str>);

impl RawJson {
    /// Validates `text` as one JSON value, at most [`DEPTH_MAX`] deep. White space around the value is dropped.
    ///
    /// # Errors
    /// The parser's message with line and column.
    pub fn parse(text: &str) -> Result<RawJson, serde_json::Error> {
        // `RawValue` and `IgnoredAny` skip over what they do not need: neither limits the depth nor decodes strings.
        serde_json::from_str::<Walked>(text)?;
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(RawJson(raw.get().into()))
    }

    /// From text that is known to be JSON: a slice of validated text, or text that we rendered.
    pub fn trusted(text: impl Into<Arc<str>>) -> RawJson {
        RawJson(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON of which every part has been decoded and forgotten.
struct Walked;

impl<'de> serde::Deserialize<'de> for Walked {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Walked, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> serde::de::Visitor<'de> for Walk {
    type Value = Walked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_str<E>(self, _: &str) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_unit<E>(self) -> Result<Walked, E> {
        Ok(Walked)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Walked, A::Error> {
        while seq.next_element::<Walked>()?.is_some() {}
        Ok(Walked)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Walked, A::Error> {
        while map.next_entry::<Walked, Walked>()?.is_some() {}
        Ok(Walked)
    }
}

/// A JSON value made of shared parts.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub enum Payload {
    /// `null`.
    #[default]
    Null,
    /// Bytes that came from outside or were rendered once.
    Raw(RawJson),
    /// An object; keys in the order in which they are written.
    Object(Arc<[(Arc<str>, Payload)]>),
    /// An array.
    List(Arc<[Payload]>),
}

impl Payload {
    /// Validates `text` as JSON; see [`RawJson::parse`].
    ///
    /// # Errors
    /// The parser's message with line and column.
    pub fn parse(text: &str) -> Result<Payload, serde_json::Error> {
        RawJson::parse(text).map(Payload::from)
    }

    /// A JSON string.
    pub fn string(text: &str) -> Payload {
        Payload::from(&serde_json::Value::from(text))
    }

    /// An object of shared parts.
    pub fn object<K: Into<Arc<str>>>(parts: impl IntoIterator<Item = (K, Payload)>) -> Payload {
        Payload::Object(parts.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// An array of shared parts.
    pub fn list(parts: impl IntoIterator<Item = Payload>) -> Payload {
        Payload::List(parts.into_iter().collect())
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        match self {
            Payload::Null => true,
            Payload::Raw(raw) => raw.as_str() == "null",
            Payload::Object(_) | Payload::List(_) => false,
        }
    }

    /// The value at one step into an object; `None` for a missing key and for what is no object.
    /// Of duplicate keys the last wins, as in every common reader.
    pub fn member(&self, key: &str) -> Option<Payload> {
        match self {
            Payload::Null | Payload::List(_) => None,
            Payload::Raw(raw) => raw_member(raw.as_str(), key),
            Payload::Object(parts) => {
                parts.iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| value.clone())
            }
        }
    }

    /// The elements of an array; `None` for what is no array.
    pub fn elements(&self) -> Option<Vec<Payload>> {
        match self {
            Payload::Null | Payload::Object(_) => None,
            Payload::Raw(raw) => {
                let parts: Vec<&RawValue> = serde_json::from_str(raw.as_str()).ok()?;
                Some(parts.into_iter().map(|part| Payload::from(RawJson::trusted(part.get()))).collect())
            }
            Payload::List(parts) => Some(parts.to_vec()),
        }
    }

    /// The entries of an object in written order; `None` for what is no object.
    pub fn entries(&self) -> Option<Vec<(Arc<str>, Payload)>> {
        match self {
            Payload::Null | Payload::List(_) => None,
            Payload::Raw(raw) => raw_entries(raw.as_str()),
            Payload::Object(parts) => Some(parts.to_vec()),
        }
    }

    /// The value as a tree, for what has to look inside. Numbers keep at most the precision of an `f64` or `u64`.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.render()).unwrap_or(serde_json::Value::Null)
    }

    /// The JSON text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.render_into(&mut text);
        text
    }

    /// Appends the JSON text to `out`.
    pub fn render_into(&self, out: &mut String) {
        match self {
            Payload::Null => out.push_str("null"),
            Payload::Raw(raw) => out.push_str(raw.as_str()),
            Payload::Object(parts) => {
                out.push('{');
                for (at, (key, value)) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(&**key).to_string());
                    out.push(':');
                    value.render_into(out);
                }
                out.push('}');
            }
            Payload::List(parts) => {
                out.push('[');
                for (at, value) in parts.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    value.render_into(out);
                }
                out.push(']');
            }
        }
    }

    /// The JSON text, sharing it when the payload is already one piece.
    pub fn to_raw(&self) -> RawJson {
        match self {
            Payload::Raw(raw) => raw.clone(),
            Payload::Null | Payload::Object(_) | Payload::List(_) => RawJson::trusted(self.render()),
        }
    }
}

impl From<RawJson> for Payload {
    fn from(raw: RawJson) -> Payload {
        Payload::Raw(raw)
    }
}

impl From<&serde_json::Value> for Payload {
    fn from(value: &serde_json::Value) -> Payload {
        Payload::Raw(RawJson::trusted(value.to_string()))
    }
}

impl From<u64> for Payload {
    fn from(number: u64) -> Payload {
        Payload::Raw(RawJson::trusted(number.to_string()))
    }
}

impl From<bool> for Payload {
    fn from(truth: bool) -> Payload {
        Payload::Raw(RawJson::trusted(if truth { "true" } else { "false" }))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render())
    }
}

fn raw_member(text: &str, key: &str) -> Option<Payload> {
    if !text.starts_with('{') {
        return None;
    }
    let entries = raw_entries(text)?;
    entries.into_iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| value)
}

/// Entries of a JSON object in written order. A visitor, because `serde_json`'s map would drop the order or the
/// duplicates.
fn raw_entries(text: &str) -> Option<Vec<(Arc<str>, Payload)>> {
    struct Entries;
    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = Vec<(Arc<str>, Payload)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(key) = map.next_key::<String>()? {
                let value: &RawValue = map.next_value()?;
                entries.push((key.into(), Payload::from(RawJson::trusted(value.get()))));
            }
            Ok(entries)
        }
    }
    use serde::Deserializer as _;
    serde_json::Deserializer::from_str(text).deserialize_map(Entries).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stay_as_written() {
        let payload = Payload::parse(r#" {"sum": 0.10, "id": 12345678901234567890123} "#).unwrap();
        assert_eq!(payload.member("sum").unwrap().render(), "0.10");
        assert_eq!(payload.member("id").unwrap().render(), "12345678901234567890123");
    }

    #[test]
    fn the_last_of_duplicate_keys_wins() {
        let payload = Payload::parse(r#"{"a": 1, "a": 2}"#).unwrap();
        assert_eq!(payload.member("a").unwrap().render(), "2");
    }

    #[test]
    fn a_rope_renders_like_its_text() {
        let part = Payload::parse(r#"{"x":[1,"zwei"]}"#).unwrap();
        let rope = Payload::object([("a", part.clone()), ("b\"", Payload::list([part, Payload::Null]))]);
        let text = r#"{"a":{"x":[1,"zwei"]},"b\"":[{"x":[1,"zwei"]},null]}"#;
        assert_eq!(rope.render(), text);
        assert_eq!(Payload::parse(text).unwrap().to_value(), rope.to_value());
    }

    #[test]
    fn text_that_is_no_json_or_too_deep_is_refused() {
        for text in ["", "{", "nul", "1 2", "{\"a\":}", "\"\\ud800\"x"] {
            assert!(Payload::parse(text).is_err(), "{text}");
        }
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        assert!(Payload::parse(&deep).is_err());
    }
}
