//! How far it is: the rows. The engine's whole state follows from them; what a row does not say is derived.

use std::sync::Arc;

use crate::callback::Callback;
use crate::definition::{Label, OnFailure};
use crate::id::{DefinitionId, FencingToken, RunId, TaskSeq};
use crate::unit::Timestamp;
use crate::value::Payload;

/// A definition as it was submitted: its source files, from which a later binary compiles it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRecord {
    /// Hash over format and files.
    pub id: DefinitionId,
    /// The document's name.
    pub name: String,
    /// Which reader understands it.
    pub format: SourceFormat,
    /// The main file first, then the sub-flows it names, with paths relative to the main file's directory.
    pub files: Vec<SourceFile>,
}

/// One file of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As the document names it.
    pub path: String,
    /// Its bytes.
    pub text: Arc<str>,
}

/// Which reader understands a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceFormat {
    /// Native YAML.
    Yaml,
    /// Native JSON.
    Json,
    /// Nodes and edges, JSON.
    NodesEdges,
    /// A Conductor workflow definition with its task definitions in it.
    Conductor,
}

/// A run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// What it executes.
    pub definition: DefinitionId,
    /// The flow of a sub-run within its root's definition; empty for the document itself.
    pub flow: String,
    /// The definition's name.
    pub name: String,
    /// The task whose work this run is.
    pub parent: Option<Parent>,
    /// How far it is.
    pub state: RunState,
    /// Raised by each restart and revival: timers and messages of an older generation change nothing.
    pub generation: u32,
    /// What it was given, defaults filled in.
    pub input: Payload,
    /// Written by `SetVariables`.
    pub variables: Payload,
    /// What it yielded.
    pub output: Option<Payload>,
    /// Why it did not succeed.
    pub error: Option<TaskError>,
    /// What its submitter chose.
    pub options: RunOptions,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it began, or began anew after an end: its time is limited from here.
    pub begun: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// The run that was started because this one did not succeed.
    pub failure_run: Option<RunId>,
}

/// The task that waits for a sub-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its run.
    pub run: RunId,
    /// The task.
    pub task: TaskSeq,
    /// The task's generation when it started the sub-run; the end of a sub-run of an older one changes nothing.
    pub generation: u32,
}

/// What the submitter of a run chose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOptions {
    /// Instead of the document's.
    pub on_failure: Option<OnFailure>,
    /// Instead of the document's.
    pub concurrency: Option<u32>,
    /// Only these tasks and what they need; everything if empty.
    pub targets: Vec<String>,
    /// Equal submissions within the window share a run.
    pub dedup_key: Option<String>,
    /// Labels for people and for finding the run again: `dir`, `file`, `user`. Never secrets.
    pub labels: Vec<(String, String)>,
    /// Who is told what becomes of it, besides those whom the document names.
    pub callbacks: Vec<Callback>,
    /// What only runs of a server have.
    pub server: Option<Arc<ServerOptions>>,
}

/// What the submitter of a run of a server chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The version of what it executes.
    pub version: u32,
    /// What the submitter calls it; runs may share it.
    pub correlation: Option<String>,
    /// 0..=99; its tasks of workers come before those of smaller numbers.
    pub priority: u8,
    /// Which domain's workers get tasks of a type, `*` for all others: the first with an active worker of a comma list.
    pub domains: Vec<(String, String)>,
    /// At most one run of this name and key; see [`Idempotency`].
    pub idempotency: Option<(String, Idempotency)>,
    /// Who started it.
    pub creator: String,
    /// What started it, if it was an event.
    pub event: Option<String>,
}

/// What a second submission under the key of a run means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Idempotency {
    /// It is refused.
    #[default]
    Fail,
    /// It gets the run that is there.
    ReturnExisting,
    /// It is refused while that run has not ended.
    FailOnRunning,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunState {
    /// Its tasks start as they become ready.
    Running,
    /// Nothing new starts.
    Paused,
    /// It will end so when its attempts in flight have stopped.
    Ending(RunOutcome),
    /// Its completed tasks are being undone.
    RollingBack(RunOutcome),
    /// It has ended. A retry can revive it.
    Ended(RunOutcome),
}

