//! Queues: how many tasks wait, and who asked for them.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use serde_json::json as value;

use super::Shared;
use crate::app::App;
use crate::http::answer::{Answer, Error, json, text};
use crate::http::input::Query;

async fn sizes(app: &App) -> Result<BTreeMap<String, u64>, Error> {
    Ok(app.handle.queues().await?.into_iter().collect())
}

pub(crate) async fn of_types(State(app): Shared, query: Query) -> Answer {
    let all = sizes(&app).await?;
    let asked = query.all("taskType").flat_map(|list| list.split(','));
    let found = asked.map(|name| (name.to_owned(), all.get(name).copied().unwrap_or(0)));
    Ok(json(&found.collect::<BTreeMap<_, _>>()))
}

pub(crate) async fn of_type(State(app): Shared, query: Query) -> Answer {
    let task_type = query.some_text("taskType").ok_or_else(|| Error::bad("`taskType` is missing"))?;
    let mut name = match query.some_text("domain") {
        Some(domain) => format!("{domain}:{task_type}"),
        None => task_type.to_owned(),
    };
    // No queue here is called so: there are no workers apart.
    for (mark, key) in [('@', "executionNamespace"), ('-', "isolationGroupId")] {
        if let Some(apart) = query.some_text(key) {
            name.push(mark);
            name.push_str(apart);
        }
    }
    Ok(json(&sizes(&app).await?.get(&name).copied().unwrap_or(0)))
}

pub(crate) async fn all(State(app): Shared) -> Answer {
    Ok(json(&sizes(&app).await?))
}

pub(crate) async fn all_verbose(State(app): Shared) -> Answer {
    let shards =
        sizes(&app).await?.into_iter().map(|(name, size)| (name, value!({"a": {"size": size, "uacked": 0}})));
    Ok(json(&shards.collect::<BTreeMap<_, _>>()))
}

pub(crate) async fn polls(State(app): Shared, query: Query) -> Answer {
    let task_type = query.some_text("taskType").ok_or_else(|| Error::bad("`taskType` is missing"))?;
    Ok(json(&app.workers.polls(Some(task_type))))
}

pub(crate) async fn all_polls(State(app): Shared) -> Answer {
    Ok(json(&app.workers.polls(None)))
}

/// A task never leaves its queue unnoticed: there is nothing to put back.
pub(crate) async fn requeue(Path(_): Path<String>) -> Answer {
    Ok(text("0"))
}
