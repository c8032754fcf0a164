//! Messages to runs: they wait until a PULL_WORKFLOW_MESSAGES task takes them, and go in the commit in which it ends.

use std::time::Duration;

use partitur_conductor::TaskType;
use partitur_conductor::render::workflow_status;
use partitur_engine::{Input, TaskName, Update, UpdateStatus};
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{RunState, TaskError};
use partitur_model::{AttemptId, Payload, RunId, TaskSeq, unit};
use partitur_store::{NoteSearch, Reader, StoreError};

use crate::app::App;
use crate::http::answer::Error;
use crate::http::input::no_run;
use crate::notes;
use crate::starting::random;

/// The type of tasks that take messages.
pub(crate) const PULL: &str = "PULL_WORKFLOW_MESSAGES";

/// Messages that may wait for a run, and that one task takes.
const WAITING_MAX: u64 = 1_000;

/// Without a message a task looks again after this; a message wakes it at once.
const PAUSE: Duration = Duration::from_secs(60);

/// What a task that wants messages comes to. Whoever asks does so when the takings before are durable.
pub(crate) fn pulled(reader: &Reader, attempt: AttemptId, input: &Payload) -> Input {
    let (what, notes) = match take(reader, attempt.run, input) {
        Ok(Some((output, taken))) => (ReportKind::Ended(Box::new(Ending::success(Some(output)))), taken),
        Ok(None) => (ReportKind::Again { output: Payload::Null, pause: PAUSE }, Vec::new()),
        Err(error) => {
            let error = TaskError::new("store", error.to_string());
            (ReportKind::Ended(Box::new(Ending::failure(error))), Vec::new())
        }
    };
    Input::Noted { input: Box::new(Input::Report(Report { attempt, what })), notes }
}

/// The output, and the news that the messages in it are gone; nothing if the task has to wait.
fn take(reader: &Reader, run: RunId, input: &Payload) -> Result<Option<(Payload, Vec<Note>)>, StoreError> {
    let number = input.member("batchSize").and_then(|size| size.to_value().as_u64());
    let limit = number.unwrap_or(1).clamp(1, WAITING_MAX) as u32;
    let blocks = input.member("blocking").is_none_or(|blocking| blocking.render() != "false");
    let about = run.to_string();
    let search = NoteSearch { about: Some(&about), limit, ..NoteSearch::default() };
    let found = reader.notes(NoteKind::Message, search)?;
    if found.is_empty() && blocks {
        return Ok(None);
    }
    let shown = found.iter().map(|note| {
        let body = note.body.clone().map(Payload::from);
        Payload::object([
            ("id", Payload::string(&note.id)),
            ("workflowId", Payload::string(&about)),
            ("payload", body.unwrap_or_default()),
            ("receivedAt", Payload::string(&unit::format_timestamp(note.at))),
        ])
    });
    let messages = Payload::list(shown);
    let count = Payload::from(found.len() as u64);
    let gone = found.into_iter().map(|note| Note::gone(note.kind, note.id)).collect();
    Ok(Some((Payload::object([("messages", messages), ("count", count)]), gone)))
}

/// Sends a message to a run; its id.
pub(crate) async fn send(app: &App, id: &str, message: &Payload) -> Result<String, Error> {
    let unknown = || Error::not_found(format!("Workflow not found: {id}"));
    let run: RunId = id.parse().map_err(|_| unknown())?;
    let about = run.to_string();
    let known = app.reads.read(&app.handle, move |reader| {
        let waiting = reader.count_notes(NoteKind::Message, Some(&about))?;
        Ok((reader.run(run)?, waiting))
    });
    let (record, waiting) = known.await?;
    let record = record.filter(|record| record.options.server.is_some()).ok_or_else(unknown)?;
    if record.state != RunState::Running {
        let status = workflow_status(record.state).as_str();
        return Err(Error::conflict(format!("Workflow {id} is not in RUNNING state (current: {status})")));
    }
    if waiting >= WAITING_MAX {
        let full = format!("{waiting} messages wait for workflow {id} already");
        return Err(Error::new(axum::http::StatusCode::TOO_MANY_REQUESTS, full));
    }
    let message_id = notes::new_id(random(), random());
    let note = Note {
        kind: NoteKind::Message,
        id: message_id.as_str().into(),
        about: run.to_string().into(),
        at: app.now(),
        run: None,
        body: Some(message.to_raw()),
    };
    app.handle.note(vec![note]).await?;
    wake(app, run).await?;
    Ok(message_id)
}

/// Tasks of a run that wait for messages look again.
async fn wake(app: &App, run: RunId) -> Result<(), Error> {
    let library = app.library.clone();
    let waiting = app.reads.read(&app.handle, move |reader| {
        let Some(record) = reader.run(run)? else { return Ok(Vec::new()) };
        let known = library.programs.load(record.definition, reader)?;
        let waits = |name: &str| known.kind(name) == Some(&TaskType::PullMessages);
        let tasks = reader.tasks(run)?;
        let open = tasks.into_iter().filter(|task| !task.state.is_ended() && waits(&task.node));
        Ok(open.map(|task| task.seq).collect::<Vec<TaskSeq>>())
    });
    for task in waiting.await? {
        let update = Update {
            run,
            task: TaskName::Seq(task),
            status: UpdateStatus::InProgress { pause: Duration::ZERO },
            output: None,
            merge: true,
            reason: None,
            worker: None,
            logs: Vec::new(),
            then: None,
            reply: None,
        };
        match app.handle.update(update).await.map_err(Error::from) {
            // It has ended meanwhile.
            Ok(_) => {}
            Err(error) if error.0.status == no_run("").0.status => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
