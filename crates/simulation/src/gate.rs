//! A store behind a gate: a batch is written, and its being written is told, when the world says so.
//!
//! So a crash can fall before a write, between a write and its being told, and after that, whatever the store is.
//! What the gate lets through is written at once and wholly; what it holds back is lost with the process.

use std::collections::VecDeque;

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::DefinitionRecord;
use partitur_model::{DefinitionId, RunId};
use partitur_store::{Commit, Completion, Recovered, Store, StoreError, StoredRun, Tables};

/// The store as the shard sees it.
pub struct Gate<S> {
    inner: S,
    /// Submitted, not written.
    queue: VecDeque<Commit>,
    /// Written or refused, not told.
    written: VecDeque<Completion>,
    /// Told, not heard.
    told: VecDeque<Completion>,
    /// Submitted since the world last looked.
    pub submitted: Vec<Commit>,
    /// Heard by the shard since the world last looked.
    pub heard: Vec<Completion>,
}

impl<S: Store> Gate<S> {
    /// In front of `inner`.
    pub fn new(inner: S) -> Gate<S> {
        Gate {
            inner,
            queue: VecDeque::new(),
            written: VecDeque::new(),
            told: VecDeque::new(),
            submitted: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Whether a batch waits to be written.
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Writes the oldest batch that waits.
    pub fn write(&mut self) {
        let Some(commit) = self.queue.pop_front() else { return };
        self.inner.submit(commit);
        self.inner.wait();
        let mut completions = Vec::new();
        self.inner.completions(&mut completions);
        self.written.extend(completions);
    }

    /// The disk refuses the oldest batch that waits, for this reason. It may have been `kept` all the same, where
    /// the reason is that nobody knows.
    pub fn refuse(&mut self, reason: StoreError, kept: bool) {
        let Some(number) = self.queue.front().map(|commit| commit.number) else { return };
        if kept {
            self.write();
            self.written.pop_back();
        } else {
            self.queue.pop_front();
        }
        self.written.push_back(Completion::Failed(number, reason));
    }

    /// Tells the shard what became of the batches that were written.
    pub fn tell(&mut self) {
        self.told.append(&mut self.written);
    }
}

impl<S: Store> Store for Gate<S> {
    fn submit(&mut self, commit: Commit) {
        self.submitted.push(commit.clone());
        self.queue.push_back(commit);
    }

    fn completions(&mut self, out: &mut Vec<Completion>) {
        self.heard.extend(self.told.iter().cloned());
        out.extend(self.told.drain(..));
    }

    fn wait(&mut self) {
        while self.is_waiting() {
            self.write();
        }
        self.tell();
    }

    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.inner.recover()
    }

    fn load_run(&mut self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        let stored = self.inner.load_run(run)?;
        if self.queue.is_empty() {
            return Ok(stored);
        }
        let mut view = Tables::default();
        if let Some(stored) = stored {
            view.apply(&Change::Run(Box::new(stored.run)));
            stored.tasks.into_iter().for_each(|task| view.apply(&Change::Task(Box::new(task))));
        }
        self.queue.iter().flat_map(|commit| commit.changes.iter()).for_each(|change| view.apply(change));
        Ok(view.run(run))
    }

    fn run_under_key(&mut self, name: &str, key: &str) -> Result<Option<(RunId, bool)>, StoreError> {
        let mut waiting = Tables::default();
        self.queue.iter().flat_map(|commit| commit.changes.iter()).for_each(|change| waiting.apply(change));
        let newest = waiting.run_under_key(name, key);
        Ok(newest.or(self.inner.run_under_key(name, key)?))
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        let waiting = self.queue.iter().flat_map(|commit| commit.changes.iter());
        let mut submitted = waiting.filter_map(|change| match change {
            Change::Definition(definition) if definition.id == id => Some((**definition).clone()),
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
        Ok(self.inner.definition(id)?.or_else(|| submitted.next()))
    }
}

/// Whether the batch is durable.
pub fn durable(completion: &Completion) -> Option<BatchNo> {
    match completion {
        Completion::Durable(number) => Some(*number),
        Completion::Failed(..) => None,
    }
}
