//! How things stand, for people and scripts.

use partitur_api::{Breaker, Cache, Holder, Limit, Status, Waiter};
use partitur_engine::admission::{Blocker, WaitView};
use partitur_engine::{Engine, LimitView};
use partitur_model::definition::ClaimMode;
use partitur_worker::CacheStats;

/// Fills in what the engine knows.
pub(crate) fn of_engine(engine: &Engine) -> Status {
    let waits = engine.waits();
    let held: Vec<Holder> = engine.holders().iter().flat_map(|hold| holders(engine, hold)).collect();
    Status {
        runs: engine
            .resident()
            .filter(|&run| engine.run(run).is_some_and(|rec| !rec.state.is_ended() && rec.parent.is_none()))
            .map(|run| run.number())
            .collect(),
        queued: waits.len() as u64,
        holders: held.into_iter().filter(|holder| is_for_people(&holder.resource)).collect(),
        waiters: waits.iter().filter_map(|wait| waiter(engine, wait)).collect(),
        breakers: engine.breakers().iter().filter_map(breaker).collect(),
        limits: engine.limits().into_iter().map(limit).collect(),
        ..Status::default()
    }
}

fn limit(view: LimitView) -> Limit {
    Limit {
        run: view.run.number(),
        limit: view.limit,
        min: view.bounds.min,
        max: view.bounds.max,
        live: view.live,
        reason: view.reason,
        since: view.since.millis(),
    }
}

/// Slots are counted, not listed.
fn is_for_people(resource: &str) -> bool {
    !resource.starts_with("slots")
}

fn holders(engine: &Engine, hold: &partitur_engine::admission::HoldView) -> Vec<Holder> {
    let task = engine.path(hold.task.run, hold.task.task).unwrap_or("?");
    hold.claims
        .iter()
        .map(|claim| Holder {
            run: hold.task.run.number(),
            task: task.to_owned(),
            resource: engine.resource_name(claim.resource).to_owned(),
            mode: match claim.mode {
                ClaimMode::Exclusive => "exclusive".to_owned(),
                ClaimMode::Shared => "shared".to_owned(),
            },
            units: claim.units,
            since: hold.since.millis(),
        })
        .collect()
}

/// Those who wait for nothing but a slot are counted, not listed.
fn waiter(engine: &Engine, wait: &WaitView) -> Option<Waiter> {
    let reason = match &wait.blocked_on {
        Blocker::Resource(resource) => {
            let name = engine.resource_name(*resource);
            if !is_for_people(name) {
                return None;
            }
            format!("lock {name}")
        }
        Blocker::Rate(resource, _) => format!("rate {}", engine.resource_name(*resource)),
        Blocker::Breaker(resource, _) => engine.resource_name(*resource).to_owned(),
        Blocker::Undecided => return None,
    };
    let held_by = wait
        .held_by
        .iter()
        .map(|task| format!("run {} {}", task.run.number(), engine.path(task.run, task.task).unwrap_or("?")));
    Some(Waiter {
        run: wait.task.run.number(),
        task: engine.path(wait.task.run, wait.task.task)?.to_owned(),
        reason,
        held_by: held_by.collect(),
        since: wait.since.millis(),
        reserves: wait.reserves,
    })
}

fn breaker(record: &partitur_model::record::BreakerRecord) -> Option<Breaker> {
    use partitur_model::record::BreakerState;
    let (state, until) = match record.state {
        BreakerState::Closed { .. } => return None,
        BreakerState::Open { until } => ("open", Some(until.millis())),
        BreakerState::HalfOpen { .. } => ("half open", None),
    };
    Some(Breaker { name: record.name.clone(), state: state.to_owned(), until })
}

/// The cache's part.
pub(crate) fn of_cache(stats: CacheStats) -> Cache {
    Cache { hits: stats.hits, misses: stats.misses, entries: stats.entries, bytes: stats.bytes }
}

/// Resident memory of this process, in bytes.
pub(crate) fn memory_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    resident.unwrap_or(0) * rustix::param::page_size() as u64
}
