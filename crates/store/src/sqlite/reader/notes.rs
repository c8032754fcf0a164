//! What a server has noted beside its runs.

use std::sync::Arc;
use std::time::Instant;

use partitur_model::Timestamp;
use partitur_model::note::{Note, NoteKind};
use rusqlite::{OptionalExtension as _, Params, params};

use super::{PAGE_TIME, Reader};
use crate::StoreError;
use crate::sqlite::fault::{Unreadable, store_error};
use crate::sqlite::notes::{COLUMNS, kind_code, read};

/// Which notes are wanted, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoteSearch<'a> {
    /// Only those about this.
    pub about: Option<&'a str>,
    /// The newest first, instead of the oldest.
    pub newest_first: bool,
    /// So many of the first are left out.
    pub skip: u32,
    /// At most so many. A page of large notes may be shorter, but never empty while there are more.
    pub limit: u32,
}

impl Reader {
    /// Notes of a kind in the order of their times. Those that cannot be read are left out.
    ///
    /// # Errors
    /// The disk's.
    pub fn notes(&self, kind: NoteKind, wanted: NoteSearch<'_>) -> Result<Vec<Note>, StoreError> {
        let order = if wanted.newest_first { "at DESC, id DESC" } else { "at, id" };
        let (skip, limit) = (wanted.skip, wanted.limit);
        match wanted.about {
            None => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM notes WHERE kind = ?1 ORDER BY {order} LIMIT ?2 OFFSET ?3"
                );
                self.select_notes(&sql, params![kind_code(kind), limit, skip])
            }
            Some(about) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM notes WHERE kind = ?1 AND about = ?4 ORDER BY {order} LIMIT ?2 OFFSET ?3"
                );
                self.select_notes(&sql, params![kind_code(kind), limit, skip, about])
            }
        }
    }

    /// How many notes of a kind there are, about something or about anything.
    ///
    /// # Errors
    /// The disk's.
    pub fn count_notes(&self, kind: NoteKind, about: Option<&str>) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM notes WHERE kind = ?1 AND (?2 IS NULL OR about = ?2)";
        let counted = self.conn.prepare_cached(sql).and_then(|mut select| {
            select.query_row(params![kind_code(kind), about], |row| row.get::<_, i64>(0))
        });
        counted.map(|count| count as u64).map_err(store_error)
    }

    /// A note.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, kind: NoteKind, id: &str) -> Result<Option<Note>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM notes WHERE kind = ?1 AND id = ?2");
        Ok(self.select_notes(&sql, params![kind_code(kind), id])?.pop())
    }

    /// About what there are notes of a kind, and when the first of each is due: at most so many, after this name.
    ///
    /// # Errors
    /// The disk's.
    pub fn note_lanes(
        &self,
        kind: NoteKind,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(String, Timestamp)>, StoreError> {
        // From one name to the next: what lies between them in the index is not looked at.
        let sql = "SELECT about, at FROM notes WHERE kind = ?1 AND about > ?2 ORDER BY about, at LIMIT 1";
        let mut select = self.conn.prepare_cached(sql).map_err(store_error)?;
        let mut lanes: Vec<(String, Timestamp)> = Vec::new();
        while lanes.len() < limit {
            let last = lanes.last().map_or(after, |(about, _)| about);
            let found = select.query_row(params![kind_code(kind), last], |row| {
                Ok((row.get(0)?, Timestamp::from_micros(row.get::<_, i64>(1)? as u64)))
            });
            match found.optional().map_err(store_error)? {
                Some(lane) => lanes.push(lane),
                None => break,
            }
        }
        Ok(lanes)
    }

    /// The ids of the notes about something that are due by then, the oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn due_notes(
        &self,
        kind: NoteKind,
        about: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Arc<str>>, StoreError> {
        let sql = "SELECT id FROM notes WHERE kind = ?1 AND about = ?2 AND at <= ?3 ORDER BY at, id LIMIT ?4";
        let mut select = self.conn.prepare_cached(sql).map_err(store_error)?;
        let values = params![kind_code(kind), about, now.micros() as i64, limit as i64];
        let ids = select.query_map(values, |row| row.get(0)).map_err(store_error)?;
        ids.collect::<Result<_, _>>().map_err(store_error)
    }

    /// When the first note of a kind is due.
    ///
    /// # Errors
    /// The disk's.
    pub fn first_due(&self, kind: NoteKind) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT at FROM notes WHERE kind = ?1 ORDER BY at LIMIT 1";
        let mut select = self.conn.prepare_cached(sql).map_err(store_error)?;
        let first = select.query_row([kind_code(kind)], |row| row.get::<_, i64>(0)).optional();
        Ok(first.map_err(store_error)?.map(|at| Timestamp::from_micros(at as u64)))
    }

    /// Of the notes about something those whose ids lie between these, the smallest first: the ids and when they are due.
    ///
    /// # Errors
    /// The disk's.
    pub fn notes_between(
        &self,
        kind: NoteKind,
        about: &str,
        (from, to): (&str, &str),
        limit: usize,
    ) -> Result<Vec<(Arc<str>, Timestamp)>, StoreError> {
        let sql = "SELECT id, at FROM notes INDEXED BY sqlite_autoindex_notes_1 \
                   WHERE kind = ?1 AND id > ?2 AND id < ?3 AND about = ?4 ORDER BY id LIMIT ?5";
        let mut select = self.conn.prepare_cached(sql).map_err(store_error)?;
        let values = params![kind_code(kind), from, to, about, limit as i64];
        let found = select
            .query_map(values, |row| Ok((row.get(0)?, Timestamp::from_micros(row.get::<_, i64>(1)? as u64))));
        found.map_err(store_error)?.collect::<Result<_, _>>().map_err(store_error)
    }

    fn select_notes(&self, sql: &str, values: impl Params) -> Result<Vec<Note>, StoreError> {
        let up = Instant::now() + PAGE_TIME;
        let mut select = self.conn.prepare_cached(sql).map_err(store_error)?;
        let mut rows = select.query(values).map_err(store_error)?;
        let mut notes = Vec::new();
        while let Some(row) = rows.next().map_err(store_error)? {
            match read(row) {
                Ok(note) => notes.push(note),
                Err(Unreadable::Row(_)) => {}
                Err(Unreadable::Disk(error)) => return Err(store_error(error)),
            }
            if Instant::now() >= up && !notes.is_empty() {
                break;
            }
        }
        Ok(notes)
    }
}
