//! What other terminals read while the host writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::change::Change;
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::*;
use partitur_model::{RawJson, RunId, TaskId, TaskSeq, Timestamp};
use partitur_store::{Reader, RunFilter, SqliteStore, Store as _, StoreError, TaskHead};
use tempfile::TempDir;

use crate::support::*;

struct Host {
    dir: TempDir,
    store: SqliteStore,
    batches: u64,
}

impl Host {
    fn new() -> Host {
        let dir = TempDir::new().unwrap();
        let store = sqlite(&dir.path().join("partitur.db"));
        let mut host = Host { dir, store, batches: 0 };
        host.commit(vec![add_definition()]);
        host
    }

    fn commit(&mut self, changes: Vec<Change>) {
        self.batches += 1;
        commit(&mut self.store, self.batches, changes);
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path().join("partitur.db")).unwrap()
    }
}

fn numbers(runs: &[RunRecord]) -> Vec<u64> {
    runs.iter().map(|run| run.id.number()).collect()
}

#[test]
fn a_reader_sees_each_commit_and_works_without_a_host() {
    let mut host = Host::new();
    let reader = host.reader();
    host.commit(vec![add_run(run(1)), add_task(task(1, 1))]);
    assert_eq!(reader.tasks(run_id(1)).unwrap(), [task(1, 1)]);
    host.commit(vec![add_task(succeeded(1, 1, 5))]);
    assert_eq!(reader.tasks(run_id(1)).unwrap(), [succeeded(1, 1, 5)]);
    let node = NodeRecord { epoch: 1, last_run: 1, ..NodeRecord::default() };
    host.commit(vec![Change::Node(node)]);
    assert_eq!(reader.node().unwrap(), node);
    let Host { dir, store, .. } = host;
    drop((store, reader));
    let reader = Reader::open(dir.path().join("partitur.db")).unwrap();
    assert_eq!(reader.definition(definition().id).unwrap(), Some(definition()));
    assert_eq!(Reader::open(dir.path().join("x")).err(), Some(StoreError::Absent(dir.path().join("x"))));
}

#[test]
fn runs_come_newest_first_filtered_and_in_pages() {
    let mut host = Host::new();
    let mut changes = Vec::new();
    for number in 1..=2_500 {
        let mut row = match number % 100 {
            0 => ended_run(number, RunOutcome::Failed),
            1 => run(number),
            _ => ended_run(number, RunOutcome::Succeeded),
        };
        if number % 2 == 0 {
            row.name = "other".into();
        }
        changes.push(add_run(row));
    }
    host.commit(changes);
    let reader = host.reader();
    let list = |filter: RunFilter| numbers(&reader.runs(&filter).unwrap().runs);
    let failed = vec![RunState::Ended(RunOutcome::Failed)];
    assert_eq!(list(RunFilter { limit: 3, ..RunFilter::default() }), [2_500, 2_499, 2_498]);
    let before = Some(run_id(2_400));
    let filter = RunFilter { states: failed.clone(), before, limit: 2, ..RunFilter::default() };
    assert_eq!(list(filter), [2_300, 2_200]);
    let named = |name: &str, states| RunFilter { name: Some(name.into()), states, ..RunFilter::default() };
    assert_eq!(list(named("month-end", failed.clone())), [0; 0]);
    assert_eq!(list(named("other", failed)).len(), 25);
    let open = vec![RunState::Running, RunState::Paused];
    assert_eq!(list(named("month-end", open)).last(), Some(&1));
    assert_eq!(list(RunFilter { limit: 9_999, ..RunFilter::default() }).len(), 2_500);
}

#[test]
fn a_run_is_found_by_number_id_and_the_beginning_of_its_id() {
    let mut host = Host::new();
    let elsewhere = RunId::new(9, 17, 5);
    let mut shards = run(17);
    shards.id = elsewhere;
    host.commit(vec![add_run(run(16)), add_run(run(17)), add_run(shards), add_run(run(70_000))]);
    let reader = host.reader();
    let find = |text: &str| reader.find(text).unwrap();
    assert_eq!(find("16"), [run_id(16)]);
    assert_eq!(find("17"), [run_id(17), elsewhere]);
    assert_eq!(find(&run_id(17).to_string()), [run_id(17)]);
    assert_eq!(find(&elsewhere.to_string()[..18].to_uppercase()), [elsewhere]);
    assert_eq!(find("00000000-0010-8"), [run_id(16)]);
    assert_eq!(find("00000001"), [run_id(70_000)]);
    for text in ["", "18", "nonsense", "00000002", "00000000-0010-9"] {
        assert_eq!(find(text), [], "{text}");
    }
    assert_eq!(reader.run(run_id(16)).unwrap().map(|run| run.id), Some(run_id(16)));
    assert_eq!(reader.run(RunId::new(0, 16, 1)).unwrap(), None);
}

