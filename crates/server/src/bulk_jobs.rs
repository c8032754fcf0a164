//! The same for all runs that a query finds: a job that is written down before it begins, and goes on after a restart.
//!
//! A job has two documents in the catalogue: how far it is, and to which runs. It notes how far it is each fifty runs; after
//! a crash the fifty at hand are looked at again. What was done to them already is not done again: a run that is as it
//! should be counts as treated, and one that was restarted since the job began has another generation.

use std::sync::Arc;

use partitur_engine::Command;
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::record::{RunRecord, RunState};
use partitur_model::{RawJson, RunId};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::app::App;
use crate::conductor_api::bulk::Wish;
use crate::http::answer::Error;

/// A job has no more runs.
pub const RUNS_MAX: usize = 100_000;

/// Runs between two notes of how far it is.
const CHUNK: usize = 50;

/// Sentences that are kept of what did not work.
const ERRORS_MAX: usize = 100;

/// Jobs that have ended and are still shown.
const KEPT: usize = 100;

/// What is done to each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Pause,
    Resume,
    Terminate,
    Retry,
    Restart,
    Remove,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It goes on.
    Running,
    /// All runs have been treated.
    Ended,
    /// Somebody has stopped it.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub job: String,
    /// What is done.
    pub action: Action,
    /// Why, where that is told.
    pub reason: Option<String>,
    /// The query that found the runs.
    pub query: String,
    /// How it stands.
    pub state: Stage,
    /// Runs.
    pub total: usize,
    /// Of these, how many have been looked at.
    pub position: usize,
    /// Of these, how many are as they should be.
    pub done: usize,
    /// And how many are not.
    pub failed: usize,
    /// Why: the first hundred.
    pub errors: Vec<Problem>,
}

/// Why a run is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub run: String,
    /// Why.
    pub message: String,
}

/// The runs of a job, each with the generation in which it was found.
pub(crate) type Runs = Vec<(RunId, u32)>;

/// Writes a job down and lets it begin.
pub(crate) async fn begin(app: &App, job: Job, runs: &Runs) -> Result<(), Error> {
    let list: Vec<(String, u32)> =
        runs.iter().map(|(run, generation)| (run.to_string(), *generation)).collect();
    let mut entries =
        vec![entry(app, &job.job, 0, Some(text(&job))), entry(app, &job.job, 1, Some(text(&list)))];
    entries.extend(surplus(app));
    app.handle.keep(entries).await?;
    app.bulk.notify_one();
    Ok(())
}

/// The job of this name.
pub(crate) fn job(app: &App, name: &str) -> Option<Job> {
    let documents = app.library.catalogue.read();
    serde_json::from_str(documents.other(EntryKind::Bulk, name, 0)?.body.as_ref()?.as_str()).ok()
}

/// All jobs, the newest first.
pub(crate) fn jobs(app: &App) -> Vec<Job> {
    let documents = app.library.catalogue.read();
    let bodies = documents
        .others(EntryKind::Bulk)
        .filter(|entry| entry.version == 0)
        .filter_map(|it| it.body.as_ref());
    let mut jobs: Vec<Job> = bodies.filter_map(|body| serde_json::from_str(body.as_str()).ok()).collect();
    jobs.sort_by(|a, b| b.job.cmp(&a.job));
    jobs
}

/// Stops a job; what it has done stays.
pub(crate) async fn cancel(app: &App, name: &str) -> Result<Option<Job>, Error> {
    let _teaching = app.teaching.lock().await;
    let Some(mut job) = job(app, name) else { return Ok(None) };
    if job.state == Stage::Running {
        job.state = Stage::Cancelled;
        note(app, &job).await?;
    }
    Ok(Some(job))
}

/// Does what there is to do, as long as the server lives.
pub(crate) async fn work(app: Arc<App>) {
    loop {
        while let Some(job) = jobs(&app).into_iter().rev().find(|job| job.state == Stage::Running) {
            if go_on(&app, job).await.is_err() {
                // The server is stopping, or the disk does not write: later, or after the next start.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            if app.handle.health().is_draining() {
                return;
            }
        }
        app.bulk.notified().await;
    }
}

