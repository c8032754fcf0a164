//! Labels of schedules and of event handlers: they lie within these, and go with them.

use axum::extract::{Path, State};
use partitur_conductor::wire::{EventHandler, Tag, WorkflowSchedule};

use super::{Shared, event, schedule};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::{Many, Query};

/// Whether they are the same label, whatever its kind.
fn is_same(one: &Tag, other: &Tag) -> bool {
    (&one.key, &one.value) == (&other.key, &other.value)
}

/// With these too, each once.
pub(super) fn with(mut known: Vec<Tag>, more: Vec<Tag>) -> Vec<Tag> {
    for tag in more {
        known.retain(|known| !is_same(known, &tag));
        known.push(tag);
    }
    known
}

/// Without these.
pub(super) fn without(mut known: Vec<Tag>, gone: &[Tag]) -> Vec<Tag> {
    known.retain(|known| !gone.iter().any(|gone| is_same(gone, known)));
    known
}

pub(crate) async fn of_schedule(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&schedule::known(&app, &name)?.tags))
}

pub(crate) async fn add_to_schedule(
    State(app): Shared,
    Path(name): Path<String>,
    Many(more): Many<Tag>,
) -> Answer {
    label_schedule(&app, &name, |known| with(known, more)).await
}

pub(crate) async fn drop_from_schedule(
    State(app): Shared,
    Path(name): Path<String>,
    Many(gone): Many<Tag>,
) -> Answer {
    label_schedule(&app, &name, |known| without(known, &gone)).await
}

async fn label_schedule(app: &App, name: &str, change: impl FnOnce(Vec<Tag>) -> Vec<Tag>) -> Answer {
    let _teaching = app.teaching.lock().await;
    let mut known = schedule::known(app, name)?;
    known.tags = change(known.tags);
    schedule::keep_labels(app, known).await?;
    Ok(done())
}

/// The schedules with a label, `key:value`.
pub(crate) async fn schedules_with(State(app): Shared, query: Query) -> Answer {
    let tag = query.some_text("tag").ok_or_else(|| Error::bad("`tag` is missing"))?;
    let (key, value) = tag.split_once(':').unwrap_or((tag, ""));
    let is_it = |known: &Tag| {
        let text = known.value.as_ref().and_then(|value| value.0.to_value().as_str().map(str::to_owned));
        known.key == key && text.unwrap_or_default() == value
    };
    let agenda = app.schedules.agenda();
    let found = agenda.all().filter(|schedule| schedule.tags.iter().any(is_it));
    Ok(json(&found.collect::<Vec<WorkflowSchedule>>()))
}

pub(crate) async fn of_handler(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&event::known(&app, &name)?.tags))
}

pub(crate) async fn add_to_handler(
    State(app): Shared,
    Path(name): Path<String>,
    Many(more): Many<Tag>,
) -> Answer {
    label_handler(&app, &name, |known| with(known, more)).await
}

pub(crate) async fn drop_from_handler(
    State(app): Shared,
    Path(name): Path<String>,
    Many(gone): Many<Tag>,
) -> Answer {
    label_handler(&app, &name, |known| without(known, &gone)).await
}

async fn label_handler(app: &App, name: &str, change: impl FnOnce(Vec<Tag>) -> Vec<Tag>) -> Answer {
    let _teaching = app.teaching.lock().await;
    let mut known: EventHandler = event::known(app, name)?;
    known.tags = change(known.tags);
    event::keep_one(app, &known).await?;
    Ok(done())
}
