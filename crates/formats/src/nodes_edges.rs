//! Nodes and edges: documents of graph editors and of task runners that think in graphs.
//!
//! A node's settings may stand beside its `type` or within `data` or `config`. Numbers that are times are milliseconds.
//! What an editor keeps about its drawing is passed over.

mod edge;
mod node;

use std::time::Duration;

use partitur_model::Fault;
use partitur_model::definition::{Concurrency, Definition, OnFailure, Priority, Scope};
use partitur_model::unit::parse_duration;

use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::native;
use crate::reader::{At, Reader};
use crate::tree::{Form, Item};

/// The document at the top.
#[derive(Default)]
struct Draft {
    definition: Definition,
    nodes: Option<Item>,
    edges: Option<Item>,
    options: Options,
}

/// What holds for all nodes that do not say otherwise.
#[derive(Default)]
struct Options {
    priority: Option<Priority>,
    cache: bool,
}

/// The whole document.
pub(crate) static GRAPH: Block = Block {
    name: "graph",
    about: "a document of nodes and edges",
    required: &["nodes"],
    ignored_prefix: Some("x-"),
    keys: || texts(GRAPH_KEYS),
};

/// What is said of keys that are passed over.
pub(crate) const IGNORED: &str = "passed over";

/// A key that is passed over.
const fn ignored<T>(name: &'static str) -> Key<T> {
    Key { name, about: IGNORED, shape: Shape::Any, read: |_, _, _| {} }
}

static GRAPH_KEYS: &[Key<Draft>] = &[
    Key {
        name: "nodes",
        about: "the nodes",
        shape: Shape::List(&Shape::Block(&node::NODE)),
        read: |_, draft, at| draft.nodes = Some(at.item),
    },
    Key {
        name: "edges",
        about: "the edges",
        shape: Shape::List(&Shape::Block(&edge::EDGE)),
        read: |_, draft, at| draft.edges = Some(at.item),
    },
    Key {
        name: "name",
        about: "name of the document",
        shape: Shape::Text,
        read: |reader, draft, at| draft.definition.name = reader.string(at).unwrap_or_default(),
    },
    Key {
        name: "description",
        about: "for people",
        shape: Shape::Text,
        read: |reader, draft, at| draft.definition.description = reader.string(at).unwrap_or_default(),
    },
    Key { name: "id", about: "name of the document if `name` is missing", shape: Shape::Text, read: read_id },
    Key { name: "workflowId", about: "the same as `id`", shape: Shape::Text, read: read_id },
    Key {
        name: "inputs",
        about: "what a run may be given, as in native documents",
        shape: Shape::Named(&Shape::Any),
        read: |reader, draft, at| draft.definition.inputs = native::read_inputs(reader, at),
    },
    Key {
        name: "env",
        about: "environment variables of every command",
        shape: Shape::Named(&Shape::Template),
        read: |reader, draft, at| draft.definition.env = native::read_env(reader, at),
    },
    Key {
        name: "secrets",
        about: "names of secrets that nodes may ask for",
        shape: Shape::List(&Shape::Text),
        read: |reader, draft, at| draft.definition.secrets = reader.one_or_many(at, Reader::string),
    },
    Key {
        name: "resources",
        about: "how many units there are of counted resources",
        shape: Shape::Named(&Shape::Count(1)),
        read: |reader, draft, at| draft.definition.resources = native::read_resources(reader, at),
    },
    Key {
        name: "options",
        about: "how the run is executed",
        shape: Shape::Block(&OPTIONS),
        read: |reader, draft, at| {
            reader.block(at, &OPTIONS, OPTIONS_KEYS, draft);
        },
    },
    ignored("version"),
    ignored("viewport"),
    ignored("metadata"),
    ignored("createdAt"),
    ignored("updatedAt"),
];

fn read_id(reader: &mut Reader<'_>, draft: &mut Draft, at: At<'_>) {
    let id = reader.string(at).unwrap_or_default();
    if draft.definition.name.is_empty() {
        draft.definition.name = id;
    }
}

static OPTIONS: Block = Block {
    name: "graph-options",
    about: "`options`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(OPTIONS_KEYS),
};

