//! Starts and signals that wait: for the end, for a task that waits itself, or for tasks that the client names.
//!
//! They are woken by what is released after commits, and read rows then; nobody looks again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use partitur_conductor::TaskType;
use partitur_conductor::render::{Answer as Shown, RunView};
use partitur_conductor::wire::{ReturnStrategy, StartWorkflowRequest};
use partitur_engine::{Answer as NodeAnswer, Refusal, TaskName};
use partitur_model::record::{RunRecord, TaskRecord, TaskState};
use partitur_model::{RunId, TaskSeq, Timestamp};
use partitur_store::{Reader, StoreError};

use super::tasks::{by_name, status_named};
use super::{Shared, view};
use crate::app::App;
use crate::handle::NodeError;
use crate::http::answer::{Answer, Error, done, raw};
use crate::http::input::{Json, OptionalObject, Query, no_run, run_id};
use crate::programs::Known;
use crate::starting::{random, start};

/// Nobody waits longer.
const PATIENCE_MAX: Duration = Duration::from_secs(3_600);

/// Sub-runs below sub-runs are looked into so deep.
const DEPTH_MAX: usize = 50;

pub(crate) async fn execute(
    State(app): Shared,
    Path((name, version)): Path<(String, u32)>,
    query: Query,
    Json(request): Json<StartWorkflowRequest>,
) -> Answer {
    let request = StartWorkflowRequest { name, version: Some(version), ..request };
    let run = start(&app, request).await?;
    wait_and_show(&app, run, &query, query.some_text("requestId")).await
}

/// Waits as the query says, and shows the run or task for which it asks.
pub(crate) async fn wait_and_show(
    app: &Arc<App>,
    run: RunId,
    query: &Query,
    request: Option<&str>,
) -> Answer {
    let seconds = query.number("waitForSeconds", 10)?;
    let seconds = if seconds == 0 { 10 } else { seconds };
    let references = query.all("waitUntilTaskRef").flat_map(|list| list.split(','));
    let wish = Wish {
        run,
        references: references.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        strategy: strategy(query)?,
        request: request.map_or_else(new_request, str::to_owned),
    };
    wait(app, wish, Duration::from_secs(seconds).min(PATIENCE_MAX)).await
}

fn strategy(query: &Query) -> Result<ReturnStrategy, Error> {
    let Some(name) = query.some_text("returnStrategy") else { return Ok(ReturnStrategy::default()) };
    ReturnStrategy::parse(name).ok_or_else(|| Error::bad(format!("`{name}` is no return strategy")))
}

pub(crate) async fn signal(
    State(app): Shared,
    Path((run, status)): Path<(String, String)>,
    OptionalObject(output): OptionalObject,
) -> Answer {
    let id = run_id(&run)?;
    let update = by_name(id, TaskName::Blocked, status_named(&status)?, output, None);
    match app.handle.update(update).await {
        // Who does not wait for an answer is not told that nobody waits.
        Ok(_) | Err(NodeError::Refused(Refusal::UnknownTask(_))) => Ok(done()),
        Err(error) => Err(none_waits(error, &run)),
    }
}

pub(crate) async fn signal_sync(
    State(app): Shared,
    Path((run, status)): Path<(String, String)>,
    query: Query,
    OptionalObject(output): OptionalObject,
) -> Answer {
    let id = run_id(&run)?;
    let patience = Duration::from_millis(query.number("timeoutMillis", 5_000)?).min(PATIENCE_MAX);
    let strategy = strategy(&query)?;
    let update = by_name(id, TaskName::Blocked, status_named(&status)?, output, None);
    let answer = app.handle.update(update).await.map_err(|error| none_waits(error, &run))?;
    debug_assert!(matches!(answer, NodeAnswer::Updated { .. }), "an update is answered with an update");
    wait(&app, Wish { run: id, references: BTreeSet::new(), strategy, request: new_request() }, patience)
        .await
}

