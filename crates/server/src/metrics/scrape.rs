//! Everything that is counted, and how things stand, in one text.

use std::collections::BTreeMap;
use std::path::Path;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE as TYPE, HeaderValue};
use axum::response::Response;
use partitur_engine::admission::{Census, Taken};
use partitur_engine::{LimitView, ResultsView};
use partitur_model::Timestamp;
use partitur_model::record::{BreakerRecord, BreakerState};
use partitur_worker::calls::REASONS;

use super::instrument::{OTHER, VALUES_MAX, cut};
use super::text::{CONTENT_TYPE, Text, escaped};
use super::{Metrics, STATUSES, process};
use crate::app::App;
use crate::conductor_api::Shared;
use crate::http::answer::Answer;

/// How the node stands at this moment.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// When.
    pub now: Timestamp,
    /// What waits and is held.
    pub census: Census,
    /// Breakers.
    pub breakers: Vec<BreakerRecord>,
    /// Results that serve again.
    pub results: ResultsView,
    /// Runs in memory.
    pub resident: usize,
    /// Runs that were set aside.
    pub quarantined: usize,
    /// Runs whose limit follows the load.
    pub limits: Vec<LimitView>,
}

/// `/metrics`.
pub(crate) async fn metrics(State(app): Shared) -> Answer {
    let text = text(&app).await?;
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(TYPE, HeaderValue::from_static(CONTENT_TYPE));
    Ok(response)
}

async fn text(app: &App) -> Result<String, crate::http::answer::Error> {
    let standing = app.handle.standing().await?;
    let (open, paused) = app.reads.read_durable(|reader| reader.count_open()).await?;
    let mut out = Text::default();
    app.metrics.write(&mut out);
    write_standing(&standing, &mut out);
    write_active(&open, paused, &mut out);
    write_server(app, &mut out);
    process::write(&mut out);
    if app.settings.metrics_compat() {
        write_aliases(app, &standing, &open, &mut out);
    }
    Ok(out.finish())
}

impl Metrics {
    fn write(&self, out: &mut Text) {
        self.starts.write(out);
        self.runs.write(out);
        self.run_duration.write(out);
        self.attempts.write(out);
        self.execution.write(out);
        self.queue_wait.write(out);
        self.retries.write(out);
        self.timeouts.write(out);
        self.lease_expirations.write(out);
        self.lock_wait.write(out);
        self.bodies.write(out);
        out.one(
            "partitur_commit_seconds",
            "From handing a commit over to its being on the disk.",
            &self.commit,
        );
        out.one("partitur_commit_batch_records", "Changes in a commit.", &self.commit_changes);
        out.one("partitur_step_seconds", "Steps of the engine.", &self.step);
        self.write_requests(out);
        self.throttled.write(out);
        self.auth_failures.write(out);
        out.one(
            "partitur_authz_denied_total",
            "Requests without the right that their route needs.",
            &self.denied,
        );
        let quarantined = "Rows that were set aside at the start.";
        out.one("partitur_recovery_quarantined_records_total", quarantined, &self.quarantined);
        self.callbacks.write(out);
        let plain = |value: i64| [(String::new(), value as f64)];
        out.gauge("partitur_http_connections", "Connections that are open.", plain(self.connections.get()));
        out.gauge("partitur_stream_clients", "Who follows a run.", plain(self.streams.get()));
        self.write_overflow(out);
    }

    fn write_requests(&self, out: &mut Text) {
        let name = "http_server_request_duration_seconds";
        out.head(name, "histogram", "From the head of a request to its answer.");
        for route in &self.requests.routes {
            for (status, answers) in STATUSES.iter().zip(&route.by_status) {
                let Some(answers) = answers.get() else { continue };
                let status = if *status == 0 { OTHER.to_owned() } else { status.to_string() };
                let labels = format!(
                    "http_request_method=\"{}\",http_route=\"{}\",http_response_status_code=\"{status}\"",
                    route.method, route.path
                );
                use super::instrument::Show as _;
                answers.show(name, &labels, out.raw());
            }
        }
    }

