//! The tasks of a run, and what was written about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use partitur_model::catalogue::LogLine;
use partitur_model::record::{TaskRecord, TaskState};
use partitur_model::{RunId, TaskSeq};
use rusqlite::{OptionalExtension, params};

use super::{PAGE, PAGE_TIME, Reader};
use crate::StoreError;
use crate::sqlite::fault::{Unreadable, store_error};
use crate::sqlite::{catalogue, load, task_row};
use crate::tables::RunKey;

/// What a filter of tasks sees: no payloads, so that none is read for tasks that are not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskHead {
    /// The task's number.
    pub seq: TaskSeq,
    /// Its node.
    pub node: Arc<str>,
    /// How far it is.
    pub state: TaskState,
    /// The code of its error, and whether another attempt may help.
    pub error: Option<(String, bool)>,
    /// A later attempt has a row of its own.
    pub superseded: bool,
    /// Left out by hand.
    pub skipped_by_hand: bool,
}

/// Some tasks of a run, by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskRecord>,
    /// How many the filter shows altogether.
    pub total: usize,
}

impl Reader {
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

    /// Of the tasks of a run that the filter shows, by number, `count` behind the first `start`.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn task_page(
        &self,
        run: RunId,
        start: usize,
        count: usize,
        mut shown: impl FnMut(&TaskHead) -> bool,
    ) -> Result<TaskPage, StoreError> {
        let (mut page, mut seqs, mut after) = (TaskPage::default(), Vec::new(), None);
        loop {
            let heads = self.heads_after(run, after)?;
            let Some(last) = heads.last() else { break };
            after = Some(last.seq);
            for head in heads.iter().filter(|head| shown(head)) {
                if (start..start.saturating_add(count)).contains(&page.total) {
                    seqs.push(head.seq);
                }
                page.total += 1;
            }
        }
        for seq in seqs {
            page.tasks.extend(self.task_by_seq(run, seq)?);
        }
        Ok(page)
    }

    /// The next heads behind `after`; none only at the end.
    fn heads_after(&self, run: RunId, after: Option<TaskSeq>) -> Result<Vec<TaskHead>, Unreadable> {
        let up = Instant::now() + PAGE_TIME;
        let mut select = self.conn.prepare_cached(task_row::SELECT_HEADS)?;
        let after = after.map_or(-1, |seq| i64::from(seq.0));
        let mut rows = select.query(params![RunKey::from(run).0, after, PAGE])?;
        let mut heads = Vec::new();
        while let Some(row) = rows.next()? {
            heads.push(task_row::read_head(row)?);
            if Instant::now() >= up {
                break;
            }
        }
        Ok(heads)
    }

    /// The task of a run with this number.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn task_by_seq(&self, run: RunId, seq: TaskSeq) -> Result<Option<TaskRecord>, StoreError> {
        let after = seq.0.checked_sub(1).map(TaskSeq);
        Ok(load::tasks(&self.conn, run, after, 1, None)?.pop().filter(|task| task.seq == seq))
    }

    /// The first tasks of a run that did not simply succeed, and the containers that they are in.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn troubled(&self, run: RunId, limit: u32) -> Result<Vec<TaskRecord>, StoreError> {
        let mut tasks: BTreeMap<TaskSeq, TaskRecord> = BTreeMap::new();
        let mut wanted = self.troubled_seqs(run, limit).map_err(store_error)?;
        while let Some(seq) = wanted.pop() {
            if let Some(task) = self.task_by_seq(run, seq)? {
                let container = task.scope.map(|scope| scope.container);
                wanted.extend(container.filter(|container| !tasks.contains_key(container)));
                tasks.insert(seq, task);
            }
        }
        Ok(tasks.into_values().collect())
    }

    fn troubled_seqs(&self, run: RunId, limit: u32) -> rusqlite::Result<Vec<TaskSeq>> {
        let mut select = self.conn.prepare_cached(
            "SELECT seq FROM tasks INDEXED BY tasks_trouble WHERE (state BETWEEN 21 AND 23 OR state = 24 AND served & 2
             OR state = 20 AND error_code IS NOT NULL) AND run = ?1 ORDER BY seq LIMIT ?2",
        )?;
        select.query_map(params![RunKey::from(run).0, limit], |row| row.get(0).map(TaskSeq))?.collect()
    }

    /// What was written about a task, oldest first.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn task_log(&self, run: RunId, task: TaskSeq) -> Result<Vec<LogLine>, StoreError> {
        let (mut lines, mut after) = (Vec::new(), i64::MIN);
        loop {
            let page = self.lines_after(run, task, after)?;
            let Some(&(last, _)) = page.last() else { return Ok(lines) };
            after = last;
            lines.extend(page.into_iter().map(|(_, line)| line));
        }
    }

    /// What was written about the tasks of a run behind a line of this number, with the numbers: at most so many.
    ///
    /// # Errors
    /// The disk's.
    pub fn run_log_after(
        &self,
        run: RunId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, TaskSeq, LogLine)>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(i64, TaskSeq, LogLine)>> {
            let mut select = self.conn.prepare_cached(catalogue::SELECT_LINES_OF_RUN)?;
            let rows = select.query_map(params![RunKey::from(run).0, after, limit.min(PAGE)], |row| {
                Ok((row.get(0)?, TaskSeq(row.get(3)?), catalogue::read_line(row)?))
            })?;
            rows.collect()
        };
        read().map_err(store_error)
    }

    /// The next lines of the log behind a row, with their rows; none only at the end.
    fn lines_after(&self, run: RunId, task: TaskSeq, after: i64) -> Result<Vec<(i64, LogLine)>, Unreadable> {
        let up = Instant::now() + PAGE_TIME;
        let mut select = self.conn.prepare_cached(catalogue::SELECT_LINES)?;
        let mut rows = select.query(params![RunKey::from(run).0, task.0, after, PAGE])?;
        let mut lines = Vec::new();
        while let Some(row) = rows.next()? {
            lines.push((row.get(0)?, catalogue::read_line(row)?));
            if Instant::now() >= up {
                break;
            }
        }
        Ok(lines)
    }
}
