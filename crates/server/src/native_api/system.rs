//! How everything is, in one answer; breakers; results that serve again.

use axum::extract::{Path, State};
use partitur_engine::LimitView;
use partitur_model::record::{BreakerRecord, BreakerState};
use serde_json::{Value, json as value};

use crate::conductor_api::Shared;
use crate::http::answer::{Answer, done, json};
use crate::metrics::resident_bytes;
use crate::native_api::callbacks;

pub(crate) async fn state(State(app): Shared) -> Answer {
    let standing = app.handle.standing().await?;
    let (told, untold) = app.reads.read_durable(callbacks::counts).await?;
    let health = app.handle.health();
    let queues: u64 = standing.census.queues.iter().map(|queue| queue.tasks).sum();
    let oldest = standing.census.queues.iter().filter_map(|queue| queue.oldest).min();
    let locks = &standing.census.things;
    let asked = standing.results.hits + standing.results.misses;
    let open =
        standing.breakers.iter().filter(|breaker| !matches!(breaker.state, BreakerState::Closed { .. }));
    Ok(json(&value!({
        "healthy": health.is_ready(),
        "trouble": health.trouble().map(|trouble| trouble.to_string()),
        "uptime": app.started.elapsed().as_millis() as u64,
        "workers": app.workers.active(app.now()),
        "runsInMemory": standing.resident,
        "runsSetAside": standing.quarantined,
        "queueDepth": queues,
        "oldestWaits": oldest.map(|since| standing.now.since(since).as_millis() as u64),
        "tasksPerSecond": app.metrics.tasks_per_second(app.now().millis()),
        "commits": health.commits(),
        "locks": {
            "held": locks.iter().map(|thing| thing.held).sum::<u64>(),
            "waiting": locks.iter().map(|thing| thing.waiting).sum::<u64>(),
        },
        "cache": {
            "entries": standing.results.kept,
            "bytes": standing.results.bytes,
            "hitRate": (asked > 0).then(|| standing.results.hits as f64 / asked as f64),
        },
        "callbacks": {"waiting": told, "dead": untold},
        "breakersOpen": open.map(|breaker| breaker.name.as_str()).collect::<Vec<_>>(),
        "memory": resident_bytes(),
        "limits": standing.limits.iter().map(limit).collect::<Vec<_>>(),
    })))
}

/// A run whose limit follows the load of this machine, on which its commands are executed.
fn limit(limit: &LimitView) -> Value {
    value!({
        "run": limit.run.to_string(),
        "min": limit.bounds.min,
        "max": limit.bounds.max,
        "limit": limit.limit,
        "live": limit.live,
        "reason": limit.reason,
        "since": limit.since.millis(),
    })
}

/// Those that are named by what runs; one that has never failed is closed.
pub(crate) async fn breakers(State(app): Shared) -> Answer {
    let standing = app.handle.standing().await?;
    Ok(json(&standing.breakers.iter().map(shown).collect::<Vec<_>>()))
}

fn shown(breaker: &BreakerRecord) -> Value {
    let (state, failures, until) = match breaker.state {
        BreakerState::Closed { failures } => ("closed", Some(failures), None),
        BreakerState::Open { until } => ("open", None, Some(until.millis())),
        BreakerState::HalfOpen { .. } => ("half-open", None, None),
    };
    value!({"name": breaker.name, "state": state, "failures": failures, "until": until})
}

pub(crate) async fn reset(State(app): Shared, Path(name): Path<String>) -> Answer {
    app.handle.reset_breaker(name).await?;
    Ok(done())
}

/// The results that serve again, and how often they did.
pub(crate) async fn cache(State(app): Shared) -> Answer {
    let results = app.handle.standing().await?.results;
    let told = value!({
        "entries": results.kept, "bytes": results.bytes, "hits": results.hits, "misses": results.misses,
    });
    Ok(json(&told))
}

pub(crate) async fn clear(State(app): Shared) -> Answer {
    app.handle.clear_results().await?;
    Ok(done())
}
