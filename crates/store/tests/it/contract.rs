//! The contract of a store, checked over each of them.

use partitur_model::change::{BatchNo, Change};
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{NodeRecord, RunOutcome, TaskOutcome, TaskState};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq, Timestamp};
use partitur_store::{
    CataloguePage, Completion, MemoryStore, NoteSearch, Options, Reader, SqliteStore, Store, Tables,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::arbitrary::{any_batches, any_run, any_task, definitions};
use crate::support::*;

/// A kind of store that can be closed and opened again.
trait Subject {
    fn open(&mut self) -> Box<dyn Store>;
}

struct Memory(MemoryStore);

impl Subject for Memory {
    fn open(&mut self) -> Box<dyn Store> {
        self.0 = self.0.crash();
        Box::new(self.0.clone())
    }
}

struct Sqlite {
    dir: TempDir,
    /// Batches of so few changes are written by whoever submits them.
    at_once_max: usize,
}

impl Sqlite {
    fn new(at_once_max: usize) -> Sqlite {
        Sqlite { dir: TempDir::new().unwrap(), at_once_max }
    }
}

impl Subject for Sqlite {
    fn open(&mut self) -> Box<dyn Store> {
        let options = Options { at_once_max: self.at_once_max, ..Options::default() };
        Box::new(SqliteStore::open(self.dir.path().join("partitur.db"), options, || ()).unwrap())
    }
}

fn on_each_store(check: impl Fn(&mut dyn Subject)) {
    check(&mut Memory(MemoryStore::new()));
    for at_once_max in [0, 2, usize::MAX] {
        check(&mut Sqlite::new(at_once_max));
    }
}

/// Payloads print as they render, so that this compares every field, ropes by their text.
fn print(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[test]
fn an_empty_store_has_nothing_to_recover() {
    on_each_store(|subject| {
        let mut store = subject.open();
        assert_eq!(store.recover().unwrap(), partitur_store::Recovered::default());
        assert_eq!(store.load_run(run_id(1)).unwrap(), None);
        assert_eq!(store.definition(DefinitionId(1)).unwrap(), None);
        store.wait();
    });
}

#[test]
fn batches_complete_in_order_even_if_empty() {
    on_each_store(|subject| {
        let mut store = subject.open();
        for number in 1..=200 {
            let changes = if number % 3 == 0 { Vec::new() } else { vec![add_task(task(1, number as u32))] };
            submit(&mut *store, number, changes);
        }
        let expected: Vec<_> = (1..=200).map(|number| Completion::Durable(BatchNo(number))).collect();
        assert_eq!(completions(&mut *store, 200), expected);
    });
}

#[test]
fn open_runs_come_back_with_their_tasks_and_definitions() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let node = NodeRecord { epoch: 3, last_run: 2, time: Timestamp::from_millis(5) };
        let changes = vec![
            add_definition(),
            Change::Node(node),
            add_run(run(1)),
            add_run(ended_run(2, RunOutcome::Failed)),
            add_task(task(1, 2)),
            add_task(task(1, 1)),
            add_task(task(2, 1)),
        ];
        commit(&mut *store, 1, changes);
        drop(store);
        let recovered = subject.open().recover().unwrap();
        assert_eq!(recovered.node, node);
        assert_eq!(recovered.definitions, [definition()]);
        assert_eq!(recovered.runs.len(), 1);
        assert_eq!(print(&recovered.runs[0].run), print(&run(1)));
        assert_eq!(recovered.runs[0].tasks, [task(1, 1), task(1, 2)]);
        assert_eq!(recovered.quarantined, []);
    });
}

#[test]
fn an_ended_run_can_be_loaded_and_revived() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let changes = vec![add_definition(), add_run(ended_run(1, RunOutcome::Failed)), add_task(task(1, 1))];
        commit(&mut *store, 1, changes);
        drop(store);
        let mut store = subject.open();
        assert_eq!(store.load_run(run_id(1)).unwrap().unwrap().tasks, [task(1, 1)]);
        commit(&mut *store, 2, vec![add_run(run(1))]);
        drop(store);
        assert_eq!(subject.open().recover().unwrap().runs.len(), 1);
    });
}

#[test]
fn loading_sees_what_has_only_been_submitted() {
    on_each_store(|subject| {
        let mut store = subject.open();
        submit(&mut *store, 1, vec![add_definition(), add_run(run(1)), add_task(task(1, 1))]);
        submit(&mut *store, 2, vec![add_task(succeeded(1, 1, 5)), add_task(task(1, 2))]);
        submit(&mut *store, 3, vec![Change::RemoveTask(run_id(1), TaskSeq(2))]);
        let loaded = store.load_run(run_id(1)).unwrap().unwrap();
        assert_eq!(loaded.tasks, [succeeded(1, 1, 5)]);
        assert_eq!(store.definition(definition().id).unwrap(), Some(definition()));
    });
}

