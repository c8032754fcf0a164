//! What may happen to the engine. A closed list: whatever is not here cannot change a run.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::dispatch::Report;
use partitur_model::record::{DefinitionRecord, RunOptions, RunRecord, TaskError, TaskRecord};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq};

use crate::batch::BatchNo;
use crate::program::Program;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants a run.
    Submit(Box<Submission>),
    /// A worker speaks about an attempt.
    Report(Report),
    /// Somebody wants something of a run.
    Command {
        /// Which run.
        run: RunId,
        /// What.
        command: Command,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// An evaluation outside the engine has ended.
    Evaluated {
        /// For which run.
        run: RunId,
        /// For which task.
        task: TaskSeq,
        /// For which of its generations.
        generation: u32,
        /// What came out.
        result: Result<Payload, TaskError>,
    },
    /// Time has passed: whatever is due is done.
    Tick,
    /// Everything up to this batch is on the disk.
    Durable(BatchNo),
    /// The attempts handed out before this start of the node are dead: their processes have been killed.
    AttemptsLost,
    /// The rows of a run that [`Effect::Load`](crate::Effect::Load) asked for.
    Loaded(Box<StoredRun>),
    /// There is no such run.
    NotFound(RunId),
    /// The run may leave memory if it does not need to be there.
    Evict(RunId),
    /// So many attempts at once on this node.
    Concurrency(u32),
    /// Somebody closes a breaker by hand.
    ResetBreaker {
        /// Its name.
        name: String,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
}

/// The rows of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// The run.
    pub run: RunRecord,
    /// Its tasks, by number.
    pub tasks: Vec<TaskRecord>,
}

/// Who waits for an answer; the engine only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// A run that somebody wants.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What is executed.
    pub program: Arc<Program>,
    /// Its sources; written once for each definition.
    pub definition: Arc<DefinitionRecord>,
    /// An object; defaults are filled in and types are checked here.
    pub input: Payload,
    /// What the submitter chose.
    pub options: RunOptions,
    /// For the part of the id that cannot be guessed.
    pub random: u64,
    /// Expected durations by task name, from history.
    pub expected: Vec<(String, Duration)>,
    /// Who waits for the answer.
    pub reply: Option<ReplyTo>,
}

impl Submission {
    /// The identity of what is executed.
    pub fn definition_id(&self) -> DefinitionId {
        self.definition.id
    }
}

/// What somebody may want of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Nothing new starts; what lives goes on.
    Pause,
    /// Undoes a pause.
    Unpause,
    /// The run ends; its attempts are stopped.
    Cancel {
        /// For people.
        reason: String,
    },
    /// One task ends; its dependents are treated as after a failure.
    CancelTask {
        /// By path.
        task: String,
    },
    /// The tasks of one agent end.
    CancelAgent {
        /// Its name.
        agent: String,
    },
    /// Ends a task that waits.
    Signal {
        /// By path.
        task: String,
        /// Its output, or why it fails.
        result: Result<Payload, TaskError>,
    },
    /// An ended run goes on from its failures.
    Retry {
        /// A failed sub-run goes on from its own failures, instead of starting afresh.
        resume_sub_runs: bool,
    },
    /// An ended run goes on from this task: it and all that depends on it are executed again.
    Rerun {
        /// By path.
        task: String,
    },
    /// An ended run starts from the beginning, under its id.
    Restart,
    /// An ended run's completed tasks are undone; again, if compensations failed.
    Rollback,
}
