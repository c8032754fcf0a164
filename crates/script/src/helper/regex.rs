//! Regular expressions of users, which take linear time; this is about their size.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::cache::Cache;
use super::{Outcome, failed};
use crate::Wanted;
use crate::error::{Place, ScriptError};
use crate::frame::Asked;

/// No compiled expression is larger, in bytes.
pub(super) const SIZE_MAX: usize = 256 * 1024;

/// Expressions that were met.
pub(super) struct Regexes {
    compiled: Cache<Regex>,
}

impl Regexes {
    pub fn new() -> Regexes {
        Regexes { compiled: Cache::new(256) }
    }

    pub fn answer(&mut self, asked: &Asked<'_>) -> Outcome {
        let regex = self.compiled.get_or(asked.source, compile)?;
        if asked.wanted == Wanted::Syntax {
            return Ok("null".to_owned());
        }
        let Ok(text) = serde_json::from_str::<String>(asked.input) else {
            return Err(failed("a regular expression is asked about a string, and this is none"));
        };
        let groups = regex.captures(&text).map(|found| {
            let group =
                |part: Option<regex::Match<'_>>| part.map_or(Value::Null, |part| part.as_str().into());
            Value::Array(found.iter().map(group).collect())
        });
        Ok(groups.unwrap_or_default().to_string())
    }
}

fn compile(source: &str) -> Result<Regex, ScriptError> {
    RegexBuilder::new(source).size_limit(SIZE_MAX).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(max) => ScriptError::Memory {
            message: format!("the regular expression is too large: compiled, it takes more than {max} bytes"),
        },
        error => ScriptError::Syntax { message: last_line(&error), at: Some(Place { line: 1, column: 1 }) },
    })
}

/// The message without the drawing above it.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    format!("the regular expression is wrong: {}", line.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Language;

    fn answer(source: &str, input: &str) -> Outcome {
        let timeout = std::time::Duration::from_secs(1);
        Regexes::new().answer(&Asked {
            language: Language::Regex,
            wanted: Wanted::Value,
            timeout,
            source,
            input,
        })
    }

    #[test]
    fn the_first_match_with_its_groups_or_null() {
        assert_eq!(answer("(a+)(x)?b", r#""caab""#).unwrap(), r#"["aab","aa",null]"#);
        assert_eq!(answer("^a$", r#""b""#).unwrap(), "null");
    }

    #[test]
    fn wrong_and_huge_expressions_are_refused() {
        let wrong = answer("(", r#""""#).unwrap_err();
        assert_eq!(wrong.to_string(), "the regular expression is wrong: unclosed group (line 1, column 1)");
        assert!(matches!(answer(r"(\w{100}){100}", r#""""#), Err(ScriptError::Memory { .. })));
        assert!(matches!(answer("a", "7"), Err(ScriptError::Runtime { .. })));
    }
}
