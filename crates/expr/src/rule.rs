//! Rules: conditions that set values or fail.

use std::sync::Arc;

use partitur_model::Payload;
use partitur_model::definition::{Rule, RuleSet};

use crate::Lookup;
use crate::error::{ParseError, RuleFailure};
use crate::expression::Expression;
use crate::path::Path;
use crate::template::Template;
use crate::tree::Tree;

/// Rules in the order in which they are tried. All see the same values: what one sets, the next does not see.
#[derive(Clone, Debug)]
pub struct Rules {
    first_only: bool,
    rules: Box<[Compiled]>,
}

#[derive(Clone, Debug)]
struct Compiled {
    name: Box<str>,
    condition: Expression,
    set: Tree,
    fail: Option<Template>,
}

impl Rules {
    /// Reads the sources of the rules.
    ///
    /// # Errors
    /// All that is wrong, each with its place inside, as `[0].condition`, `[1].set.a` or `[2].fail`.
    pub fn parse(set: &RuleSet) -> Result<Rules, Vec<(String, ParseError)>> {
        let mut errors = Vec::new();
        let rules = set.rules.iter().enumerate();
        let rules: Vec<_> = rules.filter_map(|(at, rule)| compile(at, rule, &mut errors)).collect();
        if errors.is_empty() {
            Ok(Rules { first_only: set.first_only, rules: rules.into() })
        } else {
            Err(errors)
        }
    }

    /// What the rules that fired have set, later ones over earlier ones, and under `fired` their names.
    ///
    /// # Errors
    /// The first rule that fired and fails, or that could not be evaluated.
    pub fn apply(&self, lookup: &dyn Lookup) -> Result<Payload, RuleFailure> {
        let (mut set, mut fired) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            let holds = rule.condition.truth(lookup).map_err(|error| rule.failure(error.to_string()))?;
            if !holds {
                continue;
            }
            if let Some(message) = &rule.fail {
                return Err(rule.failure(message.resolve_text(lookup)));
            }
            let values = rule.set.resolve(lookup);
            merge(&mut set, &values).ok_or_else(|| rule.failure("`set` is no object".to_owned()))?;
            fired.push(Payload::string(&rule.name));
            if self.first_only {
                break;
            }
        }
        put(&mut set, "fired".into(), Payload::list(fired));
        Ok(Payload::object(set))
    }

    /// The paths that may be looked up.
    pub fn paths(&self) -> Vec<&Path> {
        self.rules.iter().flat_map(Compiled::paths).collect()
    }

    /// Whether a name itself is only known when values are; see [`Template::has_open_head`].
    pub fn has_open_head(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.set.has_open_head() || rule.fail.as_ref().is_some_and(Template::has_open_head))
    }

    /// The conditions, in order, for checks such as [`Expression::nullable_orderings`].
    pub fn conditions(&self) -> impl Iterator<Item = &Expression> {
        self.rules.iter().map(|rule| &rule.condition)
    }
}

impl Compiled {
    fn failure(&self, message: String) -> RuleFailure {
        RuleFailure { rule: self.name.to_string(), message }
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let fail = self.fail.iter().flat_map(Template::paths);
        self.condition.paths().into_iter().chain(self.set.paths()).chain(fail)
    }
}

fn compile(at: usize, rule: &Rule, errors: &mut Vec<(String, ParseError)>) -> Option<Compiled> {
    let before = errors.len();
    let condition = keep(Expression::parse(&rule.condition.0), || format!("[{at}].condition"), errors);
    let fail =
        rule.fail.as_ref().map(|fail| keep(Template::parse(&fail.0), || format!("[{at}].fail"), errors));
    let set = compile_set(at, rule, errors);
    if errors.len() > before {
        return None;
    }
    let fail = match fail {
        None => None,
        Some(fail) => Some(fail?),
    };
    Some(Compiled { name: rule.name.as_str().into(), condition: condition?, set: set?, fail })
}

fn compile_set(at: usize, rule: &Rule, errors: &mut Vec<(String, ParseError)>) -> Option<Tree> {
    // A rule that only fails, or only counts as fired, sets nothing.
    let silent = Payload::object::<Arc<str>>([]);
    let source = if rule.set.0.is_null() { &silent } else { &rule.set.0 };
    match Tree::parse(source) {
        Ok(tree) if tree.may_be_object() => Some(tree),
        Ok(_) => {
            errors.push((format!("[{at}].set"), no_object()));
            None
        }
        Err(inside) => {
            errors.extend(inside.into_iter().map(|(place, error)| (joined(at, &place), error)));
            None
        }
    }
}

fn no_object() -> ParseError {
    ParseError::new(0..0, "a rule sets an object")
        .hint("write the names and their values, as in `{ level: high }`")
}

fn joined(at: usize, place: &str) -> String {
    let dot = if place.is_empty() || place.starts_with('[') { "" } else { "." };
    format!("[{at}].set{dot}{place}")
}

fn keep<T>(
    parsed: Result<T, ParseError>,
    place: impl FnOnce() -> String,
    errors: &mut Vec<(String, ParseError)>,
) -> Option<T> {
    parsed.map_err(|error| errors.push((place(), error))).ok()
}

/// Puts the members of `values` over those of `set`; `None` if it is no object.
fn merge(set: &mut Vec<(Arc<str>, Payload)>, values: &Payload) -> Option<()> {
    for (key, value) in values.entries()? {
        put(set, key, value);
    }
    Some(())
}

fn put(set: &mut Vec<(Arc<str>, Payload)>, key: Arc<str>, value: Payload) {
    match set.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => set.push((key, value)),
    }
}
