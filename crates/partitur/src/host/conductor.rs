//! Definitions of Conductor's without a server: a document holds all of them, and whatever needs a worker is refused.

use std::path::Path;
use std::sync::Arc;

use partitur_conductor::render::Renderer;
use partitur_conductor::wire::{ValidationError, WorkflowDef};
use partitur_conductor::{
    Bundle, Obstacle, Wanted, failure_input, wanted_by_failure, wanted_by_start, wanted_by_sub_workflow,
};
use partitur_engine::{Program, Purpose, Resolved, compile};
use partitur_formats::{Document, Faults, places};
use partitur_model::definition::Definition;
use partitur_model::record::{
    DefinitionRecord, RunRecord, ServerOptions, SourceFormat, TaskError, TaskRecord,
};
use partitur_model::{Fault, Payload, Place};

use super::document::{LoadError, Loaded};

/// Something is wrong with a definition of Conductor's.
const FAULTY: &str = "P0140";
/// A task is work for a worker.
const NEEDS_WORKER: &str = "P0141";
/// A workflow is named that is not in the document.
const MISSING_WORKFLOW: &str = "P0142";

/// Reads, checks and compiles definitions of Conductor's.
pub(crate) fn load(path: &Path, bytes: &[u8], dir: &Path) -> Result<Loaded, LoadError> {
    let (places, text) = places(&path.to_string_lossy(), bytes)
        .map_err(|Faults { faults, places }| LoadError::Faulty { faults, places: Box::new(places) })?;
    let (bundle, definition, program) = match compiled(&text) {
        Ok(compiled) => compiled,
        Err(faults) => return Err(LoadError::Faulty { faults, places: Box::new(places) }),
    };
    let record = bundle.record();
    let format = SourceFormat::Conductor;
    let document = Document { definition, format, places, files: record.files.clone(), warnings: Vec::new() };
    let input_schema = bundle.main().wanted_input();
    Ok(Loaded { document, record, program, dir: dir.to_owned(), warnings: Vec::new(), input_schema })
}

type Compiled = (Arc<Bundle>, Arc<Definition>, Arc<Program>);

fn compiled(text: &str) -> Result<Compiled, Vec<Fault>> {
    let bundle = Bundle::read(text).map_err(|bad| {
        // The place says it in the words of the document.
        let message = bad.message.rsplit_once(" at line ").map_or(&*bad.message, |(message, _)| message);
        vec![fault(FAULTY, &bad.path, message)]
    })?;
    let obstacles = bundle.obstacles();
    if !obstacles.is_empty() {
        return Err(obstacles.into_iter().map(told).collect());
    }
    let bundle = Arc::new(bundle);
    let definition = bundle.lower().map_err(|faults| faults.into_iter().map(wrong).collect::<Vec<_>>())?;
    let definition = Arc::new(definition);
    let program = compile(&definition)?;
    Ok((bundle, definition, program))
}

/// An obstacle as a fault of the document.
fn told(obstacle: Obstacle) -> Fault {
    match obstacle {
        Obstacle::Fault(error) => wrong(error),
        Obstacle::NeedsWorker { place, task, work } => {
            let message = format!(
                "task `{task}` is work for a worker (`{work}`), and no worker can reach `partitur run`"
            );
            fault(NEEDS_WORKER, &place, message).label("needs a worker").hint(
                "start `partitur server`, register the definition there, and let workers come for the task",
            )
        }
        Obstacle::Missing { place, workflow, version } => {
            let version = version.map_or_else(String::new, |version| format!(" in version {version}"));
            let message = format!("the workflow `{workflow}`{version} is not in this document");
            fault(MISSING_WORKFLOW, &place, message).label("not defined here").hint(
                "put its definition beside this one: `{\"workflowDefs\": [this, that]}`, or run both on `partitur server`",
            )
        }
    }
}

fn wrong(error: ValidationError) -> Fault {
    fault(FAULTY, &error.path, error.message)
}

fn fault(code: &'static str, place: &str, message: impl Into<String>) -> Fault {
    Fault::error(code, Place(if place == "." { String::new() } else { place.to_owned() }), message)
}

/// What a stored definition comes to.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn definition_of(record: &DefinitionRecord) -> Result<Arc<Definition>, String> {
    let bundle = Bundle::of_record(record).map_err(|bad| bad.to_string())?;
    let definition = Arc::new(bundle).lower().map_err(|faults| messages(&faults))?;
    Ok(Arc::new(definition))
}

fn messages(faults: &[ValidationError]) -> String {
    faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>().join("; ")
}

/// A run that another run wants, or that is to follow it.
pub(crate) struct Question {
    /// The definition of the run that asks.
    pub asking: DefinitionRecord,
    /// What for.
    pub purpose: Purpose,
    /// As its definition describes it.
    pub description: Payload,
    /// What it would be given.
    pub input: Payload,
    /// What was chosen for the run that asks.
    pub options: Option<Arc<ServerOptions>>,
    /// If it is to follow a failure: that run, with all of its rows.
    pub failed: Option<(RunRecord, Vec<TaskRecord>)>,
}

impl Question {
    /// Looks it up among the definitions that came together, and says what its input must be.
    ///
    /// # Errors
    /// There is no such workflow, or it cannot be run.
    pub fn answer(self) -> Result<(Box<Resolved>, Option<Arc<str>>), TaskError> {
        let bundle = Bundle::of_record(&self.asking).map_err(|bad| unknown(bad.to_string()))?;
        let bundle = Arc::new(bundle);
        let wanted = self.wanted(&bundle)?;
        let main = match &wanted.definition {
            Some(inline) => Arc::new(WorkflowDef::clone(inline)),
            None => bundle.workflow(&wanted.name, wanted.version).cloned().ok_or_else(|| {
                let version =
                    wanted.version.map_or_else(String::new, |version| format!(", version {version}"));
                unknown(format!("no such workflow definition in this document: {}{version}", wanted.name))
            })?,
        };
        let chosen = Arc::new(bundle.with_main(main.clone()));
        let definition = chosen.lower().map_err(|faults| unknown(messages(&faults)))?;
        let program = compile(&Arc::new(definition)).map_err(|faults| {
            unknown(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
        })?;
        let resolved = Resolved {
            program,
            definition: Arc::new(chosen.record()),
            input: main.filled_input(&wanted.input),
            options: Some(Arc::new(wanted.options(main.version, self.options.as_deref()))),
        };
        Ok((Box::new(resolved), main.wanted_input()))
    }

    fn wanted(&self, bundle: &Arc<Bundle>) -> Result<Wanted, TaskError> {
        match self.purpose {
            Purpose::SubRun => wanted_by_sub_workflow(&self.input),
            Purpose::Start => wanted_by_start(&self.description),
            Purpose::Failure => {
                let wanted = wanted_by_failure(&self.description)?;
                let (run, tasks) = self.failed.as_ref().ok_or_else(|| unknown("the failed run is gone"))?;
                let renderer = Renderer::new(bundle.main().clone(), bundle.clone());
                Ok(Wanted { input: failure_input(&self.input, run, tasks, &renderer), ..wanted })
            }
        }
    }
}

fn unknown(message: impl Into<String>) -> TaskError {
    TaskError::terminal("definition", message)
}
