//! Labels of definitions, as Orkes' clients set them.

use axum::extract::{Path, State};
use partitur_conductor::wire::{self, Tag};
use partitur_model::catalogue::EntryKind;

use super::metadata::{entry, gone, keep};
use super::{Shared, labels};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::Many;

fn known(app: &App, kind: EntryKind, name: &str) -> Vec<Tag> {
    let documents = app.library.catalogue.read();
    let body = documents.other(kind, name, 0).and_then(|entry| entry.body.clone());
    body.and_then(|body| wire::read(body.as_str().as_bytes()).ok()).unwrap_or_default()
}

async fn set(app: &App, kind: EntryKind, name: &str, tags: Vec<Tag>) -> Answer {
    let entry = if tags.is_empty() { gone(app, kind, name, 0) } else { entry(app, kind, name, 0, &tags) };
    keep(app, vec![entry]).await?;
    Ok(done())
}

fn exists(app: &App, kind: EntryKind, name: &str) -> Result<(), Error> {
    let documents = app.library.catalogue.read();
    let there = match kind {
        EntryKind::WorkflowTags => documents.workflow(name, None).is_some(),
        EntryKind::TaskTags => documents.task(name).is_some(),
        EntryKind::Workflow
        | EntryKind::Task
        | EntryKind::EventHandler
        | EntryKind::Schema
        | EntryKind::Flow
        | EntryKind::Key
        | EntryKind::Lock
        | EntryKind::Schedule
        | EntryKind::Bulk => false,
    };
    if there { Ok(()) } else { Err(Error::not_found(format!("No such definition found by name: {name}"))) }
}

async fn add(app: &App, kind: EntryKind, name: &str, tags: Vec<Tag>) -> Answer {
    exists(app, kind, name)?;
    let _teaching = app.teaching.lock().await;
    set(app, kind, name, labels::with(known(app, kind, name), tags)).await
}

async fn drop_tags(app: &App, kind: EntryKind, name: &str, tags: Vec<Tag>) -> Answer {
    let _teaching = app.teaching.lock().await;
    set(app, kind, name, labels::without(known(app, kind, name), &tags)).await
}

async fn replace(app: &App, kind: EntryKind, name: &str, tags: Vec<Tag>) -> Answer {
    exists(app, kind, name)?;
    let _teaching = app.teaching.lock().await;
    set(app, kind, name, tags).await
}

pub(crate) async fn of_workflow(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&known(&app, EntryKind::WorkflowTags, &name)))
}

pub(crate) async fn add_to_workflow(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    add(&app, EntryKind::WorkflowTags, &name, tags).await
}

pub(crate) async fn set_of_workflow(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    replace(&app, EntryKind::WorkflowTags, &name, tags).await
}

pub(crate) async fn drop_from_workflow(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    drop_tags(&app, EntryKind::WorkflowTags, &name, tags).await
}

pub(crate) async fn of_task(State(app): Shared, Path(name): Path<String>) -> Answer {
    Ok(json(&known(&app, EntryKind::TaskTags, &name)))
}

pub(crate) async fn add_to_task(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    add(&app, EntryKind::TaskTags, &name, tags).await
}

pub(crate) async fn set_of_task(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    replace(&app, EntryKind::TaskTags, &name, tags).await
}

pub(crate) async fn drop_from_task(
    State(app): Shared,
    Path(name): Path<String>,
    Many(tags): Many<Tag>,
) -> Answer {
    drop_tags(&app, EntryKind::TaskTags, &name, tags).await
}

/// All labels of all definitions.
pub(crate) async fn all(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    let kinds = [EntryKind::WorkflowTags, EntryKind::TaskTags];
    let bodies =
        kinds.into_iter().flat_map(|kind| documents.others(kind)).filter_map(|entry| entry.body.as_ref());
    let mut tags: Vec<Tag> = bodies
        .flat_map(|body| wire::read::<Vec<Tag>>(body.as_str().as_bytes()).unwrap_or_default())
        .collect();
    let text = |tag: &Tag| serde_json::to_string(tag).expect("a tag is text");
    tags.sort_by_key(text);
    tags.dedup();
    Ok(json(&tags))
}