static OPTIONS_KEYS: &[Key<Draft>] = &[
    Key {
        name: "priority",
        about: "of nodes without their own",
        shape: Shape::Word(&["critical", "high", "normal", "low"]),
        read: |reader, draft, at| draft.options.priority = native::read_priority(reader, at),
    },
    Key {
        name: "enableCache",
        about: "results of nodes serve again",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.options.cache = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "maxConcurrency",
        about: "how many nodes run at once",
        shape: Shape::Count(1),
        read: |reader, draft, at| {
            draft.definition.concurrency = reader.count(at, 1).map(|max| Concurrency { min: max, max });
        },
    },
    Key {
        name: "timeout",
        about: "of the whole run, in milliseconds",
        shape: Shape::Either(&[Shape::Count(0), Shape::Duration]),
        read: |reader, draft, at| draft.definition.timeout = millis(reader, at),
    },
    Key {
        name: "onFailure",
        about: "what a failed node means for the run",
        shape: Shape::Word(&["continue", "fail-fast", "rollback"]),
        read: |reader, draft, at| draft.definition.on_failure = native::read_on_failure(reader, at),
    },
    Key {
        name: "failFast",
        about: "a failed node cancels the others",
        shape: Shape::Flag,
        read: |reader, draft, at| {
            if reader.flag(at) == Some(true) {
                draft.definition.on_failure = OnFailure::FailFast;
            }
        },
    },
    ignored("enableDistributed"),
    ignored("enablePerformanceMonitoring"),
    ignored("loadBalancing"),
];

/// Milliseconds as a number, or a duration with its unit.
fn millis(reader: &mut Reader<'_>, at: At<'_>) -> Option<Duration> {
    let text = reader.text(at)?;
    match text.parse::<u64>() {
        Ok(millis) => Some(Duration::from_millis(millis)),
        Err(_) if parse_duration(text).is_ok() => reader.duration(at),
        Err(_) => {
            let message =
                format!("`{}` is no number of milliseconds and no duration", crate::reader::shorten(text));
            reader.fault(Fault::error(codes::BAD_TIME, at.place(), message).label("no time"));
            None
        }
    }
}

/// Reads a document of nodes and edges.
pub(crate) fn read_document(reader: &mut Reader<'_>, at: At<'_>) -> Definition {
    let mut draft = Draft::default();
    reader.block(at, &GRAPH, GRAPH_KEYS, &mut draft);
    let Draft { mut definition, nodes, edges, options } = draft;
    let Some(nodes) = nodes else { return definition };
    let nodes = at.member("nodes", nodes);
    enter_ids(reader, nodes);
    let mut scope =
        Scope { nodes: node::read_nodes(reader, nodes, &options, &definition), edges: Vec::new() };
    if let Some(edges) = edges {
        edge::read_edges(reader, at.member("edges", edges), &mut scope);
    }
    native::settle_switches(reader, &mut scope);
    reader.names.leave();
    if scope.nodes.is_empty() && reader.form(nodes) == Form::List {
        reader.fault(Fault::error(codes::EMPTY, nodes.place(), "there are no nodes").label("empty"));
    }
    definition.root = scope;
    definition
}

/// Makes the ids of all nodes known, for values may name later ones. What else is wrong with a node is told later.
fn enter_ids(reader: &mut Reader<'_>, at: At<'_>) {
    let tree = reader.tree;
    let nodes = || tree.parts(at.item).enumerate().filter(|_| tree.form(at.item) == Form::List);
    reader.names.enter();
    for (index, item) in nodes() {
        let id = tree.members(item).find(|&(key, _)| tree.text(key) == "id").map(|(_, value)| value);
        let Some(id) = id else { continue };
        if reader.names.add(tree.text(id)) {
            continue;
        }
        let node = at.element(index, item);
        let message = format!("two nodes have the id `{}`", crate::reader::shorten(tree.text(id)));
        let fault =
            Fault::error(codes::DUPLICATE_NODE, node.member("id", id).place(), message).label("given before");
        reader.fault(fault.hint("edges could not tell them apart: give each node an id of its own"));
    }
}
