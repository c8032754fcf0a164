//! Runs and tasks as clients see them: read from rows on a thread for reads, and written there.

use std::sync::Arc;

use axum::http::StatusCode;
use partitur_conductor::render::RunView;
use partitur_model::record::RunRecord;
use partitur_model::{DefinitionId, RunId};
use partitur_store::{Reader, StoreError};

use crate::app::App;
use crate::http::answer::{Answer, Error, raw};
use crate::http::input::no_run;

/// A definition is not there although a run executes it.
pub(crate) fn missing(definition: DefinitionId) -> Error {
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the definition {definition} is missing"))
}

/// Whether it is a run of a definition of Conductor's: those of native documents are none of its clients' matter.
pub(crate) fn is_served(run: &RunRecord) -> bool {
    run.options.server.is_some()
}

/// A run of a definition of Conductor's, if this is one.
pub(crate) fn run_of(reader: &Reader, id: RunId) -> Result<Option<RunRecord>, StoreError> {
    Ok(reader.run(id)?.filter(is_served))
}

/// Reads a run with all of its tasks; nothing if there is none.
pub(crate) async fn with_run<T: Send + 'static>(
    app: &Arc<App>,
    id: RunId,
    see: impl FnOnce(&RunView<'_>) -> T + Send + 'static,
) -> Result<Option<T>, Error> {
    let shared = app.clone();
    let read = app.reads.read(&app.handle, move |reader| {
        let Some(run) = run_of(reader, id)? else { return Ok(None) };
        see_run(&shared, reader, &run, true, see).map(Some)
    });
    Ok(read.await?)
}

/// Shows a run that was read.
pub(crate) fn see_run<T>(
    app: &App,
    reader: &Reader,
    run: &RunRecord,
    with_tasks: bool,
    see: impl FnOnce(&RunView<'_>) -> T,
) -> Result<T, StoreError> {
    let known = app.library.programs.load(run.definition, reader)?;
    let tasks = if with_tasks { reader.tasks(run.id)? } else { Vec::new() };
    Ok(see(&known.renderer.run(run, &tasks)))
}

/// The run, as an answer.
pub(crate) async fn workflow(app: &Arc<App>, id: RunId, include_tasks: bool) -> Answer {
    let written = with_run(app, id, move |view| {
        let mut out = String::new();
        view.write_workflow(include_tasks, &mut out);
        out
    });
    written.await?.map(raw).ok_or_else(|| no_run(&id.to_string()))
}

/// Appends texts as a list.
pub(crate) fn list(parts: impl IntoIterator<Item = String>) -> String {
    let mut out = String::from("[");
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&part);
    }
    out.push(']');
    out
}
