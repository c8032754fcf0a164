//! What a task does: commands, calls, waits, evaluations, rules, sub-flows, switches.

use std::sync::{Arc, LazyLock};

use partitur_model::definition::{
    Command, Evaluate, Flow, Http, Kind, OutputMode, Program, Rule, RuleSet, SubRun, Switch, Template,
    TemplateTree, Undo, Wait, WaitFor,
};
use partitur_model::unit::{parse_duration, parse_timestamp};
use partitur_model::{Fault, Payload};

use super::{policy, shape};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader, listed, shorten};
use crate::shell;
use crate::tree::Form;

/// Without `shell`, this runs scripts: it stops at the first command that fails.
static SHELL: LazyLock<Arc<[String]>> = LazyLock::new(|| stopping_shell("sh"));

fn stopping_shell(name: &str) -> Arc<[String]> {
    [name, "-e", "-c"].map(str::to_owned).into()
}

pub(crate) fn read_env(reader: &mut Reader<'_>, at: At<'_>) -> Vec<(String, Template)> {
    reader.named(at, |reader, name, at| {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` cannot be the name of an environment variable", shorten(name));
            reader.fault(Fault::error(codes::BAD_NAME, at.place(), message).label("bad name"));
        }
        Some((name.to_owned(), reader.template(at)?))
    })
}

pub(crate) fn read_output(reader: &mut Reader<'_>, at: At<'_>) -> Option<OutputMode> {
    let words = [
        ("auto", OutputMode::Auto),
        ("text", OutputMode::Text),
        ("lines", OutputMode::Lines),
        ("json", OutputMode::Json),
        ("none", OutputMode::None),
    ];
    reader.word(at, &words)
}

/// `bash`, or a program and its flags.
pub(crate) fn read_shell(reader: &mut Reader<'_>, at: At<'_>) -> Option<Arc<[String]>> {
    if reader.form(at) == Form::List {
        let words = reader.list(at, Reader::string);
        if words.is_empty() {
            reader.expected(at, "a program and its flags");
            return None;
        }
        return Some(words.into());
    }
    let name = reader.text(at)?;
    if !shell::is_posix(name) {
        let message = format!("`{}` is no shell that takes `-e -c`", shorten(name));
        let fault = Fault::error(codes::BAD_VALUE, at.place(), message).label("unknown shell");
        reader.fault(fault.hint(format!(
            "known are {}; for others write a list, such as `[python3, -c]`",
            listed(shell::NAMES)
        )));
        return None;
    }
    Some(stopping_shell(name))
}

/// `run`: a script, or a program and its arguments.
pub(crate) fn read_program(
    reader: &mut Reader<'_>,
    at: At<'_>,
    shell: Option<&Arc<[String]>>,
) -> Option<Program> {
    if reader.form(at) == Form::List {
        let words = reader.list(at, Reader::template);
        if words.first().is_none_or(|word| word.0.is_empty()) {
            reader.expected(at, "a program and its arguments");
            return None;
        }
        return Some(Program::Direct(words));
    }
    let text = reader.text(at)?;
    if text.trim().is_empty() {
        reader.expected(at, "a command");
        return None;
    }
    if shell.is_none()
        && let Some(words) = shell::plain_words(text, &reader.names)
    {
        return Some(Program::Direct(words.into_iter().map(Template).collect()));
    }
    let shell = shell.unwrap_or(&SHELL);
    if text.len() > shell::SCRIPT_MAX {
        let message = format!("the script has {} bytes; a shell takes {}", text.len(), shell::SCRIPT_MAX);
        let fault = Fault::error(codes::BUDGET, at.place(), message).label("too long");
        reader.fault(fault.hint("put it into a file, and run the file"));
        return None;
    }
    let script = shell::lower(text, shell, &reader.names);
    for refusal in script.refusals {
        reader.fault(refusal.into_fault(at.place()));
    }
    Some(Program::Shell { shell: shell.clone(), script: script.text, vars: script.vars })
}

pub(super) static HTTP: Block = Block {
    name: "http",
    about: "`http`",
    required: &["url"],
    ignored_prefix: None,
    keys: || texts(HTTP_KEYS),
};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

static HTTP_KEYS: &[Key<Http>] = &[
    Key {
        name: "method",
        about: "GET, POST, …; GET",
        shape: Shape::Word(METHODS),
        read: |reader, http, at| {
            let Some(text) = reader.text(at) else { return };
            http.method = text.to_ascii_uppercase();
            if !METHODS.contains(&http.method.as_str()) {
                let message = format!("`{}` is none of {}", shorten(text), listed(METHODS));
                reader.fault(Fault::error(codes::BAD_VALUE, at.place(), message).label("unknown method"));
            }
        },
    },
    Key {
        name: "url",
        about: "where to",
        shape: Shape::Template,
        read: |reader, http, at| http.url = reader.template(at).unwrap_or_default(),
    },
    Key {
        name: "headers",
        about: "names and values",
        shape: Shape::Named(&Shape::Template),
        read: |reader, http, at| http.headers = read_headers(reader, at),
    },
    Key {
        name: "body",
        about: "sent as JSON, or as it is if it is a text",
        shape: Shape::Any,
        read: |reader, http, at| http.body = Some(reader.value_tree(at)),
    },
];

pub(crate) fn read_headers(reader: &mut Reader<'_>, at: At<'_>) -> Vec<(String, Template)> {
    reader.named(at, |reader, name, at| Some((name.to_owned(), reader.template(at)?)))
}

/// A URL to get, or a block.
pub(super) fn read_http(reader: &mut Reader<'_>, at: At<'_>) -> Option<Http> {
    let mut http = Http::default();
    if reader.form(at) == Form::Map {
        reader.block(at, &HTTP, HTTP_KEYS, &mut http);
    } else {
        http.url = reader.template(at)?;
    }
    Some(http)
}

pub(super) static WAIT: Block =
    Block { name: "wait", about: "`wait`", required: &[], ignored_prefix: None, keys: || texts(WAIT_KEYS) };

const WAITS: [(&str, &str); 5] = [
    ("approval", "approval"),
    ("signal", "signal"),
    ("file", "file"),
    ("duration", "duration"),
    ("timestamp", "timestamp"),
];

#[derive(Default)]
struct WaitDraft {
    kind: Option<&'static str>,
    what: Vec<(&'static str, WaitFor)>,
    at_most: Option<std::time::Duration>,
}

static WAIT_KEYS: &[Key<WaitDraft>] = &[
    Key {
        name: "for",
        about: "a person, a signal, or what the key of the same name says",
        shape: Shape::Word(&["approval", "signal", "file", "duration", "timestamp"]),
        read: |reader, draft, at| draft.kind = reader.word(at, &WAITS),
    },
    Key {
        name: "file",
        about: "a path; the wait ends when the file exists",
        shape: Shape::Template,
        read: |reader, draft, at| {
            draft.what.extend(reader.template(at).map(|path| ("file", WaitFor::File(path))))
        },
    },
    Key {
        name: "duration",
        about: "so long",
        shape: Shape::Template,
        read: |reader, draft, at| {
            draft.what.extend(read_time(reader, at, Time::Duration).map(|what| ("duration", what)))
        },
    },
    Key {
        name: "timestamp",
        about: "a point in time, such as 2026-11-21T10:20:30Z",
        shape: Shape::Template,
        read: |reader, draft, at| {
            draft.what.extend(read_time(reader, at, Time::Until).map(|what| ("timestamp", what)))
        },
    },
    Key {
        name: "at-most",
        about: "the task fails with `timeout` after this long",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.at_most = reader.duration(at),
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    Duration,
    Until,
}

fn read_time(reader: &mut Reader<'_>, at: At<'_>, time: Time) -> Option<WaitFor> {
    let text = reader.text(at)?;
    let open = text.contains("${");
    let (read, error) = match time {
        Time::Duration => (WaitFor::Duration(text.into()), parse_duration(text).err()),
        Time::Until => (WaitFor::Until(text.into()), parse_timestamp(text).err()),
    };
    if let Some(error) = error.filter(|_| !open) {
        reader.fault(Fault::error(codes::BAD_TIME, at.place(), error.to_string()).label("no time"));
    }
    Some(read)
}

/// `30s`, `approval`, `signal`, a point in time, or a block.
pub(super) fn read_wait(reader: &mut Reader<'_>, at: At<'_>) -> Option<Wait> {
    if reader.form(at) == Form::Map {
        return read_wait_block(reader, at);
    }
    let text = reader.text(at)?;
    let what = match text {
        "approval" => WaitFor::Approval,
        "signal" => WaitFor::Signal,
        _ if parse_timestamp(text).is_ok() => WaitFor::Until(text.into()),
        _ => read_time(reader, at, Time::Duration)?,
    };
    Some(Wait { what, at_most: None })
}

fn read_wait_block(reader: &mut Reader<'_>, at: At<'_>) -> Option<Wait> {
    let mut draft = WaitDraft::default();
    reader.block(at, &WAIT, WAIT_KEYS, &mut draft);
    let at_most = draft.at_most;
    let plain = match draft.kind {
        Some("approval") => Some(WaitFor::Approval),
        Some("signal") => Some(WaitFor::Signal),
        Some(_) | None => None,
    };
    let given: Vec<&str> = draft.what.iter().map(|(name, _)| *name).collect();
    match (plain, draft.kind, draft.what.pop()) {
        (Some(what), _, None) => Some(Wait { what, at_most }),
        (None, kind, Some((name, what))) if given.len() == 1 && kind.is_none_or(|kind| kind == name) => {
            Some(Wait { what, at_most })
        }
        (None, Some(kind), None) => {
            let message = format!("a wait for a {kind} needs the key `{kind}`");
            reader.fault(Fault::error(codes::MISSING_KEY, at.place(), message).label(format!("no `{kind}`")));
            None
        }
        (None, None, None) => {
            let fault =
                Fault::error(codes::MISSING_KEY, at.place(), "the wait does not say what it waits for");
            reader.fault(
                fault.hint("write `for: approval`, `for: signal`, or one of `file`, `duration`, `timestamp`"),
            );
            None
        }
        (Some(_), _, Some(_)) | (None, _, Some(_)) => {
            let fault = Fault::error(codes::CONFLICT, at.place(), "a task waits for one thing only");
            reader.fault(fault.label("several").hint("make a task of each, and needs of the tasks"));
            None
        }
    }
}

/// An expression, or a tree in whose texts `${…}` is replaced.
pub(super) fn read_eval(reader: &mut Reader<'_>, at: At<'_>) -> Option<Evaluate> {
    match reader.form(at) {
        Form::Map | Form::List => Some(Evaluate::Tree(reader.value_tree(at))),
        Form::Plain | Form::Quoted | Form::Literal | Form::Folded => {
            reader.expression(at).map(Evaluate::Expression)
        }
    }
}

pub(super) static RULE: Block = Block {
    name: "rule",
    about: "a rule",
    required: &["if"],
    ignored_prefix: None,
    keys: || texts(RULE_KEYS),
};

#[derive(Default)]
struct RuleDraft {
    name: Option<String>,
    condition: Option<partitur_model::definition::Expression>,
    set: Option<TemplateTree>,
    fail: Option<Template>,
}

static RULE_KEYS: &[Key<RuleDraft>] = &[
    Key {
        name: "name",
        about: "its name in the output's `fired`",
        shape: Shape::Text,
        read: |reader, draft, at| draft.name = reader.string(at),
    },
    Key {
        name: "if",
        about: "when it fires",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.condition = reader.expression(at),
    },
    Key {
        name: "set",
        about: "what it adds to the output",
        shape: Shape::Named(&Shape::Any),
        read: |reader, draft, at| {
            if reader.form(at) == Form::Map {
                draft.set = Some(reader.value_tree(at));
            } else {
                reader.expected(at, "a mapping");
            }
        },
    },
    Key {
        name: "fail",
        about: "the task fails with this message",
        shape: Shape::Template,
        read: |reader, draft, at| draft.fail = reader.template(at),
    },
];

/// Rules, in the order in which they are tried.
pub(super) fn read_rules(reader: &mut Reader<'_>, at: At<'_>) -> Evaluate {
    let mut number = 0;
    let rules = reader.list(at, |reader, at| {
        number += 1;
        let mut draft = RuleDraft::default();
        reader.block(at, &RULE, RULE_KEYS, &mut draft);
        let name = draft.name.unwrap_or_else(|| format!("rule-{number}"));
        let set = draft.set.unwrap_or_else(empty_object);
        Some(Rule { name, condition: draft.condition?, set, fail: draft.fail })
    });
    Evaluate::Rules(RuleSet { first_only: false, rules })
}

/// A sub-flow; its inputs are another key.
pub(super) fn read_flow(reader: &mut Reader<'_>, at: At<'_>) -> Option<Kind> {
    let flow = reader.flow(at)?;
    Some(Kind::SubRun(SubRun { flow: Flow::Frozen(flow), input: empty_object() }))
}

/// A choice; its cases are those under which other tasks need it.
pub(super) fn read_switch(reader: &mut Reader<'_>, at: At<'_>) -> Option<Kind> {
    let value = Evaluate::Expression(reader.expression(at)?);
    Some(Kind::Switch(Switch { value, cases: Vec::new() }))
}

/// `{}`.
pub(super) fn empty_object() -> TemplateTree {
    TemplateTree(Payload::Object([].into()))
}

pub(super) static UNDO: Block =
    Block { name: "undo", about: "`undo`", required: &[], ignored_prefix: None, keys: || texts(UNDO_KEYS) };

#[derive(Default)]
struct UndoDraft {
    run: Option<crate::tree::Item>,
    http: Option<Http>,
    retry: Option<partitur_model::definition::Retry>,
    timeout: Option<std::time::Duration>,
}

static UNDO_KEYS: &[Key<UndoDraft>] = &[
    Key {
        name: "run",
        about: "the command that undoes the task, with the task's directory and environment",
        shape: shape::RUN,
        read: |_, draft, at| draft.run = Some(at.item),
    },
    Key {
        name: "http",
        about: "the call that undoes the task",
        shape: shape::HTTP,
        read: |reader, draft, at| draft.http = read_http(reader, at),
    },
    Key {
        name: "retry",
        about: "how often it is tried",
        shape: shape::RETRY,
        read: |reader, draft, at| draft.retry = policy::read_retry(reader, at),
    },
    Key {
        name: "timeout",
        about: "how long an attempt at it may take",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.timeout = reader.duration(at),
    },
];

/// A compensation: it runs where and with what its task runs.
pub(super) fn read_undo(
    reader: &mut Reader<'_>,
    at: At<'_>,
    like: &Command,
    shell: Option<&Arc<[String]>>,
) -> Option<Undo> {
    let mut draft = UndoDraft::default();
    let program = if reader.form(at) == Form::Map {
        reader.block(at, &UNDO, UNDO_KEYS, &mut draft);
        draft.run.and_then(|item| read_program(reader, at.member("run", item), shell))
    } else {
        Some(read_program(reader, at, shell)?)
    };
    let kind = match (program, draft.http) {
        (Some(program), None) => {
            let (output, service) = (OutputMode::Auto, None);
            Kind::Command(Command { program, stdin: None, output, service, ..like.clone() })
        }
        (None, Some(http)) => Kind::Http(http),
        (Some(_), Some(_)) => {
            let fault = Fault::error(codes::CONFLICT, at.place(), "`undo` has both `run` and `http`");
            reader.fault(fault.label("two actions").hint("keep one"));
            return None;
        }
        (None, None) => {
            if draft.run.is_none() {
                let fault = Fault::error(codes::MISSING_KEY, at.place(), "`undo` needs `run` or `http`");
                reader.fault(fault.label("does nothing"));
            }
            return None;
        }
    };
    Some(Undo { kind, retry: draft.retry.map(Box::new), timeout: draft.timeout })
}