#[test]
fn an_id_with_other_random_bits_finds_nothing() {
    on_each_store(|subject| {
        let mut store = subject.open();
        commit(&mut *store, 1, vec![add_definition(), add_run(run(1))]);
        assert_eq!(store.load_run(RunId::new(0, 1, 1)).unwrap(), None);
    });
}

#[test]
fn the_last_of_several_changes_to_a_row_counts() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let changes = vec![
            add_definition(),
            add_task(task(1, 1)),
            Change::RemoveRun(run_id(1)),
            add_run(run(1)),
            add_task(task(1, 2)),
            Change::RemoveTask(run_id(1), TaskSeq(2)),
            Change::RemoveTask(run_id(1), TaskSeq(3)),
            add_task(task(1, 3)),
            add_task(succeeded(1, 3, 9)),
        ];
        commit(&mut *store, 1, changes);
        drop(store);
        let loaded = subject.open().load_run(run_id(1)).unwrap().unwrap();
        assert_eq!(loaded.tasks, [succeeded(1, 3, 9)]);
    });
}

#[test]
fn a_removed_run_takes_its_tasks_along() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let big = Payload::string(&long_text(1, 20_000));
        let mut with_output = task(1, 1);
        with_output.output = Some(big.clone());
        commit(&mut *store, 1, vec![add_definition(), add_run(run(1)), add_task(with_output)]);
        commit(&mut *store, 2, vec![Change::RemoveRun(run_id(1)), add_run(run(2))]);
        commit(&mut *store, 3, vec![add_run(run(1))]);
        drop(store);
        let mut store = subject.open();
        assert_eq!(store.load_run(run_id(1)).unwrap().unwrap().tasks, []);
        assert!(store.load_run(run_id(2)).unwrap().is_some());
    });
}

#[test]
fn payloads_of_every_size_survive_and_equal_ones_too() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let mut tasks = Vec::new();
        for (seq, length) in (1..).zip([0, 1, 1_021, 1_022, 1_023, 1_024, 1_025, 70_000, 3_000_000]) {
            for copy in 0..2 {
                let mut task = task(1, 2 * seq + copy);
                task.output = Some(Payload::string(&long_text(u64::from(seq), length)));
                task.items = Some(Payload::string(&"x".repeat(length)));
                tasks.push(task);
            }
        }
        let mut changes = vec![add_definition(), add_run(run(1))];
        changes.extend(tasks.iter().cloned().map(add_task));
        commit(&mut *store, 1, changes);
        drop(store);
        let loaded = subject.open().load_run(run_id(1)).unwrap().unwrap();
        assert_eq!(loaded.tasks, tasks);
    });
}

#[test]
fn a_payload_composed_deeper_than_anybody_may_send_survives() {
    on_each_store(|subject| {
        let deep = (0..200).fold(Payload::from(1), |inner, _| Payload::list([inner]));
        let mut with_output = task(1, 1);
        with_output.output = Some(deep);
        let mut store = subject.open();
        commit(&mut *store, 1, vec![add_definition(), add_run(run(1)), add_task(with_output.clone())]);
        assert_eq!(print(&store.load_run(run_id(1)).unwrap().unwrap().tasks), print(&[with_output]));
    });
}

#[test]
fn payloads_that_are_replaced_over_and_over_leave_the_last() {
    on_each_store(|subject| {
        let mut store = subject.open();
        commit(&mut *store, 1, vec![add_definition()]);
        let mut last = (run(1), task(1, 1));
        for number in 2..1_000 {
            last.0.variables = Payload::string(&long_text(number, 1_500));
            last.1.output = Some(Payload::string(&long_text(number * 1_000, 1_500)));
            let mut old = task(1, number as u32);
            old.output = Some(Payload::string(&long_text(number * 1_000_000, 1_500)));
            let changes = vec![
                add_run(last.0.clone()),
                add_task(last.1.clone()),
                add_task(old),
                Change::RemoveTask(run_id(1), TaskSeq(number as u32 - 1)),
            ];
            submit(&mut *store, number, changes);
            if number % 50 == 0 {
                store.load_run(run_id(1)).unwrap();
            }
        }
        last.0 = ended_run(1, RunOutcome::Succeeded);
        commit_last(&mut *store, 1_000, vec![add_run(last.0.clone()), add_task(last.1.clone())]);
        drop(store);
        let loaded = subject.open().load_run(run_id(1)).unwrap().unwrap();
        assert_eq!(print(&loaded.run), print(&last.0));
        assert_eq!(loaded.tasks[0], last.1);
    });
}

