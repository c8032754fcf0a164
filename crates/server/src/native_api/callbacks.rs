//! What is to be told to others about runs, and what could not be told.

use axum::extract::{Path, State};
use partitur_model::note::{Note, NoteKind};
use partitur_store::{NoteSearch, Reader, StoreError};
use serde_json::{Value, json as value};

use crate::app::App;
use crate::callbacks::waiting::{Waiting, run_of};
use crate::conductor_api::Shared;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::Query;

/// In one answer.
const PAGE_MAX: u32 = 1_000;

const KINDS: [(&str, NoteKind); 2] = [("waiting", NoteKind::Callback), ("dead", NoteKind::DeadCallback)];

/// Those that wait, or those that could not be told, in the order of their times.
pub(crate) async fn all(State(app): Shared, query: Query) -> Answer {
    let state = query.some_text("state").unwrap_or("waiting");
    let kind = KINDS.iter().find(|(word, _)| *word == state).map(|(_, kind)| *kind);
    let kind = kind.ok_or_else(|| Error::bad(format!("`state` is waiting or dead, not `{state}`")))?;
    let number = |name, otherwise, most: u32| {
        query.number(name, otherwise).map(|number| u32::try_from(number).unwrap_or(most).min(most))
    };
    let (start, size) = (number("start", 0, u32::MAX)?, number("size", 100, PAGE_MAX)?);
    let read = app.reads.read(&app.handle, move |reader| {
        let search = NoteSearch { skip: start, limit: size, ..NoteSearch::default() };
        Ok((reader.count_notes(kind, None)?, reader.notes(kind, search)?))
    });
    let (total, notes) = read.await?;
    let shown: Vec<Value> = notes.iter().map(|note| shown(note, false)).collect();
    Ok(json(&value!({"total": total, "callbacks": shown})))
}

/// One of them, with what is told.
pub(crate) async fn get(State(app): Shared, Path(id): Path<String>) -> Answer {
    Ok(json(&shown(&find(&app, &id).await?, true)))
}

/// One that could not be told is tried anew, under the same key.
pub(crate) async fn retry(State(app): Shared, Path(id): Path<String>) -> Answer {
    let _one_after_the_other = app.teaching.lock().await;
    let note = dead(&app, &id).await?;
    let notes = match Waiting::of(&note) {
        Some(waiting) => waiting.revived(note, app.now()),
        None => return Err(Error::conflict(format!("nobody can read what the callback {id} says"))),
    };
    app.handle.note(notes).await?;
    app.library.callbacks.notify_one();
    Ok(done())
}

/// One that could not be told is forgotten.
pub(crate) async fn remove(State(app): Shared, Path(id): Path<String>) -> Answer {
    let _one_after_the_other = app.teaching.lock().await;
    let note = dead(&app, &id).await?;
    app.handle.note(vec![Note::gone(note.kind, note.id)]).await?;
    Ok(done())
}

/// How many wait, and how many could not be told.
pub(crate) fn counts(reader: &Reader) -> Result<(u64, u64), StoreError> {
    Ok((reader.count_notes(NoteKind::Callback, None)?, reader.count_notes(NoteKind::DeadCallback, None)?))
}

async fn find(app: &App, id: &str) -> Result<Note, Error> {
    let wanted = id.to_owned();
    let read =
        app.reads.read(&app.handle, move |reader| match reader.note(NoteKind::DeadCallback, &wanted)? {
            Some(dead) => Ok(Some(dead)),
            None => reader.note(NoteKind::Callback, &wanted),
        });
    read.await?.ok_or_else(|| Error::not_found(format!("no callback {id} waits, and none could not be told")))
}

async fn dead(app: &App, id: &str) -> Result<Note, Error> {
    let note = find(app, id).await?;
    match note.kind {
        NoteKind::DeadCallback => Ok(note),
        NoteKind::Callback
        | NoteKind::Due
        | NoteKind::Started
        | NoteKind::Event
        | NoteKind::Handled
        | NoteKind::Message => Err(Error::conflict(format!("the callback {id} is tried by itself still"))),
    }
}

fn shown(note: &Note, whole: bool) -> Value {
    let dead = note.kind == NoteKind::DeadCallback;
    let mut told = value!({
        "id": note.id,
        "state": if dead { "dead" } else { "waiting" },
        "run": run_of(&note.id),
        // When it is due, or when it was given up.
        "at": note.at.millis(),
    });
    let Some(waiting) = Waiting::of(note) else { return told };
    let gist = waiting.gist();
    told["to"] = value!(without_query(&waiting.to));
    told["type"] = value!(gist.kind);
    told["workflow"] = value!(gist.workflow);
    told["happened"] = value!(gist.at);
    told["tries"] = value!(waiting.tries);
    told["problem"] = value!(waiting.problem);
    if whole {
        told["event"] = serde_json::from_str(waiting.event.get()).unwrap_or_default();
    }
    told
}

/// Behind a `?` there may be what others must not see.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