/// Treats the runs of a job that are left.
async fn go_on(app: &Arc<App>, mut job: Job) -> Result<(), Error> {
    let runs = runs_of(app, &job.job);
    while let Some(chunk) = runs.get(job.position..).filter(|left| !left.is_empty()) {
        let chunk: Runs = chunk.iter().take(CHUNK).copied().collect();
        let results = treat_all(app, &job, &chunk).await?;
        job.position += chunk.len();
        for (run, result) in results {
            match result {
                Ok(()) => job.done += 1,
                Err(message) => {
                    job.failed += 1;
                    if job.errors.len() < ERRORS_MAX {
                        job.errors.push(Problem { run: run.to_string(), message });
                    }
                }
            }
        }
        let _teaching = app.teaching.lock().await;
        if self::job(app, &job.job).is_none_or(|stored| stored.state != Stage::Running) {
            job.state = Stage::Cancelled;
            return note(app, &job).await;
        }
        note(app, &job).await?;
    }
    job.state = Stage::Ended;
    note(app, &job).await
}

/// All runs of a chunk at once; in their order.
async fn treat_all(
    app: &Arc<App>,
    job: &Job,
    chunk: &Runs,
) -> Result<Vec<(RunId, Result<(), String>)>, Error> {
    let mut under_way = JoinSet::new();
    for (at, &(run, generation)) in chunk.iter().enumerate() {
        let (app, action, reason) = (app.clone(), job.action, job.reason.clone());
        under_way.spawn(async move { (at, run, treat(&app, action, reason, run, generation).await) });
    }
    let mut results = Vec::with_capacity(chunk.len());
    while let Some(joined) = under_way.join_next().await {
        let (at, run, result) = joined.map_err(|error| Error::bad(error.to_string()))?;
        match result {
            // Nothing can be done at the moment, which is not the run's fault.
            Err(error) if error.0.status >= 500 => return Err(error),
            result => results.push((at, run, result.map_err(|error| error.message().to_owned()))),
        }
    }
    results.sort_by_key(|(at, ..)| *at);
    Ok(results.into_iter().map(|(_, run, result)| (run, result)).collect())
}

/// Treats a run; nothing is done to one that is as it should be.
async fn treat(
    app: &App,
    action: Action,
    reason: Option<String>,
    run: RunId,
    generation: u32,
) -> Result<(), Error> {
    let found = app.reads.read(&app.handle, move |reader| reader.run(run)).await?;
    if is_treated(action, found.as_ref(), generation) {
        return Ok(());
    }
    let wish = match action {
        Action::Pause => Wish::Command(Command::Pause),
        Action::Resume => Wish::Command(Command::Unpause),
        Action::Terminate => Wish::Terminate { reason },
        Action::Retry => Wish::Command(Command::Retry { resume_sub_runs: false }),
        Action::Restart => Wish::Restart { latest: false },
        Action::Remove => Wish::Command(Command::Remove { running: false }),
    };
    wish.fulfil(app, &run.to_string()).await
}

/// Whether a run is as it should be.
fn is_treated(action: Action, run: Option<&RunRecord>, generation: u32) -> bool {
    let Some(run) = run else { return action == Action::Remove };
    match action {
        Action::Pause => run.state == RunState::Paused,
        Action::Resume => run.state == RunState::Running,
        Action::Terminate => run.state.is_ended(),
        Action::Retry | Action::Restart => run.generation > generation,
        Action::Remove => false,
    }
}

fn runs_of(app: &App, name: &str) -> Runs {
    let documents = app.library.catalogue.read();
    let body = documents.other(EntryKind::Bulk, name, 1).and_then(|entry| entry.body.as_ref());
    let list: Vec<(String, u32)> =
        body.and_then(|body| serde_json::from_str(body.as_str()).ok()).unwrap_or_default();
    list.into_iter().filter_map(|(run, generation)| Some((run.parse().ok()?, generation))).collect()
}

/// Notes how far it is; the runs of a job that is over are not needed any more.
async fn note(app: &App, job: &Job) -> Result<(), Error> {
    let mut entries = vec![entry(app, &job.job, 0, Some(text(job)))];
    if job.state != Stage::Running {
        entries.push(entry(app, &job.job, 1, None));
    }
    app.handle.keep(entries).await?;
    Ok(())
}

/// Jobs that have ended before the last hundred.
fn surplus(app: &App) -> Vec<Entry> {
    let over = jobs(app).into_iter().filter(|job| job.state != Stage::Running);
    over.skip(KEPT - 1).map(|job| entry(app, &job.job, 0, None)).collect()
}

fn entry(app: &App, name: &str, version: u32, body: Option<RawJson>) -> Entry {
    let now = app.now();
    Entry { kind: EntryKind::Bulk, name: name.into(), version, body, created: now, updated: now }
}

fn text(value: &impl Serialize) -> RawJson {
    let text = serde_json::to_string(value).expect("it is made of text and numbers");
    RawJson::parse(&text).expect("it was just written")
}
