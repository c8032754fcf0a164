//! Searches at size: a million runs of five tasks each, written through the store; then every condition alone and with
//! every other one, pages of 100, while a writer makes 1,000 steps a second.
//!
//! `cargo bench -p partitur-store --bench search`; arguments are the number of runs and of rounds. `PARTITUR_BENCH_DIR`
//! says on which disk; with `PARTITUR_BENCH_KEEP` the file is made once and kept there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partitur_model::change::{BatchNo, Change};
use partitur_model::definition::Label;
use partitur_model::record::{
    Called, Idempotency, Parent, RunOptions, RunOutcome, RunRecord, RunState, Served, ServerOptions,
    TaskError, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, TaskSeq, Timestamp};
use partitur_store::{
    Clause, Column, Commit, Completion, Options, Reader, Search, SearchedTask, SqliteStore, Store,
    StoreError, TaskSearch, Test,
};

const STEPS: u32 = 5;
const FLOWS: u64 = 20;
/// The first run; the last one is thirty days later.
const START: u64 = 1_790_000_000_000_000;
const SPAN: u64 = 30 * 24 * 3_600_000_000;
const DEFINITION: DefinitionId = DefinitionId(7);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (runs, rounds) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(5));
    let parent =
        std::env::var("PARTITUR_BENCH_DIR").unwrap_or_else(|_| std::env::temp_dir().display().to_string());
    let dir = tempfile::tempdir_in(&parent).expect("the directory can be written");
    let kept = std::env::var_os("PARTITUR_BENCH_KEEP").is_some();
    let path = if kept { PathBuf::from(parent).join("search.db") } else { dir.path().join("partitur.db") };
    if !path.exists() {
        write(&path, runs);
    }
    println!("{runs} runs of {STEPS} tasks, {} MB", path.metadata().map_or(0, |file| file.len()) >> 20);
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (path, stop) = (path.clone(), stop.clone());
        std::thread::spawn(move || steps(&path, runs, &stop))
    };
    let reader = Reader::open(&path).expect("the file is ours");
    measure(&reader, "runs", &of_runs(runs), rounds, |reader, search| {
        reader.search(&search.runs).map(|found| (found.total, found.runs.len()))
    });
    measure(&reader, "tasks", &of_tasks(runs), rounds, |reader, wanted| {
        let called = |label: &Label, node: &str| {
            wanted.kind.as_ref().is_none_or(|kind| label.task_type == *kind)
                && wanted.node.as_ref().is_none_or(|wanted| node.is_empty() || node == wanted)
        };
        let fits = |_: &Label, task: &SearchedTask| {
            wanted
                .state
                .is_none_or(|state| task.state == state || !state.is_ended() && !task.state.is_ended())
                && wanted.node.as_ref().is_none_or(|node| task.node == *node)
                && (wanted.tasks.times == (Timestamp::ZERO..=Timestamp::MAX)
                    || task.ended.is_some_and(|ended| wanted.tasks.times.contains(&ended)))
        };
        let found = reader.search_tasks(&wanted.tasks, called, fits)?;
        // A page is read as a client gets it: each run with all of its tasks.
        let mut last = None;
        for &(run, _) in &found.tasks {
            if last.replace(run) != Some(run) {
                reader.run(run)?;
                reader.tasks(run)?;
            }
        }
        Ok((found.total, found.tasks.len()))
    });
    stop.store(true, Ordering::Relaxed);
    let (made, slowest) = load.join().expect("the writer goes on to the end");
    println!("steps made meanwhile: {made} in all, slowest commit {slowest:.1?}");
}

/// Adds a condition, another one for each number.
type Add = dyn Fn(&mut Wanted, u64);

/// A condition on one field.
#[derive(Clone)]
struct Part {
    name: &'static str,
    add: Arc<Add>,
}

#[derive(Clone, Default)]
struct Wanted {
    runs: Search,
    tasks: TaskSearch,
    kind: Option<String>,
    node: Option<String>,
    state: Option<TaskState>,
}

fn part(name: &'static str, add: impl Fn(&mut Wanted, u64) + 'static) -> Part {
    Part { name, add: Arc::new(add) }
}

fn also(column: Column, test: Test) -> Clause {
    Clause { column, test }
}

fn like(text: String) -> Test {
    Test::Like(vec![text])
}

