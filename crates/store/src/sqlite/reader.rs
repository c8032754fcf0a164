//! What other terminals ask, on a connection that can only read.
//!
//! A read transaction keeps the log from being reset, so none lasts longer than one page: larger answers are put
//! together from pages, which may show a run at slightly different moments.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use partitur_model::record::{DefinitionRecord, NodeRecord, RunRecord, RunState, TaskRecord};
use partitur_model::{DefinitionId, RunId, TaskSeq};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::columns::run_id;
use super::fault::{Unreadable, store_error};
use super::run_row::state_code;
use super::{load, schema, task_row};
use crate::tables::RunKey;
use crate::{Quarantined, StoreError};

/// Rows in a page.
const PAGE: u32 = 1_000;

/// A page of rows with large payloads ends earlier.
const PAGE_TIME: Duration = Duration::from_millis(200);

/// Runs over which durations are averaged, and tasks of them that are looked at.
const DURATION_RUNS: u32 = 20;
const DURATION_TASKS: u32 = 200_000;

/// Candidates that [`Reader::find`] names.
const FOUND_MAX: u32 = 10;

/// Reads a store's file, also while another process writes it.
pub struct Reader {
    conn: Connection,
}

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

impl Reader {
    /// Opens the file.
    ///
    /// # Errors
    /// [`StoreError::Absent`] if there is none yet; see also [`SqliteStore::open`](crate::SqliteStore::open).
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, StoreError> {
        let conn = schema::open_reader(path.as_ref(), Duration::from_secs(2))?;
        Ok(Reader { conn })
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn runs(&self, filter: &RunFilter) -> Result<RunPage, StoreError> {
        let codes: Vec<i64> = filter.states.iter().map(|&state| state_code(state)).collect();
        let mut page = RunPage::default();
        let mut before = filter.before.map_or(i64::MAX, |id| RunKey::from(id).0);
        loop {
            let keys = self.keys(filter.name.as_deref(), before).map_err(store_error)?;
            for &(key, state) in &keys {
                if page.runs.len() >= filter.limit {
                    return Ok(page);
                }
                if codes.is_empty() || codes.contains(&state) {
                    self.add(RunKey(key), &mut page)?;
                }
            }
            match keys.last() {
                Some(&(last, _)) if keys.len() == PAGE as usize => before = last,
                Some(_) | None => return Ok(page),
            }
        }
    }

    /// Keys and states of the next page.
    fn keys(&self, name: Option<&str>, before: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
        let named = if name.is_some() { "name = ?3 AND" } else { "" };
        let sql = format!("SELECT key, state FROM runs WHERE {named} key < ?1 ORDER BY key DESC LIMIT ?2");
        let mut values = vec![Value::from(before), Value::from(PAGE)];
        values.extend(name.map(|name| Value::from(name.to_owned())));
        let mut select = self.conn.prepare_cached(&sql)?;
        select.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
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

    /// A run.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn run(&self, id: RunId) -> Result<Option<RunRecord>, StoreError> {
        Ok(load::run(&self.conn, id.into())?.filter(|run| run.id == id))
    }

    /// All tasks of a run, by number.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn tasks(&self, run: RunId) -> Result<Vec<TaskRecord>, StoreError> {
        let mut tasks: Vec<TaskRecord> = Vec::new();
        loop {
            let page = self.tasks_after(run, tasks.last().map(|task| task.seq), PAGE)?;
            if page.is_empty() {
                return Ok(tasks);
            }
            tasks.extend(page);
        }
    }

    /// Up to `limit` tasks of a run behind `after`, by number; none only at the end.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn tasks_after(
        &self,
        run: RunId,
        after: Option<TaskSeq>,
        limit: u32,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        let up = Instant::now() + PAGE_TIME;
        Ok(load::tasks(&self.conn, run, after, limit.min(PAGE), Some(up))?)
    }

    /// The task of a run with this path.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn task(&self, run: RunId, path: &str) -> Result<Option<TaskRecord>, StoreError> {
        let seq = self.seq_of(run, path).map_err(store_error)?;
        let Some(seq) = seq else { return Ok(None) };
        let after = seq.checked_sub(1).map(TaskSeq);
        Ok(load::tasks(&self.conn, run, after, 1, None)?.pop().filter(|task| &*task.path == path))
    }

    fn seq_of(&self, run: RunId, path: &str) -> rusqlite::Result<Option<u32>> {
        let mut select = self.conn.prepare_cached(
            "SELECT seq FROM tasks WHERE run = ?1 AND coalesce(path, node) = ?2 ORDER BY seq LIMIT 1",
        )?;
        select.query_row(params![RunKey::from(run).0, path], |row| row.get(0)).optional()
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

    /// A definition.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn definition(&self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        Ok(load::definition(&self.conn, id)?)
    }

    /// What the node remembers.
    ///
    /// # Errors
    /// The disk's.
    pub fn node(&self) -> Result<NodeRecord, StoreError> {
        load::node(&self.conn)
    }

    /// How long each task took in the last 20 ended runs of this name, by path: the mean over those in which it was
    /// executed and succeeded, from its first start to its end.
    ///
    /// # Errors
    /// The disk's.
    pub fn durations(&self, name: &str) -> Result<BTreeMap<String, Duration>, StoreError> {
        let mut sums: BTreeMap<String, (u64, u32)> = BTreeMap::new();
        let mut seen = 0;
        for key in self.last_ended(name).map_err(store_error)? {
            if seen >= DURATION_TASKS {
                break;
            }
            seen += self
                .add_durations(key, &mut sums)
                .map_err(|error| StoreError::from(Unreadable::from(error)))?;
        }
        let mean = |(sum, count): (u64, u32)| Duration::from_micros(sum / u64::from(count));
        Ok(sums.into_iter().map(|(path, sum)| (path, mean(sum))).collect())
    }

    fn last_ended(&self, name: &str) -> rusqlite::Result<Vec<i64>> {
        let mut select = self.conn.prepare_cached(
            "SELECT key FROM runs WHERE name = ?1 AND state BETWEEN 30 AND 35 ORDER BY key DESC LIMIT ?2",
        )?;
        select.query_map(params![name, DURATION_RUNS], |row| row.get(0))?.collect()
    }

    fn add_durations(&self, run: i64, sums: &mut BTreeMap<String, (u64, u32)>) -> rusqlite::Result<u32> {
        let mut select = self.conn.prepare_cached(
            "SELECT coalesce(path, node), ended - started FROM tasks
             WHERE run = ?1 AND state = ?2 AND cached = 0 AND ended >= started LIMIT ?3",
        )?;
        let mut rows = select.query(params![run, task_row::SUCCEEDED, DURATION_TASKS])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let (path, micros): (String, u64) = (row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs());
            let sum = sums.entry(path).or_default();
            *sum = (sum.0.saturating_add(micros), sum.1 + 1);
            count += 1;
        }
        Ok(count)
    }
}

/// The numbers of the runs that `text` can mean: itself, or all that the first hexadecimal digits of an id leave open.
fn number_range(text: &str) -> Option<(u64, u64)> {
    if let Ok(number) = text.parse::<u64>()
        && number.to_string() == text
    {
        return (number <= RunId::NUMBER_MAX).then_some((number, number));
    }
    let digits: String = text.chars().filter(|&c| c != '-').take(12).collect();
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
        assert_eq!(number_range(""), None);
    }
}
