//! Events: published by EVENT tasks, and what handlers do about them.
//!
//! An event is a note that stands in the commit in which its task ends; each thing that a handler does stands in one with
//! the note that it was done, and the event goes when all is done. So everything is done once, however often the process
//! dies.

use std::sync::Arc;
use std::time::Duration;

use partitur_conductor::wire::{self, Action, ActionKind, EventHandler, StartWorkflowRequest, TaskDetails};
use partitur_engine::{Command, Input, TaskName, UpdateStatus};
use partitur_expr::{Lookup, Step, Tree, navigate};
use partitur_model::catalogue::EntryKind;
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{RunRecord, TaskError};
use partitur_model::{AttemptId, Payload, RunId, TaskId, Timestamp};
use partitur_store::NoteSearch;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::app::App;
use crate::conductor_api::tasks::by_name;
use crate::http::answer::Error;
use crate::notes::{self, written};
use crate::starting::event_submission;

/// The type of tasks that publish events.
pub(crate) const EVENT: &str = "EVENT";

/// Events in one turn.
const TURN: u32 = 100;

/// What each handler has done is remembered so many times.
const KEPT: u32 = 1_000;

/// After trouble with the disk.
const NAP: Duration = Duration::from_secs(1);

/// An event, as it is noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arrived {
    event: String,
    message_id: String,
    payload: wire::Json,
}

/// What a handler has done about an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handled {
    id: String,
    message_id: String,
    name: String,
    event: String,
    created: u64,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<ActionKind>,
    output: wire::Json,
}

/// What an EVENT task comes to: its end, and the event that is noted with it.
pub(crate) fn published(
    attempt: AttemptId,
    node: &str,
    run: &RunRecord,
    input: &Payload,
    now: Timestamp,
) -> Input {
    let task = TaskId::new(attempt.run, attempt.task).to_string();
    let text = |key: &str| input.member(key).and_then(|value| value.to_value().as_str().map(str::to_owned));
    let sink = text("sink").unwrap_or_default();
    let event = event_name(&sink, &run.name, node);
    let payload = payload(run, input, event.as_deref().unwrap_or(&sink));
    let (ending, note) = match event {
        Some(event) => {
            let arrived = Arrived { event, message_id: task.clone(), payload: wire::Json(payload.clone()) };
            (Ending::success(Some(payload)), Some(arrived))
        }
        None => {
            let kind = sink.split(':').next().unwrap_or_default();
            let message =
                format!("Error loading queue:{sink}, for task:{task}, error: Unknown queue type {kind}");
            let shown = Some(payload);
            (Ending { shown, ..Ending::failure(TaskError::new("event", message)) }, None)
        }
    };
    let note = note.map(|arrived| Note {
        kind: NoteKind::Event,
        id: format!("{task}.{}", attempt.token.0).into(),
        about: arrived.event.as_str().into(),
        at: now,
        run: None,
        body: Some(written(&arrived)),
    });
    let report = Input::Report(Report { attempt, what: ReportKind::Ended(Box::new(ending)) });
    Input::Noted { input: Box::new(report), notes: note.into_iter().collect() }
}

/// As Conductor calls what goes to its own queues; no other queues are connected.
fn event_name(sink: &str, workflow: &str, node: &str) -> Option<String> {
    match sink.strip_prefix("conductor")? {
        "" => Some(format!("conductor:{workflow}:{node}")),
        rest => Some(format!("conductor:{workflow}:{}", rest.strip_prefix(':')?)),
    }
}

fn payload(run: &RunRecord, input: &Payload, event: &str) -> Payload {
    let mut entries = input.entries().unwrap_or_default();
    let server = run.options.server.as_ref();
    let correlation = server.and_then(|server| server.correlation.as_deref()).map(Payload::string);
    let domains = server.into_iter().flat_map(|server| &server.domains);
    let domains = domains.map(|(task, domain)| (task.as_str(), Payload::string(domain)));
    let told = [
        ("workflowInstanceId", Payload::string(&run.id.to_string())),
        ("workflowType", Payload::string(&run.name)),
        ("workflowVersion", Payload::from(u64::from(server.map_or(1, |server| server.version)))),
        ("correlationId", correlation.unwrap_or_default()),
        ("taskToDomain", Payload::object(domains)),
        ("event_produced", Payload::string(event)),
    ];
    entries.retain(|(name, _)| told.iter().all(|(known, _)| **name != **known));
    entries.extend(told.map(|(name, value)| (name.into(), value)));
    Payload::object(entries)
}

