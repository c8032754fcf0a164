//! What is to be told, as it is noted: by the engine first, by us after each try.

use std::sync::Arc;

use partitur_model::Timestamp;
use partitur_model::note::{Note, NoteKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::policy::{Outcome, Verdict};
use crate::notes::{self, written};

/// What a note says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Whom.
    pub to: String,
    /// The name of the secret with which it is signed, if it is not the receiver's own.
    pub secret: Option<String>,
    /// So often it was tried.
    pub tries: u32,
    /// What came of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What is told, to the byte.
    pub event: Box<RawValue>,
}

/// What lists show of what is told.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Gist {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub workflow: String,
    #[serde(default)]
    pub at: u64,
}

impl Waiting {
    /// What a note says; one that cannot be read says nothing.
    pub fn of(note: &Note) -> Option<Waiting> {
        notes::read(note)
    }

    /// What it is about, in short.
    pub fn gist(&self) -> Gist {
        serde_json::from_str(self.event.get()).unwrap_or_default()
    }

    /// What is noted after a try.
    pub fn tried(mut self, note: Note, verdict: Verdict, outcome: &Outcome, now: Timestamp) -> Vec<Note> {
        self.tries = self.tries.saturating_add(1);
        self.problem = outcome.problem();
        match verdict {
            Verdict::Delivered => vec![Note::gone(NoteKind::Callback, note.id)],
            Verdict::Again(at) => vec![Note { at, body: Some(written(&self)), ..note }],
            Verdict::Dead => moved(note, NoteKind::DeadCallback, now, &self),
        }
    }

    /// It is tried as often as one that was never tried, under the same id.
    pub fn revived(mut self, note: Note, now: Timestamp) -> Vec<Note> {
        self.tries = 0;
        moved(note, NoteKind::Callback, now, &self)
    }
}

fn moved(note: Note, kind: NoteKind, at: Timestamp, says: &Waiting) -> Vec<Note> {
    let gone = Note::gone(note.kind, note.id.clone());
    vec![gone, Note { kind, at, body: Some(written(says)), ..note }]
}

/// The run of which an id tells, as the id begins.
pub(crate) fn run_of(id: &str) -> &str {
    id.split_once('.').map_or(id, |(run, _)| run)
}

/// Between which ids those of the same run that come before this one are.
pub(crate) fn before(id: &Arc<str>) -> (String, String) {
    (format!("{}.", run_of(id)), id.to_string())
}
