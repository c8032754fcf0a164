//! The parts of lists and loops as tasks of their own, so that a plan counts them: as many as a list has that is known, else
//! as many as there were before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partitur_expr::Template;
use partitur_model::definition::{
    Claim, ClaimMode, Definition, Each, Edge, Guard, Kind, Node, ResourceSpec, Scope,
};
use partitur_model::{Payload, Place};

use super::{Branch, Parts, only_inputs, parts};
use crate::shape::Shape;

/// More tasks than this are not made of one.
const PARTS_MAX: usize = 10_000;

/// A document whose lists and loops are unfolded.
pub struct Unfolded {
    /// The document with the parts as tasks; a point of the container's name stands before and after them.
    pub definition: Definition,
    /// To which task of the document each of its tasks belongs.
    pub of: Vec<u32>,
    /// What had to be assumed, for people.
    pub assumed: Vec<String>,
}

impl Unfolded {
    /// From the tasks of a document that are wanted, what it is given, and how long everything took before.
    pub fn of(
        definition: &Definition,
        shape: &Shape<'_>,
        input: &Payload,
        history: &BTreeMap<String, Duration>,
    ) -> Unfolded {
        let mut made = Making {
            input,
            history,
            scope: Scope::default(),
            of: Vec::new(),
            assumed: Vec::new(),
            resources: definition.resources.clone(),
        };
        let ends: Vec<(u32, u32)> =
            (0..).zip(&shape.nodes).map(|(at, node)| made.put((*node).clone(), at)).collect();
        for (from, &(_, end)) in (0..).zip(&ends) {
            for &to in shape.csr.successors(from) {
                made.edge(end, ends[to as usize].0);
            }
        }
        let Making { scope, of, assumed, resources, .. } = made;
        let name = definition.name.clone();
        let definition = Definition { name, root: scope, resources, ..Definition::default() };
        Unfolded { definition, of, assumed }
    }

    /// How many tasks there are, without these points.
    pub fn count(&self) -> usize {
        (0..self.of.len()).filter(|&at| !self.is_end(at)).count()
    }

    /// Whether it is a point before or after the parts of a task.
    pub fn is_end(&self, at: usize) -> bool {
        let is_of_same = |other: Option<&u32>| other == self.of.get(at);
        let has_parts = is_of_same(self.of.get(at + 1)) || (at > 0 && is_of_same(self.of.get(at - 1)));
        has_parts && matches!(self.definition.root.nodes[at].kind, Kind::Noop)
    }
}

struct Making<'a> {
    input: &'a Payload,
    history: &'a BTreeMap<String, Duration>,
    scope: Scope,
    of: Vec<u32>,
    assumed: Vec<String>,
    resources: Vec<ResourceSpec>,
}

