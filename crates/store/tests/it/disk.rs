//! A disk that is full or locked, and a caller that sends too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use partitur_model::Payload;
use partitur_model::change::{BatchNo, Change};
use partitur_store::{
    Completion, DiskFault, MemoryStore, Options, QUEUE_MAX, SqliteStore, Store, StoreError, Synchronous,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::*;

fn failed(number: u64, error: StoreError) -> Completion {
    Completion::Failed(BatchNo(number), error)
}

fn durable(number: u64) -> Completion {
    Completion::Durable(BatchNo(number))
}

#[test]
fn a_full_disk_refuses_whole_batches_and_works_again_when_there_is_room() {
    let dir = TempDir::new().unwrap();
    let options = Options { pages_max: Some(200), ..Options::default() };
    let mut store = SqliteStore::open(dir.path().join("partitur.db"), options, || ()).unwrap();
    commit(&mut store, 1, vec![add_definition(), add_run(run(1)), add_run(run(2))]);
    let big = |seq: u32| {
        let mut task = task(1, seq);
        task.output = Some(Payload::string(&long_text(u64::from(seq), 40_000)));
        add_task(task)
    };
    let mut number = 1;
    let full = loop {
        number += 1;
        submit(&mut store, number, vec![add_task(task(2, number as u32)), big(number as u32)]);
        match completions(&mut store, 1).remove(0) {
            Completion::Durable(_) => {}
            Completion::Failed(_, error) => break error,
        }
    };
    assert_eq!(full, StoreError::Full);
    let tasks = store.load_run(run_id(2)).unwrap().unwrap().tasks;
    assert!(tasks.iter().all(|task| u64::from(task.seq.0) < number), "half a batch is there");
    commit(&mut store, number + 1, vec![Change::RemoveRun(run_id(1)), add_run(run(1))]);
    commit(&mut store, number + 2, vec![big(1)]);
}

#[test]
fn a_locked_database_fails_the_batch_and_those_behind_it_until_the_caller_has_heard() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let options = Options { busy: Duration::from_millis(20), ..Options::default() };
    let mut store = SqliteStore::open(&path, options, || ()).unwrap();
    commit(&mut store, 1, vec![add_definition(), add_run(run(1))]);

    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    submit(&mut store, 2, vec![add_task(task(1, 2))]);
    store.wait();
    other.execute_batch("ROLLBACK").unwrap();
    // The disk is well again, but the caller has not heard: what it sends now assumes that batch 2 is there.
    submit(&mut store, 3, vec![add_task(task(1, 3))]);
    let both = [failed(2, StoreError::Busy), failed(3, StoreError::Behind(BatchNo(2)))];
    assert_eq!(completions(&mut store, 2), both);
    commit(&mut store, 4, vec![add_task(task(1, 2)), add_task(task(1, 3))]);
    assert_eq!(store.load_run(run_id(1)).unwrap().unwrap().tasks.len(), 2);
}

#[test]
fn too_many_batches_are_refused_and_the_others_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let options = Options { busy: Duration::from_secs(60), ..Options::default() };
    let mut store = SqliteStore::open(&path, options, || ()).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for number in 1..=QUEUE_MAX as u64 + 2 {
        submit(&mut store, number, vec![add_task(task(1, number as u32))]);
    }
    other.execute_batch("ROLLBACK").unwrap();
    let all = completions(&mut store, QUEUE_MAX + 2);
    let last = QUEUE_MAX as u64 + 1;
    assert!(all[..QUEUE_MAX].iter().all(|completion| matches!(completion, Completion::Durable(_))));
    assert_eq!(
        all[QUEUE_MAX..],
        [failed(last, StoreError::Overloaded), failed(last + 1, StoreError::Behind(BatchNo(last)))]
    );
    commit(&mut store, last + 2, vec![add_task(task(1, 1))]);
    assert!(store.counts().transactions < 50, "{:?}", store.counts());
}

#[test]
fn the_waker_is_called_for_every_completion() {
    let dir = TempDir::new().unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = woken.clone();
    let waker = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let mut store = SqliteStore::open(dir.path().join("partitur.db"), Options::default(), waker).unwrap();
    for number in 1..=5 {
        commit(&mut store, number, Vec::new());
    }
    drop(store);
    assert_eq!(woken.load(Ordering::SeqCst), 5);
}

#[test]
fn pages_of_removed_runs_go_back_to_the_file_system() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = sqlite(&path);
    for number in 1..=40 {
        let mut big = task(number, 1);
        big.output = Some(Payload::string(&long_text(number, 100_000)));
        commit(&mut store, number, vec![add_definition(), add_run(run(number)), add_task(big)]);
    }
    commit(&mut store, 41, (1..=40).map(|number| Change::RemoveRun(run_id(number))).collect());
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let free = || {
        let conn = Connection::open(&path).unwrap();
        conn.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0)).unwrap()
    };
    while payload_rows(&path) > 0 || free() > 0 {
        assert!(std::time::Instant::now() < deadline, "{} pages are still there", free());
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(store);
    assert!(std::fs::metadata(&path).unwrap().len() < 200_000);
}

