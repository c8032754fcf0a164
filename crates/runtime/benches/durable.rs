//! How many steps a second go through shard, engine and SQLite (`FULL`), each acknowledged after its commit.
//!
//! Every run is a chain of tasks that do nothing: a task is reported as done when its dispatch is released, and only
//! then the next one follows, so that one step of a run is in flight at a time. What is measured is the loop itself;
//! there are no processes.
//!
//! `cargo bench -p partitur-runtime`; the medians of five rounds. `PARTITUR_BENCH_DIR` says on which disk; an argument
//! such as `256` selects lines.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use partitur_engine::{Effect, Input, Submission, compile};
use partitur_model::definition::{Definition, Edge, Guard, Kind, Node, Scope};
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::record::{DefinitionRecord, RunOptions, SourceFormat};
use partitur_model::{AttemptId, DefinitionId, Payload, Place};
use partitur_runtime::{Clock, Options, Shard};
use partitur_store::{Counts, SqliteStore, Synchronous};

const ROUNDS: usize = 5;

/// Runs at a time, and steps of each.
const SHAPES: [(u64, u32); 3] = [(1, 2_000), (64, 1_000), (256, 400)];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    println!(
        "{:>6}{:>12}{:>12}{:>12}{:>14}{:>14}{:>12}",
        "runs", "steps/s", "p50 ms", "p99 ms", "rows/step", "steps/commit", "cpu us/step"
    );
    for (runs, length) in SHAPES {
        if wanted.is_empty() || wanted.contains(&runs.to_string()) {
            let rounds: Vec<Figures> = (0..ROUNDS).map(|_| round(runs, length)).collect();
            print(runs, &rounds);
        }
    }
}

/// What one round measured.
struct Figures {
    steps_per_second: f64,
    p50_millis: f64,
    p99_millis: f64,
    rows: f64,
    steps_per_commit: f64,
    cpu_micros: f64,
}

fn print(runs: u64, rounds: &[Figures]) {
    let median = |of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{runs:>6}{:>12.0}{:>12.3}{:>12.3}{:>14.2}{:>14.1}{:>12.2}",
        median(|figures| figures.steps_per_second),
        median(|figures| figures.p50_millis),
        median(|figures| figures.p99_millis),
        median(|figures| figures.rows),
        median(|figures| figures.steps_per_commit),
        median(|figures| figures.cpu_micros),
    );
}

fn round(runs: u64, length: u32) -> Figures {
    let dir = std::env::var_os("PARTITUR_BENCH_DIR").map_or_else(tempfile::tempdir, tempfile::tempdir_in);
    let dir = dir.expect("a directory to write to");
    let mut node = LoneNode::open(dir.path(), runs);
    node.submit(runs, length);
    let before = (node.shard.store().counts(), cpu(), Instant::now());
    let steps = node.run(runs * u64::from(length));
    let (counts, cpu_before, started) = before;
    figures(steps, started.elapsed(), cpu() - cpu_before, counts, node.shard.store().counts())
}

fn figures(
    mut steps: Vec<Duration>,
    took: Duration,
    cpu: Duration,
    before: Counts,
    after: Counts,
) -> Figures {
    steps.sort_unstable();
    let count = steps.len() as f64;
    let share = |share: usize| steps[(steps.len() - 1) * share / 100].as_secs_f64() * 1e3;
    Figures {
        steps_per_second: count / took.as_secs_f64(),
        p50_millis: share(50),
        p99_millis: share(99),
        rows: (after.rows - before.rows) as f64 / count,
        steps_per_commit: count / (after.transactions - before.transactions) as f64,
        cpu_micros: cpu.as_secs_f64() * 1e6 / count,
    }
}

/// A node without a host: its loop, and executors that are done at once.
struct LoneNode {
    shard: Shard<SqliteStore>,
    clock: Clock,
    woken: Receiver<()>,
}

impl LoneNode {
    fn open(dir: &Path, runs: u64) -> LoneNode {
        let (wake, woken) = sync_channel(1);
        let waker = move || {
            // One that waits already will see this completion too.
            let _ = wake.try_send(());
        };
        let store_options =
            partitur_store::Options { synchronous: Synchronous::Full, ..partitur_store::Options::default() };
        let store = SqliteStore::open(dir.join("state.db"), store_options, waker).expect("a new database");
        let clock = Clock::new();
        let engine = partitur_engine::Options { concurrency: runs as u32, ..Default::default() };
        let options = Options { engine, ..Options::default() };
        let compile = Box::new(|_: &DefinitionRecord| Err("nothing is stored yet".to_owned()));
        let (shard, _) = Shard::open(options, store, compile, clock.now()).expect("a new database");
        LoneNode { shard, clock, woken }
    }

    fn submit(&mut self, runs: u64, length: u32) {
        let definition = Arc::new(chain(length));
        let program = compile(&definition).expect("a chain is sound");
        let record = Arc::new(DefinitionRecord {
            id: DefinitionId(1),
            name: definition.name.clone(),
            format: SourceFormat::Json,
            files: Vec::new(),
        });
        for run in 0..runs {
            let submission = Submission {
                program: program.clone(),
                definition: record.clone(),
                input: Payload::object::<&str>([]),
                options: RunOptions::default(),
                random: run,
                under_key: None,
                expected: Vec::new(),
                reply: None,
            };
            self.shard.step(self.clock.now(), Input::Submit(Box::new(submission)));
        }
    }

    /// Turns until so many steps are durable; how long each took from its report to the next hand-out.
    fn run(&mut self, count: u64) -> Vec<Duration> {
        let mut reported: std::collections::HashMap<u64, Instant> = std::collections::HashMap::new();
        let mut steps = Vec::with_capacity(count as usize);
        let mut handed_out = 0;
        loop {
            self.shard.turn(self.clock.now()).expect("the disk is in order");
            let effects = self.shard.take_effects();
            if effects.is_empty() {
                // What is released next hangs on a commit.
                self.woken.recv().expect("the store lives");
                continue;
            }
            for effect in effects {
                let Effect::Dispatch { dispatch, .. } = effect else { continue };
                let run = dispatch.attempt.run.number();
                if let Some(at) = reported.insert(run, Instant::now()) {
                    steps.push(at.elapsed());
                }
                handed_out += 1;
                if handed_out == count {
                    return steps;
                }
                self.done(dispatch.attempt);
            }
        }
    }

    fn done(&mut self, attempt: AttemptId) {
        let what = ReportKind::Ended(Box::new(Ending::success(None)));
        self.shard.step(self.clock.now(), Input::Report(Report { attempt, what }));
    }
}

fn chain(length: u32) -> Definition {
    let nodes = (0..length).map(|at| Node::new(format!("t{at}"), Kind::Command(Default::default())));
    let edges = (1..length).map(|to| Edge { from: to - 1, to, guard: Guard::Success, place: Place::root() });
    let root = Scope { nodes: nodes.collect(), edges: edges.collect() };
    Definition { name: "chain".into(), root, ..Definition::default() }
}

/// Processor time of all threads so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    // The kernel counts in hundredths of a second, whatever its own clock does.
    Duration::from_millis(ticks * 10)
}
