//! What other terminals read while the host writes.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_model::change::Change;
use partitur_model::record::{NodeRecord, Parent, RunOutcome, RunRecord, RunState, TaskOutcome, TaskState};
use partitur_model::{RunId, TaskSeq};
use partitur_store::{Reader, RunFilter, SqliteStore, StoreError};
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
