//! Native documents: kept by name, and run, by name or as they come.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use partitur_conductor::wire::{CallbackRequest, Object, ValidationError};
use partitur_engine::Submission;
use partitur_model::Payload;
use partitur_model::callback::Callback;
use partitur_model::catalogue::EntryKind;
use partitur_model::record::RunOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json as value;

use crate::app::App;
use crate::conductor_api::Shared;
use crate::conductor_api::metadata::{entry, gone, keep};
use crate::flows::{Flow, Told, read_flow};
use crate::http::answer::{Answer, Error, json, text, with_status};
use crate::http::input::{Json, OptionalObject, Query, Text};
use crate::starting::{random, started};

/// No name is longer, in bytes.
const NAME_MAX: usize = 1_000;

/// A document that is to run.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Document {
    /// Its text.
    document: String,
    /// The name of its file, which says what it is: `flow.yaml` if nothing is said.
    #[serde(default = "yaml")]
    file: String,
    /// The inputs of the run.
    #[serde(default)]
    input: Object,
    /// Who is told what becomes of it, besides those whom the document names.
    #[serde(default)]
    callbacks: Vec<CallbackRequest>,
}

fn yaml() -> String {
    "flow.yaml".to_owned()
}

/// A document as the catalogue keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    file: String,
    text: String,
}

fn kept(app: &App, name: &str) -> Option<Kept> {
    let documents = app.library.catalogue.read();
    let body = documents.other(EntryKind::Flow, name, 0)?.body.clone()?;
    serde_json::from_str(body.as_str()).ok()
}

/// Reads a document where nobody waits behind it; its sub-flows are those that are kept, under the names of their files, with
/// their ends or without.
async fn sound(app: &Arc<App>, file: String, document: String) -> Result<Result<Flow, Vec<Told>>, Error> {
    let app = app.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut resolve = |flow: &str| {
            let stem = flow.rsplit_once('.').map_or(flow, |(stem, _)| stem);
            let found = kept(&app, flow).or_else(|| kept(&app, stem));
            let found = found.map(|kept| kept.text.into_bytes());
            found.ok_or_else(|| "no document of this name is kept here".to_owned())
        };
        read_flow(&file, &document, &mut resolve, app.settings.allowed())
    });
    let unread = |_| Error::new(StatusCode::INTERNAL_SERVER_ERROR, "the document could not be read");
    reading.await.map_err(unread)
}

/// Every fault at once, each with its place.
fn refused(faults: Vec<Told>) -> Response {
    let errors = faults.iter().filter(|fault| fault.severity == "error").count();
    let s = if errors == 1 { "" } else { "s" };
    let message = format!("the document has {errors} fault{s}");
    let answer = value!({"status": 400, "message": message, "retryable": false, "faults": faults});
    with_status(StatusCode::BAD_REQUEST, json(&answer))
}

/// Who is told, or every fault of what was said about that.
fn told(wanted: &[CallbackRequest]) -> Result<Vec<Callback>, Error> {
    let (mut callbacks, mut faults) = (Vec::new(), Vec::new());
    for (at, wanted) in wanted.iter().enumerate() {
        match wanted.read() {
            Ok(callback) => callbacks.push(callback),
            Err((field, why)) => faults.push(ValidationError::new(format!("callbacks[{at}].{field}"), why)),
        }
    }
    Error::if_any(faults).map(|()| callbacks)
}

async fn submit(app: &App, flow: Flow, input: Payload, callbacks: Vec<Callback>) -> Answer {
    let submission = Submission {
        program: flow.program,
        definition: flow.record,
        input,
        options: RunOptions { labels: app.settings.labels(), callbacks, ..RunOptions::default() },
        random: random(),
        expected: Vec::new(),
        under_key: None,
        reply: None,
    };
    let run = started(app.handle.submit(submission).await)?;
    Ok(json(&value!({"run": run.to_string(), "warnings": flow.warnings})))
}

/// Runs a document that nobody keeps.
pub(crate) async fn run(State(app): Shared, Json(wanted): Json<Document>) -> Answer {
    let callbacks = told(&wanted.callbacks)?;
    match sound(&app, wanted.file, wanted.document).await? {
        Ok(flow) => submit(&app, flow, wanted.input.0, callbacks).await,
        Err(faults) => Ok(refused(faults)),
    }
}

/// Keeps a document; the one of this name is replaced.
pub(crate) async fn register(
    State(app): Shared,
    Path(name): Path<String>,
    query: Query,
    Text(document): Text,
) -> Answer {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Error::bad(format!("a name has at most {NAME_MAX} bytes")));
    }
    let file = query.some_text("file").map_or_else(|| format!("{name}.yaml"), str::to_owned);
    let flow = match sound(&app, file.clone(), document.clone()).await? {
        Ok(flow) => flow,
        Err(faults) => return Ok(refused(faults)),
    };
    let _teaching = app.teaching.lock().await;
    keep(&app, vec![entry(&app, EntryKind::Flow, &name, 0, &Kept { file, text: document })]).await?;
    Ok(json(&value!({"name": name, "warnings": flow.warnings})))
}

pub(crate) async fn all(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    let names: Vec<Arc<str>> = documents.others(EntryKind::Flow).map(|entry| entry.name.clone()).collect();
    Ok(json(&names.iter().map(|name| &**name).collect::<Vec<&str>>()))
}

pub(crate) async fn get(State(app): Shared, Path(name): Path<String>) -> Answer {
    kept(&app, &name).map(|kept| text(kept.text)).ok_or_else(|| no_document(&name))
}

pub(crate) async fn forget(State(app): Shared, Path(name): Path<String>) -> Answer {
    let _teaching = app.teaching.lock().await;
    if kept(&app, &name).is_none() {
        return Err(no_document(&name));
    }
    keep(&app, vec![gone(&app, EntryKind::Flow, &name, 0)]).await?;
    Ok(crate::http::answer::done())
}

/// Runs a document that is kept; the body has its inputs.
pub(crate) async fn start(
    State(app): Shared,
    Path(name): Path<String>,
    OptionalObject(input): OptionalObject,
) -> Answer {
    let kept = kept(&app, &name).ok_or_else(|| no_document(&name))?;
    match sound(&app, kept.file, kept.text).await? {
        Ok(flow) => submit(&app, flow, input, Vec::new()).await,
        Err(faults) => Ok(refused(faults)),
    }
}

fn no_document(name: &str) -> Error {
    Error::not_found(format!("no document `{name}` is kept here"))
}