#[test]
fn tasks_come_by_number_over_pages_and_one_by_its_path() {
    let mut host = Host::new();
    let mut inner = task(1, 2_001);
    inner.path = "invoices[de]/check".into();
    inner.node = "check".into();
    let tasks: Vec<_> = (1..=2_000).map(|seq| task(1, seq)).chain([inner.clone()]).collect();
    host.commit(std::iter::once(add_run(run(1))).chain(tasks.iter().cloned().map(add_task)).collect());
    let reader = host.reader();
    assert_eq!(reader.tasks(run_id(1)).unwrap(), tasks);
    assert_eq!(reader.tasks_after(run_id(1), Some(TaskSeq(1_999)), 1).unwrap(), [task(1, 2_000)]);
    assert_eq!(reader.task(run_id(1), "invoices[de]/check").unwrap(), Some(inner));
    assert_eq!(reader.task(run_id(1), "task-7").unwrap(), Some(task(1, 7)));
    assert_eq!(reader.task(run_id(1), "check").unwrap(), None);
    assert_eq!(reader.tasks(run_id(2)).unwrap(), []);
}

#[test]
fn the_children_of_a_run_are_found() {
    let mut host = Host::new();
    let child = |number, parent| {
        let parent = Some(Parent { run: run_id(parent), task: TaskSeq(1), generation: 0 });
        add_run(RunRecord { parent, ..run(number) })
    };
    host.commit(vec![add_run(run(1)), child(2, 1), child(3, 2), child(4, 1)]);
    assert_eq!(numbers(&host.reader().children(run_id(1)).unwrap()), [2, 4]);
    assert_eq!(numbers(&host.reader().children(run_id(4)).unwrap()), [0; 0]);
}

fn served(correlation: Option<&str>, key: Option<&str>) -> RunOptions {
    let server = ServerOptions {
        correlation: correlation.map(Into::into),
        idempotency: key.map(|key| (key.into(), Idempotency::Fail)),
        ..ServerOptions::default()
    };
    RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() }
}

#[test]
fn runs_are_found_by_what_their_submitters_call_them() {
    let mut host = Host::new();
    let order = served(Some("order-7"), Some("k"));
    let other = RunRecord { name: "other".into(), options: order.clone(), ..run(4) };
    host.commit(vec![
        add_run(RunRecord { options: order.clone(), ..ended_run(1, RunOutcome::Failed) }),
        add_run(RunRecord { options: order.clone(), ..run(2) }),
        add_run(RunRecord { options: served(Some("order-8"), None), ..run(3) }),
        add_run(other),
        add_run(run(5)),
    ]);
    let reader = host.reader();
    let called =
        |name, correlation, ended| numbers(&reader.by_correlation(name, correlation, ended).unwrap().runs);
    assert_eq!(called("month-end", "order-7", true), [2, 1]);
    assert_eq!(called("month-end", "order-7", false), [2]);
    assert_eq!(called("other", "order-7", false), [4]);
    assert_eq!(called("month-end", "order", true), [0; 0]);
    let keyed = |name, key| reader.by_idempotency(name, key).unwrap().map(|run| run.id.number());
    assert_eq!((keyed("month-end", "k"), keyed("other", "k"), keyed("other", "l")), (Some(2), Some(4), None));
    let mut newest =
        |name, key| host.store.run_under_key(name, key).unwrap().map(|(run, ended)| (run.number(), ended));
    assert_eq!(newest("month-end", "k"), Some((2, false)));
    assert_eq!((newest("other", "k"), newest("other", "l")), (Some((4, false)), None));
}

