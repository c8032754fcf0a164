//! Runs that are started by the clock.
//!
//! What is due is known to the agenda (`conductor::schedule`); a start, the note of it and the schedule's next time stand
//! in one commit, so that each time starts one run, however often the process dies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use partitur_conductor::schedule::{Agenda, Due};
use partitur_conductor::wire::{self, Object, ScheduleExecution, ScheduleState, StartWorkflowRequest};
use partitur_engine::Submission;
use partitur_model::catalogue::EntryKind;
use partitur_model::note::{Note, NoteKind};
use partitur_model::{Payload, Timestamp};
use partitur_store::NoteSearch;
use tokio::sync::Notify;

use crate::app::App;
use crate::handle::NodeError;
use crate::http::answer::Error;
use crate::notes::{self, written};
use crate::starting::{random, submission};

/// Started in one turn.
const TURN_MAX: usize = 500;

/// Nobody sleeps longer: clocks may be set.
const NAP: Duration = Duration::from_secs(1);

/// What each schedule has started is remembered so many times.
const KEPT: u32 = 1_000;

/// The schedules at work.
#[derive(Default)]
pub struct Schedules {
    agenda: Mutex<Agenda>,
    changed: Notify,
    held: AtomicBool,
}

impl Schedules {
    /// The agenda.
    pub(crate) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed: what is due next may be something else.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// Whether nothing is started for now, until somebody says so or the server is started again.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
        self.changed();
    }

    fn wake(&self) -> Option<Timestamp> {
        self.agenda().wake().filter(|_| !self.held.load(Ordering::Relaxed))
    }
}

/// Takes up what is on the disk.
pub(crate) async fn recall(app: &App) -> Result<(), Error> {
    let noted = notes::all(app, NoteKind::Due).await?;
    let now = app.now();
    let documents = app.library.catalogue.read();
    let mut agenda = app.schedules.agenda();
    for entry in documents.others(EntryKind::Schedule) {
        let text = entry.body.as_ref().map(|body| body.as_str().as_bytes());
        if let Some(Ok(schedule)) = text.map(wire::read) {
            let note = noted.iter().find(|note| note.id == entry.name);
            agenda.set(Arc::new(schedule), note, now);
        }
    }
    Ok(())
}

/// Starts whatever is due, for ever.
pub(crate) async fn keep_time(app: Arc<App>) {
    loop {
        let now = app.now();
        let nap = app.schedules.wake().map(|wake| wake.since(now).min(NAP));
        let asleep = async {
            match nap {
                Some(nap) => tokio::time::sleep(nap).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = asleep => {}
            () = app.schedules.changed.notified() => {}
        }
        if app.handle.health().is_draining() {
            return;
        }
        if app.schedules.wake().is_some_and(|wake| wake <= app.now()) && turn(&app).await.is_err() {
            tokio::time::sleep(NAP).await;
        }
    }
}

/// A start, and what is to be noted with it.
struct Start {
    due: Due,
    execution: ScheduleExecution,
}

/// Starts what is due now; an error if the disk does not take it.
async fn turn(app: &App) -> Result<(), NodeError> {
    // A schedule that is changed meanwhile is changed before or after.
    let _teaching = app.teaching.lock().await;
    let now = app.now();
    let due = app.schedules.agenda().take_round(now, TURN_MAX);
    let (mut starts, mut submissions, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for due in due {
        let execution = execution(&due, now);
        let start = Start { due, execution };
        match submission(app, request(&start)).await {
            Ok(submission) => {
                submissions.push(start.noted(submission));
                starts.push(start);
            }
            Err(error) => failures.push((start, error.message().to_owned())),
        }
    }
    let answers = match app.handle.submit_noted(submissions).await {
        Ok(answers) => answers,
        Err(error) => starts.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut result = Ok(());
    for (start, answer) in starts.into_iter().zip(answers) {
        match answer {
            Ok(_) => forget_old(app, &start.execution.schedule_name).await,
            Err(NodeError::Refused(refusal)) => failures.push((start, refusal.to_string())),
            Err(error) => {
                app.schedules.agenda().put_back(&start.due);
                result = Err(error);
            }
        }
    }
    for (start, reason) in failures {
        result = failed(app, start, &reason).await.and(result);
    }
    result
}

impl Start {
    /// With it stand that it is done, and when the schedule is due next.
    fn noted(&self, submission: Submission) -> (Submission, Vec<Note>) {
        (submission, vec![self.due.note.clone(), trace(&self.execution)])
    }
}

/// What stays of a start.
fn trace(execution: &ScheduleExecution) -> Note {
    Note {
        kind: NoteKind::Started,
        id: execution.execution_id.as_str().into(),
        about: execution.schedule_name.as_str().into(),
        at: Timestamp::from_millis(execution.execution_time as u64),
        run: None,
        body: Some(written(execution)),
    }
}

/// Nothing was started; the schedule goes on.
async fn failed(app: &App, start: Start, reason: &str) -> Result<(), NodeError> {
    let execution = ScheduleExecution {
        state: ScheduleState::Failed,
        reason: Some(reason.to_owned()),
        ..start.execution.clone()
    };
    let noted = app.handle.note(vec![start.due.note.clone(), trace(&execution)]).await;
    match noted {
        Ok(_) => {
            forget_old(app, &execution.schedule_name).await;
            Ok(())
        }
        Err(error) => {
            app.schedules.agenda().put_back(&start.due);
            Err(error)
        }
    }
}

fn execution(due: &Due, now: Timestamp) -> ScheduleExecution {
    let request = due.schedule.start_workflow_request.clone().unwrap_or_default();
    ScheduleExecution {
        execution_id: notes::new_id(random(), random()),
        schedule_name: due.schedule.name.clone(),
        scheduled_time: due.at.millis() as i64,
        execution_time: now.millis() as i64,
        workflow_name: request.name.clone(),
        workflow_id: None,
        reason: None,
        start_workflow_request: request,
        state: ScheduleState::Executed,
        zone_id: due.zone.clone(),
    }
}

/// What is started: the schedule's request, told when and why.
fn request(start: &Start) -> StartWorkflowRequest {
    let execution = &start.execution;
    let request = execution.start_workflow_request.clone();
    let mut input = request.input.0.entries().unwrap_or_default();
    let told = [
        ("_startedByScheduler", Payload::string(&execution.schedule_name)),
        ("_scheduledTime", Payload::from(execution.scheduled_time as u64)),
        ("_executedTime", Payload::from(execution.execution_time as u64)),
        ("_executionId", Payload::string(&execution.execution_id)),
        ("_schedulerCron", Payload::string(&start.due.cron)),
    ];
    input.retain(|(name, _)| told.iter().all(|(known, _)| **name != **known));
    input.extend(told.map(|(name, value)| (name.into(), value)));
    StartWorkflowRequest { input: Object(Payload::object(input)), ..request }
}

/// Of what a schedule has started the newest are kept. What cannot be removed now is removed with the next.
async fn forget_old(app: &App, schedule: &str) {
    let about = schedule.to_owned();
    let old = app.reads.read_durable(move |reader| {
        let search = NoteSearch { about: Some(&about), newest_first: true, skip: KEPT, limit: 100 };
        reader.notes(NoteKind::Started, search)
    });
    if let Ok(old) = old.await
        && !old.is_empty()
    {
        let gone = old.into_iter().map(|note| Note::gone(note.kind, note.id));
        drop(app.handle.note(gone.collect()).await);
    }
}
