//! What is to be evaluated.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::Payload;

use crate::Language;

/// A source, and what it is to see.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks. Pools are fair between owners, so that a user's endless scripts delay only that user's.
    pub owner: u64,
    /// The language of the source.
    pub language: Language,
    /// The source code.
    pub source: Arc<str>,
    /// What the source sees.
    pub input: Payload,
    /// How long it may take. Time in which the machine had no processor for it does not count, up to five times this.
    pub timeout: Duration,
    /// What is asked.
    pub wanted: Wanted,
}

/// What is asked about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Its value.
    Value,
    /// Whether it can be read at all; the answer is null.
    Syntax,
}

impl Request {
    /// Asks for the value of a source.
    pub fn value(
        owner: u64,
        language: Language,
        source: impl Into<Arc<str>>,
        input: Payload,
        timeout: Duration,
    ) -> Request {
        Request { owner, language, source: source.into(), input, timeout, wanted: Wanted::Value }
    }

    /// Asks whether a source can be read.
    pub fn syntax(owner: u64, language: Language, source: impl Into<Arc<str>>, timeout: Duration) -> Request {
        let input = Payload::Null;
        Request { owner, language, source: source.into(), input, timeout, wanted: Wanted::Syntax }
    }
}
