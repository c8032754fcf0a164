//! Runs by what they are called, and in order.

use std::ops::RangeInclusive;

use partitur_model::record::{RunRecord, RunState};
use partitur_model::{RunId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::{PAGE, Reader, Search};
use crate::sqlite::columns::run_id;
use crate::sqlite::fault::store_error;
use crate::sqlite::load;
use crate::tables::RunKey;
use crate::{Quarantined, StoreError};

/// Candidates that [`Reader::find`] names.
const FOUND_MAX: u32 = 10;

/// Which runs [`Reader::runs`] shows.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFilter {
    /// In one of these states; in any if empty.
    pub states: Vec<RunState>,
    /// Of this name.
    pub name: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// Older than this one: the last of the page before.
    pub before: Option<RunId>,
}

impl Default for RunFilter {
    fn default() -> RunFilter {
        RunFilter { states: Vec::new(), name: None, limit: 100, before: None }
    }
}

/// Some runs, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPage {
    /// Without their tasks.
    pub runs: Vec<RunRecord>,
    /// Those that could not be read.
    pub quarantined: Vec<Quarantined>,
}

/// What [`Reader::running`] looks at.
struct OpenRun {
    key: i64,
    random: i64,
    version: Option<u32>,
    created: Timestamp,
}

impl Reader {
    /// Runs, newest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn runs(&self, filter: &RunFilter) -> Result<RunPage, StoreError> {
        let search = Search {
            states: filter.states.clone(),
            names: filter.name.iter().cloned().collect(),
            before: filter.before,
            ..Search::default()
        };
        let mut page = RunPage::default();
        self.walk(&search, |keys| {
            for &key in keys.iter().take(filter.limit.saturating_sub(page.runs.len())) {
                self.add(RunKey(key), &mut page)?;
            }
            Ok(page.runs.len() >= filter.limit)
        })?;
        Ok(page)
    }

    pub(super) fn page_of(&self, keys: &[i64]) -> Result<RunPage, StoreError> {
        let mut page = RunPage::default();
        for &key in keys {
            self.add(RunKey(key), &mut page)?;
        }
        Ok(page)
    }

    fn add(&self, key: RunKey, page: &mut RunPage) -> Result<(), StoreError> {
        match load::run(&self.conn, key) {
            Ok(run) => page.runs.extend(run),
            Err(unreadable) => page.quarantined.push(load::quarantined(key, unreadable)?),
        }
        Ok(())
    }

    /// The runs that somebody may mean by a number, an id, or the beginning of an id: up to ten.
    ///
    /// # Errors
    /// The disk's.
    pub fn find(&self, text: &str) -> Result<Vec<RunId>, StoreError> {
        let Some((from, to)) = number_range(text) else { return Ok(Vec::new()) };
        let ids = self.ids_between(from, to).map_err(store_error)?;
        let is_number = text.parse::<u64>().is_ok_and(|number| number.to_string() == text);
        let text = text.to_ascii_lowercase();
        Ok(ids.into_iter().filter(|id| is_number || id.to_string().starts_with(&text)).collect())
    }

    /// The runs whose numbers lie in the range, on every shard.
    fn ids_between(&self, from: u64, to: u64) -> rusqlite::Result<Vec<RunId>> {
        let mut ids = Vec::new();
        let mut shard = self.shard_from(0)?;
        while let Some(here) = shard {
            let base = here << 48;
            let mut select = self.conn.prepare_cached(
                "SELECT key, random FROM runs WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3",
            )?;
            let range = params![base | from as i64, base | to as i64, FOUND_MAX];
            for id in select.query_map(range, |row| Ok(run_id(RunKey(row.get(0)?), row.get(1)?)))? {
                ids.push(id?);
            }
            shard = self.shard_from(here + 1)?;
        }
        ids.truncate(FOUND_MAX as usize);
        Ok(ids)
    }

    fn shard_from(&self, shard: i64) -> rusqlite::Result<Option<i64>> {
        let mut select =
            self.conn.prepare_cached("SELECT key >> 48 FROM runs WHERE key >= ?1 ORDER BY key LIMIT 1")?;
        select.query_row([shard << 48], |row| row.get(0)).optional()
    }

    /// The runs of this name that their submitters call so, newest first; those that have ended only if `ended`.
    ///
    /// # Errors
    /// The disk's.
    pub fn by_correlation(&self, name: &str, correlation: &str, ended: bool) -> Result<RunPage, StoreError> {
        let keys = self.keys_by_correlation(name, correlation, ended).map_err(store_error)?;
        self.page_of(&keys)
    }

    fn keys_by_correlation(&self, name: &str, correlation: &str, ended: bool) -> rusqlite::Result<Vec<i64>> {
        let mut select = self.conn.prepare_cached(
            "SELECT key FROM runs INDEXED BY runs_correlation
             WHERE correlation = ?1 AND name = ?2 AND (?3 OR state NOT BETWEEN 30 AND 35) ORDER BY key DESC",
        )?;
        select.query_map(params![correlation, name, ended], |row| row.get(0))?.collect()
    }

    /// The newest run of this name that was started under this key.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn by_idempotency(&self, name: &str, key: &str) -> Result<Option<RunRecord>, StoreError> {
        let found = self.key_by_idempotency(name, key).map_err(store_error)?;
        Ok(found.map(|key| load::run(&self.conn, RunKey(key))).transpose()?.flatten())
    }

    fn key_by_idempotency(&self, name: &str, key: &str) -> rusqlite::Result<Option<i64>> {
        let mut select = self.conn.prepare_cached(
            "SELECT key FROM runs INDEXED BY runs_idempotency
             WHERE idempotency_key = ?1 AND name = ?2 ORDER BY key DESC LIMIT 1",
        )?;
        select.query_row([key, name], |row| row.get(0)).optional()
    }

    /// The runs of this name that have not ended, oldest first: of this version, if one is given, and accepted within
    /// these times.
    ///
    /// # Errors
    /// The disk's.
    pub fn running(
        &self,
        name: &str,
        version: Option<u32>,
        created: RangeInclusive<Timestamp>,
    ) -> Result<Vec<RunId>, StoreError> {
        let (mut ids, mut after) = (Vec::new(), i64::MIN);
        loop {
            let page = self.open_after(name, after).map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(ids) };
            after = last.key;
            let wanted = page.iter().filter(|run| {
                created.contains(&run.created) && version.is_none_or(|version| run.version == Some(version))
            });
            ids.extend(wanted.map(|run| run_id(RunKey(run.key), run.random)));
        }
    }

    fn open_after(&self, name: &str, after: i64) -> rusqlite::Result<Vec<OpenRun>> {
        let mut select = self.conn.prepare_cached(
            "SELECT key, random, version, created FROM runs INDEXED BY runs_open
             WHERE state NOT BETWEEN 30 AND 35 AND name = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
        )?;
        let open = |row: &Row<'_>| {
            let created = Timestamp::from_micros(row.get::<_, i64>(3)? as u64);
            Ok(OpenRun { key: row.get(0)?, random: row.get(1)?, version: row.get(2)?, created })
        };
        select.query_map(params![name, after, PAGE], open)?.collect()
    }

    /// The sub-runs of a run, oldest first.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn children(&self, run: RunId) -> Result<Vec<RunRecord>, StoreError> {
        let keys = self.child_keys(run).map_err(store_error)?;
        let mut children = Vec::new();
        for key in keys {
            children.extend(load::run(&self.conn, RunKey(key))?);
        }
        Ok(children)
    }

    fn child_keys(&self, run: RunId) -> rusqlite::Result<Vec<i64>> {
        let mut select = self
            .conn
            .prepare_cached("SELECT key FROM runs WHERE parent = ?1 AND parent_random = ?2 ORDER BY key")?;
        let parent = params![RunKey::from(run).0, run.random() as i64];
        select.query_map(parent, |row| row.get(0))?.collect()
    }
}

