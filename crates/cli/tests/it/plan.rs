//! `partitur plan`: its figures, and that its advice keeps its word.

use serde_json::Value;

use crate::support::{Place, state};

const FLOW: &str = "
name: build
concurrency: 4
resources: { gpu: 2 }
tasks:
  fetch: { run: 'true', expected: 2s }
  compile: { needs: [fetch], run: 'true', expected: 6s, locks: ['file:out'] }
  docs: { needs: [fetch], run: 'true', expected: 5s, locks: ['file:out'] }
  train: { run: 'true', expected: 3s, locks: [{ resource: gpu, units: 2 }] }
  test: { needs: [compile, docs], run: 'true', expected: 4s }
  choose: { needs: [test], eval: 1 + 1 }
";

fn planned(place: &Place, args: &[&str]) -> Value {
    let args = [&["plan", "flow.yaml", "--json"], args].concat();
    serde_json::from_str(&place.expect(0, &args).out).unwrap()
}

#[test]
fn a_plan_says_how_long_and_what_costs_time() {
    let place = Place::new(FLOW);
    insta::assert_snapshot!(place.expect(0, &["plan", "flow.yaml", "--partition", "2"]).out, @r"
    build: 6 tasks in 4 waves, 4 at once

    wave 1
      fetch      ~2.0s  critical
      train      ~3.0s  locks gpu ×2  slack 9.0s

    wave 2
      compile    ~6.0s  after fetch  locks file:out  critical
      docs       ~5.0s  after fetch  locks file:out  slack 1.0s

    wave 3
      test       ~4.0s  after compile, docs  critical

    wave 4
      choose      ~0ms  after test  critical

    expected to take 17.0s with 4 at once

    critical path  12.0s: fetch → compile → test → choose
    parallelism    2 at most, 1.7 on average
    independent    2 groups: fetch and 4 with it, train

    at once     takes   speed-up
          1     20.0s   1.00 ×
          2     17.0s   1.18 ×
          3     17.0s   1.18 ×
          4     17.0s   1.18 ×

    what costs time, found by planning without it
        5.0s   29 %  without the lock on `file:out`
        4.0s   24 %  if `test` did not need `docs`
        2.0s   12 %  if `compile` did not need `fetch`

    on 2 machines by levels, 4 at once on each: 12.0s, 0ms lost against one queue for all
    2 of 5 dependencies cross, 2 results are sent
      1    12.0s  docs, train, test, choose
      2     8.0s  fetch, compile

    on 2 machines by chains, 4 at once on each: 12.0s, 0ms lost against one queue for all
    2 of 5 dependencies cross, 2 results are sent
      1    12.0s  fetch, compile, test, choose
      2     8.0s  docs, train
    ");
    assert!(!state(&place).exists(), "a plan leaves nothing behind");
}

/// The document without the dependency or lock of which the advice speaks really takes as long as was said.
#[test]
fn every_advice_is_kept_by_a_document_that_follows_it() {
    let place = Place::new(FLOW);
    let plan = planned(&place, &[]);
    let advice = plan["advice"].as_array().unwrap();
    assert!(advice.len() >= 3, "{plan}");
    for advice in advice {
        let words = advice["words"].as_str().unwrap();
        let changed = match words {
            "if `test` did not need `compile`" => FLOW.replace("[compile, docs]", "[docs]"),
            "if `test` did not need `docs`" => FLOW.replace("[compile, docs]", "[compile]"),
            "if `compile` did not need `fetch`" => FLOW.replace("compile: { needs: [fetch], ", "compile: { "),
            "if `docs` did not need `fetch`" => FLOW.replace("docs: { needs: [fetch], ", "docs: { "),
            "without the lock on `file:out`" => FLOW.replace(", locks: ['file:out']", ""),
            other => panic!("no document follows `{other}`"),
        };
        assert_ne!(changed, FLOW);
        let follower = Place::new(&changed);
        assert_eq!(planned(&follower, &[])["makespan_ms"], advice["makespan_ms"], "{words}");
        let saves = plan["makespan_ms"].as_u64().unwrap() - advice["makespan_ms"].as_u64().unwrap();
        assert_eq!(advice["saves_ms"], saves);
    }
}

#[test]
fn more_at_once_is_planned_with_more_at_once() {
    let place = Place::new(FLOW);
    let plan = planned(&place, &["--workers", "1"]);
    assert_eq!((&plan["makespan_ms"], &plan["work_ms"]), (&20_000.into(), &20_000.into()));
    let curve = planned(&place, &["--workers", "12"])["curve"].clone();
    assert_eq!(curve.as_array().unwrap().len(), 9);
    assert_eq!(curve[0], serde_json::json!({"concurrency": 1, "makespan_ms": 20_000}));
}

#[test]
fn a_split_says_who_does_what_and_what_is_sent() {
    let place = Place::new(FLOW);
    for split in planned(&place, &["--partition", "3"])["partitions"].as_array().unwrap() {
        let machines = split["machines"].as_array().unwrap();
        assert_eq!(machines.len(), 3);
        let tasks: usize = machines.iter().map(|machine| machine["tasks"].as_array().unwrap().len()).sum();
        assert_eq!(tasks, 6);
        assert!(split["transfers"].as_u64().unwrap() <= split["crossing"].as_u64().unwrap());
    }
}

#[test]
fn earlier_runs_say_how_long_tasks_take() {
    let place =
        Place::new("tasks:\n  a: { run: sleep 0.2 }\n  b: { needs: [a], run: 'true', expected: 7s }\n");
    place.expect(0, &["run", "flow.yaml"]);
    let plan = planned(&place, &[]);
    assert_eq!(plan["waves"][0][0]["expected_from"], "history");
    let took = plan["makespan_ms"].as_u64().unwrap();
    assert!((200..7_000).contains(&took), "{took}");
}

#[test]
fn a_plan_of_nothing_is_a_plan() {
    let place = Place::new("tasks: {}\n");
    let gave = place.run(&["plan", "flow.yaml"]);
    assert!(gave.code == 0 || gave.err.contains("error[P"), "{gave:?}");
}

#[test]
fn the_parts_of_a_list_count_one_by_one_with_what_each_of_them_holds() {
    let place = Place::new(
        "
name: lists
concurrency: 4
tasks:
  many: { for-each: [a, b, c, d, e, f], key: '${each.value}', run: 'true', expected: 2s, locks: ['file:${each.value}'] }
  narrow: { for-each: [1, 2, 3], max-parallel: 1, run: 'true', expected: 1s }
  last: { needs: [many, narrow], run: 'true', expected: 1s }
",
    );
    let told = planned(&place, &[]);
    assert_eq!((&told["tasks"], &told["tasks_with_parts"]), (&3.into(), &10.into()));
    assert_eq!(told["work_ms"], 16_000);
    // Six of two seconds and three of one, one after the other, in four places: no less than five seconds.
    let makespan = told["makespan_ms"].as_u64().unwrap();
    assert!((5_000..=6_000).contains(&makespan), "{told}");
    assert_eq!(told["curve"][0]["makespan_ms"], 16_000);
    let critical = told["critical_path"]["tasks"].to_string();
    assert_eq!(told["critical_path"]["ms"], 3_000, "{critical}");
    assert!(critical.contains("many[") && !critical.contains("\"many\""), "{critical}");
    assert_eq!(told["assumed"], serde_json::json!([]));
    // What makes the parts of a list is no dependency that could be left out.
    let words: Vec<&str> =
        told["advice"].as_array().unwrap().iter().filter_map(|one| one["words"].as_str()).collect();
    assert!(words.iter().all(|words| !words.starts_with("if `many[")), "{words:?}");
}

#[test]
fn how_many_parts_there_will_be_is_taken_from_earlier_runs_and_said() {
    let place = Place::new(
        "
name: later
concurrency: 2
tasks:
  list: { run: \"echo '[1, 2, 3, 4]'\", output: json, expected: 1s }
  parts: { needs: [list], for-each: '${list.output}', run: sleep 0.05 }
  round:
    needs: [list]
    loop:
      tasks:
        step:
          run: |
            echo x >> n
            if [ $(wc -l < n) -lt 3 ]; then echo '{\"more\": true}'; else echo '{\"more\": false}'; fi
      while: step.output.more == true
",
    );
    let told = place.expect(0, &["plan", "flow.yaml"]).out;
    for words in [
        "assumed: parts counts as one task: how many parts its list has is not known before it runs",
        "assumed: round counts as one task: how often it goes round is not known",
    ] {
        assert!(told.contains(words), "{told}");
    }
    place.expect(0, &["run", "flow.yaml"]);
    let told = planned(&place, &[]);
    assert_eq!(told["tasks_with_parts"], 8, "{told}");
    let assumed = told["assumed"].to_string();
    assert!(assumed.contains("parts has 4 parts, as in earlier runs"), "{assumed}");
    assert!(assumed.contains("round goes round 3 times, as at most in earlier runs"), "{assumed}");
}
