//! Runs by anything that their rows say.
//!
//! Runs are looked at in windows of their keys, which is the order in which they were accepted: within a window
//! `candidates` finds those that match, through the index that leaves fewest of them, and `filter` says the rest in SQL.
//! Each window is a read of its own, so that none lasts long, and a search that matches nearly everything looks at little.
//! `tasks` does the same for tasks.

mod candidates;
mod filter;
mod tasks;
mod window;

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use partitur_model::record::{RunRecord, RunState};
use partitur_model::{DefinitionId, RunId, Timestamp};
use rusqlite::OptionalExtension;

use self::candidates::Plan;
pub use self::filter::{Clause, Column, Test};
pub use self::tasks::{FoundTasks, SearchedTask, TaskSearch};
use self::window::Windows;
use super::Reader;
use crate::sqlite::columns::run_id;
use crate::sqlite::fault::store_error;
use crate::tables::RunKey;
use crate::{Quarantined, StoreError};

/// Matches are counted up to here.
pub const TOTAL_MAX: usize = 10_000;

/// Which runs [`Reader::search`] finds. An empty list restricts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Of one of these names.
    pub names: Vec<String>,
    /// Runs of a server of one of these versions.
    pub versions: Vec<u32>,
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Called so by their submitters.
    pub correlations: Vec<String>,
    /// Sub-runs of this one.
    pub parent: Option<RunId>,
    /// With one of these ids.
    pub ids: Vec<RunId>,
    /// Of one of these definitions.
    pub definitions: Vec<DefinitionId>,
    /// Accepted within these times.
    pub created: RangeInclusive<Timestamp>,
    /// Ended within these times; also those that have not, if `None`.
    pub ended: Option<RangeInclusive<Timestamp>>,
    /// With this text in the name, the correlation, or the reason why they did not succeed, or with an id that begins with
    /// ten or more characters of it; in letters of any case.
    pub text: Option<String>,
    /// Runs of a server alone.
    pub served: bool,
    /// Whatever else must hold.
    pub also: Vec<Clause>,
    /// Older than this one: the last of the page before.
    pub before: Option<RunId>,
    /// In this order.
    pub order: Order,
    /// Without so many of the first.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
    /// It ends with [`StoreError::TooWide`] then.
    pub patience: Duration,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            names: Vec::new(),
            versions: Vec::new(),
            states: Vec::new(),
            correlations: Vec::new(),
            parent: None,
            ids: Vec::new(),
            definitions: Vec::new(),
            created: Timestamp::ZERO..=Timestamp::MAX,
            ended: None,
            text: None,
            served: false,
            also: Vec::new(),
            before: None,
            order: Order::default(),
            offset: 0,
            limit: 100,
            patience: Duration::MAX,
        }
    }
}

/// By the time at which runs were accepted, which is the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last one first.
    #[default]
    NewestFirst,
    /// The first one first.
    OldestFirst,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The wanted part, without tasks.
    pub runs: Vec<RunRecord>,
    /// How many match altogether, counted up to [`TOTAL_MAX`].
    pub total: usize,
    /// Whether these are all.
    pub total_is_exact: bool,
    /// Runs that could not be read.
    pub quarantined: Vec<Quarantined>,
}

impl Reader {
    /// Finds runs.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::TooWide`].
    pub fn search(&self, search: &Search) -> Result<Found, StoreError> {
        let mut part = Part::new(search.offset, search.limit);
        self.walk(search, |keys| {
            keys.iter().for_each(|&key| part.add(key));
            Ok(part.is_over())
        })?;
        let page = self.page_of(&part.wanted)?;
        Ok(Found {
            runs: page.runs,
            total: part.total.min(TOTAL_MAX),
            total_is_exact: part.total <= TOTAL_MAX,
            quarantined: page.quarantined,
        })
    }

    /// The runs that match, in order, each with its generation: at most `limit` of them.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::TooWide`].
    pub fn search_generations(&self, search: &Search) -> Result<Vec<(RunId, u32)>, StoreError> {
        let mut keys = Vec::new();
        self.walk(search, |found| {
            keys.extend_from_slice(found);
            Ok(keys.len() >= search.limit)
        })?;
        keys.truncate(search.limit);
        let read = || {
            let mut select =
                self.conn.prepare_cached("SELECT random, generation FROM runs WHERE key = ?1")?;
            let mut runs = Vec::with_capacity(keys.len());
            for key in keys {
                let found = select.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
                runs.extend(found.map(|(random, generation)| (run_id(RunKey(key), random), generation)));
            }
            Ok(runs)
        };
        read().map_err(store_error)
    }