impl RunState {
    /// Whether the run has ended.
    pub fn is_ended(self) -> bool {
        matches!(self, RunState::Ended(_))
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunOutcome {
    /// Everything that had to succeed did.
    Succeeded,
    /// A task failed.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// It failed and its completed tasks were undone.
    RolledBack,
    /// It failed and a compensation failed too; what remains can be undone again.
    RollbackFailed,
}

/// A task of a run: a node of its definition, in one branch and iteration.
///
/// A task has a row once it has done anything; one that only waits for its predecessors follows from theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    /// Its run.
    pub run: RunId,
    /// Its number within the run.
    pub seq: TaskSeq,
    /// The node's name within its scope.
    pub node: Arc<str>,
    /// In which branch or iteration; the run's root if `None`.
    pub scope: Option<ScopeRef>,
    /// For people, unique within the run: `report`, `invoices[de]`, `loop#3/check`.
    pub path: Arc<str>,
    /// How far it is.
    pub state: TaskState,
    /// Raised by each attempt and reset: whatever carries an older one changes nothing.
    pub generation: u32,
    /// Attempts used, the living one included.
    pub attempt: u32,
    /// Attempts lost by crashes of ours; they do not count as attempts.
    pub losses: u32,
    /// When it last became ready.
    pub ready: Timestamp,
    /// When its first attempt since the last reset started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it yielded; of containers and joins, only what does not follow from their parts.
    pub output: Option<Payload>,
    /// Why its last attempt failed.
    pub error: Option<TaskError>,
    /// The elements over which a container runs.
    pub items: Option<Payload>,
    /// The iteration in which a loop is; the number of branches of an `each`.
    pub iteration: u32,
    /// The run whose end it waits for.
    pub child: Option<RunId>,
    /// How far its compensation is.
    pub undo: UndoState,
    /// Its result came from the cache: nothing was executed.
    pub cached: bool,
    /// Where the output of its attempts stands in the run's log.
    pub log: Option<LogSpan>,
    /// What its last attempt used.
    pub usage: Usage,
    /// What only tasks of a server's runs have.
    pub served: Option<Box<Served>>,
}

impl TaskRecord {
    /// Its number in sight of the clients of a server. A row that they do not see has that of the last one before it.
    pub fn counted(&self) -> u32 {
        self.seq.0.saturating_sub(self.served.as_ref().map_or(0, |served| served.uncounted))
    }
}

/// What a row says of a task in a run of a server: there each attempt has a row of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Served {
    /// What it was given, with all values filled in.
    pub input: Payload,
    /// The attempt before this one.
    pub retry_of: Option<TaskSeq>,
    /// How many attempts there were before.
    pub retries: u32,
    /// A later attempt has a row of its own: nothing follows from this one any more.
    pub superseded: bool,
    /// Left out by hand: what follows it goes on as after a success.
    pub skipped_by_hand: bool,
    /// Somebody wanted this attempt: it follows from no retry of the task's own.
    pub by_hand: bool,
    /// How many of the numbers up to its own clients do not count: those of rows that they do not see, and of rows that
    /// are gone since somebody went back behind them.
    pub uncounted: u32,
    /// The worker that had it last.
    pub worker: Option<Arc<str>>,
    /// Whose workers get it; everybody's if `None`.
    pub domain: Option<Arc<str>>,
    /// How often it was handed out.
    pub polls: u32,
    /// How long it is, or was last, held back before it can be had, in seconds.
    pub held_back: u32,
    /// When its row last changed in sight of others.
    pub updated: Timestamp,
    /// When the first attempt became ready.
    pub first_ready: Timestamp,
    /// What of it is being compared with its schema.
    pub checking: Option<Checking>,
    /// What searches call it.
    pub called: Called,
}

/// What searches call a task, if it is in sight. It follows from the definition: a row carries it to the disk when it
/// begins, and nobody reads it back, so that records that differ in it alone are equal.
#[derive(Clone, Debug, Default)]
pub struct Called(pub Option<Arc<Label>>);

impl PartialEq for Called {
    fn eq(&self, _: &Called) -> bool {
        true
    }
}

/// What of a task is compared with its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checking {
    /// What it was given; it has not begun.
    Input,
    /// What it yields; it has succeeded if that is as it must be.
    Output,
}

