//! `partitur run`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use partitur_api::{Event, EventKind};

use crate::support::{Place, settings, state};

const FLOW: &str = "
name: month-end
inputs:
  month: { type: string, default: '10' }
  regions: { type: list, default: [de, fr] }
tasks:
  load:
    run: echo loading ${inputs.month}; touch loaded
  invoices:
    needs: [load]
    for-each: ${inputs.regions}
    key: ${each.value}
    run: [echo, '${each.value}']
    locks: [file:data/erp.db]
  close:
    needs: [invoices]
    run: |
      echo '{\"rows\": 17}'
outputs:
  rows: ${close.output.rows}
";

#[test]
fn a_run_says_what_ends_and_sums_up() {
    let place = Place::new(FLOW);
    let gave = place.expect(0, &["run", "flow.yaml"]);
    assert_eq!(gave.out, "{\"rows\":17}\n");
    let mut lines: Vec<&str> =
        gave.err.lines().take(4).map(|line| line.split("  ").next().unwrap()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["✓ close", "✓ invoices[de]", "✓ invoices[fr]", "✓ load"]);
    assert!(gave.err.contains("✓ month-end succeeded after"), "{}", gave.err);
    assert!(gave.err.contains("tasks         4 succeeded\n"), "{}", gave.err);
    assert!(gave.err.contains("output        rows = 17\n"), "{}", gave.err);
    assert_eq!(std::fs::read_to_string(state(&place).join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_failed_task_shows_the_last_lines_of_its_output_at_once() {
    let place = Place::new(
        "
tasks:
  good: { run: echo fine }
  bad: { needs: [good], run: 'seq 1 20; echo oh no >&2; exit 3' }
  after: { needs: [bad], run: echo never }
",
    );
    let gave = place.expect(1, &["run", "flow.yaml"]);
    // Of a few milliseconds, how many are saved is chance.
    let told: String = gave
        .err
        .lines()
        .filter(|line| !line.contains("time saved"))
        .map(|line| format!("{line}\n"))
        .collect();
    settings().bind(|| {
        insta::assert_snapshot!(told, @r"
        ✓ good  [time]
        ✗ bad  failure  [time]  exit code 3: oh no
          │ … 9 lines before
          │ 10
          │ 11
          │ 12
          │ 13
          │ 14
          │ 15
          │ 16
          │ 17
          │ 18
          │ 19
          │ 20
          │ oh no
        ∅ after  skipped  `bad` ended as failure
        ✗ flow failed after [time]   run 1
          tasks         1 succeeded · 1 failed · 1 skipped
          critical path [time]: good [time] → bad [time]
          waits         dependency [time] (all tasks together)
          logs          partitur logs 1
          next          partitur resume 1 goes on from there; partitur rollback 1 undoes it
        ");
    });
}

#[test]
fn only_what_a_target_needs_is_run_and_inputs_have_the_types_that_are_declared() {
    let place = Place::new(FLOW);
    place.expect(0, &["run", "flow.yaml", "load", "--input", "month=010", "--verbose"]);
    assert_eq!(place.expect(0, &["logs", "last", "load"]).out, "loading 010\n");
    let shown: serde_json::Value =
        serde_json::from_str(&place.expect(0, &["show", "last", "--json"]).out).unwrap();
    assert_eq!(shown["input"]["month"], "010");
    assert_eq!(shown["tasks"].as_array().unwrap().len(), 1);
}

#[test]
fn everything_that_is_wrong_with_inputs_and_targets_is_told_at_once() {
    let place = Place::new(FLOW);
    let gave = place.expect(3, &["run", "flow.yaml", "clse", "-i", "regions=7", "-i", "mont=1"]);
    insta::assert_snapshot!(gave.err, @r"
    error[P0302]: the input `mont` is not one of the document's
      hint: did you mean `month`?
    error[P0303]: the input `regions` must be a list, and is 7
    error[P0304]: the target `clse` is not a task of the document
      hint: did you mean `close`?
    ");
    let gave = place.expect(2, &["run", "flow.yaml", "-i", "month"]);
    insta::assert_snapshot!(gave.err, @r"
    error: `--input month` gives no value
      hint: write `--input month=VALUE`
    ");
}

#[test]
fn inputs_come_from_a_file_and_single_ones_replace_them() {
    let place = Place::new(FLOW);
    place.write("in.json", r#"{"month": "11", "regions": ["at"]}"#);
    place.expect(0, &["run", "flow.yaml", "--input-file", "in.json", "-i", "month=12"]);
    let shown: serde_json::Value =
        serde_json::from_str(&place.expect(0, &["show", "last", "--json"]).out).unwrap();
    assert_eq!(shown["input"], serde_json::json!({"month": "12", "regions": ["at"]}));
    place.write("in.json", "[1]");
    assert!(
        place.expect(2, &["run", "flow.yaml", "--input-file", "in.json"]).err.contains("it is no object")
    );
}

#[test]
fn the_event_stream_is_all_that_json_prints() {
    let place = Place::new(FLOW);
    let gave = place.expect(0, &["run", "flow.yaml", "--json"]);
    assert_eq!(gave.err, "");
    let events: Vec<Event> = gave.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = events.iter().filter(|event| matches!(event.kind, EventKind::TaskEnded { .. })).count();
    // Two of them are the parts of the list, which ends too.
    assert_eq!(ended, 5);
    let last = &events.last().unwrap().kind;
    assert!(matches!(last, EventKind::Run { ended: true, output: Some(_), .. }), "{last:?}");
}

#[test]
fn a_plan_shows_waves_locks_parts_and_what_is_not_known() {
    let place = Place::new(FLOW);
    insta::assert_snapshot!(place.expect(0, &["run", "flow.yaml", "--dry-run"]).out, @r"
    month-end: 3 tasks (4 with their parts) in 3 waves, 10 at once

    wave 1
      load            ?

    wave 2
      invoices        ?  after load  locks file:data/erp.db
                         is 2: invoices[de], invoices[fr]

    wave 3
      close           ?  after invoices

    how long it takes is not known: none of its tasks has run before
    ");
    assert!(!state(&place).exists(), "a plan leaves nothing behind");
    place.expect(0, &["run", "flow.yaml"]);
    let plan = place.expect(0, &["run", "flow.yaml", "--dry-run", "--json", "-j", "3"]).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["concurrency"], 3);
    assert_eq!(plan["waves"][0][0]["expected_from"], "history");
    assert_eq!(plan["waves"][1][0]["parts"], serde_json::json!(["invoices[de]", "invoices[fr]"]));
}

#[test]
fn a_list_that_a_task_produces_is_open_in_the_plan() {
    let place = Place::new(
        "
tasks:
  list: { run: \"echo '{\\\"items\\\": [1, 2]}'\", expected: 3s }
  parts: { needs: [list], for-each: '${list.output.items}', run: [echo, '${each.value}'], cache: true }
",
    );
    let plan = place.expect(0, &["run", "flow.yaml", "--dry-run"]).out;
    assert!(plan.contains("is parts[…], as its list says"), "{plan}");
    assert!(
        plan.contains("whether a result comes from the cache is known only when its task is ready"),
        "{plan}"
    );
}

#[test]
fn output_is_shown_with_names_or_as_it_is_if_asked_for() {
    let place = Place::new(
        "
tasks:
  a: { run: echo one; echo two >&2 }
  b: { needs: [a], run: printf three }
",
    );
    let gave = place.expect(0, &["run", "flow.yaml", "--output", "prefixed"]);
    assert_eq!(gave.out, "a | one\nb | three\n");
    assert!(gave.err.contains("a | two\n"), "{}", gave.err);
    let gave = place.expect(0, &["run", "flow.yaml", "--output", "raw", "--quiet"]);
    assert_eq!((gave.out.as_str(), gave.err.as_str()), ("one\nthree", "two\n"));
    let gave = place.expect(0, &["run", "flow.yaml", "-v"]);
    assert!(gave.err.contains("  │ one\n  │ two\n"), "{}", gave.err);
}

#[test]
fn a_secret_that_is_not_given_is_an_error_that_says_how_to_give_it() {
    let place = Place::new(
        "
secrets: [erp-token]
tasks:
  a: { run: 'cat $ERP_TOKEN_FILE > got', secrets: [erp-token] }
",
    );
    let gave = place.expect(2, &["run", "flow.yaml"]);
    insta::assert_snapshot!(gave.err, @r"
    error: the document needs the secret `erp-token`, which is not given
      hint: set PARTITUR_SECRET_ERP_TOKEN, or put it into the file `erp-token` of --secret-dir
    ");
    let gave =
        place.command(&["run", "flow.yaml"]).env("PARTITUR_SECRET_ERP_TOKEN", "s3cret").output().unwrap();
    assert!(gave.status.success());
    assert_eq!(place.read("got"), "s3cret");
    std::fs::create_dir(place.path().join("secrets")).unwrap();
    place.write("secrets/erp-token", "from a file\n");
    place.expect(0, &["run", "flow.yaml", "--secret-dir", "secrets"]);
    assert_eq!(place.read("got"), "from a file");
}

#[test]
fn a_missing_document_has_neighbours() {
    let place = Place::new(FLOW);
    let gave = place.expect(3, &["run", "flwo.yaml"]);
    insta::assert_snapshot!(gave.err, @r"
    error: cannot read flwo.yaml: no such file or directory
      hint: did you mean `flow.yaml`?
    ");
    assert!(place.expect(3, &["check", "flow.yml"]).err.contains("did you mean `flow.yaml`?"));
}

#[test]
fn names_that_are_no_text_do_no_harm() {
    let place = Place::new("tasks: { a: { run: touch done } }");
    let name = OsStr::from_bytes(b"fl\xffw.yaml");
    std::fs::copy(place.path().join("flow.yaml"), place.path().join(name)).unwrap();
    let gave = place.command(&["run"]).arg(name).output().unwrap();
    assert!(gave.status.success(), "{}", String::from_utf8_lossy(&gave.stderr));
    assert!(place.path().join("done").exists());
    let dir = place.path().join(OsStr::from_bytes(b"d\xff"));
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(place.path().join("flow.yaml"), dir.join("flow.yaml")).unwrap();
    let gave = place.command(&["run", "flow.yaml"]).current_dir(&dir).output().unwrap();
    assert_eq!(gave.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&gave.stderr).contains("is no UTF-8"));
}

#[test]
fn the_state_lies_where_it_is_told() {
    let place = Place::new("tasks: { a: { run: 'true' } }");
    place.expect(0, &["run", "flow.yaml", "--state-dir", "elsewhere"]);
    assert!(place.path().join("elsewhere/partitur.db").exists() && !state(&place).exists());
    assert!(place.expect(6, &["runs"]).err.contains("no run has been started"));
    let gave = place.command(&["runs"]).env("PARTITUR_STATE", "elsewhere").output().unwrap();
    assert!(gave.status.success());
}

#[test]
fn a_clean_environment_has_what_commands_need_and_no_more() {
    let place = Place::new("tasks: { a: { run: 'echo ${TOKEN:-none} ${HOME:+home}' } }");
    let shown = |args: &[&str]| {
        place.command(args).env("TOKEN", "abc").output().unwrap();
        place.expect(0, &["logs", "last", "a"]).out
    };
    assert_eq!(shown(&["run", "flow.yaml"]), "abc home\n");
    assert_eq!(shown(&["run", "flow.yaml", "--clean-env"]), "none home\n");
}

#[test]
fn files_with_variables_give_way_to_what_is_declared() {
    let place = Place::new(
        "
defaults: { env-file: common.env }
tasks:
  a: { run: 'echo $HOST $PORT $MODE >> log', env: { MODE: fast } }
  b: { needs: [a], run: 'echo $HOST $PORT $MODE >> log', env-file: [common.env, own.env] }
  c: { needs: [b], run: 'true', env-file: gone.env }
",
    );
    place.write("common.env", "HOST=db\nPORT=1\nMODE=slow\n");
    place.write("own.env", "PORT='2 $HOME'\n");
    let gave = place.expect(1, &["run", "flow.yaml"]);
    assert_eq!(place.read("log"), "db 1 fast\ndb 2 $HOME slow\n");
    assert!(gave.err.contains("gone.env: No such file"), "{}", gave.err);
}
