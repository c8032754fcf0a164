//! What crosses between the engine and the workers: a dispatch out, reports back.

use std::sync::Arc;
use std::time::Duration;

use crate::definition::{ClaimMode, OutputMode};
use crate::id::AttemptId;
use crate::record::{LogSpan, TaskError, Usage};
use crate::unit::Timestamp;
use crate::value::Payload;

/// One attempt of a task, ready to be executed: every value is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// Which attempt; every report names it.
    pub attempt: AttemptId,
    /// Which try this is, from 1.
    pub number: u32,
    /// The task's path, for people.
    pub path: Arc<str>,
    /// What to do.
    pub work: Work,
    /// Whether this undoes the task instead of doing it.
    pub undo: bool,
    /// What the attempt holds.
    pub claims: Vec<GrantedClaim>,
    /// Names of secrets to give it.
    pub secrets: Vec<String>,
    /// The declared environment, name and value; later ones win.
    pub env: Vec<(String, String)>,
    /// An equal earlier result serves.
    pub cache: Option<CacheRequest>,
    /// It is executed only if something from which its success follows has changed.
    pub build: Option<BuildRequest>,
    /// Files it reads.
    pub reads: Vec<String>,
    /// Files it writes.
    pub writes: Vec<String>,
    /// A sign of life is due this often; the worker sends one for a living child at a third of it.
    pub heartbeat: Option<Duration>,
    /// Whether the child itself must show signs of life (`heartbeat` was declared), not only exist.
    pub heartbeat_by_child: bool,
    /// The agent whose task it is.
    pub agent: Option<String>,
}

/// What an attempt does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A process.
    Process(Process),
    /// An HTTP call.
    Http(HttpCall),
    /// Ends when the file exists; holds no slot.
    AwaitFile {
        /// Its path, relative to the run's directory.
        path: String,
    },
    /// Something that a worker of this type knows how to do.
    Remote {
        /// The queue's name.
        task_type: String,
        /// What the worker is given.
        input: Payload,
        /// Which round this is, from 1: each [`ReportKind::Again`] is followed by another.
        round: u32,
    },
}

/// A process to start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Program and arguments. For a script: the shell, its flags, the script.
    pub argv: Vec<String>,
    /// Relative to the run's directory; that itself if `None`.
    pub dir: Option<String>,
    /// Files with more of the environment, relative to the run's directory; what is declared wins, and later files do.
    pub env_files: Vec<String>,
    /// Written to standard input.
    pub stdin: Option<String>,
    /// Where its output is found.
    pub output: OutputMode,
    /// Whether only the declared environment is given.
    pub clean_env: bool,
    /// It lives until it is told to stop, and says when it is up.
    pub service: Option<Box<Service>>,
}

/// How a service is known to be up, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How it is known to be up.
    pub ready: Ready,
    /// It is asked this often.
    pub every: Duration,
    /// Between the request to end and the kill; what is usual if `None`.
    pub grace: Option<Duration>,
}

/// How a service is known to be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It has been started.
    Started,
    /// A TCP port takes connections: a number on this machine, or `host:port`.
    Port(String),
    /// A URL answers with a status of 200 to 299.
    Http(String),
    /// It writes this text.
    Line(String),
    /// A command succeeds.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// On top of the environment of the service.
        env: Vec<(String, String)>,
    },
}

/// An HTTP call to make.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpCall {
    /// The method, upper case.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Sent as JSON; a string is sent as it is.
    pub body: Option<Payload>,
}

/// A lock or units that an attempt holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedClaim {
    /// `file:/abs/path`, `gpu`, …
    pub resource: String,
    /// Alone or together.
    pub mode: ClaimMode,
    /// How many units.
    pub units: u32,
}

/// What makes up the key of a cached result, beside the files read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRequest {
    /// How long a result serves.
    pub ttl: Duration,
    /// Command, declared environment and results of the predecessors, or the declared key: text to be hashed.
    pub material: String,
}

/// From what the success of an incremental task follows, beside its command, its environment and its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// How long a success serves; for ever if `None`.
    pub ttl: Option<Duration>,
    /// The declared key, instead of everything else.
    pub key: Option<String>,
    /// The predecessors by path, and what they yielded.
    pub results: Vec<(Arc<str>, String)>,
}

/// What a worker says about an attempt. Reports under a token that is not the living one change nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Which attempt.
    pub attempt: AttemptId,
    /// What happened to it.
    pub what: ReportKind,
}

/// What happened to an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportKind {
    /// It is alive.
    Alive,
    /// It is so far.
    Progress {
        /// 0..=1.
        fraction: f32,
        /// For people.
        message: String,
    },
    /// It is a service, and it is up.
    Serves,
    /// It is over: nothing of it lives any more.
    Ended(Box<Ending>),
    /// Nothing of it lives any more, and the task is not done: it has another round after a pause. No try is used up.
    Again {
        /// What there is to show so far.
        output: Payload,
        /// At least so long nobody has it.
        pause: Duration,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// What it yielded, or why it failed. A stopped attempt reports the failure that its stopping caused.
    pub result: Result<Option<Payload>, TaskError>,
    /// What there is to show of a failure.
    pub shown: Option<Payload>,
    /// The result came from the cache.
    pub cached: bool,
    /// Where its output stands.
    pub log: Option<LogSpan>,
    /// What it used.
    pub usage: Usage,
    /// When it began and ended, as measured beside it.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Ending {
    /// It succeeded with this output.
    pub fn success(output: Option<Payload>) -> Ending {
        Ending {
            result: Ok(output),
            shown: None,
            cached: false,
            log: None,
            usage: Usage::default(),
            span: None,
        }
    }

    /// It failed.
    pub fn failure(error: TaskError) -> Ending {
        Ending { result: Err(error), ..Ending::success(None) }
    }
}