/// A branch or iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeRef {
    /// The `Each` or `Loop` task.
    pub container: TaskSeq,
    /// Branch, from 0; iteration, from 1.
    pub index: u32,
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// It was reset and waits for predecessors.
    Blocked,
    /// It may start; it waits for a slot, locks, a rate or a worker.
    Ready,
    /// An attempt lives.
    Running {
        /// Which.
        token: FencingToken,
        /// It must have ended by then.
        deadline: Timestamp,
        /// It must have shown a sign of life by then.
        lease: Timestamp,
    },
    /// Its attempt has been told to stop and may still be alive: slot and claims are still held.
    Stopping {
        /// Which attempt.
        token: FencingToken,
        /// Why, and so what follows.
        cause: StopCause,
    },
    /// The next attempt starts then.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// It waits for something that is no attempt: time, a signal, a sub-run, an evaluation.
    Waiting {
        /// It is over then; never if [`Timestamp::MAX`].
        until: Timestamp,
    },
    /// A container whose branches or iterations are alive.
    Open,
    /// It is over.
    Ended(TaskOutcome),
}

impl TaskState {
    /// Whether it is over.
    pub fn is_ended(self) -> bool {
        matches!(self, TaskState::Ended(_))
    }

    /// The attempt that holds slot and claims, if one does.
    pub fn token(self) -> Option<FencingToken> {
        match self {
            TaskState::Running { token, .. } | TaskState::Stopping { token, .. } => Some(token),
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open
            | TaskState::Ended(_) => None,
        }
    }
}

/// Why an attempt was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopCause {
    /// Somebody cancelled the task or its run.
    Cancel,
    /// It took longer than it may.
    Timeout,
    /// It showed no sign of life.
    HeartbeatLost,
    /// The task was reset; it becomes ready or blocked again.
    Reset,
    /// It is a service, and nobody needs it any more.
    Unneeded,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskOutcome {
    /// It did what it should.
    Succeeded,
    /// It did not, and will not be tried again.
    Failed,
    /// It took longer than it may, and will not be tried again.
    TimedOut,
    /// Somebody cancelled it, or the run ended.
    Cancelled,
    /// It was not executed: a condition did not hold, or an edge was dead.
    Skipped,
}

impl TaskOutcome {
    /// Failed, timed out or cancelled.
    pub fn is_failure(self) -> bool {
        match self {
            TaskOutcome::Failed | TaskOutcome::TimedOut | TaskOutcome::Cancelled => true,
            TaskOutcome::Succeeded | TaskOutcome::Skipped => false,
        }
    }
}

/// How far a compensation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UndoState {
    /// Not begun.
    #[default]
    None,
    /// An attempt at it lives.
    Running {
        /// Which; 0 if it is the rollback of a sub-run.
        token: FencingToken,
        /// Attempts used, this one included.
        attempt: u32,
    },
    /// The next attempt at it starts then.
    Backoff {
        /// When.
        until: Timestamp,
        /// Attempts used.
        attempt: u32,
    },
    /// The task is undone.
    Done,
    /// It failed; a further rollback tries again.
    Failed,
}

impl UndoState {
    /// The attempt at the compensation that holds slot and claims, if one does.
    pub fn token(self) -> Option<FencingToken> {
        match self {
            UndoState::Running { token, .. } if token.0 > 0 => Some(token),
            UndoState::Running { .. }
            | UndoState::None
            | UndoState::Backoff { .. }
            | UndoState::Done
            | UndoState::Failed => None,
        }
    }
}

/// Why something did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskError {
    /// Stable, for filters: `exit-75`, `signal-9`, `timeout`, `heartbeat`, `http-503`, `lost`, `condition`, …
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether another attempt may help.
    pub retriable: bool,
}

impl TaskError {
    /// An error after which another attempt may help.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> TaskError {
        TaskError { code: code.into(), message: message.into(), retriable: true }
    }

    /// An error that another attempt would meet again.
    pub fn terminal(code: impl Into<String>, message: impl Into<String>) -> TaskError {
        TaskError { retriable: false, ..TaskError::new(code, message) }
    }
}

/// A part of a run's log, in bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSpan {
    /// Where the first chunk begins.
    pub from: u64,
    /// Where the last chunk ends.
    pub to: u64,
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, in microseconds.
    pub cpu_micros: u64,
    /// Most memory at once, in bytes.
    pub rss_max: u64,
}

/// A circuit breaker that is not plainly closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRecord {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: BreakerState,
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Attempts pass.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// None pass.
    Open {
        /// Until then.
        until: Timestamp,
    },
    /// A few pass, to see.
    HalfOpen {
        /// Successes in a row.
        successes: u32,
    },
}

/// What a node of the engine remembers over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeRecord {
    /// How often it was started.
    pub epoch: u32,
    /// The number of the last run.
    pub last_run: u64,
    /// Time never goes back behind this.
    pub time: Timestamp,
}