#[test]
fn running_runs_are_told_apart_by_name_version_and_time() {
    let mut host = Host::new();
    let mut changes: Vec<Change> = (1..=1_500).map(|number| add_run(run(number))).collect();
    let server = ServerOptions { version: 2, ..ServerOptions::default() };
    let options = RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() };
    changes.push(add_run(RunRecord { options, ..run(1_501) }));
    changes.push(add_run(RunRecord { name: "other".into(), ..run(1_502) }));
    changes.push(add_run(ended_run(1_503, RunOutcome::Succeeded)));
    host.commit(changes);
    let reader = host.reader();
    let running = |version, from, to| -> Vec<u64> {
        let ids = reader.running("month-end", version, from..=to).unwrap();
        ids.into_iter().map(|id| id.number()).collect()
    };
    let (first, last) = (Timestamp::ZERO, Timestamp::MAX);
    let at = |number| run(number).created;
    assert_eq!(running(None, first, last), (1..=1_501).collect::<Vec<_>>());
    assert_eq!(running(Some(2), first, last), [1_501]);
    assert_eq!(running(Some(1), first, last), [0; 0]);
    assert_eq!(running(None, at(1_499), at(1_500)), [1_499, 1_500]);
}

#[test]
fn a_run_is_found_by_the_id_of_its_task() {
    let mut host = Host::new();
    host.commit(vec![add_run(run(1)), add_task(task(1, 3))]);
    let id = TaskId::new(run_id(1), TaskSeq(3));
    let (shard, number) = id.shard_and_number();
    let found = host.reader().run_by_number(shard, number).unwrap().unwrap();
    assert!(id.is_of(found.id));
    assert_eq!(host.reader().task_by_seq(found.id, id.task()).unwrap(), Some(task(1, 3)));
    assert_eq!(host.reader().task_by_seq(found.id, TaskSeq(2)).unwrap(), None);
    assert_eq!(host.reader().run_by_number(0, 2).unwrap(), None);
}

#[test]
fn a_page_of_tasks_shows_what_its_filter_shows() {
    let mut host = Host::new();
    let tasks = (1..=2_500).map(|seq| match seq % 5 {
        0 => TaskRecord {
            state: TaskState::Ended(TaskOutcome::Failed),
            error: Some(TaskError::terminal("failed-for-good", "no")),
            ..task(1, seq)
        },
        1 => TaskRecord {
            served: Some(Box::new(Served { superseded: true, ..Served::default() })),
            ..succeeded(1, seq, 1)
        },
        _ => succeeded(1, seq, 1),
    });
    host.commit(std::iter::once(add_run(run(1))).chain(tasks.map(add_task)).collect());
    let reader = host.reader();
    let page = |start, count, shown: fn(&TaskHead) -> bool| {
        let page = reader.task_page(run_id(1), start, count, shown).unwrap();
        (page.tasks.iter().map(|task| task.seq.0).collect::<Vec<_>>(), page.total)
    };
    assert_eq!(page(0, 3, |_| true), (vec![1, 2, 3], 2_500));
    assert_eq!(page(2_499, 3, |_| true), (vec![2_500], 2_500));
    assert_eq!(page(1, 2, |head| head.superseded), (vec![6, 11], 500));
    let failed = |head: &TaskHead| head.error == Some(("failed-for-good".into(), false));
    assert_eq!(page(498, 9, failed), (vec![2_495, 2_500], 500));
    assert_eq!(page(0, 0, |head| &*head.node == "task-7"), (vec![], 1));
}

#[test]
fn logs_come_in_order_over_pages_and_go_with_their_task() {
    let mut host = Host::new();
    let lines: Vec<LogLine> = (0..2_500).map(|number| line(&format!("line {number}"))).collect();
    host.commit(vec![add_run(run(1)), add_task(task(1, 1)), add_task(task(1, 2))]);
    for part in lines.chunks(900) {
        host.commit(vec![Change::Log(run_id(1), TaskSeq(1), part.to_vec())]);
    }
    host.commit(vec![Change::Log(run_id(1), TaskSeq(2), vec![line("of two")])]);
    let reader = host.reader();
    assert_eq!(reader.task_log(run_id(1), TaskSeq(1)).unwrap(), lines);
    let again = Change::Log(run_id(1), TaskSeq(1), vec![line("again")]);
    host.commit(vec![Change::RemoveTask(run_id(1), TaskSeq(1)), add_task(task(1, 1)), again]);
    assert_eq!(reader.task_log(run_id(1), TaskSeq(1)).unwrap(), [line("again")]);
    host.commit(vec![Change::RemoveRun(run_id(1)), add_run(run(1))]);
    assert_eq!(reader.task_log(run_id(1), TaskSeq(2)).unwrap(), []);
}

