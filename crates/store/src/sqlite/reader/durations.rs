//! How long tasks take, from history.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::params;

use super::Reader;
use crate::StoreError;
use crate::sqlite::fault::{Unreadable, store_error};
use crate::sqlite::task_row;

/// Runs over which durations are averaged, and tasks of them that are looked at.
const DURATION_RUNS: u32 = 20;
const DURATION_TASKS: u32 = 200_000;

impl Reader {
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
            "SELECT key FROM runs INDEXED BY runs_shelf WHERE name = ?1 AND state = ?2 ORDER BY key DESC LIMIT ?3",
        )?;
        let mut keys: Vec<i64> = Vec::new();
        for state in 30..=35 {
            for key in select.query_map(params![name, state, DURATION_RUNS], |row| row.get(0))? {
                keys.push(key?);
            }
        }
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.truncate(DURATION_RUNS as usize);
        Ok(keys)
    }

    fn add_durations(&self, run: i64, sums: &mut BTreeMap<String, (u64, u32)>) -> rusqlite::Result<u32> {
        let mut select = self.conn.prepare_cached(
            "SELECT coalesce(path, node), ended FROM tasks
             WHERE run = ?1 AND state = ?2 AND cached = 0 AND started IS NOT NULL AND ended >= 0 LIMIT ?3",
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
