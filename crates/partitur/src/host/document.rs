//! From a file to a program, with everything that is wrong with it found on the way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use partitur_engine::{Program, compile, find_resources};
use partitur_formats::{Document, Places, definition_record, detect, read, read_record};
use partitur_model::definition::Definition;
use partitur_model::record::{DefinitionRecord, SourceFormat};
use partitur_model::{Fault, Payload, Place, Severity};
use partitur_script::Evaluator;

use super::conductor;

/// A document that may run.
pub struct Loaded {
    /// What was read.
    pub document: Document,
    /// Its sources, as they are submitted.
    pub record: DefinitionRecord,
    /// Compiled.
    pub program: Arc<Program>,
    /// The directory in which its tasks run, absolute.
    pub dir: PathBuf,
    /// What the reader should know.
    pub warnings: Vec<Fault>,
    /// What the input of a run must be: a JSON Schema.
    pub input_schema: Option<Arc<str>>,
}

impl Loaded {
    /// Compares an input with the schema that the document has for it.
    ///
    /// # Errors
    /// Everything that is not as it must be.
    pub fn check_input(&self, input: &Payload) -> Result<(), String> {
        let Some(schema) = self.input_schema.clone() else { return Ok(()) };
        let (sender, verdict) = std::sync::mpsc::channel();
        let evaluator = Evaluator::default();
        evaluator.evaluate(0, "schema", schema, input.clone(), move |verdict| {
            // Whoever asked waits below.
            let _ = sender.send(verdict);
        });
        match verdict.recv() {
            Ok(verdict) => verdict.map(drop).map_err(|error| error.message),
            Err(_) => Err("it was not compared with its schema".to_owned()),
        }
    }
}

/// A document that may not run.
#[derive(thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// What is wrong with it.
    #[error("{} faults", faults.len())]
    Faulty {
        /// All of them, warnings included.
        faults: Vec<Fault>,
        /// Where its places are.
        places: Box<Places>,
    },
}

impl std::fmt::Debug for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Unreadable { path, error } => write!(f, "{path}: {error}"),
            LoadError::Faulty { faults, .. } => write!(f, "{faults:?}"),
        }
    }
}

/// Reads, checks and compiles a document and its sub-flows.
///
/// # Errors
/// The file's, or every fault of the document at once.
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let unreadable = |error| LoadError::Unreadable { path: path.display().to_string(), error };
    load_text(path, &std::fs::read(path).map_err(unreadable)?)
}

/// As [`load`], of a document that would stand at `path`.
///
/// # Errors
/// As those of [`load`].
pub fn load_text(path: &Path, bytes: &[u8]) -> Result<Loaded, LoadError> {
    let unreadable = |error| LoadError::Unreadable { path: path.display().to_string(), error };
    let dir = std::path::absolute(path).map_err(unreadable)?.parent().map(Path::to_owned).unwrap_or_default();
    if let Ok(SourceFormat::Conductor) = detect(&path.to_string_lossy(), bytes) {
        return conductor::load(path, bytes, &dir);
    }
    let mut resolve =
        |flow: &str| std::fs::read(dir.join(flow)).map_err(|error| format!("cannot be read: {error}"));
    let mut document = read(&path.to_string_lossy(), bytes, &mut resolve)
        .map_err(|wrong| LoadError::Faulty { faults: wrong.faults, places: Box::new(wrong.places) })?;
    let mut faults = document.warnings.clone();
    faults.extend(find_resources(&mut document.definition).err().unwrap_or_default());
    faults.extend(partitur_engine::check(&document.definition));
    faults.extend(unsent(&document.definition));
    let program = match compile(&document.definition) {
        Ok(program) if !faults.iter().any(|fault| fault.severity == Severity::Error) => program,
        Ok(_) => return Err(LoadError::Faulty { faults, places: Box::new(document.places) }),
        Err(more) => {
            faults.extend(more.into_iter().filter(|fault| !faults.contains(fault)).collect::<Vec<_>>());
            return Err(LoadError::Faulty { faults, places: Box::new(document.places) });
        }
    };
    let record = definition_record(&document);
    Ok(Loaded { record, program, dir, warnings: faults, document, input_schema: None })
}

/// Callbacks are sent by a server.
const UNSENT: &str = "P0145";

/// Nobody is told what becomes of a run that no server executes.
pub(super) fn unsent(definition: &Definition) -> Option<Fault> {
    let count = definition.callbacks.len();
    let s = if count == 1 { "" } else { "s" };
    let message = format!("{count} callback{s}: only a server sends them, `partitur run` does not");
    let fault = Fault::warning(UNSENT, Place("callbacks".to_owned()), message).label("not sent from here");
    (count > 0).then(|| fault.hint("run the document on a server, or add a task with `http:` that calls"))
}

/// Compiles a document from its stored sources.
///
/// # Errors
/// What is wrong with them, for people.
pub fn compile_record(record: &DefinitionRecord) -> Result<Arc<Program>, String> {
    compile(&read_definition(record)?).map_err(messages)
}

/// Reads a document from its stored sources.
///
/// # Errors
/// What is wrong with them, for people.
pub fn read_definition(record: &DefinitionRecord) -> Result<Arc<Definition>, String> {
    match record.format {
        SourceFormat::Conductor => conductor::definition_of(record),
        SourceFormat::Yaml | SourceFormat::Json | SourceFormat::NodesEdges => {
            let mut document = read_record(record).map_err(|wrong| messages(wrong.faults))?;
            find_resources(&mut document.definition).map_err(messages)?;
            Ok(document.definition)
        }
    }
}

fn messages(faults: Vec<Fault>) -> String {
    faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; ")
}
