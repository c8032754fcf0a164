//! A request for a run becomes a submission.

use std::sync::Arc;

use partitur_conductor::Wanted;
use partitur_conductor::wire::{Object, StartWorkflowRequest, ValidationError, WorkflowDef};
use partitur_engine::{Answer, Refusal, Submission};
use partitur_model::record::{RunOptions, ServerOptions};
use partitur_model::{Payload, RunId};
use tokio::sync::oneshot;

use crate::app::App;
use crate::auth::{Right, asking};
use crate::handle::NodeError;
use crate::http::answer::Error;
use crate::payloads;

/// Starts a run; its id when that is durable.
pub(crate) async fn start(app: &App, request: StartWorkflowRequest) -> Result<RunId, Error> {
    started(app.handle.submit(submission(app, request).await?).await)
}

/// What is to be submitted for a request.
pub(crate) async fn submission(app: &App, request: StartWorkflowRequest) -> Result<Submission, Error> {
    Error::if_any(partitur_conductor::check::start_request(&request, "startWorkflow.startWorkflowRequest"))?;
    let external = request.external_input_payload_storage_path.as_deref().filter(|path| !path.is_empty());
    let external = external.map(|path| payloads::mentioned(app, path)).transpose()?;
    let request = match external {
        Some(input) => StartWorkflowRequest { input: Object(input), ..request },
        None => request,
    };
    let asking = asking();
    if request.workflow_def.is_some() {
        asking.demand(Right::Define, "a definition that comes with its start")?;
    }
    // Whoever has a key does not say who it is.
    let creator = asking.name().map(str::to_owned).or(request.created_by.clone()).unwrap_or_default();
    submission_of(app, Wanted::from(request), creator, None).await
}

/// What is to be submitted because of an event.
pub(crate) async fn event_submission(
    app: &App,
    request: StartWorkflowRequest,
    event: &str,
) -> Result<Submission, Error> {
    submission_of(app, Wanted::from(request), String::new(), Some(event.to_owned())).await
}

/// The run that a submission was answered with.
pub(crate) fn started(answer: Result<Answer, NodeError>) -> Result<RunId, Error> {
    match answer {
        Ok(Answer::Accepted { run, .. }) => Ok(run),
        Ok(Answer::Done | Answer::Updated { .. } | Answer::Refused(_)) => Err(Error::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "the start was answered with something else",
        )),
        Err(NodeError::Refused(Refusal::KeyTaken(run))) => {
            Err(Error::conflict(format!("Workflow {run} was started with this idempotency key already")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn submission_of(
    app: &App,
    wanted: Wanted,
    creator: String,
    event: Option<String>,
) -> Result<Submission, Error> {
    let programs = &app.library.programs;
    let known = match &wanted.definition {
        Some(def) => programs.inline(def)?,
        None => programs.named(&wanted.name, wanted.version)?,
    };
    let options = ServerOptions {
        version: known.def.version,
        correlation: wanted.correlation,
        priority: wanted.priority,
        domains: wanted.domains.unwrap_or_default(),
        idempotency: wanted.idempotency,
        creator,
        event,
    };
    let input = known.def.filled_input(&wanted.input);
    check_input(app, &known.def, &input).await?;
    Ok(Submission {
        program: known.program.clone(),
        definition: known.record.clone(),
        input,
        options: RunOptions {
            server: Some(Arc::new(options)),
            callbacks: wanted.callbacks,
            ..RunOptions::default()
        },
        random: random(),
        expected: Vec::new(),
        under_key: None,
        reply: None,
    })
}

/// Compares an input with the schema that its definition has for it.
async fn check_input(app: &App, def: &WorkflowDef, input: &Payload) -> Result<(), Error> {
    let Some(schema) = def.wanted_input() else { return Ok(()) };
    let (sender, verdict) = oneshot::channel();
    app.library.evaluator.evaluate(0, "schema", schema, input.clone(), |verdict| {
        // Whoever asked may have gone.
        let _ = sender.send(verdict);
    });
    match verdict.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let message = format!("the input is not as `{}` wants it: {}", def.name, error.message);
            Err(Error::if_any(vec![ValidationError::new("input", message)]).expect_err("there is one"))
        }
        Err(_) => Err(NodeError::Stopping.into()),
    }
}

/// Bits that nobody can guess.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    filled.expect("the kernel has random bytes once it has started");
    u64::from_ne_bytes(bytes)
}
