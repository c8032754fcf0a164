//! What steps have changed and want done, gathered until it is committed.

use std::collections::BTreeMap;

use partitur_model::catalogue::{Entry, LogLine};
pub use partitur_model::change::BatchNo;
use partitur_model::change::Change;
use partitur_model::note::Note;
use partitur_model::record::{BreakerRecord, DefinitionRecord, NodeRecord, RunRecord, TaskRecord};
use partitur_model::{DefinitionId, RunId, TaskSeq};

use crate::effect::Effect;

/// Changes and effects of the steps since the last commit. Changes to one row coalesce: the last one stands, in the
/// place of the first.
#[derive(Debug, Default)]
pub struct Batch {
    number: BatchNo,
    changes: Vec<Change>,
    places: BTreeMap<Row, usize>,
    effects: Vec<Effect>,
    /// What was overwritten since the last mark.
    journal: Vec<(usize, Change)>,
}

/// Which row a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Node,
    Definition(DefinitionId),
    Run(RunId),
    Task(RunId, TaskSeq),
}

impl Batch {
    /// An empty batch of this number.
    pub fn new(number: BatchNo) -> Batch {
        Batch { number, ..Batch::default() }
    }

    /// Its number.
    pub fn number(&self) -> BatchNo {
        self.number
    }

    /// What has changed.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What is to be done.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Whether there is nothing to commit and nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.effects.is_empty()
    }

    /// Takes it apart: what to commit, what to release then.
    pub fn into_parts(self) -> (Vec<Change>, Vec<Effect>) {
        (self.changes, self.effects)
    }

    /// Takes those of the effects from the one at `from` on that may go; the others stay.
    pub fn take_effects(
        &mut self,
        from: usize,
        may_go: impl FnMut(&mut Effect) -> bool,
    ) -> impl Iterator<Item = Effect> {
        self.effects.extract_if(from.., may_go)
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn node(&mut self, record: NodeRecord) {
        self.put(Row::Node, Change::Node(record));
    }

    pub(crate) fn definition(&mut self, record: &DefinitionRecord) {
        if !self.places.contains_key(&Row::Definition(record.id)) {
            self.put(Row::Definition(record.id), Change::Definition(Box::new(record.clone())));
        }
    }

    pub(crate) fn run(&mut self, record: &RunRecord) {
        self.put(Row::Run(record.id), Change::Run(Box::new(record.clone())));
    }

    pub(crate) fn task(&mut self, record: &TaskRecord) {
        self.put(Row::Task(record.run, record.seq), Change::Task(Box::new(record.clone())));
    }

    pub(crate) fn remove_task(&mut self, run: RunId, task: TaskSeq) {
        self.put(Row::Task(run, task), Change::RemoveTask(run, task));
    }

    pub(crate) fn breaker(&mut self, record: BreakerRecord) {
        // Few and rare: coalescing them is left to the store.
        self.changes.push(Change::Breaker(record));
    }

    /// The run and all of its rows go: after whatever was written of them in this batch.
    pub(crate) fn remove_run(&mut self, run: RunId) {
        self.places.remove(&Row::Run(run));
        self.put(Row::Run(run), Change::RemoveRun(run));
    }

    pub(crate) fn entry(&mut self, entry: Entry) {
        self.changes.push(Change::Entry(Box::new(entry)));
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.changes.push(Change::Note(Box::new(note)));
    }

    pub(crate) fn log(&mut self, run: RunId, task: TaskSeq, lines: Vec<LogLine>) {
        if !lines.is_empty() {
            self.changes.push(Change::Log(run, task, lines));
        }
    }

    fn put(&mut self, row: Row, change: Change) {
        match self.places.get(&row) {
            Some(&place) => {
                let before = std::mem::replace(&mut self.changes[place], change);
                self.journal.push((place, before));
            }
            None => {
                self.places.insert(row, self.changes.len());
                self.changes.push(change);
            }
        }
    }

    /// Where the batch stands, to come back to if the input at hand fails.
    pub(crate) fn mark(&mut self) -> Mark {
        self.journal.clear();
        Mark { changes: self.changes.len(), effects: self.effects.len() }
    }

    /// Takes back everything since the mark.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        for (place, before) in self.journal.drain(..).rev() {
            self.changes[place] = before;
        }
        self.changes.truncate(mark.changes);
        self.effects.truncate(mark.effects);
        self.places.retain(|_, place| *place < mark.changes);
    }
}

/// See [`Batch::mark`].
pub(crate) struct Mark {
    changes: usize,
    effects: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_comes_after_what_was_written_before_it() {
        let mut batch = Batch::new(BatchNo(1));
        let run = RunId::new(0, 1, 7);
        batch.remove_run(run);
        batch.remove_task(run, TaskSeq(1));
        batch.remove_run(run);
        assert_eq!(batch.changes().last(), Some(&Change::RemoveRun(run)));
    }
}
