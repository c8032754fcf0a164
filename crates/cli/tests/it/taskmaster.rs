//! `partitur taskmaster`: files that others write too.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Place, until};

const FILE: &str = ".taskmaster/tasks/tasks.json";

/// A project with this file of Taskmaster.
fn project(tasks: &str) -> Place {
    let place = Place::new("");
    std::fs::create_dir_all(place.path().join(".taskmaster/tasks")).unwrap();
    std::fs::create_dir_all(place.path().join("src")).unwrap();
    place.write(FILE, tasks);
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const FAULTY: &str = r#"{
  "master": {
    "tasks": [
      {"id": 1, "title": "Read", "status": "pending", "dependencies": [7, 1]},
      {"id": 2, "title": "Write", "status": "Done",  "dependencies": [1, "1"], "estimate": 1.50}
    ]
  }
}
"#;

#[test]
fn what_is_wrong_is_told_with_its_place_and_exit_code_1() {
    let place = project(FAULTY);
    let gave = place.expect(1, &["taskmaster", "check"]);
    for part in ["error[P0155]", "tasks.json:4:72", "error[P0156]", "warning[P0157]", "warning[P0161]"] {
        assert!(gave.err.contains(part), "{part} in\n{}", gave.err);
    }
    insta::assert_snapshot!(gave.out, @"2 errors, 4 warnings: 1 tag, 2 tasks, 0 subtasks, 4 dependencies");
    let told = json(&place.expect(1, &["taskmaster", "check", "--json"]).out);
    let first = &told["findings"][0];
    assert_eq!(
        (&first["tag"], &first["task"], &first["line"]),
        (&json("\"master\""), &json("\"1\""), &json("4"))
    );
    assert_eq!(first["edit"], json(r#"{"safe": true, "remove": "7", "write": ""}"#));
    assert_eq!(place.read(FILE), FAULTY, "nothing is written unless it is wanted");
}

#[test]
fn safe_changes_are_made_and_nothing_else() {
    let place = project(FAULTY);
    place.expect(0, &["taskmaster", "check", "--write"]);
    let wanted = FAULTY.replace("[7, 1]", "[]").replace("\"Done\"", "\"done\"").replace("[1, \"1\"]", "[1]");
    assert_eq!(place.read(FILE), wanted);
    place.expect(0, &["taskmaster", "check", "--write"]);
    assert_eq!(place.read(FILE), wanted);
    assert!(!place.path().join(format!("{FILE}.lock")).exists());
}

#[test]
fn the_file_and_the_tag_are_found() {
    let place =
        project(r#"{"master": {"tasks": [{"id": 1}]}, "next": {"tasks": [{"id": 2, "title": "Two"}]}}"#);
    let next = |args: &[&str]| {
        let mut command = place.command(&[&["taskmaster", "next"], args].concat());
        let output = command.current_dir(place.path().join("src")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(next(&[]).starts_with("1  —\n"));
    place.write(".taskmaster/state.json", r#"{"currentTag": "next"}"#);
    insta::assert_snapshot!(next(&[]), @"
    2  Two
      pending, and depends on nothing
      priority medium
      nothing waits for it
    ");
    assert!(next(&["--tag", "master"]).starts_with("1  —\n"));
    assert!(place.expect(6, &["taskmaster", "next", "--tag", "nxet"]).err.contains("did you mean `next`?"));
}

#[test]
fn nothing_to_do_has_its_reason() {
    let place = project(
        r#"[{"id": 1, "status": "deferred"}, {"id": 2, "dependencies": [1]}, {"id": 3, "dependencies": [9]}]"#,
    );
    insta::assert_snapshot!(place.expect(0, &["taskmaster", "next"]).out, @"
    nothing is ready; 2 open tasks wait
      3 depends on 9, which does not exist
      1 is deferred, and 2 waits for it
    ");
}

#[test]
fn a_plan_says_what_can_be_done_at_the_same_time() {
    let place = project(TASKS);
    insta::assert_snapshot!(place.expect(0, &["taskmaster", "plan"]).out, @"
    master: 7 tasks in 4 waves

    wave 1
      1  Read ${x}
      4  Rename

    wave 2
      2.1  Lexer
      7    Fails

    wave 3
      2.2  Parser
      8    After

    wave 4
      3  Write

    critical path: 1 → 2.1 → 2.2 → 3
    7.0 tasks of work, 4.0 on the critical path: 1.8 at once on average
      1 worker       7.0 tasks  1.0 × as fast as one
      2 workers      4.0 tasks  1.8 × as fast as one
      4 workers      4.0 tasks  1.8 × as fast as one
      8 workers      4.0 tasks  1.8 × as fast as one
    left out, for they wait for what will not be done: 6
      `partitur taskmaster check` says why
    ");
}

/// Tasks 1 and 4 modify the same file; task 6 waits for what will not be done.
const TASKS: &str = r#"{
  "master": {
    "tasks": [
      {"id": 1, "title": "Read ${x}", "status": "pending", "x": 1.50, "relevantFiles": [{"path": "src/a.rs", "action": "modify"}]},
      {"id": 2, "title": "Parse", "dependencies": [1], "subtasks": [
         {"id": 1, "title": "Lexer", "status": "pending"},
         {"id": 2, "title": "Parser", "status": "in-progress", "dependencies": [1]}
      ]},
      {"id": 3, "title": "Write", "status":"pending", "dependencies": [2] },
      {"id": 4, "title": "Rename", "status": "pending", "relevantFiles": [{"path": "src/a.rs", "action": "modify"}]},
      {"id": 5, "title": "Later", "status": "deferred"},
      {"id": 6, "title": "After later", "status": "pending", "dependencies": [5]},
      {"id": 7, "title": "Fails", "status": "pending", "dependencies": [4]},
      {"id": 8, "title": "After", "status": "pending", "dependencies": [7]}
    ]
  }
}
"#;

/// The file after these tasks have been done: the words of their statuses, and nothing else.
fn after(file: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(file.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

#[test]
fn tasks_run_in_their_order_and_their_statuses_are_written_back() {
    let place = project(TASKS);
    let script = "echo begin $TASKMASTER_ID >> log; cat >> given; sleep 0.2; echo end $TASKMASTER_ID >> log; test $TASKMASTER_ID != 7";
    place.expect(1, &["taskmaster", "run", "-j", "4", "--failed", "blocked", "--shell", script]);
    let wanted = after(
        TASKS,
        &[
            ("Read ${x}\", \"status\": \"pending\"", "Read ${x}\", \"status\": \"done\""),
            ("\"id\": 2, \"title\": \"Parse\"", "\"id\": 2, \"status\": \"done\", \"title\": \"Parse\""),
            ("Lexer\", \"status\": \"pending\"", "Lexer\", \"status\": \"done\""),
            ("Parser\", \"status\": \"in-progress\"", "Parser\", \"status\": \"done\""),
            ("\"status\":\"pending\"", "\"status\":\"done\""),
            ("Rename\", \"status\": \"pending\"", "Rename\", \"status\": \"done\""),
            ("Fails\", \"status\": \"pending\"", "Fails\", \"status\": \"blocked\""),
        ],
    );
    assert_eq!(place.read(FILE), wanted);
    let log = place.read("log");
    let at = |line: &str| log.lines().position(|it| it == line).unwrap_or_else(|| panic!("{line} in\n{log}"));
    for (before, behind) in
        [("end 1", "begin 2.1"), ("end 2.1", "begin 2.2"), ("end 2.2", "begin 3"), ("end 4", "begin 7")]
    {
        assert!(at(before) < at(behind), "{log}");
    }
    assert!(at("end 1") < at("begin 4") || at("end 4") < at("begin 1"), "both modify src/a.rs\n{log}");
    assert_eq!(log.lines().count(), 12, "6 and 8 are not executed\n{log}");
    let given = place.read("given");
    assert!(given.contains("\"title\": \"Lexer\"") && given.contains("\"id\":\"2.1\""), "{given}");
}

#[test]
fn what_others_write_meanwhile_stays() {
    let place =
        project(r#"[{"id": 1, "title": "One"}, {"id": 2, "title": "Two"}, {"id": 3, "title": "Three"}]"#);
    let started = place.start(&[
        "taskmaster",
        "run",
        "--shell",
        "touch began-$TASKMASTER_ID; while ! test -e go; do sleep 0.05; done",
    ]);
    for id in 1..=3 {
        place.await_file(&format!("began-{id}"));
    }
    let text = place.read(FILE);
    assert_eq!(text.matches("\"in-progress\"").count(), 3);
    let edited = text
        .replace("Two", "Zwei")
        .replace("\"id\": 3, \"status\": \"in-progress\"", "\"id\": 3, \"status\": \"review\"");
    place.write(FILE, &edited);
    place.write("go", "");
    let gave = started.end();
    assert_eq!(gave.code, 1, "{}", gave.err);
    assert!(gave.err.contains("task 3 is review by now"), "{}", gave.err);
    assert_eq!(place.read(FILE), edited.replace("in-progress", "done"));
}

#[test]
fn after_a_crash_nothing_is_done_twice() {
    let place = project(r#"[{"id": 1}, {"id": 2, "dependencies": [1]}]"#);
    let script = "echo $TASKMASTER_ID >> log; test $TASKMASTER_ID = 1 || test -e go || sleep 60";
    let started = place.start(&["taskmaster", "run", "--shell", script]);
    until("the second task runs", || place.read("log").contains('2'));
    started.signal(rustix::process::Signal::KILL);
    started.end();
    place.write("go", "");
    place.expect(0, &["taskmaster", "run", "--shell", script]);
    assert_eq!(place.read("log"), "1\n2\n2\n");
    assert_eq!(place.read(FILE).matches("\"done\"").count(), 2);
}

#[test]
fn a_command_that_takes_too_long_has_failed() {
    let place = project(r#"[{"id": 1, "status": "pending"}]"#);
    place.expect(1, &["taskmaster", "run", "--timeout", "300ms", "--failed", "blocked", "--", "sleep", "60"]);
    assert_eq!(place.read(FILE), r#"[{"id": 1, "status": "blocked"}]"#);
}

#[test]
fn a_lock_that_is_held_is_respected_and_one_that_was_left_behind_is_not() {
    let place = project(FAULTY);
    let lock = place.path().join(format!("{FILE}.lock"));
    std::fs::create_dir(&lock).unwrap();
    let gave = place.expect(6, &["taskmaster", "check", "--write"]);
    assert!(gave.err.contains("somebody else writes"), "{}", gave.err);
    assert_eq!(place.read(FILE), FAULTY);
    let old = SystemTime::now() - Duration::from_secs(11);
    std::fs::File::open(&lock).unwrap().set_modified(old).unwrap();
    place.expect(0, &["taskmaster", "check", "--write"]);
    assert!(!lock.exists() && place.read(FILE) != FAULTY);
}

#[test]
fn trust_says_what_to_do_before_running_in_parallel() {
    let place = project(TASKS);
    let told = json(&place.expect(0, &["taskmaster", "trust", "--json"]).out);
    assert_eq!(told["verdict"], "safe-with-locks");
    assert_eq!(told["locks"], json(r#"["file:src/a.rs"]"#));
    assert_eq!(told["missing"], json(r#"[{"first": "1", "second": "4", "lock": "file:src/a.rs"}]"#));
    let gave = place.expect(0, &["taskmaster", "trust"]);
    for part in ["accuracy", "edge cases", "performance", "error recovery", "integration", "trustworthiness"]
    {
        assert!(gave.out.contains(&format!("{part}\n")), "{part} in\n{}", gave.out);
    }
    let place = project(FAULTY);
    assert!(place.expect(1, &["taskmaster", "trust"]).out.contains("not before the errors are mended"));
}

#[test]
fn a_picture_shows_how_far_everything_is() {
    let place = project(TASKS);
    insta::assert_snapshot!(place.expect(0, &["taskmaster", "graph"]).out, @"
    master  10 tasks and subtasks, 10 of them open

    ◦    1  Read ${x}  ◆
    ·    2  Parse  ◆
    │    ·  2.1  Lexer  ◆
    │    ▸  2.2  Parser  ◆
    ·    3  Write  ◆
      ◦  4  Rename
      ·  7  Fails
      ·  8  After
    ∅    5  Later
    ·    6  After later

    ◆ critical path
    ");
    assert!(place.expect(0, &["taskmaster", "graph", "--format", "svg"]).out.starts_with("<svg"));
}
