//! A document as a picture: what each task is, what is inside it, on which condition it follows another.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::short;
use partitur_graph::render::{Form, Item, Link, Picture};
use partitur_model::definition::{Definition, Guard, Kind, Node, Scope, WaitFor};

use super::overlay::{Overlay, Stage, state, took};

/// Sub-flows inside sub-flows are drawn so deep: a flow may contain itself.
const DEPTH_MAX: usize = 6;

/// What a picture is made from.
pub struct Sketch<'a> {
    /// The document.
    pub definition: &'a Definition,
    /// Durations of earlier runs.
    pub history: &'a BTreeMap<String, Duration>,
    /// The run that is shown.
    pub overlay: Option<&'a Overlay<'a>>,
}

impl<'a> Sketch<'a> {
    /// The whole document.
    pub fn picture(&self) -> Picture {
        let mut picture = Picture::default();
        let stages = self.overlay.map(|overlay| overlay.root);
        self.scope(&self.definition.root, None, stages.as_slice(), 0, &mut picture);
        picture
    }

    fn scope(
        &self,
        scope: &'a Scope,
        inside: Option<u32>,
        stages: &[Stage],
        depth: usize,
        picture: &mut Picture,
    ) {
        let mut places = Vec::with_capacity(scope.nodes.len());
        for node in &scope.nodes {
            let place = picture.items.len() as u32;
            places.push(place);
            let rows = self.overlay.map(|overlay| overlay.rows(stages, &node.name));
            let body = body(node, self.definition).filter(|_| depth < DEPTH_MAX);
            picture.items.push(Item {
                name: if node.out_of_sight { String::new() } else { node.name.clone() },
                detail: self.detail(node, rows.as_deref()),
                form: if body.is_some() { Form::Container } else { form(node) },
                inside,
                state: rows.as_deref().map(state),
                ..Item::default()
            });
            if let Some(body) = body {
                let stages: Vec<Stage> = rows
                    .iter()
                    .flatten()
                    .map(|row| row.child.map_or((row.run, Some(row.seq)), |child| (child, None)))
                    .collect();
                self.scope(body, Some(place), &stages, depth + 1, picture);
            }
        }
        picture.links.extend(scope.edges.iter().map(|edge| Link {
            from: places[edge.from as usize],
            to: places[edge.to as usize],
            label: guard_words(&edge.guard),
            critical: false,
        }));
    }

    /// What it is, how long it takes or took, and how often it was executed.
    fn detail(&self, node: &Node, rows: Option<&[&partitur_model::record::TaskRecord]>) -> String {
        let mut words: Vec<String> = Vec::new();
        words.extend(kind_words(node));
        match rows {
            Some(rows) => {
                let (time, ended) = took(rows);
                if rows.len() > 1 {
                    words.push(format!("{ended} of {}", rows.len()));
                }
                if ended > 0 && !node.out_of_sight && !time.is_zero() {
                    words.push(short(time));
                }
                words.extend(
                    rows.iter()
                        .map(|row| row.attempt)
                        .max()
                        .filter(|&most| most > 1)
                        .map(|most| format!("attempt {most}")),
                );
                if rows.iter().any(|row| row.cached) {
                    words.push("cached".to_owned());
                }
            }
            None => match (self.history.get(&node.name), node.expected) {
                (Some(&time), _) => words.push(short(time)),
                (None, Some(time)) => words.push(format!("~{}", short(time))),
                (None, None) => {}
            },
        }
        if node.when.is_some() {
            words.push("on a condition".to_owned());
        }
        words.join(" · ")
    }
}

/// What is drawn inside a task; nothing if it is only one task over and over.
fn body<'a>(node: &'a Node, definition: &'a Definition) -> Option<&'a Scope> {
    let body = match &node.kind {
        Kind::Each(each) => &each.body,
        Kind::Loop(body) => &body.body,
        Kind::SubRun(sub) => &definition.flows.get(sub.flow.frozen()?)?.root,
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::Evaluate(_)
        | Kind::Start(_)
        | Kind::Expand(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => return None,
    };
    let itself = matches!(body.nodes.as_slice(), [only] if only.name == node.name);
    if itself || body.nodes.is_empty() { None } else { Some(body) }
}

fn form(node: &Node) -> Form {
    match node.kind {
        Kind::Switch(_) => Form::Choice,
        Kind::Join(_) | Kind::Noop => Form::Meeting,
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::Evaluate(_)
        | Kind::SubRun(_)
        | Kind::Start(_)
        | Kind::Each(_)
        | Kind::Expand(_)
        | Kind::Loop(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_) => Form::Task,
    }
}

fn kind_words(node: &Node) -> Option<String> {
    let words = match &node.kind {
        Kind::Command(command) if command.service.is_some() => "service",
        Kind::Command(_) => return None,
        Kind::Switch(_) | Kind::Join(_) | Kind::Noop => return None,
        Kind::Http(_) => "HTTP",
        Kind::Remote(remote) if remote.task_type == node.name => "worker",
        Kind::Remote(remote) => return Some(format!("worker {}", remote.task_type)),
        Kind::Wait(wait) => match &wait.what {
            WaitFor::Duration(_) | WaitFor::Until(_) => "waits",
            WaitFor::Signal => "waits for a signal",
            WaitFor::Approval => "waits for approval",
            WaitFor::File(_) => "waits for a file",
        },
        Kind::Evaluate(_) => "computed",
        Kind::SubRun(_) => "sub-flow",
        Kind::Start(_) => "starts a run",
        Kind::Each(_) => "for each",
        Kind::Expand(_) => "branches",
        Kind::Loop(_) => "loop",
        Kind::Terminate(_) => "ends the run",
        Kind::SetVariables(_) => "sets variables",
    };
    Some(words.to_owned())
}

fn guard_words(guard: &Guard) -> String {
    match guard {
        // Those that are taken in any case come with no condition.
        Guard::Success | Guard::Continue | Guard::Any => String::new(),
        Guard::Failure => "on failure".to_owned(),
        Guard::Case(case) => case.clone(),
        Guard::DefaultCase => "else".to_owned(),
    }
}
