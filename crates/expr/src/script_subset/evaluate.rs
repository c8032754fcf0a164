//! The value of a script.

use std::cell::Cell;

use super::INPUT;
use super::method;
use super::syntax::{Expr, Function, Program, Statement};
use super::value::{Js, binary, unary};
use crate::Lookup;
use crate::path::Step;

/// No script takes more steps: functions may call functions that call functions.
const STEPS_MAX: u32 = 100_000;

pub(super) fn value(program: &Program, lookup: &dyn Lookup) -> Option<Js> {
    let evaluator = Evaluator { lookup, left: Cell::new(STEPS_MAX) };
    let mut variables = vec![Js::Undefined; program.body.slots];
    match evaluator.list(&program.body.statements, &mut variables)? {
        Completion::Returned(value) => Some(value),
        Completion::Normal(value) if program.has_completion => Some(value.unwrap_or(Js::Undefined)),
        Completion::Normal(_) => Some(Js::Undefined),
    }
}

struct Evaluator<'a> {
    lookup: &'a dyn Lookup,
    left: Cell<u32>,
}

/// How a statement ended.
enum Completion {
    /// Statements may have a value.
    Normal(Option<Js>),
    Returned(Js),
}

impl Evaluator<'_> {
    fn list(&self, statements: &[Statement], variables: &mut [Js]) -> Option<Completion> {
        let mut last = None;
        for statement in statements {
            match self.statement(statement, variables)? {
                Completion::Normal(value) => last = value.or(last),
                returned @ Completion::Returned(_) => return Some(returned),
            }
        }
        Some(Completion::Normal(last))
    }

    fn statement(&self, statement: &Statement, variables: &mut [Js]) -> Option<Completion> {
        self.spend()?;
        Some(match statement {
            Statement::Empty => Completion::Normal(None),
            Statement::Expression(expr) => Completion::Normal(Some(self.value(expr, variables)?)),
            Statement::Declare(declared) => {
                for (slot, expr) in declared {
                    variables[*slot] = self.value(expr, variables)?;
                }
                Completion::Normal(None)
            }
            Statement::If(condition, then, otherwise) => {
                let holds = self.value(condition, variables)?.truth();
                let taken = if holds { Some(&**then) } else { otherwise.as_ref().as_ref() };
                let completion = taken.map(|taken| self.statement(taken, variables));
                match completion.unwrap_or(Some(Completion::Normal(None)))? {
                    Completion::Normal(value) => Completion::Normal(Some(value.unwrap_or(Js::Undefined))),
                    returned @ Completion::Returned(_) => returned,
                }
            }
            Statement::Block(statements) => self.list(statements, variables)?,
            Statement::Return(expr) => Completion::Returned(self.value(expr, variables)?),
        })
    }

    fn value(&self, expr: &Expr, variables: &mut [Js]) -> Option<Js> {
        self.spend()?;
        match expr {
            Expr::Literal(value) => Some(value.clone()),
            Expr::Path(steps) => self.path(steps),
            Expr::Variable(slot) => Some(variables[*slot].clone()),
            Expr::Property(of, step) => self.value(of, variables)?.property(step),
            Expr::Method(of, method, argument) => {
                let of = self.value(of, variables)?;
                let argument = match argument {
                    Some(argument) => Some(self.value(argument, variables)?),
                    None => None,
                };
                method::call(*method, &of, argument.as_ref())
            }
            Expr::List(parts) => {
                let parts: Option<Vec<Js>> = parts.iter().map(|part| self.value(part, variables)).collect();
                Js::list(parts?)
            }
            Expr::Object(members) => {
                let mut values = Vec::with_capacity(members.len());
                for (key, expr) in members {
                    values.push((&**key, self.value(expr, variables)?));
                }
                Js::object(values)
            }
            Expr::Unary(operator, operand) => unary(*operator, &self.value(operand, variables)?),
            Expr::Binary(operator, sides) => {
                let left = self.value(&sides[0], variables)?;
                binary(*operator, &left, &self.value(&sides[1], variables)?)
            }
            Expr::And(sides) => self.unless(sides, |left| !left.truth(), variables),
            Expr::Or(sides) => self.unless(sides, Js::truth, variables),
            Expr::Default(sides) => self.unless(sides, |left| !left.is_nullish(), variables),
            Expr::Choice(parts) => {
                let holds = self.value(&parts[0], variables)?.truth();
                self.value(&parts[if holds { 1 } else { 2 }], variables)
            }
            Expr::Assign(slot, expr) => {
                let value = self.value(expr, variables)?;
                variables[*slot] = value.clone();
                Some(value)
            }
            Expr::Here(arguments, statements) => {
                for (slot, expr) in arguments {
                    variables[*slot] = self.value(expr, variables)?;
                }
                Some(returned(self.list(statements, variables)?))
            }
            Expr::Call(function, arguments) => self.call(function, arguments, variables),
        }
    }

    /// The left side if it decides, else the right one.
    fn unless(&self, sides: &[Expr; 2], decides: fn(&Js) -> bool, variables: &mut [Js]) -> Option<Js> {
        let left = self.value(&sides[0], variables)?;
        if decides(&left) { Some(left) } else { self.value(&sides[1], variables) }
    }

    fn call(&self, function: &Function, arguments: &[Expr], variables: &mut [Js]) -> Option<Js> {
        let mut own = vec![Js::Undefined; function.slots];
        for (slot, argument) in arguments.iter().enumerate() {
            own[slot] = self.value(argument, variables)?;
        }
        Some(returned(self.list(&function.statements, &mut own)?))
    }

    /// What lies under `$`. If nothing does, what it lies in tells why.
    fn path(&self, steps: &[Step]) -> Option<Js> {
        if let Some(payload) = self.lookup.lookup(INPUT, steps) {
            return Js::of_payload(payload);
        }
        let (last, before) = steps.split_last()?;
        match (before, last) {
            ([], Step::Key(_)) => Some(Js::Undefined),
            _ => self.path(before)?.property(last),
        }
    }

    fn spend(&self) -> Option<()> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(())
    }
}

fn returned(completion: Completion) -> Js {
    match completion {
        Completion::Returned(value) => value,
        Completion::Normal(_) => Js::Undefined,
    }
}
