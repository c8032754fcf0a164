//! Small records, and waiting for completions.

use std::sync::Arc;

use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::change::{BatchNo, Change};
use partitur_model::record::{
    DefinitionRecord, RunOptions, RunOutcome, RunRecord, RunState, SourceFile, SourceFormat, TaskOutcome,
    TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{DefinitionId, Payload, RawJson, RunId, TaskSeq, Timestamp};
use partitur_store::{Commit, Completion, Options, SqliteStore, Store};

pub fn run_id(number: u64) -> RunId {
    RunId::new(0, number, 0x1234_5678_9abc ^ number)
}

pub fn definition() -> DefinitionRecord {
    DefinitionRecord {
        id: DefinitionId(7),
        name: "month-end".into(),
        format: SourceFormat::Yaml,
        files: vec![SourceFile { path: "flow.yaml".into(), text: "tasks: {}".into() }],
    }
}

pub fn run(number: u64) -> RunRecord {
    RunRecord {
        id: run_id(number),
        definition: definition().id,
        flow: String::new(),
        name: "month-end".into(),
        parent: None,
        state: RunState::Running,
        generation: 0,
        input: Payload::parse(r#"{"month":"2026-11"}"#).unwrap(),
        variables: Payload::Null,
        output: None,
        error: None,
        options: RunOptions::default(),
        created: Timestamp::from_millis(1_800_000_000_000 + number),
        begun: Timestamp::from_millis(1_800_000_000_000 + number),
        ended: None,
        failure_run: None,
    }
}

pub fn ended_run(number: u64, outcome: RunOutcome) -> RunRecord {
    RunRecord {
        state: RunState::Ended(outcome),
        ended: Some(Timestamp::from_millis(1_800_000_060_000 + number)),
        ..run(number)
    }
}

pub fn task(run: u64, seq: u32) -> TaskRecord {
    let name: Arc<str> = format!("task-{seq}").into();
    TaskRecord {
        run: run_id(run),
        seq: TaskSeq(seq),
        node: name.clone(),
        scope: None,
        path: name,
        state: TaskState::Ready,
        generation: 0,
        attempt: 0,
        losses: 0,
        ready: Timestamp::from_millis(1_800_000_000_000),
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
        served: None,
    }
}

/// A task that succeeded after `millis`.
pub fn succeeded(run: u64, seq: u32, millis: u64) -> TaskRecord {
    let start = Timestamp::from_millis(1_800_000_000_000);
    TaskRecord {
        state: TaskState::Ended(TaskOutcome::Succeeded),
        started: Some(start),
        ended: Some(start + std::time::Duration::from_millis(millis)),
        ..task(run, seq)
    }
}

/// A JSON string of about `length` bytes that does not compress to nothing.
pub fn long_text(seed: u64, length: usize) -> String {
    let mut state = seed | 1;
    let mut text = String::with_capacity(length + 20);
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:x} ", state >> 33));
    }
    text
}

pub fn line(text: &str) -> LogLine {
    LogLine { at: Timestamp::from_millis(1_800_000_000_500), text: text.into() }
}

pub fn entry(kind: EntryKind, name: &str, version: u32, body: &str) -> Entry {
    Entry {
        kind,
        name: name.into(),
        version,
        body: Some(RawJson::parse(body).unwrap()),
        created: Timestamp::from_millis(1_800_000_000_000),
        updated: Timestamp::from_millis(1_800_000_000_001),
    }
}

pub fn add_entry(entry: Entry) -> Change {
    Change::Entry(Box::new(entry))
}

pub fn add_definition() -> Change {
    Change::Definition(Box::new(definition()))
}

pub fn add_run(run: RunRecord) -> Change {
    Change::Run(Box::new(run))
}

pub fn add_task(task: TaskRecord) -> Change {
    Change::Task(Box::new(task))
}

pub fn submit(store: &mut dyn Store, number: u64, changes: Vec<Change>) {
    store.submit(Commit { number: BatchNo(number), changes: changes.into() });
}

/// Waits until `count` batches have completed.
pub fn completions(store: &mut dyn Store, count: usize) -> Vec<Completion> {
    let mut out = Vec::new();
    while out.len() < count {
        store.wait();
        let before = out.len();
        store.completions(&mut out);
        assert!(out.len() > before, "nothing is pending, and {before} of {count} have completed");
    }
    out
}

/// Submits one batch and waits until it is durable.
pub fn commit(store: &mut dyn Store, number: u64, changes: Vec<Change>) {
    submit(store, number, changes);
    assert_eq!(completions(store, 1), [Completion::Durable(BatchNo(number))]);
}

pub fn sqlite(path: &std::path::Path) -> SqliteStore {
    SqliteStore::open(path, Options::default(), || ()).unwrap()
}
