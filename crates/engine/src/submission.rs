//! A run is accepted or refused, whole.

use std::collections::BTreeMap;

use partitur_expr::{Lookup, Step, Template, navigate};
use partitur_model::definition::{Definition, Dialect, InputKind, InputSpec};
use partitur_model::fault::did_you_mean;
use partitur_model::{Fault, Payload, Place};

use crate::program::Program;

/// A required input is missing.
const MISSING_INPUT: &str = "P0301";
/// An input is given that the document does not declare.
const UNKNOWN_INPUT: &str = "P0302";
/// An input has the wrong type or value.
const BAD_INPUT: &str = "P0303";
/// A target is no task of the document.
const UNKNOWN_TARGET: &str = "P0304";

/// The inputs of a run with defaults filled in.
///
/// # Errors
/// Every input that is missing, unknown, or of the wrong type or value.
pub fn complete_inputs(definition: &Definition, given: &Payload) -> Result<Payload, Vec<Fault>> {
    if definition.dialect == Dialect::Conductor {
        return Ok(complete_served(definition, given));
    }
    let mut faults = Vec::new();
    let entries = given.entries().unwrap_or_default();
    if !given.is_null() && given.entries().is_none() {
        faults.push(Fault::error(BAD_INPUT, Place::root(), "the inputs of a run are an object"));
    }
    for (name, _) in &entries {
        if !definition.inputs.iter().any(|spec| spec.name == **name) {
            faults.push(unknown_input(definition, name));
        }
    }
    let given: BTreeMap<_, _> = entries.into_iter().collect();
    let mut complete = Vec::new();
    for spec in &definition.inputs {
        match given.get(spec.name.as_str()).or(spec.default.as_ref()) {
            Some(value) => {
                faults.extend(value_fault(spec, value));
                complete.push((spec.name.as_str(), value.clone()));
            }
            None => faults.push(
                Fault::error(
                    MISSING_INPUT,
                    spec.place.clone(),
                    format!("the input `{}` is not given", spec.name),
                )
                .label("has no default")
                .hint(format!("give it with `--input {}=VALUE`", spec.name)),
            ),
        }
    }
    if faults.is_empty() { Ok(Payload::object(complete)) } else { Err(faults) }
}

/// Conductor takes whatever is given. Defaults fill what an input lacks, unless it is empty altogether.
fn complete_served(definition: &Definition, given: &Payload) -> Payload {
    let Some(mut entries) = given.entries().filter(|entries| !entries.is_empty()) else {
        return given.clone();
    };
    let mut filled = false;
    for spec in &definition.inputs {
        if let Some(default) =
            spec.default.as_ref().filter(|_| !entries.iter().any(|(name, _)| **name == spec.name))
        {
            entries.push((spec.name.as_str().into(), default.clone()));
            filled = true;
        }
    }
    if filled { Payload::object(entries) } else { given.clone() }
}

/// What the variables of a run are before anything sets them.
pub(crate) fn first_variables(program: &Program, input: &Payload) -> Payload {
    program.variables.as_ref().map_or(Payload::Null, |tree| tree.resolve(&InputsOnly(input)))
}

fn unknown_input(definition: &Definition, name: &str) -> Fault {
    let fault = Fault::error(
        UNKNOWN_INPUT,
        Place::root().member("inputs"),
        format!("the input `{name}` is not one of the document's"),
    );
    let known = definition.inputs.iter().map(|spec| spec.name.as_str());
    match did_you_mean(name, known.clone()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None if definition.inputs.is_empty() => fault.hint("the document takes no inputs"),
        None => fault.hint(format!("it takes {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn value_fault(spec: &InputSpec, value: &Payload) -> Option<Fault> {
    let tree = value.to_value();
    let problem = if let Some(kind) = spec.kind.filter(|kind| !has_kind(*kind, &tree)) {
        format!("must be {}", kind_name(kind))
    } else if !spec.one_of.is_empty() && !spec.one_of.iter().any(|allowed| allowed.to_value() == tree) {
        let allowed: Vec<String> = spec.one_of.iter().map(Payload::render).collect();
        format!("must be one of {}", allowed.join(", "))
    } else {
        let pattern = spec.pattern.as_deref()?;
        let text = tree.as_str().map_or_else(|| value.render(), str::to_owned);
        if matches_whole(pattern, &text) {
            return None;
        }
        format!("must match `{pattern}`")
    };
    let mut shown = value.render();
    shown.truncate(shown.char_indices().nth(60).map_or(shown.len(), |(at, _)| at));
    let message = format!("the input `{}` {problem}, and is {shown}", spec.name);
    Some(Fault::error(BAD_INPUT, spec.place.clone(), message).label("declared here"))
}

/// Whether the whole text matches; a pattern that cannot be read matches nothing (`check` reports it).
fn matches_whole(pattern: &str, text: &str) -> bool {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(256 * 1024)
        .build()
        .is_ok_and(|regex| regex.is_match(text))
}

fn has_kind(kind: InputKind, value: &serde_json::Value) -> bool {
    match kind {
        InputKind::String => value.is_string(),
        InputKind::Number => value.is_number(),
        InputKind::Integer => value.is_i64() || value.is_u64(),
        InputKind::Boolean => value.is_boolean(),
        InputKind::List => value.is_array(),
        InputKind::Object => value.is_object(),
    }
}

fn kind_name(kind: InputKind) -> &'static str {
    match kind {
        InputKind::String => "a string",
        InputKind::Number => "a number",
        InputKind::Integer => "a whole number",
        InputKind::Boolean => "true or false",
        InputKind::List => "a list",
        InputKind::Object => "an object",
    }
}

/// Targets that are no task of the document.
pub fn target_faults(definition: &Definition, targets: &[String]) -> Vec<Fault> {
    let known = || definition.root.nodes.iter().map(|node| node.name.as_str());
    targets
        .iter()
        .filter(|target| !known().any(|name| name == *target))
        .map(|target| {
            let message = format!("the target `{target}` is not a task of the document");
            let fault = Fault::error(UNKNOWN_TARGET, Place::root().member("tasks"), message);
            match did_you_mean(target, known()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault,
            }
        })
        .collect()
}

/// The key under which equal submissions share a run, from the document.
pub(crate) fn dedup_key(template: &Template, name: &str, input: &Payload) -> String {
    format!("{name}:{}", template.resolve_text(&InputsOnly(input)))
}

struct InputsOnly<'a>(&'a Payload);

impl Lookup for InputsOnly<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match (head, steps) {
            ("inputs", steps) => navigate(self.0, steps),
            ("workflow", [Step::Key(key), rest @ ..]) if &**key == "input" => navigate(self.0, rest),
            _ => None,
        }
    }
}
