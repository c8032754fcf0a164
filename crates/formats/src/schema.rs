//! The JSON Schema of native documents, made from the tables that the reader follows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::keys::{Block, Shape};
use crate::native::DOCUMENT;

/// The JSON Schema (draft 2020-12) of native documents.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    let mut document = block_schema(&DOCUMENT, &mut definitions);
    let defs: serde_json::Map<String, Value> = definitions
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.expect("every block was described")))
        .collect();
    let top = document.as_object_mut().expect("a block is an object");
    top.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    top.insert("title".into(), json!("Partitur document"));
    top.insert("required".into(), json!(["tasks"]));
    top.insert("$defs".into(), Value::Object(defs));
    document
}

/// The blocks described so far; `None` while one is being described.
type Definitions = BTreeMap<&'static str, Option<Value>>;

fn block_schema(block: &Block, definitions: &mut Definitions) -> Value {
    let mut properties = serde_json::Map::new();
    for key in (block.keys)() {
        let mut value = shape_schema(&key.shape, definitions);
        value.as_object_mut().expect("a schema is an object").insert("description".into(), json!(key.about));
        properties.insert(key.name.to_owned(), value);
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !block.required.is_empty() {
        schema["required"] = json!(block.required);
    }
    if let Some(prefix) = block.ignored_prefix {
        schema["patternProperties"] = json!({format!("^{prefix}"): true});
    }
    schema
}

fn shape_schema(shape: &Shape, definitions: &mut Definitions) -> Value {
    match shape {
        Shape::Text | Shape::Template => json!({"type": ["string", "number", "boolean"]}),
        Shape::Expression => {
            json!({"type": ["string", "number", "boolean"], "not": {"pattern": r"^\s*\$\{"}, "minLength": 1})
        }
        Shape::Duration => json!({"type": "string", "pattern": r"^\s*([0-9]+\s*[a-zµ]+\s*)+$"}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Count(least) => json!({"type": "integer", "minimum": least, "maximum": u32::MAX}),
        Shape::Number(least) => json!({"type": "number", "minimum": least}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
        Shape::Null => json!({"type": "null"}),
        Shape::Any => json!({}),
        Shape::OneOrMany(one) => {
            let one = shape_schema(one, definitions);
            json!({"anyOf": [one, {"type": "array", "items": one}]})
        }
        Shape::List(one) => json!({"type": "array", "items": shape_schema(one, definitions)}),
        Shape::Named(one) => {
            json!({"type": "object", "additionalProperties": shape_schema(one, definitions)})
        }
        Shape::Either(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|shape| shape_schema(shape, definitions)).collect();
            json!({"anyOf": any})
        }
        Shape::Block(block) => {
            if !definitions.contains_key(block.name) {
                definitions.insert(block.name, None);
                let described = block_schema(block, definitions);
                definitions.insert(block.name, Some(described));
            }
            json!({"$ref": format!("#/$defs/{}", block.name)})
        }
    }
}
