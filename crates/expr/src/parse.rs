//! The language of expressions, from its text to a tree.
//!
//! From the loosest to the tightest: `or`, `and`, `not`, comparisons, `+ -`, `* / %`, the sign, steps of a path.
//! Chains of equal rank become one node, so that the tree is only as deep as the source is nested.

use crate::cursor::{Cursor, Language, check_length, unknown};
use crate::error::ParseError;
use crate::function::Function;
use crate::path::{Path, parse_steps};
use crate::pattern::Pattern;
use crate::syntax::{Arithmetic, Comparison, Expr, ExprKind};
use crate::value::Value;

/// What stands between two operands of a comparison.
#[derive(Clone, Copy)]
enum Relation {
    Compare(Comparison),
    Matches,
}

const WORDS: [(&str, Relation); 8] = [
    ("equals", Relation::Compare(Comparison::Equal)),
    ("not_equals", Relation::Compare(Comparison::NotEqual)),
    ("less_than", Relation::Compare(Comparison::Less)),
    ("greater_than", Relation::Compare(Comparison::Greater)),
    ("contains", Relation::Compare(Comparison::Contains)),
    ("in", Relation::Compare(Comparison::In)),
    ("matches", Relation::Matches),
    ("regex", Relation::Matches),
];

const SIGNS: [(&str, Relation); 6] = [
    ("==", Relation::Compare(Comparison::Equal)),
    ("!=", Relation::Compare(Comparison::NotEqual)),
    ("<=", Relation::Compare(Comparison::LessOrEqual)),
    (">=", Relation::Compare(Comparison::GreaterOrEqual)),
    ("<", Relation::Compare(Comparison::Less)),
    (">", Relation::Compare(Comparison::Greater)),
];

/// Signs of other languages, and what they are here.
const FOREIGN: [(&str, &str); 9] = [
    ("===", "=="),
    ("!==", "!="),
    ("<>", "!="),
    ("=~", "matches"),
    ("&&", "and"),
    ("||", "or"),
    ("=", "=="),
    ("!", "not"),
    ("&", "and"),
];

/// Reads a whole source.
pub(crate) fn parse(source: &str) -> Result<Expr, ParseError> {
    check_length(source)?;
    let mut parser = Parser { cursor: &mut Cursor::new(source, 0, Language::Expression), filter: false };
    let expr = parser.expression()?;
    parser.end()?;
    Ok(expr)
}

/// Reads the condition of a filter, in which `@` is the element and `&& || ! =~` have their usual meaning.
pub(crate) fn parse_filter(cursor: &mut Cursor<'_>) -> Result<Expr, ParseError> {
    let language = std::mem::replace(&mut cursor.language, Language::Expression);
    let parsed = cursor.nested(|cursor| Parser { cursor, filter: true }.expression());
    cursor.language = language;
    parsed
}

struct Parser<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    filter: bool,
}

