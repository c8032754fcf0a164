//! Why there is no value.

use std::fmt;
use std::time::Duration;

/// Why an evaluation gave no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The source is not what its language allows.
    #[error("{message}{}", At(*.at))]
    Syntax {
        /// The evaluator's sentence.
        message: String,
        /// Where in the source.
        at: Option<Place>,
    },
    /// The source failed while it was evaluated, or its value cannot be written as JSON.
    #[error("{message}{}", At(*.at))]
    Runtime {
        /// What the source threw, or the evaluator's sentence.
        message: String,
        /// Where in the source.
        at: Option<Place>,
    },
    /// It took too long and was ended.
    #[error("the evaluation took longer than {} ms and was ended", .after.as_millis())]
    Timeout {
        /// How long it was allowed to take.
        after: Duration,
    },
    /// It needed more memory than it may have.
    #[error("{message}")]
    Memory {
        /// What was exhausted.
        message: String,
    },
    /// Something is larger than it may be.
    #[error("the {subject} has {bytes} bytes, more than the {max} that it may have")]
    TooLarge {
        /// What is too large.
        subject: Subject,
        /// Its size; of a result that was not finished, the size at which that was noticed.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Too many evaluations wait already. It may be tried again later.
    #[error("{waiting} evaluations wait already: try again later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// No helper can be started, or the pool has ended. The source has nothing to do with it.
    #[error("sources cannot be evaluated now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// What may be too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The source code.
    Source,
    /// The value that the source sees.
    Input,
    /// The value that the source makes.
    Result,
}

/// A place in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From one.
    pub line: u32,
    /// From one.
    pub column: u32,
}

impl Place {
    /// The place of the byte at `offset`. Columns count characters.
    pub(crate) fn of_offset(source: &str, offset: usize) -> Place {
        let before = &source.as_bytes()[..offset.min(source.len())];
        let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        Place { line: line as u32, column: column as u32 }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Subject::Source => "source",
            Subject::Input => "input",
            Subject::Result => "result",
        })
    }
}

struct At(Option<Place>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Place { line, column }) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let source = "eins\n  zwölf x";
        assert_eq!(Place::of_offset(source, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of_offset(source, source.len() - 1), Place { line: 2, column: 9 });
        assert_eq!(Place::of_offset(source, 1000), Place { line: 2, column: 10 });
    }

    #[test]
    fn errors_say_where() {
        let error = ScriptError::Runtime { message: "boom".into(), at: Some(Place { line: 2, column: 7 }) };
        assert_eq!(error.to_string(), "boom (line 2, column 7)");
        let error = ScriptError::TooLarge { subject: Subject::Result, bytes: 11, max: 10 };
        assert_eq!(error.to_string(), "the result has 11 bytes, more than the 10 that it may have");
    }
}
