//! Regular expressions, within bounds.

use regex::{Regex, RegexBuilder};

use crate::PATTERN_MAX;
use crate::error::ParseError;
use crate::syntax::{Expr, ExprKind};
use crate::value::Value;

/// The right side of `matches`.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// Written in the source, compiled with it.
    Fixed(Regex),
    /// Known only when values are.
    Computed(Box<Expr>),
}

impl Pattern {
    pub(crate) fn parse(source: Expr) -> Result<Pattern, ParseError> {
        let ExprKind::Literal(Value::Text(text)) = &source.kind else {
            return Ok(Pattern::Computed(source.into()));
        };
        let at = source.at.start as usize..source.at.end as usize;
        compile(text).map(Pattern::Fixed).map_err(|message| wrong(at, &message))
    }
}

/// Whether `pattern` matches the whole of `text`.
///
/// # Errors
/// What is wrong with the pattern.
pub fn matches_whole(pattern: &str, text: &str) -> Result<bool, ParseError> {
    let wrong = |message: String| wrong(0..pattern.len(), &message);
    // Alone first: `a)|(b` would be a pattern only between the parentheses that follow.
    compile(pattern).map_err(wrong)?;
    compile(&format!(r"\A(?:{pattern})\z")).map(|regex| regex.is_match(text)).map_err(wrong)
}

fn wrong(at: std::ops::Range<usize>, message: &str) -> ParseError {
    ParseError::new(at, format!("this is no regular expression: {message}"))
}

/// Compiles a regular expression within its bounds; the error is one line.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_MAX {
        return Err(format!("longer than {PATTERN_MAX} bytes"));
    }
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_MAX).dfa_size_limit(PATTERN_MAX).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("larger than {limit} bytes when compiled"),
        other => {
            // The parser draws a picture; its last line says what is wrong.
            let text = other.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    })
}