#[test]
fn the_catalogue_has_the_last_form_of_each_document() {
    let mut host = Host::new();
    let long = format!("\"{}\"", long_text(5, 9_000));
    host.commit(vec![
        add_entry(entry(EntryKind::Workflow, "b", 2, "{}")),
        add_entry(entry(EntryKind::Workflow, "b", 1, "[1]")),
        add_entry(entry(EntryKind::Task, "a", 0, "{}")),
        add_entry(entry(EntryKind::Workflow, "a", 1, "1.10")),
    ]);
    host.commit(vec![
        add_entry(Entry { body: None, ..entry(EntryKind::Workflow, "a", 1, "{}") }),
        add_entry(entry(EntryKind::Workflow, "b", 1, &long)),
    ]);
    let entries = host.reader().catalogue().unwrap().entries;
    let expected = [
        entry(EntryKind::Workflow, "b", 1, &long),
        entry(EntryKind::Workflow, "b", 2, "{}"),
        entry(EntryKind::Task, "a", 0, "{}"),
    ];
    assert_eq!(entries, expected);
    assert_eq!(host.reader().entry(EntryKind::Workflow, "a", 1).unwrap(), None);
}

#[test]
fn durations_are_the_mean_of_the_last_twenty_ended_runs() {
    let mut host = Host::new();
    let mut changes = Vec::new();
    for number in 1..=30 {
        changes.push(add_run(ended_run(number, RunOutcome::Failed)));
        // Only the last twenty count: 11..=30, whose mean is 20.5.
        changes.push(add_task(succeeded(number, 1, number)));
        let mut cached = succeeded(number, 2, 1);
        cached.cached = true;
        let mut failed = succeeded(number, 3, 1);
        failed.state = TaskState::Ended(TaskOutcome::Failed);
        changes.extend([add_task(cached), add_task(failed)]);
    }
    changes.extend([add_run(run(31)), add_task(succeeded(31, 1, 9_999))]);
    host.commit(changes);
    let expected = BTreeMap::from([("task-1".to_owned(), Duration::from_micros(20_500))]);
    assert_eq!(host.reader().durations("month-end").unwrap(), expected);
    assert_eq!(host.reader().durations("unknown").unwrap(), BTreeMap::new());
}

/// What is to be told to `lane` of a run, due at this millisecond.
fn to_tell(lane: &str, run: u64, number: u32, due: u64) -> Change {
    Change::Note(Box::new(Note {
        kind: NoteKind::Callback,
        id: format!("{}.{number:04}", run_id(run)).into(),
        about: lane.into(),
        at: Timestamp::from_millis(due),
        run: None,
        body: Some(RawJson::trusted("{}")),
    }))
}

#[test]
fn what_is_due_is_found_by_lane_and_by_run() {
    let mut host = Host::new();
    let notes = [("b", 1, 2, 40), ("b", 1, 1, 90), ("b", 2, 1, 30), ("a", 1, 3, 50), ("c", 3, 1, 10)];
    host.commit(notes.map(|(lane, run, number, due)| to_tell(lane, run, number, due)).to_vec());
    let reader = host.reader();
    let at = Timestamp::from_millis;
    let lanes = |after, limit| reader.note_lanes(NoteKind::Callback, after, limit).unwrap();
    let all = [("a", 50), ("b", 30), ("c", 10)].map(|(lane, due)| (lane.to_owned(), at(due)));
    assert_eq!((lanes("", 9), lanes("a", 1)), (all.to_vec(), vec![all[1].clone()]));
    assert_eq!(reader.first_due(NoteKind::Callback).unwrap(), Some(at(10)));
    assert_eq!(reader.first_due(NoteKind::DeadCallback).unwrap(), None);
    let name = |run: u64, number: u32| format!("{}.{number:04}", run_id(run));
    let due = reader.due_notes(NoteKind::Callback, "b", at(50), 9).unwrap();
    assert_eq!(due.iter().map(|id| &**id).collect::<Vec<_>>(), [name(2, 1), name(1, 2)]);
    let (from, to) = (format!("{}.", run_id(1)), name(1, 2));
    let older = reader.notes_between(NoteKind::Callback, "b", (&from, &to), 9).unwrap();
    assert_eq!(older, [(name(1, 1).into(), at(90))]);
}
