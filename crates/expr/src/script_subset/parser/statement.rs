//! Statements, and where they end.

use super::Parser;
use crate::script_subset::lexer::TokenKind;
use crate::script_subset::scope::Declared;
use crate::script_subset::syntax::{Expr, Statement};
use crate::script_subset::value::Js;

impl Parser {
    pub(super) fn statement_or_declaration(&mut self, is_outermost: bool) -> Option<Statement> {
        match self.word() {
            Some("var") => self.declaration(Declared::Var),
            Some("let") => self.declaration(Declared::Let),
            Some("const") => self.declaration(Declared::Const),
            Some("function") if is_outermost => self.function_declaration(),
            Some(_) | None => self.statement(),
        }
    }

    pub(super) fn statement(&mut self) -> Option<Statement> {
        self.deeper(|parser| match parser.word() {
            Some("if") => parser.if_statement(),
            Some("return") => parser.return_statement(),
            // A `var` may stand alone, the others may not.
            Some("var") => parser.declaration(Declared::Var),
            Some(_) => parser.expression_statement(),
            None if parser.sees(";") => {
                parser.at += 1;
                Some(Statement::Empty)
            }
            None if parser.sees("{") => parser.block().map(Statement::Block),
            None => parser.expression_statement(),
        })
    }

    pub(super) fn block(&mut self) -> Option<Box<[Statement]>> {
        let mark = self.scope.mark();
        let statements = self.braced()?;
        self.scope.leave_block(&mark);
        Some(statements)
    }

    pub(super) fn braced(&mut self) -> Option<Box<[Statement]>> {
        self.expect("{")?;
        let mut statements = Vec::new();
        while !self.eat("}") {
            statements.push(self.statement_or_declaration(false)?);
        }
        Some(statements.into())
    }

    pub(super) fn if_statement(&mut self) -> Option<Statement> {
        self.at += 1;
        self.expect("(")?;
        let condition = self.expression()?;
        self.expect(")")?;
        let then = self.statement()?;
        let otherwise = if self.eat_word("else") { Some(self.statement()?) } else { None };
        Some(Statement::If(condition, then.into(), otherwise.into()))
    }

    pub(super) fn return_statement(&mut self) -> Option<Statement> {
        self.at += 1;
        if !self.is_in_function {
            return None;
        }
        // What stands on the next line is not returned, which is seldom meant.
        let next = self.tokens.get(self.at);
        let is_bare = next.is_none_or(|token| matches!(token.kind, TokenKind::Sign(";" | "}")));
        if !is_bare && next.is_some_and(|token| token.is_first_on_line) {
            return None;
        }
        let value = if is_bare { Expr::Literal(Js::Undefined) } else { self.expression()? };
        self.end_of_statement()?;
        Some(Statement::Return(value))
    }

    pub(super) fn expression_statement(&mut self) -> Option<Statement> {
        let expr = self.assignment()?;
        self.end_of_statement()?;
        Some(Statement::Expression(expr))
    }

    pub(super) fn declaration(&mut self, declared: Declared) -> Option<Statement> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            let name = self.name()?;
            let value = if self.eat("=") { Some(self.expression()?) } else { None };
            // Declared after its value was read, so that the value cannot be made of itself.
            let slot = self.scope.declare(&name, declared)?;
            match (value, declared) {
                (Some(value), _) => values.push((slot, value)),
                (None, Declared::Const) => return None,
                (None, Declared::Var | Declared::Let) => {}
            }
            if !self.eat(",") {
                break;
            }
        }
        self.end_of_statement()?;
        Some(Statement::Declare(values.into()))
    }

    /// A semicolon, or what JavaScript takes for one.
    pub(super) fn end_of_statement(&mut self) -> Option<()> {
        if self.eat(";") || self.at == self.tokens.len() || self.sees("}") {
            return Some(());
        }
        let next = self.tokens.get(self.at)?;
        let begins_statement = match &next.kind {
            TokenKind::Word(word) => !matches!(&**word, "in" | "instanceof" | "of" | "as"),
            TokenKind::Number(_) | TokenKind::Text(_) => true,
            // Everything else might go on with the expression.
            TokenKind::Sign(sign) => matches!(*sign, "{" | "!"),
        };
        (next.is_first_on_line && begins_statement).then_some(())
    }
}
