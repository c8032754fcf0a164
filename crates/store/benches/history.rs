//! What a run of a server leaves on the disk, and how long a start takes that finds many of them in flight.
//!
//! Runs of five steps pass through the hands of workers, 256 at once, with inputs and outputs of about twenty bytes:
//! each task is ready, handed out, and done, in different commits. Then everything is read back as a start does it.
//!
//! `cargo bench -p partitur-store --bench history`; an argument is the number of runs. `PARTITUR_BENCH_DIR` says on
//! which disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{
    DefinitionRecord, RunOptions, RunOutcome, RunRecord, RunState, Served, ServerOptions, SourceFormat,
    TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, TaskSeq, Timestamp};
use partitur_store::{Commit, Completion, Options, SqliteStore, Store, Synchronous};

const STEPS: u32 = 5;
const AT_ONCE: u64 = 256;
const DEFINITION: DefinitionId = DefinitionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    println!("{runs} runs of {STEPS} steps");
    println!(
        "{:<28}{:>10}{:>15}{:>15}{:>12}{:>13}{:>14}",
        "", "B/run", "written B/run", "writer us/run", "recover s", "processor s", "memory B/run"
    );
    for (title, kind) in [
        ("finished", Kind { ended: true, served: true, correlated: false }),
        ("finished, with correlation", Kind { ended: true, served: true, correlated: true }),
        ("finished, native", Kind { ended: true, served: false, correlated: false }),
        ("in flight", Kind { ended: false, served: true, correlated: false }),
    ] {
        measure(title, kind, runs);
    }
}

#[derive(Clone, Copy)]
struct Kind {
    ended: bool,
    served: bool,
    correlated: bool,
}

