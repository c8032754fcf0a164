//! `partitur runs` and `partitur show`.

use crate::support::{Place, settings};

const FLOW: &str = "
name: books
on-failure: continue
resources: { gpu: 2 }
breakers: { erp: {} }
tasks:
  orders:
    run: echo orders
    locks: [file:erp.db, { resource: gpu, units: 2 }]
    timeout: 5m
    breaker: erp
    priority: high
  parts:
    needs: [orders]
    for-each: [x, y]
    key: ${each.value}
    run: [echo, '${each.value}']
    locks: [{ resource: 'file:erp.db', mode: shared }]
  flaky:
    run: 'exit 75'
    retry: { attempts: 2, base: 10ms, jitter: false }
  never:
    needs: [orders]
    when: orders.output.rows == 5
    run: echo
  after:
    needs: [flaky]
    run: echo
";

#[test]
fn a_run_is_shown_with_what_was_declared_and_what_became_of_it() {
    let place = Place::new(FLOW);
    place.expect(1, &["run", "flow.yaml"]);
    let shown = place.expect(0, &["show", "last"]).out;
    let head_and_tasks = shown.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n");
    settings().bind(|| {
        insta::assert_snapshot!(place.plain(&head_and_tasks), @r"
        books  run 1  ✗ failed after [time]
          id            [id]
          started       [moment] by tester
          document      flow.yaml in [DIR]
          error         `flaky`: exit code 75
          resources     gpu 2
          breakers      erp (opens after 5 failures)

          ✓ orders  [time]
            locks file:erp.db, gpu ×2 · timeout 5m · breaker erp · high priority
          ✓ parts  [time]
            locks file:erp.db shared
            ✓ parts[x]  [time]
            ✓ parts[y]  [time]
          ✗ flaky  [time]  failure · attempt 2 of 2
            up to 2 attempts (exponential from [time] to [time])
            exit-75  exit code 75
          ∅ never                     skipped
            when orders.output.rows == 5
            its condition does not hold: orders.output.rows == 5
          ∅ after                     skipped
            `flaky` ended as failure
        ");
    });
}

#[test]
fn runs_are_listed_newest_first_and_found_by_state_and_name() {
    let place = Place::new(FLOW);
    place.write("good.yaml", "tasks: { a: { run: 'true' } }");
    place.expect(1, &["run", "flow.yaml"]);
    place.expect(0, &["run", "good.yaml"]);
    settings().bind(|| {
        insta::assert_snapshot!(place.expect(0, &["runs"]).out, @r"
        run  state            name       started      took  file
          2  ✓ succeeded      good  [time] ago  [time]  good.yaml
          1  ✗ failed         books  [time] ago  [time]  flow.yaml
        ");
    });
    let numbers = |args: &[&str]| -> Vec<u64> {
        let runs: serde_json::Value = serde_json::from_str(&place.expect(0, args).out).unwrap();
        runs.as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&["runs", "--json"]), [2, 1]);
    assert_eq!(numbers(&["runs", "--json", "--state", "failed"]), [1]);
    assert_eq!(numbers(&["runs", "--json", "--state", "unfinished"]), [0; 0]);
    assert_eq!(numbers(&["runs", "--json", "--name", "good"]), [2]);
    assert_eq!(numbers(&["runs", "--json", "--limit", "1"]), [2]);
}

#[test]
fn a_run_is_found_by_its_number_its_id_and_the_beginning_of_it() {
    let place = Place::new("tasks: { a: { run: 'true' } }");
    place.expect(0, &["run", "flow.yaml"]);
    let id = |text: &str| -> String {
        let shown: serde_json::Value =
            serde_json::from_str(&place.expect(0, &["show", text, "--json"]).out).unwrap();
        shown["id"].as_str().unwrap().to_owned()
    };
    let whole = id("1");
    assert_eq!([id("last"), id(&whole), id(&whole[..14])], [whole.clone(), whole.clone(), whole.clone()]);
}

#[test]
fn sub_runs_are_shown_and_logged_with_the_run_above() {
    let place = Place::new(
        "
tasks:
  close: { flow: inner.yaml }
",
    );
    place.write("inner.yaml", "tasks: { sum: { run: echo from below } }");
    place.expect(0, &["run", "flow.yaml"]);
    let shown = place.expect(0, &["show", "1"]).out;
    assert!(shown.contains("sub-run 2 of inner.yaml") && shown.contains("✓ sum"), "{shown}");
    assert_eq!(place.expect(0, &["logs", "1"]).out, "close/sum | from below\n");
    assert_eq!(place.expect(0, &["logs", "1", "close/sum"]).out, "from below\n");
    assert_eq!(place.expect(0, &["runs"]).out.lines().count(), 2);
    assert_eq!(place.expect(0, &["runs", "--all"]).out.lines().count(), 3);
}

#[test]
fn the_attempts_of_a_task_have_logs_of_their_own() {
    let place = Place::new(
        "
tasks:
  a: { run: 'echo try >> tries; wc -l < tries; exit 1', retry: { attempts: 2, base: 10ms } }
",
    );
    place.expect(1, &["run", "flow.yaml"]);
    assert_eq!(place.expect(0, &["logs", "1", "a"]).out.split_whitespace().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(place.expect(0, &["logs", "1", "a", "--attempt", "2"]).out.trim(), "2");
    assert!(place.expect(6, &["logs", "1", "b"]).err.contains("has no task `b`"));
}
