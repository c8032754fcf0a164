//! Nodes: what each type does.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use partitur_model::definition::{
    Cache, Command, Definition, Evaluate, Expression, Flow, Http, Kind, Node, Priority, Program, Retry,
    SubRun, Switch, Template, TemplateTree, Trigger, Wait, WaitFor,
};
use partitur_model::{Fault, Payload};

use super::{Options, ignored, millis};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::native;
use crate::reader::{At, Reader, shorten, with_meant};
use crate::tree::{Form, Item};

pub(super) static NODE: Block = Block {
    name: "node",
    about: "a node",
    required: &["id", "type"],
    ignored_prefix: Some("x-"),
    keys: || texts(NODE_KEYS),
};

/// What a node's settings may be, wherever they stand.
static DATA: Block = Block {
    name: "data",
    about: "a node's data",
    required: &[],
    ignored_prefix: Some("x-"),
    keys: || texts(NODE_KEYS),
};

#[derive(Default)]
struct Draft {
    id: Option<String>,
    kind: Option<Item>,
    description: String,
    command: Option<Item>,
    args: Vec<Template>,
    process: Command,
    shell: Option<Arc<[String]>>,
    http: Http,
    delay: Option<WaitFor>,
    expression: Option<Item>,
    set: Option<TemplateTree>,
    flow: Option<String>,
    input: Option<TemplateTree>,
    priority: Option<Priority>,
    retry: Option<Retry>,
    retry_delay: Option<Duration>,
    timeout: Option<Duration>,
    cache: Option<Option<Cache>>,
    optional: bool,
    trigger: Option<Trigger>,
    claims: Vec<partitur_model::definition::Claim>,
    secrets: Vec<String>,
    agent: Option<Template>,
    expected: Option<Duration>,
}

/// A key in one line.
macro_rules! key {
    ($name:literal, $about:literal, $shape:expr, $read:expr) => {
        Key { name: $name, about: $about, shape: $shape, read: $read }
    };
}

