//! Runs: started, shown, and what may be wanted of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use partitur_conductor::wire::{
    Entries, Object, RerunWorkflowRequest, SkipTaskRequest, StartWorkflowRequest, TaskStatus, search_result,
};
use partitur_engine::{Command, Restart, TaskName, Update, UpdateStatus};
use partitur_model::record::{RunOutcome, RunState};
use partitur_model::{Payload, RunId, TaskId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json, nothing, raw, text, with_status};
use crate::http::input::{Json, OptionalObject, Query, Text, no_run, run_id};
use crate::starting::start;

pub(crate) async fn start_run(State(app): Shared, Json(request): Json<StartWorkflowRequest>) -> Answer {
    Ok(text(start(&app, request).await?.to_string()))
}

pub(crate) async fn start_named(
    State(app): Shared,
    Path(name): Path<String>,
    query: Query,
    OptionalObject(input): OptionalObject,
) -> Answer {
    let request = named(name, query.version()?, &query, input)?;
    Ok(text(start(&app, request).await?.to_string()))
}

pub(crate) async fn start_version(
    State(app): Shared,
    Path((name, version)): Path<(String, u32)>,
    query: Query,
    OptionalObject(input): OptionalObject,
) -> Answer {
    let request = named(name, Some(version), &query, input)?;
    Ok(text(start(&app, request).await?.to_string()))
}

fn named(
    name: String,
    version: Option<u32>,
    query: &Query,
    input: Payload,
) -> Result<StartWorkflowRequest, Error> {
    let priority = query.number("priority", 0)?;
    Ok(StartWorkflowRequest {
        name,
        version,
        correlation_id: query.some_text("correlationId").map(str::to_owned),
        priority: i64::try_from(priority).unwrap_or(i64::MAX),
        input: partitur_conductor::wire::Object(input),
        ..StartWorkflowRequest::default()
    })
}

pub(crate) async fn get(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    view::workflow(&app, run_id(&id)?, query.truth("includeTasks", true)?).await
}

pub(crate) async fn tasks(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let (start, count) = (query.number("start", 0)? as usize, query.number("count", 15)? as usize);
    let wanted: BTreeSet<String> =
        query.all("status").flat_map(|list| list.split(',')).map(str::to_owned).collect();
    let written = view::with_run(&app, run_id(&id)?, move |view| {
        let fits = |status: TaskStatus| wanted.is_empty() || wanted.contains(status.as_str());
        let shown: Vec<_> = view.tasks().filter(|(_, status)| fits(*status)).map(|(task, _)| task).collect();
        let page = shown.iter().skip(start).take(count).map(|task| {
            let mut out = String::new();
            view.write_task(task, &mut out);
            out
        });
        search_result(shown.len() as u64, page)
    });
    written.await?.map(raw).ok_or_else(|| no_run(&id))
}

pub(crate) async fn status(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let (output, variables) = (query.truth("includeOutput", false)?, query.truth("includeVariables", false)?);
    let written = view::with_run(&app, run_id(&id)?, move |view| {
        let mut out = String::new();
        view.write_status(output, variables, &mut out);
        out
    });
    written.await?.map(raw).ok_or_else(|| no_run(&id))
}

/// Which of the runs that were found are shown, and how.
fn shown(query: &Query) -> Result<(bool, bool), Error> {
    Ok((query.truth("includeClosed", false)?, query.truth("includeTasks", false)?))
}

/// The runs of a name that are called so, as a list.
async fn correlated_list(
    app: &Arc<App>,
    name: String,
    correlation: String,
    (closed, tasks): (bool, bool),
) -> Result<String, Error> {
    let shared = app.clone();
    let read = app.reads.read(&app.handle, move |reader| {
        let page = reader.by_correlation(&name, &correlation, closed)?;
        let written = page.runs.iter().map(|run| {
            view::see_run(&shared, reader, run, tasks, |view| {
                let mut out = String::new();
                view.write_workflow(tasks, &mut out);
                out
            })
        });
        Ok(view::list(written.collect::<Result<Vec<_>, _>>()?))
    });
    Ok(read.await?)
}