fn of_runs(runs: u64) -> Vec<Part> {
    vec![
        part("workflowType", |it, dice| it.runs.names = vec![flow(dice)]),
        part("status", |it, dice| it.runs.states = vec![state_of(dice)]),
        part("startTime 1 h", |it, dice| it.runs.created = span(dice, 3_600_000_000)),
        part("startTime 10 d", |it, dice| it.runs.created = span(dice, 10 * 24 * 3_600_000_000)),
        part("endTime 1 h", |it, dice| it.runs.ended = Some(span(dice >> 3, 3_600_000_000))),
        part("endTime >", |it, dice| it.runs.ended = Some(*span(dice >> 3, 1).start()..=Timestamp::MAX)),
        part("updateTime 1 h", |it, dice| {
            let span = span(dice >> 5, 3_600_000_000);
            let test = Test::Between(span.start().micros() as i64, span.end().micros() as i64);
            it.runs.also.push(also(Column::Updated, test));
        }),
        part("correlationId", move |it, dice| {
            it.runs.also.push(also(Column::Correlation, Test::In(vec![correlation(1 + dice % runs)])));
        }),
        part("correlationId a*", move |it, dice| {
            let start = correlation(1 + dice % runs)[..4].to_owned();
            it.runs.also.push(also(Column::Correlation, like(format!("{start}*"))));
        }),
        part("workflowId", move |it, dice| it.runs.ids = vec![run_id(1 + dice % runs)]),
        part("parentWorkflowId", move |it, dice| it.runs.parent = Some(run_id(1 + dice % runs / 10 * 10))),
        part("version", |it, dice| {
            it.runs.also.push(also(Column::Version, Test::In(vec![(1 + dice % 3).to_string()])));
        }),
        part("priority", |it, dice| {
            it.runs.also.push(also(Column::Priority, Test::In(vec![(dice % 10).to_string()])));
        }),
        part("createdBy", |it, dice| {
            it.runs.also.push(also(Column::Creator, Test::In(vec![format!("user-{}", dice % 10)])));
        }),
        part("idempotencyKey", move |it, dice| {
            it.runs
                .also
                .push(also(Column::IdempotencyKey, Test::In(vec![format!("key-{}", dice % runs / 20 * 20)])));
        }),
        part("reason", |it, dice| {
            it.runs.also.push(also(Column::Reason, like(format!("*pump {}*", dice % 1_000))));
        }),
        part("freeText", move |it, dice| {
            let texts = [correlation(1 + dice % runs), format!("pump {}", dice % 1_000), flow(dice)];
            it.runs.text = Some(texts[(dice >> 7) as usize % 3].clone());
        }),
    ]
}

fn of_tasks(runs: u64) -> Vec<Part> {
    vec![
        part("taskType", |it, dice| it.kind = Some(kind(dice % FLOWS, 1 + (dice >> 9) as u32 % STEPS))),
        part("taskReferenceName", |it, dice| it.node = Some(format!("step_{}", 1 + dice % 5))),
        part("status", |it, dice| {
            let states = [
                TaskState::Ended(TaskOutcome::Succeeded),
                TaskState::Ended(TaskOutcome::Failed),
                TaskState::Ready,
            ];
            let state = states[(dice >> 4) as usize % 3];
            it.state = Some(state);
            it.tasks.troubled = state == states[1];
            it.tasks.open = state == states[2];
        }),
        part("endTime 1 h", |it, dice| it.tasks.times = span(dice >> 3, 3_600_000_000)),
        part("endTime >", |it, dice| it.tasks.times = *span(dice >> 3, 1).start()..=Timestamp::MAX),
        part("workflowType", |it, dice| it.tasks.runs.names = vec![flow(dice >> 2)]),
        part("workflowId", move |it, dice| it.tasks.runs.ids = vec![run_id(1 + dice % runs)]),
        part("correlationId", move |it, dice| {
            it.tasks.runs.also.push(also(Column::Correlation, Test::In(vec![correlation(1 + dice % runs)])));
        }),
    ]
}