/// Does what follows from events, for ever.
pub(crate) async fn follow(app: Arc<App>) {
    loop {
        match turn(&app).await {
            Ok(true) => {}
            Ok(false) => app.library.arrivals.notified().await,
            Err(_) => tokio::time::sleep(NAP).await,
        }
        if app.handle.health().is_draining() {
            return;
        }
    }
}

/// Whether there was anything.
async fn turn(app: &App) -> Result<bool, Error> {
    let oldest = NoteSearch { limit: TURN, ..NoteSearch::default() };
    let arrived = app.reads.read(&app.handle, move |reader| reader.notes(NoteKind::Event, oldest)).await?;
    for note in &arrived {
        if let Some(arrived) = notes::read::<Arrived>(note) {
            handle(app, &note.id, &arrived).await?;
        }
        app.handle.note(vec![Note::gone(NoteKind::Event, note.id.clone())]).await?;
    }
    Ok(!arrived.is_empty())
}

async fn handle(app: &App, id: &str, arrived: &Arrived) -> Result<(), Error> {
    for handler in
        handlers(app).into_iter().filter(|handler| handler.active && handler.event == arrived.event)
    {
        let verdict = holds(app, &handler, &arrived.payload.0).await;
        for (at, action) in handler.actions.iter().enumerate() {
            let done = Handled {
                id: format!("{id}/{}/{at}", handler.name),
                message_id: arrived.message_id.clone(),
                name: handler.name.clone(),
                event: handler.event.clone(),
                created: app.now().millis(),
                status: "COMPLETED".to_owned(),
                action: action.action,
                output: wire::Json(Payload::object::<&str>([])),
            };
            match &verdict {
                Ok(true) => act_once(app, action, arrived, done).await?,
                Ok(false) => note(app, Handled { status: "SKIPPED".to_owned(), ..done }).await?,
                Err(why) => note(app, failed(done, why)).await?,
            }
        }
        forget_old(app, &handler.name).await;
    }
    Ok(())
}

/// All event handlers.
pub(crate) fn handlers(app: &App) -> Vec<EventHandler> {
    let documents = app.library.catalogue.read();
    let bodies = documents.others(EntryKind::EventHandler).filter_map(|entry| entry.body.as_ref());
    bodies.filter_map(|body| wire::read(body.as_str().as_bytes()).ok()).collect()
}

/// Whether the handler is for such events: JavaScript, or the name of a value that must be `true`.
async fn holds(app: &App, handler: &EventHandler, payload: &Payload) -> Result<bool, String> {
    let Some(condition) = handler.condition.clone().filter(|condition| !condition.trim().is_empty()) else {
        return Ok(true);
    };
    let is_true = |value: &Payload| value.to_value() == serde_json::Value::Bool(true);
    match handler.evaluator_type.as_deref().unwrap_or("javascript") {
        "value-param" => Ok(payload.member(&condition).as_ref().is_some_and(is_true)),
        "javascript" | "graaljs" | "" => {
            let (sender, verdict) = oneshot::channel();
            app.library.evaluator.evaluate(0, "javascript", condition, payload.clone(), |verdict| {
                // Whoever asked may have gone.
                let _ = sender.send(verdict);
            });
            match verdict.await {
                Ok(Ok(value)) => Ok(is_true(&value)),
                Ok(Err(error)) => Err(error.message),
                Err(_) => Err("the condition was not evaluated".to_owned()),
            }
        }
        other => Err(format!("conditions are not written in `{other}`")),
    }
}

fn failed(done: Handled, why: &str) -> Handled {
    let output = wire::Json(Payload::object([("error", Payload::string(why))]));
    Handled { status: "FAILED".to_owned(), output, ..done }
}

fn noted(done: &Handled) -> Note {
    Note {
        kind: NoteKind::Handled,
        id: done.id.as_str().into(),
        about: done.name.as_str().into(),
        at: Timestamp::from_millis(done.created),
        run: None,
        body: Some(written(done)),
    }
}

async fn note(app: &App, done: Handled) -> Result<(), Error> {
    app.handle.note(vec![noted(&done)]).await?;
    Ok(())
}