pub(crate) async fn correlated(
    State(app): Shared,
    Path((name, correlation)): Path<(String, String)>,
    query: Query,
) -> Answer {
    Ok(raw(correlated_list(&app, name, correlation, shown(&query)?).await?))
}

pub(crate) async fn correlated_many(
    State(app): Shared,
    Path(name): Path<String>,
    query: Query,
    Json(correlations): Json<Vec<String>>,
) -> Answer {
    let shown = shown(&query)?;
    let mut lists = Vec::new();
    for correlation in correlations {
        let list = correlated_list(&app, name.clone(), correlation.clone(), shown).await?;
        lists.push((correlation, list));
    }
    Ok(raw(map_of_lists(&lists)))
}

/// Names and correlations of which the runs are wanted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CorrelatedRequest {
    workflow_names: Vec<String>,
    correlation_ids: Vec<String>,
}

pub(crate) async fn correlated_batch(
    State(app): Shared,
    query: Query,
    Json(request): Json<CorrelatedRequest>,
) -> Answer {
    let shown = shown(&query)?;
    let mut lists = Vec::new();
    for correlation in request.correlation_ids {
        let mut list = String::new();
        for name in &request.workflow_names {
            let part = correlated_list(&app, name.clone(), correlation.clone(), shown).await?;
            let part = part.trim_start_matches('[').strip_suffix(']').unwrap_or_default();
            if !part.is_empty() && !list.is_empty() {
                list.push(',');
            }
            list.push_str(part);
        }
        lists.push((correlation, format!("[{list}]")));
    }
    Ok(raw(map_of_lists(&lists)))
}

fn map_of_lists(lists: &[(String, String)]) -> String {
    let entries = lists.iter().map(|(key, list)| format!("{}:{list}", serde_json::Value::from(key.as_str())));
    format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
}

pub(crate) async fn running(State(app): Shared, Path(name): Path<String>, query: Query) -> Answer {
    let from = Timestamp::from_millis(query.number("startTime", 0)?);
    let to =
        query.some_number("endTime")?.filter(|&to| to > 0).map_or(Timestamp::MAX, Timestamp::from_millis);
    let version = query.version()?.unwrap_or(1);
    let ids =
        app.reads.read(&app.handle, move |reader| reader.running(&name, Some(version), from..=to)).await?;
    Ok(json(&ids.iter().map(RunId::to_string).collect::<Vec<_>>()))
}

// What may be wanted of a run.

/// Has the engine do it; an unknown run is called by the name by which it was asked for.
pub(crate) async fn command(app: &App, id: &str, command: Command) -> Result<(), Error> {
    let run = run_id(id)?;
    match app.handle.command(run, command).await {
        Ok(_) => Ok(()),
        Err(crate::handle::NodeError::Refused(partitur_engine::Refusal::UnknownRun)) => Err(no_run(id)),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn terminate_run(app: &App, id: &str, reason: Option<&str>) -> Result<(), Error> {
    let reason = reason.unwrap_or_default().to_owned();
    match command(app, id, Command::Cancel { reason }).await {
        // A run that was terminated is terminated.
        Err(error) if error.0.status == 409 && is_terminated(app, id).await? => Ok(()),
        other => other,
    }
}

async fn is_terminated(app: &App, id: &str) -> Result<bool, Error> {
    Ok(state(app, id).await? == Some(RunState::Ended(RunOutcome::Cancelled)))
}

async fn has_ended(app: &App, id: &str) -> Result<bool, Error> {
    Ok(state(app, id).await?.is_none_or(RunState::is_ended))
}

async fn state(app: &App, id: &str) -> Result<Option<RunState>, Error> {
    let id = run_id(id)?;
    let run = app.reads.read(&app.handle, move |reader| view::run_of(reader, id)).await?;
    Ok(run.map(|run| run.state))
}

pub(crate) async fn terminate(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    terminate_run(&app, &id, query.some_text("reason")).await?;
    Ok(done())
}

pub(crate) async fn remove(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Remove { running: true }).await?;
    Ok(done())
}

pub(crate) async fn terminate_and_remove(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    terminate_and_remove_run(&app, &id, query.some_text("reason")).await?;
    Ok(done())
}

pub(crate) async fn terminate_and_remove_run(app: &App, id: &str, reason: Option<&str>) -> Result<(), Error> {
    match terminate_run(app, id, reason).await {
        // A run that has completed is removed all the same.
        Err(error) if error.0.status != 409 => return Err(error),
        Ok(()) | Err(_) => {}
    }
    command(app, id, Command::Remove { running: true }).await
}

/// What is there is decided as it comes; there is nothing to force.
pub(crate) async fn decide(State(app): Shared, Path(id): Path<String>) -> Answer {
    let run = run_id(&id)?;
    let found = app.reads.read(&app.handle, move |reader| view::run_of(reader, run)).await?;
    found.map(|_| done()).ok_or_else(|| no_run(&id))
}

pub(crate) async fn pause(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Pause).await?;
    Ok(done())
}

