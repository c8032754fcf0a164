//! The JSON Schema of native documents, made from the tables that the reader follows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::keys::{Block, Shape};
use crate::native::DOCUMENT;
use crate::nodes_edges::{GRAPH, IGNORED};

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
        Shape::Expression => json!({
            "anyOf": [{"type": ["number", "boolean"]}, {"type": "string", "pattern": r"^\s*([^$\s]|\$([^{]|$))"}],
        }),
        Shape::Duration => json!({"type": "string", "pattern": r"^\s*([0-9]+\s*[a-zµ]+\s*)+$"}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Count(least) => json!({"type": "integer", "minimum": least, "maximum": u32::MAX}),
        Shape::Number(least) => json!({"type": "number", "minimum": least}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
        Shape::Null => json!({"type": "null"}),
        Shape::Any => json!({}),
        Shape::Whole => json!({"type": "string", "pattern": r"^\s*\$\{[\s\S]*\}\s*$"}),
        Shape::Filled(shape) => {
            let mut filled = shape_schema(shape, definitions);
            filled["minItems"] = json!(1);
            filled["minProperties"] = json!(1);
            filled
        }
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

/// The keys of a mapping as a table in Markdown, by the name the schema gives it; the document itself is `document`,
/// documents of nodes and edges are `graph`.
pub fn key_table(block: &str) -> Option<String> {
    let found = find(&DOCUMENT, block, &mut Vec::new()).or_else(|| find(&GRAPH, block, &mut Vec::new()))?;
    let mut table = "| key | value | |\n|---|---|---|\n".to_owned();
    for key in (found.keys)().into_iter().filter(|key| key.about != IGNORED) {
        let required = if found.required.contains(&key.name) { " (required)" } else { "" };
        table.push_str(&format!("| `{}` | {} | {}{required} |\n", key.name, phrase(&key.shape), key.about));
    }
    Some(table)
}

fn find(block: &'static Block, name: &str, seen: &mut Vec<&'static str>) -> Option<&'static Block> {
    if block.name == name {
        return Some(block);
    }
    if seen.contains(&block.name) {
        return None;
    }
    seen.push(block.name);
    let keys = (block.keys)();
    keys.iter().flat_map(|key| blocks_of(key.shape)).find_map(|inner| find(inner, name, seen))
}

/// The mappings with known keys that a shape allows.
fn blocks_of(shape: Shape) -> Vec<&'static Block> {
    match shape {
        Shape::Block(block) => vec![block],
        Shape::OneOrMany(one) | Shape::List(one) | Shape::Named(one) | Shape::Filled(one) => blocks_of(*one),
        Shape::Either(shapes) => shapes.iter().flat_map(|shape| blocks_of(*shape)).collect(),
        Shape::Text
        | Shape::Template
        | Shape::Expression
        | Shape::Duration
        | Shape::Flag
        | Shape::Count(_)
        | Shape::Number(_)
        | Shape::Word(_)
        | Shape::Pattern(_)
        | Shape::Null
        | Shape::Whole
        | Shape::Any => Vec::new(),
    }
}

/// A shape in a few words.
fn phrase(shape: &Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Template => "text with `${…}`".to_owned(),
        Shape::Expression => "expression".to_owned(),
        Shape::Duration => "duration".to_owned(),
        Shape::Flag => "`true` or `false`".to_owned(),
        Shape::Count(_) => "whole number".to_owned(),
        Shape::Number(_) => "number".to_owned(),
        Shape::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Pattern(_) => "text".to_owned(),
        Shape::Null => "nothing".to_owned(),
        Shape::Any => "any value".to_owned(),
        Shape::Whole => "one `${…}`".to_owned(),
        Shape::Filled(shape) => phrase(shape),
        Shape::OneOrMany(one) => format!("{}, or a list", phrase(one)),
        Shape::List(one) => format!("list: {}", phrase(one)),
        Shape::Named(one) => format!("by name: {}", phrase(one)),
        Shape::Either(shapes) => shapes.iter().map(phrase).collect::<Vec<_>>().join("; "),
        Shape::Block(block) => format!("[{}](#keys-of-{})", block.name, block.name),
    }
}
