//! Values, and how JavaScript converts and compares them.

use std::sync::Arc;

use partitur_model::{Payload, RawJson};

use super::number;
use super::syntax::{Binary, Unary};
use crate::json::{Kind, Node};
use crate::path::Step;

/// No text that is made here is longer, in bytes.
const TEXT_MAX: usize = 64 * 1024;

/// A value of JavaScript.
#[derive(Clone, Debug)]
pub(super) enum Js {
    Undefined,
    Null,
    Truth(bool),
    Number(f64),
    Text(Arc<str>),
    /// A list or an object of the input.
    Object(Payload),
    /// A list or an object that the script has made. It can be the result, and not much else.
    Made(Made),
}

/// A list or an object as JavaScript writes it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    payload: Payload,
    /// About how many bytes it will be when it is written: parts are shared, and may stand in it many times.
    bytes: usize,
    depth: u32,
}

/// Nothing that is made here nests deeper.
const DEPTH_MAX: u32 = 50;

/// White space and ends of lines, as the language has them.
pub(super) fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

impl Js {
    pub(super) fn text(text: &str) -> Js {
        Js::Text(text.into())
    }

    pub(super) fn of_payload(payload: Payload) -> Option<Js> {
        Js::of_node(Node::Whole(&payload))
    }

    pub(super) fn of_node(node: Node<'_>) -> Option<Js> {
        Some(match node.kind() {
            Kind::Null => Js::Null,
            Kind::Truth => Js::Truth(node.source() == "true"),
            Kind::Number => Js::Number(node.source().parse().ok()?),
            Kind::Text => Js::Text(node.text()?.into()),
            Kind::List | Kind::Object => Js::Object(node.to_payload()),
        })
    }

    /// As the result of a script. How JavaScript would write an object is left to it.
    pub(super) fn into_payload(self) -> Option<Payload> {
        Some(match self {
            Js::Undefined | Js::Null => Payload::Null,
            Js::Truth(truth) => Payload::from(truth),
            Js::Number(number) if number.is_finite() => RawJson::trusted(number::to_text(number)).into(),
            Js::Number(_) => Payload::Null,
            Js::Text(text) => Payload::string(&text),
            Js::Made(made) => made.payload,
            Js::Object(_) => return None,
        })
    }

    /// A list of values: what is undefined becomes null.
    pub(super) fn list(parts: Vec<Js>) -> Option<Js> {
        let (bytes, depth) = measure(&parts)?;
        let parts: Option<Vec<Payload>> = parts.into_iter().map(Js::into_payload).collect();
        Some(Js::Made(Made { payload: Payload::list(parts?), bytes, depth }))
    }

    /// An object of values: what is undefined is left out.
    pub(super) fn object(members: Vec<(&str, Js)>) -> Option<Js> {
        let (bytes, depth) = measure(members.iter().map(|(_, value)| value))?;
        let bytes = bytes + members.iter().map(|(key, _)| key.len() + 4).sum::<usize>();
        let written = members.into_iter().filter(|(_, value)| !matches!(value, Js::Undefined));
        let members: Option<Vec<(&str, Payload)>> =
            written.map(|(key, value)| Some((key, value.into_payload()?))).collect();
        Some(Js::Made(Made { payload: Payload::object(members?), bytes, depth }))
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Js::Undefined | Js::Null => false,
            Js::Truth(truth) => *truth,
            Js::Number(number) => *number != 0.0 && !number.is_nan(),
            Js::Text(text) => !text.is_empty(),
            Js::Object(_) | Js::Made(_) => true,
        }
    }

    pub(super) fn is_nullish(&self) -> bool {
        matches!(self, Js::Undefined | Js::Null)
    }

    /// The property of a value. `None` if there is no telling: null has none, and methods are not here.
    pub(super) fn property(&self, step: &Step) -> Option<Js> {
        match (self, step) {
            (Js::Text(text), Step::Key(key)) if &**key == "length" => {
                Some(Js::Number(text.encode_utf16().count() as f64))
            }
            (Js::Object(payload), step) => property_of_object(Node::Whole(payload), step),
            (Js::Undefined | Js::Null | Js::Truth(_) | Js::Number(_) | Js::Text(_) | Js::Made(_), _) => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Js::Undefined => Some(f64::NAN),
            Js::Null => Some(0.0),
            Js::Truth(truth) => Some(f64::from(u8::from(*truth))),
            Js::Number(number) => Some(*number),
            Js::Text(text) => number::of_text(text),
            Js::Object(_) | Js::Made(_) => None,
        }
    }

    pub(super) fn written(&self) -> Option<Arc<str>> {
        Some(match self {
            Js::Undefined => "undefined".into(),
            Js::Null => "null".into(),
            Js::Truth(true) => "true".into(),
            Js::Truth(false) => "false".into(),
            Js::Number(number) => number::to_text(*number).into(),
            Js::Text(text) => text.clone(),
            Js::Object(_) | Js::Made(_) => return None,
        })
    }

    fn type_name(&self) -> &'static str {
        match self {
            Js::Undefined => "undefined",
            Js::Null | Js::Object(_) | Js::Made(_) => "object",
            Js::Truth(_) => "boolean",
            Js::Number(_) => "number",
            Js::Text(_) => "string",
        }
    }
}

