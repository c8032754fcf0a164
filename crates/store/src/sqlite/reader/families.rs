//! Families: a run with its sub-runs and theirs. They are kept and removed as a whole.

use partitur_model::record::{RunOutcome, RunState};
use partitur_model::{RunId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::{PAGE, Reader};
use crate::StoreError;
use crate::sqlite::columns::run_id;
use crate::sqlite::fault::store_error;
use crate::sqlite::run_row::read_state;
use crate::tables::RunKey;

/// A run that has ended and is nobody's sub-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedRoot {
    /// Which.
    pub run: RunId,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When.
    pub ended: Timestamp,
}

/// What the database takes of the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes of rows and indexes.
    pub used: u64,
    /// Bytes that are free and not given back yet.
    pub free: u64,
    /// Removed runs of which there are still rows.
    pub removing: u64,
}

impl Reader {
    /// Some of the runs that have ended and are nobody's sub-runs, oldest first, behind a run and accepted until then; and
    /// the run behind which to go on, if there may be more. Sub-runs whose parent is gone are their own.
    ///
    /// # Errors
    /// The disk's.
    pub fn ended_roots(
        &self,
        after: Option<RunId>,
        until: Timestamp,
    ) -> Result<(Vec<EndedRoot>, Option<RunId>), StoreError> {
        let read = || {
            let mut select = self.conn.prepare_cached(
                "SELECT key, random, state, created + begun + ended, created,
                     parent IS NULL OR NOT EXISTS (SELECT 1 FROM runs AS above WHERE above.key = runs.parent)
                 FROM runs WHERE key > ?1 ORDER BY key LIMIT ?2",
            )?;
            let (mut roots, mut last, mut count) = (Vec::new(), None, 0);
            let mut rows = select.query(params![after.map_or(-1, |run| RunKey::from(run).0), PAGE])?;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(4)? as u64 > until.micros() {
                    return Ok((roots, None));
                }
                let run = run_id(RunKey(row.get(0)?), row.get(1)?);
                (last, count) = (Some(run), count + 1);
                roots.extend(ended_root(run, row)?);
            }
            Ok((roots, last.filter(|_| count == PAGE)))
        };
        read().map_err(store_error)
    }

    /// How a run has ended, if it has and is nobody's sub-run.
    ///
    /// # Errors
    /// The disk's.
    pub fn ended_root(&self, run: RunId) -> Result<Option<EndedRoot>, StoreError> {
        let read = || {
            let mut select = self.conn.prepare_cached(
                "SELECT key, random, state, created + begun + ended, created,
                     parent IS NULL OR NOT EXISTS (SELECT 1 FROM runs AS above WHERE above.key = runs.parent)
                 FROM runs WHERE key = ?1 AND random = ?2",
            )?;
            let key = params![RunKey::from(run).0, run.random() as i64];
            select.query_row(key, |row| ended_root(run, row)).optional()
        };
        read().map(Option::flatten).map_err(store_error)
    }

    /// A run with its sub-runs and theirs: the run itself first.
    ///
    /// # Errors
    /// The disk's.
    pub fn family(&self, root: RunId) -> Result<Vec<RunId>, StoreError> {
        let read = || {
            let mut select = self.conn.prepare_cached(
                "SELECT key, random FROM runs INDEXED BY runs_parent WHERE parent = ?1 AND parent_random = ?2",
            )?;
            let (mut family, mut at) = (vec![root], 0);
            while let Some(&run) = family.get(at) {
                at += 1;
                let parent = params![RunKey::from(run).0, run.random() as i64];
                for child in select.query_map(parent, |row| Ok(run_id(RunKey(row.get(0)?), row.get(1)?)))? {
                    family.push(child?);
                }
            }
            Ok(family)
        };
        read().map_err(store_error)
    }

    /// Whether all of these runs are there and have ended.
    ///
    /// # Errors
    /// The disk's.
    pub fn have_ended(&self, runs: &[RunId]) -> Result<bool, StoreError> {
        let has_ended = |run: &RunId| {
            let mut select = self
                .conn
                .prepare_cached("SELECT state BETWEEN 30 AND 35 FROM runs WHERE key = ?1 AND random = ?2")?;
            let found =
                select.query_row(params![RunKey::from(*run).0, run.random() as i64], |row| row.get(0));
            Ok(found.optional()?.unwrap_or(false))
        };
        for run in runs {
            if !has_ended(run).map_err(store_error)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many runs have ended.
    ///
    /// # Errors
    /// The disk's.
    pub fn count_ended(&self) -> Result<u64, StoreError> {
        let count =
            "SELECT count(*) FROM runs INDEXED BY runs_shelf WHERE name = ?1 AND state BETWEEN 30 AND 35";
        let mut sum = 0;
        for name in self.names()? {
            let mut select = self.conn.prepare_cached(count).map_err(store_error)?;
            sum += select.query_row([name], |row| row.get::<_, i64>(0)).map_err(store_error)? as u64;
        }
        Ok(sum)
    }

    /// How many runs of each name have not ended, and how many of all are paused.
    ///
    /// # Errors
    /// The disk's.
    pub fn count_open(&self) -> Result<(Vec<(String, u64)>, u64), StoreError> {
        let read = || -> rusqlite::Result<_> {
            let mut select = self.conn.prepare_cached(
                "SELECT name, count(*) FROM runs INDEXED BY runs_open WHERE state NOT BETWEEN 30 AND 35 GROUP BY name",
            )?;
            let open = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
            let open: Vec<(String, u64)> = open.collect::<rusqlite::Result<_>>()?;
            let mut select = self.conn.prepare_cached(
                "SELECT count(*) FROM runs INDEXED BY runs_shelf WHERE name = ?1 AND state = 1",
            )?;
            let mut paused = 0;
            for (name, _) in &open {
                paused += select.query_row([name], |row| row.get::<_, i64>(0))? as u64;
            }
            Ok((open, paused))
        };
        read().map_err(store_error)
    }

    /// What the database takes of the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn room(&self) -> Result<Room, StoreError> {
        let number = |sql: &str| self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|it| it as u64);
        let read = || {
            let size = number("PRAGMA page_size")?;
            let (pages, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
            let removing = number("SELECT count(*) FROM removed")?;
            Ok(Room { used: pages.saturating_sub(free) * size, free: free * size, removing })
        };
        read().map_err(store_error)
    }
}

/// A run of which nobody knows how it ended stays.
fn ended_root(run: RunId, row: &Row<'_>) -> rusqlite::Result<Option<EndedRoot>> {
    let state = read_state(row.get(2)?).ok();
    let (Some(RunState::Ended(outcome)), Ok(Some(ended)), true) =
        (state, row.get::<_, Option<i64>>(3), row.get(5)?)
    else {
        return Ok(None);
    };
    Ok(Some(EndedRoot { run, outcome, ended: Timestamp::from_micros(ended as u64) }))
}
