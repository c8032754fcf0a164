//! Values in shell scripts: found, moved into variables, and named there in quotes that fit the place.
//!
//! A small lexer follows the shell's quoting. Where it cannot be sure that a value stays a value, it refuses: then
//! the author assigns the value to a variable first, which is always possible.
//!
//! `lexer.rs` follows the quoting, `value.rs` puts variables in the place of values, `words.rs` knows what needs no shell.

mod lexer;
mod reference;
mod value;
mod words;

use partitur_model::definition::Template;
use partitur_model::{Fault, Place};

use self::lexer::Lexer;
use self::reference::{Dollar, dollar};
use crate::codes;
use crate::native::{HEADS, Names};

pub(crate) use words::plain_words;

/// Shells whose quoting this module knows.
pub(crate) const NAMES: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// No script is longer, in bytes: Linux takes no longer argument.
pub(crate) const SCRIPT_MAX: usize = 128 * 1024 - 1;

/// Whether the program is a shell whose quoting this module knows.
pub(crate) fn is_posix(program: &str) -> bool {
    NAMES.contains(&program.rsplit('/').next().unwrap_or(program))
}

/// A script whose values have become variables.
pub(crate) struct Script {
    pub(crate) text: String,
    pub(crate) vars: Vec<(String, Template)>,
    pub(crate) refusals: Vec<Refusal>,
}

/// A `${…}` that cannot be given to the shell.
pub(crate) struct Refusal {
    /// Bytes of the script.
    start: usize,
    end: usize,
    why: Why,
}

enum Why {
    /// The place has no quotes that keep a value a value.
    Place(&'static str),
    UnknownHead {
        name: String,
        meant: Option<String>,
    },
    /// The expression has no end.
    Open,
    /// Something before has no end, so that the quoting is not known.
    Unclosed(&'static str),
    /// Not a shell that we know.
    Shell(String),
}

impl Refusal {
    pub(crate) fn into_fault(self, place: Place) -> Fault {
        let fault = |code, message: String, label: &str, hint: String| {
            Fault::error(code, place, message).label(label).hint(hint).within(self.start, self.end)
        };
        match self.why {
            Why::Place(what) => fault(
                codes::UNQUOTABLE,
                format!("a value cannot stand {what}"),
                "not possible here",
                "assign it to a variable first: `value=${…}` on a line of its own, then use `$value`"
                    .to_owned(),
            ),
            Why::UnknownHead { name, meant } => fault(
                codes::UNKNOWN_HEAD,
                format!("`${{{name}.…}}` names no task and nothing else that is known"),
                "unknown name",
                match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("known are the names of tasks, {}", HEADS.join(", ")),
                },
            ),
            Why::Open => fault(
                codes::UNQUOTABLE,
                "the `${` is not closed".to_owned(),
                "no `}`",
                "close it on the same line".to_owned(),
            ),
            Why::Unclosed(what) => fault(
                codes::UNQUOTABLE,
                format!("{what} before this value is not closed"),
                "quoting unknown",
                "close it; a value needs to know in which quotes it stands".to_owned(),
            ),
            Why::Shell(program) => fault(
                codes::UNQUOTABLE,
                format!("values cannot be written into a script for `{program}`"),
                "not a known shell",
                "hand the value over in `env:`, and read it there".to_owned(),
            ),
        }
    }
}

/// Moves the values of a script into variables.
pub(crate) fn lower(text: &str, shell: &[String], names: &Names) -> Script {
    if !text.contains("${") {
        return Script { text: text.to_owned(), vars: Vec::new(), refusals: Vec::new() };
    }
    let program = shell.first().map_or("", String::as_str);
    if !is_posix(program) {
        return foreign(text, program, names);
    }
    let mut lexer = Lexer::new(text, names);
    lexer.run();
    lexer.finish()
}

/// A script in a language that we do not know: it may not name values.
fn foreign(text: &str, program: &str, names: &Names) -> Script {
    let mut refusals = Vec::new();
    for (start, _) in text.match_indices("${") {
        if let Dollar::Ours(reference) = dollar(&text[start..], names) {
            let end = start + reference.length;
            refusals.push(Refusal { start, end, why: Why::Shell(program.to_owned()) });
        }
    }
    Script { text: text.to_owned(), vars: Vec::new(), refusals }
}