fn measure(title: &str, kind: Kind, runs: u64) {
    let parent =
        std::env::var("PARTITUR_BENCH_DIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    let dir = tempfile::tempdir_in(parent).expect("the directory can be written");
    let path = dir.path().join("partitur.db");
    let written = number_after("/proc/self/io", "write_bytes:");
    let writer = write(&path, kind, runs);
    let written = number_after("/proc/self/io", "write_bytes:") - written;
    let stored = std::fs::metadata(&path).expect("it was just written").len() as f64;

    let memory = number_after("/proc/self/status", "VmRSS:");
    let mut store = open(&path);
    let begin = Instant::now();
    let recovered = store.recover().expect("nothing is damaged");
    let (elapsed, processor) = (begin.elapsed(), writer_cpu());
    let memory = number_after("/proc/self/status", "VmRSS:") - memory;
    assert_eq!(recovered.runs.len() as u64, if kind.ended { 0 } else { runs });
    assert_eq!(recovered.quarantined, []);
    println!(
        "{title:<28}{:>10.0}{:>15.0}{:>15.1}{:>12.3}{:>13.3}{:>14.0}",
        stored / runs as f64,
        written / runs as f64,
        writer * 1e6 / runs as f64,
        elapsed.as_secs_f64(),
        processor,
        memory * 1024.0 / runs as f64,
    );
}

fn open(path: &Path) -> SqliteStore {
    let options = Options { synchronous: Synchronous::Normal, ..Options::default() };
    SqliteStore::open(path, options, || ()).expect("the file is ours")
}

/// Passes all runs through, some at once; each round is a commit in which each of these takes one step. Gives the
/// writer's processor time in seconds.
fn write(path: &Path, kind: Kind, runs: u64) -> f64 {
    let mut store = open(path);
    let mut number = BatchNo(0);
    let definition = DefinitionRecord {
        id: DEFINITION,
        name: "order_fulfilment".into(),
        format: SourceFormat::Conductor,
        files: Vec::new(),
    };
    let mut first = vec![Change::Definition(Box::new(definition))];
    for group in (1..=runs).collect::<Vec<_>>().chunks(AT_ONCE as usize) {
        for phase in 0..=3 * STEPS {
            number = number.next();
            let mut changes = std::mem::take(&mut first);
            changes.extend(group.iter().flat_map(|&run| step(kind, run, phase)));
            store.submit(Commit { number, changes: changes.into() });
            let mut done = Vec::new();
            store.wait();
            store.completions(&mut done);
            assert!(matches!(done[..], [Completion::Durable(_)]), "{done:?}");
        }
    }
    writer_cpu()
}

/// The changes of one run: it starts, its tasks are ready, handed out and done in turn, it ends.
fn step(kind: Kind, run: u64, phase: u32) -> Vec<Change> {
    let (seq, part) = (phase / 3 + 1, phase % 3);
    let now = time(run, phase);
    let mut changes = Vec::new();
    match part {
        0 if phase == 0 => changes.push(Change::Run(Box::new(run_row(kind, run, false)))),
        0 if seq > STEPS => {
            if kind.ended {
                changes.push(Change::Run(Box::new(run_row(kind, run, true))));
            }
            return changes;
        }
        2 if seq == STEPS && !kind.ended => return changes,
        _ => {}
    }
    let mut task = ready(kind, run, seq);
    if part > 0 {
        task.state = TaskState::Running {
            token: FencingToken(FencingToken::first_of(1).0 + run * 5 + u64::from(seq)),
            deadline: Timestamp::MAX,
            lease: Timestamp::MAX,
        };
        task.attempt = 1;
        task.started = Some(time(run, 3 * seq - 2));
    }
    if part == 2 {
        task.state = TaskState::Ended(TaskOutcome::Succeeded);
        task.ended = Some(now);
        task.output = Some(Payload::parse(&format!(r#"{{"result":{}}}"#, run * 1_000)).expect("a literal"));
    }
    if let Some(served) = &mut task.served {
        served.updated = now;
        served.polls = u32::from(part > 0);
        served.worker = (part > 0).then(|| format!("worker-{:02}@host-3", run % 16).into());
    }
    changes.push(Change::Task(Box::new(task)));
    changes
}

fn time(run: u64, phase: u32) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + run * 1_237 + u64::from(phase) * 30_111)
}

fn run_row(kind: Kind, run: u64, ended: bool) -> RunRecord {
    let correlation = kind.correlated.then(|| format!("{:08x}-4b1d-4c3a-9a51-{:012x}", run * 2_654_435, run));
    let server = ServerOptions { correlation, creator: "anonymous".into(), ..ServerOptions::default() };
    RunRecord {
        id: RunId::new(0, run, run.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        definition: DEFINITION,
        flow: String::new(),
        name: "order_fulfilment".into(),
        parent: None,
        state: if ended { RunState::Ended(RunOutcome::Succeeded) } else { RunState::Running },
        generation: 0,
        input: Payload::parse(&format!(r#"{{"order":{}}}"#, run * 1_000)).expect("a literal"),
        variables: Payload::Null,
        output: ended.then(|| Payload::parse(&format!(r#"{{"result":{run}}}"#)).expect("a literal")),
        error: None,
        options: RunOptions { server: kind.served.then(|| Arc::new(server)), ..RunOptions::default() },
        created: time(run, 0),
        begun: time(run, 0),
        ended: ended.then(|| time(run, 3 * STEPS)),
        failure_run: None,
    }
}

fn ready(kind: Kind, run: u64, seq: u32) -> TaskRecord {
    let name: Arc<str> = format!("reserve_stock_{seq}").into();
    let served = Served {
        input: Payload::parse(&format!(r#"{{"order":{}}}"#, run * 1_000)).expect("a literal"),
        first_ready: time(run, 3 * seq - 3),
        ..Served::default()
    };
    TaskRecord {
        run: RunId::new(0, run, run.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        seq: TaskSeq(seq),
        node: name.clone(),
        scope: None,
        path: name,
        state: TaskState::Ready,
        generation: 0,
        attempt: 0,
        losses: 0,
        ready: time(run, 3 * seq - 3),
        started: None,
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
        served: kind.served.then(|| Box::new(served)),
    }
}

/// Processor time of the writer's thread in seconds: other work on the machine does not change it much.
fn writer_cpu() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let writer = threads.flatten().find(|thread| read(&thread.path().join("comm")).trim() == "store");
    let times = read(&writer.expect("the store is open").path().join("schedstat"));
    times.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).map_or(0.0, |nanos: f64| nanos / 1e9)
}

fn number_after(path: &str, word: &str) -> f64 {
    let text = std::fs::read_to_string(path).expect("Linux");
    let line = text.lines().find(|line| line.starts_with(word)).expect("Linux");
    let number = line.trim_start_matches(word).split_whitespace().next();
    number.and_then(|number| number.parse().ok()).expect("a number")
}