impl Parser<'_, '_> {
    fn expression(&mut self) -> Result<Expr, ParseError> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.word("or") || (self.filter && self.cursor.eat_spaced("||")) {
            parts.push(self.all()?);
        }
        Ok(joined(parts, ExprKind::Any))
    }

    fn all(&mut self) -> Result<Expr, ParseError> {
        let first = self.not()?;
        let mut parts = vec![first];
        while self.word("and") || (self.filter && self.cursor.eat_spaced("&&")) {
            parts.push(self.not()?);
        }
        Ok(joined(parts, ExprKind::All))
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'_, '_>) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        let filter = self.filter;
        self.cursor.nested(|cursor| parse(&mut Parser { cursor, filter }))
    }

    fn not(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        if self.word("not") {
            let inner = self.nested(|parser| parser.not())?;
            return Ok(self.node(start, ExprKind::Not(inner.into())));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        let left = self.sum()?;
        let Some((negated, relation)) = self.relation()? else { return Ok(left) };
        let right = self.sum()?;
        let compared = self.related(start, relation, left, right)?;
        self.refuse_second_relation()?;
        Ok(if negated { self.node(start, ExprKind::Not(compared.into())) } else { compared })
    }

    fn related(&self, start: usize, relation: Relation, left: Expr, right: Expr) -> Result<Expr, ParseError> {
        Ok(self.node(
            start,
            match relation {
                Relation::Compare(comparison) => ExprKind::Compare(comparison, [left, right].into()),
                Relation::Matches => ExprKind::Matches(left.into(), Pattern::parse(right)?),
            },
        ))
    }

    /// The operator of a comparison, if one comes next, and whether `not` stands before it.
    fn relation(&mut self) -> Result<Option<(bool, Relation)>, ParseError> {
        self.cursor.skip_space();
        if self.filter
            && let Some(found) = self.filter_relation()
        {
            return Ok(Some(found));
        }
        self.refuse_foreign()?;
        if let Some((sign, relation)) = SIGNS.iter().find(|(sign, _)| self.cursor.sees(sign)) {
            self.cursor.eat(sign);
            return Ok(Some((false, *relation)));
        }
        let before = self.cursor.at;
        let negated = self.word("not");
        self.cursor.skip_space();
        let name = self.cursor.name();
        if let Some((word, relation)) = WORDS.iter().find(|(word, _)| *word == name) {
            self.cursor.eat(word);
            return Ok(Some((negated, *relation)));
        }
        self.cursor.at = before;
        Ok(None)
    }

    /// Operators that only filters have.
    fn filter_relation(&mut self) -> Option<(bool, Relation)> {
        if self.cursor.eat("=~") {
            return Some((false, Relation::Matches));
        }
        self.word("nin").then_some((true, Relation::Compare(Comparison::In)))
    }

    fn refuse_second_relation(&mut self) -> Result<(), ParseError> {
        let start = self.start();
        match self.relation()? {
            None => Ok(()),
            Some(_) => Err(ParseError::new(start..self.cursor.at, "comparisons cannot be chained")
                .hint("write `a < b and b < c`")),
        }
    }

    /// Signs of other languages get the name of ours.
    fn refuse_foreign(&self) -> Result<(), ParseError> {
        let rest = self.cursor.rest();
        let ours = ["==", "!="].iter().any(|sign| rest.starts_with(sign) && !rest[2..].starts_with('='));
        let Some((sign, meant)) = FOREIGN.iter().find(|(sign, _)| rest.starts_with(sign)) else {
            return Ok(());
        };
        if ours || (self.filter && matches!(*sign, "&&" | "||" | "!")) {
            return Ok(());
        }
        let at = self.cursor.at..self.cursor.at + sign.len();
        Err(ParseError::new(at, format!("unknown operator `{sign}`")).hint(format!("write `{meant}`")))
    }

    fn sum(&mut self) -> Result<Expr, ParseError> {
        let first = self.product()?;
        let mut rest = Vec::new();
        loop {
            self.cursor.skip_space();
            let operator = match self.cursor.peek() {
                Some('+') => Arithmetic::Add,
                Some('-') => Arithmetic::Subtract,
                Some(_) | None => return Ok(chained(first, rest)),
            };
            self.cursor.at += 1;
            rest.push((operator, self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, ParseError> {
        let first = self.signed()?;
        let mut rest = Vec::new();
        loop {
            self.cursor.skip_space();
            let operator = match self.cursor.peek() {
                Some('*') => Arithmetic::Multiply,
                Some('/') => Arithmetic::Divide,
                Some('%') => Arithmetic::Remainder,
                Some(_) | None => return Ok(chained(first, rest)),
            };
            self.cursor.at += 1;
            rest.push((operator, self.signed()?));
        }
    }

    fn signed(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        if self.filter && self.cursor.sees("!") && !self.cursor.sees("!=") {
            self.cursor.eat("!");
            let inner = self.nested(|parser| parser.signed())?;
            return Ok(self.node(start, ExprKind::Not(inner.into())));
        }
        if self.cursor.eat("-") {
            let inner = self.nested(|parser| parser.signed())?;
            return Ok(self.node(start, negated(inner)));
        }
        let primary = self.primary()?;
        let steps = parse_steps(self.cursor)?;
        if steps.is_empty() {
            return Ok(primary);
        }
        Ok(self.node(start, ExprKind::Steps(primary.into(), steps)))
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        match self.cursor.peek() {
            Some('(') => self.nested(|parser| {
                parser.cursor.eat("(");
                let inner = parser.expression()?;
                parser.close(")")?;
                Ok(inner)
            }),
            Some('[') => self.nested(|parser| {
                parser.cursor.eat("[");
                let parts = parser.listed("]")?;
                Ok(parser.node(start, ExprKind::List(parts)))
            }),
            Some('\'' | '"') => {
                let text = self.cursor.quoted()?;
                Ok(self.node(start, ExprKind::Literal(Value::Text(text.into()))))
            }
            Some('@') if self.filter => {
                self.cursor.eat("@");
                let steps = parse_steps(self.cursor)?;
                Ok(self.node(start, ExprKind::Here(steps)))
            }
            Some('0'..='9') if !self.is_name_with_digits() => self.number(),
            Some('!') => Err(self.cursor.here("unknown operator `!`").hint("write `not`")),
            Some('$') if self.cursor.sees("${") => Err(self
                .cursor
                .here("an expression names values without `${}`")
                .hint("write the path alone, as in `inputs.month`")),
            Some(_) | None => self.named(),
        }
    }

    /// A name such as `2024-import`: it begins like a number and is none.
    fn is_name_with_digits(&self) -> bool {
        let name = self.cursor.name();
        name.contains(|c: char| c.is_alphabetic() || c == '_') && number_end(self.cursor.rest()) < name.len()
    }

    fn number(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.at;
        let rest = self.cursor.rest();
        let text = &rest[..number_end(rest)];
        self.cursor.at += text.len();
        if text.len() > 1 && text.starts_with('0') && text.as_bytes()[1].is_ascii_digit() {
            return Err(ParseError::new(start..self.cursor.at, "a number does not begin with 0")
                .hint(format!("write `{}`, or `'{text}'` for the text", text.trim_start_matches('0'))));
        }
        Ok(self.node(start, ExprKind::Literal(Value::number(text))))
    }

    /// A word: a constant, a function, or the name of a value.
    fn named(&mut self) -> Result<Expr, ParseError> {
        let start = self.cursor.at;
        let name = self.cursor.name();
        let after = self.cursor.source[start + name.len()..].chars().next();
        if after == Some('(') {
            return self.call(start, name.to_owned());
        }
        let constant = match name {
            _ if matches!(after, Some('.' | '[')) => None,
            "true" => Some(Value::Truth(true)),
            "false" => Some(Value::Truth(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(constant) = constant {
            self.cursor.at += name.len();
            return Ok(self.node(start, ExprKind::Literal(constant)));
        }
        if name.is_empty() {
            return Err(self.cursor.unexpected("a value"));
        }
        if self.filter {
            return Err(ParseError::new(start..start + name.len(), "a filter sees its element alone")
                .hint("write `@` for the element, as in `[?(@.x > 1)]`"));
        }
        let path = Path::parse(self.cursor)?;
        Ok(self.node(start, ExprKind::Path(path)))
    }

    fn call(&mut self, start: usize, name: String) -> Result<Expr, ParseError> {
        self.cursor.at += name.len();
        let named = start..self.cursor.at;
        let arguments = self.nested(|parser| {
            parser.cursor.eat("(");
            parser.listed(")")
        })?;
        if let Some((_, relation)) = WORDS.iter().find(|(word, _)| *word == name) {
            return match <[Expr; 2]>::try_from(arguments.into_vec()) {
                Ok([left, right]) => self.related(start, *relation, left, right),
                Err(_) => Err(ParseError::new(named, format!("`{name}` takes two values"))),
            };
        }
        let known =
            Function::NAMES.iter().map(|(known, ..)| *known).chain(WORDS.iter().map(|(word, _)| *word));
        let Some((_, function, arity)) = Function::NAMES.iter().find(|(known, ..)| *known == name) else {
            return Err(unknown(named, "function", &name, known));
        };
        if !arity.contains(&arguments.len()) {
            return Err(ParseError::new(named, format!("`{name}` takes {}", counted(arity))));
        }
        Ok(self.node(start, ExprKind::Call(*function, arguments)))
    }

    /// Expressions between commas, up to `close`.
    fn listed(&mut self, close: &str) -> Result<Box<[Expr]>, ParseError> {
        let mut parts = Vec::new();
        if self.cursor.eat_spaced(close) {
            return Ok(parts.into());
        }
        loop {
            parts.push(self.expression()?);
            if !self.cursor.eat_spaced(",") {
                break;
            }
        }
        self.close(close)?;
        Ok(parts.into())
    }

    fn close(&mut self, close: &str) -> Result<(), ParseError> {
        if self.cursor.eat_spaced(close) {
            return Ok(());
        }
        self.refuse_rest().and_then(|()| self.cursor.expect(close))
    }

    fn end(&mut self) -> Result<(), ParseError> {
        self.refuse_rest()?;
        self.cursor.skip_space();
        match self.cursor.peek() {
            None => Ok(()),
            Some(_) => Err(self.cursor.unexpected("an operator or the end")),
        }
    }

    /// A word after a whole operand can only be a misspelt operator.
    fn refuse_rest(&mut self) -> Result<(), ParseError> {
        self.cursor.skip_space();
        self.refuse_foreign()?;
        let name = self.cursor.name();
        if name.is_empty() {
            return Ok(());
        }
        let known = ["and", "or", "not"].into_iter().chain(WORDS.iter().map(|(word, _)| *word));
        Err(unknown(self.cursor.at..self.cursor.at + name.len(), "operator", name, known))
    }

    /// Goes past `word` if it comes next as a word of its own, and not as the head of a path.
    fn word(&mut self, word: &str) -> bool {
        self.cursor.skip_space();
        let rest = &self.cursor.rest();
        let is_word = self.cursor.name() == word && !rest[word.len()..].starts_with('.');
        is_word && self.cursor.eat(word)
    }

    fn start(&mut self) -> usize {
        self.cursor.skip_space();
        self.cursor.at
    }

    fn node(&self, start: usize, kind: ExprKind) -> Expr {
        let read = self.cursor.source[start..self.cursor.at].trim_end();
        Expr { kind, at: start as u32..(start + read.len()) as u32 }
    }
}

/// One part stands for itself.
fn joined(mut parts: Vec<Expr>, join: impl FnOnce(Box<[Expr]>) -> ExprKind) -> Expr {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let at = parts[0].at.start..parts[parts.len() - 1].at.end;
    Expr { kind: join(parts.into()), at }
}

fn chained(first: Expr, rest: Vec<(Arithmetic, Expr)>) -> Expr {
    let Some((_, last)) = rest.last() else { return first };
    let at = first.at.start..last.at.end;
    Expr { kind: ExprKind::Chain(first.into(), rest.into()), at }
}

/// A sign before a number belongs to its digits.
fn negated(inner: Expr) -> ExprKind {
    match &inner.kind {
        ExprKind::Literal(Value::Number(digits)) if !digits.as_str().starts_with('-') => {
            ExprKind::Literal(Value::number(format!("-{}", digits.as_str())))
        }
        _ => ExprKind::Negate(inner.into()),
    }
}

/// Where the number that begins here ends.
fn number_end(rest: &str) -> usize {
    let digits =
        |from: usize| rest.as_bytes()[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    end
}

fn counted(arity: &std::ops::RangeInclusive<usize>) -> String {
    match (*arity.start(), *arity.end()) {
        (1, 1) => "one value".to_owned(),
        (low, usize::MAX) => format!("at least {low} values"),
        (low, high) if low == high => format!("{low} values"),
        (low, high) => format!("{low} or {high} values"),
    }
}
