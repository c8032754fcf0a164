//! Several terminals in one directory.

use std::time::{Duration, Instant};

use crate::support::{Place, until};

fn number_of(gave: &str) -> u64 {
    let runs: serde_json::Value = serde_json::from_str(gave).unwrap();
    runs[0]["run"].as_u64().unwrap()
}

#[test]
fn two_terminals_share_locks_and_each_follows_its_own_run() {
    let place = Place::new("");
    for name in ["one", "two"] {
        place.write(
            &format!("{name}.yaml"),
            &format!(
                "tasks: {{ {name}: {{ run: 'echo {name} in >> log; touch {name}.in; sleep 0.6; echo {name} out >> log', \
                 locks: [file:shared] }} }}"
            ),
        );
    }
    let first = place.start(&["run", "one.yaml"]);
    place.await_file("one.in");
    let second = place.start(&["run", "two.yaml"]);
    until("the second waits for the lock of the first", || {
        let status: serde_json::Value =
            serde_json::from_str(&place.expect(0, &["status", "--json"]).out).unwrap();
        status["status"]["waiters"][0]["task"] == "two"
    });
    let page = place.expect(0, &["status"]).out;
    assert!(page.contains("holders") && page.contains("run 1 one"), "{page}");
    assert!(page.contains("run 2 two  waits for lock file:"), "{page}");
    let (first, second) = (first.end(), second.end());
    assert_eq!((first.code, second.code), (0, 0), "{}\n{}", first.err, second.err);
    assert_eq!(place.read("log"), "one in\none out\ntwo in\ntwo out\n");
    assert!(first.err.contains("✓ one") && !first.err.contains("✓ two"), "{}", first.err);
    assert!(second.err.contains("✓ two") && second.err.contains("lock "), "{}", second.err);
}

#[test]
fn a_run_is_cancelled_from_another_terminal() {
    let place = Place::new("tasks: { long: { run: touch begun; sleep 60 } }");
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    let start = Instant::now();
    place.expect(0, &["cancel", "last", "--reason", "enough"]);
    let gave = run.end();
    assert_eq!(gave.code, 4, "{}", gave.err);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(place.expect(0, &["runs"]).out.contains("✗ cancelled"));
    assert!(place.expect(6, &["cancel", "last"]).err.contains("has ended: cancelled"));
}

#[test]
fn one_task_is_cancelled_and_the_others_go_on() {
    let place = Place::new(
        "
tasks:
  long: { run: touch begun; sleep 60 }
  short: { run: sleep 0.2; touch done }
",
    );
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    place.expect(0, &["cancel", "last", "long"]);
    assert_eq!(run.end().code, 1);
    assert!(place.path().join("done").exists());
}

#[test]
fn the_tasks_of_an_agent_are_cancelled_by_its_name() {
    let place = Place::new(
        "
tasks:
  hers: { agent: ada, run: touch begun; sleep 60 }
  his: { agent: ben, run: sleep 0.2; touch done }
",
    );
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    place.expect(0, &["cancel", "last", "--agent", "ada"]);
    assert_eq!(run.end().code, 1);
    assert!(place.path().join("done").exists());
}

#[test]
fn a_paused_run_starts_nothing_until_it_may_go_on() {
    let place = Place::new(
        "
tasks:
  a: { run: 'touch begun; until [ -e go ]; do sleep 0.02; done' }
  b: { needs: [a], run: touch done }
",
    );
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    place.expect(0, &["pause", "last"]);
    place.write("go", "");
    until("a has ended", || place.expect(0, &["show", "last"]).out.contains("✓ a"));
    assert!(!place.path().join("done").exists());
    assert!(place.expect(0, &["runs"]).out.contains("▸ paused"));
    place.expect(0, &["unpause", "last"]);
    assert_eq!(run.end().code, 0);
    assert!(place.path().join("done").exists());
}

#[test]
fn a_waiting_task_ends_by_its_signal_with_an_output_or_a_failure() {
    let document = "
tasks:
  release: { wait: { for: approval } }
  ship: { needs: [release], run: [echo, '${release.output.by}'] }
";
    let place = Place::new(document);
    let waits = |run: &str| {
        until("release waits", || place.run(&["show", run]).out.contains("◦ release"));
    };
    let run = place.start(&["run", "flow.yaml"]);
    until("the run is there", || place.run(&["runs"]).out.contains("running"));
    waits("1");
    assert!(place.expect(2, &["signal", "1", "release", "--output", "{"]).err.contains("no JSON"));
    place.expect(6, &["signal", "1", "relase"]);
    place.expect(0, &["signal", "1", "release", "--output", r#"{"by": "ada"}"#]);
    assert_eq!(run.end().code, 0);
    assert_eq!(place.expect(0, &["logs", "1", "ship"]).out, "ada\n");

    let run = place.start(&["run", "flow.yaml"]);
    until("the second run is there", || place.run(&["runs"]).out.contains("running"));
    waits("2");
    place.expect(0, &["signal", "2", "release", "--fail", "not before Monday"]);
    let gave = run.end();
    assert_eq!(gave.code, 1);
    assert!(gave.err.contains("not before Monday"), "{}", gave.err);
}

#[test]
fn logs_are_followed_to_the_end_of_the_run() {
    let place = Place::new(
        "
tasks:
  a: { run: 'echo one; touch begun; until [ -e go ]; do sleep 0.02; done; echo two' }
",
    );
    let run = place.start(&["run", "flow.yaml"]);
    place.await_file("begun");
    let logs = place.start(&["logs", "last", "a", "--follow"]);
    let prefixed = place.start(&["logs", "last", "-f"]);
    std::thread::sleep(Duration::from_millis(200));
    place.write("go", "");
    assert_eq!(logs.end().out, "one\ntwo\n");
    assert_eq!(prefixed.end().out, "a | one\na | two\n");
    assert_eq!(run.end().code, 0);
}

#[test]
fn an_equal_run_in_a_second_terminal_is_a_run_of_its_own() {
    let place = Place::new("tasks: { a: { run: 'echo x >> log; until [ -e go ]; do sleep 0.02; done' } }");
    let first = place.start(&["run", "flow.yaml"]);
    place.await_file("log");
    let second = place.start(&["run", "flow.yaml"]);
    until("both are at work", || place.read("log") == "x\nx\n");
    assert_eq!(number_of(&place.expect(0, &["runs", "--json"]).out), 2);
    place.write("go", "");
    assert_eq!((first.end().code, second.end().code), (0, 0));
}

#[test]
fn without_a_host_status_says_so_and_nobody_is_paused() {
    let place = Place::new("tasks: { a: { run: 'true' } }");
    assert_eq!(place.expect(6, &["status"]).code, 6);
    place.expect(0, &["run", "flow.yaml"]);
    assert!(place.expect(0, &["status"]).out.contains("no process is at work"));
    assert!(place.expect(6, &["pause", "last"]).err.contains("has ended: succeeded"));
    assert!(place.expect(6, &["show", "99"]).err.contains("there is no run `99`"));
}