fn commit_last(store: &mut dyn Store, number: u64, changes: Vec<Change>) {
    submit(store, number, changes);
    let all = completions(store, number as usize - 1);
    assert!(all.iter().all(|completion| matches!(completion, Completion::Durable(_))));
}

#[test]
fn a_run_without_its_definition_is_reported_and_left_alone() {
    on_each_store(|subject| {
        let mut store = subject.open();
        commit(&mut *store, 1, vec![add_run(run(1))]);
        let recovered = store.recover().unwrap();
        assert_eq!(recovered.runs, []);
        assert_eq!(recovered.quarantined.len(), 1);
        assert_eq!(recovered.quarantined[0].run, Some(1));
        assert!(store.load_run(run_id(1)).unwrap().is_some());
    });
}

#[test]
fn task_states_survive_reopening() {
    on_each_store(|subject| {
        let mut store = subject.open();
        let mut ended = task(1, 1);
        ended.state = TaskState::Ended(TaskOutcome::Skipped);
        commit(&mut *store, 1, vec![add_definition(), add_run(run(1)), add_task(ended.clone())]);
        drop(store);
        assert_eq!(subject.open().recover().unwrap().runs[0].tasks, [ended]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_field_of_a_run_and_a_task_survives(run in any_run(), task in any_task()) {
        on_each_store(|subject| {
            let mut store = subject.open();
            let task = partitur_model::record::TaskRecord { run: run.id, ..task.clone() };
            let changes = vec![add_run(run.clone()), add_task(task.clone())];
            commit(&mut *store, 1, changes);
            drop(store);
            let loaded = subject.open().load_run(run.id).unwrap().unwrap();
            assert_eq!(print(&loaded.run), print(&run));
            assert_eq!(print(&loaded.tasks), print(&[task]));
        });
    }

    #[test]
    fn any_batches_leave_what_the_maps_leave(batches in any_batches()) {
        on_each_store(|subject| {
            let mut oracle = Tables::default();
            let mut store = subject.open();
            for (number, changes) in (1..).zip(&batches) {
                changes.iter().for_each(|change| oracle.apply(change));
                submit(&mut *store, number, changes.clone());
            }
            for stored in oracle.runs() {
                assert_eq!(store.load_run(stored.run.id).unwrap().as_ref(), Some(&stored));
            }
            completions(&mut *store, batches.len());
            drop(store);
            let mut store = subject.open();
            assert_eq!(store.recover().unwrap(), oracle.recovered());
            for definition in definitions() {
                assert_eq!(store.definition(definition.id).unwrap().as_ref(), oracle.definition(definition.id));
            }
        });
    }

    #[test]
    fn a_reader_finds_the_catalogue_the_notes_and_the_logs_that_the_maps_have(batches in any_batches()) {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("partitur.db");
        let (mut oracle, mut store) = (Tables::default(), sqlite(&path));
        for (number, changes) in (1..).zip(&batches) {
            changes.iter().for_each(|change| oracle.apply(change));
            submit(&mut store, number, changes.clone());
        }
        completions(&mut store, batches.len());
        let reader = Reader::open(&path).unwrap();
        let expected = CataloguePage { entries: oracle.entries().cloned().collect(), ..CataloguePage::default() };
        assert_eq!(reader.catalogue().unwrap(), expected);
        for entry in &expected.entries {
            assert_eq!(reader.entry(entry.kind, &entry.name, entry.version).unwrap().as_ref(), Some(entry));
        }
        for kind in NoteKind::ALL {
            let mut expected: Vec<Note> = oracle.notes().filter(|note| note.kind == kind).cloned().collect();
            expected.sort_by(|a, b| (a.at.micros() as i64, &a.id).cmp(&(b.at.micros() as i64, &b.id)));
            let all = NoteSearch { limit: 100, ..NoteSearch::default() };
            assert_eq!(reader.notes(kind, all).unwrap(), expected);
            let about_a = NoteSearch { about: Some("a"), newest_first: true, ..all };
            expected.retain(|note| &*note.about == "a");
            expected.reverse();
            assert_eq!(reader.notes(kind, about_a).unwrap(), expected);
            assert_eq!(reader.count_notes(kind, Some("a")).unwrap(), expected.len() as u64);
        }
        for change in batches.iter().flatten() {
            if let Change::Log(run, task, _) = change {
                assert_eq!(reader.task_log(*run, *task).unwrap(), oracle.log(*run, *task));
            }
        }
    }
}