    fn write_overflow(&self, out: &mut Text) {
        let families = [
            self.starts.overflow(),
            self.runs.overflow(),
            self.run_duration.overflow(),
            self.attempts.overflow(),
            self.execution.overflow(),
            self.queue_wait.overflow(),
            self.retries.overflow(),
            self.timeouts.overflow(),
            self.lease_expirations.overflow(),
            self.lock_wait.overflow(),
        ];
        let rows = families.map(|(metric, count)| (format!("metric=\"{metric}\""), count as f64));
        let about = "Values of labels that had no place of their own.";
        out.counter("partitur_metrics_label_overflow_total", about, rows);
    }
}

fn write_standing(standing: &Standing, out: &mut Text) {
    let queues = standing.census.queues.iter();
    let depth = queues.clone().map(|queue| (queue.queue.as_str(), queue.tasks as f64));
    let rows = labelled("queue", ",state=\"ready\"", depth, |a, b| a + b);
    out.gauge("partitur_queue_depth", "Tasks that wait for a worker.", rows);
    let age = queues
        .filter_map(|queue| Some((queue.queue.as_str(), standing.now.since(queue.oldest?).as_secs_f64())));
    let about = "How long the oldest of those waits that are next.";
    out.gauge("partitur_queue_oldest_age_seconds", about, labelled("queue", "", age, f64::max));
    write_limits(&standing.census.limits, out);
    let things = &standing.census.things;
    let holders = things.iter().map(|thing| (class(thing), thing.held as f64));
    let rows = labelled("lock_class", "", holders, |a, b| a + b);
    out.gauge("partitur_lock_holders", "What is held of things that tasks claim.", rows);
    let waiters = things.iter().map(|thing| (class(thing), thing.waiting as f64));
    let rows = labelled("lock_class", "", waiters, |a, b| a + b);
    out.gauge("partitur_lock_waiters", "Tasks that wait for a thing.", rows);
    write_breakers(&standing.breakers, out);
    write_results(&standing.results, out);
    let plain = |value: usize| [(String::new(), value as f64)];
    out.gauge("partitur_runs_in_memory", "Runs in memory.", plain(standing.resident));
    out.gauge("partitur_runs_quarantined", "Runs that were set aside.", plain(standing.quarantined));
}

/// Runs that have not ended, as the rows say.
fn write_active(open: &[(String, u64)], paused: u64, out: &mut Text) {
    let all: u64 = open.iter().map(|(_, count)| count).sum();
    let states = [("running", all.saturating_sub(paused)), ("paused", paused)];
    let rows =
        states.map(|(state, count)| (format!("namespace=\"default\",state=\"{state}\""), count as f64));
    out.gauge("partitur_workflow_active", "Runs that have not ended.", rows);
}

/// What else the same figures are called: by Conductor, and by those who count tasks by category.
fn write_aliases(app: &App, standing: &Standing, open: &[(String, u64)], out: &mut Text) {
    let metrics = &app.metrics;
    metrics.attempts.write_as("task_total", ["", "category", "status"], out);
    metrics.execution.write_as("task_duration_seconds", ["", "category", "status"], out);
    metrics.queue_wait.write_as("task_queue_wait_seconds", ["", "taskType", ""], out);
    let add = |a: f64, b: f64| a + b;
    let depth = standing.census.queues.iter().map(|queue| (queue.queue.as_str(), queue.tasks as f64));
    let about = "Tasks that wait for a worker.";
    out.gauge("task_queue_depth", about, labelled("taskType", "", depth, add));
    let running = open.iter().map(|(name, count)| (name.as_str(), *count as f64));
    let about = "Runs that have not ended.";
    out.gauge("workflow_running", about, labelled("workflowName", "", running, add));
    if let Some(bytes) = process::resident_bytes() {
        let about = "Memory that is occupied.";
        out.gauge("memory_usage_bytes", about, [(String::new(), bytes as f64)]);
    }
}

