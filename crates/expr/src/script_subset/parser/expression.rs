//! Expressions, from the loosest operator to the tightest.

use super::{DEPTH_MAX, LINKS_MAX, Parser};
use crate::path::Step;
use crate::script_subset::lexer::TokenKind;
use crate::script_subset::method::Method;
use crate::script_subset::number;
use crate::script_subset::syntax::{Binary, Expr, Unary};
use crate::script_subset::value::Js;

/// What every object has without being told.
const INHERITED: &str = "__defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__ __proto__ constructor \
    hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf";

impl Parser {
    pub(super) fn assignment(&mut self) -> Option<Expr> {
        let start = self.at;
        if let Some(name) = self.name() {
            let operator = match self.sign() {
                Some("=") => Some(None),
                Some("+=") => Some(Some(Binary::Add)),
                Some("-=") => Some(Some(Binary::Subtract)),
                Some("*=") => Some(Some(Binary::Multiply)),
                Some(_) | None => None,
            };
            if let Some(operator) = operator {
                self.at += 1;
                let slot = self.scope.find_mutable(&name)?;
                let value = self.expression()?;
                let value = match operator {
                    None => value,
                    Some(operator) => Expr::Binary(operator, [Expr::Variable(slot), value].into()),
                };
                return Some(Expr::Assign(slot, value.into()));
            }
        }
        self.at = start;
        self.expression()
    }

    pub(super) fn expression(&mut self) -> Option<Expr> {
        self.deeper(|parser| {
            let condition = parser.logical()?;
            if !parser.eat("?") {
                return Some(condition);
            }
            let then = parser.expression()?;
            parser.expect(":")?;
            Some(Expr::Choice([condition, then, parser.expression()?].into()))
        })
    }

    /// `&&` and `||`, or `??`, which may not stand beside them.
    pub(super) fn logical(&mut self) -> Option<Expr> {
        let mut left = self.equality()?;
        if !self.sees("??") {
            left = self.or(left)?;
            return (!self.sees("??")).then_some(left);
        }
        while self.eat("??") {
            self.link()?;
            left = Expr::Default([left, self.equality()?].into());
        }
        (!self.sees("&&") && !self.sees("||")).then_some(left)
    }

    pub(super) fn or(&mut self, first: Expr) -> Option<Expr> {
        let mut left = self.and(first)?;
        while self.eat("||") {
            self.link()?;
            let next = self.equality()?;
            left = Expr::Or([left, self.and(next)?].into());
        }
        Some(left)
    }

    pub(super) fn and(&mut self, first: Expr) -> Option<Expr> {
        let mut left = first;
        while self.eat("&&") {
            self.link()?;
            left = Expr::And([left, self.equality()?].into());
        }
        Some(left)
    }

    pub(super) fn equality(&mut self) -> Option<Expr> {
        self.chain(Parser::relation, |sign| match sign {
            "==" => Some(Binary::Equal),
            "!=" => Some(Binary::NotEqual),
            "===" => Some(Binary::Same),
            "!==" => Some(Binary::NotSame),
            _ => None,
        })
    }

    pub(super) fn relation(&mut self) -> Option<Expr> {
        self.chain(Parser::sum, |sign| match sign {
            "<" => Some(Binary::Less),
            "<=" => Some(Binary::LessOrEqual),
            ">" => Some(Binary::Greater),
            ">=" => Some(Binary::GreaterOrEqual),
            _ => None,
        })
    }

    pub(super) fn sum(&mut self) -> Option<Expr> {
        self.chain(Parser::product, |sign| match sign {
            "+" => Some(Binary::Add),
            "-" => Some(Binary::Subtract),
            _ => None,
        })
    }

    pub(super) fn product(&mut self) -> Option<Expr> {
        self.chain(Parser::unary, |sign| match sign {
            "*" => Some(Binary::Multiply),
            "/" => Some(Binary::Divide),
            "%" => Some(Binary::Remainder),
            _ => None,
        })
    }

