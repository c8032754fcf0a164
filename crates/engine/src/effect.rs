//! What the engine wants done. Effects are released after the batch that holds them is durable, unless they say
//! otherwise.

use std::sync::Arc;

use partitur_model::dispatch::Dispatch;
use partitur_model::event::Event;
use partitur_model::record::{ServerOptions, TaskRecord};
use partitur_model::{AttemptId, DefinitionId, Fault, Payload, RunId, TaskSeq};

use crate::batch::BatchNo;
use crate::input::ReplyTo;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Execute an attempt.
    Dispatch {
        /// Which.
        dispatch: Box<Dispatch>,
        /// Released when this batch is durable. An older one than the effect's own where a second hand-out after a
        /// crash does no harm: a local child without claims, whose being ready was durable before.
        after: BatchNo,
    },
    /// Stop an attempt and whatever it has started; its end is reported as ever.
    Stop(AttemptId),
    /// Evaluate source in another language.
    Evaluate {
        /// For which run.
        run: RunId,
        /// For which task.
        task: TaskSeq,
        /// For which of its generations.
        generation: u32,
        /// `javascript`, `jq`.
        language: String,
        /// The text.
        source: String,
        /// What it sees as `$`.
        input: Payload,
    },
    /// Answer a poll.
    HandOut {
        /// Whom.
        to: ReplyTo,
        /// What there is; may be nothing.
        tasks: Vec<Handed>,
        /// Released when this batch is durable: where a second hand-out after a crash does no harm, that is the one in
        /// which the tasks became ready.
        after: BatchNo,
    },
    /// Find out what a description of a run means.
    Resolve {
        /// For which run.
        run: RunId,
        /// For which task; for the run that is started when this one has failed if `None`.
        task: Option<TaskSeq>,
        /// For which generation of it.
        generation: u32,
        /// What for.
        purpose: Purpose,
        /// The description.
        description: Payload,
        /// The inputs that its own author gives it.
        input: Payload,
    },
    /// Bring the rows of a run: inputs for it wait.
    Load(RunId),
    /// Answer somebody.
    Reply {
        /// Whom.
        to: ReplyTo,
        /// What.
        answer: Answer,
    },
    /// Tell observers.
    Event(Event),
}

/// A task in the answer to a poll.
#[derive(Clone, Debug, PartialEq)]
pub struct Handed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The task as it is now.
    pub task: TaskRecord,
    /// What its run executes.
    pub definition: DefinitionId,
    /// What was chosen for its run.
    pub options: Option<Arc<ServerOptions>>,
}

/// What a run is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is the work of a task.
    SubRun,
    /// A task starts it and does not wait.
    Start,
    /// It is started because this one did not succeed.
    Failure,
}

impl Effect {
    /// The same evaluation under another generation.
    pub(crate) fn of_generation(self, wanted: u32) -> Effect {
        match self {
            Effect::Evaluate { run, task, language, source, input, .. } => {
                Effect::Evaluate { run, task, generation: wanted, language, source, input }
            }
            other @ (Effect::Dispatch { .. }
            | Effect::Stop(_)
            | Effect::HandOut { .. }
            | Effect::Resolve { .. }
            | Effect::Load(_)
            | Effect::Reply { .. }
            | Effect::Event(_)) => other,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The run is accepted.
    Accepted {
        /// Its id.
        run: RunId,
        /// An equal submission was there already; this is its run.
        duplicate: bool,
    },
    /// It is done, or on its way.
    Done,
    /// The task is updated, or had ended already and stays as it is.
    Updated {
        /// The task's run: that of the update, or one below it.
        run: RunId,
        /// The task.
        task: TaskSeq,
    },
    /// It is refused, and nothing has changed.
    Refused(Refusal),
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such run.
    #[error("there is no such run")]
    UnknownRun,
    /// There is no such task in the run.
    #[error("the run has no task `{0}` that has begun")]
    UnknownTask(String),
    /// The run is in a state in which this cannot be done.
    #[error("the run is {state}: {remedy}")]
    WrongState {
        /// For people.
        state: String,
        /// For people.
        remedy: String,
    },
    /// The task is in a state in which this cannot be done.
    #[error("task `{task}` {problem}")]
    WrongTaskState {
        /// Its path.
        task: String,
        /// For people.
        problem: String,
    },
    /// The inputs or options of a submission do not fit.
    #[error("the submission does not fit its definition ({} faults)", .0.len())]
    BadSubmission(Vec<Fault>),
    /// There is no such lock.
    #[error("there is no such lock, or its lease is over")]
    NoLock,
    /// A lock is not to be had.
    #[error("the lock is not to be had: {0}")]
    LockTaken(String),
    /// There is nothing to do.
    #[error("{0}")]
    NothingToDo(String),
    /// Another run has the submission's key.
    #[error("run {} was started under this key already", .0.number())]
    KeyTaken(RunId),
    /// As many runs as may live at once do.
    #[error("{runs} runs of `{name}` live already, and no more may")]
    TooManyRuns {
        /// The definition's name.
        name: String,
        /// So many may.
        runs: u32,
    },
    /// The engine found a fault of its own; the run is set aside.
    #[error(
        "an internal fault stopped this request (incident {0}); the run is set aside and nothing has changed"
    )]
    Incident(u64),
}
