//! How the server is.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::{Shared, view};
use crate::app::App;
use crate::http::answer::{Answer, Error, done, json, text, with_status};
use crate::http::input::{no_run, run_id};

/// As Conductor says it, and each part by name.
pub(crate) async fn health(State(app): Shared) -> Answer {
    let health = app.handle.health();
    let storage = health.trouble().map(|trouble| trouble.to_string());
    let parts = serde_json::json!([
        {"name": "storage", "healthy": storage.is_none(), "message": storage},
        {"name": "node", "healthy": health.is_ready() || storage.is_some()},
    ]);
    let healthy = health.is_ready();
    let answer = json(&serde_json::json!({
        "healthResults": parts, "suppressedHealthResults": [], "healthy": healthy,
    }));
    Ok(if healthy { answer } else { with_status(StatusCode::SERVICE_UNAVAILABLE, answer) })
}

/// Whether requests are welcome.
pub(crate) async fn readiness(State(app): Shared) -> Answer {
    let health = app.handle.health();
    if health.is_ready() {
        return Ok(text("ready"));
    }
    let why = match health.trouble() {
        Some(trouble) => trouble.to_string(),
        None if health.is_draining() => "stopping".to_owned(),
        None => "starting".to_owned(),
    };
    Ok(with_status(StatusCode::SERVICE_UNAVAILABLE, text(why)))
}

/// The loop has to turn within this, in milliseconds.
const TURN_MAX: u64 = 30_000;

/// Whether the process should be left alone.
pub(crate) async fn liveness(State(app): Shared) -> Answer {
    let since = app.now().millis().saturating_sub(app.handle.health().turned_at());
    if since > TURN_MAX {
        return Ok(with_status(StatusCode::SERVICE_UNAVAILABLE, text(format!("no turn for {since} ms"))));
    }
    Ok(text("alive"))
}

pub(crate) async fn version() -> Answer {
    Ok(text(env!("CARGO_PKG_VERSION")))
}

/// The settings, by name, as text.
pub(crate) async fn config(State(app): Shared) -> Answer {
    let settings = app.live.table().into_iter().map(|row| (row.name.to_owned(), row.value));
    Ok(json(&settings.collect::<std::collections::BTreeMap<_, _>>()))
}

/// The environment is not shown.
pub(crate) async fn empty_list() -> Answer {
    Ok(json(&Vec::<String>::new()))
}

pub(crate) async fn empty_map() -> Answer {
    Ok(json(&serde_json::json!({})))
}

/// As Conductor says of a variable that is not there.
pub(crate) async fn no_variable() -> Answer {
    Ok(done())
}

pub(crate) async fn swept(State(app): Shared, Path(id): Path<String>) -> Answer {
    exists(&app, &id).await?;
    Ok(text(format!("false.{id}")))
}

pub(crate) async fn in_order(State(app): Shared, Path(id): Path<String>) -> Answer {
    exists(&app, &id).await?;
    Ok(text("false"))
}

async fn exists(app: &App, id: &str) -> Result<(), Error> {
    let run = run_id(id)?;
    let found = app.reads.read(&app.handle, move |reader| view::run_of(reader, run)).await?;
    found.map(drop).ok_or_else(|| no_run(id))
}
