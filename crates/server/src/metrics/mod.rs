//! What the server counts, for Prometheus: under `/metrics`, and on a port of its own.
//!
//! Counting costs a few atomic additions, or one look into a table under a lock that only one thread takes in normal
//! work; what can be read off at any time (queues, locks, breakers, the process) is read when somebody asks. No label
//! holds the id of a run, a task or a person, and of values that users choose only so many are told apart.
//!
//! `instrument.rs` is what counts, `watch.rs` counts what the node tells, `scrape.rs` writes everything down.

mod callbacks;
pub mod instrument;
mod process;
pub(crate) mod scrape;
pub(crate) mod store;
mod text;
pub(crate) mod watch;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use axum::http::{Method, StatusCode};

use instrument::{Counter, Family, Grid, Histogram};
pub use process::resident_bytes;
pub use text::CONTENT_TYPE;

/// Times of tasks and runs, in seconds. Five is a bound because "slow" means that.
const DURATIONS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Waiting for a worker.
const WAITS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Answers to requests.
const ANSWERS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Commits.
const COMMITS: &[f64] =
    &[0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// Steps of the engine.
const STEPS: &[f64] = &[0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.01, 0.1];

/// Changes in a commit.
const CHANGES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// Bodies of requests and answers, in bytes.
const SIZES: &[f64] =
    &[256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0];

/// How runs start: in the order of [`watch::Trigger`].
const TRIGGERS: &[&str] = &["api", "subworkflow", "schedule", "event", "rerun"];

/// Which time was over: in the order of [`watch::Limit`].
const LIMITS: &[&str] = &["start_to_close", "response", "poll"];

/// What a body is about: in the order of [`kind_of`].
const BODIES: &[&str] = &["task", "workflow", "native", "other"];

/// How runs end.
const RUN_OUTCOMES: &[&str] = &["completed", "failed", "timed_out", "terminated"];

/// How attempts end.
const TASK_OUTCOMES: &[&str] = &["completed", "failed", "timed_out", "canceled", "skipped"];

/// Why a credential is none.
pub(crate) const AUTH_FAILURES: &[&str] = &["missing", "malformed", "unknown", "expired", "revoked"];

/// Whom a limit is for.
pub(crate) const THROTTLE_SCOPES: &[&str] = &["global", "ip", "user"];

/// Classes of requests.
pub(crate) const CLASSES: &[&str] = &["anonymous", "person", "machine", "worker", "stream"];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    starts: Family<Counter>,
    runs: Family<Counter>,
    run_duration: Family<Histogram>,
    attempts: Family<Counter>,
    execution: Family<Histogram>,
    queue_wait: Family<Histogram>,
    retries: Family<Counter>,
    timeouts: Family<Counter>,
    lease_expirations: Family<Counter>,
    lock_wait: Family<Histogram>,
    bodies: Grid<Histogram>,
    commit: Histogram,
    commit_changes: Histogram,
    step: Histogram,
    requests: Requests,
    pub(crate) throttled: Grid<Counter>,
    pub(crate) auth_failures: Grid<Counter>,
    pub(crate) denied: Counter,
    pub(crate) connections: Level,
    pub(crate) streams: Level,
    quarantined: Counter,
    pub(crate) callbacks: callbacks::Callbacks,
    pace: Pace,
}

/// So many seconds are looked back at.
const PACE: usize = 16;

/// Tasks that ended in each of the last seconds; one thread writes.
#[derive(Debug, Default)]
struct Pace([(AtomicU64, AtomicU64); PACE]);

impl Pace {
    fn ended(&self, now_ms: u64) {
        let second = now_ms / 1_000;
        let (of, count) = &self.0[second as usize % PACE];
        if of.swap(second, Ordering::Relaxed) != second {
            count.store(0, Ordering::Relaxed);
        }
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Over the last ten whole seconds.
    fn per_second(&self, now_ms: u64) -> f64 {
        let now = now_ms / 1_000;
        let recent = self.0.iter().filter(|(of, _)| {
            let of = of.load(Ordering::Relaxed);
            of < now && of + 10 >= now
        });
        recent.map(|(_, count)| count.load(Ordering::Relaxed)).sum::<u64>() as f64 / 10.0
    }
}

/// So many of something that comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicI64);

/// One of them, until it is dropped.
pub(crate) struct OneOf<'a>(&'a Level);

impl Level {
    pub fn enter(&self) -> OneOf<'_> {
        self.add(1);
        OneOf(self)
    }

    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for OneOf<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

