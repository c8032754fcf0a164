//! What a step changed: the after-images of rows.

use crate::catalogue::{Entry, LogLine};
use crate::id::{RunId, TaskSeq};
use crate::note::Note;
use crate::record::{BreakerRecord, DefinitionRecord, NodeRecord, RunRecord, TaskRecord};

/// The number of a batch: rising by one, without gaps, from 1 at each start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchNo(pub u64);

impl BatchNo {
    /// The batch after this one.
    pub const fn next(self) -> BatchNo {
        BatchNo(self.0 + 1)
    }
}

/// One row as it is after the step. Of several changes to one row in a batch only the last is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// What the node remembers.
    Node(NodeRecord),
    /// A definition that a run of this batch uses; written once.
    Definition(Box<DefinitionRecord>),
    /// A run.
    Run(Box<RunRecord>),
    /// A task.
    Task(Box<TaskRecord>),
    /// The task's row goes: an old iteration of a loop that keeps only the last ones, or a run started afresh.
    RemoveTask(RunId, TaskSeq),
    /// The run and all of its tasks go.
    RemoveRun(RunId),
    /// A circuit breaker.
    Breaker(BreakerRecord),
    /// A document of the catalogue.
    Entry(Box<Entry>),
    /// Lines of a task's log.
    Log(RunId, TaskSeq, Vec<LogLine>),
    /// What is noted beside runs.
    Note(Box<Note>),
}
