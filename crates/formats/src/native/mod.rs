//! Native documents: the mapping at the top, and what its tasks share.

mod action;
mod callback;
mod claims;
mod combination;
mod container;
mod name;
mod needs;
mod policy;
mod rules;
mod service;
mod shape;
mod task;

use std::time::Duration;

use partitur_model::definition::{
    BreakerSpec, Concurrency, Deduplicate, Definition, InputKind, InputSpec, OnFailure, ResourceSpec,
    Template,
};
use partitur_model::{Fault, Payload};

use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::{Form, Item};

pub(crate) use action::{read_env, read_headers, read_output, read_program, read_shell};
pub(crate) use claims::read_claims;
pub(crate) use combination::Declared;
pub(crate) use name::{HEADS, Names, node_id_fault};
pub(crate) use policy::{Defaults, read_cache, read_priority, read_retry};
pub(crate) use task::settle_switches;

use name::name_fault;

/// What is read of a document, and what its tasks need to know of it.
#[derive(Default)]
pub(crate) struct DocumentDraft {
    pub(crate) definition: Definition,
    pub(crate) defaults: Defaults,
    pub(crate) declared: Declared,
    tasks: Option<Item>,
}

/// The whole document.
pub(crate) static DOCUMENT: Block = Block {
    name: "document",
    about: "a document",
    required: &[],
    ignored_prefix: Some("x-"),
    keys: || texts(DOCUMENT_KEYS),
};

static DOCUMENT_KEYS: &[Key<DocumentDraft>] = &[
    Key {
        name: "partitur",
        about: "version of the format; 1 is the only one",
        shape: Shape::Either(&[Shape::Pattern("^1$"), Shape::Count(1)]),
        read: |reader, _, at| {
            if let Some(text) = reader.text(at).filter(|text| *text != "1") {
                let message = format!("this program reads version 1 of the format, not `{text}`");
                reader.fault(Fault::error(codes::BAD_VALUE, at.place(), message).label("unknown version"));
            }
        },
    },
    Key {
        name: "name",
        about: "name of the document; its file's name if missing",
        shape: Shape::Text,
        read: |reader, draft, at| draft.definition.name = reader.string(at).unwrap_or_default(),
    },
    Key {
        name: "description",
        about: "for people",
        shape: Shape::Text,
        read: |reader, draft, at| draft.definition.description = reader.string(at).unwrap_or_default(),
    },
    Key {
        name: "inputs",
        about: "what a run may be given, by name",
        shape: Shape::Named(&Shape::Either(&[Shape::Null, Shape::Word(INPUT_KINDS), Shape::Block(&INPUT)])),
        read: |reader, draft, at| draft.definition.inputs = read_inputs(reader, at),
    },
    Key {
        name: "env",
        about: "environment variables of every command",
        shape: shape::ENV,
        read: |reader, draft, at| draft.definition.env = action::read_env(reader, at),
    },
    Key {
        name: "secrets",
        about: "names of secrets that tasks may ask for",
        shape: shape::TEXTS,
        read: |reader, draft, at| draft.definition.secrets = reader.one_or_many(at, Reader::string),
    },
    Key {
        name: "concurrency",
        about: "how many tasks run at once: a number, or `least..most` to follow the load",
        shape: Shape::Either(&[
            Shape::Count(1),
            Shape::Pattern(r"^\s*0*[1-9][0-9]*\s*(\.\.\s*0*[1-9][0-9]*\s*)?$"),
        ]),
        read: |reader, draft, at| draft.definition.concurrency = read_concurrency(reader, at),
    },
    Key {
        name: "on-failure",
        about: "what a failed task means for the run: the others go on, are cancelled, or everything is undone",
        shape: Shape::Word(&["continue", "fail-fast", "rollback"]),
        read: |reader, draft, at| draft.definition.on_failure = read_on_failure(reader, at),
    },
    Key {
        name: "resources",
        about: "how many units there are of counted resources; a name may end in `*`",
        shape: Shape::Named(&Shape::Count(1)),
        read: |reader, draft, at| draft.definition.resources = read_resources(reader, at),
    },
    Key {
        name: "resource-rules",
        about: "what tasks hold without saying so, by their type, agent and context; `false`: not even what ships finds",
        shape: rules::RULES,
        read: |reader, draft, at| draft.definition.resource_rules = rules::read_rules(reader, at),
    },
    Key {
        name: "breakers",
        about: "circuit breakers, by the name of what they guard",
        shape: Shape::Either(&[
            shape::TEXTS,
            Shape::Named(&Shape::Either(&[Shape::Null, Shape::Block(&policy::BREAKER)])),
        ]),
        read: |reader, draft, at| draft.definition.breakers = read_breakers(reader, at),
    },
    Key {
        name: "defaults",
        about: "what holds for every task that does not say otherwise",
        shape: Shape::Block(&policy::DEFAULTS),
        read: |reader, draft, at| draft.defaults = Defaults::read(reader, at),
    },
    Key {
        name: "callbacks",
        about: "who is told over HTTP what becomes of a run, by a server",
        shape: callback::CALLBACKS,
        read: |reader, draft, at| draft.definition.callbacks = callback::read_callbacks(reader, at),
    },
    Key {
        name: "timeout",
        about: "the run fails when it has taken this long",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.definition.timeout = reader.duration(at),
    },
    Key {
        name: "deduplicate",
        about: "an equal submission within the window joins the run that is there",
        shape: Shape::Block(&DEDUPLICATE),
        read: |reader, draft, at| {
            let mut it = Deduplicate { key: Template::default(), window: Duration::from_secs(60) };
            reader.block(at, &DEDUPLICATE, DEDUPLICATE_KEYS, &mut it);
            draft.definition.deduplicate = Some(it);
        },
    },
    Key {
        name: "tasks",
        about: "the tasks, by name",
        shape: shape::TASKS,
        read: |_, draft, at| draft.tasks = Some(at.item),
    },
    Key {
        name: "outputs",
        about: "the output of the run, by name",
        shape: Shape::Named(&Shape::Template),
        read: |reader, draft, at| {
            draft.definition.outputs =
                reader.named(at, |reader, name, at| Some((name.to_owned(), reader.template(at)?)));
        },
    },
];

