//! Runs: many started in one call, shown, and told what to do.

use axum::extract::{Path, State};
use partitur_api::{outcome_name, run_state_name};
use partitur_conductor::render::workflow_status;
use partitur_conductor::wire::{Parts, StartWorkflowRequest};
use partitur_engine::Command;
use partitur_model::record::{RunRecord, TaskRecord, TaskState};
use partitur_model::{Payload, TaskId};
use partitur_store::{Order, Search};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json as value};

use crate::app::App;
use crate::conductor_api::{Shared, view};
use crate::http::answer::{Answer, Error, done, json, raw};
use crate::http::input::{Json, OptionalObject, Query, no_run, run_id};
use crate::starting::{started, submission};

/// Runs in one call.
const MANY_MAX: usize = 1_000;

/// Runs that somebody wants.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Starts {
    #[schemars(with = "Vec<StartWorkflowRequest>")]
    runs: Parts<StartWorkflowRequest>,
}

/// Starts all of them, each for itself; the answer is in their order.
pub(crate) async fn start_many(State(app): Shared, Json(starts): Json<Starts>) -> Answer {
    let Parts(starts) = starts.runs;
    if starts.len() > MANY_MAX {
        return Err(Error::bad(format!("at most {MANY_MAX} runs in one call")));
    }
    let (mut faults, mut sound) = (Vec::new(), Vec::new());
    for request in starts {
        faults.push(submission(&app, request).await.map(|submission| sound.push(submission)).err());
    }
    let mut answers = app.handle.submit_many(sound).await?.into_iter();
    let runs = faults.into_iter().map(|fault| {
        let answer = fault.map_or_else(|| answers.next().map(started), |fault| Some(Err(fault)));
        match answer.expect("each sound one has an answer") {
            Ok(run) => value!({"run": run.to_string()}),
            Err(error) => value!({"status": error.0.status, "error": error.message()}),
        }
    });
    Ok(json(&value!({"runs": runs.collect::<Vec<Value>>()})))
}

pub(crate) async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    let run = run_id(&id)?;
    let shared = app.clone();
    let shown = app.reads.read(&app.handle, move |reader| {
        let Some(run) = reader.run(run)? else { return Ok(None) };
        if !view::is_served(&run) {
            let tasks = reader.tasks(run.id)?.iter().map(of_document).collect::<Vec<_>>();
            let (input, output) = (run.input.clone(), run.output.clone());
            return Ok(Some(written(&run, run_state_name(run.state), &tasks, input, output)));
        }
        let text = view::see_run(&shared, reader, &run, true, |view| {
            let tasks = view.tasks().map(|(task, status)| {
                value!({
                    "task": TaskId::new(task.run, task.seq).to_string(),
                    "name": view.reference(task),
                    "state": status.as_str(),
                    "attempts": task.served.as_ref().map_or(0, |served| served.retries) + 1,
                    "cached": task.cached,
                })
            });
            let tasks = tasks.collect::<Vec<_>>();
            let shown = |payload: &Payload| view.masked(payload).into_owned();
            let state = workflow_status(run.state).as_str();
            written(&run, state, &tasks, shown(&run.input), run.output.as_ref().map(shown))
        })?;
        Ok(Some(text))
    });
    shown.await?.map(raw).ok_or_else(|| no_run(&id))
}

/// Inputs and outputs stay the bytes that came.
fn written(run: &RunRecord, state: &str, tasks: &[Value], input: Payload, output: Option<Payload>) -> String {
    let rest = value!({
        "run": run.id.to_string(),
        "name": run.name,
        "state": state,
        "error": run.error.as_ref().map(|error| &error.message),
        "created": run.created.millis(),
        "ended": run.ended.map(|ended| ended.millis()),
        "tasks": tasks,
    });
    let mut out = rest.to_string();
    out.pop();
    for (name, payload) in [("input", Some(input)), ("output", output)] {
        if let Some(payload) = payload {
            out.push_str(&format!(",\"{name}\":"));
            payload.render_into(&mut out);
        }
    }
    out.push('}');
    out
}

/// A task of a native document.
fn of_document(task: &TaskRecord) -> Value {
    value!({
        "task": TaskId::new(task.run, task.seq).to_string(),
        "name": task.path,
        "state": task_state_name(task.state),
        "attempts": task.attempt,
        "cached": task.cached,
        "output": task.output.as_ref().map(Payload::to_value),
        "error": task.error.as_ref().map(|error| &error.message),
    })
}

fn task_state_name(state: TaskState) -> &'static str {
    match state {
        TaskState::Blocked => "blocked",
        TaskState::Ready => "ready",
        TaskState::Running { .. } => "running",
        TaskState::Stopping { .. } => "stopping",
        TaskState::Backoff { .. } => "backoff",
        TaskState::Waiting { .. } => "waiting",
        TaskState::Open => "open",
        TaskState::Ended(outcome) => outcome_name(outcome),
    }
}

/// The newest runs, of one name if one is given.
pub(crate) async fn list(State(app): Shared, query: Query) -> Answer {
    let limit = usize::try_from(query.number("limit", 20)?).unwrap_or(MANY_MAX).min(MANY_MAX);
    let names = query.some_text("name").map(str::to_owned).into_iter().collect();
    let search = Search { names, limit, order: Order::NewestFirst, ..Search::default() };
    let found = app.reads.read(&app.handle, move |reader| reader.search(&search)).await?;
    let runs = found.runs.iter().map(|run| {
        let served = view::is_served(run).then(|| workflow_status(run.state).as_str());
        value!({
            "run": run.id.to_string(),
            "name": run.name,
            "state": served.unwrap_or_else(|| run_state_name(run.state)),
            "created": run.created.millis(),
            "ended": run.ended.map(|ended| ended.millis()),
        })
    });
    Ok(json(&value!({"total": found.total, "runs": runs.collect::<Vec<Value>>()})))
}

pub(crate) async fn cancel(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    let reason = query.some_text("reason").unwrap_or_default().to_owned();
    command(&app, &id, Command::Cancel { reason }).await
}

pub(crate) async fn pause(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Pause).await
}

pub(crate) async fn resume(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Unpause).await
}

pub(crate) async fn retry(State(app): Shared, Path(id): Path<String>) -> Answer {
    command(&app, &id, Command::Retry { resume_sub_runs: true }).await
}

pub(crate) async fn signal(
    State(app): Shared,
    Path((id, task)): Path<(String, String)>,
    OptionalObject(output): OptionalObject,
) -> Answer {
    command(&app, &id, Command::Signal { task, result: Ok(output) }).await
}

async fn command(app: &App, id: &str, command: Command) -> Answer {
    app.handle.command(run_id(id)?, command).await?;
    Ok(done())
}
