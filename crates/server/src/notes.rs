//! Notes beside runs: how they are written and read.

use partitur_model::RawJson;
use partitur_model::note::{Note, NoteKind};
use partitur_store::NoteSearch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::answer::Error;

/// Read at once.
const PAGE: u32 = 1_000;

/// The body of a note.
pub(crate) fn written(value: &impl Serialize) -> RawJson {
    RawJson::trusted(serde_json::to_string(value).expect("what is noted has text for keys"))
}

/// What a note says. One that an older version wrote in another way says nothing.
pub(crate) fn read<T: DeserializeOwned>(note: &Note) -> Option<T> {
    serde_json::from_str(note.body.as_ref()?.as_str()).ok()
}

/// All notes of a kind, the oldest first.
pub(crate) async fn all(app: &App, kind: NoteKind) -> Result<Vec<Note>, Error> {
    let read = app.reads.read_durable(move |reader| {
        let mut notes = Vec::new();
        loop {
            let skip = notes.len() as u32;
            let page = reader.notes(kind, NoteSearch { skip, limit: PAGE, ..NoteSearch::default() })?;
            if page.is_empty() {
                return Ok(notes);
            }
            notes.extend(page);
        }
    });
    Ok(read.await?)
}

/// An id that nobody can guess, as Conductor's look.
pub(crate) fn new_id(high: u64, low: u64) -> String {
    let high = high & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