static NODE_KEYS: &[Key<Draft>] = &[
    key!("id", "unique; edges name it", Shape::Text, |reader, draft, at| draft.id = reader.string(at)),
    key!("type", "what the node does", Shape::Text, |_, draft, at| draft.kind = Some(at.item)),
    key!("data", "the node's settings", Shape::Block(&DATA), read_data),
    key!("config", "the node's settings", Shape::Block(&DATA), read_data),
    key!("label", "for people", Shape::Text, read_label),
    key!("name", "for people", Shape::Text, read_label),
    key!("description", "for people", Shape::Text, read_label),
    key!("command", "a script, or a program and its arguments", Shape::Any, read_command),
    key!("script", "the same as `command`", Shape::Any, read_command),
    key!("run", "the same as `command`", Shape::Any, read_command),
    key!(
        "args",
        "arguments of the program in `command`",
        Shape::List(&Shape::Template),
        |reader, draft, at| {
            draft.args = reader.list(at, Reader::template);
        }
    ),
    key!("shell", "what runs the script", Shape::Any, |reader, draft, at| {
        draft.shell = native::read_shell(reader, at);
    }),
    key!("env", "environment variables", Shape::Named(&Shape::Template), |reader, draft, at| {
        draft.process.env = native::read_env(reader, at);
    }),
    key!("cwd", "working directory", Shape::Template, |reader, draft, at| draft.process.dir =
        reader.template(at)),
    key!("dir", "working directory", Shape::Template, |reader, draft, at| draft.process.dir =
        reader.template(at)),
    key!("stdin", "written to standard input", Shape::Template, |reader, draft, at| {
        draft.process.stdin = reader.template(at);
    }),
    key!("output", "where the output of a command is found", Shape::Text, |reader, draft, at| {
        draft.process.output = native::read_output(reader, at).unwrap_or_default();
    }),
    key!("url", "where an HTTP call goes", Shape::Template, |reader, draft, at| {
        draft.http.url = reader.template(at).unwrap_or_default();
    }),
    key!("method", "GET, POST, …", Shape::Text, |reader, draft, at| {
        draft.http.method = reader.string(at).unwrap_or_default().to_ascii_uppercase();
    }),
    key!("headers", "of an HTTP call", Shape::Named(&Shape::Template), |reader, draft, at| {
        draft.http.headers = native::read_headers(reader, at);
    }),
    key!("body", "of an HTTP call", Shape::Any, |reader, draft, at| draft.http.body =
        Some(reader.value_tree(at))),
    key!("delay", "how long a wait takes: milliseconds, or a duration", Shape::Any, read_delay),
    key!("duration", "the same as `delay`", Shape::Any, read_delay),
    key!(
        "expression",
        "what a condition, a switch or a transformation computes",
        Shape::Expression,
        read_expression
    ),
    key!("condition", "the same as `expression`", Shape::Expression, read_expression),
    key!("value", "the same as `expression`", Shape::Expression, read_expression),
    key!("set", "the values that a transformation yields", Shape::Any, read_set),
    key!("values", "the same as `set`", Shape::Any, read_set),
    key!("flow", "the path of a sub-flow's file", Shape::Text, read_flow),
    key!("file", "the same as `flow`", Shape::Text, read_flow),
    key!("workflow", "the same as `flow`", Shape::Text, read_flow),
    key!("input", "the inputs of a sub-flow", Shape::Named(&Shape::Any), read_input),
    key!("inputs", "the same as `input`", Shape::Named(&Shape::Any), read_input),
    key!("priority", "critical, high, normal or low", Shape::Text, |reader, draft, at| {
        draft.priority = native::read_priority(reader, at);
    }),
    key!("maxRetries", "how often it is tried again", Shape::Count(0), read_retries),
    key!("retries", "the same as `maxRetries`", Shape::Count(0), read_retries),
    key!("retry", "as in native documents", Shape::Any, |reader, draft, at| {
        draft.retry = native::read_retry(reader, at);
    }),
    key!("retryDelay", "the first pause, in milliseconds", Shape::Any, |reader, draft, at| {
        draft.retry_delay = millis(reader, at);
    }),
    key!("timeout", "of an attempt, in milliseconds", Shape::Any, |reader, draft, at| {
        draft.timeout = millis(reader, at);
    }),
    key!("cache", "whether an equal earlier result serves", Shape::Any, |reader, draft, at| {
        draft.cache = Some(native::read_cache(reader, at));
    }),
    key!("enableCache", "the same as `cache`", Shape::Flag, |reader, draft, at| {
        draft.cache = reader.flag(at).map(|on| on.then(Cache::default));
    }),
    key!("optional", "its failure is none of the run", Shape::Flag, read_optional),
    key!("continueOnError", "the same as `optional`", Shape::Flag, read_optional),
    key!("trigger", "ready when all edges arrive, or when one does", Shape::Text, |reader, draft, at| {
        draft.trigger = reader.word(at, &[("all", Trigger::All), ("any", Trigger::Any)]);
    }),
    key!("locks", "as in native documents", Shape::Any, |reader, draft, at| {
        draft.claims = native::read_claims(reader, at);
    }),
    key!("secrets", "secrets given to it", Shape::List(&Shape::Text), |reader, draft, at| {
        draft.secrets = reader.one_or_many(at, Reader::string);
    }),
    key!("agent", "the agent whose task it is", Shape::Template, |reader, draft, at| {
        draft.agent = reader.template(at);
    }),
    key!(
        "estimatedDuration",
        "how long it probably takes, in milliseconds",
        Shape::Any,
        |reader, draft, at| {
            draft.expected = millis(reader, at);
        }
    ),
    // What editors keep about the drawing.
    ignored("position"),
    ignored("positionAbsolute"),
    ignored("width"),
    ignored("height"),
    ignored("measured"),
    ignored("selected"),
    ignored("dragging"),
    ignored("style"),
    ignored("className"),
    ignored("sourcePosition"),
    ignored("targetPosition"),
    ignored("zIndex"),
    ignored("metadata"),
];

fn read_data(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    // Editors repeat the id and a type of their own in there.
    let (id, kind) = (draft.id.take(), draft.kind.take());
    reader.block(at, &DATA, NODE_KEYS, draft);
    (draft.id, draft.kind) = (id, kind);
}