fn payload_rows(path: &std::path::Path) -> u32 {
    let conn = Connection::open(path).unwrap();
    conn.query_row("SELECT count(*) FROM payloads", [], |row| row.get(0)).unwrap()
}

#[test]
fn equal_payloads_of_a_run_are_stored_once() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = sqlite(&path);
    let same = Payload::string(&long_text(1, 5_000));
    let mut changes = vec![add_definition()];
    for number in 1..=2 {
        let mut with_input = run(number);
        with_input.input = same.clone();
        changes.push(add_run(with_input));
        for seq in 1..=10 {
            let mut with_output = task(number, seq);
            with_output.output = Some(same.clone());
            changes.push(add_task(with_output));
        }
    }
    commit(&mut store, 1, changes);
    assert_eq!(payload_rows(&path), 2);
    assert_eq!(store.counts().payloads, 2);
}

#[test]
fn payloads_that_no_row_names_any_more_are_swept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let options = Options { synchronous: Synchronous::Normal, ..Options::default() };
    let mut store = SqliteStore::open(&path, options, || ()).unwrap();
    commit(&mut store, 1, vec![add_definition(), add_run(run(1))]);
    for number in 2..2_000 {
        let mut with_output = task(1, 1);
        with_output.output = Some(Payload::string(&long_text(number, 1_500)));
        commit(&mut store, number, vec![add_task(with_output)]);
    }
    assert!(payload_rows(&path) <= 257, "{}", payload_rows(&path));
    commit(&mut store, 2_000, vec![add_run(ended_run(1, partitur_model::record::RunOutcome::Succeeded))]);
    assert_eq!(payload_rows(&path), 1);
}

#[test]
fn a_memory_store_loses_in_a_crash_what_was_not_written() {
    let mut store = MemoryStore::new();
    let test = store.clone();
    test.hold(true);
    submit(&mut store, 1, vec![add_definition(), add_run(run(1))]);
    submit(&mut store, 2, vec![add_task(task(1, 1))]);
    submit(&mut store, 3, vec![add_task(task(1, 2))]);
    assert_eq!((test.write(2), test.report(1)), (2, 1));
    let mut out = Vec::new();
    store.completions(&mut out);
    assert_eq!((out, test.waiting(), test.unreported()), (vec![durable(1)], 1, 1));
    assert_eq!(store.load_run(run_id(1)).unwrap().unwrap().tasks.len(), 2);

    let mut next = test.crash();
    assert_eq!(next.load_run(run_id(1)).unwrap().unwrap().tasks, [task(1, 1)]);
    submit(&mut store, 4, vec![add_task(task(1, 9))]);
    assert_eq!(next.load_run(run_id(1)).unwrap().unwrap().tasks.len(), 1);
    store.wait();
}

#[test]
fn a_memory_stores_disk_fails_as_told_and_comes_back() {
    let mut store = MemoryStore::new();
    let faults = [
        (DiskFault::Full, StoreError::Full),
        (DiskFault::Busy, StoreError::Busy),
        (DiskFault::Io, StoreError::Io("write".into())),
    ];
    for (number, (fault, error)) in (1..).step_by(3).zip(faults) {
        store.set_fault(Some(fault));
        submit(&mut store, number, vec![add_run(run(number))]);
        store.set_fault(None);
        submit(&mut store, number + 1, vec![add_run(run(number))]);
        let both = [failed(number, error), failed(number + 1, StoreError::Behind(BatchNo(number)))];
        assert_eq!(completions(&mut store, 2), both);
        commit(&mut store, number + 2, vec![add_run(run(number))]);
    }
}

#[test]
fn an_unknown_outcome_poisons_a_memory_store_whether_the_batch_was_kept_or_not() {
    for kept in [false, true] {
        let mut store = MemoryStore::new();
        store.set_fault(Some(DiskFault::Unknown { kept }));
        submit(&mut store, 1, vec![add_definition(), add_run(run(1))]);
        store.set_fault(None);
        let first = completions(&mut store, 1);
        submit(&mut store, 2, vec![add_run(run(2))]);
        let poisoned = StoreError::Poisoned("sync".into());
        assert_eq!(first, [failed(1, poisoned.clone())]);
        assert_eq!(completions(&mut store, 1), [failed(2, poisoned)]);
        assert_eq!(store.crash().recover().unwrap().runs.len(), usize::from(kept));
    }
}
