//! Workers: they take tasks, say how these stand, and write about them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use partitur_conductor::check;
use partitur_conductor::wire::{TaskResult, TaskResultStatus};
use partitur_engine::{Answer as NodeAnswer, QueueName, TaskName, Update, UpdateStatus};
use partitur_model::catalogue::LogLine;
use partitur_model::{Payload, RunId, TaskId, Timestamp};

use super::{Shared, view};
use crate::app::App;
use crate::handle::HandedOut;
use crate::http::answer::{Answer, Error, done, handing_out, json, nothing, raw, text};
use crate::http::input::{Json, OptionalObject, Query, Text, no_task, run_id};
use crate::payloads;

/// Conductor's limit on the patience of a poll.
const PATIENCE_MAX: u64 = 5_000;

/// Tasks in one answer.
const BATCH_MAX: u64 = 1_000;

/// Lines that one result may bring.
const LINES_MAX: usize = 1_000;

pub(crate) async fn poll(State(app): Shared, Path(task_type): Path<String>, query: Query) -> Answer {
    let asked = Asked::read(&app, task_type, &query);
    let handed = app.handle.poll(asked.queue.clone(), asked.worker, 1, Duration::ZERO).await?;
    if handed.tasks().is_empty() {
        return Ok(nothing());
    }
    let text = written(&app, &handed, &asked.queue)?;
    Ok(handing_out(handed, text))
}

pub(crate) async fn poll_batch(State(app): Shared, Path(task_type): Path<String>, query: Query) -> Answer {
    let (count, patience) = (query.number("count", 1)?, query.number("timeout", 100)?);
    if patience > PATIENCE_MAX {
        return Err(Error::bad(format!(
            "Long Poll Timeout value cannot be more than {PATIENCE_MAX} milliseconds"
        )));
    }
    let asked = Asked::read(&app, task_type, &query);
    // On the way out nobody is kept waiting.
    let patience = Duration::from_millis(if app.handle.health().is_draining() { 0 } else { patience });
    if count == 0 {
        return Ok(raw("[]".to_owned()));
    }
    let count = count.min(BATCH_MAX) as u32;
    let handed = app.handle.poll(asked.queue.clone(), asked.worker, count, patience).await?;
    let mut text = String::from("[");
    text.push_str(&written(&app, &handed, &asked.queue)?);
    text.push(']');
    Ok(handing_out(handed, text))
}

/// A worker and what it asks for.
struct Asked {
    queue: QueueName,
    worker: Arc<str>,
}

impl Asked {
    fn read(app: &App, task_type: String, query: &Query) -> Asked {
        let queue =
            QueueName { task_type: task_type.into(), domain: query.some_text("domain").map(Arc::from) };
        let worker = Arc::from(query.text("workerid").unwrap_or_default());
        app.workers.note(&queue, &worker, app.now());
        Asked { queue, worker }
    }
}

/// The tasks, one after the other.
pub(crate) fn written(app: &App, handed: &HandedOut, queue: &QueueName) -> Result<String, Error> {
    let mut out = String::with_capacity(3_000 * handed.tasks().len());
    for (at, handed) in handed.tasks().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let known = app.library.programs.known(handed.definition);
        let known = known.ok_or_else(|| view::missing(handed.definition))?;
        known.renderer.polled(&handed.task, &queue.task_type, handed.options.as_deref(), &mut out);
        app.handed.note(TaskId::new(handed.attempt.run, handed.attempt.task), queue);
    }
    Ok(out)
}

pub(crate) async fn update(State(app): Shared, Json(result): Json<TaskResult>) -> Answer {
    let update = read_result(&app, &result).await?;
    if update.status != UpdateStatus::Alive
        && let Ok(task) = result.task_id.parse()
    {
        app.handed.queue(task);
    }
    app.handle.update(update).await.map_err(|error| unknown_task(error, &result.task_id))?;
    Ok(text(result.task_id))
}

