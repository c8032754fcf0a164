//! Templates, paths, conditions and rules: compiled once, evaluated purely.
//!
//! [`Template`] and [`Tree`] replace `${…}` in texts and in JSON, [`Expression`] is a condition or a computation,
//! [`Rules`] are conditions that set values. Each is parsed once and then asked with a [`Lookup`], which knows the
//! values. A [`Script`] is the part of JavaScript that the conditions of others use, with exactly its meaning.
//!
//! Values are payloads, and digits stay digits: a number never passes through a float, except in scripts.
//!
//! Not here: where values come from (`engine`), files, clocks, threads. All of JavaScript and jq are `script`'s.
//! Begin with [`Expression`]; `path.rs` is what both languages share, `docs/expressions.md` is the page for people.

mod cursor;
mod error;
mod evaluate;
mod expression;
mod function;
mod json;
mod navigate;
mod number;
mod parse;
mod path;
mod pattern;
mod rule;
mod script_subset;
mod syntax;
mod template;
mod tree;
mod value;

use partitur_model::Payload;

pub use error::{EvalError, EvalFault, ParseError, RuleFailure};
pub use expression::Expression;
pub use navigate::navigate;
pub use path::{Filter, Path, Reduce, Step};
pub use pattern::matches_whole;
pub use rule::Rules;
pub use script_subset::Script;
pub use template::Template;
pub use tree::Tree;

/// No source is longer, in bytes.
pub const SOURCE_MAX: usize = 256 * 1024;

/// Nothing nests deeper: parentheses, lists, calls, filters, `${…}` within `${…}`.
pub const NESTING_MAX: u32 = 64;

/// No path has more steps.
pub const PATH_STEPS_MAX: usize = 256;

/// No evaluation takes more steps: operators, and elements of lists and objects that it looks at.
pub const EVALUATION_STEPS_MAX: u32 = 1_000_000;

/// No text that an expression makes is longer, in bytes.
pub const TEXT_MAX: usize = 16 * 1024 * 1024;

/// No regular expression is larger, as text and as compiled program, in bytes.
pub const PATTERN_MAX: usize = 256 * 1024;

/// Knows the values that paths name.
pub trait Lookup {
    /// The value under a head (`inputs`, `self`, `each`, a task's name, …) and the steps after it; `None` if it is
    /// missing. An implementor finds the value of the head and leaves the remaining steps to [`navigate`].
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload>;
}
