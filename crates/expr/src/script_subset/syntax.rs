//! The tree of a script.

use std::sync::Arc;

use super::method::Method;
use super::value::Js;
use crate::path::Step;

/// A whole script.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) body: Function,
    /// Whether the value is that of the last statement, or what is returned.
    pub(super) has_completion: bool,
}

/// Statements with variables of their own.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// How many variables there are; the first are the parameters.
    pub(super) slots: usize,
    pub(super) statements: Box<[Statement]>,
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    /// Declarations and `;`, which have no value.
    Empty,
    Expression(Expr),
    /// Variables that get their first values.
    Declare(Box<[(usize, Expr)]>),
    If(Expr, Box<Statement>, Box<Option<Statement>>),
    Block(Box<[Statement]>),
    Return(Expr),
}

#[derive(Clone, Debug)]
pub(super) enum Expr {
    Literal(Js),
    /// `$.a.b[0]`.
    Path(Box<[Step]>),
    Variable(usize),
    /// A property of what is no path.
    Property(Box<Expr>, Step),
    Method(Box<Expr>, Method, Option<Box<Expr>>),
    List(Box<[Expr]>),
    Object(Box<[(Box<str>, Expr)]>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<[Expr; 2]>),
    And(Box<[Expr; 2]>),
    Or(Box<[Expr; 2]>),
    /// `a ?? b`.
    Default(Box<[Expr; 2]>),
    Choice(Box<[Expr; 3]>),
    Assign(usize, Box<Expr>),
    /// A function called where it stands: it sees the variables around it, and has its own among them.
    Here(Box<[(usize, Expr)]>, Box<[Statement]>),
    /// A declared function.
    Call(Arc<Function>, Box<[Expr]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Minus,
    Plus,
    TypeOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    NotEqual,
    Same,
    NotSame,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