pub(crate) async fn resume(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Unpause).await?;
    Ok(done())
}

pub(crate) async fn retry(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let resume_sub_runs = query.truth("resumeSubworkflowTasks", false)?;
    match command(&app, &id, Command::Retry { resume_sub_runs }).await {
        Ok(()) => Ok(nothing()),
        // To Conductor's clients a run that has not ended is no run that could be retried.
        Err(error) if error.0.status == 409 && !has_ended(&app, &id).await? => {
            Err(Error::not_found(format!("Workflow is still running.  status={}", error.message())))
        }
        Err(error) => Err(error),
    }
}

pub(crate) async fn restart(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    restart_run(&app, &id, query.truth("useLatestDefinitions", false)?).await?;
    Ok(nothing())
}

pub(crate) async fn restart_run(app: &App, id: &str, latest: bool) -> Result<(), Error> {
    let run = run_id(id)?;
    let library = app.library.clone();
    let found = app.reads.read(&app.handle, move |reader| {
        let Some(record) = view::run_of(reader, run)? else { return Ok(None) };
        let frozen = library.programs.load(record.definition, reader)?;
        Ok(Some((record, frozen)))
    });
    let (record, frozen) = found.await?.ok_or_else(|| no_run(id))?;
    let known = if latest { Some(app.library.programs.named(&record.name, None)?) } else { None };
    let restartable = known.as_ref().map_or(frozen.def.restartable, |known| known.def.restartable);
    if !restartable && record.state == RunState::Ended(RunOutcome::Succeeded) {
        return Err(Error::not_found(format!("Workflow: {id} is non-restartable")));
    }
    let restart = Restart {
        definition: known.as_ref().map(|known| (known.program.clone(), known.record.clone())),
        version: known.map(|known| known.def.version),
        ..Restart::default()
    };
    command(app, id, Command::RestartWith(Box::new(restart))).await
}

pub(crate) async fn rerun(
    State(app): Shared,
    Path(id): Path<String>,
    Json(request): Json<RerunWorkflowRequest>,
) -> Answer {
    let run = run_id(&id)?;
    let Some(task) = request.re_run_from_task_id.filter(|task| !task.is_empty()) else {
        let restart = Restart {
            input: request.workflow_input.map(|input| input.0).filter(|input| !is_empty(input)),
            correlation: request.correlation_id,
            keeps_end: true,
            ..Restart::default()
        };
        command(&app, &id, Command::RestartWith(Box::new(restart))).await?;
        return Ok(text(id));
    };
    let unknown = || Error::bad(format!("Task {task} not found in workflow {id} or below it"));
    let task_id: TaskId = task.parse().map_err(|_| unknown())?;
    let owner =
        if task_id.is_of(run) { run } else { below(&app, run, task_id).await?.ok_or_else(unknown)? };
    let input = request.task_input.map(|input| input.0);
    let wanted = Command::RerunFrom { task: task_id.task(), input };
    match app.handle.command(owner, wanted).await {
        Ok(_) => Ok(text(id)),
        Err(error) => {
            let error = Error::from(error);
            Err(if error.0.status == 404 { unknown() } else { error })
        }
    }
}

fn is_empty(object: &Payload) -> bool {
    object.is_null() || object.entries().is_some_and(|entries| entries.is_empty())
}

