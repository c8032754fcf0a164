//! Follows the steps of a path into a value.

use std::cell::Cell;
use std::sync::Arc;

use partitur_model::{Payload, RawJson};

use crate::EVALUATION_STEPS_MAX;
use crate::evaluate::holds_for;
use crate::json::{Kind, Node};
use crate::number::{Decimal, compare};
use crate::path::{Reduce, Step};

/// Follows `steps` into `value`; `None` if there is nothing. A wide path finds a list, which may be empty.
///
/// A search that looks at more than [`EVALUATION_STEPS_MAX`] values finds nothing.
pub fn navigate(value: &Payload, steps: &[Step]) -> Option<Payload> {
    follow(Node::Whole(value), steps, &Cell::new(EVALUATION_STEPS_MAX))
}

/// As [`navigate`], within a value; `left` is what may still be looked at.
pub(crate) fn follow(start: Node<'_>, steps: &[Step], left: &Cell<u32>) -> Option<Payload> {
    let mut node = start;
    for (done, step) in steps.iter().enumerate() {
        node = match step {
            Step::Key(key) => node.member(key)?,
            Step::Index(index) => node.element(*index)?,
            Step::Keys(keys) => return follow(Node::Whole(&pick(node, keys)?), &steps[done + 1..], left),
            Step::Reduce(how) => {
                return follow(Node::Whole(&reduce(*how, node)?), &steps[done + 1..], left);
            }
            Step::Indexes(_) | Step::Slice(..) | Step::Wildcard | Step::Descend | Step::Filter(_) => {
                return search(node, &steps[done..], left);
            }
        };
    }
    Some(node.to_payload())
}

/// Follows a wide path, breadth first. Steps that make new values end the search: they see what was found.
fn search(start: Node<'_>, steps: &[Step], left: &Cell<u32>) -> Option<Payload> {
    let mut found = vec![start];
    for (done, step) in steps.iter().enumerate() {
        let rest = &steps[done + 1..];
        match step {
            Step::Reduce(how) => return follow(Node::Whole(&reduce_all(*how, &found)?), rest, left),
            Step::Keys(keys) => {
                let picked = found.into_iter().filter_map(|node| pick(node, keys));
                return Some(Payload::list(
                    picked.filter_map(|part| follow(Node::Whole(&part), rest, left)).collect::<Vec<_>>(),
                ));
            }
            Step::Key(_)
            | Step::Index(_)
            | Step::Indexes(_)
            | Step::Slice(..)
            | Step::Wildcard
            | Step::Descend
            | Step::Filter(_) => found = widen(&found, step, left)?,
        }
    }
    Some(Payload::list(found.into_iter().map(Node::to_payload)))
}

/// What `step` finds in each of `nodes`, in order; `None` if that is too much.
fn widen<'a>(nodes: &[Node<'a>], step: &Step, left: &Cell<u32>) -> Option<Vec<Node<'a>>> {
    let mut found = Vec::new();
    for node in nodes {
        let before = found.len();
        select(*node, step, left, &mut found)?;
        spend(left, found.len() - before + 1)?;
    }
    Some(found)
}

fn select<'a>(node: Node<'a>, step: &Step, left: &Cell<u32>, found: &mut Vec<Node<'a>>) -> Option<()> {
    match step {
        Step::Key(key) => found.extend(node.member(key)),
        Step::Index(index) => found.extend(node.element(*index)),
        Step::Indexes(indexes) => found.extend(indexes.iter().filter_map(|index| node.element(*index))),
        Step::Slice(from, to) => found.extend(slice(&node.elements().unwrap_or_default(), *from, *to)),
        Step::Wildcard => found.extend(node.children()),
        Step::Descend => descend(node, left, found)?,
        Step::Filter(filter) => {
            let holds = |child: &Node<'a>| holds_for(&filter.condition, *child, left);
            found.extend(node.children().into_iter().filter(holds));
        }
        Step::Keys(_) | Step::Reduce(_) => unreachable!("`search` ends at steps that make new values"),
    }
    Some(())
}

fn slice<'n, 'a>(all: &'n [Node<'a>], from: Option<i64>, to: Option<i64>) -> &'n [Node<'a>] {
    let bound = |index: i64| match index {
        0.. => usize::try_from(index).unwrap_or(usize::MAX).min(all.len()),
        ..0 => all.len().saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    let (from, to) = (from.map_or(0, bound), to.map_or(all.len(), bound));
    all.get(from..to).unwrap_or_default()
}

/// The value and everything below it, each before what it contains.
fn descend<'a>(node: Node<'a>, left: &Cell<u32>, found: &mut Vec<Node<'a>>) -> Option<()> {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        found.push(node);
        spend(left, 1)?;
        open.extend(node.children().into_iter().rev());
    }
    Some(())
}

fn spend(left: &Cell<u32>, steps: usize) -> Option<()> {
    left.set(left.get().checked_sub(u32::try_from(steps).ok()?)?);
    Some(())
}

/// Some members of an object, as an object.
fn pick(node: Node<'_>, keys: &[Box<str>]) -> Option<Payload> {
    node.entries()?;
    let found =
        keys.iter().filter_map(|key| Some((Arc::<str>::from(&**key), node.member(key)?.to_payload())));
    Some(Payload::object(found))
}

fn reduce(how: Reduce, node: Node<'_>) -> Option<Payload> {
    match how {
        Reduce::Length => size(node).map(|size| Payload::from(size as u64)),
        Reduce::Keys => Some(Payload::list(node.entries()?.iter().map(|(key, _)| Payload::string(key)))),
        Reduce::First | Reduce::Last | Reduce::Min | Reduce::Max | Reduce::Sum | Reduce::Avg => {
            reduce_all(how, &node.elements()?)
        }
    }
}

/// How many characters, elements or members a value has.
pub(crate) fn size(node: Node<'_>) -> Option<usize> {
    let text = || node.text().map(|text| text.chars().count());
    node.elements().map(|all| all.len()).or_else(|| node.entries().map(|all| all.len())).or_else(text)
}

fn reduce_all(how: Reduce, nodes: &[Node<'_>]) -> Option<Payload> {
    match how {
        Reduce::Length => Some(Payload::from(nodes.len() as u64)),
        Reduce::Keys => None,
        Reduce::First => nodes.first().map(|node| node.to_payload()),
        Reduce::Last => nodes.last().map(|node| node.to_payload()),
        Reduce::Min => numbers(nodes)?.into_iter().min_by(|a, b| compare(a, b)).map(number),
        Reduce::Max => numbers(nodes)?.into_iter().max_by(|a, b| compare(a, b)).map(number),
        Reduce::Sum => sum(nodes).map(number),
        Reduce::Avg => sum(nodes)?.divide(Decimal::from(nodes.len())).map(number),
    }
}

fn number(digits: impl ToString) -> Payload {
    Payload::from(RawJson::trusted(digits.to_string()))
}

fn numbers<'a>(nodes: &[Node<'a>]) -> Option<Vec<&'a str>> {
    let digits = |node: &Node<'a>| (node.kind() == Kind::Number).then(|| node.source());
    nodes.iter().map(digits).collect()
}

fn sum(nodes: &[Node<'_>]) -> Option<Decimal> {
    numbers(nodes)?.into_iter().try_fold(Decimal::ZERO, |sum, digits| sum.add(Decimal::parse(digits)?))
}
