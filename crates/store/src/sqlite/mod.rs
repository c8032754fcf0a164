//! The store that people use: one SQLite file, written by one thread at a time.
//!
//! [`SqliteStore`] is the caller's side; `writer` writes, on its own thread or, what is little, on the caller's; `queue`
//! is what passes between them. `schema` has the
//! tables; `run_row`, `task_row` with `served`, and `catalogue` say how records stand in them, `payload` where their
//! texts are; `rows` writes a transaction, `load` reads back what a start needs, and `reader` what others ask.

mod backup;
mod catalogue;
mod columns;
mod fault;
mod labels;
mod load;
mod notes;
mod payload;
mod places;
mod queue;
mod reader;
#[cfg(feature = "test-support")]
pub mod recording_vfs;
mod removal;
mod rows;
mod run_row;
mod schema;
mod served;
mod task_row;
mod writer;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use partitur_model::definition::Label;
use partitur_model::record::DefinitionRecord;
use partitur_model::{DefinitionId, RunId, TaskSeq};

pub use backup::{Inspection, back_up, inspect, restore};
pub use reader::{
    CataloguePage, Clause, Column, EndedRoot, Found, FoundTasks, NoteSearch, Order, Reader, Room, RunFilter,
    RunPage, Search, SearchedTask, TOTAL_MAX, TaskHead, TaskPage, TaskSearch, Test,
};
pub use schema::Synchronous;

use self::queue::{Job, Question, Queue};
use self::rows::Workshop;
use self::writer::{Work, Writer};
use crate::{Commit, Completion, Recovered, Store, StoreError, StoredRun};

/// How a [`SqliteStore`] is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much a commit survives.
    pub synchronous: Synchronous,
    /// How long a commit waits while another process holds the database.
    pub busy: Duration,
    /// The most pages that the database may have; unlimited if `None`.
    pub pages_max: Option<u32>,
    /// Pages in the log above which it is copied into the database, after a commit. 4,000 are measured to be good;
    /// a thread of its own for it is worse.
    pub checkpoint_pages: u32,
    /// A batch of at most so many changes is written by whoever submits it, if nothing else is being written: handing
    /// it to the writer's thread and hearing of it costs more than the writing does. Zero leaves all to the thread.
    pub at_once_max: usize,
    /// The name of the registered VFS to use; the system's if `None`.
    pub vfs: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            synchronous: Synchronous::default(),
            busy: Duration::from_secs(2),
            pages_max: None,
            checkpoint_pages: 4_000,
            at_once_max: 0,
            vfs: None,
        }
    }
}

/// A store in an SQLite file. Dropping it writes what was submitted and closes the file.
pub struct SqliteStore {
    queue: Arc<Queue>,
    work: Arc<Work>,
    writer: Arc<Mutex<Writer>>,
    at_once_max: usize,
    thread: Option<JoinHandle<()>>,
}

/// What a store has written since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits to the disk.
    pub transactions: u64,
    /// Batches in them.
    pub batches: u64,
    /// Rows written, payloads apart.
    pub rows: u64,
    /// Payloads written that did not fit into their row.
    pub payloads: u64,
}

impl SqliteStore {
    /// Opens the file and starts the writer; creates the file if there is none. `waker` is called from the writer's
    /// thread whenever completions are there; not for what [`submit`](Store::submit) wrote itself.
    ///
    /// # Errors
    /// When the file cannot be used: it is another program's, of a newer format, damaged, or not to be written.
    pub fn open(
        path: impl AsRef<Path>,
        options: Options,
        waker: impl Fn() + Send + 'static,
    ) -> Result<SqliteStore, StoreError> {
        let conn =
            schema::open_writer(path.as_ref(), options.synchronous, options.busy, options.vfs.as_deref())?;
        if let Some(pages) = options.pages_max {
            conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .map_err(fault::store_error)?;
        }
        let (queue, work) = (Arc::new(Queue::default()), Arc::new(Work::default()));
        let workshop = Workshop::new(&conn)?;
        let freed = !workshop.remains.is_empty() || removal::has_free_pages(&conn);
        let writer = Writer {
            conn,
            queue: queue.clone(),
            work: work.clone(),
            workshop,
            waker: Box::new(waker),
            checkpoint_pages: options.checkpoint_pages,
            failed: None,
            poison: None,
            freed,
            rested: Instant::now(),
            cramped: false,
            by_caller: false,
        };
        let writer = Arc::new(Mutex::new(writer));
        let thread = std::thread::Builder::new().name("store".into());
        let (its_queue, its_writer) = (queue.clone(), writer.clone());
        if freed {
            queue.push(Job::Chores);
        }
        let thread =
            Some(thread.spawn(move || work_until_closed(&its_queue, &its_writer)).map_err(io_error)?);
        Ok(SqliteStore { queue, work, writer, at_once_max: options.at_once_max, thread })
    }

