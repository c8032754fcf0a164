//! Edges: from node to node, some only on an outcome, a case, or a condition.

use hashbrown::{HashMap, HashSet};
use partitur_model::Fault;
use partitur_model::definition::{Edge, Evaluate, Guard, Kind, Node, Scope, Switch};

use super::ignored;
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader, shorten, with_meant};
use crate::tree::Item;

pub(super) static EDGE: Block = Block {
    name: "edge",
    about: "an edge",
    required: &["source", "target"],
    ignored_prefix: Some("x-"),
    keys: || texts(EDGE_KEYS),
};

#[derive(Default)]
struct Draft {
    source: Option<Item>,
    target: Option<Item>,
    outcome: Option<Guard>,
    condition: Option<Item>,
    /// A case by its own key.
    case: Option<String>,
    /// A case by the handle or label of the drawing.
    handle: Option<String>,
    label: Option<String>,
}

static EDGE_KEYS: &[Key<Draft>] = &[
    Key {
        name: "source",
        about: "from",
        shape: Shape::Text,
        read: |_, draft, at| draft.source = Some(at.item),
    },
    Key {
        name: "target",
        about: "to",
        shape: Shape::Text,
        read: |_, draft, at| draft.target = Some(at.item),
    },
    Key {
        name: "outcome",
        about: "on which end of the source; success",
        shape: Shape::Word(&["success", "failure", "any"]),
        read: |reader, draft, at| {
            let known = reader.word(at, &[("success", "success"), ("failure", "failure"), ("any", "any")]);
            draft.outcome = known.and_then(outcome);
        },
    },
    Key {
        name: "condition",
        about: "an outcome, a case of the source, or an expression that must hold",
        shape: Shape::Text,
        read: |_, draft, at| draft.condition = Some(at.item),
    },
    Key {
        name: "case",
        about: "the case that the source must have chosen",
        shape: Shape::Text,
        read: |reader, draft, at| draft.case = reader.string(at),
    },
    Key {
        name: "sourceHandle",
        about: "the case, for a condition or switch",
        shape: Shape::Any,
        read: |reader, draft, at| {
            if !reader.is_null(at) {
                draft.handle = reader.string(at);
            }
        },
    },
    Key {
        name: "label",
        about: "the case, if nothing else says it",
        shape: Shape::Any,
        read: |reader, draft, at| {
            if reader.is_scalar(at) && !reader.is_null(at) {
                draft.label = reader.string(at);
            }
        },
    },
    ignored("id"),
    ignored("type"),
    ignored("targetHandle"),
    ignored("animated"),
    ignored("selected"),
    ignored("style"),
    ignored("data"),
    ignored("markerEnd"),
    ignored("markerStart"),
    ignored("zIndex"),
    ignored("className"),
];

/// The words by which editors name outcomes.
fn outcome(word: &str) -> Option<Guard> {
    Some(match word {
        "success" | "succeeded" | "completed" | "onSuccess" => Guard::Success,
        "failure" | "failed" | "error" | "onFailure" | "onError" => Guard::Failure,
        "any" | "always" | "done" => Guard::Any,
        _ => return None,
    })
}

/// What edges have in common.
struct Edges {
    ids: HashMap<String, u32>,
    seen: HashSet<(u32, u32, Guard)>,
}

pub(super) fn read_edges(reader: &mut Reader<'_>, at: At<'_>, scope: &mut Scope) {
    let ids = scope.nodes.iter().enumerate().map(|(index, node)| (node.name.clone(), index as u32)).collect();
    let mut edges = Edges { ids, seen: HashSet::new() };
    reader.list(at, |reader, at| edges.read(reader, at, scope));
}

