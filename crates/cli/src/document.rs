//! From the command line to a submission: the document, its inputs, its secrets.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use partitur::host::{LoadError, Loaded, load};
use partitur_engine::{complete_inputs, target_faults};
use partitur_formats::render;
use partitur_model::definition::{Definition, InputKind};
use partitur_model::fault::did_you_mean;
use partitur_model::{Fault, Payload, Severity};
use partitur_worker::{DirSecrets, EnvSecrets, Secrets};

use crate::failure::Failure;
use crate::ink::Colour;

/// Reads a document; every fault of it is in the error.
///
/// # Errors
/// [`Failure::Unreadable`] and [`Failure::Faulty`].
pub fn open(path: &Path, colour: Colour) -> Result<Loaded, Failure> {
    load(path).map_err(|error| match error {
        LoadError::Unreadable { path: shown, error } => {
            Failure::Unreadable { path: shown, reason: reason(&error), near: near_name(path) }
        }
        LoadError::Faulty { faults, places } => {
            let colour = colour.for_stream(&std::io::stderr());
            Failure::Faulty(format!("{}\n{}\n", render(&faults, &places, colour), tally(&faults)))
        }
    })
}

/// How many faults there are: `2 errors, 1 warning`.
pub fn tally(faults: &[Fault]) -> String {
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
    let warnings = faults.len() - errors;
    let count = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The system's words, without the number that Rust adds.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// A file in the same directory that may have been meant: by its name, or the same with another ending.
fn near_name(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)))
        .collect();
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let same_stem = names.iter().find(|name| stem(name) == stem(wanted)).map(String::as_str);
    let near = same_stem.or_else(|| did_you_mean(wanted, names.iter().map(String::as_str)))?;
    let shown: PathBuf = path.with_file_name(near);
    Some(shown.display().to_string())
}

/// The inputs of a run from `--input-file` and `--input`, complete and checked, and the targets checked with them.
///
/// # Errors
/// Everything that is wrong with them, at once.
pub fn inputs(
    definition: &Definition,
    file: Option<&Path>,
    pairs: &[String],
    targets: &[String],
) -> Result<Payload, Failure> {
    let mut given = match file {
        Some(path) => from_file(path)?,
        None => Vec::new(),
    };
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(Failure::usage(
                format!("`--input {pair}` gives no value"),
                format!("write `--input {pair}=VALUE`"),
            ));
        };
        given.retain(|(known, _)| known != name);
        given.push((name.to_owned(), typed(definition, name, text)));
    }
    let mut faults = target_faults(definition, targets);
    match complete_inputs(definition, &Payload::object(given)) {
        Ok(complete) if faults.is_empty() => Ok(complete),
        Ok(_) => Err(Failure::Inputs { faults }),
        Err(more) => {
            faults.splice(0..0, more);
            Err(Failure::Inputs { faults })
        }
    }
}

fn from_file(path: &Path) -> Result<Vec<(String, Payload)>, Failure> {
    let shown = path.display().to_string();
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        Some(_) | None => std::fs::read_to_string(path),
    };
    let text = text.map_err(|error| Failure::Unreadable {
        path: shown.clone(),
        reason: reason(&error),
        near: near_name(path),
    })?;
    let wrong = |why: String| {
        Failure::usage(format!("{shown} holds no inputs: {why}"), "it must hold one JSON object")
    };
    let parsed = Payload::parse(&text).map_err(|error| wrong(error.to_string()))?;
    let entries = parsed.entries().ok_or_else(|| wrong("it is no object".to_owned()))?;
    Ok(entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// What a declared string is given stays text; everything else is JSON, or text if it is none.
fn typed(definition: &Definition, name: &str, text: &str) -> Payload {
    let kind = definition.inputs.iter().find(|spec| spec.name == name).and_then(|spec| spec.kind);
    match kind {
        Some(InputKind::String) => Payload::string(text),
        Some(
            InputKind::Number | InputKind::Integer | InputKind::Boolean | InputKind::List | InputKind::Object,
        )
        | None => Payload::parse(text).unwrap_or_else(|_| Payload::string(text)),
    }
}

/// The values of the secrets that a document and its sub-flows declare.
///
/// # Errors
/// [`Failure::Secrets`] with every one that is not given.
pub fn secrets(definition: &Definition, dir: Option<&Path>) -> Result<Vec<(String, String)>, Failure> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let source = secret_source(dir);
    for name in secret_names(definition) {
        match source.get(name) {
            Some(value) => found.push((name.to_owned(), value)),
            None => missing.push(name.to_owned()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Failure::Secrets(missing)) }
}

fn secret_source(dir: Option<&Path>) -> Vec<Box<dyn Secrets>> {
    let environment: Vec<_> = std::env::vars_os().collect();
    let mut sources: Vec<Box<dyn Secrets>> = Vec::new();
    if let Some(dir) = dir {
        sources.push(Box::new(DirSecrets::new(dir)));
    }
    sources.push(Box::new(EnvSecrets::new(&environment)));
    sources
}

fn secret_names(definition: &Definition) -> Vec<&str> {
    let flows = definition.flows.values().flat_map(|flow| &flow.secrets);
    let mut names: Vec<&str> = definition.secrets.iter().chain(flows).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Shows warnings in one line, or all of them if there are few and somebody looks.
pub fn tell_warnings(loaded: &Loaded, path: &Path) {
    let count = loaded.warnings.len();
    if count > 0 && std::io::stderr().is_terminal() {
        let word = if count == 1 { "warning" } else { "warnings" };
        eprintln!("{count} {word}: `partitur check {}` shows what and where", path.display());
    }
}
