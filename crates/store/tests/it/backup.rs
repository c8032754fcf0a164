//! Copies while others write, and copies that were interrupted.

use std::sync::atomic::{AtomicBool, Ordering};

use partitur_store::{Reader, Search, Store, StoreError, back_up, inspect, restore};
use tempfile::TempDir;

use crate::support::*;

#[test]
fn a_copy_is_of_one_moment_while_others_write() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let mut store = sqlite(&path);
    // Each commit has a run with its five tasks: a copy has all of them or none.
    let change = |number: u64| {
        let tasks = (1..=5).map(move |seq| add_task(task(number, seq)));
        std::iter::once(add_run(run(number))).chain(tasks).collect::<Vec<_>>()
    };
    let first = (1..=300).flat_map(change).chain([add_definition()]).collect();
    commit(&mut store, 1, first);
    let stop = AtomicBool::new(false);
    let copies = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut number = 1_000;
            while !stop.load(Ordering::Relaxed) {
                commit(&mut store, number, change(number));
                number += 1;
            }
            number - 1_000
        });
        let copies: Vec<_> = (0..5)
            .map(|copy| {
                let to = dir.path().join(format!("copy-{copy}.db"));
                (back_up(&path, &to, |_, _| {}).unwrap(), to)
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 0, "somebody wrote meanwhile");
        copies
    });
    for (said, to) in copies {
        assert_eq!(said.faults, Vec::<String>::new());
        assert_eq!(said.tasks, 5 * said.runs, "{said:?}");
        assert_eq!(inspect(&to, true).unwrap(), said);
        assert_eq!(back_up(&path, &to, |_, _| {}).unwrap_err().code(), "P0511", "nothing is overwritten");
    }
}

#[test]
fn what_is_restored_is_what_was_copied() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = from.path().join("partitur.db");
    let mut store = sqlite(&path);
    commit(&mut store, 1, vec![add_definition(), add_run(run(1)), add_task(task(1, 1))]);
    let copy = from.path().join("copy.db");
    back_up(&path, &copy, |_, _| {}).unwrap();
    let place = to.path().join("partitur.db");
    assert_eq!(restore(&copy, &place).unwrap().open, 1);
    assert_eq!(restore(&copy, &place).unwrap_err().code(), "P0511");
    assert_eq!(sqlite(&place).recover().unwrap(), store.recover().unwrap());
    assert_eq!(Reader::open(&place).unwrap().search(&Search::default()).unwrap().total, 1);
}

#[test]
fn a_damaged_copy_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let changes = (1..=300).map(|number| add_run(run(number))).collect();
    commit(&mut sqlite(&path), 1, changes);
    let copy = dir.path().join("copy.db");
    back_up(&path, &copy, |_, _| {}).unwrap();
    let mut bytes = std::fs::read(&copy).unwrap();
    let from = bytes.len() / 2;
    bytes[from..from + 4_096].fill(0xa5);
    std::fs::write(&copy, bytes).unwrap();
    assert!(!inspect(&copy, true).unwrap().faults.is_empty());
    assert!(matches!(restore(&copy, &dir.path().join("other.db")), Err(StoreError::Damaged(_))));
    assert_eq!(inspect(&dir.path().join("none.db"), false).unwrap_err().code(), "P0509");
}
