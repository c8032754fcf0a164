//! Rows that somebody or something has damaged, and files that are not ours.

use std::path::PathBuf;
use std::sync::Arc;

use partitur_model::Payload;
use partitur_model::catalogue::EntryKind;
use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{
    BreakerRecord, BreakerState, Idempotency, RunOptions, RunRecord, Served, ServerOptions, TaskError,
    TaskRecord,
};
use partitur_store::{Completion, Options, Reader, RunFilter, SqliteStore, Store, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::*;

struct File {
    _dir: TempDir,
    path: PathBuf,
}

/// Ten open runs, each with two tasks, short and long outputs.
fn file() -> File {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut changes = vec![
        add_definition(),
        Change::Breaker(BreakerRecord { name: "erp".into(), state: BreakerState::Closed { failures: 1 } }),
    ];
    for number in 1..=10 {
        let mut short = succeeded(number, 1, 5);
        short.output = Some(Payload::parse(r#"{"rows":5}"#).unwrap());
        let mut long = succeeded(number, 2, 5);
        long.output = Some(Payload::string(&long_text(number, 9_000)));
        long.error = Some(TaskError::new("exit-1", "it failed before"));
        changes.extend([add_run(run(number)), add_task(short), add_task(long)]);
    }
    commit(&mut sqlite(&path), 1, changes);
    File { _dir: dir, path }
}

fn tamper(file: &File, sql: &str) {
    Connection::open(&file.path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn damaged_rows_are_reported_and_all_other_runs_go_on() {
    let file = file();
    tamper(
        &file,
        "UPDATE tasks SET state = 99 WHERE run = 1 AND seq = 1;
         UPDATE runs SET state = 77 WHERE key = 2;
         UPDATE payloads SET body = x'28b52ffd00' WHERE run = 3;
         DELETE FROM payloads WHERE run = 4;
         UPDATE tasks SET output = '{\"rows\":' WHERE run = 5 AND seq = 1;
         UPDATE tasks SET node = CAST(x'ff' AS TEXT) WHERE run = 6 AND seq = 2;
         UPDATE tasks SET state = 2 WHERE run = 7 AND seq = 2;
         UPDATE runs SET definition = x'00' WHERE key = 8;
         UPDATE payloads SET unpacked = 1 << 40 WHERE run = 9;
         UPDATE breakers SET state = 9;",
    );
    let mut store = sqlite(&file.path);
    let recovered = store.recover().unwrap();
    let well: Vec<u64> = recovered.runs.iter().map(|stored| stored.run.id.number()).collect();
    assert_eq!(well, [10]);
    let report: Vec<String> = recovered
        .quarantined
        .iter()
        .map(|bad| format!("{:>2} {}", bad.run.map_or_else(|| "-".into(), |run| run.to_string()), bad.reason))
        .collect();
    insta::assert_snapshot!(report.join("\n"), @r"
     - breaker erp: state 9 is unknown
     1 task 1: state 99 is unknown
     2 state 77 is unknown
     3 task 2: a payload cannot be unpacked: Src size is incorrect
     4 task 2: a payload is missing
     5 task 1: a payload is no JSON: EOF while parsing a value at line 1 column 8
     6 task 2: a text is not UTF-8
     7 task 2: `token` is needed and absent
     8 Conversion error from type Blob at index: 2, Cannot read 16 byte value out of 1 byte blob
     9 task 2: a payload has an impossible length
    ");
    let error = store.load_run(run_id(1)).unwrap_err();
    assert_eq!(error, StoreError::Damaged("task 1: state 99 is unknown".into()));
    commit(&mut store, 1, vec![add_task(succeeded(10, 3, 1))]);
}

#[test]
fn damaged_rows_of_a_server_are_reported_as_well() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let server = ServerOptions {
        idempotency: Some(("key".into(), Idempotency::Fail)),
        domains: vec![("*".into(), "eu".into())],
        ..ServerOptions::default()
    };
    let options = RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() };
    let mut changes = vec![add_definition()];
    for number in 1..=9 {
        let served = Some(Box::new(Served::default()));
        changes.push(add_run(RunRecord { options: options.clone(), ..run(number) }));
        changes.push(add_task(TaskRecord { served, ..task(number, 1) }));
    }
    commit(&mut sqlite(&path), 1, changes);
    let damage = "UPDATE tasks SET served = 12 WHERE run = 1;
                  UPDATE tasks SET updated = NULL WHERE run = 2;
                  UPDATE tasks SET polls = -1 WHERE run = 3;
                  UPDATE tasks SET worker = CAST(x'ff' AS TEXT) WHERE run = 4;
                  UPDATE runs SET idempotency = 9 WHERE key = 5;
                  UPDATE runs SET version = NULL WHERE key = 6;
                  UPDATE runs SET domains = '[\"*\"]' WHERE key = 7;
                  UPDATE runs SET failure_run = x'00' WHERE key = 8;";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    let recovered = sqlite(&path).recover().unwrap();
    assert_eq!(recovered.runs.len(), 1);
    let report: Vec<&str> = recovered.quarantined.iter().map(|bad| bad.reason.as_str()).collect();
    insta::assert_snapshot!(report.join("\n"), @r"
    task 1: served 12 is unknown
    task 1: `updated` is needed and absent
    task 1: Integer -1 out of range at index 36
    task 1: a text is not UTF-8
    idempotency 9 is unknown
    `version` is needed and absent
    `the second of a pair` is needed and absent
    Conversion error from type Blob at index: 25, Cannot read 16 byte value out of 1 byte blob
    ");
}

#[test]
fn a_list_of_runs_shows_what_can_be_read() {
    let file = file();
    tamper(&file, "UPDATE runs SET state = 77 WHERE key = 2; UPDATE runs SET labels = '[' WHERE key = 3;");
    let page = Reader::open(&file.path).unwrap().runs(&RunFilter::default()).unwrap();
    assert_eq!(page.runs.len(), 8);
    let bad: Vec<_> = page.quarantined.iter().map(|bad| bad.run).collect();
    assert_eq!(bad, [Some(3), Some(2)]);
}

#[test]
fn a_catalogue_shows_what_can_be_read() {
    let file = file();
    let entries = (1..=5).map(|version| add_entry(entry(EntryKind::Workflow, "w", version, "{}"))).collect();
    commit(&mut sqlite(&file.path), 2, entries);
    tamper(
        &file,
        "UPDATE catalogue SET kind = 99 WHERE version = 1;
         UPDATE catalogue SET body = x'7b' WHERE version = 2;
         UPDATE catalogue SET unpacked = 7 WHERE version = 3;
         UPDATE catalogue SET name = CAST(x'ff' AS TEXT) WHERE version = 4;",
    );
    let page = Reader::open(&file.path).unwrap().catalogue().unwrap();
    assert_eq!(page.entries, [entry(EntryKind::Workflow, "w", 5, "{}")]);
    let report: Vec<String> = page.quarantined.into_iter().map(|bad| bad.reason).collect();
    insta::assert_snapshot!(report.join("\n"), @r"
    document 1 of the catalogue: kind 99 is unknown
    document 2 of the catalogue: a payload is no JSON: EOF while parsing an object at line 1 column 1
    document 3 of the catalogue: a payload cannot be unpacked: Src size is incorrect
    document 4 of the catalogue: invalid utf-8 sequence of 1 bytes from index 0 at index 2
    ");
}

#[test]
fn data_of_a_newer_format_is_refused_and_not_touched() {
    let file = file();
    tamper(&file, "PRAGMA user_version = 4");
    let before = std::fs::read(&file.path).unwrap();
    let error = StoreError::NewerFormat { found: 4, known: 3 };
    assert_eq!(open_error(&file.path), error);
    assert_eq!(Reader::open(&file.path).err(), Some(error));
    assert!(std::fs::read(&file.path).unwrap() == before);
}

#[test]
fn files_of_others_are_refused() {
    let dir = TempDir::new().unwrap();
    let (other, text) = (dir.path().join("other.db"), dir.path().join("text"));
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    std::fs::write(&text, "not a database, but longer than the header of one would have to be".repeat(9))
        .unwrap();
    for path in [other, text] {
        assert_eq!(open_error(&path), StoreError::Foreign(path.clone()));
        assert_eq!(Reader::open(&path).err(), Some(StoreError::Foreign(path)));
    }
    let nowhere = dir.path().join("no/such.db");
    assert_eq!(open_error(&nowhere).code(), "P0511");
    assert_eq!(Reader::open(&nowhere).err(), Some(StoreError::Absent(nowhere)));
}

fn open_error(path: &std::path::Path) -> StoreError {
    SqliteStore::open(path, Options::default(), || ()).err().expect("it is refused")
}

#[test]
fn a_file_cut_short_is_an_error_and_no_panic() {
    let file = file();
    let length = std::fs::metadata(&file.path).unwrap().len();
    let cut = std::fs::OpenOptions::new().write(true).open(&file.path).unwrap();
    for part in (1..8).rev() {
        cut.set_len(length * part / 8 / 512 * 512).unwrap();
        let Ok(mut store) = SqliteStore::open(&file.path, Options::default(), || ()) else { continue };
        match store.recover() {
            Ok(recovered) => assert!(recovered.runs.len() < 10),
            Err(error) => assert!(matches!(error.code(), "P0503" | "P0510"), "{error}"),
        }
        submit(&mut store, 1, vec![add_task(task(10, 3))]);
        let [Completion::Durable(BatchNo(1)) | Completion::Failed(BatchNo(1), _)] =
            completions(&mut store, 1)[..]
        else {
            panic!("one completion")
        };
    }
}
