//! The same for all runs that a query finds: counted first, then done in the background.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use partitur_model::RunId;
use partitur_store::{Search, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json as value;

use crate::app::App;
use crate::bulk_jobs::{self, Action, Job, JobRuns, RUNS_MAX};
use crate::conductor_api::Shared;
use crate::conductor_api::search::{parsed, search_of};
use crate::http::answer::{Answer, Error, json, with_status};
use crate::http::input::{Json, Query};
use crate::reads::ReadError;

/// Runs that are named in a preview.
const SAMPLE: usize = 10;

/// So long runs are looked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done, and to which runs.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    /// What is done to each.
    action: Action,
    /// As in `GET /api/workflow/search`; without one it would be all runs, which is refused.
    query: String,
    /// As there.
    #[serde(default)]
    free_text: Option<String>,
    /// Why, for the runs that are terminated.
    #[serde(default)]
    reason: Option<String>,
    /// Only say which they are.
    #[serde(default)]
    dry_run: bool,
}

/// Begins a job, or says what it would be about.
pub(crate) async fn begin(State(app): Shared, Json(wanted): Json<Wanted>) -> Answer {
    let runs = found(&app, &wanted).await?;
    let sample: Vec<String> =
        runs.iter().take(SAMPLE).map(|(run, _): &(RunId, u32)| run.to_string()).collect();
    if wanted.dry_run {
        return Ok(json(&value!({"action": wanted.action, "total": runs.len(), "sample": sample})));
    }
    let name = format!("{:016x}", app.now().micros());
    let job = Job { reason: wanted.reason, ..Job::new(name, wanted.action, wanted.query, runs.len()) };
    bulk_jobs::begin(&app, job.clone(), &runs).await?;
    Ok(with_status(StatusCode::ACCEPTED, json(&job)))
}

async fn found(app: &App, wanted: &Wanted) -> Result<JobRuns, Error> {
    if wanted.query.trim().is_empty() && wanted.free_text.is_none() {
        return Err(Error::bad("name the runs by a `query`: nothing is done to all of them"));
    }
    let asked =
        Query::of([("query", &wanted.query), ("freeText", wanted.free_text.as_deref().unwrap_or_default())]);
    let query = parsed(&asked)?;
    let read = app.reads.read(&app.handle, move |reader| {
        let search = match search_of(reader, &query, &asked) {
            Ok(search) => search?,
            Err(error) => return Ok(Err(error)),
        };
        let search = Search { limit: RUNS_MAX + 1, patience: PATIENCE, ..search };
        Ok(Ok(reader.search_generations(&search)?))
    });
    let runs = match read.await {
        Err(ReadError::Store(StoreError::TooWide)) => {
            return Err(Error::bad("the query looks at too much: add a time or a workflow"));
        }
        read => read??,
    };
    if runs.len() > RUNS_MAX {
        return Err(Error::bad(format!(
            "more than {RUNS_MAX} runs match; add a condition, and do it in parts"
        )));
    }
    Ok(runs)
}

pub(crate) async fn all(State(app): Shared) -> Answer {
    Ok(json(&value!({"jobs": bulk_jobs::jobs(&app)})))
}

pub(crate) async fn get(State(app): Shared, Path(name): Path<String>) -> Answer {
    bulk_jobs::job(&app, &name).map(|job| json(&job)).ok_or_else(|| unknown(&name))
}

pub(crate) async fn cancel(State(app): Shared, Path(name): Path<String>) -> Answer {
    bulk_jobs::cancel(&app, &name).await?.map(|job| json(&job)).ok_or_else(|| unknown(&name))
}

fn unknown(name: &str) -> Error {
    Error::not_found(format!("there is no job `{name}`"))
}
