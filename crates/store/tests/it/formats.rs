//! Files that older binaries have written.

use std::path::PathBuf;
use std::sync::Arc;

use partitur_model::catalogue::EntryKind;
use partitur_model::change::Change;
use partitur_model::definition::{Label, OnFailure};
use partitur_model::record::*;
use partitur_model::{FencingToken, Payload, TaskSeq, Timestamp};
use partitur_store::{Reader, Search, StateDir, Store, StoreError, StoredRun, TaskSearch};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::*;

fn file_of_format_1() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("format_1.sql")).unwrap();
    (dir, path)
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

fn old_run(number: u64) -> RunRecord {
    RunRecord {
        generation: 1,
        input: Payload::parse(r#"{"month":"2026-10"}"#).unwrap(),
        created: at(0),
        begun: at(1),
        ..run(number)
    }
}

fn old_task(seq: u32, name: &str) -> TaskRecord {
    let name: Arc<str> = name.into();
    TaskRecord {
        node: name.clone(),
        path: name,
        generation: 1,
        ready: at(10 * u64::from(seq)),
        ..task(1, seq)
    }
}

/// The run in flight, with a task of each kind of time.
fn in_flight() -> StoredRun {
    let options = RunOptions {
        on_failure: Some(OnFailure::Rollback),
        concurrency: Some(4),
        targets: vec!["report".into()],
        dedup_key: Some("nightly".into()),
        labels: vec![("user".into(), "ada".into())],
        callbacks: Vec::new(),
        server: None,
    };
    let ended = TaskRecord {
        state: TaskState::Ended(TaskOutcome::Succeeded),
        attempt: 1,
        started: Some(at(12)),
        ended: Some(at(5_012)),
        output: Some(Payload::string(&"twelve hundred bytes, and more ".repeat(60))),
        log: Some(LogSpan { from: 7, to: 900 }),
        usage: Usage { cpu_micros: 1_500, rss_max: 4_194_304 },
        ..old_task(1, "orders")
    };
    let running = TaskRecord {
        state: TaskState::Running {
            token: FencingToken::first_of(1),
            deadline: Timestamp::MAX,
            lease: at(60_000),
        },
        attempt: 2,
        started: Some(at(25)),
        error: Some(TaskError::new("exit-75", "try again")),
        ..old_task(2, "invoices")
    };
    let cancelled = TaskRecord {
        state: TaskState::Ended(TaskOutcome::Cancelled),
        ended: Some(at(40)),
        ..old_task(3, "report")
    };
    let waiting = TaskRecord {
        state: TaskState::Waiting { until: Timestamp::MAX },
        path: "loop#2/approval".into(),
        scope: Some(ScopeRef { container: TaskSeq(1), index: 2 }),
        ..old_task(4, "approval")
    };
    StoredRun { run: RunRecord { options, ..old_run(1) }, tasks: vec![ended, running, cancelled, waiting] }
}

fn failed() -> RunRecord {
    RunRecord {
        state: RunState::Ended(RunOutcome::Failed),
        ended: Some(at(9_000)),
        error: Some(TaskError::terminal("task-failed", "orders failed")),
        variables: Payload::parse(r#"{"rows":5}"#).unwrap(),
        output: Some(Payload::Null),
        ..old_run(2)
    }
}

fn sub_run() -> RunRecord {
    let parent = Some(Parent { run: run_id(1), task: TaskSeq(4), generation: 1 });
    RunRecord { parent, flow: "inner".into(), ..old_run(3) }
}

#[test]
fn runs_in_flight_of_the_first_format_are_carried_on() {
    let (_dir, path) = file_of_format_1();
    let mut store = sqlite(&path);
    let recovered = store.recover().unwrap();
    assert_eq!(recovered.runs, [in_flight(), StoredRun { run: sub_run(), tasks: Vec::new() }]);
    assert_eq!(recovered.definitions, [definition()]);
    assert_eq!(recovered.node, NodeRecord { epoch: 1, last_run: 3, time: at(9_000) });
    assert_eq!(recovered.breakers.len(), 1);
    assert_eq!(recovered.submitted.len(), 1);
    assert_eq!(recovered.quarantined, []);
    assert_eq!(store.load_run(run_id(2)).unwrap().unwrap().run, failed());

    let mut next = in_flight().tasks[1].clone();
    next.state = TaskState::Ended(TaskOutcome::Succeeded);
    next.ended = Some(at(77));
    commit(
        &mut store,
        1,
        vec![
            add_task(next.clone()),
            add_entry(entry(EntryKind::Task, "mail", 0, "{}")),
            Change::Log(run_id(1), TaskSeq(2), vec![line("done")]),
        ],
    );
    drop(store);
    assert_eq!(sqlite(&path).recover().unwrap().runs[0].tasks[1], next);
    assert_eq!(Reader::open(&path).unwrap().catalogue().unwrap().entries.len(), 1);
}

#[test]
fn who_only_reads_brings_an_old_file_up_to_date_unless_its_binary_is_at_work() {
    let (dir, path) = file_of_format_1();
    let host = StateDir::open(dir.path()).unwrap().try_host().unwrap();
    assert_eq!(Reader::open(&path).err(), Some(StoreError::Busy));
    drop(host);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.run(run_id(2)).unwrap(), Some(failed()));
    assert_eq!(reader.tasks(run_id(1)).unwrap(), in_flight().tasks);
    let durations = reader.durations("month-end").unwrap();
    assert_eq!(durations.len(), 0, "its only ended run has no tasks");
}

#[test]
fn a_damaged_time_in_an_old_file_keeps_nothing_else_from_being_carried_on() {
    let (_dir, path) = file_of_format_1();
    let damage = "UPDATE tasks SET started = -9223372036854775808 WHERE seq = 1;
                  UPDATE tasks SET ended = 9223372036854775807, ready = -9 WHERE seq = 3;";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    let recovered = sqlite(&path).recover().unwrap();
    assert_eq!(recovered.runs.len(), 2);
    assert_eq!(recovered.runs[0].tasks[1], in_flight().tasks[1]);
}

fn file_of_format_2() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    Connection::open(&path).unwrap().execute_batch(include_str!("format_2.sql")).unwrap();
    (dir, path)
}

