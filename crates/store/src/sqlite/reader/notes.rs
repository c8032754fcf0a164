//! What a server has noted beside its runs.

use std::time::Instant;

use partitur_model::note::{Note, NoteKind};
use rusqlite::{Params, params};

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