/// Does it, unless an earlier start of the process has; what cannot be done is noted as failed.
async fn act_once(app: &App, action: &Action, arrived: &Arrived, done: Handled) -> Result<(), Error> {
    let id = done.id.clone();
    let known = app.reads.read_durable(move |reader| reader.note(NoteKind::Handled, &id)).await?;
    if known.is_some() {
        return Ok(());
    }
    match act(app, action, arrived, noted(&done)).await {
        Ok(()) => Ok(()),
        Err(error) if error.0.retryable => Err(error),
        Err(error) => note(app, failed(done, error.message())).await,
    }
}

async fn act(app: &App, action: &Action, arrived: &Arrived, note: Note) -> Result<(), Error> {
    let payload = match action.expand_inline_json {
        true => expanded(&arrived.payload.0),
        false => arrived.payload.0.clone(),
    };
    let seen = Seen(payload);
    match action.action {
        Some(ActionKind::StartWorkflow) => {
            let start = filled(&wanted(action.start_workflow.as_ref())?, &seen)?;
            let request: StartWorkflowRequest = wire::read(start.render().as_bytes())?;
            let input = traced(&request.input.0, arrived);
            let request = StartWorkflowRequest { input: wire::Object(input), ..request };
            let submission = event_submission(app, request, &arrived.event).await?;
            let answers = app.handle.submit_noted(vec![(submission, vec![note])]).await?;
            answers.into_iter().try_for_each(|answer| answer.map(drop)).map_err(Error::from)
        }
        Some(ActionKind::CompleteTask) => {
            let details = filled(&wanted(action.complete_task.as_ref())?, &seen)?;
            end_task(app, &details, UpdateStatus::Completed, arrived, note).await
        }
        Some(ActionKind::FailTask) => {
            let details = filled(&wanted(action.fail_task.as_ref())?, &seen)?;
            end_task(app, &details, UpdateStatus::Failed, arrived, note).await
        }
        Some(ActionKind::TerminateWorkflow) => {
            let order = filled(&wanted(action.terminate_workflow.as_ref())?, &seen)?;
            let reason = text(&order, "terminationReason").unwrap_or_default();
            command(app, run_in(&order)?, Command::Cancel { reason }, note).await
        }
        Some(ActionKind::UpdateWorkflowVariables) => {
            let order = filled(&wanted(action.update_workflow_variables.as_ref())?, &seen)?;
            let run = run_in(&order)?;
            let variables = order.member("variables").unwrap_or_default();
            let appends = order.member("appendArray").is_some_and(|value| value.render() == "true");
            let variables = if appends { appended(app, run, &variables).await? } else { variables };
            command(app, run, Command::SetVariables(variables), note).await
        }
        Some(ActionKind::StartAgent) => Err(Error::bad("agents are not connected")),
        None => Err(Error::bad("the action says nothing")),
    }
}

async fn command(app: &App, run: RunId, command: Command, note: Note) -> Result<(), Error> {
    let input = |reply| Input::Command { run, command, reply: Some(reply) };
    app.handle.noted(vec![note], input).await?;
    Ok(())
}

async fn end_task(
    app: &App,
    details: &Payload,
    status: UpdateStatus,
    arrived: &Arrived,
    note: Note,
) -> Result<(), Error> {
    let details: TaskDetails = wire::read(details.render().as_bytes())?;
    let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (run, task) = match (named(&details.task_id), named(&details.task_ref_name)) {
        (Some(id), _) => {
            let task: TaskId = id.parse().map_err(|_| Error::not_found(format!("no task {id}")))?;
            let (shard, number) = task.shard_and_number();
            let found = app.reads.read_durable(move |reader| reader.run_by_number(shard, number)).await?;
            let found = found.map(|run| run.id).filter(|&run| task.is_of(run));
            let run = found.ok_or_else(|| Error::not_found(format!("no task {id}")))?;
            (run, TaskName::Seq(task.task()))
        }
        (None, Some(reference)) => {
            let run = details.workflow_id.as_deref().unwrap_or_default();
            let run = run.parse().map_err(|_| Error::not_found(format!("no workflow {run}")))?;
            (run, TaskName::Reference(reference))
        }
        (None, None) => return Err(Error::bad("the action names no task")),
    };
    let output = with_order(traced(&details.output.0, arrived), &details);
    let mut update = by_name(run, task, status, output, None);
    update.reason = details.reason_for_incompletion;
    let input = |reply| {
        update.reply = Some(reply);
        Input::Update(Box::new(update))
    };
    app.handle.noted(vec![note], input).await?;
    Ok(())
}

