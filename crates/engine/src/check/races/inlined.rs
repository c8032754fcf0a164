//! A file with its sub-flows in the place of the tasks that run them: as loops of one turn, so that what is in them has
//! its order among the tasks outside.

use std::sync::Arc;

use partitur_model::definition::{Definition, Kind, Loop, Node, Scope, SubRun, Template};
use partitur_model::{Payload, Place};

use crate::check::Cx;

/// So many tasks of sub-flows are looked at; a flow may name others many times over.
const TASKS_MAX: usize = 100_000;

/// The file with its sub-flows inside; `None` if it has none that touch files.
pub(super) fn inlined(cx: &Cx<'_>) -> Option<Definition> {
    let runs_others = cx.outline.tasks.iter().any(|task| matches!(task.node.kind, Kind::SubRun(_)));
    if !runs_others {
        return None;
    }
    let mut inliner = Inliner { main: cx.main, around: Vec::new(), left: TASKS_MAX, touches: false };
    let root = inliner.scope(cx.definition, &cx.definition.root, &Inside::default());
    inliner.touches.then(|| Definition { root, ..Definition::default() })
}

/// Whether the task runs a sub-flow that stands inside it. No document has a loop without list and condition.
pub(super) fn is_sub_run(node: &Node) -> bool {
    matches!(&node.kind, Kind::Loop(repeat) if repeat.condition.is_none() && repeat.items.is_none())
}

/// The file that a task stands in: what comes before `#` in its place.
pub(super) fn file_of(place: &Place) -> &str {
    place.0.split_once('#').map_or("", |(file, _)| file)
}

/// What is known inside a sub-flow of the task that runs it.
#[derive(Default)]
struct Inside {
    /// The path of that task, with a slash.
    prefix: String,
    /// The texts that the inputs stand for.
    inputs: Vec<(String, String)>,
}

struct Inliner<'d> {
    main: &'d Definition,
    /// The flows around: one that names itself has no end.
    around: Vec<String>,
    left: usize,
    /// A task of a sub-flow touches files.
    touches: bool,
}

impl Inliner<'_> {
    fn scope(&mut self, definition: &Definition, scope: &Scope, inside: &Inside) -> Scope {
        self.left = self.left.saturating_sub(scope.nodes.len());
        let nodes = scope.nodes.iter().map(|node| self.node(definition, node, inside)).collect();
        Scope { nodes, edges: scope.edges.clone() }
    }

    fn node(&mut self, definition: &Definition, node: &Node, inside: &Inside) -> Node {
        let mut node = node.clone();
        node.kind = match &node.kind {
            Kind::SubRun(sub) => self.sub_run(definition, &node.name, sub, inside),
            Kind::Each(each) => {
                let mut each = each.clone();
                each.body = self.scope(definition, &each.body, inside);
                Kind::Each(each)
            }
            Kind::Loop(repeat) => {
                let mut repeat = repeat.clone();
                repeat.body = self.scope(definition, &repeat.body, inside);
                Kind::Loop(repeat)
            }
            kind @ (Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Noop) => kind.clone(),
        };
        if !inside.prefix.is_empty() {
            self.move_inside(&mut node, inside);
        }
        node
    }

    /// As the file outside would write it: with the name and the values that are known there.
    fn move_inside(&mut self, node: &mut Node, inside: &Inside) {
        self.touches |= super::touches_files(node);
        node.name = format!("{}{}", inside.prefix, node.name);
        let claims = node.claims.iter_mut().map(|claim| &mut claim.resource);
        for Template(text) in node.reads.iter_mut().chain(&mut node.writes).chain(claims) {
            for (input, value) in &inside.inputs {
                *text = text.replace(&format!("${{inputs.{input}}}"), value);
            }
        }
    }

    fn sub_run(&mut self, definition: &Definition, name: &str, sub: &SubRun, outside: &Inside) -> Kind {
        let Some(called) = sub.flow.frozen() else { return Kind::Noop };
        let flow = definition.flows.get(called).or_else(|| self.main.flows.get(called)).map(Arc::clone);
        let known = flow.filter(|_| !self.around.iter().any(|name| name == called) && self.left > 0);
        let Some(flow) = known else { return Kind::Noop };
        self.around.push(called.to_owned());
        let mut inputs = given(sub, &flow);
        for (_, value) in &mut inputs {
            for (input, known) in &outside.inputs {
                *value = value.replace(&format!("${{inputs.{input}}}"), known);
            }
        }
        let inside = Inside { prefix: format!("{}{name}/", outside.prefix), inputs };
        let body = self.scope(&flow, &flow.root, &inside);
        self.around.pop();
        Kind::Loop(Box::new(Loop { body, condition: None, items: None, keep_last: None, iterations_max: 1 }))
    }
}

/// The texts of what a sub-flow is given, or has by default.
fn given(sub: &SubRun, flow: &Definition) -> Vec<(String, String)> {
    let given = |name: &str| sub.input.0.member(name);
    let inputs = flow.inputs.iter();
    inputs
        .filter_map(|input| {
            let value = given(&input.name).or_else(|| input.default.clone())?;
            Some((input.name.clone(), text_of(&value)?))
        })
        .collect()
}

fn text_of(value: &Payload) -> Option<String> {
    match value.to_value() {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some(value.render()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
    }
}