impl Metrics {
    /// With these routes, in their order.
    pub(crate) fn new(routes: Vec<(Method, &'static str)>) -> Metrics {
        let durations = || Histogram::new(DURATIONS);
        Metrics {
            starts: Family::counters(
                "partitur_workflow_starts_total",
                "Runs that have begun.",
                "workflow",
                ("trigger", TRIGGERS),
            ),
            runs: Family::counters(
                "partitur_workflow_runs_total",
                "Runs that have ended.",
                "workflow",
                ("outcome", RUN_OUTCOMES),
            ),
            run_duration: Family::histograms(
                "partitur_workflow_duration_seconds",
                "From the acceptance of a run to its end.",
                "workflow",
                ("outcome", RUN_OUTCOMES),
                durations,
            ),
            attempts: Family::counters(
                "partitur_task_attempts_total",
                "Attempts that have ended.",
                "task_type",
                ("outcome", TASK_OUTCOMES),
            ),
            execution: Family::histograms(
                "partitur_task_execution_seconds",
                "From the start of an attempt to its end.",
                "task_type",
                ("outcome", TASK_OUTCOMES),
                durations,
            ),
            queue_wait: Family::histograms(
                "partitur_task_queue_wait_seconds",
                "From being ready to being handed out.",
                "task_type",
                ("", &[""]),
                || Histogram::new(WAITS),
            ),
            retries: Family::counters(
                "partitur_task_retries_total",
                "Attempts that are followed by another.",
                "task_type",
                ("", &[""]),
            ),
            timeouts: Family::counters(
                "partitur_task_timeouts_total",
                "Attempts whose time was over.",
                "task_type",
                ("kind", LIMITS),
            ),
            lease_expirations: Family::counters(
                "partitur_task_lease_expirations_total",
                "Attempts of which nothing was heard in time.",
                "task_type",
                ("", &[""]),
            ),
            lock_wait: Family::histograms(
                "partitur_lock_wait_seconds",
                "From being ready to having all that a task claims.",
                "lock_class",
                ("", &[""]),
                || Histogram::new(WAITS),
            ),
            bodies: Grid::new(
                "partitur_payload_bytes",
                "Bodies of requests and answers.",
                ("direction", &["in", "out"]),
                ("kind", BODIES),
                || Histogram::new(SIZES),
            ),
            commit: Histogram::new(COMMITS),
            commit_changes: Histogram::new(CHANGES),
            step: Histogram::new(STEPS),
            requests: Requests::new(routes),
            throttled: Grid::new(
                "partitur_requests_throttled_total",
                "Requests that came too fast.",
                ("scope", THROTTLE_SCOPES),
                ("class", CLASSES),
                Counter::default,
            ),
            auth_failures: Grid::new(
                "partitur_auth_failures_total",
                "Requests without a credential that holds.",
                ("reason", AUTH_FAILURES),
                ("method", &["key", "token"]),
                Counter::default,
            ),
            denied: Counter::default(),
            connections: Level::default(),
            streams: Level::default(),
            quarantined: Counter::default(),
            callbacks: callbacks::Callbacks::new(),
            pace: Pace::default(),
        }
    }

    /// A request to a route was answered.
    pub(crate) fn answered(&self, route: usize, status: StatusCode, took: std::time::Duration) {
        self.requests.answered(route, status, took);
    }

    /// So large were the bodies of a request and of its answer, where that is known.
    pub(crate) fn carried(&self, route: usize, came: Option<u64>, went: Option<u64>) {
        let kind = self.requests.routes[route].kind;
        for (direction, size) in [came, went].into_iter().enumerate() {
            if let Some(size) = size.filter(|size| *size > 0) {
                self.bodies.at(direction, kind).count(size);
            }
        }
    }

    /// Tasks a second, over the last ten.
    pub(crate) fn tasks_per_second(&self, now_ms: u64) -> f64 {
        self.pace.per_second(now_ms)
    }

    /// So many rows were set aside at the start.
    pub(crate) fn set_aside(&self, rows: u64) {
        self.quarantined.add(rows);
    }
}

/// Answers by route and status.
#[derive(Debug)]
struct Requests {
    routes: Vec<Answers>,
}

#[derive(Debug)]
struct Answers {
    method: Method,
    path: &'static str,
    kind: usize,
    by_status: [OnceLock<Box<Histogram>>; STATUSES.len()],
}

/// Statuses that are told apart; all others are the last.
const STATUSES: [u16; 18] =
    [200, 204, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 429, 500, 501, 503, 507, 0];

/// What the bodies of a route are about.
fn kind_of(path: &str) -> usize {
    let prefixes = ["/api/tasks", "/api/workflow", "/v1/"];
    prefixes.iter().position(|prefix| path.starts_with(prefix)).unwrap_or(prefixes.len())
}

impl Requests {
    fn new(routes: Vec<(Method, &'static str)>) -> Requests {
        let answers = routes.into_iter().map(|(method, path)| {
            let by_status = [const { OnceLock::new() }; STATUSES.len()];
            Answers { method, path, kind: kind_of(path), by_status }
        });
        Requests { routes: answers.collect() }
    }

    fn answered(&self, route: usize, status: StatusCode, took: std::time::Duration) {
        let status = status.as_u16();
        let at = STATUSES.iter().position(|&known| known == status).unwrap_or(STATUSES.len() - 1);
        let answers = &self.routes[route].by_status[at];
        answers.get_or_init(|| Box::new(Histogram::new(ANSWERS))).time(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_ten_whole_seconds() {
        let pace = Pace::default();
        for second in 100..130 {
            (0..20).for_each(|at| pace.ended(second * 1_000 + at));
        }
        assert_eq!(pace.per_second(130_000), 20.0);
        assert_eq!(pace.per_second(135_500), 10.0, "half of them are over for long");
        assert_eq!(pace.per_second(200_000), 0.0);
    }
}
