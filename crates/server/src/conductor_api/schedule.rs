//! Schedules: kept, shown, paused, and what they have started.

use std::sync::Arc;

use axum::extract::{Path, State};
use partitur_conductor::schedule::{self as planning, Cron};
use partitur_conductor::wire::{
    BulkResponse, ScheduleExecution, ValidationError, WorkflowSchedule, search_result,
};
use partitur_model::Timestamp;
use partitur_model::catalogue::EntryKind;
use partitur_model::note::{Note, NoteKind};
use partitur_store::NoteSearch;
use serde_json::json as value;

use super::Shared;
use super::metadata::{entry, gone};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json, raw};
use crate::http::input::{Json, Query};
use crate::notes;

/// Times in one answer.
const TIMES_MAX: u64 = 1_000;

/// Conductor's limit on the page of a search.
const PAGE_MAX: u64 = 5_000;

/// So many of the newest executions are looked through for a text.
const SEARCHED: u32 = 10_000;

/// Schedules; each costs memory, and time when it is due.
const SCHEDULES_MAX: usize = 100_000;

fn no_schedule(name: &str) -> Error {
    Error::not_found(format!("Schedule '{name}' not found"))
}

pub(super) fn known(app: &App, name: &str) -> Result<WorkflowSchedule, Error> {
    app.schedules.agenda().get(name).ok_or_else(|| no_schedule(name))
}

pub(crate) async fn save(State(app): Shared, Json(schedule): Json<WorkflowSchedule>) -> Answer {
    Error::if_any(planning::check(&schedule))?;
    let _teaching = app.teaching.lock().await;
    let before = app.schedules.agenda().get(&schedule.name);
    if before.is_none() && app.schedules.agenda().all().count() >= SCHEDULES_MAX {
        return Err(Error::conflict(format!("there are {SCHEDULES_MAX} schedules already")));
    }
    let now = app.now().millis() as i64;
    let create_time = before.as_ref().map_or(now, |before| before.create_time);
    let created_by = before.as_ref().map_or(&schedule.created_by, |before| &before.created_by).clone();
    // Who says nothing about labels leaves them as they are.
    let tags = match before {
        Some(before) if schedule.tags.is_empty() => before.tags,
        Some(_) | None => schedule.tags.clone(),
    };
    Ok(json(&keep(&app, WorkflowSchedule { create_time, created_by, tags, ..schedule }).await?))
}

/// Makes the labels of a schedule durable; its times stay as they are.
pub(super) async fn keep_labels(app: &App, schedule: WorkflowSchedule) -> Result<(), Error> {
    let schedule = Arc::new(WorkflowSchedule { next_run_time: None, ..schedule });
    let entry = entry(app, EntryKind::Schedule, &schedule.name, 0, &*schedule);
    app.handle.keep_noted(vec![entry], Vec::new()).await?;
    let mut agenda = app.schedules.agenda();
    let times = agenda.note(&schedule.name);
    agenda.set(schedule, times.as_ref(), app.now());
    Ok(())
}

/// Makes a schedule durable, with its times from now on.
async fn keep(app: &App, schedule: WorkflowSchedule) -> Result<WorkflowSchedule, Error> {
    let now = app.now();
    let schedule = Arc::new(WorkflowSchedule {
        updated_time: now.millis() as i64,
        next_run_time: None,
        paused_reason: schedule.paused_reason.clone().filter(|_| schedule.paused),
        ..schedule
    });
    // What holds is decided when it is durable: until then the old form is at work.
    let mut planned = planning::Agenda::default();
    planned.set(schedule.clone(), None, now);
    let note = planned.note(&schedule.name);
    let entry = entry(app, EntryKind::Schedule, &schedule.name, 0, &*schedule);
    app.handle.keep_noted(vec![entry], note.iter().cloned().collect()).await?;
    app.schedules.agenda().set(schedule.clone(), note.as_ref(), now);
    app.schedules.changed();
    Ok(planned.get(&schedule.name).expect("it was set"))
}

pub(crate) async fn all(State(app): Shared, query: Query) -> Answer {
    let workflow = query.some_text("workflowName");
    let agenda = app.schedules.agenda();
    let found = agenda.all().filter(|schedule| workflow.is_none_or(|name| workflow_of(schedule) == name));
    Ok(json(&found.collect::<Vec<_>>()))
}

fn workflow_of(schedule: &WorkflowSchedule) -> &str {
    schedule.start_workflow_request.as_ref().map_or("", |request| &request.name)
}

