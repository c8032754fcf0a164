//! Event handlers: kept and shown. Nothing arrives for them yet.

use axum::extract::{Path, State};
use partitur_conductor::check;
use partitur_conductor::wire::{self, EventHandler};
use partitur_model::catalogue::EntryKind;

use super::Shared;
use super::metadata::{entry, gone, keep};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::{Json, Many, Query};

fn handlers(app: &App) -> Vec<EventHandler> {
    let documents = app.library.catalogue.read();
    let bodies = documents.others(EntryKind::EventHandler).filter_map(|entry| entry.body.as_ref());
    bodies.filter_map(|body| wire::read(body.as_str().as_bytes()).ok()).collect()
}

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
    if !handlers(&app).iter().any(|known| known.name == handler.name) {
        return Err(no_handler(&handler.name));
    }
    keep(&app, vec![entry(&app, EntryKind::EventHandler, &handler.name, 0, &handler)]).await?;
    Ok(done())
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
    if !handlers(&app).iter().any(|known| known.name == name) {
        return Err(no_handler(&name));
    }
    keep(&app, vec![gone(&app, EntryKind::EventHandler, &name, 0)]).await?;
    Ok(done())
}
