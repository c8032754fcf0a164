//! JSON Schema. References lead to places in the same schema only: nothing is fetched.

use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};

use super::cache::Cache;
use super::{Outcome, failed};
use crate::Wanted;
use crate::error::{Place, ScriptError};
use crate::frame::Asked;

/// So many faults of a value are told.
const FAULTS_MAX: usize = 100;

/// How often a pattern may try another way.
const BACKTRACKING_MAX: usize = 1_000_000;

/// Schemas that were met.
pub(super) struct Schemas {
    compiled: Cache<Arc<Validator>>,
}

impl Schemas {
    pub fn new() -> Schemas {
        Schemas { compiled: Cache::new(64) }
    }

    pub fn answer(&mut self, asked: &Asked<'_>) -> Outcome {
        let validator = self.compiled.get_or(asked.source, compile)?;
        if asked.wanted == Wanted::Syntax {
            return Ok("null".to_owned());
        }
        let value: Value = serde_json::from_str(asked.input).map_err(|error| failed(error.to_string()))?;
        let faults: Vec<Value> = validator
            .iter_errors(&value)
            .take(FAULTS_MAX)
            .map(|fault| json!({ "path": fault.instance_path().as_str(), "message": fault.to_string() }))
            .collect();
        let verdict = if faults.is_empty() {
            json!({"valid": true})
        } else {
            json!({"valid": false, "errors": faults})
        };
        Ok(verdict.to_string())
    }
}

fn compile(source: &str) -> Result<Arc<Validator>, ScriptError> {
    let schema: Value = serde_json::from_str(source).map_err(|error| ScriptError::Syntax {
        message: format!("the schema is no JSON: {error}"),
        at: Some(Place { line: error.line() as u32, column: error.column() as u32 }),
    })?;
    let patterns =
        PatternOptions::fancy_regex().backtrack_limit(BACKTRACKING_MAX).size_limit(super::regex::SIZE_MAX);
    let validator = jsonschema::options().with_pattern_options(patterns).build(&schema);
    validator.map(Arc::new).map_err(|error| ScriptError::Syntax {
        message: format!("the schema is not valid at `{}`: {error}", error.instance_path()),
        at: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Language;

    fn answer(source: &str, input: &str) -> Outcome {
        let timeout = std::time::Duration::from_secs(1);
        Schemas::new().answer(&Asked {
            language: Language::Schema,
            wanted: Wanted::Value,
            timeout,
            source,
            input,
        })
    }

    #[test]
    fn faults_name_their_places() {
        let schema = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}"#;
        assert_eq!(answer(schema, r#"{"id":1}"#).unwrap(), r#"{"valid":true}"#);
        assert_eq!(
            answer(schema, r#"{"id":"x"}"#).unwrap(),
            r#"{"errors":[{"message":"\"x\" is not of type \"integer\"","path":"/id"}],"valid":false}"#
        );
    }

    #[test]
    fn references_within_the_schema_are_followed_and_no_others() {
        let local = r##"{"$ref":"#/$defs/id","$defs":{"id":{"type":"integer"}}}"##;
        assert_eq!(answer(local, "1").unwrap(), r#"{"valid":true}"#);
        for outside in ["http://127.0.0.1:1/schema", "file:///etc/passwd", "other.json"] {
            let schema = json!({ "$ref": outside }).to_string();
            assert!(matches!(answer(&schema, "1"), Err(ScriptError::Syntax { .. })), "{outside}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(matches!(answer("{", "1"), Err(ScriptError::Syntax { at: Some(_), .. })));
        assert!(matches!(answer(r#"{"type":"house"}"#, "1"), Err(ScriptError::Syntax { .. })));
        assert!(matches!(answer(r#"{"pattern":"("}"#, "1"), Err(ScriptError::Syntax { .. })));
    }
}
