//! Definitions: taught, shown, forgotten.

use std::sync::Arc;

use axum::extract::{Path, State};
use partitur_conductor::wire::{
    self, BulkResponse, ErrorResponse, Parts, TaskDef, WorkflowDef, WorkflowDefSummary,
};
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::value::RawJson;
use serde::Serialize;

use super::Shared;
use super::sound;
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::{Json, Query};

/// Definitions in one request.
const MANY_MAX: usize = 10_000;

pub(crate) async fn register(State(app): Shared, query: Query, Json(def): Json<WorkflowDef>) -> Answer {
    let overwrite = query.truth("overwrite", false)?;
    let new_version = query.truth("newVersion", false)?;
    Error::if_any(sound::workflow(&app, &def, "registerWorkflowDef.workflowDef").await)?;
    let _teaching = app.teaching.lock().await;
    let def = if new_version { with_new_version(&app, def) } else { def };
    let known = app.library.catalogue.read().workflow(&def.name, Some(def.version)).cloned();
    if known.is_some() && !overwrite {
        let message = format!("Workflow with {}.{} already exists!", def.name, def.version);
        return Err(Error::conflict(message));
    }
    keep(&app, vec![workflow_entry(&app, def, known.as_deref())]).await?;
    Ok(done())
}

fn with_new_version(app: &App, def: WorkflowDef) -> WorkflowDef {
    let latest = app.library.catalogue.read().workflow(&def.name, None).map(|def| def.version);
    WorkflowDef { version: latest.map_or(def.version, |latest| latest + 1), ..def }
}

/// Each for itself: those that are refused keep none of the others away.
pub(crate) async fn update(
    State(app): Shared,
    query: Query,
    Json(Parts(defs)): Json<Parts<wire::Json>>,
) -> Answer {
    at_most(defs.len())?;
    let new_version = query.truth("newVersion", false)?;
    let mut answer = BulkResponse::default();
    let _teaching = app.teaching.lock().await;
    let mut entries = Vec::new();
    for (at, text) in defs.into_iter().enumerate() {
        let def: WorkflowDef = wire::read(text.0.render().as_bytes())?;
        let faults = sound::workflow(&app, &def, &format!("update.workflowDefs[{at}]")).await;
        if faults.is_empty() {
            let def = if new_version { with_new_version(&app, def) } else { def };
            answer.bulk_successful_results.push(def.name.clone());
            let known = app.library.catalogue.read().workflow(&def.name, Some(def.version)).cloned();
            entries.push(workflow_entry(&app, def, known.as_deref()));
        } else if def.name.is_empty() {
            return Err(Error(ErrorResponse::invalid(faults)));
        } else {
            let told = faults.iter().map(|fault| format!("{}: {}", fault.path, fault.message));
            answer.bulk_error_results.0.push((def.name.clone(), told.collect::<Vec<_>>().join("; ")));
        }
    }
    keep(&app, entries).await?;
    Ok(json(&answer))
}

pub(crate) async fn validate(State(app): Shared, Json(def): Json<WorkflowDef>) -> Answer {
    Error::if_any(sound::workflow(&app, &def, "validate.workflowDef").await)?;
    Ok(done())
}

pub(crate) async fn all(State(app): Shared, query: Query) -> Answer {
    let name = query.some_text("name");
    let documents = app.library.catalogue.read();
    let wanted = documents.workflows().filter(|def| name.is_none_or(|name| def.name == name));
    Ok(json(&wanted.map(|def| &**def).collect::<Vec<_>>()))
}

pub(crate) async fn get(State(app): Shared, Path(name): Path<String>, query: Query) -> Answer {
    let version = query.version()?;
    let def = app.library.catalogue.read().workflow(&name, version).cloned();
    def.map(|def| json(&*def)).ok_or_else(|| no_workflow(&name, version))
}

fn no_workflow(name: &str, version: Option<u32>) -> Error {
    let version = version.map_or_else(|| "null".to_owned(), |version| version.to_string());
    Error::not_found(format!("No such workflow found by name: {name}, version: {version}"))
}

pub(crate) async fn names_and_versions(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    let versions = documents.versions().map(|(name, versions)| {
        let list: Vec<_> = versions.values().map(|def| summary(def)).collect();
        (name.to_string(), list)
    });
    Ok(json(&versions.collect::<std::collections::BTreeMap<_, _>>()))
}

fn summary(def: &WorkflowDef) -> WorkflowDefSummary {
    let time = |millis: i64| (millis > 0).then_some(millis);
    WorkflowDefSummary {
        name: def.name.clone(),
        version: def.version,
        create_time: time(def.create_time),
        update_time: time(def.update_time),
    }
}

pub(crate) async fn names(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    Ok(json(&documents.versions().map(|(name, _)| name.to_string()).collect::<Vec<_>>()))
}