pub(crate) async fn update_v2(State(app): Shared, Json(result): Json<TaskResult>) -> Answer {
    let update = read_result(&app, &result).await?;
    let task: TaskId = result.task_id.parse().map_err(|_| no_task(&result.task_id))?;
    if matches!(update.status, UpdateStatus::Alive | UpdateStatus::InProgress { .. }) {
        // Who did not end its task gets no other one.
        app.handle.update(update).await.map_err(|error| unknown_task(error, &result.task_id))?;
        return Ok(nothing());
    }
    let queue = match app.handed.queue(task) {
        Some(queue) => queue,
        None => queue_of_row(&app, update.run, task).await?,
    };
    let worker: Arc<str> = result.worker_id.as_deref().unwrap_or_default().into();
    app.workers.note(&queue, &worker, app.now());
    let handed = app.handle.update_and_poll(update, queue.clone(), worker).await;
    let handed = handed.map_err(|error| unknown_task(error, &result.task_id))?;
    if handed.tasks().is_empty() {
        return Ok(nothing());
    }
    let text = written(&app, &handed, &queue)?;
    Ok(handing_out(handed, text))
}

/// A task that was handed out before this start, or long ago: its row knows where it came from.
async fn queue_of_row(app: &Arc<App>, run: RunId, task: TaskId) -> Result<QueueName, Error> {
    let shared = app.clone();
    let found = app.reads.read(&app.handle, move |reader| {
        let (Some(record), Some(row)) = (view::run_of(reader, run)?, reader.task_by_seq(run, task.task())?)
        else {
            return Ok(None);
        };
        let known = shared.library.programs.load(record.definition, reader)?;
        let task_type = known.task_type(&row.node).cloned().unwrap_or_else(|| row.node.clone());
        Ok(Some(QueueName { task_type, domain: row.served.and_then(|served| served.domain) }))
    });
    found.await?.ok_or_else(|| no_task(&task.to_string()))
}

async fn read_result(app: &App, result: &TaskResult) -> Result<Update, Error> {
    Error::if_any(check::task_result(result, "updateTask.taskResult"))?;
    let run: RunId = result.workflow_instance_id.parse().map_err(|_| no_task(&result.task_id))?;
    let task: TaskId = result.task_id.parse().map_err(|_| no_task(&result.task_id))?;
    if !task.is_of(run) {
        return Err(no_task(&result.task_id));
    }
    let seconds = u64::try_from(result.callback_after_seconds).unwrap_or(0);
    let status = match result.status {
        _ if result.extend_lease => UpdateStatus::Alive,
        Some(TaskResultStatus::InProgress) | None => {
            UpdateStatus::InProgress { pause: Duration::from_secs(seconds) }
        }
        Some(TaskResultStatus::Completed) => UpdateStatus::Completed,
        Some(TaskResultStatus::Failed) => UpdateStatus::Failed,
        Some(TaskResultStatus::FailedWithTerminalError) => UpdateStatus::FailedForGood,
        Some(TaskResultStatus::Canceled) => UpdateStatus::Cancelled,
    };
    let output = match result.external_output_payload_storage_path.as_deref() {
        Some(path) if !path.is_empty() => payloads::mentioned(app, path)?,
        Some(_) | None => result.output_data.0.clone(),
    };
    let now = app.now();
    let lines = result.logs.iter().take(LINES_MAX).map(|line| LogLine {
        at: if line.created_time > 0 { Timestamp::from_millis(line.created_time as u64) } else { now },
        text: line.log.as_str().into(),
    });
    Ok(Update {
        run,
        task: TaskName::Seq(task.task()),
        status,
        output: Some(output),
        merge: false,
        reason: result.reason_for_incompletion.clone(),
        worker: result.worker_id.as_deref().map(Arc::from),
        logs: lines.collect(),
        then: None,
        reply: None,
    })
}

/// A run or task that is not there is a task that is not there.
fn unknown_task(error: impl Into<Error>, task: &str) -> Error {
    let error = error.into();
    if error.0.status == 404 { no_task(task) } else { error }
}

/// The status in a path.
pub(crate) fn status_named(name: &str) -> Result<UpdateStatus, Error> {
    let status = TaskResultStatus::parse(name);
    Ok(match status.ok_or_else(|| Error::bad(format!("`{name}` is no status of a task")))? {
        TaskResultStatus::InProgress => UpdateStatus::InProgress { pause: Duration::ZERO },
        TaskResultStatus::Completed => UpdateStatus::Completed,
        TaskResultStatus::Failed => UpdateStatus::Failed,
        TaskResultStatus::FailedWithTerminalError => UpdateStatus::FailedForGood,
        TaskResultStatus::Canceled => UpdateStatus::Cancelled,
    })
}

