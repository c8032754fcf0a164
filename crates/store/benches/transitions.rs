//! How many steps a second the SQLite store makes durable, and what a step costs its writer.
//!
//! A step ends one task and starts the next of its run: two rows. A batch holds so many steps, of as many runs as
//! there are; one batch is written while the next is filled, as the shard does it.
//!
//! `cargo bench -p partitur-store`; the medians of five rounds. `PARTITUR_BENCH_DIR` says on which disk; an argument
//! such as `Full/64/256` (setting, runs, batch, bytes of an output) selects lines.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{TaskOutcome, TaskRecord, TaskState, UndoState, Usage};
use partitur_model::{FencingToken, Payload, RunId, TaskSeq, Timestamp};
use partitur_store::{Commit, Completion, Options, SqliteStore, Store, Synchronous};

const ROUNDS: usize = 5;

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    println!(
        "{:<20}{:>12}{:>12}{:>10}{:>12}{:>11}{:>10}",
        "shape", "steps/s", "writer us", "rows", "written B", "stored B", "commit ms"
    );
    for shape in shapes() {
        let name = shape.to_string();
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted)) {
            let rounds: Vec<Figures> = (0..ROUNDS).map(|_| round(shape)).collect();
            print(shape, &rounds);
        }
    }
}

/// What a line of the table measures.
#[derive(Clone, Copy)]
struct Shape {
    synchronous: Synchronous,
    runs: u64,
    batch: usize,
    /// Bytes of each output.
    output: usize,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}/{}/{}/{}", self.synchronous, self.runs, self.batch, self.output)
    }
}

/// Each setting over each number of runs and batches with short outputs, and some with longer ones.
fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        for runs in [64, 256] {
            shapes.extend([1, 16, 64, 256].map(|batch| Shape { synchronous, runs, batch, output: 60 }));
        }
        shapes.extend([400, 800, 2_000].map(|output| Shape { synchronous, runs: 256, batch: 64, output }));
    }
    shapes
}

/// What one round measured, for each step.
struct Figures {
    steps_per_second: f64,
    writer_micros: f64,
    rows: f64,
    written: f64,
    stored: f64,
    commit_millis: f64,
}

fn print(shape: Shape, rounds: &[Figures]) {
    let median = |of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "{:<20}{:>12.0}{:>12.2}{:>10.2}{:>12.0}{:>11.0}{:>10.3}",
        shape.to_string(),
        median(|figures| figures.steps_per_second),
        median(|figures| figures.writer_micros),
        median(|figures| figures.rows),
        median(|figures| figures.written),
        median(|figures| figures.stored),
        median(|figures| figures.commit_millis),
    );
}

