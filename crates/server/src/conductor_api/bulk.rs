//! The same for many runs at once, each for itself.

use std::sync::Arc;

use axum::extract::State;
use partitur_conductor::wire::{BulkResponse, Entries, ValidationError};
use partitur_engine::Command;

use super::workflow::{command, restart_run, terminate_and_remove_run, terminate_run};
use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error, json, raw};
use crate::http::input::{Json, Query, run_id};

/// Conductor's limit.
const MANY_MAX: usize = 1_000;

type Ids = Json<Vec<String>>;

/// What is wanted of each.
pub(crate) enum Wish {
    Command(Command),
    Restart { latest: bool },
    Terminate { reason: Option<String> },
    TerminateAndRemove { reason: Option<String> },
}

impl Wish {
    pub(crate) async fn fulfil(&self, app: &App, id: &str) -> Result<(), Error> {
        match self {
            Wish::Command(wanted) => command(app, id, wanted.clone()).await,
            Wish::Restart { latest } => restart_run(app, id, *latest).await,
            Wish::Terminate { reason } => terminate_run(app, id, reason.as_deref()).await,
            Wish::TerminateAndRemove { reason } => terminate_and_remove_run(app, id, reason.as_deref()).await,
        }
    }
}

async fn each(app: &App, ids: Vec<String>, wish: Wish) -> Answer {
    count(&ids)?;
    let mut answer = BulkResponse::default();
    for id in ids {
        match wish.fulfil(app, &id).await {
            Ok(()) => answer.bulk_successful_results.push(id),
            Err(error) => refused(&mut answer.bulk_error_results, id, &error),
        }
    }
    Ok(json(&answer))
}

/// Neither none nor too many, in Conductor's words.
fn count(ids: &[String]) -> Result<(), Error> {
    let message = match ids.len() {
        0 => "WorkflowIds list cannot be null.".to_owned(),
        1..=MANY_MAX => return Ok(()),
        _ => format!("Cannot process more than {MANY_MAX} workflows. Please use multiple requests."),
    };
    Error::if_any(vec![ValidationError::new("workflowIds", message)])
}

fn refused(errors: &mut Entries<String>, id: String, error: &Error) {
    errors.0.retain(|(known, _)| *known != id);
    errors.0.push((id, error.message().to_owned()));
}

pub(crate) async fn pause(State(app): Shared, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::Command(Command::Pause)).await
}

pub(crate) async fn resume(State(app): Shared, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::Command(Command::Unpause)).await
}

pub(crate) async fn restart(State(app): Shared, query: Query, Json(ids): Ids) -> Answer {
    let latest = query.truth("useLatestDefinitions", false)?;
    each(&app, ids, Wish::Restart { latest }).await
}

pub(crate) async fn retry(State(app): Shared, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::Command(Command::Retry { resume_sub_runs: false })).await
}

fn reason(query: &Query) -> Option<String> {
    query.some_text("reason").map(str::to_owned)
}

pub(crate) async fn terminate(State(app): Shared, query: Query, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::Terminate { reason: reason(&query) }).await
}

pub(crate) async fn remove(State(app): Shared, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::Command(Command::Remove { running: true })).await
}

pub(crate) async fn terminate_and_remove(State(app): Shared, query: Query, Json(ids): Ids) -> Answer {
    each(&app, ids, Wish::TerminateAndRemove { reason: reason(&query) }).await
}

/// Here the successful results are the runs themselves.
pub(crate) async fn search(State(app): Shared, query: Query, Json(ids): Ids) -> Answer {
    count(&ids)?;
    let tasks = query.truth("includeTasks", true)?;
    let (mut found, mut errors) = (Vec::new(), Entries::default());
    for id in ids {
        match written(&app, &id, tasks).await {
            Ok(run) => found.push(run),
            Err(error) => refused(&mut errors, id, &error),
        }
    }
    let errors = serde_json::to_string(&errors).expect("ids and sentences are text");
    Ok(raw(format!("{{\"bulkErrorResults\":{errors},\"bulkSuccessfulResults\":{}}}", view::list(found))))
}

async fn written(app: &Arc<App>, id: &str, tasks: bool) -> Result<String, Error> {
    let written = view::with_run(app, run_id(id)?, move |view| {
        let mut out = String::new();
        view.write_workflow(tasks, &mut out);
        out
    });
    written.await?.ok_or_else(|| crate::http::input::no_run(id))
}
