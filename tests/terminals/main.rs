//! Two terminals in one directory: one host, one set of locks, whatever becomes of the tasks.

use std::collections::BTreeSet;

use partitur_tests::journal::{Line, in_flight, overlaps};
use partitur_tests::{Ended, Place, Terminal, living, wait_for};
use serde_json::{Value, json};

/// Tasks that all want the same file for themselves, or some of three units, and prove that they have them. Some fail
/// at first and are tried again, some fail for good.
fn contenders(name: &str) -> Value {
    let mut tasks = json!({});
    for index in 0..8 {
        let task = format!("{name}{index}");
        let run = |more: &[&str]| {
            let mut run = vec!["./task", "work", "--ms", "25"];
            run.extend(more);
            json!(run)
        };
        tasks[&task] = match index % 4 {
            0 => json!({
                "run": run(&["--alone", "ledger"]),
                "locks": ["file:data/ledger"],
            }),
            1 => json!({
                "run": run(&["--units", "2", "--of", "3", "seats", "--fail-first", "2", "--children"]),
                "locks": [{ "resource": "seats", "units": 2 }],
                "retry": { "attempts": 3, "base": "10ms" },
            }),
            2 => json!({
                "run": run(&["--alone", "ledger", "--fail-first", "99", "--children"]),
                "locks": ["file:data/../data/ledger"],
                "retry": { "attempts": 2, "base": "10ms" },
                "optional": true,
            }),
            _ => json!({
                "run": run(&["--units", "1", "--of", "3", "seats", "--among", "ledger"]),
                "locks": ["seats", { "resource": "file:data/ledger", "mode": "shared" }],
            }),
        };
    }
    json!({ "name": name, "resources": { "seats": 3 }, "tasks": tasks })
}

/// Both at work: the second has joined the first.
fn two_terminals(place: &Place, one: &Value, two: &Value) -> (Terminal, Terminal) {
    place.write("one.json", one.to_string());
    place.write("two.json", two.to_string());
    let first = place.start(&["run", "one.json", "--json", "-j", "8"]);
    wait_for("the host", || place.state().join("host.sock").exists().then_some(()));
    (first, place.start(&["run", "two.json", "--json", "-j", "8"]))
}

fn assert_success(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stderr, ended.stdout);
}

/// The names of the tasks, by their first letters, in the order in which they started.
fn starts(lines: &[Line]) -> Vec<String> {
    let start = |line: &Line| match line {
        Line::Start(attempt) => Some(attempt.task.clone()),
        Line::End(_) | Line::Fail(_) | Line::Stop(_) | Line::Overlap(..) | Line::Kill => None,
    };
    lines.iter().filter_map(start).collect()
}

/// Otherwise nothing would have been shared.
fn two_took_turns(starts: &[String]) {
    let turns = starts.windows(2).filter(|pair| pair[0].as_bytes()[0] != pair[1].as_bytes()[0]).count();
    assert!(turns >= 2, "the two ran one after the other: {starts:?}");
}

#[test]
fn files_and_counted_resources_are_shared_between_terminals_also_after_failures_and_retries() {
    let place = Place::new();
    let (first, second) = two_terminals(&place, &contenders("a"), &contenders("b"));
    let (first, second) = (first.wait(), second.wait());
    assert_success(&first);
    assert_success(&second);
    let journal = place.journal();
    assert!(overlaps(&journal).is_empty(), "{:#?}", overlaps(&journal));
    two_took_turns(&starts(&journal));
    assert_eq!(place.json(&["runs", "--json"]).as_array().map_or(0, Vec::len), 2);
}

#[test]
fn a_run_that_is_restarted_shares_its_locks_with_the_other_terminal_again() {
    let place = Place::new();
    place.write("one.json", contenders("a").to_string());
    place.write("two.json", contenders("b").to_string());
    assert_success(&place.run(&["run", "one.json", "--json", "-j", "8"]));
    let before = place.journal().len();
    let first = place.start(&["restart", "1", "--json"]);
    let second = place.start(&["run", "two.json", "--json", "-j", "8"]);
    assert_success(&first.wait());
    assert_success(&second.wait());
    let journal = place.journal();
    assert!(overlaps(&journal).is_empty(), "{:#?}", overlaps(&journal));
    let starts = starts(&journal[before..]);
    assert!(starts.contains(&"a0".to_owned()), "the first runs again: {starts:?}");
    two_took_turns(&starts);
}

