use std::sync::Arc;

use partitur_model::definition::{Definition, Kind, Node, Scope};
use partitur_model::record::{RunRecord, TaskError};

use super::*;
use crate::testing::{at, command, edges, list, month_end, part, run, task};

fn performance(run: &RunRecord, tasks: &[TaskRecord], definition: &Definition, watch: &Watch) -> Performance {
    Performance::of(&Story { run, tasks, definition, children: Vec::new(), now: at(100.0) }, watch)
}

fn watched() -> Watch {
    let mut watch = Watch::default();
    let stock: Arc<str> = "stock".into();
    watch.ready(at(2.0), &stock);
    watch.kept(at(3.0), "stock", Cause::Lock);
    watch.started(at(8.0), &stock);
    watch.ended(at(11.0), &stock);
    watch
}

#[test]
fn the_summary_says_what_was_saved_what_determined_the_end_and_what_was_waited_for() {
    let (run, tasks, definition) = month_end();
    insta::assert_snapshot!(performance(&run, &tasks, &definition, &watched()), @r"
    month-end succeeded after 12.0s
      tasks          4 succeeded
      time saved     none: one after the other would have taken 12.0s
      critical path  12.0s: load 2.0s → stock 3.0s (after 6.0s in the queue) → close 1.0s
      waits          dependency 15.0s · lock 6.0s (all tasks together)
    ");
}

#[test]
fn what_runs_side_by_side_is_saved_and_the_longer_side_is_critical() {
    let (run, mut tasks, definition) = month_end();
    tasks[2] = task(3, "stock", 2.0, 2.0, 5.0);
    tasks[3] = task(4, "close", 8.0, 8.0, 9.0);
    let run = RunRecord { ended: Some(at(9.0)), ..run };
    let performance = performance(&run, &tasks, &definition, &Watch::default());
    let saving = performance.saving.unwrap();
    assert_eq!((saving.time, saving.percent), (Duration::from_secs(3), 25.0));
    assert!((saving.factor - 12.0 / 9.0).abs() < 1e-9);
    let path: Vec<&str> = performance.critical.iter().map(|link| link.path.as_str()).collect();
    assert_eq!(path, ["load", "orders", "close"]);
}

#[test]
fn pauses_between_attempts_are_waits_and_no_work() {
    let (run, tasks, definition) = month_end();
    let tasks = vec![TaskRecord { attempt: 2, ..tasks[0].clone() }];
    let load: Arc<str> = "load".into();
    let mut watch = Watch::default();
    watch.ready(at(0.0), &load);
    watch.started(at(0.0), &load);
    watch.retries(at(0.5), &load);
    watch.started(at(1.5), &load);
    watch.ended(at(2.0), &load);
    let performance = performance(&run, &tasks, &definition, &watch);
    assert_eq!(performance.attempts, Duration::from_secs(1));
    assert_eq!(performance.waits.of(Cause::Retry), Duration::from_secs(1));
    assert_eq!((performance.counts.retried, performance.counts.retries), (1, 1));
}

#[test]
fn the_chain_leads_through_the_parts_of_a_list_and_the_list_itself_is_not_counted() {
    let nodes = vec![command("load"), list(), command("close")];
    let root = Scope { nodes, edges: edges(&[(0, 1), (1, 2)]) };
    let definition = Definition { root, ..Definition::default() };
    let container = TaskRecord { started: None, ..task(2, "parts", 1.0, 1.0, 5.0) };
    let tasks = [
        task(1, "load", 0.0, 0.0, 1.0),
        container,
        part(3, 2, 0, (1.0, 1.0, 2.0)),
        part(4, 2, 1, (1.0, 1.0, 5.0)),
        task(5, "close", 5.0, 5.0, 6.0),
    ];
    let performance = performance(&run(6.0), &tasks, &definition, &Watch::default());
    let path: Vec<&str> = performance.critical.iter().map(|link| link.path.as_str()).collect();
    assert_eq!(path, ["load", "parts[1]", "close"]);
    assert_eq!(performance.counts.succeeded, 4);
    assert_eq!(performance.attempts, Duration::from_secs(7));
}

#[test]
fn a_list_that_fails_without_a_failed_part_counts_itself() {
    let root = Scope { nodes: vec![list()], edges: Vec::new() };
    let definition = Definition { root, ..Definition::default() };
    let failed = TaskState::Ended(TaskOutcome::Failed);
    let container = TaskRecord { started: None, state: failed, ..task(1, "parts", 1.0, 1.0, 5.0) };
    let alone = performance(&run(6.0), std::slice::from_ref(&container), &definition, &Watch::default());
    assert_eq!(alone.counts, Counts { failed: 1, ..Counts::default() });
    let branch = TaskRecord { state: failed, ..part(2, 1, 0, (1.0, 1.0, 2.0)) };
    let with_its_branch = performance(&run(6.0), &[container, branch], &definition, &Watch::default());
    assert_eq!(with_its_branch.counts, Counts { failed: 1, ..Counts::default() });
}

#[test]
fn time_in_which_nobody_was_at_work_is_rest() {
    let (run, mut tasks, definition) = month_end();
    // `close` failed, and an hour later the run was resumed.
    tasks[3] = task(4, "close", 3_611.0, 3_611.0, 3_612.0);
    let run = RunRecord { ended: Some(at(3_612.0)), ..run };
    let performance = performance(&run, &tasks, &definition, &Watch::default());
    assert_eq!((performance.wall, performance.rested), (Duration::from_secs(12), Duration::from_secs(3_600)));
    assert_eq!(performance.headline(), "month-end succeeded after 12.0s (and 1h 00m of rest)");
}

#[test]
fn ends_are_counted_by_their_kind() {
    let (run, mut tasks, definition) = month_end();
    tasks[0].cached = true;
    tasks[1].state = TaskState::Ended(TaskOutcome::Failed);
    tasks[1].error = Some(TaskError::new("exit-1", "exit code 1"));
    tasks[2].state = TaskState::Ended(TaskOutcome::Skipped);
    tasks[3].undo = UndoState::Done;
    let performance = performance(&run, &tasks, &definition, &Watch::default());
    assert_eq!(
        performance.lines()[0].1,
        "2 succeeded · 1 failed · 1 skipped · 1 replayed from the cache · 1 undone"
    );
    // What came from the cache has cost nothing.
    assert_eq!(performance.attempts, Duration::from_secs(10));
}

#[test]
fn of_a_long_chain_the_longest_links_are_shown() {
    let nodes: Vec<Node> = (0..20).map(|at| command(&format!("t{at}"))).collect();
    let pairs: Vec<(u32, u32)> = (0..19).map(|from| (from, from + 1)).collect();
    let definition = Definition { root: Scope { nodes, edges: edges(&pairs) }, ..Definition::default() };
    let mut now = 0.0;
    let tasks: Vec<TaskRecord> = (0..20)
        .map(|seq: u32| {
            let took = if (4..=17).contains(&seq) { 1.0 } else { 2.0 };
            now += took;
            task(seq + 1, &format!("t{seq}"), now - took, now - took, now)
        })
        .collect();
    let performance = performance(&run(now), &tasks, &definition, &Watch::default());
    insta::assert_snapshot!(performance.lines()[2].1, @"26.0s: t0 2.0s → t1 2.0s → t2 2.0s → t3 2.0s → t4 1.0s → t5 1.0s → … 12 more → t18 2.0s → t19 2.0s");
}

/// A report is made at the end of every run: it must not take longer than the run.
#[test]
#[allow(clippy::disallowed_methods, reason = "this is about time")]
fn a_chain_of_fifty_thousand_tasks_is_read_in_no_time() {
    const COUNT: u32 = 50_000;
    let nodes: Vec<Node> = (0..COUNT).map(|at| command(&format!("t{at}"))).collect();
    let pairs: Vec<(u32, u32)> = (1..COUNT).map(|to| (to - 1, to)).collect();
    let definition = Definition { root: Scope { nodes, edges: edges(&pairs) }, ..Definition::default() };
    let tasks: Vec<TaskRecord> = (0..COUNT)
        .map(|at| {
            let start = f64::from(at);
            task(at + 1, &format!("t{at}"), start, start, start + 1.0)
        })
        .collect();
    let begin = std::time::Instant::now();
    let performance = performance(&run(f64::from(COUNT)), &tasks, &definition, &Watch::default());
    assert_eq!(performance.critical.len(), COUNT as usize);
    // It takes a tenth of a second; looking through all tasks for each of them takes minutes.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn a_service_is_no_work_and_determines_no_end() {
    let mut db = command("db");
    if let Kind::Command(command) = &mut db.kind {
        command.service = Some(Box::default());
    }
    let root = Scope { nodes: vec![db, command("use")], edges: edges(&[(0, 1)]) };
    let definition = Definition { root, ..Definition::default() };
    let tasks = [task(1, "db", 0.0, 0.0, 5.0), task(2, "use", 1.0, 1.0, 4.0)];
    let performance = performance(&run(5.0), &tasks, &definition, &Watch::default());
    assert_eq!(performance.attempts, Duration::from_secs(3));
    let path: Vec<&str> = performance.critical.iter().map(|link| link.path.as_str()).collect();
    assert_eq!(path, ["use"]);
}
