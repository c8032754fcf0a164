//! The value of an expression.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use partitur_model::Payload;
use partitur_model::value::DEPTH_MAX;

use crate::error::{EvalError, EvalFault};
use crate::json::{Kind, Node};
use crate::navigate::follow;
use crate::number::{self, Decimal};
use crate::path::Step;
use crate::pattern::{Pattern, compile};
use crate::syntax::{Arithmetic, Comparison, Expr, ExprKind};
use crate::value::Value;
use crate::{EVALUATION_STEPS_MAX, Lookup, TEXT_MAX};

/// The value of `expr`.
pub(crate) fn value(expr: &Expr, lookup: &dyn Lookup) -> Result<Value, EvalError> {
    Evaluator { lookup, here: None, left: &Cell::new(EVALUATION_STEPS_MAX) }.value(expr)
}

/// Whether `expr` holds.
pub(crate) fn truth(expr: &Expr, lookup: &dyn Lookup) -> Result<bool, EvalError> {
    Evaluator { lookup, here: None, left: &Cell::new(EVALUATION_STEPS_MAX) }.truth(expr)
}

/// Whether the condition of a filter holds for `node`. An element that does not fit the condition is not meant by it.
pub(crate) fn holds_for(condition: &Expr, node: Node<'_>, left: &Cell<u32>) -> bool {
    Evaluator { lookup: &Nothing, here: Some(node), left }.truth(condition).unwrap_or(false)
}

/// What a filter sees beside its element.
struct Nothing;

impl Lookup for Nothing {
    fn lookup(&self, _: &str, _: &[Step]) -> Option<Payload> {
        None
    }
}

/// Evaluates one expression once.
pub(crate) struct Evaluator<'a> {
    lookup: &'a dyn Lookup,
    /// The element of the filter that this is.
    here: Option<Node<'a>>,
    /// How many steps may still be taken.
    left: &'a Cell<u32>,
}

/// What went wrong, before it is known where.
pub(crate) type Outcome<T> = Result<T, EvalFault>;