fn round(shape: Shape) -> Figures {
    let Shape { synchronous, runs, batch, output } = shape;
    let parent =
        std::env::var("PARTITUR_BENCH_DIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    let dir = tempfile::tempdir_in(parent).expect("the directory can be written");
    let path = dir.path().join("partitur.db");
    let options = Options { synchronous, ..Options::default() };
    let mut store = SqliteStore::open(&path, options, || ()).expect("an empty directory");
    let steps = (batch * 1_000).clamp(3_000, 40_000);
    let mut load = Load::new(runs, output);

    let (cpu, written, begin) = (writer_cpu(), bytes_written(), Instant::now());
    let (mut number, mut in_flight, mut done) = (BatchNo(0), 0, Vec::new());
    for _ in 0..steps.div_ceil(batch) {
        number = number.next();
        store.submit(Commit { number, changes: load.batch(batch).into() });
        in_flight += 1;
        while in_flight >= 2 {
            in_flight -= take(&mut store, &mut done);
        }
    }
    while in_flight > 0 {
        in_flight -= take(&mut store, &mut done);
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let made = (number.0 as usize * batch) as f64;
    let (cpu, written, counts) = (writer_cpu() - cpu, bytes_written() - written, store.counts());
    drop(store);
    Figures {
        steps_per_second: made / elapsed,
        writer_micros: cpu / made,
        rows: (counts.rows + counts.payloads) as f64 / made,
        written: written / made,
        stored: file_size(&path) / made,
        commit_millis: elapsed * 1e3 / number.0 as f64,
    }
}

fn take(store: &mut SqliteStore, done: &mut Vec<Completion>) -> usize {
    store.wait();
    store.completions(done);
    let count = done.len();
    for completion in done.drain(..) {
        assert!(matches!(completion, Completion::Durable(_)), "{completion:?}");
    }
    count
}

/// Runs that advance in turn.
struct Load {
    running: Vec<TaskRecord>,
    next: usize,
    token: FencingToken,
    output: usize,
}

impl Load {
    fn new(runs: u64, output: usize) -> Load {
        let running =
            (1..=runs).map(|run| started(RunId::new(0, run, run * 999), 1, FencingToken(1))).collect();
        Load { running, next: 0, token: FencingToken::first_of(1), output }
    }

    /// The changes of so many steps: each ends the task that is running in its run and starts the next.
    fn batch(&mut self, steps: usize) -> Vec<Change> {
        let mut changes = Vec::with_capacity(2 * steps);
        for _ in 0..steps {
            self.token = self.token.next();
            let task = &mut self.running[self.next];
            let next = started(task.run, task.seq.0 + 1, self.token);
            changes.push(Change::Task(Box::new(ended(std::mem::replace(task, next.clone()), self.output))));
            changes.push(Change::Task(Box::new(next)));
            self.next = (self.next + 1) % self.running.len();
        }
        changes
    }
}

fn time(token: FencingToken) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + 137 * token.0)
}

fn started(run: RunId, seq: u32, token: FencingToken) -> TaskRecord {
    let name: Arc<str> = format!("step-{seq}").into();
    TaskRecord {
        run,
        seq: TaskSeq(seq),
        node: name.clone(),
        scope: None,
        path: name,
        state: TaskState::Running { token, deadline: Timestamp::MAX, lease: Timestamp::MAX },
        generation: 1,
        attempt: 1,
        losses: 0,
        ready: time(token),
        started: Some(time(token)),
        ended: None,
        output: None,
        error: None,
        items: None,
        iteration: 0,
        child: None,
        undo: UndoState::None,
        cached: false,
        log: None,
        usage: Usage::default(),
        served: None,
    }
}

/// With an output of about so many bytes, different for each task.
fn ended(task: TaskRecord, output: usize) -> TaskRecord {
    let mut text = format!(r#"{{"rows":{},"file":"data/out/{}.csv","ok":["#, task.run.number(), task.node);
    let mut number = task.run.number() << 32 | u64::from(task.seq.0);
    while text.len() + 3 < output {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(&format!("{},", number >> 40));
    }
    text.push_str("0]}");
    TaskRecord {
        state: TaskState::Ended(TaskOutcome::Succeeded),
        ended: task.started.map(|start| start + std::time::Duration::from_micros(1_234)),
        output: Some(Payload::parse(&text).expect("a literal")),
        usage: Usage { cpu_micros: 812, rss_max: 4_194_304 },
        ..task
    }
}

/// Processor time of the writer's thread in microseconds.
fn writer_cpu() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    threads
        .flatten()
        .filter(|thread| read(&thread.path().join("comm")).trim() == "store")
        .map(|thread| first_number(&read(&thread.path().join("schedstat"))) / 1e3)
        .sum()
}

/// Bytes that this process has handed to the disk.
fn bytes_written() -> f64 {
    let io = read(Path::new("/proc/self/io"));
    let line = io.lines().find(|line| line.starts_with("write_bytes:")).expect("Linux");
    first_number(line.trim_start_matches("write_bytes:").trim())
}

fn file_size(path: &Path) -> f64 {
    std::fs::metadata(path).expect("it was just written").len() as f64
}

fn first_number(text: &str) -> f64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