fn read_label(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    let text = reader.string(at).unwrap_or_default();
    if draft.description.is_empty() {
        draft.description = text;
    }
}

fn read_command(_: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    draft.command = Some(at.item);
}

fn read_expression(_: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    draft.expression = Some(at.item);
}

fn read_set(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    draft.set = Some(reader.value_tree(at));
}

fn read_flow(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    draft.flow = reader.flow(at);
}

fn read_input(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    if reader.form(at) == Form::Map {
        draft.input = Some(reader.value_tree(at));
    } else {
        reader.expected(at, "a mapping");
    }
}

fn read_optional(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    draft.optional |= reader.flag(at).unwrap_or_default();
}

/// Retries come after the first attempt, which our own `attempts` counts.
fn read_retries(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    if let Some(retries) = reader.count(at, 0) {
        draft.retry = Some(Retry { attempts: retries.saturating_add(1), ..Retry::default() });
    }
}

fn read_delay(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    let Some(text) = reader.text(at) else { return };
    draft.delay = if text.contains("${") {
        Some(WaitFor::Duration(Template::from(text)))
    } else {
        millis(reader, at).map(|delay| WaitFor::Duration(partitur_model::unit::format_duration(delay).into()))
    };
}

/// What types of nodes there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Command,
    Http,
    Delay,
    Approval,
    Signal,
    /// A switch with the cases `true` and `false`.
    Condition,
    Switch,
    Transform,
    SubFlow,
    /// A point where edges part or all meet.
    Point,
    /// A point where one edge is enough.
    Merge,
}

const TYPES: &[(&str, Type)] = &[
    ("command", Type::Command),
    ("shell", Type::Command),
    ("script", Type::Command),
    ("http", Type::Http),
    ("httpRequest", Type::Http),
    ("wait", Type::Delay),
    ("delay", Type::Delay),
    ("approval", Type::Approval),
    ("signal", Type::Signal),
    ("condition", Type::Condition),
    ("if", Type::Condition),
    ("switch", Type::Switch),
    ("transform", Type::Transform),
    ("set", Type::Transform),
    ("subworkflow", Type::SubFlow),
    ("subflow", Type::SubFlow),
    ("start", Type::Point),
    ("join", Type::Point),
    ("noop", Type::Point),
    ("merge", Type::Merge),
    ("end", Type::Merge),
];

pub(super) fn read_nodes(
    reader: &mut Reader<'_>,
    at: At<'_>,
    options: &Options,
    definition: &Definition,
) -> Vec<Node> {
    let mut seen = HashSet::new();
    let declared = native::Declared::by(definition);
    reader.list(at, |reader, at| {
        let node = read_node(reader, at, options)?;
        declared.check(reader, &node);
        // A second node of the same id has been told of already.
        seen.insert(node.name.clone()).then_some(node)
    })
}

/// A node; one without an id is told of and left out.
fn read_node(reader: &mut Reader<'_>, at: At<'_>, options: &Options) -> Option<Node> {
    let mut draft = Draft::default();
    reader.block(at, &NODE, NODE_KEYS, &mut draft);
    let id = draft.id.take()?;
    if let Some(fault) = native::node_id_fault(&id, at) {
        reader.fault(fault);
    }
    let kind = draft.kind.and_then(|item| read_type(reader, at.member("type", item)));
    let mut node = Node::at(&id, at.place());
    node.priority = draft.priority.or(options.priority).unwrap_or_default();
    node.optional = draft.optional;
    node.timeouts.attempt = draft.timeout.take();
    node.expected = draft.expected;
    node.claims = std::mem::take(&mut draft.claims);
    node.secrets = std::mem::take(&mut draft.secrets);
    node.agent = draft.agent.take();
    node.description = std::mem::take(&mut draft.description);
    node.retry = draft.retry.take().map(Box::new);
    if let (Some(retry), Some(delay)) = (&mut node.retry, draft.retry_delay) {
        retry.base = delay;
        retry.max = retry.max.max(delay);
    }
    let ends_one = kind == Some(Type::Merge);
    node.trigger = draft.trigger.unwrap_or(if ends_one { Trigger::Any } else { Trigger::All });
    node.cache = match draft.cache.take() {
        Some(cache) => cache,
        None => (options.cache && kind == Some(Type::Command)).then(Cache::default),
    };
    node.kind = kind.and_then(|kind| read_kind(reader, at, kind, draft)).unwrap_or(Kind::Noop);
    Some(node)
}

