//! Evaluates source code of users in processes that can be killed: JavaScript, jq, JSON Schema, regular expressions.
//!
//! A [`Pool`] takes a [`Request`] and calls back with the value or a [`ScriptError`]. Evaluations happen in helpers:
//! processes of the same binary, without environment, descriptors, files or network, with a bound on memory and time.
//! Whatever a script does, the worst that follows is that its helper is killed and its own request fails.
//!
//! A binary that uses a pool calls [`maybe_become_helper`] first in its `main`; a test binary without a `main` of its
//! own writes [`helper_in_tests!`] once.
//!
//! Not here: what the values mean, and which parts of JavaScript need no helper (`expr` knows).
//! Begin with [`Pool::submit`], or with [`Evaluator`] if the scripts are those of runs; `pool/` is our side, `helper/` the
//! other, `frame.rs` is what they say to each other, `platform/` is all that is particular to Linux.

mod error;
mod evaluator;
mod frame;
mod helper;
mod language;
mod platform;
mod pool;
mod request;

pub use error::{Place, ScriptError, Subject};
pub use evaluator::Evaluator;
pub use helper::{helper_main, maybe_become_helper};
pub use language::{Language, UnknownLanguage};
pub use pool::{Counters, Pool, Settings};
pub use request::{Request, Wanted};

/// No source is longer, in bytes.
pub const SOURCE_MAX: usize = 256 * 1024;

/// How long an evaluation may take in Conductor's definitions.
pub const TIMEOUT_CONDUCTOR: std::time::Duration = std::time::Duration::from_secs(4);

/// How long an evaluation may take in native documents, unless they say otherwise.
pub const TIMEOUT_NATIVE: std::time::Duration = std::time::Duration::from_millis(100);

/// Lets a test binary serve as helper, which has no `main` of its own: what it runs before `main` is
/// [`maybe_become_helper`]. To be written once, in the root of the binary.
#[macro_export]
macro_rules! helper_in_tests {
    () => {
        #[used]
        // SAFETY: the section holds pointers to functions of this type, which run after those of the standard library.
        #[unsafe(link_section = ".init_array")]
        static PARTITUR_SCRIPT_HELPER: extern "C" fn() = {
            extern "C" fn before_main() {
                $crate::maybe_become_helper();
            }
            before_main
        };
    };
}