/// The numbers of the runs that `text` can mean: itself, or all that the first hexadecimal digits of an id leave open.
pub(super) fn number_range(text: &str) -> Option<(u64, u64)> {
    if let Ok(number) = text.parse::<u64>()
        && number.to_string() == text
    {
        return (number <= RunId::NUMBER_MAX).then_some((number, number));
    }
    let digits: String = text.chars().filter(|&c| c != '-').take(12).collect();
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let open = 4 * (12 - digits.len());
    let from = u64::from_str_radix(&digits, 16).ok()?.checked_shl(open as u32)?;
    Some((from, from | ((1 << open) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_itself_and_a_prefix_leaves_the_rest_open() {
        assert_eq!(number_range("17"), Some((17, 17)));
        assert_eq!(number_range("00000001-e240"), Some((123_456, 123_456)));
        assert_eq!(number_range("00000001-e24"), Some((0x1e240, 0x1e24f)));
        assert_eq!(number_range("00000001-e240-8007-bfff-ffffffffffff"), Some((123_456, 123_456)));
        assert_eq!(number_range("281474976710656"), None);
        assert_eq!(number_range("zz"), None);
        assert_eq!(number_range("+1f"), None);
        assert_eq!(number_range("{uëÂ\u{91}\u{fffd}\u{fffd}"), None);
        assert_eq!(number_range(""), None);
    }
}
