//! A store whose disk a test holds in its hand: it can be slow, full, broken, or lost with the process.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::DefinitionRecord;
use partitur_model::{DefinitionId, RunId};

use crate::tables::{Tables, concerns};
use crate::{Commit, Completion, QUEUE_MAX, Recovered, Store, StoreError, StoredRun};

/// A store in memory. Its clones are handles to the same store: the engine's side keeps one, the test another.
///
/// A batch passes two gates, its writing and its being reported, so that a crash can fall before, between and after
/// them. Both are open unless [`hold`](MemoryStore::hold) closes them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

/// How the disk under a [`MemoryStore`] misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// No room.
    Full,
    /// Held by another process.
    Busy,
    /// Writes fail.
    Io,
    /// The commit's outcome is unknown: from now on the store is poisoned. The batch at hand is there, or it is not.
    Unknown {
        /// Whether it is.
        kept: bool,
    },
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    durable: Tables,
    /// Submitted, not written.
    waiting: VecDeque<Pending>,
    /// Written, not reported.
    written: VecDeque<Completion>,
    /// Reported, not taken.
    reported: VecDeque<Completion>,
    held: bool,
    fault: Option<DiskFault>,
    poisoned: bool,
    /// The process is gone: what it still says is not heard.
    dead: bool,
    /// The last batch that failed for a reason of its own.
    failed: Option<BatchNo>,
    /// The last failure that the caller has taken.
    heard: Option<BatchNo>,
    waker: Option<Box<dyn Fn() + Send>>,
}

struct Pending {
    commit: Commit,
    /// The last failure of which its submitter knew.
    heard: Option<BatchNo>,
    refused: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// A store that starts with these rows.
    pub fn with(rows: Tables) -> MemoryStore {
        let store = MemoryStore::new();
        store.state().durable = rows;
        store
    }

    /// Calls `waker` whenever a completion is there. It must not call the store: the store is locked meanwhile.
    pub fn set_waker(&self, waker: impl Fn() + Send + 'static) {
        self.state().waker = Some(Box::new(waker));
    }

    /// Whether batches wait for [`write`](MemoryStore::write) and [`report`](MemoryStore::report).
    /// Opening the gates lets everything through.
    pub fn hold(&self, held: bool) {
        self.state().held = held;
        self.pass_if_open();
    }

    /// Breaks the disk, or mends it.
    pub fn set_fault(&self, fault: Option<DiskFault>) {
        self.state().fault = fault;
    }

    /// Writes up to `batches` of those that wait, oldest first; says how many.
    pub fn write(&self, batches: usize) -> usize {
        let mut state = self.state();
        let count = batches.min(state.waiting.len());
        for _ in 0..count {
            state.write_next();
        }
        count
    }

    /// Reports up to `batches` of those that are written; says how many.
    pub fn report(&self, batches: usize) -> usize {
        let mut state = self.state();
        let count = batches.min(state.written.len());
        let passing: Vec<Completion> = state.written.drain(..count).collect();
        state.reported.extend(passing);
        if count > 0 {
            self.shared.changed.notify_all();
            if let Some(waker) = &state.waker {
                waker();
            }
        }
        count
    }

    /// Writes and reports up to `batches`.
    pub fn release(&self, batches: usize) -> usize {
        self.write(batches);
        self.report(batches)
    }

    /// Batches that are submitted and not written.
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Batches that are written and not reported.
    pub fn unreported(&self) -> usize {
        self.state().written.len()
    }

    /// The process dies: what is not written is lost, and nothing more is heard from this store's handles.
    /// Gives the store that the next start opens, with a disk in order.
    pub fn crash(&self) -> MemoryStore {
        let mut state = self.state();
        let durable = state.durable.clone();
        *state = State { durable: durable.clone(), dead: true, ..State::default() };
        self.shared.changed.notify_all();
        MemoryStore::with(durable)
    }

