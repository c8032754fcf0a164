//! The functions of expressions.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use partitur_model::Payload;

use crate::error::EvalFault;
use crate::evaluate::{Evaluator, Outcome};
use crate::json::Node;
use crate::navigate::size;
use crate::number::Decimal;
use crate::syntax::Arithmetic;
use crate::value::{Value, push_text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Length,
    Lower,
    Upper,
    Min,
    Max,
    Sum,
    Coalesce,
    Round,
    Keys,
    StartsWith,
    EndsWith,
    Number,
    Text,
}

const MANY: usize = usize::MAX;

impl Function {
    /// Names, and how many values each takes.
    pub(crate) const NAMES: [(&'static str, Function, RangeInclusive<usize>); 14] = [
        ("length", Function::Length, 1..=1),
        ("lower", Function::Lower, 1..=1),
        ("upper", Function::Upper, 1..=1),
        ("min", Function::Min, 1..=MANY),
        ("max", Function::Max, 1..=MANY),
        ("sum", Function::Sum, 1..=1),
        ("coalesce", Function::Coalesce, 1..=MANY),
        ("default", Function::Coalesce, 2..=2),
        ("round", Function::Round, 1..=2),
        ("keys", Function::Keys, 1..=1),
        ("starts_with", Function::StartsWith, 2..=2),
        ("ends_with", Function::EndsWith, 2..=2),
        ("number", Function::Number, 1..=1),
        ("text", Function::Text, 1..=1),
    ];

    /// Whether the result may be null, given which arguments may.
    pub(crate) fn may_be_null(self, nullable: &[bool]) -> bool {
        match self {
            Function::Coalesce => nullable.iter().all(|&nullable| nullable),
            // The list may be empty, or hold nothing but null.
            Function::Min | Function::Max => nullable.len() == 1 || nullable.iter().all(|&nullable| nullable),
            Function::StartsWith | Function::EndsWith | Function::Text => false,
            Function::Length
            | Function::Lower
            | Function::Upper
            | Function::Sum
            | Function::Round
            | Function::Keys
            | Function::Number => nullable[0],
        }
    }

    /// The result. Of null, the functions with one value make null again, so that a missing path stays one.
    pub(crate) fn call(self, arguments: &[Value], evaluator: &Evaluator<'_>) -> Outcome<Value> {
        let first = &arguments[0];
        match self {
            Function::Coalesce => Ok(coalesce(arguments)),
            Function::Min => extreme("min", Ordering::Less, arguments, evaluator),
            Function::Max => extreme("max", Ordering::Greater, arguments, evaluator),
            Function::StartsWith => texts("starts_with", arguments)
                .map(|pair| pair.is_some_and(|(a, b)| a.starts_with(b)))
                .map(Value::Truth),
            Function::EndsWith => texts("ends_with", arguments)
                .map(|pair| pair.is_some_and(|(a, b)| a.ends_with(b)))
                .map(Value::Truth),
            Function::Text => Ok(text(first)),
            _ if matches!(first, Value::Null) => Ok(Value::Null),
            Function::Length => length(first),
            Function::Lower => map_text("lower", first, evaluator, str::to_lowercase),
            Function::Upper => map_text("upper", first, evaluator, str::to_uppercase),
            Function::Sum => sum(first, evaluator),
            Function::Round => round(first, arguments.get(1)),
            Function::Keys => keys(first, evaluator),
            Function::Number => number(first),
        }
    }
}

fn coalesce(arguments: &[Value]) -> Value {
    arguments.iter().find(|value| !matches!(value, Value::Null)).cloned().unwrap_or(Value::Null)
}

fn wrong<T>(function: &'static str, needs: &'static str, found: &Value) -> Outcome<T> {
    Err(EvalFault::WrongArgument { function, needs, found: found.noun() })
}

fn length(value: &Value) -> Outcome<Value> {
    let needs = "a string, a list or an object";
    match value {
        Value::Text(text) => Ok(Value::number(text.chars().count())),
        Value::List(payload) | Value::Object(payload) => {
            Ok(Value::number(size(Node::Whole(payload)).unwrap_or_default()))
        }
        Value::Null | Value::Truth(_) | Value::Number(_) => wrong("length", needs, value),
    }
}

fn map_text(
    function: &'static str,
    value: &Value,
    evaluator: &Evaluator<'_>,
    map: impl Fn(&str) -> String,
) -> Outcome<Value> {
    let Value::Text(text) = value else { return wrong(function, "a string", value) };
    evaluator.spend(text.len() / 64)?;
    Ok(Value::Text(map(text).into()))
}

/// The least or greatest of the arguments, or of the elements of a single list. Null is left out.
fn extreme(
    function: &'static str,
    wanted: Ordering,
    arguments: &[Value],
    evaluator: &Evaluator<'_>,
) -> Outcome<Value> {
    let elements: Vec<Value>;
    let candidates = match arguments {
        [Value::List(list)] => {
            elements = evaluator.elements(list)?.into_iter().map(|node| node.to_payload().into()).collect();
            &elements
        }
        [single @ (Value::Truth(_) | Value::Object(_))] => {
            return wrong(function, "numbers or strings", single);
        }
        several => several,
    };
    let mut best = Value::Null;
    for candidate in candidates {
        // A null `best` has no order with anything: the first candidate that is none replaces it.
        let order = evaluator.order(candidate, &best)?;
        if matches!(best, Value::Null) || order == Some(wanted) {
            best = candidate.clone();
        }
    }
    Ok(best)
}

/// The sum of a list; null is left out.
fn sum(value: &Value, evaluator: &Evaluator<'_>) -> Outcome<Value> {
    let Value::List(list) = value else { return wrong("sum", "a list of numbers", value) };
    let mut sum = Value::number(0);
    for node in evaluator.elements(list)? {
        match Value::from(node.to_payload()) {
            Value::Null => {}
            number @ Value::Number(_) => sum = evaluator.arithmetic(Arithmetic::Add, sum, &number)?,
            other @ (Value::Truth(_) | Value::Text(_) | Value::List(_) | Value::Object(_)) => {
                return wrong("sum", "a list of numbers", &other);
            }
        }
    }
    Ok(sum)
}

fn round(value: &Value, places: Option<&Value>) -> Outcome<Value> {
    let Value::Number(digits) = value else { return wrong("round", "a number", value) };
    let places = match places {
        None => 0,
        Some(Value::Number(places)) => match places.as_str().parse::<u32>() {
            Ok(places) if places <= 18 => places,
            Ok(_) | Err(_) => return wrong("round", "0 to 18 digits", &Value::Number(places.clone())),
        },
        Some(other) => return wrong("round", "a number of digits", other),
    };
    let rounded = Decimal::parse(digits.as_str()).and_then(|number| number.round(places));
    rounded.map(Value::number).ok_or(EvalFault::TooManyDigits("round"))
}

fn keys(value: &Value, evaluator: &Evaluator<'_>) -> Outcome<Value> {
    let Value::Object(object) = value else { return wrong("keys", "an object", value) };
    let entries = Node::Whole(object).entries().unwrap_or_default();
    evaluator.spend(entries.len())?;
    Ok(Value::List(Payload::list(entries.iter().map(|(key, _)| Payload::string(key)))))
}

/// The number that a text stands for: what comes from the environment or a command line is text.
fn number(value: &Value) -> Outcome<Value> {
    let needs = "a number, or a text that is one";
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::Text(text) => match Payload::parse(text).map(Value::from) {
            Ok(number @ Value::Number(_)) => Ok(number),
            Ok(_) | Err(_) => wrong("number", needs, value),
        },
        Value::Null | Value::Truth(_) | Value::List(_) | Value::Object(_) => wrong("number", needs, value),
    }
}

/// The value as it would stand in a template.
fn text(value: &Value) -> Value {
    if let Value::Text(_) = value {
        return value.clone();
    }
    let mut text = String::new();
    push_text(&value.clone().into_payload(), &mut text);
    Value::Text(text.into())
}

/// Both arguments as strings; nothing if one is null.
fn texts<'v>(function: &'static str, arguments: &'v [Value]) -> Outcome<Option<(&'v str, &'v str)>> {
    match (&arguments[0], &arguments[1]) {
        (Value::Null, _) | (_, Value::Null) => Ok(None),
        (Value::Text(a), Value::Text(b)) => Ok(Some((a, b))),
        (Value::Text(_), other) | (other, _) => wrong(function, "strings", other),
    }
}