/// Each part alone, and each with each other one; how long the searches took.
fn measure(
    reader: &Reader,
    title: &str,
    parts: &[Part],
    rounds: u64,
    search: impl Fn(&Reader, &Wanted) -> Result<(usize, usize), StoreError>,
) {
    let (mut all, mut slow) = (Vec::new(), Vec::new());
    println!("{title:<34}{:>10}{:>10}{:>10}{:>10}", "p50 ms", "max ms", "total", "page");
    for first in 0..parts.len() {
        for second in first..parts.len() {
            let (mut times, mut seen) = (Vec::new(), (0, 0));
            for round in 0..rounds {
                let dice = dice(first as u64 * 1_000 + second as u64 * 10 + round * 100_003);
                let mut wanted = Wanted::default();
                wanted.runs.served = true;
                for part in [first, second].into_iter().take(1 + usize::from(first != second)) {
                    (parts[part].add)(&mut wanted, dice);
                }
                wanted.runs.patience = Duration::from_secs(2);
                wanted.tasks.runs.patience = Duration::from_secs(2);
                let begin = Instant::now();
                match search(reader, &wanted) {
                    Ok(found) => seen = found,
                    Err(StoreError::TooWide) => seen = (usize::MAX, 0),
                    Err(error) => panic!("{error}"),
                }
                times.push(begin.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            let name = if first == second {
                parts[first].name.to_owned()
            } else {
                format!("{} + {}", parts[first].name, parts[second].name)
            };
            let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
            if first == second {
                println!("{name:<34}{middle:>10.1}{most:>10.1}{:>10}{:>10}", seen.0, seen.1);
            }
            slow.push((most, name));
            all.extend(times);
        }
    }
    all.sort_by(f64::total_cmp);
    slow.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!(
        "{} searches: p50 {:.1} ms, p90 {:.1}, p99 {:.1}, max {:.1}",
        all.len(),
        all[all.len() / 2],
        all[all.len() * 9 / 10],
        all[all.len() * 99 / 100],
        all[all.len() - 1]
    );
    for (most, name) in slow.iter().take(8) {
        println!("    slowest: {name:<50} {most:.0} ms");
    }
}

fn dice(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Some workflows run more than others.
fn flow(dice: u64) -> String {
    format!("flow-{:02}", (dice % FLOWS).min((dice >> 20) % FLOWS))
}

fn kind(flow: u64, seq: u32) -> String {
    if seq == 3 { "HTTP".to_owned() } else { format!("work-{flow}-{seq}") }
}

fn state_of(dice: u64) -> RunState {
    match (dice >> 30) % 100 {
        0..2 => RunState::Running,
        2..10 => RunState::Ended(RunOutcome::Failed),
        10..13 => RunState::Ended(RunOutcome::Cancelled),
        13..15 => RunState::Ended(RunOutcome::TimedOut),
        _ => RunState::Ended(RunOutcome::Succeeded),
    }
}

fn correlation(run: u64) -> String {
    let dice = dice(run ^ 0xc0ffee);
    format!("{:08x}-4b1d-4c3a-9a51-{:012x}", dice as u32, dice >> 16)
}

fn span(dice: u64, length: u64) -> std::ops::RangeInclusive<Timestamp> {
    let from = START + dice % SPAN;
    Timestamp::from_micros(from)..=Timestamp::from_micros(from + length)
}

fn run_id(run: u64) -> RunId {
    RunId::new(0, run, run.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn open(path: &Path) -> SqliteStore {
    let options = Options { at_once_max: 16, ..Options::default() };
    SqliteStore::open(path, options, || ()).expect("the file is ours")
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

fn write(path: &Path, runs: u64) {
    let begin = Instant::now();
    let mut store = open(path);
    for (number, group) in (1..=runs).collect::<Vec<_>>().chunks(500).enumerate() {
        let labels = labels();
        let changes = group.iter().flat_map(|&number| {
            let run = run_of(number, runs);
            let tasks: Vec<TaskRecord> =
                (1..=STEPS).filter_map(|seq| task_of(&run, number, seq, &labels)).collect();
            std::iter::once(Change::Run(Box::new(run)))
                .chain(tasks.into_iter().map(|task| Change::Task(Box::new(task))))
        });
        commit(&mut store, number as u64 + 1, changes.collect());
    }
    println!("written in {:.0?}", begin.elapsed());
}

fn labels() -> Vec<Vec<Arc<Label>>> {
    let label = |flow, seq| {
        let kind = kind(flow, seq);
        Arc::new(Label { definition: kind.clone(), task_type: kind, optional: false })
    };
    (0..FLOWS).map(|flow| (1..=STEPS).map(|seq| label(flow, seq)).collect()).collect()
}

fn run_of(number: u64, runs: u64) -> RunRecord {
    let dice = dice(number);
    let created = Timestamp::from_micros(START + SPAN / runs.max(1) * number);
    let state = state_of(dice);
    let takes = if dice.is_multiple_of(200) { 20_000_000_000 } else { 2_000_000 + dice % 60_000_000 };
    let server = ServerOptions {
        version: 1 + (dice >> 40) as u32 % 3,
        correlation: (dice >> 3).is_multiple_of(2).then(|| correlation(number)),
        priority: if (dice >> 44).is_multiple_of(50) { 1 + (dice >> 50) as u8 % 9 } else { 0 },
        creator: format!("user-{}", (dice >> 13) % 10),
        idempotency: number.is_multiple_of(20).then(|| (format!("key-{number}"), Idempotency::Fail)),
        ..ServerOptions::default()
    };
    let parent = (number > 10 && (dice >> 8).is_multiple_of(10)).then(|| Parent {
        run: run_id(number / 10 * 10),
        task: TaskSeq(1),
        generation: 1,
    });
    let failed = matches!(state, RunState::Ended(outcome) if outcome != RunOutcome::Succeeded);
    RunRecord {
        id: run_id(number),
        definition: DEFINITION,
        flow: String::new(),
        name: flow(dice),
        parent,
        state,
        generation: 0,
        input: Payload::parse(&format!(r#"{{"order":{}}}"#, number * 1_000)).expect("a literal"),
        variables: Payload::Null,
        output: state
            .is_ended()
            .then(|| Payload::parse(&format!(r#"{{"result":{number}}}"#)).expect("a literal")),
        error: failed.then(|| {
            TaskError::new("exit-1", format!("pump {} stands still in hall {}", dice % 1_000, dice % 77))
        }),
        options: RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() },
        created,
        begun: created,
        ended: state.is_ended().then(|| created + Duration::from_micros(takes)),
        failure_run: None,
    }
}

/// The last task of a run that has not ended is ready, that of a run that failed has failed.
fn task_of(run: &RunRecord, number: u64, seq: u32, labels: &[Vec<Arc<Label>>]) -> Option<TaskRecord> {
    let flow: u64 = run.name[5..].parse().expect("they are numbered");
    let last = 1 + (dice(number) >> 17) as u32 % STEPS;
    let state = match run.state {
        RunState::Ended(RunOutcome::Succeeded) => TaskState::Ended(TaskOutcome::Succeeded),
        _ if seq > last => return None,
        _ if seq < last => TaskState::Ended(TaskOutcome::Succeeded),
        RunState::Ended(RunOutcome::Cancelled) => TaskState::Ended(TaskOutcome::Cancelled),
        RunState::Ended(_) => TaskState::Ended(TaskOutcome::Failed),
        _ => TaskState::Ready,
    };
    let ready = run.created + Duration::from_millis(u64::from(seq) * 300);
    let ended = state.is_ended().then(|| ready + Duration::from_millis(200));
    let node: Arc<str> = format!("step_{seq}").into();
    let served = Served {
        input: Payload::parse(&format!(r#"{{"order":{}}}"#, number * 1_000)).expect("a literal"),
        worker: ended.map(|_| format!("worker-{:02}@host-3", number % 16).into()),
        polls: 1,
        updated: ended.unwrap_or(ready),
        first_ready: ready,
        called: Called(Some(labels[flow as usize][seq as usize - 1].clone())),
        ..Served::default()
    };
    Some(TaskRecord {
        run: run.id,
        seq: TaskSeq(seq),
        node: node.clone(),
        scope: None,
        path: node,
        state,
        generation: 1,
        attempt: 1,
        losses: 0,
        ready,
        started: ended.map(|_| ready + Duration::from_millis(5)),
        ended,
        output: ended.map(|_| Payload::parse(&format!(r#"{{"result":{number}}}"#)).expect("a literal")),
        error: matches!(state, TaskState::Ended(TaskOutcome::Failed))
            .then(|| TaskError::new("exit-1", "pump")),
        items: None,
        iteration: 0,
        child: None,
        undo: UndoState::None,
        cached: false,
        log: None,
        usage: Usage::default(),
        served: Some(Box::new(served)),
    })
}

/// A thousand steps a second, in commits of ten: runs of five tasks that are ready, handed out and done.
fn steps(path: &Path, runs: u64, stop: &AtomicBool) -> (u64, Duration) {
    let mut store = open(path);
    let labels = labels();
    let (mut made, mut number, mut slowest) = (0, 0, Duration::ZERO);
    let begin = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let wave = made / 50;
        for seq in 1..=STEPS {
            let mut changes = Vec::new();
            for lane in 0..10 {
                let run =
                    RunRecord { id: run_id(runs + 1_000 + wave * 10 + lane), ..run_of(runs + lane, runs) };
                let Some(task) = task_of(
                    &RunRecord { state: RunState::Ended(RunOutcome::Succeeded), ..run.clone() },
                    runs + lane,
                    seq,
                    &labels,
                ) else {
                    continue;
                };
                let running = TaskState::Running {
                    token: FencingToken(9),
                    deadline: Timestamp::MAX,
                    lease: Timestamp::MAX,
                };
                changes.push(vec![Change::Task(Box::new(TaskRecord {
                    state: TaskState::Ready,
                    ended: None,
                    started: None,
                    ..task.clone()
                }))]);
                changes.push(vec![Change::Task(Box::new(TaskRecord {
                    state: running,
                    ended: None,
                    ..task.clone()
                }))]);
                changes.push(vec![Change::Task(Box::new(task))]);
                if seq == 1 || seq == STEPS {
                    changes.push(vec![Change::Run(Box::new(run))]);
                }
            }
            for part in 0..3 {
                number += 1;
                let batch = changes.iter().skip(part).step_by(3).flatten().cloned().collect();
                let start = Instant::now();
                commit(&mut store, number, batch);
                slowest = slowest.max(start.elapsed());
            }
            made += 10;
            let due = begin + Duration::from_millis(made);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    (made, slowest)
}
