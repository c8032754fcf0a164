//! What is done to ended runs: resume, rerun, restart, rollback.

use crate::support::Place;

const FLAKY: &str = "
tasks:
  a: { run: echo a >> log }
  b: { needs: [a], run: 'echo b >> log; [ -e fixed ]' }
  c: { needs: [b], run: echo c >> log }
";

#[test]
fn a_failed_run_goes_on_from_its_failures() {
    let place = Place::new(FLAKY);
    place.expect(1, &["run", "flow.yaml"]);
    place.write("fixed", "");
    let gave = place.expect(0, &["resume"]);
    assert!(gave.err.starts_with("going on with run 1 (failed)"), "{}", gave.err);
    assert_eq!(place.read("log"), "a\nb\nb\nc\n");
    // An ended run is never continued by `run`.
    assert!(place.expect(0, &["run", "flow.yaml"]).err.contains("run 2"));
}

#[test]
fn a_run_is_run_again_from_a_task_or_from_the_beginning() {
    let place = Place::new(FLAKY);
    place.write("fixed", "");
    place.expect(0, &["run", "flow.yaml"]);
    place.expect(0, &["rerun", "last", "b"]);
    assert_eq!(place.read("log"), "a\nb\nc\nb\nc\n");
    place.expect(0, &["restart", "1"]);
    assert_eq!(place.read("log"), "a\nb\nc\nb\nc\na\nb\nc\n");
    place.expect(6, &["rerun", "1", "nobody"]);
}

#[test]
fn a_run_is_rolled_back_by_policy_or_by_hand() {
    let document = "
tasks:
  a: { run: echo a >> log, undo: echo undo a >> log }
  b: { needs: [a], run: echo b >> log, undo: echo undo b >> log }
  c: { needs: [b], run: 'exit 1' }
";
    let place = Place::new(document);
    let gave = place.expect(1, &["run", "flow.yaml", "--on-failure", "rollback"]);
    assert!(gave.err.contains("↶ rolling back"), "{}", gave.err);
    assert_eq!(place.read("log"), "a\nb\nundo b\nundo a\n");

    let place = Place::new(document);
    place.expect(1, &["run", "flow.yaml"]);
    assert_eq!(place.read("log"), "a\nb\n");
    place.expect(0, &["rollback", "last"]);
    assert_eq!(place.read("log"), "a\nb\nundo b\nundo a\n");
}

#[test]
fn a_rollback_that_fails_has_its_exit_code_and_goes_on_when_resumed() {
    let place = Place::new(
        "
on-failure: rollback
tasks:
  a: { run: echo a >> log, undo: '[ -e fixed ] && echo undo a >> log' }
  b: { needs: [a], run: 'exit 1' }
",
    );
    let gave = place.expect(5, &["run", "flow.yaml"]);
    assert!(gave.err.contains("✗ a  was not undone"), "{}", gave.err);
    place.write("fixed", "");
    place.expect(1, &["resume"]);
    assert_eq!(place.read("log"), "a\nundo a\n");
    assert!(place.expect(0, &["runs"]).out.contains("✗ rolled back"));
}

#[test]
fn breakers_and_the_cache_are_seen_and_reset() {
    let place = Place::new(
        "
breakers: { erp: { failures: 1 } }
tasks:
  a: { run: 'exit 1', breaker: erp }
  b: { run: [echo, hello], cache: true }
",
    );
    place.expect(1, &["run", "flow.yaml"]);
    let listed = place.expect(0, &["breakers"]).out;
    assert!(listed.starts_with("erp  open for another"), "{listed}");
    place.expect(0, &["breakers", "reset", "erp"]);
    assert_eq!(place.expect(0, &["breakers"]).out, "every breaker is closed\n");
    assert!(place.expect(0, &["cache", "stats"]).out.starts_with("1 results"), "one result is kept");
    let gave = place.run(&["run", "flow.yaml"]);
    assert!(gave.err.contains("✓ b  from the cache"), "{}", gave.err);
    place.expect(0, &["cache", "clear"]);
    assert!(place.expect(0, &["cache", "stats"]).out.starts_with("0 results"));
}
