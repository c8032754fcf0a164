//! What a server notes beside its runs: what has arrived and is not done yet, what it has done and when.
//!
//! A note stands in the same commit as what it is about: so nothing is done twice, and nothing forgotten.

use std::sync::Arc;

use crate::id::RunId;
use crate::unit::Timestamp;
use crate::value::RawJson;

/// A note, or the news that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is.
    pub kind: NoteKind,
    /// Unique among those of its kind.
    pub id: Arc<str>,
    /// The name of what it is about: a schedule, an event handler, a run.
    pub about: Arc<str>,
    /// When it was made, or is due: notes are read in this order.
    pub at: Timestamp,
    /// The run that came of it.
    pub run: Option<RunId>,
    /// What it says; `None` removes it.
    pub body: Option<RawJson>,
}

impl Note {
    /// The news that a note is gone.
    pub fn gone(kind: NoteKind, id: Arc<str>) -> Note {
        Note { kind, id, about: "".into(), at: Timestamp::ZERO, run: None, body: None }
    }
}

/// Kinds of notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// When a schedule is due next.
    Due,
    /// What a schedule has started.
    Started,
    /// An event that has arrived, until all that follows from it is done.
    Event,
    /// What an event handler has done about an event.
    Handled,
    /// A message for a run, until the run has taken it: it goes with its run.
    Message,
    /// What somebody is to be told over HTTP, until that is done; due at its time.
    Callback,
    /// What somebody was to be told and could not be: it goes with its run.
    DeadCallback,
}

impl NoteKind {
    /// All kinds.
    pub const ALL: [NoteKind; 7] = [
        NoteKind::Due,
        NoteKind::Started,
        NoteKind::Event,
        NoteKind::Handled,
        NoteKind::Message,
        NoteKind::Callback,
        NoteKind::DeadCallback,
    ];
}
