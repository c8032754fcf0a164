//! Tasks by what their rows say, and by the runs that they are of.
//!
//! What a task is called stands in few labels, which are looked at first; then the rows of a window of runs are found
//! through whichever index fits: that of the label, that of tasks with trouble, or that of the run.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use partitur_model::definition::Label;
use partitur_model::record::{TaskOutcome, TaskState};
use partitur_model::{RunId, TaskSeq, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::candidates::{Plan, all_names};
use super::window::{Window, Windows};
use super::{Order, Part, Search, TOTAL_MAX};
use crate::StoreError;
use crate::sqlite::columns::Columns;
use crate::sqlite::fault::{Unreadable, store_error};
use crate::sqlite::labels::{self, Labelled};
use crate::sqlite::reader::Reader;
use crate::sqlite::run_row::OPEN;
use crate::sqlite::task_row;

/// So many labels are looked up one by one; of more, all tasks of the window are looked at.
const LABELS_MAX: usize = 64;

/// So many runs of a window have their tasks looked at one run after the other.
const RUNS_MAX: usize = 4_000;

/// Runs in the first window.
const FIRST: i64 = 1_024;

/// Runs that took longer than this are looked for by themselves.
const HOUR: Duration = Duration::from_secs(3_600);

/// More of those are not worth it.
const LONG_MAX: usize = 20_000;

/// Which tasks [`Reader::search_tasks`] finds: those of runs of a server alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSearch {
    /// Of these runs, in this order; offset and limit count tasks.
    pub runs: Search,
    /// It failed, timed out, was cancelled, was left out by hand, or ended with errors.
    pub troubled: bool,
    /// It has not ended.
    pub open: bool,
    /// Some time of it lies within these.
    pub times: RangeInclusive<Timestamp>,
    /// Of several tasks of a run the first that fits will do.
    pub once_a_run: bool,
}

impl Default for TaskSearch {
    fn default() -> TaskSearch {
        TaskSearch {
            runs: Search::default(),
            troubled: false,
            open: false,
            times: Timestamp::ZERO..=Timestamp::MAX,
            once_a_run: false,
        }
    }
}

/// What is compared of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are as in its record")]
pub struct SearchedTask {
    pub seq: TaskSeq,
    pub node: String,
    pub state: TaskState,
    pub superseded: bool,
    pub skipped_by_hand: bool,
    pub error: Option<(String, bool)>,
    pub has_items: bool,
    pub polls: u32,
    pub ready: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub updated: Timestamp,
    pub domain: Option<String>,
    /// As people read it, where that is not the node's name.
    pub path: Option<String>,
    /// Why it did not succeed, unless that is long.
    pub reason: Option<String>,
}

/// What a search among tasks has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundTasks {
    /// The wanted part: the newest run first, its tasks by number.
    pub tasks: Vec<(RunId, TaskSeq)>,
    /// How many match altogether, counted up to [`TOTAL_MAX`].
    pub total: usize,
    /// Whether these are all.
    pub total_is_exact: bool,
}

impl Reader {
    /// Finds tasks: of those whose label and node are `called` so, those that `fit`. A node is empty where it may be any.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::TooWide`].
    pub fn search_tasks(
        &self,
        search: &TaskSearch,
        called: impl Fn(&Label, &str) -> bool,
        fits: impl Fn(&Label, &SearchedTask) -> bool,
    ) -> Result<FoundTasks, StoreError> {
        let until = Instant::now().checked_add(search.runs.patience);
        let all = labels::all(&self.conn).map_err(store_error)?;
        let count = all.len();
        let labels: HashMap<i64, Labelled> =
            all.into_iter().filter(|(_, it)| called(&it.label, &it.node)).collect();
        if labels.is_empty() {
            return Ok(FoundTasks { total_is_exact: true, ..FoundTasks::default() });
        }
        let mut walk = TaskWalk {
            reader: self,
            search,
            removed: removed(self).map_err(store_error)?,
            all_labels: labels.len() == count,
            labels,
            fits,
            part: Part::new(search.runs.offset, search.runs.limit),
        };
        walk.go(until)?;
        let Part { total, wanted, .. } = walk.part;
        let mut tasks = Vec::with_capacity(wanted.len());
        for (key, seq) in wanted {
            tasks.extend(self.id_of(key).map_err(store_error)?.map(|run| (run, TaskSeq(seq))));
        }
        Ok(FoundTasks { tasks, total: total.min(TOTAL_MAX), total_is_exact: total <= TOTAL_MAX })
    }
}

struct TaskWalk<'r, F> {
    reader: &'r Reader,
    /// Runs of which there are still tasks, although they are gone.
    removed: HashSet<i64>,
    search: &'r TaskSearch,
    labels: HashMap<i64, Labelled>,
    all_labels: bool,
    fits: F,
    part: Part<(i64, u32)>,
}

/// Statements over tasks begin so.
const SELECT: &str = "SELECT run, seq, label, node, state, token, until, lease, error_code, error_retriable, served, \
     items IS NOT NULL, polls, ready, started, ended, updated, domain, path, \
     iif(typeof(error) = 'text', error, NULL) FROM tasks";

