//! What passes between the caller and the writer thread: jobs one way, completions the other.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use partitur_model::change::BatchNo;
use partitur_model::definition::Label;
use partitur_model::record::DefinitionRecord;
use partitur_model::{DefinitionId, RunId, TaskSeq};

use crate::{Commit, Completion, QUEUE_MAX, Recovered, StoreError, StoredRun};

/// A question to the writer, answered in turn: it sees everything submitted before it.
pub(super) enum Question {
    Recover(SyncSender<Result<Recovered, StoreError>>),
    Run(RunId, SyncSender<Result<Option<StoredRun>, StoreError>>),
    UnderKey(String, String, SyncSender<Result<Option<(RunId, bool)>, StoreError>>),
    Definition(DefinitionId, SyncSender<Result<Option<DefinitionRecord>, StoreError>>),
    /// Not a question: what tasks are called.
    Label(RunId, Vec<(TaskSeq, Option<Label>)>, SyncSender<Result<(), StoreError>>),
}

/// Work for the writer.
pub(super) enum Job {
    Batch(Pending),
    Question(Question),
    /// The log is long, or there are pages to give back.
    Chores,
}

/// A batch on its way to the disk.
pub(super) struct Pending {
    pub commit: Commit,
    /// The last failure of which the submitter knew.
    pub heard: Option<BatchNo>,
    /// There were too many before it.
    pub refused: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// For the writer: there is work, or the end.
    work: Condvar,
    /// For the caller: there is a completion.
    done: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    completions: VecDeque<Completion>,
    /// Batches submitted and not completed.
    pending: VecDeque<BatchNo>,
    heard: Option<BatchNo>,
    closing: bool,
    /// The writer is gone.
    abandoned: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the lock")
    }

    pub(super) fn submit(&self, mut commit: Commit) {
        let mut state = self.state();
        let refused = state.pending.len() >= QUEUE_MAX;
        if refused {
            commit.changes = Arc::default();
        }
        state.pending.push_back(commit.number);
        if state.abandoned {
            drop(state);
            return self.abandon();
        }
        let heard = state.heard;
        state.jobs.push_back(Job::Batch(Pending { commit, heard, refused }));
        drop(state);
        self.work.notify_one();
    }

    /// A batch that is written at once, if nothing is before it.
    pub(super) fn take_at_once(&self, commit: Commit) -> Result<Pending, Commit> {
        let mut state = self.state();
        if state.abandoned || !state.pending.is_empty() {
            return Err(commit);
        }
        state.pending.push_back(commit.number);
        Ok(Pending { commit, heard: state.heard, refused: false })
    }

    /// Without a writer a question is dropped, and its sender with it.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.state();
        if !state.abandoned {
            state.jobs.push_back(job);
        }
        drop(state);
        self.work.notify_one();
    }

    /// The writer is gone: nobody knows what became of the batches that it had.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        state.jobs.clear();
        let error = StoreError::Poisoned("the writer has ended".into());
        let lost = std::mem::take(&mut state.pending);
        state.completions.extend(lost.into_iter().map(|number| Completion::Failed(number, error.clone())));
        drop(state);
        self.done.notify_all();
    }

    pub(super) fn take_completions(&self, out: &mut Vec<Completion>) {
        let mut state = self.state();
        while let Some(completion) = state.completions.pop_front() {
            if let Completion::Failed(number, _) = completion {
                state.heard = state.heard.max(Some(number));
            }
            out.push(completion);
        }
    }

    pub(super) fn wait(&self) {
        let mut state = self.state();
        while state.completions.is_empty() && !state.pending.is_empty() {
            state = self.done.wait(state).expect("no code panics while it holds the lock");
        }
    }

    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// Everything that is there; waits until there is something. `None` at the end.
    pub(super) fn take_jobs(&self) -> Option<VecDeque<Job>> {
        let mut state = self.state();
        loop {
            if !state.jobs.is_empty() {
                return Some(std::mem::take(&mut state.jobs));
            }
            if state.closing {
                return None;
            }
            state = self.work.wait(state).expect("no code panics while it holds the lock");
        }
    }

    /// Whether the writer has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.jobs.is_empty() && !state.closing
    }

    pub(super) fn complete(&self, completions: impl ExactSizeIterator<Item = Completion>) {
        let mut state = self.state();
        state.pending.drain(..completions.len());
        state.completions.extend(completions);
        drop(state);
        self.done.notify_all();
    }
}
