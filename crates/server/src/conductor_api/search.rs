//! Searches for runs and for tasks.
//!
//! `among_runs` and `among_tasks` say in the store's words what a query wants; here the rows are read and written.

mod among_runs;
mod among_tasks;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::response::Response;
use partitur_conductor::query::{Field, Query as Wanted};
use partitur_conductor::wire::{ErrorResponse, ValidationError, search_result};
use partitur_model::record::{RunOutcome, RunState, TaskRecord};
use partitur_model::{RunId, TaskSeq};
use partitur_store::{FoundTasks, Reader, StoreError};

pub(crate) use self::among_runs::search_of;
use self::among_tasks::TasksWanted;
use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error, raw};
use crate::http::input::Query;
use crate::reads::ReadError;

/// Conductor's limit.
const SIZE_MAX: u64 = 5_000;

/// Nobody waits longer for a search.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many failures of a run are named in its summary.
const FAILED_MAX: u32 = 100;

/// Says that there are more than were counted.
const AT_LEAST: HeaderValue = HeaderValue::from_static("at least 10000");

/// What was found, as clients read it.
struct Written {
    total: usize,
    is_exact: bool,
    results: Vec<String>,
}

pub(crate) async fn runs(State(app): Shared, query: Query) -> Answer {
    search_runs(&app, &query, false).await
}

pub(crate) async fn runs_v2(State(app): Shared, query: Query) -> Answer {
    search_runs(&app, &query, true).await
}

async fn search_runs(app: &Arc<App>, query: &Query, whole: bool) -> Answer {
    let (wanted, shared, asked) = (parsed(query)?, app.clone(), query.clone());
    let (start, size) = page(query)?;
    let narrower = narrower(&wanted, &[Field::StartTime, Field::WorkflowType, Field::CorrelationId]);
    let written = app.reads.read(&app.handle, move |reader| {
        let mut search = match search_of(reader, &wanted, &asked) {
            Ok(search) => search?,
            Err(error) => return Ok(Err(error)),
        };
        (search.offset, search.limit, search.patience) = (start, size, PATIENCE);
        let found = reader.search(&search)?;
        let written = found.runs.iter().map(|run| {
            if whole {
                return view::see_run(&shared, reader, run, true, |view| {
                    let mut out = String::new();
                    view.write_workflow(true, &mut out);
                    out
                });
            }
            let known = shared.library.programs.load(run.definition, reader)?;
            let failed =
                if has_failures(run.state) { reader.troubled(run.id, FAILED_MAX)? } else { Vec::new() };
            let mut out = String::new();
            known.renderer.run(run, &failed).write_short_summary(&mut out);
            Ok(out)
        });
        let results = written.collect::<Result<Vec<_>, StoreError>>()?;
        Ok(Ok(Written { total: found.total, is_exact: found.total_is_exact, results }))
    });
    Ok(shown(found_by(written.await, narrower)?))
}

/// Whether it may be of interest which of its tasks failed.
fn has_failures(state: RunState) -> bool {
    match state {
        RunState::Ended(RunOutcome::Succeeded) => false,
        RunState::Ended(
            RunOutcome::Failed
            | RunOutcome::TimedOut
            | RunOutcome::Cancelled
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed,
        ) => true,
        RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => false,
    }
}

pub(crate) async fn by_tasks(State(app): Shared, query: Query) -> Answer {
    search_tasks(&app, &query, |view, _, out| view.write_summary(out), true).await
}

pub(crate) async fn by_tasks_v2(State(app): Shared, query: Query) -> Answer {
    search_tasks(&app, &query, |view, _, out| view.write_workflow(true, out), true).await
}

pub(crate) async fn tasks(State(app): Shared, query: Query) -> Answer {
    search_tasks(&app, &query, |view, task, out| view.write_task_summary(task, out), false).await
}

pub(crate) async fn tasks_v2(State(app): Shared, query: Query) -> Answer {
    search_tasks(&app, &query, |view, task, out| view.write_task(task, out), false).await
}

/// Tasks of a type that have not ended.
pub(crate) async fn pending(State(app): Shared, Path(task_type): Path<String>, query: Query) -> Answer {
    // A name with both kinds of quotes is none that a definition may have.
    let quote = if task_type.contains('\'') { '"' } else { '\'' };
    let wanted = format!("taskType={quote}{task_type}{quote} AND status IN (SCHEDULED, IN_PROGRESS)");
    let wanted = Wanted::parse(&wanted).map_err(|error| Error::bad(error.to_string()))?;
    let count = query.number("count", 100)?.min(SIZE_MAX) as usize;
    let write: Write = |view, task, out| view.write_task(task, out);
    let found = find_tasks(&app, &query, wanted, (0, count), write, false).await?;
    Ok(raw(view::list(found.results)))
}

