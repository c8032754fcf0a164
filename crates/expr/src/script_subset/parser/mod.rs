//! Reads scripts. `None` is the answer to everything that is not surely in the part of the language that is known here.
//!
//! `statement.rs`, `expression.rs` and `function.rs` are the grammar; here is what they have in common.

mod expression;
mod function;
mod statement;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lexer::{Token, TokenKind, tokens};
use super::scope::Scope;
use super::syntax::{Function, Program};

/// Nothing nests deeper.
const DEPTH_MAX: u32 = 100;

/// No script has more operators.
const LINKS_MAX: u32 = 300;

/// Words that are no names of variables, or have a meaning of their own.
const RESERVED: &str = "Infinity NaN arguments as async await break case catch class const continue debugger default \
    delete do else enum eval export extends false finally for from function get globalThis if \
    implements import in instanceof interface let new null of package private protected public \
    return set static super switch this throw true try typeof undefined var void while with yield";

/// Reads a program, whose value is its completion value.
pub(super) fn program(source: &str) -> Option<Program> {
    Parser::new(source)?.whole(false)
}

/// Reads the body of a function.
pub(super) fn body(source: &str) -> Option<Program> {
    Parser::new(source)?.whole(true)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    links: u32,
    scope: Scope,
    functions: BTreeMap<Box<str>, (usize, Arc<Function>)>,
    is_in_function: bool,
}

impl Parser {
    fn new(source: &str) -> Option<Parser> {
        let (scope, functions) = (Scope::default(), BTreeMap::new());
        Some(Parser {
            tokens: tokens(source)?,
            at: 0,
            depth: 0,
            links: 0,
            scope,
            functions,
            is_in_function: false,
        })
    }

    fn whole(mut self, is_body: bool) -> Option<Program> {
        self.is_in_function = is_body;
        let mut statements = Vec::new();
        while self.at < self.tokens.len() {
            statements.push(self.statement_or_declaration(true)?);
        }
        let body = Function { slots: self.scope.slots(), statements: statements.into() };
        Some(Program { body, has_completion: !is_body })
    }

    /// The name of a variable, which is not `$`.
    fn name(&mut self) -> Option<Box<str>> {
        let name: Box<str> = self.word()?.into();
        if &*name == "$" || RESERVED.split(' ').any(|word| word == &*name) {
            return None;
        }
        self.at += 1;
        Some(name)
    }

    fn word(&self) -> Option<&str> {
        match &self.tokens.get(self.at)?.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Number(_) | TokenKind::Text(_) | TokenKind::Sign(_) => None,
        }
    }

    fn sign(&self) -> Option<&'static str> {
        match self.tokens.get(self.at)?.kind {
            TokenKind::Sign(sign) => Some(sign),
            TokenKind::Word(_) | TokenKind::Number(_) | TokenKind::Text(_) => None,
        }
    }

    fn sees(&self, sign: &str) -> bool {
        self.sign() == Some(sign)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is_seen = self.sees(sign);
        self.at += usize::from(is_seen);
        is_seen
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_seen = self.word() == Some(word);
        self.at += usize::from(is_seen);
        is_seen
    }

    fn expect(&mut self, sign: &str) -> Option<()> {
        self.eat(sign).then_some(())
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Parser) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}
