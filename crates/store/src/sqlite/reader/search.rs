//! Runs by anything that their rows say.
//!
//! An index gives the candidates where one fits, else all runs are looked at in order; the rest is compared here, row
//! by row, so that a walk can end when its time is up and go on behind the row where it ended.

use std::ops::{ControlFlow, RangeInclusive};
use std::time::Instant;

use partitur_model::record::{RunRecord, RunState};
use partitur_model::{DefinitionId, RunId, Timestamp};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{PAGE_TIME, Reader};
use crate::sqlite::columns::{Columns, needed, run_id};
use crate::sqlite::fault::{Unreadable, store_error};
use crate::sqlite::load::quarantined;
use crate::sqlite::payload::PayloadReader;
use crate::sqlite::run_row::state_code;
use crate::tables::RunKey;
use crate::{Quarantined, StoreError};

/// Matches are counted up to here.
pub const TOTAL_MAX: usize = 10_000;

/// What a walk reads of a run.
const COLUMNS: &str = "key, random, state, name, definition, parent, parent_random, correlation, \
     created, begun, ended, version, error_code, error";

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: u32 = 64;

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
    /// With this text in name, id, correlation, or the reason why they did not succeed; in letters of any case.
    pub text: Option<String>,
    /// In this order.
    pub order: Order,
    /// Without so many of the first.
    pub offset: usize,
    /// At most so many.
    pub limit: usize,
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
            order: Order::default(),
            offset: 0,
            limit: 100,
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
    /// The disk's.
    pub fn search(&self, search: &Search) -> Result<Found, StoreError> {
        let mut walk = Walk::new(search);
        let walked = match Way::of(search) {
            Way::Keys(keys) => self.walk_keys(keys, &mut walk),
            Way::Open => {
                let keys = self.open_keys().map_err(store_error)?;
                self.walk_keys(keys, &mut walk)
            }
            Way::Rows { from, value } => self.walk_rows(from, value, &mut walk),
        };
        walked.map_err(StoreError::from)?;
        let mut page = self.page_of(&walk.wanted)?;
        page.quarantined.extend(walk.quarantined);
        Ok(Found {
            runs: page.runs,
            total: walk.total.min(TOTAL_MAX),
            total_is_exact: walk.total <= TOTAL_MAX,
            quarantined: page.quarantined,
        })
    }

    fn walk_keys(&self, mut keys: Vec<i64>, walk: &mut Walk<'_>) -> Result<(), Unreadable> {
        keys.sort_unstable();
        keys.dedup();
        if walk.search.order == Order::NewestFirst {
            keys.reverse();
        }
        let mut select = self.conn.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE key = ?1"))?;
        for key in keys {
            let mut rows = select.query([key])?;
            if let Some(row) = rows.next()?
                && walk.look(self, key, row)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn open_keys(&self) -> rusqlite::Result<Vec<i64>> {
        let mut select = self
            .conn
            .prepare_cached("SELECT key FROM runs INDEXED BY runs_open WHERE state NOT BETWEEN 30 AND 35")?;
        select.query_map([], |row| row.get(0))?.collect()
    }

    /// Walks over the runs in `from`, in as many reads as it takes.
    fn walk_rows(&self, from: &str, value: Option<Value>, walk: &mut Walk<'_>) -> Result<(), Unreadable> {
        let (mut low, mut high) = self.keys_created(&walk.search.created)?;
        let descending = if walk.search.order == Order::NewestFirst { "DESC" } else { "" };
        let sql =
            format!("SELECT {COLUMNS} FROM runs {from} AND key BETWEEN ?1 AND ?2 ORDER BY key {descending}");
        while let Some(last) = self.walk_page(&sql, (low, high), value.clone(), walk)? {
            match walk.search.order {
                Order::NewestFirst => high = last - 1,
                Order::OldestFirst => low = last + 1,
            }
        }
        Ok(())
    }

    /// The key where time was up; `None` at the end, and when nothing more is wanted.
    fn walk_page(
        &self,
        sql: &str,
        (low, high): (i64, i64),
        value: Option<Value>,
        walk: &mut Walk<'_>,
    ) -> Result<Option<i64>, Unreadable> {
        let up = Instant::now() + PAGE_TIME;
        let mut select = self.conn.prepare_cached(sql)?;
        let values = [Value::from(low), Value::from(high)].into_iter().chain(value);
        let mut rows = select.query(params_from_iter(values))?;
        let mut looked = 0_u32;
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            if walk.look(self, key, row)?.is_break() {
                return Ok(None);
            }
            looked += 1;
            if looked.is_multiple_of(ROWS_PER_LOOK) && Instant::now() >= up {
                return Ok(Some(key));
            }
        }
        Ok(None)
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
}

/// Where the candidates come from.
enum Way {
    /// They are named.
    Keys(Vec<i64>),
    /// All that have not ended, of whatever name.
    Open,
    /// Rows in order: how they are found, and by which value.
    Rows { from: &'static str, value: Option<Value> },
}

impl Way {
    fn of(search: &Search) -> Way {
        if !search.ids.is_empty() {
            return Way::Keys(search.ids.iter().map(|&id| RunKey::from(id).0).collect());
        }
        let open = !search.states.is_empty() && !search.states.iter().any(|state| state.is_ended());
        let text = |text: &String| Some(Value::from(text.clone()));
        if let Some(parent) = search.parent {
            let value = Some(Value::from(RunKey::from(parent).0));
            return Way::Rows { from: "INDEXED BY runs_parent WHERE parent = ?3", value };
        }
        match (&search.correlations[..], &search.names[..]) {
            ([correlation], _) => Way::Rows {
                from: "INDEXED BY runs_correlation WHERE correlation = ?3",
                value: text(correlation),
            },
            (_, [name]) if open => Way::Rows {
                from: "INDEXED BY runs_open WHERE state NOT BETWEEN 30 AND 35 AND name = ?3",
                value: text(name),
            },
            (_, [name]) => Way::Rows { from: "INDEXED BY runs_name WHERE name = ?3", value: text(name) },
            _ if open => Way::Open,
            _ => Way::Rows { from: "WHERE true", value: None },
        }
    }
}

/// A walk over candidates: how many match so far, and those that are wanted.
struct Walk<'s> {
    search: &'s Search,
    states: Vec<i64>,
    total: usize,
    wanted: Vec<i64>,
    quarantined: Vec<Quarantined>,
}

impl<'s> Walk<'s> {
    fn new(search: &'s Search) -> Walk<'s> {
        let states = search.states.iter().map(|&state| state_code(state)).collect();
        Walk { search, states, total: 0, wanted: Vec::new(), quarantined: Vec::new() }
    }

    /// Looks at a run; breaks off when no further one can change the answer.
    fn look(&mut self, reader: &Reader, key: i64, row: &Row<'_>) -> Result<ControlFlow<()>, Unreadable> {
        let end = self.search.offset.saturating_add(self.search.limit);
        match self.matches(reader, row) {
            Ok(false) => {}
            Ok(true) => {
                if (self.search.offset..end).contains(&self.total) {
                    self.wanted.push(key);
                }
                self.total += 1;
            }
            Err(Unreadable::Row(reason)) => {
                self.quarantined.extend(quarantined(RunKey(key), Unreadable::Row(reason)).ok());
            }
            Err(disk @ Unreadable::Disk(_)) => return Err(disk),
        }
        let is_over = self.total > TOTAL_MAX && self.total >= end;
        Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn matches(&self, reader: &Reader, row: &Row<'_>) -> Result<bool, Unreadable> {
        let mut row = Columns::new(row);
        let id = run_id(RunKey(row.next()?), row.next()?);
        let (state, name, definition) = (row.next::<i64>()?, row.next_ref()?, row.next_ref()?);
        let (parent, parent_random) = (row.next::<Option<i64>>()?, row.next::<Option<i64>>()?);
        let correlation = row.next_ref()?;
        let created = needed(row.next_time()?, "created")?;
        let begun = needed(row.next_since(created)?, "begun")?;
        let ended = row.next_since(begun)?;
        let version = row.next::<Option<u32>>()?;
        let search = self.search;
        let is_found = (self.states.is_empty() || self.states.contains(&state))
            && one_of(&search.names, name)
            && (search.versions.is_empty() || version.is_some_and(|it| search.versions.contains(&it)))
            && one_of(&search.correlations, correlation)
            && search.created.contains(&created)
            && search.ended.as_ref().is_none_or(|range| ended.is_some_and(|ended| range.contains(&ended)))
            && search.parent.is_none_or(|id| {
                (parent, parent_random) == (Some(RunKey::from(id).0), Some(id.random() as i64))
            })
            && (search.ids.is_empty() || search.ids.contains(&id))
            && is_of(&search.definitions, definition);
        let Some(text) = &search.text else { return Ok(is_found) };
        Ok(is_found
            && (holds(name, text)
                || holds(correlation, text)
                || holds(ValueRef::Text(id.to_string().as_bytes()), text)
                || holds(row.next_ref()?, text)
                || reason_holds(reader, id, row.next_ref()?, text)?))
    }
}

fn one_of(wanted: &[String], value: ValueRef<'_>) -> bool {
    let is = |text: &String| matches!(value, ValueRef::Text(bytes) if bytes == text.as_bytes());
    wanted.is_empty() || wanted.iter().any(is)
}

fn is_of(definitions: &[DefinitionId], value: ValueRef<'_>) -> bool {
    let is = |id: &DefinitionId| matches!(value, ValueRef::Blob(bytes) if bytes == id.0.to_be_bytes());
    definitions.is_empty() || definitions.iter().any(is)
}

fn holds(value: ValueRef<'_>, text: &str) -> bool {
    let ValueRef::Text(bytes) = value else { return false };
    text.is_empty() || bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()))
}

/// A long reason stands apart.
fn reason_holds(reader: &Reader, run: RunId, cell: ValueRef<'_>, text: &str) -> Result<bool, Unreadable> {
    if !matches!(cell, ValueRef::Blob(_)) {
        return Ok(holds(cell, text));
    }
    let reason = PayloadReader::new(&reader.conn, run.into())?.text(cell)?;
    Ok(reason.is_some_and(|reason| holds(ValueRef::Text(reason.as_bytes()), text)))
}