pub(crate) async fn search(State(app): Shared, query: Query) -> Answer {
    let (start, size) = page(&query)?;
    let paused = query.some_text("paused").map(|_| query.truth("paused", false)).transpose()?;
    let text = query.some_text("freeText").filter(|text| *text != "*").map(str::to_lowercase);
    let fits = |schedule: &WorkflowSchedule| {
        let is = |key: &str, value: &str| query.some_text(key).is_none_or(|wanted| wanted == value);
        is("workflowName", workflow_of(schedule))
            && is("scheduleName", &schedule.name)
            && paused.is_none_or(|paused| paused == schedule.paused)
            && text.as_ref().is_none_or(|text| {
                [&*schedule.name, workflow_of(schedule)].iter().any(|name| name.to_lowercase().contains(text))
            })
    };
    let mut found: Vec<WorkflowSchedule> = app.schedules.agenda().all().filter(fits).collect();
    sort(&mut found, query.some_text("sort"));
    let total = found.len() as u64;
    let shown = found.iter().skip(start as usize).take(size as usize);
    let shown = shown.map(|schedule| serde_json::to_string(schedule).expect("a schedule is JSON"));
    Ok(raw(search_result(total, shown)))
}

/// `name:DESC`, by name if nothing is said.
fn sort(found: &mut [WorkflowSchedule], by: Option<&str>) {
    let (field, order) = by.map_or(("name", ""), |by| by.split_once(':').unwrap_or((by, "")));
    match field {
        "createTime" => found.sort_by_key(|schedule| schedule.create_time),
        "updatedTime" => found.sort_by_key(|schedule| schedule.updated_time),
        "nextRunTime" => found.sort_by_key(|schedule| schedule.next_run_time.unwrap_or(i64::MAX)),
        _ => found.sort_by(|a, b| a.name.cmp(&b.name)),
    }
    if order.eq_ignore_ascii_case("desc") {
        found.reverse();
    }
}

fn page(query: &Query) -> Result<(u64, u64), Error> {
    let (start, size) = (query.number("start", 0)?, query.number("size", 100)?);
    if size > PAGE_MAX {
        return Err(Error::bad(format!(
            "Cannot return more than {PAGE_MAX} results. Please use pagination."
        )));
    }
    Ok((start.min(u64::from(u32::MAX)), size))
}

pub(crate) async fn get(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&known(&app, &name)?))
}

/// As Conductor does, without a word if there is none.
pub(crate) async fn forget(State(app): Shared, Path(name): Path<String>) -> Answer {
    let _teaching = app.teaching.lock().await;
    if known(&app, &name).is_ok() {
        let due = Note::gone(NoteKind::Due, name.as_str().into());
        app.handle.keep_noted(vec![gone(&app, EntryKind::Schedule, &name, 0)], vec![due]).await?;
        app.schedules.agenda().remove(&name);
        app.schedules.changed();
    }
    Ok(done())
}

pub(crate) async fn pause(State(app): Shared, Path(name): Path<String>, query: Query) -> Answer {
    set_paused(&app, &name, Some(query.text("reason").unwrap_or_default())).await?;
    Ok(done())
}

/// One that is not paused is not found, in Conductor's words.
pub(crate) async fn resume(State(app): Shared, Path(name): Path<String>) -> Answer {
    if !known(&app, &name)?.paused {
        return Err(no_schedule(&name));
    }
    set_paused(&app, &name, None).await?;
    Ok(done())
}

/// Pauses for a reason, or goes on.
async fn set_paused(app: &App, name: &str, paused: Option<&str>) -> Result<(), Error> {
    let _teaching = app.teaching.lock().await;
    let schedule = known(app, name)?;
    let paused_reason = paused.filter(|reason| !reason.is_empty()).map(str::to_owned);
    keep(app, WorkflowSchedule { paused: paused.is_some(), paused_reason, ..schedule }).await.map(drop)
}

pub(crate) async fn bulk_pause(State(app): Shared, Json(names): Json<Vec<String>>) -> Answer {
    each(&app, names, Some("")).await
}

pub(crate) async fn bulk_resume(State(app): Shared, Json(names): Json<Vec<String>>) -> Answer {
    each(&app, names, None).await
}

/// Names in one request.
const BULK_MAX: usize = 1_000;

async fn each(app: &App, names: Vec<String>, paused: Option<&str>) -> Answer {
    let wrong = match names.len() {
        0 => Some("Schedule names list cannot be null.".to_owned()),
        1..=BULK_MAX => None,
        _ => Some(format!("at most {BULK_MAX} schedules at once")),
    };
    Error::if_any(wrong.map(|message| ValidationError::new("scheduleNames", message)).into_iter().collect())?;
    let mut answer = BulkResponse::default();
    for name in names {
        match set_paused(app, &name, paused).await {
            Ok(()) => answer.bulk_successful_results.push(name),
            Err(error) => answer.bulk_error_results.0.push((name, error.message().to_owned())),
        }
    }
    Ok(json(&answer))
}

