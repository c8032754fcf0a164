//! Notes as rows.

use partitur_model::RunId;
use partitur_model::note::{Note, NoteKind};
use rusqlite::{Connection, Row, params};

use super::columns::{Columns, needed, unknown};
use super::fault::Unreadable;
use super::payload::{Packer, json, unpack};

const UPSERT: &str = "INSERT INTO notes (kind, id, about, at, run, unpacked, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
     ON CONFLICT (kind, id) DO UPDATE SET about = ?3, at = ?4, run = ?5, unpacked = ?6, body = ?7";

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "kind, id, about, at, run, unpacked, body";

/// Writes a note, or removes it.
pub(super) fn write(conn: &Connection, packer: &mut Packer, note: &Note) -> rusqlite::Result<()> {
    let kind = kind_code(note.kind);
    let Some(body) = &note.body else {
        let mut delete = conn.prepare_cached("DELETE FROM notes WHERE kind = ?1 AND id = ?2")?;
        return delete.execute(params![kind, note.id]).map(drop);
    };
    let (unpacked, body) = packer.pack(body.as_str());
    let run = note.run.map(|run| run.bits().to_be_bytes());
    let values = params![kind, note.id, note.about, note.at.micros() as i64, run, unpacked, body];
    conn.prepare_cached(UPSERT)?.execute(values).map(drop)
}

/// Messages that a run has not taken go with it, and what could not be told of it.
pub(super) fn remove_with_run(conn: &Connection, run: RunId) -> rusqlite::Result<()> {
    let name = run.to_string();
    let mut delete = conn.prepare_cached("DELETE FROM notes WHERE kind = ?1 AND about = ?2")?;
    delete.execute(params![kind_code(NoteKind::Message), name])?;
    let mut delete = conn.prepare_cached("DELETE FROM notes WHERE kind = ?1 AND id > ?2 AND id < ?3")?;
    let (from, to) = ids_of(run);
    delete.execute(params![kind_code(NoteKind::DeadCallback), from, to]).map(drop)
}

/// Between which ids those of a run's callbacks are: after the run, a dot, and a number.
pub(super) fn ids_of(run: RunId) -> (String, String) {
    (format!("{run}."), format!("{run}/"))
}

/// Reads a row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<Note, Unreadable> {
    let mut row = Columns::new(row);
    Ok(Note {
        kind: read_kind(row.next()?)?,
        id: row.next()?,
        about: row.next()?,
        at: needed(row.next_time()?, "at")?,
        run: row.next::<Option<[u8; 16]>>()?.map(|bits| RunId::from_bits(u128::from_be_bytes(bits))),
        body: {
            let unpacked = row.next()?;
            let body = row.next_ref()?.as_blob().map_err(|error| Unreadable::Row(error.to_string()))?;
            Some(json(&unpack(unpacked, body)?)?)
        },
    })
}

/// The codes of the kinds, in the order of the kinds.
pub(super) fn kind_code(kind: NoteKind) -> i64 {
    match kind {
        NoteKind::Due => 0,
        NoteKind::Started => 1,
        NoteKind::Event => 2,
        NoteKind::Handled => 3,
        NoteKind::Message => 4,
        NoteKind::Callback => 5,
        NoteKind::DeadCallback => 6,
    }
}

fn read_kind(code: i64) -> Result<NoteKind, Unreadable> {
    let known = NoteKind::ALL.into_iter().find(|&kind| kind_code(kind) == code);
    known.ok_or_else(|| unknown("kind", code))
}
