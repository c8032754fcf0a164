//! How a task is tried: retries, timeouts, cache, breakers, and the defaults of a document.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::Fault;
use partitur_model::definition::{
    Backoff, BreakerSpec, Cache, Kind, Node, OutputMode, Priority, Retry, Template, Timeouts, When,
};
use partitur_model::unit::parse_duration;

use super::{action, shape};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::Form;

pub(super) static RETRY: Block = Block {
    name: "retry",
    about: "`retry`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(RETRY_KEYS),
};

#[derive(Default)]
struct RetryDraft {
    retry: Retry,
    backoff: Growth,
    factor: Option<f64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Growth {
    Fixed,
    Linear,
    #[default]
    Exponential,
}

static RETRY_KEYS: &[Key<RetryDraft>] = &[
    Key {
        name: "attempts",
        about: "how often it is tried, the first time included; 5",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.retry.attempts = reader.count(at, 1).unwrap_or(1),
    },
    Key {
        name: "base",
        about: "the pause after the first failure; 1s",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.retry.base = reader.duration(at).unwrap_or_default(),
    },
    Key {
        name: "factor",
        about: "how the pause grows from failure to failure; 2",
        shape: Shape::Number(1),
        read: |reader, draft, at| draft.factor = reader.number(at, 1),
    },
    Key {
        name: "backoff",
        about: "whether the pause stays, grows by its length, or is multiplied by the factor; exponential",
        shape: Shape::Word(&["fixed", "linear", "exponential"]),
        read: |reader, draft, at| {
            let words =
                [("fixed", Growth::Fixed), ("linear", Growth::Linear), ("exponential", Growth::Exponential)];
            draft.backoff = reader.word(at, &words).unwrap_or_default();
        },
    },
    Key {
        name: "max",
        about: "no pause is longer; 16s",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.retry.max = reader.duration(at).unwrap_or_default(),
    },
    Key {
        name: "jitter",
        about: "each pause is drawn from half to the whole of its length; true",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.retry.jitter = reader.flag(at).unwrap_or(true),
    },
    Key {
        name: "errors",
        about: "only failures with these codes are retried; `exit-*` matches a prefix",
        shape: shape::TEXTS,
        read: |reader, draft, at| draft.retry.errors = reader.one_or_many(at, Reader::string),
    },
    Key {
        name: "if",
        about: "only retried while this holds over `self.output` and `self.error`",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.retry.condition = reader.expression(at),
    },
    Key {
        name: "until",
        about: "a success counts as failed until this holds over `self.output`",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.retry.until = reader.expression(at),
    },
];

/// `retry: 3`, or a block.
pub(crate) fn read_retry(reader: &mut Reader<'_>, at: At<'_>) -> Option<Retry> {
    if reader.form(at) != Form::Map {
        let attempts = reader.count(at, 1)?;
        return Some(Retry { attempts, ..Retry::default() });
    }
    let mut draft = RetryDraft::default();
    reader.block(at, &RETRY, RETRY_KEYS, &mut draft);
    if let (Some(_), Growth::Fixed | Growth::Linear) = (draft.factor, draft.backoff) {
        let fault = Fault::error(
            codes::CONFLICT,
            at.place().member("factor"),
            "only exponential pauses have a factor",
        );
        reader.fault(fault.label("no effect").hint("remove `factor`, or `backoff`"));
    }
    draft.retry.backoff = match draft.backoff {
        Growth::Fixed => Backoff::Fixed,
        Growth::Linear => Backoff::Linear,
        Growth::Exponential => Backoff::Exponential { factor: draft.factor.unwrap_or(2.0) },
    };
    Some(draft.retry)
}

pub(super) static TIMEOUTS: Block = Block {
    name: "timeouts",
    about: "`timeouts`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(TIMEOUTS_KEYS),
};

static TIMEOUTS_KEYS: &[Key<Timeouts>] = &[
    Key {
        name: "attempt",
        about: "from the start of an attempt to its end; the same as `timeout`",
        shape: Shape::Duration,
        read: |reader, it, at| it.attempt = reader.duration(at),
    },
    Key {
        name: "heartbeat",
        about: "between two signs of life of an attempt",
        shape: Shape::Duration,
        read: |reader, it, at| it.heartbeat = reader.duration(at),
    },
    Key {
        name: "queue",
        about: "from ready to started",
        shape: Shape::Duration,
        read: |reader, it, at| it.queue = reader.duration(at),
    },
    Key {
        name: "total",
        about: "from the start of the first attempt to the end of the last, pauses included",
        shape: Shape::Duration,
        read: |reader, it, at| it.total = reader.duration(at),
    },
];

pub(super) fn read_timeouts(reader: &mut Reader<'_>, at: At<'_>, into: &mut Timeouts) {
    let mut it = Timeouts::default();
    reader.block(at, &TIMEOUTS, TIMEOUTS_KEYS, &mut it);
    into.fill(it);
}

/// What is missing is taken from elsewhere.
pub(super) trait Fill {
    fn fill(&mut self, from: Self);
}

impl Fill for Timeouts {
    fn fill(&mut self, from: Timeouts) {
        self.attempt = self.attempt.or(from.attempt);
        self.heartbeat = self.heartbeat.or(from.heartbeat);
        self.queue = self.queue.or(from.queue);
        self.total = self.total.or(from.total);
    }
}

pub(super) static CACHE: Block = Block {
    name: "cache",
    about: "`cache`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(CACHE_KEYS),
};

static CACHE_KEYS: &[Key<Cache>] = &[
    Key {
        name: "ttl",
        about: "how long a result serves; 1h",
        shape: Shape::Duration,
        read: |reader, it, at| it.ttl = reader.duration(at).unwrap_or(it.ttl),
    },
    Key {
        name: "key",
        about: "makes results equal instead of command, reads and results of the predecessors",
        shape: Shape::Template,
        read: |reader, it, at| it.key = reader.template(at),
    },
];

pub(crate) fn read_cache(reader: &mut Reader<'_>, at: At<'_>) -> Option<Cache> {
    let mut cache = Cache::default();
    if reader.form(at) == Form::Map {
        reader.block(at, &CACHE, CACHE_KEYS, &mut cache);
        return Some(cache);
    }
    if reader.is_scalar(at)
        && let Ok(ttl) = parse_duration(reader.tree.text(at.item))
    {
        return Some(Cache { ttl, ..cache });
    }
    reader.flag(at)?.then_some(cache)
}

pub(super) static BREAKER: Block = Block {
    name: "breaker",
    about: "a breaker",
    required: &[],
    ignored_prefix: None,
    keys: || texts(BREAKER_KEYS),
};

pub(super) static BREAKER_KEYS: &[Key<BreakerSpec>] = &[
    Key {
        name: "failures",
        about: "so many failures in a row open it; 5",
        shape: Shape::Count(1),
        read: |reader, it, at| it.failures_max = reader.count(at, 1).unwrap_or(1),
    },
    Key {
        name: "open-for",
        about: "so long it stays open; 60s",
        shape: Shape::Duration,
        read: |reader, it, at| it.open_for = reader.duration(at).unwrap_or_default(),
    },
    Key {
        name: "probes",
        about: "so many attempts may probe at once while it is half open; 3",
        shape: Shape::Count(1),
        read: |reader, it, at| it.probes_max = reader.count(at, 1).unwrap_or(1),
    },
    Key {
        name: "successes",
        about: "so many successes in a row close it; 2",
        shape: Shape::Count(1),
        read: |reader, it, at| it.successes_min = reader.count(at, 1).unwrap_or(1),
    },
];

pub(super) static WHEN: Block = Block {
    name: "when",
    about: "`when`",
    required: &["if"],
    ignored_prefix: None,
    keys: || texts(WHEN_KEYS),
};

#[derive(Default)]
struct WhenDraft {
    condition: Option<partitur_model::definition::Expression>,
    otherwise: partitur_model::definition::Otherwise,
}

static WHEN_KEYS: &[Key<WhenDraft>] = &[
    Key {
        name: "if",
        about: "the task is executed if this holds",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.condition = reader.expression(at),
    },
    Key {
        name: "else",
        about: "what it does otherwise; skip",
        shape: Shape::Word(&["skip", "fail", "notify"]),
        read: |reader, draft, at| {
            use partitur_model::definition::Otherwise;
            let words = [("skip", Otherwise::Skip), ("fail", Otherwise::Fail), ("notify", Otherwise::Notify)];
            draft.otherwise = reader.word(at, &words).unwrap_or_default();
        },
    },
];

pub(super) fn read_when(reader: &mut Reader<'_>, at: At<'_>) -> Option<When> {
    let mut draft = WhenDraft::default();
    if reader.form(at) == Form::Map {
        reader.block(at, &WHEN, WHEN_KEYS, &mut draft);
    } else {
        draft.condition = reader.expression(at);
    }
    Some(When { condition: draft.condition?, otherwise: draft.otherwise })
}

pub(crate) fn read_priority(reader: &mut Reader<'_>, at: At<'_>) -> Option<Priority> {
    let words = [
        ("critical", Priority::Critical),
        ("high", Priority::High),
        ("normal", Priority::Normal),
        ("low", Priority::Low),
    ];
    reader.word(at, &words)
}

/// What holds for every task that does not say otherwise.
#[derive(Default)]
pub(crate) struct Defaults {
    timeouts: Timeouts,
    retry: Option<Box<Retry>>,
    pub(super) priority: Option<Priority>,
    pub(super) shell: Option<Arc<[String]>>,
    pub(super) dir: Option<Template>,
    pub(super) env_files: Vec<Template>,
    pub(super) clean_env: bool,
    pub(super) output: Option<OutputMode>,
}

pub(super) static DEFAULTS: Block = Block {
    name: "defaults",
    about: "`defaults`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(DEFAULTS_KEYS),
};

static DEFAULTS_KEYS: &[Key<Defaults>] = &[
    Key {
        name: "timeout",
        about: "how long an attempt of a command or call may take",
        shape: Shape::Duration,
        read: |reader, it, at| it.timeouts.attempt = reader.duration(at),
    },
    Key {
        name: "timeouts",
        about: "the further timeouts of commands and calls",
        shape: Shape::Block(&TIMEOUTS),
        read: |reader, it, at| read_timeouts(reader, at, &mut it.timeouts),
    },
    Key {
        name: "retry",
        about: "how often commands and calls are tried",
        shape: shape::RETRY,
        read: |reader, it, at| it.retry = read_retry(reader, at).map(Box::new),
    },
    Key {
        name: "priority",
        about: "their weight against other ready tasks",
        shape: shape::PRIORITY,
        read: |reader, it, at| it.priority = read_priority(reader, at),
    },
    Key {
        name: "shell",
        about: "the shell of scripts; `sh`",
        shape: shape::SHELL,
        read: |reader, it, at| it.shell = action::read_shell(reader, at),
    },
    Key {
        name: "dir",
        about: "working directory of commands",
        shape: Shape::Template,
        read: |reader, it, at| it.dir = reader.template(at),
    },
    Key {
        name: "env-file",
        about: "files with more environment variables for commands, `NAME=value` in a line",
        shape: shape::TEMPLATES,
        read: |reader, it, at| it.env_files = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "clean-env",
        about: "commands get only the declared environment",
        shape: Shape::Flag,
        read: |reader, it, at| it.clean_env = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "output",
        about: "where the output of commands is found",
        shape: shape::OUTPUT,
        read: |reader, it, at| it.output = action::read_output(reader, at),
    },
];

impl Defaults {
    pub(super) fn read(reader: &mut Reader<'_>, at: At<'_>) -> Defaults {
        let mut it = Defaults::default();
        reader.block(at, &DEFAULTS, DEFAULTS_KEYS, &mut it);
        it
    }

    /// Fills in what the task left open. An approval may wait for days: only what is executed takes the timeouts.
    pub(super) fn apply(&self, node: &mut Node) {
        match node.kind {
            Kind::Command(_) | Kind::Http(_) | Kind::Remote(_) => {
                node.timeouts.fill(self.timeouts);
                if node.retry.is_none() {
                    node.retry.clone_from(&self.retry);
                }
            }
            Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Each(_)
            | Kind::Expand(_)
            | Kind::Loop(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => {}
        }
    }
}

/// The lease of a claim, and other durations that cannot be nothing.
pub(super) fn positive(reader: &mut Reader<'_>, at: At<'_>) -> Option<Duration> {
    let duration = reader.duration(at)?;
    if duration.is_zero() {
        let fault = Fault::error(codes::BAD_VALUE, at.place(), "this duration must be longer than nothing");
        reader.fault(fault.label("zero"));
        return None;
    }
    Some(duration)
}
