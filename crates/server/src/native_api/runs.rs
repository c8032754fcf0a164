//! Runs: many started in one call, one shown.

use axum::extract::{Path, State};
use partitur_conductor::render::workflow_status;
use partitur_conductor::wire::StartWorkflowRequest;
use partitur_model::record::RunRecord;
use partitur_model::{Payload, TaskId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json as value};

use crate::conductor_api::{Shared, view};
use crate::http::answer::{Answer, Error, json, raw};
use crate::http::input::{Json, no_run, run_id};
use crate::starting::{started, submission};

/// Runs in one call.
const MANY_MAX: usize = 1_000;

/// Runs that somebody wants.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Starts {
    runs: Vec<StartWorkflowRequest>,
}

/// Starts all of them, each for itself; the answer is in their order.
pub(crate) async fn start_many(State(app): Shared, Json(starts): Json<Starts>) -> Answer {
    if starts.runs.len() > MANY_MAX {
        return Err(Error::bad(format!("at most {MANY_MAX} runs in one call")));
    }
    let (mut faults, mut sound) = (Vec::new(), Vec::new());
    for request in starts.runs {
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
            written(&run, &tasks, shown(&run.input), run.output.as_ref().map(shown))
        })?;
        Ok(Some(text))
    });
    shown.await?.map(raw).ok_or_else(|| no_run(&id))
}

/// Inputs and outputs stay the bytes that came.
fn written(run: &RunRecord, tasks: &[Value], input: Payload, output: Option<Payload>) -> String {
    let rest = value!({
        "run": run.id.to_string(),
        "name": run.name,
        "state": workflow_status(run.state).as_str(),
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