/// An update by name: its output is added to what is there.
pub(crate) fn by_name(
    run: RunId,
    task: TaskName,
    status: UpdateStatus,
    output: Payload,
    worker: Option<&str>,
) -> Update {
    Update {
        run,
        task,
        status,
        output: Some(output),
        merge: true,
        reason: None,
        worker: worker.map(Arc::from),
        logs: Vec::new(),
        then: None,
        reply: None,
    }
}

pub(crate) async fn update_by_reference(
    State(app): Shared,
    Path((run, reference, status)): Path<(String, String, String)>,
    query: Query,
    OptionalObject(output): OptionalObject,
) -> Answer {
    let status = status_named(&status)?;
    // Conductor answers with nothing where there is nothing to update.
    let Ok(run) = run.parse::<RunId>() else { return Ok(done()) };
    let update = by_name(run, TaskName::Reference(reference), status, output, query.text("workerid"));
    match app.handle.update(update).await {
        Ok(NodeAnswer::Updated { run, task }) => Ok(text(TaskId::new(run, task).to_string())),
        Ok(NodeAnswer::Accepted { .. } | NodeAnswer::Done | NodeAnswer::Refused(_)) => Ok(done()),
        Err(error) => {
            let error = Error::from(error);
            if error.0.status == 404 { Ok(done()) } else { Err(error) }
        }
    }
}

pub(crate) async fn update_by_id(
    State(app): Shared,
    Path((run, task, status)): Path<(String, String, String)>,
    OptionalObject(output): OptionalObject,
) -> Answer {
    let status = status_named(&status)?;
    let (run, id) = (run_id(&run)?, task.parse::<TaskId>().map_err(|_| no_task(&task))?);
    if !id.is_of(run) {
        return Err(no_task(&task));
    }
    let update = by_name(run, TaskName::Seq(id.task()), status, output, None);
    app.handle.update(update).await.map_err(|error| unknown_task(error, &task))?;
    Ok(done())
}

pub(crate) async fn update_by_reference_sync(
    State(app): Shared,
    Path((run, reference, status)): Path<(String, String, String)>,
    query: Query,
    OptionalObject(output): OptionalObject,
) -> Answer {
    let status = status_named(&status)?;
    let id = run_id(&run)?;
    let update = by_name(id, TaskName::Reference(reference.clone()), status, output, query.text("workerid"));
    app.handle.update(update).await.map_err(|error| {
        let error = Error::from(error);
        let none = format!("Found no running task {reference} of workflow {run} to update");
        if error.0.status == 404 { Error::not_found(none) } else { error }
    })?;
    view::workflow(&app, id, true).await
}

pub(crate) async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let (run, task) = find(&app, &id).await?;
    let out = view::with_run(&app, run, move |view| {
        let row = view.task(task.task())?;
        let mut out = String::new();
        view.write_task(row, &mut out);
        Some(out)
    });
    out.await?.flatten().filter(|out| !out.is_empty()).map(raw).ok_or_else(|| no_task(&id))
}

/// The run of a task.
async fn find(app: &Arc<App>, id: &str) -> Result<(RunId, TaskId), Error> {
    let task: TaskId = id.parse().map_err(|_| no_task(id))?;
    let (shard, number) = task.shard_and_number();
    let run = app.reads.read(&app.handle, move |reader| reader.run_by_number(shard, number)).await?;
    let run = run.map(|run| run.id).filter(|&run| task.is_of(run)).ok_or_else(|| no_task(id))?;
    Ok((run, task))
}

pub(crate) async fn log(State(app): Shared, Path(id): Path<String>, Text(line): Text) -> Answer {
    let (run, task) = find(&app, &id).await?;
    let line = LogLine { at: app.now(), text: line.into() };
    app.handle.log(run, task.task(), vec![line]).await.map_err(|error| unknown_task(error, &id))?;
    Ok(done())
}

pub(crate) async fn logs(State(app): Shared, Path(id): Path<String>) -> Answer {
    let (run, task) = match find(&app, &id).await {
        Ok(found) => found,
        Err(error) if error.0.status == 404 => return Ok(nothing()),
        Err(error) => return Err(error),
    };
    let lines = app.reads.read(&app.handle, move |reader| reader.task_log(run, task.task())).await?;
    if lines.is_empty() {
        return Ok(nothing());
    }
    let lines = lines
        .iter()
        .map(|line| serde_json::json!({"log": &*line.text, "taskId": id, "createdTime": line.at.millis()}));
    Ok(json(&lines.collect::<Vec<_>>()))
}