/// Reads a document. Its sub-flows are still names.
pub(crate) fn read_document(reader: &mut Reader<'_>, at: At<'_>) -> Definition {
    let mut draft = DocumentDraft::default();
    let given = reader.block(at, &DOCUMENT, DOCUMENT_KEYS, &mut draft);
    match draft.tasks {
        Some(item) => {
            let tasks = at.member("tasks", item);
            draft.declared = Declared::by(&draft.definition);
            draft.definition.root = task::read_scope(reader, tasks, &draft);
        }
        None if reader.form(at) == Form::Map && !given.unknown => {
            let fault = Fault::error(codes::EMPTY, at.place(), "the document has no `tasks`")
                .hint("add `tasks:` with at least one task, for example `hello: { run: echo hello }`");
            reader.fault(fault);
        }
        None => {}
    }
    draft.definition
}

pub(crate) fn read_inputs(reader: &mut Reader<'_>, at: At<'_>) -> Vec<InputSpec> {
    reader.named(at, read_input)
}

pub(crate) fn read_resources(reader: &mut Reader<'_>, at: At<'_>) -> Vec<ResourceSpec> {
    reader.named(at, |reader, name, at| {
        let units = reader.count(at, 1)?;
        Some(ResourceSpec { name: claims::counted_name(reader, at, name)?, units, place: at.place() })
    })
}

pub(crate) fn read_on_failure(reader: &mut Reader<'_>, at: At<'_>) -> OnFailure {
    let words = [
        ("continue", OnFailure::Continue),
        ("fail-fast", OnFailure::FailFast),
        ("rollback", OnFailure::Rollback),
    ];
    reader.word(at, &words).unwrap_or_default()
}

fn read_concurrency(reader: &mut Reader<'_>, at: At<'_>) -> Option<Concurrency> {
    let text = reader.text(at)?;
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|&number| number > 0);
    let read = match text.split_once("..") {
        Some((min, max)) => number(min).zip(number(max)).filter(|(min, max)| min <= max),
        None => number(text).map(|number| (number, number)),
    };
    if read.is_none() {
        let message = format!("`{}` is no number of tasks", crate::reader::shorten(text));
        let fault = Fault::error(codes::BAD_VALUE, at.place(), message).label("not understood");
        reader.fault(fault.hint("write a number such as `4`, or `1..10`"));
    }
    read.map(|(min, max)| Concurrency { min, max })
}