    /// Operators of one strength, from left to right.
    pub(super) fn chain(
        &mut self,
        operand: fn(&mut Parser) -> Option<Expr>,
        operator: fn(&str) -> Option<Binary>,
    ) -> Option<Expr> {
        let mut left = operand(self)?;
        while let Some(operator) = self.sign().and_then(operator) {
            self.at += 1;
            self.link()?;
            left = Expr::Binary(operator, [left, operand(self)?].into());
        }
        Some(left)
    }

    pub(super) fn unary(&mut self) -> Option<Expr> {
        let operator = match &self.tokens.get(self.at)?.kind {
            TokenKind::Sign("!") => Unary::Not,
            TokenKind::Sign("-") => Unary::Minus,
            TokenKind::Sign("+") => Unary::Plus,
            TokenKind::Word(word) if &**word == "typeof" => Unary::TypeOf,
            TokenKind::Word(_) | TokenKind::Number(_) | TokenKind::Text(_) | TokenKind::Sign(_) => {
                return self.postfix();
            }
        };
        self.at += 1;
        self.deeper(|parser| parser.unary().map(|operand| Expr::Unary(operator, operand.into())))
    }

    /// A value, and the properties and methods that are asked of it.
    pub(super) fn postfix(&mut self) -> Option<Expr> {
        let mut value = if self.word() == Some("$") { self.path()? } else { self.primary()? };
        loop {
            if let Some(method) = self.next_method() {
                self.link()?;
                self.at += 3;
                let argument = if method.has_argument() { Some(Box::new(self.expression()?)) } else { None };
                self.expect(")")?;
                value = Expr::Method(value.into(), method, argument);
            } else if let Some(step) = self.step()? {
                self.link()?;
                value = Expr::Property(value.into(), step);
            } else {
                return (!self.sees("(")).then_some(value);
            }
        }
    }

    /// `$` and the steps after it.
    pub(super) fn path(&mut self) -> Option<Expr> {
        self.at += 1;
        let mut steps = Vec::new();
        while self.next_method().is_none()
            && let Some(step) = self.step()?
        {
            steps.push(step);
        }
        // All of the input is more than a condition wants.
        let is_path = matches!(steps.first(), Some(Step::Key(_))) && steps.len() <= DEPTH_MAX as usize;
        is_path.then(|| Expr::Path(steps.into()))
    }

    /// The method that is called next, as `.trim(`.
    pub(super) fn next_method(&self) -> Option<Method> {
        let [dot, name, open] = self.tokens.get(self.at..self.at + 3)? else { return None };
        let is_call = dot.kind == TokenKind::Sign(".") && open.kind == TokenKind::Sign("(");
        match &name.kind {
            TokenKind::Word(name) if is_call => Method::named(name),
            TokenKind::Word(_) | TokenKind::Number(_) | TokenKind::Text(_) | TokenKind::Sign(_) => None,
        }
    }

    /// `.name` or `['name']` or `[0]`, if one comes next.
    pub(super) fn step(&mut self) -> Option<Option<Step>> {
        if self.eat(".") {
            let name: Box<str> = self.word()?.into();
            self.at += 1;
            return property(&name).map(Some);
        }
        if !self.eat("[") {
            return Some(None);
        }
        let step = match &self.tokens.get(self.at)?.kind {
            TokenKind::Text(text) => property(text)?,
            TokenKind::Number(number) => property(&number::to_text(*number))?,
            TokenKind::Word(_) | TokenKind::Sign(_) => return None,
        };
        self.at += 1;
        self.expect("]")?;
        Some(Some(step))
    }