fn read_type(reader: &mut Reader<'_>, at: At<'_>) -> Option<Type> {
    let text = reader.text(at)?;
    let found = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    if found.is_none() {
        let known: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        let message = format!("nobody knows nodes of type `{}`", shorten(text));
        let fault = Fault::error(codes::UNKNOWN_NODE_TYPE, at.place(), message).label("unknown type");
        let fault = with_meant(fault, text, known.iter().copied());
        let hint = format!("known types: {}", known.join(", "));
        reader.fault(if fault.hint.is_some() { fault } else { fault.hint(hint) });
    }
    found.map(|(_, kind)| *kind)
}

fn read_kind(reader: &mut Reader<'_>, at: At<'_>, kind: Type, draft: Draft) -> Option<Kind> {
    match kind {
        Type::Command => read_program(reader, at, draft).map(Kind::Command),
        Type::Http if draft.http.url.0.is_empty() => missing(reader, at, "an HTTP call", "url"),
        Type::Http => Some(Kind::Http(draft.http)),
        Type::Delay => match draft.delay {
            Some(what) => Some(Kind::Wait(Wait { what, at_most: None })),
            None => missing(reader, at, "a wait", "delay"),
        },
        // The timeout of an approval is how long it may take.
        Type::Approval => Some(Kind::Wait(Wait { what: WaitFor::Approval, at_most: draft.timeout })),
        Type::Signal => Some(Kind::Wait(Wait { what: WaitFor::Signal, at_most: draft.timeout })),
        Type::Condition => {
            let value = Evaluate::Expression(expression(reader, at, draft.expression, "a condition")?);
            Some(Kind::Switch(Switch { value, cases: Vec::new() }))
        }
        Type::Switch => {
            let value = Evaluate::Expression(expression(reader, at, draft.expression, "a switch")?);
            Some(Kind::Switch(Switch { value, cases: Vec::new() }))
        }
        Type::Transform => match draft.set {
            Some(tree) => Some(Kind::Evaluate(Evaluate::Tree(tree))),
            None => expression(reader, at, draft.expression, "a transformation")
                .map(|it| Kind::Evaluate(Evaluate::Expression(it))),
        },
        Type::SubFlow => match draft.flow {
            Some(flow) => {
                let input = draft.input.unwrap_or_else(|| TemplateTree(Payload::Object([].into())));
                Some(Kind::SubRun(SubRun { flow: Flow::Frozen(flow), input }))
            }
            None => missing(reader, at, "a sub-flow", "flow"),
        },
        Type::Point | Type::Merge => Some(Kind::Noop),
    }
}

fn missing(reader: &mut Reader<'_>, at: At<'_>, what: &str, key: &str) -> Option<Kind> {
    let message = format!("{what} needs the key `{key}`");
    let fault = Fault::error(codes::MISSING_KEY, at.place(), message).label(format!("no `{key}`"));
    reader.fault(fault.hint("beside `type`, or within `data` or `config`"));
    None
}

fn expression(reader: &mut Reader<'_>, at: At<'_>, item: Option<Item>, what: &str) -> Option<Expression> {
    match item {
        Some(item) => reader.expression(at.member("expression", item)),
        None => {
            missing(reader, at, what, "expression");
            None
        }
    }
}

fn read_program(reader: &mut Reader<'_>, at: At<'_>, draft: Draft) -> Option<Command> {
    let Some(item) = draft.command else {
        missing(reader, at, "a command", "command");
        return None;
    };
    let at = at.member("command", item);
    let program = if draft.args.is_empty() {
        native::read_program(reader, at, draft.shell.as_ref())?
    } else {
        let mut words = vec![reader.template(at)?];
        words.extend(draft.args);
        Program::Direct(words)
    };
    Some(Command { program, ..draft.process })
}