/// `file`, `dir`, `service`, …: what stands before the colon.
fn class(thing: &Taken) -> &str {
    thing.name.split_once(':').map_or("resource", |(class, _)| class)
}

fn write_limits(limits: &[Taken], out: &mut Text) {
    let used = limits.iter().map(|limit| (limit.name.as_str(), limit.held as f64));
    let most = limits.iter().map(|limit| (limit.name.as_str(), limit.capacity as f64));
    let add = |a: f64, b: f64| a + b;
    let rows = labelled("limit", ",state=\"used\"", used, add);
    let rows = rows.into_iter().chain(labelled("limit", ",state=\"limit\"", most, add));
    out.gauge("partitur_concurrency_slots", "Limits over all tasks of a name.", rows);
}

fn write_breakers(breakers: &[BreakerRecord], out: &mut Text) {
    let rows = breakers.iter().take(VALUES_MAX).flat_map(|breaker| {
        let now = match breaker.state {
            BreakerState::Closed { .. } => "closed",
            BreakerState::Open { .. } => "open",
            BreakerState::HalfOpen { .. } => "half_open",
        };
        ["closed", "open", "half_open"].map(|state| {
            let labels = format!("name=\"{}\",state=\"{state}\"", escaped(cut(&breaker.name)));
            (labels, f64::from(u8::from(state == now)))
        })
    });
    out.gauge("partitur_breaker_state", "1 for the state in which a breaker is.", rows);
}

fn write_results(results: &ResultsView, out: &mut Text) {
    let plain = |value: f64| [(String::new(), value)];
    out.gauge("partitur_cache_entries", "Results that are kept.", plain(results.kept as f64));
    out.gauge("partitur_cache_bytes", "Their size.", plain(results.bytes as f64));
    out.counter("partitur_cache_hits_total", "Results that served again.", plain(results.hits as f64));
    let about = "Results that were looked for and not there.";
    out.counter("partitur_cache_misses_total", about, plain(results.misses as f64));
}

/// Values that users choose: equal ones are put together, and all beyond the limit.
fn labelled<'a>(
    label: &str,
    rest: &str,
    rows: impl Iterator<Item = (&'a str, f64)>,
    join: impl Fn(f64, f64) -> f64,
) -> Vec<(String, f64)> {
    let mut values: BTreeMap<&str, f64> = BTreeMap::new();
    for (value, figure) in rows {
        let value = cut(value);
        let value = if values.contains_key(value) || values.len() < VALUES_MAX { value } else { OTHER };
        let known = values.entry(value).or_insert(0.0);
        *known = join(*known, figure);
    }
    let line = |(value, figure): (&str, f64)| {
        (format!("namespace=\"default\",{label}=\"{}\"{rest}", escaped(value)), figure)
    };
    values.into_iter().map(line).collect()
}

fn write_server(app: &App, out: &mut Text) {
    let plain = |value: f64| [(String::new(), value)];
    let workers = app.workers.active(app.now()) as f64;
    out.gauge("partitur_workers", "Workers that have asked in the last ten seconds.", plain(workers));
    let lost = app.workers.lost(app.now()) as f64;
    let about = "Workers of whom nothing was heard for a minute.";
    out.counter("partitur_worker_exits_total", about, [("cause=\"lost\"".to_owned(), lost)]);
    let refused = REASONS.iter().zip(app.live.egress().refused());
    let rows = refused.map(|(reason, count)| (format!("reason=\"{reason}\""), count as f64));
    let about = "Calls that tasks may not make.";
    out.counter("partitur_egress_blocked_total", about, rows);
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len()) as f64;
    let database = &app.database;
    let files = [("database", database.clone()), ("log", database.with_extension("db-wal"))];
    let rows = files.map(|(file, path)| (format!("file=\"{file}\""), bytes(&path)));
    out.gauge("partitur_store_bytes", "Files of the state.", rows);
    let ready = f64::from(u8::from(app.handle.health().is_ready()));
    out.gauge("partitur_ready", "Whether requests are welcome.", plain(ready));
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    out.gauge("partitur_build_info", "What runs here.", [(version, 1.0)]);
}
