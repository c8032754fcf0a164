//! Functions: declared ones, and those that are called where they stand.

use std::sync::Arc;

use super::Parser;
use crate::script_subset::lexer::TokenKind;
use crate::script_subset::scope::Declared;
use crate::script_subset::syntax::{Expr, Function, Statement};

impl Parser {
    /// A function that is called later. It sees nothing of what is around it but `$` and the functions before it.
    pub(super) fn function_declaration(&mut self) -> Option<Statement> {
        self.at += 1;
        let name = self.name()?;
        self.scope.reserve(&name)?;
        let outer = (std::mem::take(&mut self.scope), self.is_in_function);
        self.is_in_function = true;
        for known in self.functions.keys() {
            self.scope.reserve(known)?;
        }
        let parameters = self.parameters()?;
        for parameter in &parameters {
            self.scope.declare(parameter, Declared::Var)?;
        }
        let statements = self.braced()?;
        let function = Function { slots: self.scope.slots(), statements };
        (self.scope, self.is_in_function) = outer;
        self.functions.insert(name, (parameters.len(), Arc::new(function)));
        Some(Statement::Empty)
    }

    pub(super) fn is_arrow_function(&self) -> bool {
        let kinds = |at: usize| self.tokens.get(at).map(|token| &token.kind);
        match kinds(self.at) {
            Some(TokenKind::Word(_)) => kinds(self.at + 1) == Some(&TokenKind::Sign("=>")),
            Some(TokenKind::Sign("(")) => {
                let inner = self.tokens[self.at + 1..].iter();
                let close =
                    inner.take_while(|token| token.kind != TokenKind::Sign(")")).count() + self.at + 1;
                kinds(close + 1) == Some(&TokenKind::Sign("=>"))
            }
            Some(TokenKind::Sign(_) | TokenKind::Number(_) | TokenKind::Text(_)) | None => false,
        }
    }

    /// From its parameters to the end of its call. It is read as part of what is around it.
    pub(super) fn function_called(&mut self, is_arrow: bool) -> Option<Expr> {
        let parameters =
            if is_arrow && self.word().is_some() { vec![self.parameter()?] } else { self.parameters()? };
        if is_arrow {
            // A line may not end before the arrow.
            self.tokens.get(self.at).filter(|token| !token.is_first_on_line)?;
            self.expect("=>")?;
        }
        let mark = self.scope.mark();
        let slots = self.declare_parameters(&parameters)?;
        let was_in_function = std::mem::replace(&mut self.is_in_function, true);
        let statements = if is_arrow && !self.sees("{") {
            [Statement::Return(self.expression()?)].into()
        } else {
            self.braced()?
        };
        self.is_in_function = was_in_function;
        self.scope.leave_function(&mark);
        // An arrow function has to be in parentheses to be called.
        let arguments = if !is_arrow && self.sees("(") {
            let arguments = self.arguments_for(&slots)?;
            self.expect(")")?;
            arguments
        } else {
            self.expect(")")?;
            self.arguments_for(&slots)?
        };
        Some(Expr::Here(arguments, statements))
    }

    /// The slots of parameters; none for `$`, which may only be given as what it is anyway.
    pub(super) fn declare_parameters(&mut self, parameters: &[Box<str>]) -> Option<Vec<Option<usize>>> {
        let declare = |name| match name {
            "$" => Some(None),
            name => self.scope.declare(name, Declared::Var).map(Some),
        };
        parameters.iter().map(|name| &**name).map(declare).collect()
    }

    pub(super) fn arguments_for(&mut self, slots: &[Option<usize>]) -> Option<Box<[(usize, Expr)]>> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        for (at, slot) in slots.iter().enumerate() {
            if self.sees(")") && slot.is_some() {
                break;
            }
            if at > 0 {
                self.expect(",")?;
            }
            match slot {
                Some(slot) => arguments.push((*slot, self.expression()?)),
                None => self.eat_word("$").then_some(())?,
            }
        }
        self.expect(")")?;
        Some(arguments.into())
    }

    pub(super) fn parameters(&mut self) -> Option<Vec<Box<str>>> {
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.eat(")") {
            parameters.push(self.parameter()?);
            if !self.sees(")") {
                self.expect(",")?;
            }
        }
        Some(parameters)
    }

    pub(super) fn parameter(&mut self) -> Option<Box<str>> {
        if self.eat_word("$") { Some("$".into()) } else { self.name() }
    }
}
