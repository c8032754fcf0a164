//! Whoever has the writing connection: a thread, or for a moment the caller.
//!
//! It takes the batches that are there into one transaction, so that one flush to the disk serves all of them when
//! there are many, and none waits when there is one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use partitur_model::change::BatchNo;
use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::fault::{is_certain, is_failed_sync, store_error};
use super::queue::{Job, Pending, Question, Queue};
use super::rows::{Workshop, Written};
use super::{labels, load, removal};
use crate::{Completion, StoreError};

/// A transaction takes no further batch once it has this many changes.
const CHANGES_MAX: usize = 16_384;

/// Pages in the log above which it is copied while there is something to take away.
const TIDY_PAGES: u32 = 1_000;

/// However much there is to write, what is removed gets its turn after so long.
const CHORES_EVERY: Duration = Duration::from_millis(10);

/// What the writer has done so far.
#[derive(Debug, Default)]
pub struct Work {
    pub(super) transactions: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) payloads: AtomicU64,
}

pub(super) struct Writer {
    pub conn: Connection,
    pub queue: Arc<Queue>,
    pub work: Arc<Work>,
    pub workshop: Workshop,
    pub waker: Box<dyn Fn() + Send>,
    pub checkpoint_pages: u32,
    /// The last batch that failed for a reason of its own.
    pub failed: Option<BatchNo>,
    /// Nothing more is written: what the disk holds is unknown.
    pub poison: Option<String>,
    /// There are rows to take away or pages to give back.
    pub freed: bool,
    /// Since when nothing of that was done.
    pub rested: Instant,
    /// The last commit was refused, perhaps for want of room.
    pub cramped: bool,
    /// Whoever submits writes: he looks for completions himself, and leaves the chores to the thread.
    pub by_caller: bool,
}

impl Writer {
    /// What has gathered, and what is to be done when nothing has.
    pub(super) fn work(&mut self, jobs: VecDeque<Job>) {
        let mut group = Vec::new();
        for job in jobs {
            match job {
                Job::Batch(pending) => self.take(pending, &mut group),
                Job::Question(question) => {
                    self.commit(&mut group);
                    self.answer(question);
                }
                Job::Chores => {}
            }
        }
        self.commit(&mut group);
        self.checkpoint();
        self.tidy_up();
    }

    /// Whether a batch may be written by a caller, who has better things to do than to wait for a disk in trouble.
    pub(super) fn is_well(&self) -> bool {
        !self.cramped
    }

    /// One batch, for a caller that looks for its completion afterwards.
    pub(super) fn write_at_once(&mut self, pending: Pending) {
        self.by_caller = true;
        let mut group = Vec::new();
        self.take(pending, &mut group);
        self.commit(&mut group);
        self.by_caller = false;
    }

    /// Whether there is something to do that no batch has to wait for.
    pub(super) fn has_chores(&self) -> bool {
        self.freed || self.is_log_long()
    }

    /// Adds the batch to the group, or refuses it behind the group.
    fn take(&mut self, pending: Pending, group: &mut Vec<Pending>) {
        let changes: usize = group.iter().map(|pending| pending.commit.changes.len()).sum();
        if changes + pending.commit.changes.len() > CHANGES_MAX || self.refusal(&pending).is_some() {
            self.commit(group);
        }
        match self.refusal(&pending) {
            None => group.push(pending),
            Some(error) => {
                if matches!(error, StoreError::Overloaded) {
                    self.failed = Some(pending.commit.number);
                }
                self.report([Completion::Failed(pending.commit.number, error)]);
            }
        }
    }

    /// Why the batch cannot even be tried.
    fn refusal(&self, pending: &Pending) -> Option<StoreError> {
        if let Some(reason) = &self.poison {
            return Some(StoreError::Poisoned(reason.clone()));
        }
        if let Some(failed) = self.failed.filter(|_| pending.heard < self.failed) {
            return Some(StoreError::Behind(failed));
        }
        pending.refused.then_some(StoreError::Overloaded)
    }

    /// Writes the group as one transaction and reports each of its batches.
    fn commit(&mut self, group: &mut Vec<Pending>) {
        let Some(last) = group.last().map(|pending| pending.commit.number) else { return };
        let result = self.write(group);
        let numbers: Vec<BatchNo> = group.drain(..).map(|pending| pending.commit.number).collect();
        match result {
            Ok(written) => {
                self.count(numbers.len(), written);
                self.report(numbers.into_iter().map(Completion::Durable));
                if !self.by_caller {
                    self.checkpoint();
                }
                self.cramped = false;
            }
            Err(error) => {
                self.failed = Some(last);
                self.cramped = true;
                self.checkpoint();
                self.report(numbers.into_iter().map(|number| Completion::Failed(number, error.clone())));
            }
        }
    }