impl Edges {
    fn read(&mut self, reader: &mut Reader<'_>, at: At<'_>, scope: &mut Scope) -> Option<()> {
        let mut draft = Draft::default();
        reader.block(at, &EDGE, EDGE_KEYS, &mut draft);
        let from = self.end(reader, at, "source", draft.source);
        let to = self.end(reader, at, "target", draft.target);
        let (from, to) = (from?, to?);
        if from == to {
            let message = format!("the node `{}` needs itself", scope.nodes[from as usize].name);
            reader.fault(Fault::error(codes::SELF_DEPENDENCY, at.place(), message).label("leads back"));
            return None;
        }
        let guard = guard_of(reader, at, &draft, from, scope);
        if let (None, Some(condition)) = (&guard, draft.condition) {
            return self.with_condition(reader, at, condition, (from, to), scope);
        }
        let guard = guard.unwrap_or_default();
        if !self.seen.insert((from, to, guard.clone())) {
            let message = "two edges lead from the same node to the same node";
            reader.fault(Fault::error(codes::DUPLICATE_NEED, at.place(), message).label("the second"));
            return None;
        }
        scope.edges.push(Edge { from, to, guard, place: at.place() });
        Some(())
    }

    /// The node at one end of an edge.
    fn end(&self, reader: &mut Reader<'_>, at: At<'_>, key: &'static str, item: Option<Item>) -> Option<u32> {
        let item = item?;
        let at = at.member(key, item);
        let id = reader.text(at)?;
        let found = self.ids.get(id).copied();
        if found.is_none() && !reader.is_full() {
            let message = format!("the edge names `{}`, which is no node", shorten(id));
            let fault = Fault::error(codes::UNKNOWN_TASK, at.place(), message).label("unknown node");
            let fault = with_meant(fault, id, reader.names.all_here());
            reader.fault(fault);
        }
        found
    }

    /// An edge with an expression: a switch of its own stands between the two nodes.
    fn with_condition(
        &mut self,
        reader: &mut Reader<'_>,
        at: At<'_>,
        item: Item,
        (from, to): (u32, u32),
        scope: &mut Scope,
    ) -> Option<()> {
        let value = Evaluate::Expression(reader.expression(at.member("condition", item))?);
        let between = scope.nodes.len() as u32;
        let base = format!("{}--{}", scope.nodes[from as usize].name, scope.nodes[to as usize].name);
        let mut name = base.clone();
        let mut number = 1;
        while self.ids.contains_key(&name) {
            number += 1;
            name = format!("{base}-{number}");
        }
        let mut node = Node::at(&name, at.place());
        node.kind = Kind::Switch(Switch { value, cases: Vec::new() });
        node.description = "the condition of an edge".to_owned();
        self.ids.insert(name, between);
        scope.nodes.push(node);
        scope.edges.push(Edge { from, to: between, guard: Guard::Success, place: at.place() });
        scope.edges.push(Edge {
            from: between,
            to,
            guard: Guard::Case("true".to_owned()),
            place: at.place(),
        });
        Some(())
    }
}

/// On which end of its source an edge is taken; `None` if a condition of its own decides, or nothing is said.
fn guard_of(reader: &mut Reader<'_>, at: At<'_>, draft: &Draft, from: u32, scope: &Scope) -> Option<Guard> {
    let condition = draft.condition.map(|item| reader.tree.text(item));
    let source = &scope.nodes[from as usize];
    if !matches!(source.kind, Kind::Switch(_)) {
        if draft.case.is_some() {
            let message = format!("the node `{}` is no switch, so it has no cases", source.name);
            let fault = Fault::error(codes::CONFLICT, at.place().member("case"), message).label("no switch");
            reader.fault(fault);
        }
        let handle = draft.handle.as_deref().and_then(outcome);
        return draft.outcome.clone().or_else(|| condition.and_then(outcome)).or(handle);
    }
    if let Some(outcome) = &draft.outcome {
        return Some(outcome.clone());
    }
    let case = draft.case.as_deref().or(condition).or(draft.handle.as_deref()).or(draft.label.as_deref())?;
    Some(match case {
        "default" | "else" | "otherwise" => Guard::DefaultCase,
        _ => Guard::Case(case.to_owned()),
    })
}