impl Evaluator<'_> {
    fn value(&self, expr: &Expr) -> Result<Value, EvalError> {
        self.spend(1).map_err(at(expr))?;
        match &expr.kind {
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Path(path) => {
                Ok(self.lookup.lookup(&path.head, &path.steps).map_or(Value::Null, Value::from))
            }
            ExprKind::Here(steps) => Ok(self.here(steps).map_or(Value::Null, Value::from)),
            ExprKind::Steps(inner, steps) => {
                let inner = self.value(inner)?.into_payload();
                Ok(follow(Node::Whole(&inner), steps, self.left).map_or(Value::Null, Value::from))
            }
            ExprKind::List(parts) => {
                let values = parts.iter().map(|part| Ok(self.value(part)?.into_payload()));
                Ok(Value::List(Payload::list(values.collect::<Result<Vec<_>, EvalError>>()?)))
            }
            ExprKind::Negate(inner) => {
                let value = self.value(inner)?;
                self.arithmetic(Arithmetic::Subtract, Value::number(0), &value).map_err(at(expr))
            }
            ExprKind::Chain(first, rest) => self.chain(first, rest),
            ExprKind::Call(function, arguments) => {
                let values = arguments.iter().map(|part| self.value(part));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                function.call(&values, self).map_err(at(expr))
            }
            ExprKind::Not(_)
            | ExprKind::All(_)
            | ExprKind::Any(_)
            | ExprKind::Compare(..)
            | ExprKind::Matches(..) => self.truth(expr).map(Value::Truth),
        }
    }

    fn truth(&self, expr: &Expr) -> Result<bool, EvalError> {
        self.spend(1).map_err(at(expr))?;
        match &expr.kind {
            ExprKind::Not(inner) => Ok(!self.truth(inner)?),
            ExprKind::All(parts) => {
                for part in parts {
                    if !self.truth(part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            ExprKind::Any(parts) => {
                for part in parts {
                    if self.truth(part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            ExprKind::Compare(comparison, sides) => {
                let (left, right) = (self.value(&sides[0])?, self.value(&sides[1])?);
                self.compare(*comparison, &left, &right).map_err(at(expr))
            }
            ExprKind::Matches(left, pattern) => self.matches(left, pattern, expr),
            // In a filter, an element's path alone asks whether it is there.
            ExprKind::Here(steps) => Ok(self.here(steps).is_some()),
            ExprKind::Literal(_)
            | ExprKind::Path(_)
            | ExprKind::Steps(..)
            | ExprKind::List(_)
            | ExprKind::Negate(_)
            | ExprKind::Chain(..)
            | ExprKind::Call(..) => match self.value(expr)? {
                Value::Truth(truth) => Ok(truth),
                Value::Null => Ok(false),
                other @ (Value::Number(_) | Value::Text(_) | Value::List(_) | Value::Object(_)) => {
                    Err(at(expr)(EvalFault::NoCondition { found: other.noun() }))
                }
            },
        }
    }

    fn here(&self, steps: &[Step]) -> Option<Payload> {
        follow(self.here?, steps, self.left)
    }

    fn chain(&self, first: &Expr, rest: &[(Arithmetic, Expr)]) -> Result<Value, EvalError> {
        let mut sum = self.value(first)?;
        for (operator, part) in rest {
            let value = self.value(part)?;
            let whole = first.at.start..part.at.end;
            sum = self.arithmetic(*operator, sum, &value).map_err(within(whole))?;
        }
        Ok(sum)
    }

    fn matches(&self, left: &Expr, pattern: &Pattern, whole: &Expr) -> Result<bool, EvalError> {
        let text = match self.value(left)? {
            Value::Null => return Ok(false),
            Value::Text(text) => text,
            other @ (Value::Truth(_) | Value::Number(_) | Value::List(_) | Value::Object(_)) => {
                let function = "matches";
                let fault = EvalFault::WrongArgument { function, needs: "a string", found: other.noun() };
                return Err(at(whole)(fault));
            }
        };
        self.spend(text.len() / 64).map_err(at(whole))?;
        match pattern {
            Pattern::Fixed(regex) => Ok(regex.is_match(&text)),
            Pattern::Computed(source) => match self.value(source)? {
                Value::Text(pattern) => {
                    let regex =
                        compile(&pattern).map_err(|message| at(source)(EvalFault::BadPattern(message)))?;
                    Ok(regex.is_match(&text))
                }
                Value::Null => Ok(false),
                other @ (Value::Truth(_) | Value::Number(_) | Value::List(_) | Value::Object(_)) => {
                    Err(at(source)(EvalFault::BadPattern(format!("it is {}", other.noun()))))
                }
            },
        }
    }

    fn compare(&self, comparison: Comparison, left: &Value, right: &Value) -> Outcome<bool> {
        match comparison {
            Comparison::Equal => self.equal(left, right),
            Comparison::NotEqual => self.equal(left, right).map(|equal| !equal),
            Comparison::Less => Ok(self.order(left, right)?.is_some_and(Ordering::is_lt)),
            Comparison::LessOrEqual => Ok(self.order(left, right)?.is_some_and(Ordering::is_le)),
            Comparison::Greater => Ok(self.order(left, right)?.is_some_and(Ordering::is_gt)),
            Comparison::GreaterOrEqual => Ok(self.order(left, right)?.is_some_and(Ordering::is_ge)),
            Comparison::Contains => self.contains("contains", left, right, (left, right)),
            Comparison::In => self.contains("in", right, left, (left, right)),
        }
    }

    /// The order of two values; none if one is null.
    pub(crate) fn order(&self, left: &Value, right: &Value) -> Outcome<Option<Ordering>> {
        match (left, right) {
            (Value::Null, _) | (_, Value::Null) => Ok(None),
            (Value::Number(a), Value::Number(b)) => {
                self.spend((a.as_str().len() + b.as_str().len()) / 64)?;
                Ok(Some(number::compare(a.as_str(), b.as_str())))
            }
            (Value::Text(a), Value::Text(b)) => {
                self.spend(a.len().min(b.len()) / 64)?;
                Ok(Some(a.cmp(b)))
            }
            _ => Err(EvalFault::NoOrder { left: left.noun(), right: right.noun() }),
        }
    }

    pub(crate) fn equal(&self, left: &Value, right: &Value) -> Outcome<bool> {
        match (left, right) {
            (Value::Null, Value::Null) => Ok(true),
            (Value::Truth(a), Value::Truth(b)) => Ok(a == b),
            (Value::Number(_), Value::Number(_)) | (Value::Text(_), Value::Text(_)) => {
                Ok(self.order(left, right)?.is_some_and(Ordering::is_eq))
            }
            (Value::List(a), Value::List(b)) | (Value::Object(a), Value::Object(b)) => {
                self.same(Node::Whole(a), Node::Whole(b), 0)
            }
            _ => Ok(false),
        }
    }

    /// Whether two values are equal in depth: numbers by value, objects whatever the order of their keys.
    fn same(&self, a: Node<'_>, b: Node<'_>, depth: usize) -> Outcome<bool> {
        self.spend(1)?;
        if depth > DEPTH_MAX {
            return Err(EvalFault::TooManySteps);
        }
        match (a.kind(), b.kind()) {
            (Kind::List, Kind::List) => {
                let (a, b) = (a.elements().unwrap_or_default(), b.elements().unwrap_or_default());
                self.all_same(a.len() == b.len(), a.into_iter().zip(b), depth)
            }
            (Kind::Object, Kind::Object) => {
                let (a, b) = (sorted_entries(a), sorted_entries(b));
                self.all_same(a.keys().eq(b.keys()), a.values().copied().zip(b.values().copied()), depth)
            }
            (a_kind, b_kind) if a_kind != b_kind => Ok(false),
            _ => self.equal(&Value::from(a.to_payload()), &Value::from(b.to_payload())),
        }
    }

    fn all_same<'n>(
        &self,
        so_far: bool,
        pairs: impl Iterator<Item = (Node<'n>, Node<'n>)>,
        depth: usize,
    ) -> Outcome<bool> {
        if !so_far {
            return Ok(false);
        }
        for (a, b) in pairs {
            if !self.same(a, b, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether `whole` has `part`: a string a string, a list an element, an object a key. Null has nothing.
    fn contains(
        &self,
        operator: &'static str,
        whole: &Value,
        part: &Value,
        written: (&Value, &Value),
    ) -> Outcome<bool> {
        match (whole, part) {
            (Value::Null, _) => Ok(false),
            (Value::List(list), part) => self.has_element(list, part),
            (Value::Text(_) | Value::Object(_), Value::Null) => Ok(false),
            (Value::Text(whole), Value::Text(part)) => {
                self.spend(whole.len() / 64)?;
                Ok(whole.contains(&**part))
            }
            (Value::Object(object), Value::Text(key)) => Ok(Node::Whole(object).member(key).is_some()),
            _ => {
                let (left, right) = (written.0.noun(), written.1.noun());
                Err(EvalFault::NoOperation { operator, left, right, remedy: "" })
            }
        }
    }

    fn has_element(&self, list: &Payload, part: &Value) -> Outcome<bool> {
        for element in self.elements(list)? {
            if self.equal(&Value::from(element.to_payload()), part)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The elements of a list, each of which is a step.
    pub(crate) fn elements<'n>(&self, list: &'n Payload) -> Outcome<Vec<Node<'n>>> {
        let elements = Node::Whole(list).elements().unwrap_or_default();
        self.spend(elements.len())?;
        Ok(elements)
    }

    pub(crate) fn arithmetic(&self, operator: Arithmetic, left: Value, right: &Value) -> Outcome<Value> {
        match (operator, left, right) {
            (Arithmetic::Add, Value::Text(a), Value::Text(b)) => self.concatenate(&a, b),
            (operator, Value::Number(a), Value::Number(b)) => calculate(operator, a.as_str(), b.as_str()),
            (operator, left, right) => {
                let remedy = match (left.kind(), right.kind()) {
                    (Kind::Null, _) | (_, Kind::Null) => ": give a value for null with `default(x, 0)`",
                    (Kind::Text, _) | (_, Kind::Text) => ": use `text(x)` or `number(x)`",
                    _ => "",
                };
                let (left, right) = (left.noun(), right.noun());
                Err(EvalFault::NoOperation { operator: operator.sign(), left, right, remedy })
            }
        }
    }

    fn concatenate(&self, a: &str, b: &str) -> Outcome<Value> {
        self.spend((a.len() + b.len()) / 64)?;
        if a.len() + b.len() > TEXT_MAX {
            return Err(EvalFault::TooLong);
        }
        Ok(Value::Text([a, b].concat().into()))
    }

    pub(crate) fn spend(&self, steps: usize) -> Outcome<()> {
        let left = u32::try_from(steps).ok().and_then(|steps| self.left.get().checked_sub(steps));
        self.left.set(left.ok_or(EvalFault::TooManySteps)?);
        Ok(())
    }
}

/// Of duplicate keys the last counts.
fn sorted_entries(node: Node<'_>) -> BTreeMap<std::borrow::Cow<'_, str>, Node<'_>> {
    node.entries().unwrap_or_default().into_iter().collect()
}

fn calculate(operator: Arithmetic, left: &str, right: &str) -> Outcome<Value> {
    let sign = operator.sign();
    let read = |digits: &str| Decimal::parse(digits).ok_or(EvalFault::TooManyDigits(sign));
    let (a, b) = (read(left)?, read(right)?);
    let result = match operator {
        Arithmetic::Add => a.add(b),
        Arithmetic::Subtract => a.subtract(b),
        Arithmetic::Multiply => a.multiply(b),
        Arithmetic::Divide | Arithmetic::Remainder if b.is_zero() => return Err(EvalFault::DivisionByZero),
        Arithmetic::Divide => a.divide(b),
        Arithmetic::Remainder => a.remainder(b),
    };
    result.map(Value::number).ok_or(EvalFault::TooManyDigits(sign))
}

fn at(expr: &Expr) -> impl Fn(EvalFault) -> EvalError {
    within(expr.at.clone())
}

fn within(at: Range<u32>) -> impl Fn(EvalFault) -> EvalError {
    move |fault| EvalError { at: at.clone(), fault }
}
