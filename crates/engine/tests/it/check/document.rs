//! Documents in a few words, with the places that a reader of files gives them.
#![allow(dead_code)] // Each file of tests uses some of it.

use std::sync::Arc;

use partitur_model::definition::{
    Claim, ClaimMode, Command, Definition, Each, Edge, Expression, Flow, Guard, InputKind, InputSpec, Items,
    Kind, Loop, Node, Otherwise, Program, Scope, SubRun, Switch, Template, TemplateTree, When,
};
use partitur_model::definition::{Evaluate, ResourceSpec};
use partitur_model::{Payload, Place};

/// A task and what it needs.
pub struct Task {
    pub node: Node,
    needs: Vec<(String, Guard)>,
    body: Vec<Task>,
}

/// A task that executes these words.
pub fn run(name: &str, words: &[&str]) -> Task {
    let argv = words.iter().map(|word| Template::from(*word)).collect();
    task(name, Kind::Command(Command { program: Program::Direct(argv), ..Command::default() }))
}

pub fn task(name: &str, kind: Kind) -> Task {
    Task { node: Node::new(name, kind), needs: Vec::new(), body: Vec::new() }
}

/// `for-each` over what the text says, with the tasks of a branch.
pub fn each(name: &str, items: &str, body: Vec<Task>) -> Task {
    let each = Each {
        items: Items::List(tree(items)),
        key: None,
        max_parallel: None,
        batch: None,
        body: Scope::default(),
        fail_fast: false,
    };
    Task { body, ..task(name, Kind::Each(Box::new(each))) }
}

/// `for-each` on a task itself: the branch has one task, of the same name.
pub fn spread(items: &str, task: Task) -> Task {
    let name = task.node.name.clone();
    each(&name, items, vec![task])
}

/// A loop that goes on while the condition holds.
pub fn repeat(name: &str, condition: &str, body: Vec<Task>) -> Task {
    let repeat = Loop {
        body: Scope::default(),
        condition: Some(Evaluate::Expression(Expression(condition.into()))),
        items: None,
        keep_last: None,
        iterations_max: 100,
    };
    Task { body, ..task(name, Kind::Loop(Box::new(repeat))) }
}

pub fn sub_flow(name: &str, flow: &str, input: &str) -> Task {
    task(name, Kind::SubRun(SubRun { flow: Flow::Frozen(flow.into()), input: tree(input) }))
}

pub fn switch(name: &str, value: &str, cases: &[&str]) -> Task {
    let cases = cases.iter().map(|case| (*case).to_owned()).collect();
    task(name, Kind::Switch(Switch { value: Evaluate::Expression(Expression(value.into())), cases }))
}

pub fn tree(text: &str) -> TemplateTree {
    TemplateTree(json(text))
}

/// JSON, or a string if it is none.
pub fn json(text: &str) -> Payload {
    Payload::parse(text).unwrap_or_else(|_| Payload::string(text))
}

impl Task {
    pub fn needs(self, names: &[&str]) -> Task {
        names.iter().fold(self, |task, name| task.needs_on(name, Guard::Success))
    }

    pub fn needs_on(mut self, name: &str, guard: Guard) -> Task {
        self.needs.push((name.into(), guard));
        self
    }

    pub fn when(self, condition: &str) -> Task {
        let condition = Expression(condition.into());
        self.with(|node| node.when = Some(When { condition, otherwise: Otherwise::Skip }))
    }

    pub fn reads(self, path: &str) -> Task {
        self.with(|node| node.reads.push(path.into()))
    }

    pub fn writes(self, path: &str) -> Task {
        self.with(|node| node.writes.push(path.into()))
    }

    pub fn locks(self, resource: &str) -> Task {
        self.claims(resource, ClaimMode::Exclusive, 1)
    }

    pub fn shares(self, resource: &str) -> Task {
        self.claims(resource, ClaimMode::Shared, 1)
    }

    pub fn claims(self, resource: &str, mode: ClaimMode, units: u32) -> Task {
        let place = Place::default();
        self.with(|node| {
            node.claims.push(Claim { resource: resource.into(), mode, units, expires: None, place })
        })
    }

    pub fn with(mut self, change: impl FnOnce(&mut Node)) -> Task {
        change(&mut self.node);
        self
    }

    pub fn with_each(self, change: impl FnOnce(&mut Each)) -> Task {
        self.with(|node| match &mut node.kind {
            Kind::Each(each) => change(each),
            other => panic!("no for-each: {other:?}"),
        })
    }
}

/// A document of these tasks.
pub fn document(tasks: Vec<Task>) -> Definition {
    Definition { name: "test".into(), root: scope(&Place("tasks".into()), tasks), ..Definition::default() }
}

/// The same as the sub-flow of this name: its places begin with it.
pub fn flow(name: &str, tasks: Vec<Task>) -> Arc<Definition> {
    let root = scope(&Place(format!("{name}#tasks")), tasks);
    Arc::new(Definition { name: name.into(), root, ..Definition::default() })
}

fn scope(place: &Place, tasks: Vec<Task>) -> Scope {
    let names: Vec<String> = tasks.iter().map(|task| task.node.name.clone()).collect();
    let mut scope = Scope::default();
    for (to, task) in (0..).zip(tasks) {
        let Task { mut node, needs, body } = task;
        node.place = place.member(&node.name);
        for (at, claim) in node.claims.iter_mut().enumerate() {
            claim.place = node.place.member("locks").element(at);
        }
        for (at, (name, guard)) in needs.into_iter().enumerate() {
            let from = names.iter().position(|known| *known == name).map_or(u32::MAX, |from| from as u32);
            scope.edges.push(Edge { from, to, guard, place: node.place.member("needs").element(at) });
        }
        match &mut node.kind {
            Kind::Each(each) => {
                let alone = body.len() == 1 && body[0].node.name == node.name;
                let within = if alone { place.clone() } else { node.place.member("tasks") };
                each.body = self::scope(&within, body);
            }
            Kind::Loop(repeat) => repeat.body = self::scope(&node.place.member("loop").member("tasks"), body),
            _ => assert!(body.is_empty()),
        }
        scope.nodes.push(node);
    }
    scope
}

/// An input of a type, without default.
pub fn input(name: &str, kind: InputKind) -> InputSpec {
    InputSpec {
        name: name.into(),
        kind: Some(kind),
        place: Place(format!("inputs.{name}")),
        ..InputSpec::default()
    }
}

pub fn resource(name: &str, units: u32) -> ResourceSpec {
    ResourceSpec { name: name.into(), units, place: Place(format!("resources.{name}")) }
}
