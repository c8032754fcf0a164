//! The tree of an expression.

use std::ops::Range;

use crate::function::Function;
use crate::path::{Path, Step};
use crate::pattern::Pattern;
use crate::value::Value;

/// A node of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) at: Range<u32>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Literal(Value),
    Path(Path),
    /// `@` and its steps, in a filter.
    Here(Box<[Step]>),
    /// Steps into what an expression makes.
    Steps(Box<Expr>, Box<[Step]>),
    List(Box<[Expr]>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    All(Box<[Expr]>),
    Any(Box<[Expr]>),
    Compare(Comparison, Box<[Expr; 2]>),
    Matches(Box<Expr>, Pattern),
    /// `a + b - c`, `a * b / c`, from left to right.
    Chain(Box<Expr>, Box<[(Arithmetic, Expr)]>),
    Call(Function, Box<[Expr]>),
}

/// What two values are asked about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    In,
}

/// What is done with two numbers; `Add` also joins two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Comparison {
    /// Whether it is about which is less; null has no place in an order.
    pub(crate) fn is_ordering(self) -> bool {
        match self {
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {
                true
            }
            Comparison::Equal | Comparison::NotEqual | Comparison::Contains | Comparison::In => false,
        }
    }
}

impl Arithmetic {
    /// How it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}
