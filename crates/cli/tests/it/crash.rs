//! What a killed process leaves, and Ctrl-C.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Place, until};

/// `a` is done once; `b` is in flight when the process dies.
const FLOW: &str = "
name: flow
inputs: { x: { type: string, default: '1' } }
tasks:
  a: { run: echo a >> log }
  b: { needs: [a], run: 'echo b >> log; touch begun; until [ -e go ]; do sleep 0.02; done; echo b done >> log' }
";

fn killed() -> Place {
    let place = Place::new(FLOW);
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    run.signal(Signal::KILL);
    run.end();
    place.write("go", "");
    place
}

#[test]
fn the_same_command_goes_on_and_finished_tasks_are_not_run_again() {
    let place = killed();
    assert!(place.expect(0, &["runs"]).out.contains("◦ interrupted"));
    assert!(place.expect(0, &["status"]).out.contains("`partitur resume 1` goes on with it"));
    let gave = place.expect(0, &["run", "flow.yaml"]);
    assert!(gave.err.starts_with("going on with run 1, which is unfinished"), "{}", gave.err);
    assert_eq!(place.read("log"), "a\nb\nb\nb done\n");
    // Lost by a crash of ours: no attempt is used up.
    let shown: serde_json::Value =
        serde_json::from_str(&place.expect(0, &["show", "1", "--json"]).out).unwrap();
    assert_eq!(shown["state"], "succeeded");
    let b = shown["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "b").unwrap();
    assert_eq!((&b["attempt"], &b["losses"]), (&1.into(), &1.into()), "{b}");
}

#[test]
fn resume_goes_on_with_the_newest_unfinished_run() {
    let place = killed();
    let gave = place.expect(0, &["resume"]);
    assert!(gave.err.starts_with("going on with run 1 (running)"), "{}", gave.err);
    assert_eq!(place.read("log"), "a\nb\nb\nb done\n");
    assert!(place.expect(6, &["resume"]).err.contains("no run is unfinished, and none has failed"));
    assert!(place.expect(6, &["resume", "1"]).err.contains("`partitur restart 1` runs it again"));
}

#[test]
fn other_inputs_are_a_new_run_that_names_the_old_one() {
    let place = killed();
    let gave = place.expect(0, &["run", "flow.yaml", "-i", "x=2"]);
    assert!(
        gave.err.starts_with("run 1 is unfinished, but its inputs differ: this is a new run"),
        "{}",
        gave.err
    );
    place.write("flow.yaml", &FLOW.replace("echo a", "echo A"));
    let gave = place.expect(0, &["run", "flow.yaml", "b"]);
    assert!(gave.err.contains("its document and targets differ"), "{}", gave.err);
    let gave = place.expect(0, &["run", "flow.yaml", "--new", "--json"]);
    assert_eq!(gave.err, "");
}

#[test]
fn a_resting_run_is_cancelled_without_a_host() {
    let place = killed();
    place.expect(0, &["cancel", "1"]);
    assert!(place.expect(0, &["runs"]).out.contains("✗ cancelled"));
    assert!(place.expect(0, &["run", "flow.yaml"]).err.contains("run 2"));
}

#[test]
fn what_needs_a_host_says_so_if_there_is_none() {
    let place = killed();
    let gave = place.expect(6, &["pause", "1"]);
    insta::assert_snapshot!(gave.err, @r"
    error: run 1 rests: no process is at work on it
      hint: `partitur resume 1` goes on with it
    ");
}

#[test]
fn a_terminal_that_has_joined_takes_over_when_the_host_dies() {
    let place = Place::new("");
    place.write("one.yaml", "tasks: { a: { run: touch one; sleep 60 } }");
    place.write(
        "two.yaml",
        "tasks: { b: { run: 'touch two; until [ -e go ]; do sleep 0.02; done' }, c: { needs: [b], run: touch three } }",
    );
    let host = place.start(&["run", "one.yaml"]);
    place.await_file("one");
    let guest = place.start(&["run", "two.yaml"]);
    place.await_file("two");
    host.signal(Signal::KILL);
    host.end();
    place.write("go", "");
    let gave = guest.end();
    assert_eq!(gave.code, 0, "{}", gave.err);
    assert!(gave.err.contains("the host has gone"), "{}", gave.err);
    assert!(place.path().join("three").exists());
}

#[test]
fn ctrl_c_cancels_gently() {
    let place = Place::new(
        "
tasks:
  a: { run: 'trap \"echo cleaned > cleaned; exit 0\" TERM; touch begun; while :; do sleep 0.05; done' }
",
    );
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    run.signal(Signal::INT);
    let gave = run.end();
    assert_eq!(gave.code, 4, "{}", gave.err);
    assert!(gave.err.contains("cancelling: the tasks that run are asked to end"), "{}", gave.err);
    assert_eq!(place.read("cleaned"), "cleaned\n");
    assert!(place.expect(0, &["runs"]).out.contains("✗ cancelled"));
}

#[test]
fn ctrl_c_twice_kills_at_once() {
    let place =
        Place::new("tasks: { a: { run: 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.05; done' } }");
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("pid");
    let start = Instant::now();
    run.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    run.signal(Signal::INT);
    let gave = run.end();
    assert_eq!(gave.code, 4, "{}", gave.err);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let pid = place.read("pid");
    let alive = std::path::Path::new("/proc").join(pid.trim());
    until("the task is dead", || !alive.exists());
}
