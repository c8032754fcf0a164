//! Schemas by name and version, as Orkes' clients register them. Definitions may name them instead of holding them.

use axum::extract::{Path, State};
use partitur_conductor::check;
use partitur_conductor::wire::{self, SchemaDef, ValidationError};
use partitur_model::catalogue::{Entry, EntryKind};

use super::Shared;
use super::metadata::{entry, gone, keep};
use super::sound;
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::{Many, Query};

/// No name is longer, in bytes.
const NAME_MAX: usize = check::NAME_MAX;

pub(crate) async fn register(State(app): Shared, query: Query, Many(given): Many<SchemaDef>) -> Answer {
    let new_version = query.truth("newVersion", false)?;
    let mut faults = Vec::new();
    for (at, schema) in given.iter().enumerate() {
        faults.extend(faults_of(&app, schema, &format!("save.schemaDefs[{at}]")).await);
    }
    Error::if_any(faults)?;
    let _teaching = app.teaching.lock().await;
    for schema in given {
        let entry = as_entry(&app, schema, new_version);
        keep(&app, vec![entry]).await?;
    }
    Ok(done())
}

async fn faults_of(app: &App, schema: &SchemaDef, path: &str) -> Vec<ValidationError> {
    let at = |field: &str, message: &str| ValidationError::new(format!("{path}.{field}"), message);
    let mut faults = Vec::new();
    if schema.name.is_empty() || schema.name.len() > NAME_MAX {
        faults.push(at("name", "a schema has a name of at most 1000 bytes"));
    }
    if u32::try_from(schema.version).is_err() {
        faults.push(at("version", "a version is a whole number from 1"));
    }
    let sources = check::sources_of_schema(schema, &format!("{path}.data"));
    faults.extend(sound::unreadable(app, sources).await);
    faults
}

/// Without a version it is the first one; a new one comes after all that are there.
fn as_entry(app: &App, schema: SchemaDef, new_version: bool) -> Entry {
    let documents = app.library.catalogue.read();
    let latest =
        documents.versions_of(EntryKind::Schema, &schema.name).next_back().map(|entry| entry.version);
    let given = u32::try_from(schema.version).unwrap_or(1).max(1);
    let version = if new_version { latest.map_or(given, |latest| latest.saturating_add(1)) } else { given };
    let now = app.now().millis() as i64;
    let known = documents.other(EntryKind::Schema, &schema.name, version).and_then(read);
    let created = known.map_or(now, |known| known.create_time);
    let schema = SchemaDef { version: i64::from(version), create_time: created, update_time: now, ..schema };
    entry(app, EntryKind::Schema, &schema.name, version, &schema)
}

fn read(entry: &Entry) -> Option<SchemaDef> {
    wire::read(entry.body.as_ref()?.as_str().as_bytes()).ok()
}

/// With `short`, what they say is left out.
pub(crate) async fn all(State(app): Shared, query: Query) -> Answer {
    let short = query.truth("short", false)?;
    let documents = app.library.catalogue.read();
    let schemas = documents.others(EntryKind::Schema).filter_map(read);
    let schemas = schemas.map(|schema| if short { SchemaDef { data: None, ..schema } } else { schema });
    Ok(json(&schemas.collect::<Vec<_>>()))
}

pub(crate) async fn latest(State(app): Shared, Path(name): Path<String>) -> Answer {
    let documents = app.library.catalogue.read();
    let found = documents.versions_of(EntryKind::Schema, &name).next_back().and_then(read);
    found.map(|schema| json(&schema)).ok_or_else(|| no_schema(&name, None))
}

pub(crate) async fn get(State(app): Shared, Path((name, version)): Path<(String, u32)>) -> Answer {
    let documents = app.library.catalogue.read();
    let found = documents.other(EntryKind::Schema, &name, version).and_then(read);
    found.map(|schema| json(&schema)).ok_or_else(|| no_schema(&name, Some(version)))
}

pub(crate) async fn forget(State(app): Shared, Path((name, version)): Path<(String, u32)>) -> Answer {
    let _teaching = app.teaching.lock().await;
    if app.library.catalogue.read().other(EntryKind::Schema, &name, version).is_none() {
        return Err(no_schema(&name, Some(version)));
    }
    keep(&app, vec![gone(&app, EntryKind::Schema, &name, version)]).await?;
    Ok(done())
}

pub(crate) async fn forget_all(State(app): Shared, Path(name): Path<String>) -> Answer {
    let _teaching = app.teaching.lock().await;
    let versions = {
        let documents = app.library.catalogue.read();
        documents.versions_of(EntryKind::Schema, &name).map(|entry| entry.version).collect::<Vec<u32>>()
    };
    if versions.is_empty() {
        return Err(no_schema(&name, None));
    }
    let entries = versions.into_iter().map(|version| gone(&app, EntryKind::Schema, &name, version));
    let entries = entries.collect();
    keep(&app, entries).await?;
    Ok(done())
}

fn no_schema(name: &str, version: Option<u32>) -> Error {
    let version = version.map_or_else(String::new, |version| format!(", version: {version}"));
    Error::not_found(format!("No such schema found by name: {name}{version}"))
}
