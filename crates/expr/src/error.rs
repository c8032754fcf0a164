//! What can be wrong with a source, and what can go wrong with values.

use std::ops::Range;

/// The source cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Which bytes of the source.
    pub at: Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ParseError {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError { at, message: message.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> ParseError {
        self.hint = Some(hint.into());
        self
    }
}

/// The values do not fit what is asked of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct EvalError {
    /// Which bytes of the source.
    pub at: Range<u32>,
    /// What went wrong.
    pub fault: EvalFault,
}

/// What went wrong in an evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalFault {
    /// A condition is neither true nor false.
    #[error("a condition must be true or false, and this is {found}: compare it with something")]
    NoCondition {
        /// The kind of the value.
        found: &'static str,
    },
    /// Values of different kinds, or of a kind without order, cannot be ordered.
    #[error("{left} and {right} cannot be ordered: compare numbers with numbers, strings with strings")]
    NoOrder {
        /// The kind of the left value.
        left: &'static str,
        /// The kind of the right value.
        right: &'static str,
    },
    /// An operator that does not go with these kinds.
    #[error("`{operator}` does not go with {left} and {right}{remedy}")]
    NoOperation {
        /// The operator.
        operator: &'static str,
        /// The kind of the left value.
        left: &'static str,
        /// The kind of the right value.
        right: &'static str,
        /// `: do this instead`, or nothing.
        remedy: &'static str,
    },
    /// A function that was given a value of the wrong kind.
    #[error("`{function}` needs {needs}, and this is {found}")]
    WrongArgument {
        /// The function.
        function: &'static str,
        /// What it takes.
        needs: &'static str,
        /// The kind of the value.
        found: &'static str,
    },
    /// The exact result or an operand has too many digits.
    #[error("`{0}` is exact, and the numbers have too many digits for that")]
    TooManyDigits(&'static str),
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A regular expression that came as a value is none.
    #[error("this is no regular expression: {0}")]
    BadPattern(String),
    /// The bound on an evaluation's steps.
    #[error("the evaluation took more than {} steps", crate::EVALUATION_STEPS_MAX)]
    TooManySteps,
    /// The bound on the length of a text.
    #[error("the text is longer than {} bytes", crate::TEXT_MAX)]
    TooLong,
}

/// A rule said no, or could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {message}")]
pub struct RuleFailure {
    /// The rule's name.
    pub rule: String,
    /// Its message, or what went wrong.
    pub message: String,
}