    pub(super) fn primary(&mut self) -> Option<Expr> {
        let value = match &self.tokens.get(self.at)?.kind {
            TokenKind::Number(number) => Js::Number(*number),
            TokenKind::Text(text) => Js::text(text),
            TokenKind::Sign("(") => return self.deeper(Parser::parenthesised),
            TokenKind::Sign("[") => return self.deeper(Parser::list),
            TokenKind::Sign("{") => return self.deeper(Parser::object),
            TokenKind::Sign(_) => return None,
            TokenKind::Word(word) => match &**word {
                "true" => Js::Truth(true),
                "false" => Js::Truth(false),
                "null" => Js::Null,
                "undefined" => Js::Undefined,
                "NaN" => Js::Number(f64::NAN),
                "Infinity" => Js::Number(f64::INFINITY),
                _ => return self.named(),
            },
        };
        self.at += 1;
        Some(Expr::Literal(value))
    }

    /// `[a, b]`.
    pub(super) fn list(&mut self) -> Option<Expr> {
        self.at += 1;
        let mut parts = Vec::new();
        while !self.eat("]") {
            parts.push(self.expression()?);
            if !self.sees("]") {
                self.expect(",")?;
            }
        }
        Some(Expr::List(parts.into()))
    }

    /// `{a: 1, 'b': 2, c}`.
    pub(super) fn object(&mut self) -> Option<Expr> {
        self.at += 1;
        let mut members: Vec<(Box<str>, Expr)> = Vec::new();
        while !self.eat("}") {
            let member = self.member()?;
            // Of two of one name the last value counts, at the first place.
            if members.iter().any(|(known, _)| *known == member.0) {
                return None;
            }
            members.push(member);
            if !self.sees("}") {
                self.expect(",")?;
            }
        }
        Some(Expr::Object(members.into()))
    }

    /// `a: 1`, or `a`, which is the variable.
    pub(super) fn member(&mut self) -> Option<(Box<str>, Expr)> {
        let (start, key) = (self.at, self.key()?);
        if self.eat(":") {
            return Some((key, self.expression()?));
        }
        self.at = start;
        let name = self.name()?;
        Some((key, Expr::Variable(self.scope.find(&name)?)))
    }

    /// The key of a member. What looks like an index would be written before the others.
    pub(super) fn key(&mut self) -> Option<Box<str>> {
        let key: Box<str> = match &self.tokens.get(self.at)?.kind {
            TokenKind::Word(key) | TokenKind::Text(key) => key.clone(),
            TokenKind::Number(_) | TokenKind::Sign(_) => return None,
        };
        self.at += 1;
        matches!(property(&key)?, Step::Key(_)).then_some(key)
    }

    /// A variable, or a call of a declared function.
    pub(super) fn named(&mut self) -> Option<Expr> {
        let name = self.name()?;
        if let Some(slot) = self.scope.find(&name) {
            return Some(Expr::Variable(slot));
        }
        let (parameters, function) = self.functions.get(&name).cloned()?;
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.eat(")") {
            arguments.push(self.expression()?);
            if !self.sees(")") {
                self.expect(",")?;
            }
        }
        (arguments.len() <= parameters).then(|| Expr::Call(function, arguments.into()))
    }

    /// `(a)`, or a function that is called at once: `(function () {…})()`, `(function () {…}())`, `(() => a)()`.
    pub(super) fn parenthesised(&mut self) -> Option<Expr> {
        self.at += 1;
        if self.eat_word("function") {
            if self.word().is_some() {
                // Its own name, which is seen by nobody but itself.
                let name = self.name()?;
                self.scope.reserve(&name)?;
            }
            return self.function_called(false);
        }
        if self.is_arrow_function() {
            return self.function_called(true);
        }
        let value = self.expression()?;
        self.expect(")")?;
        Some(value)
    }

    /// One more operator: chains of them nest to the left, out of sight of `deeper`.
    pub(super) fn link(&mut self) -> Option<()> {
        self.links += 1;
        (self.links <= LINKS_MAX).then_some(())
    }
}

/// A property by its name: what looks like an index is one.
fn property(name: &str) -> Option<Step> {
    if INHERITED.split(' ').any(|inherited| inherited == name) {
        return None;
    }
    let index = name.parse::<u32>().ok().filter(|index| index.to_string() == name && *index != u32::MAX);
    Some(index.map_or_else(|| Step::Key(name.into()), |index| Step::Index(index.into())))
}