/// How large and deep something of these parts is; `None` if too much.
fn measure<'a>(parts: impl IntoIterator<Item = &'a Js>) -> Option<(usize, u32)> {
    let (mut bytes, mut depth) = (2, 0);
    for part in parts {
        bytes += match part {
            Js::Text(text) => text.len() + 3,
            Js::Made(made) => made.bytes + 1,
            Js::Undefined | Js::Null | Js::Truth(_) | Js::Number(_) | Js::Object(_) => 8,
        };
        if let Js::Made(made) = part {
            depth = depth.max(made.depth);
        }
    }
    (bytes <= TEXT_MAX && depth < DEPTH_MAX).then_some((bytes, depth + 1))
}

fn property_of_object(node: Node<'_>, step: &Step) -> Option<Js> {
    let found = match (node.kind(), step) {
        (Kind::List, Step::Index(index)) => node.element(*index),
        (Kind::List, Step::Key(key)) if &**key == "length" => {
            return Some(Js::Number(node.elements()?.len() as f64));
        }
        (Kind::Object, Step::Key(key)) => node.member(key),
        (Kind::Object, Step::Index(index)) => node.member(&index.to_string()),
        _ => return None,
    };
    // What every object inherits was not parsed.
    found.map_or(Some(Js::Undefined), Js::of_node)
}

pub(super) fn unary(operator: Unary, operand: &Js) -> Option<Js> {
    Some(match operator {
        Unary::Not => Js::Truth(!operand.truth()),
        Unary::Minus => Js::Number(-operand.number()?),
        Unary::Plus => Js::Number(operand.number()?),
        Unary::TypeOf => Js::text(operand.type_name()),
    })
}

pub(super) fn binary(operator: Binary, left: &Js, right: &Js) -> Option<Js> {
    let arithmetic =
        |calculate: fn(f64, f64) -> f64| Some(Js::Number(calculate(left.number()?, right.number()?)));
    match operator {
        Binary::Equal => Some(Js::Truth(loosely_equal(left, right)?)),
        Binary::NotEqual => Some(Js::Truth(!loosely_equal(left, right)?)),
        Binary::Same => Some(Js::Truth(same(left, right)?)),
        Binary::NotSame => Some(Js::Truth(!same(left, right)?)),
        Binary::Less => ordered(left, right, |a, b| a < b, |order| order.is_lt()),
        Binary::LessOrEqual => ordered(left, right, |a, b| a <= b, |order| order.is_le()),
        Binary::Greater => ordered(left, right, |a, b| a > b, |order| order.is_gt()),
        Binary::GreaterOrEqual => ordered(left, right, |a, b| a >= b, |order| order.is_ge()),
        Binary::Add => add(left, right),
        Binary::Subtract => arithmetic(|a, b| a - b),
        Binary::Multiply => arithmetic(|a, b| a * b),
        Binary::Divide => arithmetic(|a, b| a / b),
        Binary::Remainder => arithmetic(|a, b| a % b),
    }
}

fn add(left: &Js, right: &Js) -> Option<Js> {
    if !matches!((left, right), (Js::Text(_), _) | (_, Js::Text(_))) {
        return Some(Js::Number(left.number()? + right.number()?));
    }
    let (left, right) = (left.written()?, right.written()?);
    (left.len() + right.len() <= TEXT_MAX).then(|| Js::Text([&*left, &*right].concat().into()))
}

/// Texts are ordered by their UTF-16 code units, everything else as numbers. NaN is neither less nor greater.
fn ordered(
    left: &Js,
    right: &Js,
    numbers: fn(f64, f64) -> bool,
    texts: fn(std::cmp::Ordering) -> bool,
) -> Option<Js> {
    if let (Js::Text(a), Js::Text(b)) = (left, right) {
        return Some(Js::Truth(texts(a.encode_utf16().cmp(b.encode_utf16()))));
    }
    Some(Js::Truth(numbers(left.number()?, right.number()?)))
}

/// `===`. Whether two objects are one and the same is not known here.
pub(super) fn same(left: &Js, right: &Js) -> Option<bool> {
    Some(match (left, right) {
        (Js::Undefined, Js::Undefined) | (Js::Null, Js::Null) => true,
        (Js::Truth(a), Js::Truth(b)) => a == b,
        (Js::Number(a), Js::Number(b)) => a == b,
        (Js::Text(a), Js::Text(b)) => a == b,
        (Js::Object(_) | Js::Made(_), Js::Object(_) | Js::Made(_)) => return None,
        (Js::Undefined, _) | (Js::Null, _) | (Js::Truth(_), _) | (Js::Number(_), _) => false,
        (Js::Text(_), _) | (Js::Object(_), _) | (Js::Made(_), _) => false,
    })
}

/// `==`.
fn loosely_equal(left: &Js, right: &Js) -> Option<bool> {
    if left.is_nullish() || right.is_nullish() {
        return Some(left.is_nullish() && right.is_nullish());
    }
    if left.type_name() == right.type_name() {
        return same(left, right);
    }
    // Of different kinds: as numbers, if both are no objects.
    Some(left.number()? == right.number()?)
}