pub(crate) async fn versions(State(app): Shared, Path(name): Path<String>) -> Answer {
    let documents = app.library.catalogue.read();
    let found = documents.versions().find(|(known, _)| ***known == *name);
    let list: Vec<_> =
        found.iter().flat_map(|(_, versions)| versions.values().map(|def| summary(def))).collect();
    Ok(json(&list))
}

pub(crate) async fn latest(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    let latest = documents.versions().filter_map(|(_, versions)| versions.last_key_value());
    Ok(json(&latest.map(|(_, def)| &**def).collect::<Vec<_>>()))
}

pub(crate) async fn forget(State(app): Shared, Path((name, version)): Path<(String, u32)>) -> Answer {
    let _teaching = app.teaching.lock().await;
    if app.library.catalogue.read().workflow(&name, Some(version)).is_none() {
        return Err(no_workflow(&name, Some(version)));
    }
    keep(&app, vec![gone(&app, EntryKind::Workflow, &name, version)]).await?;
    Ok(done())
}

pub(crate) async fn register_tasks(State(app): Shared, Json(Parts(defs)): Json<Parts<TaskDef>>) -> Answer {
    at_most(defs.len())?;
    let mut faults = Vec::new();
    for (at, def) in defs.iter().enumerate() {
        faults.extend(sound::task_def(&app, def, &format!("registerTaskDef.taskDefinitions[{at}]")).await);
    }
    Error::if_any(faults)?;
    let _teaching = app.teaching.lock().await;
    let entries = defs.into_iter().map(|def| {
        let known = app.library.catalogue.read().task(&def.name).cloned();
        task_entry(&app, def, known.as_deref())
    });
    let entries = entries.collect();
    keep(&app, entries).await?;
    Ok(done())
}

pub(crate) async fn update_task(State(app): Shared, Json(def): Json<TaskDef>) -> Answer {
    Error::if_any(sound::task_def(&app, &def, "updateTaskDef.taskDef").await)?;
    let _teaching = app.teaching.lock().await;
    let known = app.library.catalogue.read().task(&def.name).cloned();
    // Python's workers try this first, and register anew where they hear that there is none.
    let known = known.ok_or_else(|| no_task_def(&def.name))?;
    keep(&app, vec![task_entry(&app, def, Some(&known))]).await?;
    Ok(done())
}

fn no_task_def(name: &str) -> Error {
    Error::not_found(format!("No such taskType found by name: {name}"))
}

pub(crate) async fn all_tasks(State(app): Shared) -> Answer {
    let documents = app.library.catalogue.read();
    Ok(json(&documents.tasks().map(|def| &**def).collect::<Vec<_>>()))
}

pub(crate) async fn get_task(State(app): Shared, Path(name): Path<String>) -> Answer {
    let def = app.library.catalogue.read().task(&name).cloned();
    def.map(|def| json(&*def)).ok_or_else(|| no_task_def(&name))
}

pub(crate) async fn forget_task(State(app): Shared, Path(name): Path<String>) -> Answer {
    let _teaching = app.teaching.lock().await;
    if app.library.catalogue.read().task(&name).is_none() {
        return Err(no_task_def(&name));
    }
    keep(&app, vec![gone(&app, EntryKind::Task, &name, 0)]).await?;
    Ok(done())
}

// Entries.

fn at_most(count: usize) -> Result<(), Error> {
    if count <= MANY_MAX {
        Ok(())
    } else {
        Err(Error::bad(format!("at most {MANY_MAX} definitions at once")))
    }
}

/// Keeps entries; returns when everybody sees them.
pub(crate) async fn keep(app: &App, entries: Vec<Entry>) -> Result<(), Error> {
    if !entries.is_empty() {
        app.handle.keep(entries).await?;
    }
    Ok(())
}

fn workflow_entry(app: &App, def: WorkflowDef, known: Option<&WorkflowDef>) -> Entry {
    let now = app.now().millis() as i64;
    let created = known.map_or(now, |known| known.create_time);
    let def = WorkflowDef { create_time: created, update_time: now, ..def };
    entry(app, EntryKind::Workflow, &def.name, def.version, &def)
}

fn task_entry(app: &App, def: TaskDef, known: Option<&TaskDef>) -> Entry {
    let now = app.now().millis() as i64;
    let created = known.map_or(now, |known| known.create_time);
    let def = TaskDef { create_time: created, update_time: now, ..def };
    entry(app, EntryKind::Task, &def.name, 0, &def)
}

/// An entry with this document.
pub(crate) fn entry(
    app: &App,
    kind: EntryKind,
    name: &str,
    version: u32,
    document: &impl Serialize,
) -> Entry {
    let text = serde_json::to_string(document).expect("documents have text for keys");
    Entry { body: Some(RawJson::trusted(text)), ..gone(app, kind, name, version) }
}

/// An entry that removes the document.
pub(crate) fn gone(app: &App, kind: EntryKind, name: &str, version: u32) -> Entry {
    let now = app.now();
    Entry { kind, name: Arc::from(name), version, body: None, created: now, updated: now }
}