    /// What has been written since the store was opened.
    pub fn counts(&self) -> Counts {
        Counts {
            transactions: self.work.transactions.load(Ordering::Relaxed),
            batches: self.work.batches.load(Ordering::Relaxed),
            rows: self.work.rows.load(Ordering::Relaxed),
            payloads: self.work.payloads.load(Ordering::Relaxed),
        }
    }

    /// Says what tasks of a run are called, which an older binary wrote; `None` if nobody shall find them.
    ///
    /// # Errors
    /// The disk's.
    pub fn label(&self, run: RunId, tasks: Vec<(TaskSeq, Option<Label>)>) -> Result<(), StoreError> {
        self.ask(|to| Question::Label(run, tasks, to))
    }

    /// Writes the batch here and now; gives it back if that is the thread's to do.
    fn write_at_once(&self, commit: Commit) -> Result<(), Commit> {
        if !(1..=self.at_once_max).contains(&commit.changes.len()) {
            return Err(commit);
        }
        // The thread has it while it copies the log or gives back pages.
        let Ok(mut writer) = self.writer.try_lock() else { return Err(commit) };
        if !writer.is_well() {
            return Err(commit);
        }
        let pending = self.queue.take_at_once(commit)?;
        writer.write_at_once(pending);
        if writer.has_chores() {
            self.queue.push(Job::Chores);
        }
        Ok(())
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(SyncSender<Result<T, StoreError>>) -> Question,
    ) -> Result<T, StoreError> {
        let (to, answer): (_, Receiver<Result<T, StoreError>>) = sync_channel(1);
        self.queue.push(Job::Question(question(to)));
        answer.recv().unwrap_or_else(|_| Err(StoreError::Io("the writer has ended".into())))
    }
}

/// However the writer ends, nobody waits for it afterwards.
fn work_until_closed(queue: &Queue, writer: &Mutex<Writer>) {
    struct Leaving<'a>(&'a Queue);
    impl Drop for Leaving<'_> {
        fn drop(&mut self) {
            self.0.abandon();
        }
    }
    let _leaving = Leaving(queue);
    while let Some(jobs) = queue.take_jobs() {
        // If the caller has panicked while it wrote, nobody knows what it left.
        let Ok(mut writer) = writer.lock() else { return };
        writer.work(jobs);
    }
}

fn io_error(error: std::io::Error) -> StoreError {
    StoreError::Io(error.to_string())
}

impl Store for SqliteStore {
    fn submit(&mut self, commit: Commit) {
        if let Err(commit) = self.write_at_once(commit) {
            self.queue.submit(commit);
        }
    }

    fn completions(&mut self, out: &mut Vec<Completion>) {
        self.queue.take_completions(out);
    }

    fn wait(&mut self) {
        self.queue.wait();
    }

    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.ask(Question::Recover)
    }

    fn load_run(&mut self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        self.ask(|to| Question::Run(run, to))
    }

    fn run_under_key(&mut self, name: &str, key: &str) -> Result<Option<(RunId, bool)>, StoreError> {
        self.ask(|to| Question::UnderKey(name.to_owned(), key.to_owned(), to))
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        self.ask(|to| Question::Definition(id, to))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has completed nothing more: what was reported durable is.
            let _ = thread.join();
        }
    }
}
