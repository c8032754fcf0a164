//! What the engine wants done. Effects are released after the batch that holds them is durable, unless they say
//! otherwise.

use partitur_model::dispatch::Dispatch;
use partitur_model::event::Event;
use partitur_model::{AttemptId, Fault, Payload, RunId, TaskSeq};

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

impl Effect {
    /// The same evaluation under another generation.
    pub(crate) fn of_generation(self, wanted: u32) -> Effect {
        match self {
            Effect::Evaluate { run, task, language, source, input, .. } => {
                Effect::Evaluate { run, task, generation: wanted, language, source, input }
            }
            other @ (Effect::Dispatch { .. }
            | Effect::Stop(_)
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
    /// There is nothing to do.
    #[error("{0}")]
    NothingToDo(String),
    /// The engine found a fault of its own; the run is set aside.
    #[error(
        "an internal fault stopped this request (incident {0}); the run is set aside and nothing has changed"
    )]
    Incident(u64),
}
