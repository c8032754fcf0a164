//! What registering checks beside the definition itself: schemas that it names, and what is written in other languages.

use partitur_conductor::check::{self, Source};
use partitur_conductor::fill_schemas;
use partitur_conductor::wire::{TaskDef, ValidationError, WorkflowDef};
use partitur_script::Language;
use tokio::sync::oneshot;

use crate::app::App;

/// So many sources of a document are read; what is wrong with others is found when they are evaluated.
const SOURCES_MAX: usize = 1_000;

/// The faults of a workflow definition; its paths begin with `prefix`.
pub(crate) async fn workflow(app: &App, def: &WorkflowDef, prefix: &str) -> Vec<ValidationError> {
    let mut seen = def.clone();
    fill_schemas([&mut seen.input_schema, &mut seen.output_schema], &*app.library.catalogue);
    let mut faults = check::workflow(&seen, prefix);
    faults.extend(unreadable(app, check::sources(&seen, prefix)).await);
    faults
}

/// The faults of a task definition; its paths begin with `prefix`.
pub(crate) async fn task_def(app: &App, def: &TaskDef, prefix: &str) -> Vec<ValidationError> {
    let mut seen = def.clone();
    fill_schemas([&mut seen.input_schema, &mut seen.output_schema], &*app.library.catalogue);
    let mut faults = check::task_def(&seen, prefix);
    faults.extend(unreadable(app, check::sources_of_task_def(&seen, prefix)).await);
    faults
}

/// The sources that nobody could evaluate.
pub(crate) async fn unreadable(app: &App, sources: Vec<Source>) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    for Source { path, language, text } in sources.into_iter().take(SOURCES_MAX) {
        let language = language.parse::<Language>().expect("it is one of those that the checks know");
        let (sender, verdict) = oneshot::channel();
        app.library.evaluator.check(language, text, |fault| {
            // Whoever asked may have gone.
            let _ = sender.send(fault);
        });
        faults.extend(verdict.await.ok().flatten().map(|message| ValidationError::new(path, message)));
    }
    faults
}