impl<F: Fn(&Label, &SearchedTask) -> bool> TaskWalk<'_, F> {
    fn go(&mut self, until: Option<Instant>) -> Result<(), StoreError> {
        let mut runs = self.search.runs.clone();
        if self.search.open && runs.states.is_empty() {
            runs.states = OPEN.to_vec();
        }
        runs.created = *runs.created.start()..=(*runs.created.end()).min(*self.search.times.end());
        let early = self.early(&mut runs).map_err(store_error)?;
        if runs.order == Order::OldestFirst && self.take_early(early.as_ref(), until)? {
            return Ok(());
        }
        let plan = Plan::of(self.reader, &runs).map_err(store_error)?;
        let any_run = is_any(&runs);
        let mut windows = Windows::of(plan.span, runs.order, FIRST);
        while let Some(window) = windows.next(self.reader).map_err(store_error)? {
            let begin = Instant::now();
            let keys =
                if any_run { None } else { Some(plan.matches(self.reader, &window).map_err(store_error)?) };
            let found = self.window(window, keys.as_deref()).map_err(StoreError::from)?;
            if self.take(found) {
                return Ok(());
            }
            windows.took(begin.elapsed());
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(StoreError::TooWide);
            }
        }
        if runs.order == Order::NewestFirst {
            self.take_early(early.as_ref(), until)?;
        }
        Ok(())
    }

    /// A task whose times are late is of a run that was accepted late, or took long, or has not ended. Of the latter two
    /// there are few: they are looked at last.
    fn early(&self, runs: &mut Search) -> rusqlite::Result<Option<Search>> {
        let from = Timestamp::from_micros(
            self.search.times.start().micros().saturating_sub(HOUR.as_micros() as u64),
        );
        if from <= *runs.created.start() || from > *runs.created.end() {
            return Ok(None);
        }
        let low = self.reader.keys_created(&(from..=Timestamp::MAX))?.0;
        let Some(keys) = self.long_before(low)? else { return Ok(None) };
        let mut ids = Vec::with_capacity(keys.len());
        for key in keys {
            ids.extend(self.reader.id_of(key)?);
        }
        let early = Search { before: None, ids, ..runs.clone() };
        runs.created = from..=*runs.created.end();
        Ok((!early.ids.is_empty()).then_some(early))
    }

    /// The runs in front of a key that took long or have not ended, if these are few.
    fn long_before(&self, low: i64) -> rusqlite::Result<Option<Vec<i64>>> {
        let mut select = self.reader.conn.prepare_cached(
            "SELECT key FROM runs INDEXED BY runs_long
             WHERE begun + coalesce(ended, 0) > 3600000000 AND key < ?1 LIMIT ?2",
        )?;
        let limit = LONG_MAX as i64 + 1;
        let mut keys: Vec<i64> =
            select.query_map((low, limit), |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut select = self.reader.conn.prepare_cached(
            "SELECT key FROM runs INDEXED BY runs_open
             WHERE state NOT BETWEEN 30 AND 35 AND name = ?1 AND key < ?2 LIMIT ?3",
        )?;
        for name in all_names(self.reader)? {
            for key in select.query_map((name, low, limit), |row| row.get::<_, i64>(0))? {
                keys.push(key?);
            }
            if keys.len() > LONG_MAX {
                return Ok(None);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(Some(keys))
    }

    /// Whether that is enough.
    fn take_early(&mut self, early: Option<&Search>, until: Option<Instant>) -> Result<bool, StoreError> {
        let Some(early) = early else { return Ok(false) };
        let mut parts: Vec<&[RunId]> = early.ids.chunks(500).collect();
        if early.order == Order::NewestFirst {
            parts.reverse();
        }
        for ids in parts {
            let some = Search { ids: ids.to_vec(), ..early.clone() };
            let plan = Plan::of(self.reader, &some).map_err(store_error)?;
            let keys = plan.matches(self.reader, &plan.span).map_err(store_error)?;
            let found = self.of_runs(&keys).map_err(StoreError::from)?;
            if self.take(found) {
                return Ok(true);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Err(StoreError::TooWide);
            }
        }
        Ok(false)
    }

    /// Puts what a window holds in order; whether that is enough.
    fn take(&mut self, mut found: Vec<(i64, u32)>) -> bool {
        match self.search.runs.order {
            Order::NewestFirst => found.sort_unstable_by_key(|&(run, seq)| (std::cmp::Reverse(run), seq)),
            Order::OldestFirst => found.sort_unstable(),
        }
        if self.search.once_a_run {
            found.dedup_by_key(|&mut (run, _)| run);
        }
        found.into_iter().for_each(|task| self.part.add(task));
        self.part.is_over()
    }

    /// The tasks of a window that fit; of these runs alone, if they are given.
    fn window(&self, window: Window, keys: Option<&[i64]>) -> Result<Vec<(i64, u32)>, Unreadable> {
        let by_run = |keys: &&[i64]| {
            // The index of a label would name the tasks of all other runs, too.
            let has_better = self.search.troubled || !self.all_labels && self.labels.len() <= 2;
            keys.len() <= 32 || !has_better && keys.len() <= RUNS_MAX
        };
        if let Some(keys) = keys.filter(by_run) {
            return self.of_runs(keys);
        }
        let mut found = Vec::new();
        let span = [Value::from(window.low), Value::from(window.high)];
        if self.search.troubled {
            let troubled = format!(
                "{SELECT} INDEXED BY tasks_trouble WHERE (state BETWEEN 21 AND 23 OR state = 24 AND served & 2
                 OR state = 20 AND error_code IS NOT NULL) AND run BETWEEN ? AND ?"
            );
            self.read(&troubled, span, keys, &mut found)?;
        } else if !self.all_labels && self.labels.len() <= LABELS_MAX {
            let labelled = format!("{SELECT} INDEXED BY tasks_label WHERE label = ? AND run BETWEEN ? AND ?");
            for &label in self.labels.keys() {
                let [low, high] = span.clone();
                self.read(&labelled, [label.into(), low, high], keys, &mut found)?;
            }
        } else {
            self.read(&format!("{SELECT} WHERE run BETWEEN ? AND ?"), span, keys, &mut found)?;
        }
        Ok(found)
    }

    fn is_where_it_is_looked_for(&self, task: &SearchedTask) -> bool {
        let is_troubled = match task.state {
            TaskState::Ended(TaskOutcome::Succeeded) => task.error.is_some(),
            TaskState::Ended(TaskOutcome::Skipped) => task.skipped_by_hand,
            state => state.is_ended(),
        };
        (!self.search.troubled || is_troubled) && (!self.search.open || !task.state.is_ended())
    }

    fn of_runs(&self, keys: &[i64]) -> Result<Vec<(i64, u32)>, Unreadable> {
        let mut found = Vec::new();
        let sql = format!("{SELECT} WHERE run = ?");
        for &key in keys {
            self.read(&sql, [key.into()], None, &mut found)?;
        }
        Ok(found)
    }

    fn read<const N: usize>(
        &self,
        sql: &str,
        values: [Value; N],
        keys: Option<&[i64]>,
        found: &mut Vec<(i64, u32)>,
    ) -> Result<(), Unreadable> {
        let mut select = self.reader.conn.prepare_cached(sql)?;
        let mut rows = select.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let (run, seq) = (row.get(0)?, row.get(1)?);
            if keys.is_some_and(|keys| keys.binary_search(&run).is_err()) || self.removed.contains(&run) {
                continue;
            }
            let Some(label) = row.get::<_, Option<i64>>(2)?.and_then(|label| self.labels.get(&label)) else {
                continue;
            };
            match searched(row) {
                Ok(task) if self.is_where_it_is_looked_for(&task) && (self.fits)(&label.label, &task) => {
                    found.push((run, seq));
                }
                // What cannot be read is told to whoever reads the run.
                Ok(_) | Err(Unreadable::Row(_)) => {}
                Err(disk @ Unreadable::Disk(_)) => return Err(disk),
            }
        }
        Ok(())
    }
}

