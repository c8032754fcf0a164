//! The part of JavaScript that conditions use, without JavaScript.
//!
//! Paths on `$`, literals, comparison, arithmetic, `&& || ?? ! ?:`, `typeof`, `if … else` with completion values,
//! variables, functions called at once, a few methods of strings and lists, lists and objects as results. A [`Script`] means exactly what JavaScript says it means, or it is none: what
//! is not understood is not parsed, and what would be in doubt, or fail, is not evaluated. Both are for the
//! evaluator of the whole language, whose error is the right one.
//!
//! `lexer.rs` and `parser/` read, `scope.rs` knows the variables, `value.rs` has the conversions of the language.

mod evaluate;
mod lexer;
mod method;
mod number;
mod parser;
mod scope;
mod syntax;
mod value;

use partitur_model::Payload;

use crate::Lookup;
use syntax::Program;

/// The head under which the input of a script is looked up. It is an object.
pub(crate) const INPUT: &str = "$";

/// No source is longer, in bytes.
const SOURCE_MAX: usize = 16 * 1024;

/// A source in the part of JavaScript that conditions use.
#[derive(Clone, Debug)]
pub struct Script {
    program: Program,
}

impl Script {
    /// Reads a program, whose value is its completion value. `None` if it is not in this part of the language, or no
    /// JavaScript at all.
    pub fn parse(source: &str) -> Option<Script> {
        (source.len() <= SOURCE_MAX).then(|| parser::program(source))?.map(|program| Script { program })
    }

    /// Reads the body of a function, whose value is what it returns.
    pub fn parse_body(source: &str) -> Option<Script> {
        (source.len() <= SOURCE_MAX).then(|| parser::body(source))?.map(|program| Script { program })
    }

    /// The value: null, a truth value, a number or a string. `None` if it is another, or in doubt, or if JavaScript
    /// would throw something.
    ///
    /// The lookup is asked for what lies under the head `$`, which must be an object.
    pub fn evaluate(&self, lookup: &dyn Lookup) -> Option<Payload> {
        evaluate::value(&self.program, lookup)?.into_payload()
    }
}

#[cfg(test)]
mod tests;