    /// The rows that a crash now would leave.
    pub fn durable(&self) -> Tables {
        self.state().durable.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no code panics while it holds the lock")
    }

    fn pass_if_open(&self) {
        if !self.state().held {
            self.release(usize::MAX);
        }
    }
}

impl State {
    fn write_next(&mut self) {
        let Some(pending) = self.waiting.pop_front() else { return };
        let number = pending.commit.number;
        let completion = match self.verdict(&pending) {
            Ok(()) => {
                self.keep(&pending.commit.changes);
                Completion::Durable(number)
            }
            Err(error) => Completion::Failed(number, error),
        };
        self.written.push_back(completion);
    }

    fn verdict(&mut self, pending: &Pending) -> Result<(), StoreError> {
        if self.poisoned {
            return Err(poisoned());
        }
        if let Some(failed) = self.failed.filter(|_| pending.heard < self.failed) {
            return Err(StoreError::Behind(failed));
        }
        let error = if pending.refused {
            StoreError::Overloaded
        } else {
            match self.fault {
                None => return Ok(()),
                Some(DiskFault::Full) => StoreError::Full,
                Some(DiskFault::Busy) => StoreError::Busy,
                Some(DiskFault::Io) => StoreError::Io("write".into()),
                Some(DiskFault::Unknown { kept }) => {
                    self.poisoned = true;
                    if kept {
                        self.keep(&pending.commit.changes);
                    }
                    poisoned()
                }
            }
        };
        self.failed = Some(pending.commit.number);
        Err(error)
    }

    fn keep(&mut self, changes: &[Change]) {
        for change in changes {
            self.durable.apply(change);
        }
    }
}

fn poisoned() -> StoreError {
    StoreError::Poisoned("sync".into())
}

impl Store for MemoryStore {
    fn submit(&mut self, commit: Commit) {
        let mut state = self.state();
        if !state.dead {
            let pending = Pending { refused: state.waiting.len() >= QUEUE_MAX, heard: state.heard, commit };
            state.waiting.push_back(pending);
        }
        drop(state);
        self.pass_if_open();
    }

    fn completions(&mut self, out: &mut Vec<Completion>) {
        let mut state = self.state();
        while let Some(completion) = state.reported.pop_front() {
            if let Completion::Failed(number, _) = completion {
                state.heard = state.heard.max(Some(number));
            }
            out.push(completion);
        }
    }

    fn wait(&mut self) {
        let mut state = self.state();
        while state.reported.is_empty() && !(state.waiting.is_empty() && state.written.is_empty()) {
            state = self.shared.changed.wait(state).expect("no code panics while it holds the lock");
        }
    }

    fn recover(&mut self) -> Result<Recovered, StoreError> {
        Ok(self.durable().recovered())
    }

    fn load_run(&mut self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        let state = self.state();
        let mut view = state.durable.only(run);
        let changes = state.waiting.iter().flat_map(|pending| pending.commit.changes.iter());
        for change in changes.filter(|change| concerns(change, run)) {
            view.apply(change);
        }
        Ok(view.run(run))
    }

    fn run_under_key(&mut self, name: &str, key: &str) -> Result<Option<(RunId, bool)>, StoreError> {
        let state = self.state();
        let mut view = state.durable.clone();
        let waiting = state.waiting.iter().flat_map(|pending| pending.commit.changes.iter());
        waiting.for_each(|change| view.apply(change));
        Ok(view.run_under_key(name, key))
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        let state = self.state();
        let mut waiting = state.waiting.iter().flat_map(|pending| pending.commit.changes.iter());
        let submitted = waiting.find_map(|change| match change {
            Change::Definition(definition) if definition.id == id => Some(&**definition),
            Change::Definition(_)
            | Change::Node(_)
            | Change::Run(_)
            | Change::Task(_)
            | Change::RemoveTask(..)
            | Change::RemoveRun(_)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => None,
        });
        Ok(state.durable.definition(id).or(submitted).cloned())
    }
}