fn removed(reader: &Reader) -> rusqlite::Result<HashSet<i64>> {
    reader.conn.prepare_cached("SELECT run FROM removed")?.query_map([], |row| row.get(0))?.collect()
}

/// Whether nothing is wanted of the runs but that they were accepted within some times.
fn is_any(runs: &Search) -> bool {
    let &Search { order, offset, limit, patience, .. } = runs;
    let created = runs.created.clone();
    *runs == Search { order, offset, limit, patience, created, ..Search::default() }
}

fn searched(row: &Row<'_>) -> Result<SearchedTask, Unreadable> {
    let seq = TaskSeq(row.get(1)?);
    let mut row = Columns::behind(row, 3);
    let node = row.next()?;
    let state = task_row::read_state(&mut row)?;
    let (code, retriable) = (row.next::<Option<String>>()?, row.next::<Option<bool>>()?);
    let flags = crate::sqlite::served::read_flags(row.next()?)?;
    let (has_items, polls) = (row.next()?, row.next::<Option<u32>>()?.unwrap_or(0));
    let ready = row.next_time()?.unwrap_or(Timestamp::ZERO);
    let started = row.next_since(ready)?;
    let ended = row.next_since(started.unwrap_or(ready))?;
    let last = ended.or(started).unwrap_or(ready);
    let updated = row.next_since(last)?.unwrap_or(last);
    let domain = row.next()?;
    Ok(SearchedTask {
        seq,
        node,
        state,
        superseded: flags.superseded,
        skipped_by_hand: flags.skipped_by_hand,
        error: code.map(|code| (code, retriable.unwrap_or(true))),
        has_items,
        polls,
        ready,
        started,
        ended,
        updated,
        domain,
        path: row.next()?,
        reason: row.next()?,
    })
}
