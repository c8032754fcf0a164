//! How soon room is given back: 90 % of the runs of a database of about a gigabyte are removed while others make a
//! thousand steps a second.
//!
//! `cargo bench -p partitur-store --bench retention`; an argument is the number of runs, each of 10 kB.
//! `PARTITUR_BENCH_DIR` says on which disk.

use std::path::Path;
use std::time::{Duration, Instant};

use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{
    RunOptions, RunOutcome, RunRecord, RunState, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq, Timestamp};
use partitur_store::{Commit, Completion, Options, Reader, SqliteStore, Store};

/// Runs that are removed in one step.
const STEP: usize = 32;

/// Payload of a run, in bytes.
const PAYLOAD: usize = 10_000;

fn main() {
    let runs = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(95_000);
    let parent =
        std::env::var("PARTITUR_BENCH_DIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    let dir = tempfile::tempdir_in(parent).expect("the directory can be written");
    let path = dir.path().join("partitur.db");
    let mut store = SqliteStore::open(&path, Options { at_once_max: 16, ..Options::default() }, || ())
        .expect("the file is ours");
    let mut number = 0;
    for group in (1..=runs).collect::<Vec<u64>>().chunks(200) {
        number += 1;
        let changes = group.iter().flat_map(|&run| {
            [Change::Run(Box::new(run_row(run))), Change::Task(Box::new(task_row(run, 1, PAYLOAD)))]
        });
        commit(&mut store, number, changes.collect());
    }
    let before = size(&path);
    println!("{runs} runs, {} MB", before >> 20);

    let begin = Instant::now();
    // Nine of ten go, from all over the file.
    let mut going = (1..=runs).filter(|run| run % 10 != 0).collect::<Vec<u64>>();
    going.reverse();
    let (mut commits, mut made, mut below) = (Vec::new(), 0_u64, None);
    while below.is_none() && begin.elapsed() < Duration::from_secs(120) {
        // Ten tasks begin or end in each commit; a hundred commits a second.
        let mut changes: Vec<Change> = (0..10)
            .map(|at| Change::Task(Box::new(task_row(runs + 1 + at, 1 + (made / 10) as u32, 20))))
            .collect();
        for _ in 0..STEP.min(going.len()) {
            let run = going.pop().expect("it was just counted");
            changes.push(Change::RemoveRun(run_id(run)));
        }
        number += 1;
        let start = Instant::now();
        commit(&mut store, number, changes);
        commits.push(start.elapsed());
        made += 10;
        if going.is_empty() && size(&path) * 4 < before {
            below = Some(begin.elapsed());
        }
        let due = begin + Duration::from_millis(made);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    commits.sort_unstable();
    let at = |part: usize| commits[commits.len() * part / 1_000];
    println!("below a quarter after {below:.1?}; {} MB are left", size(&path) >> 20);
    println!(
        "{} commits: p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, slowest {:.1?}",
        commits.len(),
        at(500),
        at(990),
        at(999),
        commits[commits.len() - 1]
    );
    println!("{:?}", Reader::open(&path).and_then(|reader| reader.room()));
}

/// The database and its log.
fn size(path: &Path) -> u64 {
    let log = path.with_extension("db-wal");
    [path, &log].iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum()
}

fn commit(store: &mut SqliteStore, number: u64, changes: Vec<Change>) {
    store.submit(Commit { number: BatchNo(number), changes: changes.into() });
    let mut done = Vec::new();
    while done.is_empty() {
        store.wait();
        store.completions(&mut done);
    }
    assert!(matches!(done[..], [Completion::Durable(_)]), "{done:?}");
}

fn run_id(run: u64) -> RunId {
    RunId::new(0, run, run.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn run_row(run: u64) -> RunRecord {
    let created = Timestamp::from_micros(1_790_000_000_000_000 + run);
    RunRecord {
        id: run_id(run),
        definition: DefinitionId(7),
        flow: String::new(),
        name: "order".into(),
        parent: None,
        state: RunState::Ended(RunOutcome::Succeeded),
        generation: 0,
        input: Payload::Null,
        variables: Payload::Null,
        output: None,
        error: None,
        options: RunOptions::default(),
        created,
        begun: created,
        ended: Some(created),
        failure_run: None,
    }
}

/// Its output cannot be compressed to nothing.
fn task_row(run: u64, seq: u32, bytes: usize) -> TaskRecord {
    let mut state = run | 1;
    let mut text = String::with_capacity(bytes + 20);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(char::from(33 + (state >> 40) as u8 % 90));
        text.push(char::from(33 + (state >> 52) as u8 % 90));
    }
    let at = Timestamp::from_micros(1_790_000_000_000_000 + run);
    TaskRecord {
        run: run_id(run),
        seq: TaskSeq(seq),
        node: "work".into(),
        scope: None,
        path: "work".into(),
        state: TaskState::Ended(TaskOutcome::Succeeded),
        generation: 1,
        attempt: 1,
        losses: 0,
        ready: at,
        started: Some(at),
        ended: Some(at),
        output: Some(Payload::string(&text)),
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
