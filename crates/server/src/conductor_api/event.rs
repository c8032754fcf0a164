//! Event handlers: kept, shown, and what they have done.

use axum::extract::{Path, State};
use partitur_conductor::check;
use partitur_conductor::wire::{EventHandler, search_result};
use partitur_model::catalogue::EntryKind;
use partitur_model::note::NoteKind;
use partitur_store::NoteSearch;

use super::Shared;
use super::metadata::{entry, gone, keep};
use crate::app::App;
use crate::events::{Handled, handlers};
use crate::http::answer::{Answer, Error, done, json, raw};
use crate::http::input::{Json, Many, Query};
use crate::notes;

fn no_handler(name: &str) -> Error {
    Error::not_found(format!("EventHandler with name {name} not found!"))
}

pub(crate) async fn register(State(app): Shared, Many(given): Many<EventHandler>) -> Answer {
    Error::if_any(
        given.iter().flat_map(|handler| check::event_handler(handler, "addEventHandler")).collect(),
    )?;
    let _teaching = app.teaching.lock().await;
    let known = handlers(&app);
    if let Some(taken) = given.iter().find(|handler| known.iter().any(|known| known.name == handler.name)) {
        return Err(Error::conflict(format!("EventHandler with name {} already exists!", taken.name)));
    }
    let entries = given.iter().map(|handler| entry(&app, EntryKind::EventHandler, &handler.name, 0, handler));
    keep(&app, entries.collect()).await?;
    Ok(done())
}

pub(crate) async fn update(State(app): Shared, Json(handler): Json<EventHandler>) -> Answer {
    Error::if_any(check::event_handler(&handler, "updateEventHandler"))?;
    let _teaching = app.teaching.lock().await;
    let before = known(&app, &handler.name)?;
    // Who says nothing about labels leaves them as they are.
    let tags = if handler.tags.is_empty() { before.tags } else { handler.tags.clone() };
    keep_one(&app, &EventHandler { tags, ..handler }).await?;
    Ok(done())
}

/// The handler of this name.
pub(super) fn known(app: &App, name: &str) -> Result<EventHandler, Error> {
    handlers(app).into_iter().find(|known| known.name == name).ok_or_else(|| no_handler(name))
}

/// Makes a handler durable.
pub(super) async fn keep_one(app: &App, handler: &EventHandler) -> Result<(), Error> {
    keep(app, vec![entry(app, EntryKind::EventHandler, &handler.name, 0, handler)]).await
}

pub(crate) async fn get(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&known(&app, &name)?))
}

pub(crate) async fn all(State(app): Shared) -> Answer {
    Ok(json(&handlers(&app)))
}

pub(crate) async fn of_event(State(app): Shared, Path(event): Path<String>, query: Query) -> Answer {
    let active_only = query.truth("activeOnly", true)?;
    let mut found = handlers(&app);
    found.retain(|handler| handler.event == event && (handler.active || !active_only));
    Ok(json(&found))
}

pub(crate) async fn forget(State(app): Shared, Path(name): Path<String>) -> Answer {
    let _teaching = app.teaching.lock().await;
    known(&app, &name)?;
    keep(&app, vec![gone(&app, EntryKind::EventHandler, &name, 0)]).await?;
    Ok(done())
}

/// Executions in one answer.
const PAGE_MAX: u64 = 1_000;

pub(crate) async fn executions(State(app): Shared, query: Query) -> Answer {
    shown(&app, None, &query).await
}

pub(crate) async fn executions_of(State(app): Shared, Path(name): Path<String>, query: Query) -> Answer {
    shown(&app, Some(name), &query).await
}

async fn shown(app: &App, handler: Option<String>, query: &Query) -> Answer {
    let skip = query.number("start", 0)?.min(u64::from(u32::MAX)) as u32;
    let limit = query.number("size", 100)?.min(PAGE_MAX) as u32;
    let read = app.reads.read(&app.handle, move |reader| {
        let about = handler.as_deref();
        let search = NoteSearch { about, newest_first: true, skip, limit };
        Ok((reader.count_notes(NoteKind::Handled, about)?, reader.notes(NoteKind::Handled, search)?))
    });
    let (total, found) = read.await?;
    let found = found.iter().filter_map(notes::read::<Handled>);
    let found = found.map(|done| serde_json::to_string(&done).expect("what is noted is JSON"));
    Ok(raw(search_result(total, found)))
}