/// The run below this one to which a task belongs.
async fn below(app: &App, run: RunId, task: TaskId) -> Result<Option<RunId>, Error> {
    let (shard, number) = task.shard_and_number();
    let found = app.reads.read(&app.handle, move |reader| {
        let Some(owner) = reader.run_by_number(shard, number)?.filter(|owner| task.is_of(owner.id)) else {
            return Ok(None);
        };
        let (id, mut above) = (owner.id, owner.parent);
        while let Some(parent) = above {
            if parent.run == run {
                return Ok(Some(id));
            }
            above = reader.run(parent.run)?.and_then(|record| record.parent);
        }
        Ok(None)
    });
    Ok(found.await?)
}

/// The request comes as a body, or spread over the query.
pub(crate) async fn skip(
    State(app): Shared,
    Path((id, task)): Path<(String, String)>,
    query: Query,
    Text(body): Text,
) -> Answer {
    let request: SkipTaskRequest = match query.some_text("skipTaskRequest") {
        // What a client writes here is no JSON where its language has another text for the object, and Conductor does not
        // look at it.
        Some(text) => partitur_conductor::wire::read(text.as_bytes()).unwrap_or_default(),
        None if body.trim().is_empty() => SkipTaskRequest {
            task_input: partitur_conductor::wire::Object(query.object("taskInput")),
            task_output: partitur_conductor::wire::Object(query.object("taskOutput")),
        },
        None => partitur_conductor::wire::read(body.as_bytes())?,
    };
    let skip = Command::Skip { task, input: request.task_input.0, output: request.task_output.0 };
    command(&app, &id, skip).await?;
    Ok(done())
}

pub(crate) async fn reset_callbacks(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::ReleaseHeldBack).await?;
    Ok(nothing())
}

pub(crate) async fn set_variables(
    State(app): Shared,
    Path(id): Path<String>,
    Json(variables): Json<partitur_conductor::wire::Object>,
) -> Answer {
    command(&app, &id, Command::SetVariables(variables.0)).await?;
    view::workflow(&app, run_id(&id)?, true).await
}

/// A change of a run from outside.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StateUpdate {
    task_reference_name: Option<String>,
    task_result: Option<partitur_conductor::wire::TaskResult>,
    variables: Option<Entries<partitur_conductor::wire::Json>>,
}

pub(crate) async fn set_state(
    State(app): Shared,
    Path(id): Path<String>,
    query: Query,
    Json(update): Json<StateUpdate>,
) -> Answer {
    let run = run_id(&id)?;
    if let Some(variables) = update.variables.filter(|variables| !variables.0.is_empty()) {
        let variables = Payload::object(variables.0.into_iter().map(|(name, value)| (name, value.0)));
        command(&app, &id, Command::SetVariables(variables)).await?;
    }
    if let (Some(reference), Some(result)) = (update.task_reference_name, update.task_result) {
        let status = result.status.map_or(Ok(UpdateStatus::Completed), |status| {
            super::tasks::status_named(
                match serde_json::to_value(status) {
                    Ok(serde_json::Value::String(name)) => name,
                    Ok(_) | Err(_) => String::new(),
                }
                .as_str(),
            )
        })?;
        let update = super::tasks::by_name(
            run,
            TaskName::Reference(reference),
            status,
            result.output_data.0,
            result.worker_id.as_deref(),
        );
        let update = Update { reason: result.reason_for_incompletion, ..update };
        app.handle.update(update).await?;
    }
    super::execute::wait_and_show(&app, run, &query, None).await
}

/// For a task of the run that takes messages.
pub(crate) async fn send_message(
    State(app): Shared,
    Path(id): Path<String>,
    Json(message): Json<Object>,
) -> Answer {
    match crate::messages::send(&app, &id, &message.0).await {
        Ok(message) => Ok(text(message)),
        // Here clients read the bare sentence.
        Err(error) if error.0.status < 500 => {
            let status = StatusCode::from_u16(error.0.status).expect("it was made of one");
            Ok(with_status(status, text(error.message())))
        }
        Err(error) => Err(error),
    }
}
