//! Conditions and computations.

use std::ops::Range;

use partitur_model::Payload;

use crate::Lookup;
use crate::error::{EvalError, ParseError};
use crate::evaluate;
use crate::json::Kind;
use crate::parse::parse;
use crate::path::Path;
use crate::pattern::Pattern;
use crate::syntax::{Expr, ExprKind};

/// A condition or a computation, without `${}`: `orders.output.rows > 0 and inputs.month != '2024-12'`.
///
/// A missing path is null. Null is not equal to anything else, and an ordering comparison with it is false;
/// [`Expression::nullable_orderings`] finds these.
#[derive(Clone, Debug)]
pub struct Expression {
    root: Expr,
}

impl Expression {
    /// Reads a source.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(source: &str) -> Result<Expression, ParseError> {
        parse(source).map(|root| Expression { root })
    }

    /// The value.
    ///
    /// # Errors
    /// Values that do not fit what is asked of them.
    pub fn value(&self, lookup: &dyn Lookup) -> Result<Payload, EvalError> {
        evaluate::value(&self.root, lookup).map(|value| value.into_payload())
    }

    /// Whether the condition holds; null counts as false.
    ///
    /// # Errors
    /// Values that do not fit what is asked of them, and a value that is neither true, false nor null.
    pub fn truth(&self, lookup: &dyn Lookup) -> Result<bool, EvalError> {
        evaluate::truth(&self.root, lookup)
    }

    /// The paths that may be looked up.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        visit(&self.root, &mut |expr| {
            if let ExprKind::Path(path) = &expr.kind {
                paths.push(path);
            }
        });
        paths
    }

    /// The ordering comparisons of which a side may be null, given the paths that never are. Such a comparison is
    /// false, which is seldom what its author thought of.
    pub fn nullable_orderings(&self, never_null: &dyn Fn(&Path) -> bool) -> Vec<Range<u32>> {
        let mut found = Vec::new();
        visit(&self.root, &mut |expr| {
            if let ExprKind::Compare(comparison, sides) = &expr.kind
                && comparison.is_ordering()
                && sides.iter().any(|side| may_be_null(side, never_null))
            {
                found.push(expr.at.clone());
            }
        });
        found
    }
}

fn may_be_null(expr: &Expr, never_null: &dyn Fn(&Path) -> bool) -> bool {
    match &expr.kind {
        ExprKind::Literal(value) => value.kind() == Kind::Null,
        ExprKind::Path(path) => !never_null(path),
        ExprKind::Here(_) | ExprKind::Steps(..) => true,
        ExprKind::List(_)
        | ExprKind::Not(_)
        | ExprKind::Negate(_)
        | ExprKind::All(_)
        | ExprKind::Any(_)
        | ExprKind::Compare(..)
        | ExprKind::Matches(..)
        | ExprKind::Chain(..) => false,
        ExprKind::Call(function, arguments) => {
            let nullable: Vec<bool> = arguments.iter().map(|part| may_be_null(part, never_null)).collect();
            function.may_be_null(&nullable)
        }
    }
}

/// Calls `see` for each node, each before its parts, from left to right.
fn visit<'a>(expr: &'a Expr, see: &mut dyn FnMut(&'a Expr)) {
    see(expr);
    match &expr.kind {
        ExprKind::Literal(_) | ExprKind::Path(_) | ExprKind::Here(_) => {}
        ExprKind::Steps(inner, _) | ExprKind::Not(inner) | ExprKind::Negate(inner) => visit(inner, see),
        ExprKind::List(parts) | ExprKind::All(parts) | ExprKind::Any(parts) | ExprKind::Call(_, parts) => {
            parts.iter().for_each(|part| visit(part, see));
        }
        ExprKind::Compare(_, sides) => sides.iter().for_each(|side| visit(side, see)),
        ExprKind::Matches(left, Pattern::Fixed(_)) => visit(left, see),
        ExprKind::Matches(left, Pattern::Computed(right)) => {
            visit(left, see);
            visit(right, see);
        }
        ExprKind::Chain(first, rest) => {
            visit(first, see);
            rest.iter().for_each(|(_, part)| visit(part, see));
        }
    }
}
