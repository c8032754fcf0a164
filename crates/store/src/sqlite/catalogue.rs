//! Documents of the catalogue and logs of tasks as rows.

use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::{RawJson, TaskSeq, Timestamp};
use rusqlite::{Connection, Row, params};

use super::columns::{Columns, needed, unknown};
use super::fault::Unreadable;
use super::payload::{Packer, json, unpack};
use crate::tables::RunKey;

/// Some entries behind a row.
pub(super) const SELECT_ENTRIES: &str = "SELECT rowid, kind, name, version, created, updated, unpacked, body \
     FROM catalogue WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";

/// One entry.
pub(super) const SELECT_ENTRY: &str = "SELECT rowid, kind, name, version, created, updated, unpacked, body \
     FROM catalogue WHERE kind = ?1 AND name = ?2 AND version = ?3";

/// Some lines of a task's log behind a row.
pub(super) const SELECT_LINES: &str = "SELECT rowid, at, text FROM task_logs \
     WHERE run = ?1 AND task = ?2 AND rowid > ?3 AND NOT EXISTS (SELECT 1 FROM removed WHERE removed.run = ?1) \
     ORDER BY rowid LIMIT ?4";

/// The lines of all tasks of a run.
pub(super) const SELECT_LINES_OF_RUN: &str = "SELECT rowid, at, text, task FROM task_logs \
     WHERE run = ?1 AND rowid > ?2 AND NOT EXISTS (SELECT 1 FROM removed WHERE removed.run = ?1) \
     ORDER BY rowid LIMIT ?3";

const UPSERT_ENTRY: &str = "INSERT INTO catalogue (kind, name, version, created, updated, unpacked, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
     ON CONFLICT (kind, name, version) DO UPDATE SET created = ?4, updated = ?5, unpacked = ?6, body = ?7";

/// Writes an entry, or removes it.
pub(super) fn write_entry(conn: &Connection, packer: &mut Packer, entry: &Entry) -> rusqlite::Result<()> {
    let kind = kind_code(entry.kind);
    let Some(body) = &entry.body else {
        let mut delete =
            conn.prepare_cached("DELETE FROM catalogue WHERE kind = ?1 AND name = ?2 AND version = ?3")?;
        return delete.execute(params![kind, entry.name, entry.version]).map(drop);
    };
    let (unpacked, body) = packer.pack(body.as_str());
    let (created, updated) = (entry.created.micros() as i64, entry.updated.micros() as i64);
    let values = params![kind, entry.name, entry.version, created, updated, unpacked, body];
    conn.prepare_cached(UPSERT_ENTRY)?.execute(values).map(drop)
}

/// Reads a row of [`SELECT_ENTRIES`] or [`SELECT_ENTRY`].
pub(super) fn read_entry(row: &Row<'_>) -> Result<Entry, Unreadable> {
    let id: i64 = row.get(0)?;
    read_columns(&mut Columns::behind(row, 1)).map_err(|unreadable| match unreadable {
        Unreadable::Row(reason) => Unreadable::Row(format!("document {id} of the catalogue: {reason}")),
        disk @ Unreadable::Disk(_) => disk,
    })
}

fn read_columns(row: &mut Columns<'_, '_>) -> Result<Entry, Unreadable> {
    Ok(Entry {
        kind: read_kind(row.next()?)?,
        name: row.next()?,
        version: row.next()?,
        created: needed(row.next_time()?, "created")?,
        updated: needed(row.next_time()?, "updated")?,
        body: Some(read_body(row)?),
    })
}

fn read_body(row: &mut Columns<'_, '_>) -> Result<RawJson, Unreadable> {
    let unpacked = row.next()?;
    let body = row.next_ref()?.as_blob().map_err(|error| Unreadable::Row(error.to_string()))?;
    json(&unpack(unpacked, body)?)
}

/// The codes of the kinds, in the order of the kinds.
pub(super) fn kind_code(kind: EntryKind) -> i64 {
    match kind {
        EntryKind::Workflow => 0,
        EntryKind::Task => 1,
        EntryKind::EventHandler => 2,
        EntryKind::Schema => 3,
        EntryKind::WorkflowTags => 4,
        EntryKind::TaskTags => 5,
        EntryKind::Flow => 6,
        EntryKind::Key => 16,
        EntryKind::Lock => 17,
        EntryKind::Schedule => 7,
        EntryKind::Bulk => 24,
    }
}

fn read_kind(code: i64) -> Result<EntryKind, Unreadable> {
    let known = EntryKind::ALL.into_iter().find(|&kind| kind_code(kind) == code);
    known.ok_or_else(|| unknown("kind", code))
}

/// Adds lines to the log of a task.
pub(super) fn write_log(
    conn: &Connection,
    run: RunKey,
    task: TaskSeq,
    lines: &[LogLine],
) -> rusqlite::Result<()> {
    let mut insert =
        conn.prepare_cached("INSERT INTO task_logs (run, task, at, text) VALUES (?1, ?2, ?3, ?4)")?;
    for line in lines {
        insert.execute(params![run.0, task.0, line.at.micros() as i64, line.text])?;
    }
    Ok(())
}

/// Reads a row of [`SELECT_LINES`].
pub(super) fn read_line(row: &Row<'_>) -> rusqlite::Result<LogLine> {
    Ok(LogLine { at: Timestamp::from_micros(row.get::<_, i64>(1)? as u64), text: row.get(2)? })
}