fn read_breakers(reader: &mut Reader<'_>, at: At<'_>) -> Vec<BreakerSpec> {
    match reader.form(at) {
        Form::Map => reader.named(at, |reader, name, at| {
            let mut breaker = BreakerSpec::named(name);
            if !reader.is_null(at) {
                reader.block(at, &policy::BREAKER, policy::BREAKER_KEYS, &mut breaker);
            }
            Some(breaker)
        }),
        Form::Plain | Form::Quoted | Form::Literal | Form::Folded | Form::List => {
            reader.one_or_many(at, Reader::string).into_iter().map(BreakerSpec::named).collect()
        }
    }
}

static DEDUPLICATE: Block = Block {
    name: "deduplicate",
    about: "`deduplicate`",
    required: &["key"],
    ignored_prefix: None,
    keys: || texts(DEDUPLICATE_KEYS),
};

static DEDUPLICATE_KEYS: &[Key<Deduplicate>] = &[
    Key {
        name: "key",
        about: "what makes two submissions equal, over the inputs",
        shape: Shape::Template,
        read: |reader, it, at| it.key = reader.template(at).unwrap_or_default(),
    },
    Key {
        name: "window",
        about: "how long a submission is remembered; 60s",
        shape: Shape::Duration,
        read: |reader, it, at| it.window = reader.duration(at).unwrap_or(it.window),
    },
];

static INPUT: Block = Block {
    name: "input",
    about: "an input",
    required: &[],
    ignored_prefix: None,
    keys: || texts(INPUT_KEYS),
};

const INPUT_KINDS: &[&str] = &["string", "number", "integer", "boolean", "list", "object"];

static INPUT_KEYS: &[Key<InputSpec>] = &[
    Key {
        name: "type",
        about: "its type; anything if missing",
        shape: Shape::Word(INPUT_KINDS),
        read: |reader, input, at| input.kind = read_input_kind(reader, at),
    },
    Key {
        name: "default",
        about: "its value if none is given; without a default the input is required",
        shape: Shape::Any,
        read: |reader, input, at| input.default = Some(reader.payload(at)),
    },
    Key {
        name: "pattern",
        about: "a regular expression that a string must match as a whole",
        shape: Shape::Text,
        read: |reader, input, at| input.pattern = reader.string(at),
    },
    Key {
        name: "one-of",
        about: "the only values allowed",
        shape: Shape::List(&Shape::Any),
        read: |reader, input, at| input.one_of = reader.list(at, |reader, at| Some(reader.payload(at))),
    },
    Key {
        name: "description",
        about: "for people",
        shape: Shape::Text,
        read: |reader, input, at| input.description = reader.string(at).unwrap_or_default(),
    },
];

fn read_input_kind(reader: &mut Reader<'_>, at: At<'_>) -> Option<InputKind> {
    let words = [
        ("string", InputKind::String),
        ("number", InputKind::Number),
        ("integer", InputKind::Integer),
        ("boolean", InputKind::Boolean),
        ("list", InputKind::List),
        ("object", InputKind::Object),
    ];
    reader.word(at, &words)
}

fn read_input(reader: &mut Reader<'_>, name: &str, at: At<'_>) -> Option<InputSpec> {
    if let Some(fault) = name_fault("an input", name, at) {
        reader.fault(fault);
    }
    let mut input = InputSpec { name: name.to_owned(), place: at.place(), ..InputSpec::default() };
    if reader.is_null(at) {
        return Some(input);
    }
    if reader.is_scalar(at) {
        input.kind = read_input_kind(reader, at);
    } else {
        reader.block(at, &INPUT, INPUT_KEYS, &mut input);
    }
    check_default(reader, &input, at);
    Some(input)
}

/// A default that no run could be given is a mistake of the author.
fn check_default(reader: &mut Reader<'_>, input: &InputSpec, at: At<'_>) {
    let Some(default) = &input.default else { return };
    let fits = input.kind.is_none_or(|kind| is_of_kind(default, kind));
    let allowed =
        input.one_of.is_empty() || input.one_of.iter().any(|one| one.to_value() == default.to_value());
    if fits && allowed {
        return;
    }
    let wanted = if fits { "one of the values allowed" } else { "of the input's type" };
    let message = format!("the default of `{}` is not {wanted}", input.name);
    reader.fault(Fault::error(codes::BAD_VALUE, at.place().member("default"), message).label("does not fit"));
}

fn is_of_kind(value: &Payload, kind: InputKind) -> bool {
    let value = value.to_value();
    match kind {
        InputKind::String => value.is_string(),
        InputKind::Number => value.is_number(),
        InputKind::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        InputKind::Boolean => value.is_boolean(),
        InputKind::List => value.is_array(),
        InputKind::Object => value.is_object(),
    }
}
