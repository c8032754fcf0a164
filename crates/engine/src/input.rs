//! What may happen to the engine. A closed list: whatever is not here cannot change a run.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::catalogue::{Entry, LogLine};
use partitur_model::dispatch::Report;
use partitur_model::note::Note;
use partitur_model::record::{DefinitionRecord, RunOptions, RunRecord, ServerOptions, TaskError, TaskRecord};
use partitur_model::{AttemptId, DefinitionId, Payload, Pressure, RunId, TaskSeq};

use crate::batch::BatchNo;
use crate::engine::outside::LockInput;
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
    /// Whatever is due is done, and who waits for a turn goes on; both as far as one step goes.
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
    /// The machine was found so: runs whose limit follows the load may have more or fewer attempts.
    Pressure(Pressure),
    /// A worker wants tasks.
    Poll(Poll),
    /// A poll is over: its time is up, or nobody waits for its answer any more. If it is still open it is answered with
    /// nothing.
    PollOver(ReplyTo),
    /// These were handed out in an answer that did not arrive: they may start again, as if they had not been handed out.
    GiveBack(Vec<AttemptId>),
    /// Somebody says from outside how a task stands.
    Update(Box<Update>),
    /// What [`Effect::Resolve`](crate::Effect::Resolve) asked for.
    Resolved {
        /// For which run.
        run: RunId,
        /// For which task; for the run that is started when this one has failed if `None`.
        task: Option<TaskSeq>,
        /// For which generation of it.
        generation: u32,
        /// What it is, or why there is none.
        result: Result<Box<Resolved>, TaskError>,
    },
    /// Documents of the catalogue are to be kept.
    Keep {
        /// Which.
        entries: Vec<Entry>,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// An input of which a trace is to stay: the notes are written in the same step, unless it is refused or comes too
    /// late. A run that it starts is that of the notes which name none.
    Noted {
        /// What is to happen; may itself leave no trace.
        input: Box<Input>,
        /// The trace.
        notes: Vec<Note>,
    },
    /// A worker writes about a task.
    Log {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskSeq,
        /// What.
        lines: Vec<LogLine>,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// Somebody outside wants something of locks.
    Locks(LockInput),
    /// Results of earlier tasks and runs serve nobody any more.
    ClearResults {
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
    /// Somebody closes a breaker by hand.
    ResetBreaker {
        /// Its name.
        name: String,
        /// Who waits for the answer.
        reply: Option<ReplyTo>,
    },
}

impl Input {
    /// Notes to be written, whatever else happens.
    pub fn notes(notes: Vec<Note>, reply: Option<ReplyTo>) -> Input {
        Input::Noted { input: Box::new(Input::Keep { entries: Vec::new(), reply }), notes }
    }
}

/// A worker's wish for tasks. It is answered once, with [`Effect::HandOut`](crate::Effect::HandOut).
#[derive(Clone, Debug)]
pub struct Poll {
    /// From which queue.
    pub queue: QueueName,
    /// Who the worker is.
    pub worker: Arc<str>,
    /// At most so many.
    pub count: u32,
    /// It stays open until there is one; otherwise it is answered at once, with nothing if need be.
    pub wait: bool,
    /// Who waits for the answer.
    pub reply: ReplyTo,
}

/// Where tasks of workers wait.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName {
    /// The type of the tasks.
    pub task_type: Arc<str>,
    /// Only workers of this domain get them.
    pub domain: Option<Arc<str>>,
}

/// How a task stands, as somebody outside says: a worker about its task, or a person about one that waits.
#[derive(Clone, Debug)]
pub struct Update {
    /// Its run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// How it stands.
    pub status: UpdateStatus,
    /// What it has yielded so far.
    pub output: Option<Payload>,
    /// The output is added to what is there instead of replacing it.
    pub merge: bool,
    /// Why, for people.
    pub reason: Option<String>,
    /// Who says so.
    pub worker: Option<Arc<str>>,
    /// What was written about it.
    pub logs: Vec<LogLine>,
    /// In the same step, a poll of the same worker; its answer is that to the update, too.
    pub then: Option<Poll>,
    /// Who waits for the answer, unless `then` has it.
    pub reply: Option<ReplyTo>,
}

/// What somebody outside calls a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskName {
    /// Its number.
    Seq(TaskSeq),
    /// Its name, with or without the suffix of its iteration: the first such task that has not ended.
    Reference(String),
    /// The first task in order that waits for a signal, in sub-runs too.
    Blocked,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateStatus {
    /// It lives: nothing else changes.
    Alive,
    /// It is not done: somebody may have it again after this pause.
    InProgress {
        /// So long nobody gets it.
        pause: Duration,
    },
    /// It has succeeded.
    Completed,
    /// It has failed and may be tried again.
    Failed,
    /// It has failed and must not be tried again.
    FailedForGood,
    /// It was cancelled.
    Cancelled,
}

/// What a description of a run came to.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is executed.
    pub program: Arc<Program>,
    /// Its sources.
    pub definition: Arc<DefinitionRecord>,
    /// Its inputs.
    pub input: Payload,
    /// What is chosen for it.
    pub options: Option<Arc<ServerOptions>>,
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
    /// The newest run of its name under its key among those on the disk, and whether it has ended: of runs that are not in
    /// memory the engine knows no keys.
    pub under_key: Option<(RunId, bool)>,
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
    /// As `Restart`, with another definition or other inputs.
    RestartWith(Box<Restart>),
    /// As `Rerun`, by the task's number and with another input for it.
    RerunFrom {
        /// The task.
        task: TaskSeq,
        /// Instead of its own.
        input: Option<Payload>,
    },
    /// A task that has not begun is left out: what follows it goes on as after a success.
    Skip {
        /// By name.
        task: String,
        /// As if it had been given this.
        input: Payload,
        /// As if it had yielded this.
        output: Payload,
    },
    /// Adds to the run's variables.
    SetVariables(Payload),
    /// Tasks that are held back may be had at once.
    ReleaseHeldBack,
    /// The run and its tasks are forgotten.
    Remove {
        /// Also if it has not ended.
        running: bool,
    },
}

/// How an ended run starts from the beginning.
#[derive(Clone, Debug, Default)]
pub struct Restart {
    /// Another definition.
    pub definition: Option<(Arc<Program>, Arc<DefinitionRecord>)>,
    /// Other inputs.
    pub input: Option<Payload>,
    /// The version of that definition.
    pub version: Option<u32>,
    /// Another correlation.
    pub correlation: Option<String>,
    /// When it ended and what it yielded is seen until it ends again.
    pub keeps_end: bool,
}

impl PartialEq for Restart {
    fn eq(&self, other: &Restart) -> bool {
        let id = |restart: &Restart| restart.definition.as_ref().map(|(_, record)| record.id);
        id(self) == id(other) && self.input == other.input && self.correlation == other.correlation
    }
}