pub(crate) async fn next_few(State(app): Shared, query: Query) -> Answer {
    let expression =
        query.some_text("cronExpression").ok_or_else(|| Error::bad("`cronExpression` is missing"))?;
    let cron: Cron = expression.parse().map_err(|error: planning::BadCron| Error::bad(error.to_string()))?;
    let zone = query.some_text("zoneId").unwrap_or("UTC");
    let zone = planning::zone(zone).ok_or_else(|| Error::bad(format!("Unknown time-zone ID: {zone}")))?;
    let time = |key: &str| Ok::<_, Error>(query.some_number(key)?.map(Timestamp::from_millis));
    let (start, end) = (time("scheduleStartTime")?, time("scheduleEndTime")?);
    let limit = query.number("limit", 5)?.min(TIMES_MAX) as usize;
    let mut at = app.now();
    let times = std::iter::from_fn(|| {
        at = planning::next_after(&cron, &zone, at, start, end)?;
        Some(at.millis())
    });
    Ok(json(&times.take(limit).collect::<Vec<u64>>()))
}

pub(crate) async fn executions(State(app): Shared, query: Query) -> Answer {
    let (start, size) = page(&query)?;
    let wanted = Wanted::read(&query);
    let read = app.reads.read(&app.handle, move |reader| match &wanted {
        Wanted { text: None, clauses } if clauses.is_empty() => {
            let search =
                NoteSearch { newest_first: true, skip: start as u32, limit: size as u32, about: None };
            Ok((reader.count_notes(NoteKind::Started, None)?, reader.notes(NoteKind::Started, search)?))
        }
        wanted => {
            let about = wanted.schedule();
            let search = NoteSearch { newest_first: true, skip: 0, limit: SEARCHED, about };
            let mut found = reader.notes(NoteKind::Started, search)?;
            found.retain(|note| wanted.fits(note));
            let total = found.len() as u64;
            Ok((total, found.into_iter().skip(start as usize).take(size as usize).collect()))
        }
    });
    let (total, found) = read.await?;
    let shown = found
        .iter()
        .filter_map(shown)
        .map(|execution| serde_json::to_string(&execution).expect("an execution is JSON"));
    Ok(raw(search_result(total, shown)))
}

fn shown(note: &Note) -> Option<ScheduleExecution> {
    let execution: ScheduleExecution = notes::read(note)?;
    Some(ScheduleExecution { workflow_id: note.run.map(|run| run.to_string()), ..execution })
}

/// Which executions are wanted: a text in them, and `field = value` or `field IN (value, …)` for some fields.
struct Wanted {
    text: Option<String>,
    clauses: Vec<(String, Vec<String>)>,
}

impl Wanted {
    fn read(query: &Query) -> Wanted {
        let text = query.some_text("freeText").filter(|text| *text != "*").map(str::to_lowercase);
        let clauses = query.some_text("query").unwrap_or_default().split(" AND ");
        Wanted { text, clauses: clauses.filter_map(clause).collect() }
    }

    /// The only schedule that is asked for.
    fn schedule(&self) -> Option<&str> {
        let named = self.clauses.iter().find(|(field, values)| field == "scheduleName" && values.len() == 1);
        named.map(|(_, values)| values[0].as_str())
    }

    fn fits(&self, note: &Note) -> bool {
        let Some(execution) = shown(note) else { return false };
        let execution = value!(execution);
        let field = |name: &str| match &execution[name] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let names = ["scheduleName", "workflowName", "workflowId", "executionId", "reason"];
        self.clauses.iter().all(|(name, values)| values.contains(&field(name)))
            && self
                .text
                .as_ref()
                .is_none_or(|text| names.iter().any(|name| field(name).to_lowercase().contains(text)))
    }
}

fn clause(text: &str) -> Option<(String, Vec<String>)> {
    let bare = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
    let (field, values) = match text.split_once('=') {
        Some((field, value)) => (field, vec![bare(value)]),
        None => {
            let (field, list) = text.split_once(" IN ")?;
            let list = list.trim().trim_start_matches('(').trim_end_matches(')');
            (field, list.split(',').map(bare).collect())
        }
    };
    Some((field.trim().to_owned(), values))
}

/// Nothing is ever lost that could be put back.
pub(crate) async fn requeue() -> Answer {
    Ok(json(&value!({"sampleIds": [], "recordIds.size": 0})))
}

pub(crate) async fn hold(State(app): Shared) -> Answer {
    app.schedules.hold(true);
    Ok(json(&value!({"status": "done"})))
}

pub(crate) async fn release(State(app): Shared) -> Answer {
    app.schedules.hold(false);
    Ok(json(&value!({"status": "done"})))
}