/// By which a client may know its request that has not named it.
fn new_request() -> String {
    let [a, b] = [random(), random()];
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xffff,
        a >> 16 & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

fn none_waits(error: impl Into<Error>, run: &str) -> Error {
    let error = error.into();
    if error.0.status == 404 {
        return Error::not_found(format!("No blocking task found in workflow {run}"));
    }
    error
}

/// For what somebody waits.
#[derive(Clone)]
struct Wish {
    run: RunId,
    /// The end of one of these tasks is enough.
    references: BTreeSet<String>,
    strategy: ReturnStrategy,
    request: String,
}

async fn wait(app: &Arc<App>, wish: Wish, patience: Duration) -> Answer {
    let changes = app.handle.changes(wish.run)?;
    let until = tokio::time::Instant::now() + patience;
    let id = wish.run.to_string();
    app.handle.barrier().await?;
    let mut timed_out = false;
    loop {
        let (shared, wish) = (app.clone(), wish.clone());
        let seen = app.reads.read_durable(move |reader| wish.look(&shared, reader, timed_out)).await?;
        match seen.ok_or_else(|| no_run(&id))? {
            Seen::Come(text) if text.is_empty() => return Ok(done()),
            Seen::Come(text) => return Ok(raw(text)),
            Seen::NotYet => {}
        }
        timed_out = tokio::time::timeout_at(until, changes.notified()).await.is_err();
    }
}

/// What was found.
enum Seen {
    NotYet,
    /// The answer; empty if there is nothing of the kind that was asked for.
    Come(String),
}

impl Wish {
    /// Looks how things stand; in the end, whatever they are is the answer. Nothing if there is no such run.
    fn look(&self, app: &App, reader: &Reader, timed_out: bool) -> Result<Option<Seen>, StoreError> {
        let Some(target) = Rows::read(app, reader, self.run)? else { return Ok(None) };
        let blocked = target.blocked(app, reader, DEPTH_MAX)?;
        let come = target.run.state.is_ended() || blocked.is_some() || self.is_over(&target);
        if !come && !timed_out {
            return Ok(Some(Seen::NotYet));
        }
        let (mut out, view) = (String::new(), target.view());
        let answer =
            Shown { strategy: self.strategy, request: Some(&self.request), target: &view, timed_out: !come };
        match (self.strategy, &blocked) {
            (ReturnStrategy::TargetWorkflow, _) | (ReturnStrategy::BlockingWorkflow, None) => {
                answer.write_run(&view, &mut out);
            }
            (ReturnStrategy::BlockingWorkflow, Some((rows, _))) => match rows {
                Some(rows) => answer.write_run(&rows.view(), &mut out),
                None => answer.write_run(&view, &mut out),
            },
            (ReturnStrategy::BlockingTask | ReturnStrategy::BlockingTaskInput, Some((rows, task))) => {
                let rows = rows.as_ref().unwrap_or(&target);
                let shown = rows.view();
                if let Some(task) = shown.task(*task) {
                    answer.write_task(&shown, task, &mut out);
                }
            }
            (ReturnStrategy::BlockingTask | ReturnStrategy::BlockingTaskInput, None) => {}
        }
        Ok(Some(Seen::Come(out)))
    }

    /// Whether a task that was named is over.
    fn is_over(&self, rows: &Rows) -> bool {
        if self.references.is_empty() {
            return false;
        }
        let view = rows.view();
        view.tasks()
            .any(|(task, status)| status.is_terminal() && self.references.contains(&*view.reference(task)))
    }
}

/// A run with its tasks and its definition.
struct Rows {
    run: RunRecord,
    tasks: Vec<TaskRecord>,
    known: Arc<Known>,
}

impl Rows {
    fn read(app: &App, reader: &Reader, id: RunId) -> Result<Option<Rows>, StoreError> {
        let Some(run) = view::run_of(reader, id)? else { return Ok(None) };
        let known = app.library.programs.load(run.definition, reader)?;
        Ok(Some(Rows { tasks: reader.tasks(id)?, run, known }))
    }

    fn view(&self) -> RunView<'_> {
        self.known.renderer.run(&self.run, &self.tasks)
    }

    /// The first task that waits for nothing but a signal, here or below; its run if that is another one.
    fn blocked(
        &self,
        app: &App,
        reader: &Reader,
        depth: usize,
    ) -> Result<Option<(Option<Rows>, TaskSeq)>, StoreError> {
        for task in &self.tasks {
            let TaskState::Waiting { until } = task.state else { continue };
            match (self.known.kind(&task.node), task.child) {
                (Some(TaskType::Wait | TaskType::Yield), None) if until == Timestamp::MAX => {
                    return Ok(Some((None, task.seq)));
                }
                (_, Some(child)) if depth > 0 => {
                    let Some(rows) = Rows::read(app, reader, child)? else { continue };
                    if let Some((below, task)) = rows.blocked(app, reader, depth - 1)? {
                        return Ok(Some((Some(below.unwrap_or(rows)), task)));
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