    fn write(&mut self, group: &[Pending]) -> Result<Written, StoreError> {
        let changes = group.iter().flat_map(|pending| pending.commit.changes.iter());
        let written = execute(&self.conn, "BEGIN IMMEDIATE")
            .and_then(|()| self.workshop.write(&self.conn, changes))
            .map_err(|error| self.roll_back(error))?;
        match execute(&self.conn, "COMMIT") {
            Ok(()) => Ok(written),
            Err(error) if is_certain(&error) => Err(self.roll_back(error)),
            Err(error) => Err(self.poison(error.to_string())),
        }
    }

    /// Undoes the open transaction, so that nothing of it is on the disk.
    fn roll_back(&mut self, error: rusqlite::Error) -> StoreError {
        self.workshop.undone(&self.conn);
        // Some errors have rolled back already.
        let undone = self.conn.is_autocommit() || execute(&self.conn, "ROLLBACK").is_ok();
        if is_failed_sync(&error) || !undone {
            return self.poison(error.to_string());
        }
        store_error(error)
    }

    fn poison(&mut self, reason: String) -> StoreError {
        self.poison = Some(reason.clone());
        StoreError::Poisoned(reason)
    }

    fn report(&self, completions: impl IntoIterator<IntoIter: ExactSizeIterator<Item = Completion>>) {
        self.queue.complete(completions.into_iter());
        if !self.by_caller {
            (self.waker)();
        }
    }

    fn count(&mut self, batches: usize, written: Written) {
        self.freed |= written.freed;
        self.work.transactions.fetch_add(1, Ordering::Relaxed);
        self.work.batches.fetch_add(batches as u64, Ordering::Relaxed);
        self.work.rows.fetch_add(written.rows, Ordering::Relaxed);
        self.work.payloads.fetch_add(written.payloads, Ordering::Relaxed);
    }

    /// Copies the log into the database when it is long, or when there was no room for more of it: then what is copied
    /// makes room in the log. Should the copy fail, the log still holds everything; only a failed sync leaves the disk
    /// unknown, because the next one would not say so again.
    fn checkpoint(&mut self) {
        if self.poison.is_none()
            && (self.cramped || self.is_log_long())
            && let Err(error) = self.conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)
            && is_failed_sync(&error)
        {
            self.poison(error.to_string());
        }
    }

    fn is_log_long(&self) -> bool {
        let pages = self.conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP);
        // What is taken away touches pages all over the file: copied in small parts, it keeps nobody waiting.
        let most = if self.freed { self.checkpoint_pages.min(TIDY_PAGES) } else { self.checkpoint_pages };
        pages.is_ok_and(|(log, _)| u32::try_from(log).unwrap_or(0) >= most)
    }

    /// Takes away what removed runs have left and gives back free pages: while there is nothing else to do, and a little
    /// at a time while there is.
    fn tidy_up(&mut self) {
        while self.freed && self.poison.is_none() && !self.cramped {
            if !self.queue.is_idle() && self.rested.elapsed() < CHORES_EVERY {
                return;
            }
            let is_done = self.tidy_some();
            // What does not work now is tried again with the next removal.
            self.freed = is_done.is_ok_and(|is_done| !is_done);
            self.rested = Instant::now();
            self.checkpoint();
        }
    }

    /// Whether that was all.
    fn tidy_some(&mut self) -> Result<bool, StoreError> {
        if self.workshop.remains.is_empty() {
            return removal::give_back(&self.conn).map(|more| !more).map_err(store_error);
        }
        let begun = execute(&self.conn, "BEGIN IMMEDIATE");
        begun.and_then(|()| self.workshop.remains.step(&self.conn)).map_err(|error| self.roll_back(error))?;
        self.end_aside().map(|()| false)
    }

    /// Beside the batches: a few rows in a transaction of their own.
    fn aside(&mut self, write: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<(), StoreError> {
        if let Some(reason) = &self.poison {
            return Err(StoreError::Poisoned(reason.clone()));
        }
        execute(&self.conn, "BEGIN IMMEDIATE")
            .and_then(|()| write(&self.conn))
            .map_err(|error| self.roll_back(error))?;
        self.end_aside()
    }

    fn end_aside(&mut self) -> Result<(), StoreError> {
        match execute(&self.conn, "COMMIT") {
            Ok(()) => Ok(()),
            Err(error) if is_certain(&error) => Err(self.roll_back(error)),
            Err(error) => Err(self.poison(error.to_string())),
        }
    }

    fn answer(&mut self, question: Question) {
        // A caller that has gone does not want the answer.
        match question {
            Question::Recover(to) => drop(to.send(load::recover(&self.conn))),
            Question::Run(id, to) => {
                let stored = load::stored_run(&self.conn, id.into()).map_err(StoreError::from);
                drop(to.send(stored.map(|stored| stored.filter(|stored| stored.run.id == id))));
            }
            Question::UnderKey(name, key, to) => {
                drop(to.send(load::run_under_key(&self.conn, &name, &key)));
            }
            Question::Label(run, tasks, to) => {
                let done = self.aside(|conn| labels::relabel(conn, run.into(), &tasks));
                drop(to.send(done));
            }
            Question::Definition(id, to) => {
                drop(to.send(load::definition(&self.conn, id).map_err(StoreError::from)));
            }
        }
    }
}

fn execute(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute([]).map(drop)
}
