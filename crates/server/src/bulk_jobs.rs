//! The same for all runs that a query finds: a job that is written down before it begins, and goes on after a restart.
//!
//! A job has two documents in the catalogue: how far it is, and to which runs (`partitur_api::bulk`).

use std::sync::Arc;

use partitur_api::bulk;
pub(crate) use partitur_api::bulk::{Action, Job, JobRuns, Stage};
use partitur_engine::Command;
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::{RawJson, RunId};
use tokio::task::JoinSet;

use crate::app::App;
use crate::conductor_api::bulk::Wish;
use crate::http::answer::Error;

/// A job has no more runs.
pub const RUNS_MAX: usize = 100_000;

/// Runs between two notes of how far it is.
const CHUNK: usize = 50;

/// Jobs that have ended and are still shown.
const KEPT: usize = 100;

/// Writes a job down and lets it begin.
pub(crate) async fn begin(app: &App, job: Job, runs: &JobRuns) -> Result<(), Error> {
    let mut entries = vec![
        entry(app, &job.job, 0, Some(job.written())),
        entry(app, &job.job, 1, Some(bulk::runs_written(runs))),
    ];
    entries.extend(surplus(app));
    app.handle.keep(entries).await?;
    app.bulk.notify_one();
    Ok(())
}

/// The job of this name.
pub(crate) fn job(app: &App, name: &str) -> Option<Job> {
    let documents = app.library.catalogue.read();
    Job::read(documents.other(EntryKind::Bulk, name, 0)?.body.as_ref()?)
}

/// All jobs, the newest first.
pub(crate) fn jobs(app: &App) -> Vec<Job> {
    let documents = app.library.catalogue.read();
    let bodies = documents
        .others(EntryKind::Bulk)
        .filter(|entry| entry.version == 0)
        .filter_map(|it| it.body.as_ref());
    let mut jobs: Vec<Job> = bodies.filter_map(Job::read).collect();
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
    loop {
        let chunk = job.next(&runs, CHUNK);
        if chunk.is_empty() {
            break;
        }
        let results = treat_all(app, &job, chunk).await?;
        job.treated(results);
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
    chunk: &[(RunId, u32)],
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
    if action.is_done(found.as_ref(), generation) {
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

fn runs_of(app: &App, name: &str) -> JobRuns {
    let documents = app.library.catalogue.read();
    let body = documents.other(EntryKind::Bulk, name, 1).and_then(|entry| entry.body.as_ref());
    body.map(bulk::runs_read).unwrap_or_default()
}

/// Notes how far it is; the runs of a job that is over are not needed any more.
async fn note(app: &App, job: &Job) -> Result<(), Error> {
    let mut entries = vec![entry(app, &job.job, 0, Some(job.written()))];
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