/// What the action has said of the task stands in the task's output, as Conductor puts it there.
fn with_order(output: Payload, details: &TaskDetails) -> Payload {
    let mut entries = output.entries().unwrap_or_default();
    let said = [
        ("workflowId", &details.workflow_id),
        ("taskId", &details.task_id),
        ("taskRefName", &details.task_ref_name),
        ("reasonForIncompletion", &details.reason_for_incompletion),
    ];
    let value = |text: &Option<String>| text.as_deref().map(Payload::string).unwrap_or_default();
    entries.extend(said.map(|(name, text)| (name.into(), value(text))));
    Payload::object(entries)
}

/// What an action wants, as JSON; nothing is no action.
fn wanted(part: Option<&impl Serialize>) -> Result<Payload, Error> {
    let part = part.ok_or_else(|| Error::bad("the action says not what it is about"))?;
    let text = serde_json::to_string(part).expect("an action is JSON");
    Ok(Payload::parse(&text).expect("it was written as JSON"))
}

/// With the values of the event in it.
fn filled(part: &Payload, seen: &Seen) -> Result<Payload, Error> {
    let tree = Tree::parse(part).map_err(|faults| {
        let told = faults.iter().map(|(place, fault)| format!("{place}: {fault}"));
        Error::bad(told.collect::<Vec<_>>().join("; "))
    })?;
    Ok(tree.resolve(seen))
}

/// The payload of an event: its members are what `${…}` names.
struct Seen(Payload);

impl Lookup for Seen {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        navigate(&self.0.member(head)?, steps)
    }
}

fn text(part: &Payload, key: &str) -> Option<String> {
    part.member(key)?.to_value().as_str().map(str::to_owned)
}

fn run_in(order: &Payload) -> Result<RunId, Error> {
    let id = text(order, "workflowId").unwrap_or_default();
    id.parse().map_err(|_| Error::not_found(format!("No such workflow found by id: {id}")))
}

/// Says of which event it came.
fn traced(value: &Payload, arrived: &Arrived) -> Payload {
    let mut entries = value.entries().unwrap_or_default();
    entries.push(("conductor.event.messageId".into(), Payload::string(&arrived.message_id)));
    entries.push(("conductor.event.name".into(), Payload::string(&arrived.event)));
    Payload::object(entries)
}

/// Texts that hold an object or a list are what they hold.
fn expanded(value: &Payload) -> Payload {
    fn expand(value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                serde_json::from_str(&text).map_or(Value::String(text), expand)
            }
            Value::Array(list) => list.into_iter().map(expand).collect(),
            Value::Object(map) => map.into_iter().map(|(key, value)| (key, expand(value))).collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
        }
    }
    Payload::from(&expand(value.to_value()))
}

/// Variables that are lists grow by what is given instead of being replaced.
async fn appended(app: &App, run: RunId, given: &Payload) -> Result<Payload, Error> {
    let known = app.reads.read(&app.handle, move |reader| reader.run(run)).await?;
    let known = known.map(|run| run.variables).unwrap_or_default();
    let grown = given.entries().unwrap_or_default().into_iter().map(|(name, value)| {
        let Some(mut list) = known.member(&name).and_then(|known| known.elements()) else {
            return (name, value);
        };
        list.extend(value.elements().unwrap_or_else(|| vec![value]));
        (name, Payload::list(list))
    });
    Ok(Payload::object(grown))
}

/// What cannot be removed now is removed with the next.
async fn forget_old(app: &App, handler: &str) {
    let about = handler.to_owned();
    let old = app.reads.read_durable(move |reader| {
        let search = NoteSearch { about: Some(&about), newest_first: true, skip: KEPT, limit: 100 };
        reader.notes(NoteKind::Handled, search)
    });
    if let Ok(old) = old.await
        && !old.is_empty()
    {
        let gone = old.into_iter().map(|note| Note::gone(note.kind, note.id));
        drop(app.handle.note(gone.collect()).await);
    }
}