#[test]
fn what_a_cancelled_task_or_run_held_is_free_for_the_other_terminal_when_the_last_of_its_processes_is_gone() {
    let hold = |name: &str, more: &[&str]| {
        let mut run = vec!["./task", "work", "--alone", "ledger", "--ms"];
        run.extend(more);
        json!({ "name": name, "tasks": { name: { "run": run, "locks": ["file:data/ledger"] } } })
    };
    // First the task is cancelled, whose children have to be killed; then a whole run.
    for (words, children) in [(&["cancel", "1", "a"][..], &["--children"][..]), (&["cancel", "1"], &[])] {
        let place = Place::new();
        let (first, second) =
            two_terminals(&place, &hold("a", &[&["600000"], children].concat()), &hold("b", &["5"]));
        wait_for("the holder", || (!in_flight(&place.journal()).is_empty()).then_some(()));
        wait_for("the waiter", || {
            let waiters = &place.json(&["status", "--json"])["status"]["waiters"];
            waiters.as_array().is_some_and(|waiters| !waiters.is_empty()).then_some(())
        });
        assert_eq!(starts(&place.journal()), ["a"], "the second does not start beside the first");
        let cancelled = place.run(words);
        assert_eq!(cancelled.code, Some(0), "{}", cancelled.stderr);
        assert_success(&second.wait());
        let first = first.wait();
        assert_ne!(first.code, Some(0), "{}", first.stdout);
        let journal = place.journal();
        assert_eq!(starts(&journal), ["a", "b"]);
        assert!(overlaps(&journal).is_empty(), "{:#?}", overlaps(&journal));
        assert!(living(place.path()).is_empty());
    }
}

#[test]
fn many_terminals_at_once_have_one_host_and_all_of_their_runs_end() {
    let place = Place::new();
    place.write("flow.json", contenders("a").to_string());
    let terminals: Vec<Terminal> =
        (0..6).map(|_| place.start(&["run", "flow.json", "--new", "--json"])).collect();
    let ends: Vec<Ended> = terminals.into_iter().map(Terminal::wait).collect();
    ends.iter().for_each(assert_success);
    assert!(overlaps_of_resources(&place.journal()).is_empty());
    let runs = ends.iter().filter_map(|ended| ended.events().last().and_then(|event| event["run"].as_u64()));
    assert_eq!(runs.collect::<BTreeSet<_>>().len(), 6, "each has a run of its own");
}

/// Equal tasks of different runs share a name, and so a mark of their own; that says nothing here.
fn overlaps_of_resources(lines: &[Line]) -> Vec<String> {
    overlaps(lines).into_iter().filter(|line| !line.contains(" task ")).collect()
}

#[test]
fn a_terminal_whose_host_has_ended_its_own_run_still_sees_the_end_of_its_run() {
    let place = Place::new();
    let long = json!({ "name": "long", "tasks": { "long": { "wait": { "file": "go", "at-most": "1h" } } } });
    let short =
        json!({ "name": "short", "tasks": { "short": { "wait": { "file": "short", "at-most": "1h" } } } });
    let (first, second) = two_terminals(&place, &short, &long);
    wait_for("both runs", || {
        let status = place.json(&["status", "--json"]);
        (status["status"]["runs"].as_array()?.len() == 2).then_some(())
    });
    place.write("short", "");
    let ended = || first.events().iter().any(|event| event["event"] == "run" && event["ended"] == true);
    wait_for("the end of the first run", || ended().then_some(()));
    place.write("go", "");
    assert_success(&second.wait());
    assert_success(&first.wait());
    assert!(!place.state().join("host.sock").exists(), "nobody hosts any more");
}