    /// Hands over the keys of the runs that match, window by window and in order, until `look` has seen enough.
    pub(super) fn walk(
        &self,
        search: &Search,
        mut look: impl FnMut(&[i64]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let until = Instant::now().checked_add(search.patience);
        let plan = Plan::of(self, search).map_err(store_error)?;
        let mut windows = Windows::new(&plan, search.order);
        while let Some(window) = windows.next(self).map_err(store_error)? {
            let begin = Instant::now();
            let mut keys = plan.matches(self, &window).map_err(store_error)?;
            if search.order == Order::NewestFirst {
                keys.reverse();
            }
            if look(&keys)? {
                return Ok(());
            }
            windows.took(begin.elapsed());
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(StoreError::TooWide);
            }
        }
        Ok(())
    }

    /// The names of all runs.
    ///
    /// # Errors
    /// The disk's.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        candidates::all_names(self).map_err(store_error)
    }

    /// The first and last key that runs accepted within these times can have: numbers rise with time, so that a few
    /// looks find them. Runs of several shards are not told apart.
    fn keys_created(&self, created: &RangeInclusive<Timestamp>) -> rusqlite::Result<(i64, i64)> {
        let mut ends =
            self.conn.prepare_cached("SELECT (SELECT min(key) FROM runs), (SELECT max(key) FROM runs)")?;
        let ends: (Option<i64>, Option<i64>) = ends.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)) = ends else { return Ok((0, 0)) };
        if first >> 48 != last >> 48 {
            return Ok((first, last));
        }
        let low = self.first_key(first, last, |time| time >= *created.start())?;
        let high = self.first_key(first, last, |time| time > *created.end())?;
        Ok((low, high - 1))
    }

    /// The least key between `low` and `high` from which on times are late; behind `high` if there is none.
    fn first_key(
        &self,
        mut low: i64,
        high: i64,
        is_late: impl Fn(Timestamp) -> bool,
    ) -> rusqlite::Result<i64> {
        let mut end = high + 1;
        let mut select =
            self.conn.prepare_cached("SELECT key, created FROM runs WHERE key >= ?1 ORDER BY key LIMIT 1")?;
        while low < end {
            let middle = low + (end - low) / 2;
            let found: Option<(i64, i64)> =
                select.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match found {
                Some((key, created)) if !is_late(Timestamp::from_micros(created as u64)) => low = key + 1,
                Some(_) | None => end = middle,
            }
        }
        Ok(low)
    }

    /// Runs of a server in which there are tasks of which searches do not know what they are called: an older binary wrote
    /// them. The newest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn unlabelled(&self, limit: u32) -> Result<Vec<RunId>, StoreError> {
        let read = || {
            let mut select = self.conn.prepare_cached(
                "SELECT DISTINCT run FROM tasks INDEXED BY tasks_unlabelled
                 WHERE served IS NOT NULL AND label IS NULL ORDER BY run DESC LIMIT ?1",
            )?;
            let keys: Vec<i64> = select.query_map([limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
            keys.into_iter()
                .filter_map(|key| self.id_of(key).transpose())
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(store_error)
    }

    fn id_of(&self, key: i64) -> rusqlite::Result<Option<RunId>> {
        let mut select = self.conn.prepare_cached("SELECT random FROM runs WHERE key = ?1")?;
        let random = select.query_row([key], |row| row.get(0)).optional()?;
        Ok(random.map(|random| run_id(RunKey(key), random)))
    }
}

/// How many there are, and those of them that are wanted.
struct Part<T> {
    offset: usize,
    end: usize,
    total: usize,
    wanted: Vec<T>,
}

impl<T> Part<T> {
    fn new(offset: usize, limit: usize) -> Part<T> {
        Part { offset, end: offset.saturating_add(limit), total: 0, wanted: Vec::new() }
    }

    fn add(&mut self, item: T) {
        if (self.offset..self.end).contains(&self.total) {
            self.wanted.push(item);
        }
        self.total += 1;
    }

    /// Whether no further one can change the answer.
    fn is_over(&self) -> bool {
        self.total > TOTAL_MAX && self.total >= self.end
    }
}
