//! What scripts are made of: definitions in a few words, and the one place that runs them.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::definition::{
    Backoff, Claim, ClaimMode, Definition, Each, Edge, Evaluate, Expression, Flow, Guard, Items, Join, Kind,
    Loop, Node, Retry, Scope, SubRun, Switch, Template, TemplateTree, Undo, Wait, WaitFor,
};
use partitur_model::{Payload, Place};

use crate::lab::Lab;

/// A command task.
pub fn task(name: &str) -> Node {
    Node::new(name, Kind::Command(Default::default()))
}

/// A graph from text: `a -> b, a -! c`; nodes that are given are taken, others are commands. Arrows: `->` on success,
/// `-!` on failure, `-*` on any end, `-=x` on the case `x`, `-else` on no case.
pub fn graph(text: &str, given: Vec<Node>) -> Scope {
    let mut scope = Scope { nodes: given, edges: Vec::new() };
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let words: Vec<&str> = part.split_whitespace().collect();
        let mut from = place(&mut scope, words[0]);
        for pair in words[1..].chunks(2) {
            let to = place(&mut scope, pair[1]);
            scope.edges.push(Edge { from, to, guard: guard(pair[0]), place: Place::root() });
            from = to;
        }
    }
    scope
}

fn guard(arrow: &str) -> Guard {
    match arrow {
        "->" => Guard::Success,
        "-!" => Guard::Failure,
        "-*" => Guard::Any,
        "-else" => Guard::DefaultCase,
        case => Guard::Case(case.strip_prefix("-=").expect("an arrow").to_owned()),
    }
}

fn place(scope: &mut Scope, name: &str) -> u32 {
    if let Some(at) = scope.nodes.iter().position(|node| node.name == name) {
        return at as u32;
    }
    scope.nodes.push(task(name));
    scope.nodes.len() as u32 - 1
}

pub fn flow(root: Scope) -> Definition {
    Definition { name: "test".into(), root, ..Definition::default() }
}

/// Runs the script with recovery compared at every step, and with every run leaving memory after every step.
pub fn check(definition: Definition, submitted: &str, script: &str) {
    check_with(definition, 1000, submitted, script);
}

/// [`check`] where the order in which a family comes back into memory would show.
pub fn check_in_memory(definition: Definition, submitted: &str, script: &str) {
    run(Lab::new(), definition, submitted, script);
}

/// [`check`] with so many slots.
pub fn check_with(definition: Definition, slots: u32, submitted: &str, script: &str) {
    for evicts in [false, true] {
        let mut lab = Lab::with_concurrency(slots);
        lab.evicts = evicts;
        run(lab, definition.clone(), submitted, script);
    }
}

fn run(mut lab: Lab, definition: Definition, submitted: &str, script: &str) {
    let told = lab.submit(definition).join(", ");
    assert_eq!(told, submitted, "evicts: {}", lab.evicts);
    lab.script(script);
}

/// A body for each element of a list; branches are called by their values.
pub fn each(name: &str, items: &str, body: Scope) -> Node {
    let items = Items::List(TemplateTree(Payload::parse(items).unwrap()));
    let key = Some(Template("${each.value}".into()));
    Node::new(
        name,
        Kind::Each(Box::new(Each { items, key, max_parallel: None, batch: None, body, fail_fast: false })),
    )
}

/// A body again and again, while the condition holds.
pub fn repeat(name: &str, condition: &str, body: Scope) -> Node {
    let condition = Some(Evaluate::Expression(Expression(condition.into())));
    let repeat = Loop { body, condition, items: None, keep_last: None, iterations_max: 100 };
    Node::new(name, Kind::Loop(Box::new(repeat)))
}

/// A body for each element of a list, one after the other.
pub fn repeat_over(name: &str, items: &str, body: Scope) -> Node {
    let items = Some(TemplateTree(Payload::parse(items).unwrap()));
    let repeat = Loop { body, condition: None, items, keep_last: None, iterations_max: 100 };
    Node::new(name, Kind::Loop(Box::new(repeat)))
}

/// Changes the loop of a node.
pub fn looping(mut node: Node, change: impl FnOnce(&mut Loop)) -> Node {
    match &mut node.kind {
        Kind::Loop(repeat) => change(repeat),
        _ => panic!("no loop"),
    }
    node
}

/// Changes the fork of a node.
pub fn forking(mut node: Node, change: impl FnOnce(&mut Each)) -> Node {
    match &mut node.kind {
        Kind::Each(each) => change(each),
        _ => panic!("no fork"),
    }
    node
}

/// Another run.
pub fn sub(name: &str, flow: &str) -> Node {
    Node::new(name, Kind::SubRun(SubRun { flow: Flow::Frozen(flow.into()), input: TemplateTree::default() }))
}

/// A join.
pub fn join(name: &str, permissive: bool) -> Node {
    Node::new(name, Kind::Join(Join { permissive, ..Join::default() }))
}

/// A switch over an expression.
pub fn switch(name: &str, value: &str, cases: &[&str]) -> Node {
    let value = Evaluate::Expression(Expression(value.into()));
    let cases = cases.iter().map(|&case| case.to_owned()).collect();
    Node::new(name, Kind::Switch(Switch { value, cases }))
}

/// A script outside the engine.
pub fn evaluation(source: &str) -> Evaluate {
    let (language, source) = ("javascript".to_owned(), source.to_owned());
    Evaluate::Script { language, source, input: TemplateTree(Payload::Null) }
}

/// A wait.
pub fn wait(name: &str, what: WaitFor, at_most: Option<u64>) -> Node {
    Node::new(name, Kind::Wait(Wait { what, at_most: at_most.map(Duration::from_secs) }))
}

/// So many attempts, with a second in between.
pub fn retry(attempts: u32) -> Option<Box<Retry>> {
    let (base, backoff) = (Duration::from_secs(1), Backoff::Fixed);
    Some(Retry { attempts, base, backoff, jitter: false, ..Retry::default() }.into())
}

/// A task with attempts.
pub fn retried(name: &str, attempts: u32) -> Node {
    Node { retry: retry(attempts), ..task(name) }
}

/// A task with a compensation.
pub fn undoable(name: &str) -> Node {
    undone_by(task(name))
}

/// A node with a compensation.
pub fn undone_by(node: Node) -> Node {
    let kind = Kind::Command(Default::default());
    Node { undo: Some(Box::new(Undo { kind, retry: None, timeout: None })), ..node }
}

/// A task that holds something alone.
pub fn locked(name: &str, resource: &str) -> Node {
    Node { claims: vec![claim(resource, 1)], ..task(name) }
}

/// A claim of so many units.
pub fn claim(resource: &str, units: u32) -> Claim {
    let (resource, mode) = (Template(resource.into()), ClaimMode::Exclusive);
    Claim { resource, mode, units, expires: None, place: Place::root() }
}

/// The definition with a sub-flow.
pub fn with_flow(mut definition: Definition, name: &str, inner: Definition) -> Definition {
    definition.flows.insert(name.into(), Arc::new(inner));
    definition
}
