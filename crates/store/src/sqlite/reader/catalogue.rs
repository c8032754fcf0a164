//! What a server was taught.

use std::time::Instant;

use partitur_model::catalogue::{Entry, EntryKind};
use rusqlite::params;

use super::{PAGE, PAGE_TIME, Reader};
use crate::sqlite::catalogue::{SELECT_ENTRIES, SELECT_ENTRY, kind_code, read_entry};
use crate::sqlite::fault::{Unreadable, store_error};
use crate::{Quarantined, StoreError};

/// The catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CataloguePage {
    /// By kind, name and version.
    pub entries: Vec<Entry>,
    /// Those that could not be read.
    pub quarantined: Vec<Quarantined>,
}

impl Reader {
    /// The whole catalogue.
    ///
    /// # Errors
    /// The disk's.
    pub fn catalogue(&self) -> Result<CataloguePage, StoreError> {
        let (mut page, mut after) = (CataloguePage::default(), Some(0));
        while let Some(row) = after {
            after = self.add_entries(row, &mut page).map_err(store_error)?;
        }
        page.entries.sort_by(|a, b| place(a).cmp(&place(b)));
        Ok(page)
    }

    /// Adds the entries behind a row; gives the last one, unless it was the end.
    fn add_entries(&self, after: i64, page: &mut CataloguePage) -> rusqlite::Result<Option<i64>> {
        let up = Instant::now() + PAGE_TIME;
        let mut last = None;
        let mut select = self.conn.prepare_cached(SELECT_ENTRIES)?;
        let mut rows = select.query([after, PAGE.into()])?;
        while let Some(row) = rows.next()? {
            last = Some(row.get(0)?);
            match read_entry(row) {
                Ok(entry) => page.entries.push(entry),
                Err(Unreadable::Row(reason)) => page.quarantined.push(Quarantined { run: None, reason }),
                Err(Unreadable::Disk(error)) => return Err(error),
            }
            if Instant::now() >= up {
                break;
            }
        }
        Ok(last)
    }

    /// An entry.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn entry(&self, kind: EntryKind, name: &str, version: u32) -> Result<Option<Entry>, StoreError> {
        let mut select = self.conn.prepare_cached(SELECT_ENTRY).map_err(store_error)?;
        let mut rows = select.query(params![kind_code(kind), name, version]).map_err(store_error)?;
        let row = rows.next().map_err(store_error)?;
        row.map(read_entry).transpose().map_err(StoreError::from)
    }
}

fn place(entry: &Entry) -> (EntryKind, &str, u32) {
    (entry.kind, &entry.name, entry.version)
}
