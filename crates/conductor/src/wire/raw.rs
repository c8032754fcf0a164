//! JSON that stays the bytes that came, and maps that keep their order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use partitur_model::Payload;
use partitur_model::value::RawJson;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

/// Any JSON value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Json(pub Payload);

/// A JSON object; `null` stands for the empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object(pub Payload);

impl Object {
    /// Whether it has no entry.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Payload::Null => true,
            Payload::Raw(raw) => raw.as_str().trim_start_matches('{').trim_start() == "}",
            Payload::Object(entries) => entries.is_empty(),
            Payload::List(_) => false,
        }
    }
}

impl Default for Object {
    fn default() -> Object {
        Object(Payload::from(RawJson::trusted("{}")))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_value::<S>(&self.0)?.serialize(serializer)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw_value::<S>(&self.0)?.serialize(serializer)
    }
}

fn raw_value<S: Serializer>(payload: &Payload) -> Result<Box<RawValue>, S::Error> {
    RawValue::from_string(payload.render()).map_err(serde::ser::Error::custom)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Payload::parse(raw.get()).map(Json).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'{') => Payload::parse(raw.get()).map(Object).map_err(D::Error::custom),
            Some(b'n') => Ok(Object::default()),
            _ => Err(D::Error::custom(format!("expected an object, found `{}`", excerpt(raw.get())))),
        }
    }
}

/// The beginning of a value, for an error.
fn excerpt(text: &str) -> String {
    let mut part: String = text.chars().take(40).collect();
    if part.len() < text.len() {
        part.push('…');
    }
    part
}

/// A JSON object whose entries keep their order; of duplicate keys the last wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<V>(pub Vec<(String, V)>);

impl<V> Default for Entries<V> {
    fn default() -> Entries<V> {
        Entries(Vec::new())
    }
}

impl<V> Entries<V> {
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&V> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

impl<V: Serialize> Serialize for Entries<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, V: Deserialize<'de> + Default> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<V>, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

impl JsonSchema for Object {
    fn schema_name() -> Cow<'static, str> {
        "Object".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object"})
    }
}

impl<V: JsonSchema> JsonSchema for Entries<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("EntriesOf{}", V::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": generator.subschema_for::<V>()})
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de> + Default> Visitor<'de> for EntriesVisitor<V> {
    type Value = Entries<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
        let mut entries: Vec<(String, V)> = Vec::new();
        // Where the names are: whoever compared each with each could be kept busy for hours.
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, Option<V>>()? {
            let value = value.unwrap_or_default();
            match places.get(&key) {
                Some(&at) => entries[at].1 = value,
                None => {
                    places.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
            }
        }
        Ok(Entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_goes_out_digit_by_digit() {
        let text = r#"{"z":0.10,"a":[1, null]}"#;
        let object: Object = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), text);
        assert!(!object.is_empty());
    }

    #[test]
    fn null_is_the_empty_object_and_everything_else_is_refused() {
        assert!(serde_json::from_str::<Object>("null").unwrap().is_empty());
        assert!(serde_json::from_str::<Object>("{ }").unwrap().is_empty());
        let error = serde_json::from_str::<Object>(r#""x""#).unwrap_err().to_string();
        assert!(error.contains(r#"expected an object, found `"x"`"#), "{error}");
    }

    #[test]
    fn entries_keep_their_order_and_the_last_duplicate_wins() {
        let entries: Entries<Vec<u32>> = serde_json::from_str(r#"{"z":[1],"a":null,"z":[2]}"#).unwrap();
        assert_eq!(entries.0, [("z".to_owned(), vec![2]), ("a".to_owned(), vec![])]);
    }
}