/// How a task that was found is written, or its run.
type Write = for<'v> fn(&partitur_conductor::render::RunView<'v>, &'v TaskRecord, &mut String);

async fn search_tasks(app: &Arc<App>, query: &Query, write: Write, once_a_run: bool) -> Answer {
    Ok(shown(find_tasks(app, query, parsed(query)?, page(query)?, write, once_a_run).await?))
}

async fn find_tasks(
    app: &Arc<App>,
    query: &Query,
    wanted: Wanted,
    (start, size): (usize, usize),
    write: Write,
    once_a_run: bool,
) -> Result<Written, Error> {
    let (shared, asked) = (app.clone(), query.clone());
    let narrower = narrower(&wanted, &[Field::StartTime, Field::TaskType, Field::WorkflowType]);
    let written = app.reads.read(&app.handle, move |reader| {
        let tasks = match TasksWanted::of(reader, &wanted, &asked) {
            Ok(tasks) => tasks?,
            Err(error) => return Ok(Err(error)),
        };
        let mut search = tasks.search();
        search.once_a_run = once_a_run;
        (search.runs.offset, search.runs.limit, search.runs.patience) = (start, size, PATIENCE);
        let called = |label: &_, node: &str| tasks.may_be(label, node);
        let found = reader.search_tasks(&search, called, |label, task| tasks.fits(label, task))?;
        let results = write_tasks(&shared, reader, &found, write)?;
        Ok(Ok(Written { total: found.total, is_exact: found.total_is_exact, results }))
    });
    found_by(written.await, narrower)
}

/// Tasks of one run follow one another: each run is read once.
fn write_tasks(
    app: &App,
    reader: &Reader,
    found: &FoundTasks,
    write: Write,
) -> Result<Vec<String>, StoreError> {
    let mut results = Vec::with_capacity(found.tasks.len());
    for tasks in found.tasks.chunk_by(|(one, _), (other, _)| one == other) {
        let run: RunId = tasks[0].0;
        // It may have been removed since.
        let Some(run) = reader.run(run)? else { continue };
        view::see_run(app, reader, &run, true, |view| {
            let known = tasks.iter().filter_map(|&(_, seq): &(RunId, TaskSeq)| view.task(seq));
            results.extend(known.map(|task| {
                let mut out = String::new();
                write(view, task, &mut out);
                out
            }));
        })?;
    }
    Ok(results)
}

fn found_by(written: Result<Result<Written, Error>, ReadError>, narrower: &str) -> Result<Written, Error> {
    match written {
        Err(ReadError::Store(StoreError::TooWide)) => Err(too_wide(narrower)),
        other => other?,
    }
}

fn shown(found: Written) -> Response {
    with_total(found.is_exact, raw(search_result(found.total as u64, found.results)))
}

/// Says so where not all were counted.
pub(crate) fn with_total(is_exact: bool, mut response: Response) -> Response {
    if !is_exact {
        response.headers_mut().insert("x-total-hits", AT_LEAST);
    }
    response
}

fn too_wide(narrower: &str) -> Error {
    let seconds = PATIENCE.as_secs();
    Error::bad(format!(
        "the search was ended after {seconds} s because it looks at too much; {narrower} would narrow it"
    ))
}

/// The field of these that the query does not have yet.
fn narrower(wanted: &Wanted, fields: &[Field]) -> &'static str {
    let has = |field: &Field| wanted.conditions.iter().any(|condition| condition.field == *field);
    match fields.iter().find(|field| !has(field)) {
        Some(Field::WorkflowType) => "`workflowType=…`",
        Some(Field::CorrelationId) => "`correlationId=…`",
        Some(Field::TaskType) => "`taskType=…`",
        Some(_) => "a range of times, `startTime>… AND startTime<…`,",
        None => "a shorter range of times, `startTime>… AND startTime<…`,",
    }
}

fn page(query: &Query) -> Result<(usize, usize), Error> {
    let (start, size) = (query.number("start", 0)?, query.number("size", 100)?);
    if size > SIZE_MAX {
        let message = format!("Cannot return more than {SIZE_MAX} workflows. Please use pagination.");
        let fault = ValidationError {
            invalid_value: Some(size.to_string()),
            ..ValidationError::new("searchWorkflows.size", message)
        };
        return Err(Error(ErrorResponse::invalid(vec![fault])));
    }
    Ok((usize::try_from(start).unwrap_or(usize::MAX), size as usize))
}

pub(crate) fn parsed(query: &Query) -> Result<Wanted, Error> {
    Wanted::parse(query.text("query").unwrap_or_default()).map_err(|error| Error::bad(error.to_string()))
}
