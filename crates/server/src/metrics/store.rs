//! A store whose commits are measured: from their being handed over to the news that they are on the disk.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use partitur_model::DefinitionId;
use partitur_model::RunId;
use partitur_model::change::BatchNo;
use partitur_model::record::DefinitionRecord;
use partitur_store::{Commit, Completion, Recovered, Store, StoreError, StoredRun};

use super::Metrics;

/// A store, and who wants to know how long it takes.
pub(crate) struct Measured<S> {
    store: S,
    metrics: Arc<Metrics>,
    under_way: VecDeque<(BatchNo, Instant)>,
}

impl<S> Measured<S> {
    pub fn new(store: S, metrics: Arc<Metrics>) -> Measured<S> {
        Measured { store, metrics, under_way: VecDeque::new() }
    }

    /// The store itself, for what is no commit.
    pub fn inner(&self) -> &S {
        &self.store
    }
}

impl<S: Store> Store for Measured<S> {
    fn submit(&mut self, commit: Commit) {
        self.metrics.commit_changes.count(commit.changes.len() as u64);
        self.under_way.push_back((commit.number, Instant::now()));
        self.store.submit(commit);
    }

    fn completions(&mut self, out: &mut Vec<Completion>) {
        let before = out.len();
        self.store.completions(out);
        for completion in &out[before..] {
            let (Completion::Durable(number) | Completion::Failed(number, _)) = completion;
            let begun = self.under_way.pop_front_if(|(known, _)| *known <= *number);
            if let (Some((_, begun)), Completion::Durable(_)) = (begun, completion) {
                self.metrics.commit.time(begun.elapsed());
            }
        }
    }

    fn wait(&mut self) {
        self.store.wait();
    }

    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.store.recover()
    }

    fn load_run(&mut self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        self.store.load_run(run)
    }

    fn run_under_key(&mut self, name: &str, key: &str) -> Result<Option<(RunId, bool)>, StoreError> {
        self.store.run_under_key(name, key)
    }

    fn definition(&mut self, id: DefinitionId) -> Result<Option<DefinitionRecord>, StoreError> {
        self.store.definition(id)
    }
}