impl Making<'_> {
    /// Puts a task of the document or its parts; says with which it begins and ends.
    fn put(&mut self, node: Node, of: u32) -> (u32, u32) {
        let whole = match &node.kind {
            Kind::Each(each) => self.branches(&node, each),
            Kind::Loop(repeat) => self.iterations(&node).map(|count| {
                let iteration =
                    |at: u32| scope_named(&repeat.body, &node.name, &format!("{}#{at}", node.name));
                (1..=count).map(iteration).collect()
            }),
            Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => None,
        };
        let Some(bodies) = whole else {
            let at = self.node(node, of);
            return (at, at);
        };
        let one_by_one = matches!(node.kind, Kind::Loop(_));
        let point = |node: &Node| Node::new(node.name.clone(), Kind::Noop);
        let begin = self.node(point(&node), of);
        let mut before = vec![begin];
        let mut ends = Vec::new();
        for body in bodies {
            let (first, last) = self.body(body, of);
            for &from in &before {
                first.iter().for_each(|&to| self.edge(from, to));
            }
            if one_by_one {
                before.clone_from(&last);
                ends = last;
            } else {
                ends.extend(last);
            }
        }
        let end = self.node(point(&node), of);
        self.edge(begin, end);
        ends.into_iter().for_each(|from| self.edge(from, end));
        (begin, end)
    }

    fn node(&mut self, mut node: Node, of: u32) -> u32 {
        if !self.history.contains_key(&node.name) {
            node.expected = node.expected.or_else(|| self.like(&node.name));
        }
        self.scope.nodes.push(node);
        self.of.push(of);
        self.scope.nodes.len() as u32 - 1
    }

    /// How long others of the same list or loop took.
    fn like(&self, name: &str) -> Option<Duration> {
        let at = name.find(['[', '#'])?;
        let rest = |path: &str| path.rfind([']', '/']).map(|at| path[at..].to_owned());
        let of = self
            .history
            .range(name[..=at].to_owned()..)
            .take_while(|(path, _)| path.starts_with(&name[..=at]));
        let of: Vec<Duration> =
            of.filter(|(path, _)| rest(path) == rest(name)).map(|(_, took)| *took).collect();
        let count = u32::try_from(of.len()).ok().filter(|&count| count > 0)?;
        Some(of.iter().sum::<Duration>() / count)
    }

    fn edge(&mut self, from: u32, to: u32) {
        self.scope.edges.push(Edge { from, to, guard: Guard::default(), place: Place::root() });
    }

    /// Says with which tasks it begins and ends.
    fn body(&mut self, body: Scope, of: u32) -> (Vec<u32>, Vec<u32>) {
        let inner: Vec<Node> = body.nodes;
        let base = self.scope.nodes.len() as u32;
        let count = inner.len() as u32;
        // What is inside of what is inside counts as one.
        for node in inner {
            self.node(node, of);
        }
        body.edges.iter().for_each(|edge| self.edge(base + edge.from, base + edge.to));
        let all = || (0..count).map(|at| base + at);
        let is_first = |at: &u32| !body.edges.iter().any(|edge| base + edge.to == *at);
        let is_last = |at: &u32| !body.edges.iter().any(|edge| base + edge.from == *at);
        (all().filter(is_first).collect(), all().filter(is_last).collect())
    }

    fn branches(&mut self, node: &Node, each: &Each) -> Option<Vec<Scope>> {
        let names = match parts(&node.name, each, self.input) {
            Parts::Known(names) => names,
            Parts::Later => self.names_before(&node.name)?,
        };
        if names.len() > PARTS_MAX {
            self.assumed.push(format!("{} counts as one task: it has {} parts", node.name, names.len()));
            return None;
        }
        let elements = super::elements(each, self.input);
        let limit = each.max_parallel.map(|most| self.limit(&node.name, most));
        let branch = |(index, name): (usize, &String)| {
            let mut body = scope_named(&each.body, &node.name, name);
            let element = elements.as_ref().and_then(|elements| elements.get(index));
            for node in &mut body.nodes {
                for claim in &mut node.claims {
                    fill(claim, self.input, element, index);
                }
                node.claims.extend(limit.clone());
            }
            body
        };
        Some(names.iter().enumerate().map(branch).collect())
    }

    /// So many at once, as a resource.
    fn limit(&mut self, name: &str, most: u32) -> Claim {
        let resource = format!("max-parallel of {name}");
        self.resources.push(ResourceSpec { name: resource.clone(), units: most, place: Place::root() });
        let (resource, mode) = (resource.into(), ClaimMode::Exclusive);
        Claim { resource, mode, units: 1, expires: None, place: Place::root() }
    }

    /// The parts that earlier runs had.
    fn names_before(&mut self, name: &str) -> Option<Vec<String>> {
        let names = self.before(&format!("{name}["), ']');
        let names: Vec<String> = names.into_iter().map(|label| format!("{name}[{label}]")).collect();
        self.assumed.push(match names.len() {
            0 => {
                format!("{name} counts as one task: how many parts its list has is not known before it runs")
            }
            1 => format!("{name} has 1 part, as before"),
            many => format!("{name} has {many} parts, as in earlier runs"),
        });
        (!names.is_empty()).then_some(names)
    }

    fn iterations(&mut self, node: &Node) -> Option<u32> {
        let numbers = self.before(&format!("{}#", node.name), '/');
        let most = numbers.iter().filter_map(|number| number.parse::<u32>().ok()).max();
        self.assumed.push(match most {
            None => format!("{} counts as one task: how often it goes round is not known", node.name),
            Some(1) => format!("{} goes round once, as before", node.name),
            Some(most) => format!("{} goes round {most} times, as at most in earlier runs", node.name),
        });
        most.filter(|&most| most as usize <= PARTS_MAX)
    }

    fn before(&self, prefix: &str, end: char) -> BTreeSet<String> {
        let known = self.history.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        let label = |path: &String| path[prefix.len()..].split(end).next().unwrap_or_default().to_owned();
        known.map(|(path, _)| label(path)).collect()
    }
}

/// The body of one branch or round: its only task stands for the branch, the others are named below it.
fn scope_named(body: &Scope, container: &str, name: &str) -> Scope {
    let mut body = body.clone();
    let stands_for_branch = body.nodes.len() == 1 && body.nodes[0].name == container;
    for node in &mut body.nodes {
        node.name = if stands_for_branch { name.to_owned() } else { format!("{name}/{}", node.name) };
    }
    body
}

/// What a branch holds, as far as that is known.
fn fill(claim: &mut Claim, input: &Payload, element: Option<&Payload>, index: usize) {
    const KNOWN: [&str; 3] = ["inputs", "each", "matrix"];
    let Ok(template) = Template::parse(&claim.resource.0) else { return };
    let is_known = template.paths().iter().all(|path| KNOWN.contains(&&*path.head));
    match element {
        Some(element) if is_known && !template.has_open_head() => {
            claim.resource = template.resolve_text(&Branch { input, element, index }).into();
        }
        // A name of its own: most often each has another.
        _ if !only_inputs(&template.paths(), template.has_open_head()) => {
            claim.resource.0 += &format!(" of part {index}")
        }
        Some(_) | None => {}
    }
}