#[test]
fn runs_of_the_second_format_are_carried_on_and_found() {
    let (_dir, path) = file_of_format_2();
    let mut store = sqlite(&path);
    let recovered = store.recover().unwrap();
    assert_eq!(recovered.quarantined, []);
    assert_eq!(recovered.runs.iter().map(|stored| stored.run.id.number()).collect::<Vec<_>>(), [1, 3, 4]);
    let tasks = &recovered.runs[2].tasks;
    assert_eq!(tasks[0].state, TaskState::Ended(TaskOutcome::Succeeded));
    let reader = Reader::open(&path).unwrap();
    let correlated = Search { correlations: vec!["order-7".into()], served: true, ..Search::default() };
    assert_eq!(reader.search(&correlated).unwrap().total, 1);
    assert_eq!(reader.search(&Search { names: vec!["order".into()], ..Search::default() }).unwrap().total, 1);

    // Nobody knows what its tasks are called until somebody says so.
    let all = |reader: &Reader| {
        let found = reader.search_tasks(&TaskSearch::default(), |_, _| true, |_, _| true).unwrap();
        found.tasks.iter().map(|(run, seq)| (run.number(), seq.0)).collect::<Vec<_>>()
    };
    assert_eq!(all(&reader), []);
    let run = tasks[0].run;
    assert_eq!(reader.unlabelled(10).unwrap(), [run]);
    let label = Label { task_type: "pay".into(), definition: "pay".into(), optional: false };
    store.label(run, vec![(TaskSeq(1), Some(label)), (TaskSeq(2), None)]).unwrap();
    assert_eq!(all(&reader), [(4, 1)]);
    assert_eq!(reader.unlabelled(10).unwrap(), []);
    assert_eq!(store.recover().unwrap(), recovered);
}
