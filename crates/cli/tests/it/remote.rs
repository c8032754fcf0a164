//! The commands that ask a server, against our own, over the wire.

use std::process::{Child, Stdio};

use crate::pty::Terminal;
use crate::support::{Gave, Place, until};

/// Definitions of tasks and of a workflow that runs another one.
const FLOWS: &str = r#"{
 "taskDefs": [{"name": "pick", "retryCount": 1, "retryDelaySeconds": 0}, {"name": "pack", "retryCount": 0}],
 "workflowDefs": [
  {"name": "ordering", "version": 1, "description": "From the order to the parcel", "inputParameters": ["order"], "tasks": [
   {"name": "pick", "taskReferenceName": "pick", "type": "SIMPLE", "inputParameters": {"order": "${workflow.input.order}"}},
   {"name": "size", "taskReferenceName": "size", "type": "SWITCH", "evaluatorType": "value-param", "expression": "n",
    "inputParameters": {"n": "${workflow.input.size}"}, "decisionCases": {
     "big": [{"name": "note", "taskReferenceName": "note", "type": "SET_VARIABLE", "inputParameters": {"big": true}}]}},
   {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": [
    [{"name": "pack", "taskReferenceName": "pack", "type": "SIMPLE"},
     {"name": "label", "taskReferenceName": "label", "type": "NOOP"}],
    [{"name": "bill", "taskReferenceName": "bill", "type": "NOOP"}]]},
   {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["label", "bill"]},
   {"name": "loop", "taskReferenceName": "loop", "type": "DO_WHILE",
    "loopCondition": "if ($.loop['iteration'] < 2) { true; } else { false; }",
    "loopOver": [{"name": "tick", "taskReferenceName": "tick", "type": "NOOP"}]},
   {"name": "child", "taskReferenceName": "child", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "dispatch"}}],
   "outputParameters": {"amount": "${workflow.input.amount}"}},
  {"name": "dispatch", "version": 1, "tasks": [
   {"name": "hold", "taskReferenceName": "hold", "type": "WAIT"},
   {"name": "say", "taskReferenceName": "say", "type": "NOOP"}]}]}"#;

/// A server, and a directory in which its clients are.
struct Site {
    place: Place,
    /// If it is ours.
    server: Option<Child>,
    url: String,
}

impl Site {
    fn open() -> Site {
        let place = Place::new("");
        let said = std::fs::File::create(place.path().join("said")).unwrap();
        let mut command = place.command(&["server", "--listen", "127.0.0.1:0", "--data", "data"]);
        command.args(["--set", "metrics_listen=off"]).stdout(Stdio::null()).stderr(said);
        let server = command.spawn().unwrap();
        until("the server listens", || place.read("said").contains("http://"));
        let said = place.read("said");
        let url =
            said.split_whitespace().find(|word| word.starts_with("http://")).expect("it listens").to_owned();
        place.write("flows.json", FLOWS);
        Site { place, server: Some(server), url }
    }

    /// Another server, with which nobody else does anything.
    fn elsewhere(url: String) -> Site {
        Site { place: Place::new(""), server: None, url }
    }

    /// Asks the server with the binary.
    fn ask(&self, args: &[&str]) -> Gave {
        self.place.command(args).env("PARTITUR_SERVER", &self.url).output().unwrap().into()
    }

    #[track_caller]
    fn expect(&self, code: i32, args: &[&str]) -> Gave {
        let gave = self.ask(args);
        assert_eq!(gave.code, code, "{args:?}\n{}\n{}", gave.out, gave.err);
        gave
    }

    /// The standard output of what must go well.
    #[track_caller]
    fn out(&self, args: &[&str]) -> String {
        self.expect(0, args).out
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        let out = self.out(&[args, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }

    /// A run of `ordering` that waits for its first task.
    fn ordering(&self) -> String {
        self.out(&["workflow", "upload", "flows.json"]);
        let run = self.out(&[
            "workflow",
            "start",
            "ordering",
            "-i",
            "order=4711",
            "-i",
            "amount=0.10",
            "-i",
            "size=big",
        ]);
        run.trim().to_owned()
    }

    /// Ends a task of a run.
    fn complete(&self, run: &str, task: &str) {
        self.out(&["task", "poll", task]);
        until(&format!("{task} is open"), || {
            self.ask(&["task", "update", task, "--of", run, "--status", "COMPLETED"]).code == 0
        });
    }

    fn status(&self, run: &str) -> String {
        self.json(&["workflow", "show", run])["status"].as_str().unwrap().to_owned()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind.
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

#[test]
fn definitions_are_brought_once_and_told_apart() {
    let site = Site::open();
    insta::assert_snapshot!(site.out(&["workflow", "upload", "flows.json"]), @r"
    result   what      name      version  file
    created  task      pick               flows.json
    created  task      pack               flows.json
    created  workflow  ordering        1  flows.json
    created  workflow  dispatch        1  flows.json
    ");
    insta::assert_snapshot!(site.out(&["workflow", "upload", "flows.json"]), @r"
    result     what      name      version  file
    unchanged  task      pick               flows.json
    unchanged  task      pack               flows.json
    unchanged  workflow  ordering        1  flows.json
    unchanged  workflow  dispatch        1  flows.json
    ");
    site.place.write("flows.json", &FLOWS.replace("to the parcel", "to the ship"));
    let again = site.out(&["workflow", "upload", "flows.json", "--dry-run"]);
    assert_eq!(again.matches("changed ").count() - again.matches("unchanged ").count(), 1, "{again}");
    insta::assert_snapshot!(site.out(&["workflow", "definitions"]), @r"
    name      versions  tasks  description
    dispatch  1             2
    ordering  1            11  From the order to the parcel
    ");
    insta::assert_snapshot!(site.out(&["workflow", "definitions", "ordering"]), @r"
    ordering  version 1
      From the order to the parcel
      inputs  order

      pick  SIMPLE
      size  SWITCH
      ├ big: note  SET_VARIABLE
      fork  FORK_JOIN
      ├ pack  SIMPLE
      │ label  NOOP
      ├ bill  NOOP
      join  JOIN
      loop  DO_WHILE
      ├ tick  NOOP
      child  SUB_WORKFLOW
    ");
    assert_eq!(site.json(&["task", "definitions", "pick"])["retryCount"], 1);
    site.out(&["workflow", "delete-definition", "dispatch", "1"]);
    let gave = site.expect(6, &["workflow", "definitions", "dispatch"]);
    assert!(gave.err.contains("lists what there is"), "{}", gave.err);
    site.out(&["task", "delete-definition", "pack"]);
    assert!(!site.out(&["task", "definitions"]).contains("pack"));
}

#[test]
fn all_faults_of_all_files_are_told_before_anything_is_sent() {
    let site = Site::open();
    site.place.write(
        "one.json",
        r#"{"name": "one", "tasks": [
  {"name": "h", "taskReferenceName": "h", "type": "HTTP"},
  {"name": "h", "taskReferenceName": "h", "type": "NOOP"}]}"#,
    );
    site.place.write("two.json", r#"[{"name": "two", "tasks": "none"}]"#);
    let gave = site.expect(3, &["workflow", "upload", "one.json", "flows.json", "two.json"]);
    insta::assert_snapshot!(gave.err, @r#"
    error[P0140]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: h
      one.json:2:3   tasks[0]
      2 │   {"name": "h", "taskReferenceName": "h", "type": "HTTP"},
        │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      (partitur explain P0140)

    error[P0140]: taskReferenceName: h should be unique across tasks for a given workflowDefinition
      one.json:3:3   tasks[1]
      3 │   {"name": "h", "taskReferenceName": "h", "type": "NOOP"}]}
        │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      (partitur explain P0140)

    error[P0140]: invalid type: string "none", expected a sequence
      two.json:1:27   [0].tasks
      1 │ [{"name": "two", "tasks": "none"}]
        │                           ^^^^^^
      (partitur explain P0140)

    3 errors
    "#);
    assert_eq!(site.json(&["workflow", "definitions"]), serde_json::json!([]));
    let gave = site.expect(3, &["workflow", "upload", "one.json", "--no-check"]);
    assert!(gave.out.contains("refused"), "the server checks, too: {}", gave.out);
}

#[test]
fn a_run_is_worked_on_and_shown_as_a_tree() {
    let site = Site::open();
    let run = site.ordering();
    let task =
        site.json(&["task", "poll", "pick", "--worker", "desk"])[0]["taskId"].as_str().unwrap().to_owned();
    site.out(&[
        "task",
        "update",
        &task,
        "--status",
        "FAILED",
        "--reason",
        "no such shelf",
        "--log",
        "looked twice",
        "--worker",
        "desk",
    ]);
    site.out(&["task", "log", &task, "--add", "looked again"]);
    until("it is tried again", || site.out(&["workflow", "show", &run]).contains("before: no such shelf"));
    site.complete(&run, "pick");
    site.complete(&run, "pack");
    until("it waits", || site.out(&["workflow", "show", &run]).contains("▸ hold"));
    crate::support::settings().bind(|| {
        insta::assert_snapshot!(site.out(&["workflow", "show", &run]), @r#"
        ▸ ordering  version 1  running for [time]
          id          [id]
          started     [moment]
          input       {"order":4711,"amount":0.10,"size":"big"}
          variables   {"big":true}

          ✓ pick  [time]  attempt 2
          ✓ size  [time]  → big
          ├ ✓ note  [time]
          ✓ fork  [time]
          ├ ✓ pack  [time]
          │ ✓ label  [time]
          ├ ✓ bill  [time]
          ✓ join  [time]
          ✓ loop  [time]  iteration 2
          ├ ✓ tick__1  [time]
          ├ ✓ tick__2  [time]
          ▸ child  [time]  in progress · sub-workflow [id]
            ▸ hold  [time]  waits
            · say
        "#);
        insta::assert_snapshot!(site.out(&["workflow", "logs", &run, "--task", "pick"]), @r"
        [moment]  pick  looked twice
        [moment]  pick  looked again
        ");
        insta::assert_snapshot!(site.out(&["task", "show", &task]), @r#"
        ✗ pick  failed after [time]
          id          [id]
          run         [id] of ordering
          type        pick
          attempt     1
          scheduled   [moment]
          started     [moment]
          ended       [moment]
          worker      desk
          polled      once
          reason      no such shelf
          input       {"order":4711}
        "#);
    });
    site.out(&["workflow", "signal", &run]);
    let gave = site.expect(0, &["workflow", "watch", &run]);
    assert_eq!(gave.out, "{\"amount\":0.10}\n", "money keeps its digits");
    assert!(gave.err.contains("✓ ordering  version 1  completed after"), "{}", gave.err);
}

#[test]
fn a_run_of_a_server_is_watched_on_a_terminal_and_goes_on_when_nobody_watches() {
    let site = Site::open();
    let run = site.ordering();
    let watch = || {
        Terminal::in_a_session(
            &site.place,
            &["workflow", "watch", &run],
            &[("PARTITUR_SERVER", &site.url)],
            80,
        )
    };
    let mut terminal = watch();
    terminal.shows("\x1b[?25l");
    terminal.shows("pick");
    // What Ctrl-C sends.
    terminal.key(3);
    assert_eq!(terminal.end(), Some(4));
    terminal.shows("the run goes on");
    let seen = terminal.seen();
    assert!(seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l"), "the cursor is given back: {seen:?}");
    assert_eq!(site.status(&run), "RUNNING");
    let mut terminal = watch();
    terminal.shows("pick");
    site.out(&["workflow", "terminate", &run, "--reason", "ordered twice"]);
    assert_eq!(terminal.end(), Some(4));
    terminal.shows("ordered twice");
}

#[test]
fn the_exit_code_says_how_a_run_ended() {
    let site = Site::open();
    let end = |status: &str| {
        let flow = format!(
            r#"{{"name": "end", "tasks": [{{"name": "t", "taskReferenceName": "t", "type": "TERMINATE",
            "inputParameters": {{"terminationStatus": "{status}", "workflowOutput": {{"n": 1}}}}}}]}}"#
        );
        site.place.write("end.json", &flow);
        site.ask(&["workflow", "start", "--definition", "end.json", "--wait"])
    };
    assert_eq!([end("COMPLETED").code, end("FAILED").code, end("TERMINATED").code], [0, 1, 4]);
    assert_eq!(end("COMPLETED").out, "{\"n\": 1}\n", "as it was written");
}

#[test]
fn runs_are_paused_ended_and_brought_back() {
    let site = Site::open();
    let run = site.ordering();
    let does = |word: &str, status: &str| {
        site.out(&["workflow", word, &run]);
        assert_eq!(site.status(&run), status, "{word}");
    };
    does("pause", "PAUSED");
    does("resume", "RUNNING");
    does("terminate", "TERMINATED");
    does("retry", "RUNNING");
    does("cancel", "TERMINATED");
    does("restart", "RUNNING");
    site.out(&["workflow", "skip", &run, "loop", "-o", "done=true"]);
    site.complete(&run, "pick");
    site.complete(&run, "pack");
    until("the loop is left out", || site.out(&["workflow", "show", &run]).contains("∅ loop"));
    site.out(&["workflow", "terminate", &run, "--reason", "ordered twice"]);
    site.out(&["workflow", "rerun", &run, "--from", "pack"]);
    assert_eq!(site.status(&run), "RUNNING");
    let gave = site.expect(6, &["workflow", "terminate", &run, "nobody"]);
    assert!(gave.err.contains("is terminated") && gave.err.contains("nobody"), "{}", gave.err);
    let gave = site.expect(6, &["workflow", "rerun", &run, "--from", "pak"]);
    assert!(gave.err.contains("did you mean `pack`?"), "{}", gave.err);
    site.out(&["workflow", "remove", &run]);
    let gave = site.expect(6, &["workflow", "show", &run]);
    assert!(gave.err.contains("`partitur workflow list`"), "{}", gave.err);
}

#[test]
fn runs_and_tasks_are_found() {
    let site = Site::open();
    let run = site.ordering();
    let other = site.out(&["workflow", "start", "dispatch", "--correlation-id", "c-7"]).trim().to_owned();
    let ids = |args: &[&str]| -> Vec<String> {
        let told = site.json(args);
        let key = if args[0] == "task" { "referenceTaskName" } else { "workflowId" };
        let key = if told["results"][0].get(key).is_some() { key } else { "taskType" };
        told["results"].as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&["workflow", "list"]), [other.as_str(), &run]);
    assert_eq!(
        ids(&["workflow", "list", "--name", "ordering", "--status", "running,paused"]),
        [run.as_str()]
    );
    assert_eq!(ids(&["workflow", "search", "correlationId='c-7'"]), [other.as_str()]);
    assert_eq!(ids(&["workflow", "search", "workflowType IN (dispatch)", "--since", "1h"]), [other.as_str()]);
    assert_eq!(ids(&["task", "search", "--of", &run, "--status", "scheduled"]), ["pick"]);
    let gave = site.expect(0, &["workflow", "list", "-n", "1"]);
    assert!(gave.err.contains("1 to 1 of 2"), "{}", gave.err);
    assert_eq!(site.json(&["queue", "sizes", "pick"]), serde_json::json!({"pick": 1}));
    site.out(&["task", "poll", "pick", "--worker", "desk"]);
    assert!(site.out(&["queue", "pollers", "pick"]).contains("desk"));
    assert_eq!(site.expect(0, &["task", "queue-size", "pick"]).out, "queue  waiting\npick         0\n");
}

#[test]
fn what_follows_from_events_is_kept() {
    let site = Site::open();
    site.place.write(
        "on-order.json",
        r#"{"name": "on-order", "event": "conductor:orders:new", "active": true,
            "actions": [{"action": "start_workflow", "start_workflow": {"name": "ordering"}}]}"#,
    );
    assert!(site.out(&["event", "upload", "on-order.json"]).contains("created"));
    assert!(site.out(&["event", "upload", "on-order.json"]).contains("unchanged"));
    insta::assert_snapshot!(site.out(&["event", "list"]), @r"
    name      state     event                 actions
    on-order  ▸ active  conductor:orders:new  start_workflow ordering
    ");
    assert!(site.out(&["event", "show", "on-order"]).contains("\"name\": \"ordering\""));
    let gave = site.expect(6, &["event", "show", "on-oder"]);
    assert!(gave.err.contains("did you mean `on-order`?"), "{}", gave.err);
    site.out(&["event", "delete", "on-order"]);
    assert_eq!(site.expect(0, &["event", "list"]).err, "no event handlers\n");
}

#[test]
fn every_command_drives_our_server() {
    every_command(&Site::open());
}

/// `CONFORMANCE_REAL_URL` names a Conductor of its own for this; `tests/conformance/README.md` tells how one is started.
#[test]
fn every_command_drives_conductor_itself() {
    use std::io::Write as _;
    let Ok(url) = std::env::var("CONFORMANCE_REAL_URL") else {
        // Past the test runner, which keeps for itself what a test says that succeeds.
        let words = b"SKIPPED: CONFORMANCE_REAL_URL names no Conductor\n";
        let _ = std::io::stderr().write_all(words);
        return;
    };
    every_command(&Site::elsewhere(url));
}

/// The whole life of a few runs, with each command at least once.
fn every_command(site: &Site) {
    let mark = format!("x{}", std::process::id());
    let named = |text: &str| {
        ["ordering", "dispatch", "pick", "pack"].iter().fold(text.to_owned(), |text, word| {
            text.replace(&format!("\"{word}\""), &format!("\"{mark}_{word}\""))
        })
    };
    let (ordering, pick, pack) = (format!("{mark}_ordering"), format!("{mark}_pick"), format!("{mark}_pack"));
    site.place.write("flows.json", &named(FLOWS));
    assert_eq!(site.out(&["workflow", "upload", "flows.json"]).matches("created").count(), 4);
    assert_eq!(site.out(&["workflow", "upload", "flows.json"]).matches("unchanged").count(), 4);
    site.place
        .write("tasks.json", &format!(r#"[{{"name": "{pick}", "retryCount": 2, "retryDelaySeconds": 0}}]"#));
    assert!(site.out(&["task", "upload", "tasks.json"]).contains("changed"));
    assert!(site.out(&["task", "definitions"]).contains(&pick));
    assert!(site.out(&["task", "definitions", &pick]).contains("retries           2"));
    assert!(site.out(&["workflow", "definitions"]).contains(&ordering));
    assert!(site.out(&["workflow", "definitions", &ordering, "--version", "1"]).contains("SUB_WORKFLOW"));

    let run = site.out(&[
        "workflow",
        "start",
        &ordering,
        "-i",
        "amount=0.10",
        "-i",
        "size=big",
        "--correlation-id",
        "c-7",
    ]);
    let run = run.trim();
    let finds = |args: &[&str]| until(&format!("{args:?} finds it"), || site.out(args).contains(run));
    finds(&["workflow", "list", "--name", &ordering, "--status", "running"]);
    finds(&["workflow", "search", &format!("correlationId='c-7' AND workflowType='{ordering}'")]);
    until("it is queued", || site.out(&["queue", "sizes", &pick]).contains('1'));
    let task =
        site.json(&["task", "poll", &pick, "--worker", "desk"])[0]["taskId"].as_str().unwrap().to_owned();
    finds(&["task", "search", "--type", &pick]);
    assert!(site.out(&["queue", "pollers", &pick]).contains("desk"));
    assert!(site.ask(&["task", "queue-size", &pick]).out.contains('0'));
    site.out(&["task", "log", &task, "--add", "looked twice"]);
    until("it is logged", || site.out(&["task", "log", &task]).contains("looked twice"));
    assert!(site.out(&["workflow", "logs", run]).contains("looked twice"));
    site.out(&["task", "update", &task, "--status", "FAILED", "--reason", "no such shelf"]);
    assert!(site.out(&["task", "show", &task]).contains("no such shelf"));
    let ends = |task: &str| {
        until(&format!("{task} is open"), || {
            site.ask(&["task", "update", task, "--of", run, "--status", "COMPLETED", "-o", "done=true"]).code
                == 0
        });
    };
    site.out(&["workflow", "pause", run]);
    assert_eq!(site.status(run), "PAUSED");
    site.out(&["workflow", "resume", run]);
    site.out(&["queue", "requeue", &pick]);
    let (first, second) = (format!("{mark}_pick"), format!("{mark}_pack"));
    ends(&first);
    ends(&second);
    until("it waits", || site.out(&["workflow", "show", run]).contains("▸ hold"));
    let shown = site.out(&["workflow", "show", run]);
    assert!(shown.contains("├ ✓ tick__2") && shown.contains("├ ✓ note"), "{shown}");
    site.out(&["workflow", "signal", run, "-o", "by=ada"]);
    let gave = site.expect(0, &["workflow", "watch", run]);
    assert_eq!(
        gave.out.trim(),
        "{\"amount\":0.10}".replace("0.10", if site.server.is_some() { "0.10" } else { "0.1" })
    );

    site.out(&["workflow", "rerun", run, "--from", &first]);
    assert_eq!(site.status(run), "RUNNING");
    site.out(&["workflow", "terminate", run, "--reason", "ordered twice"]);
    assert!(site.out(&["workflow", "show", run]).contains("ordered twice"));
    site.out(&["workflow", "retry", run]);
    site.out(&["workflow", "cancel", run]);
    site.out(&["workflow", "restart", run, "--latest"]);
    site.out(&["workflow", "skip", run, "loop", "-o", "done=true"]);
    site.out(&["workflow", "terminate", run]);
    site.expect(4, &["workflow", "watch", run, "--quiet"]);
    let gave = site.expect(6, &["workflow", "start", &ordering[..ordering.len() - 1]]);
    assert!(gave.err.contains(&format!("did you mean `{ordering}`?")), "{}", gave.err);

    what_comes_by_itself(site, &mark);
    for name in [&ordering, &format!("{mark}_dispatch")] {
        site.out(&["workflow", "delete-definition", name, "1"]);
    }
    for name in [&pick, &pack] {
        site.out(&["task", "delete-definition", name]);
    }
    site.out(&["workflow", "remove", run, "--archive"]);
}

/// Schedules and events.
fn what_comes_by_itself(site: &Site, mark: &str) {
    let (nightly, handler) = (format!("{mark}_nightly"), format!("{mark}_on-order"));
    let schedule = serde_json::json!({"name": nightly, "cronExpression": "0 0 2 1 1 ?", "zoneId": "UTC",
        "startWorkflowRequest": {"name": format!("{mark}_dispatch"), "version": 1}});
    site.place.write("schedule.json", &schedule.to_string());
    assert!(site.out(&["schedule", "upload", "schedule.json"]).contains("created"));
    assert!(site.out(&["schedule", "upload", "schedule.json"]).contains("unchanged"));
    assert!(site.out(&["schedule", "list"]).contains(&nightly));
    assert!(site.out(&["schedule", "show", &nightly]).contains("0 0 2 1 1 ?"));
    assert!(site.out(&["schedule", "next", &nightly, "-n", "2"]).contains("-01-01T02:00:00"));
    assert_eq!(site.out(&["schedule", "next", "--cron", "0 0 8 * * ?"]).matches("T08:00:00").count(), 5);
    site.out(&["schedule", "pause", &nightly, "--reason", "stocktaking"]);
    assert!(site.out(&["schedule", "show", &nightly]).contains("‖ paused"));
    site.out(&["schedule", "resume", &nightly]);
    site.expect(0, &["schedule", "runs", &nightly]);
    site.out(&["schedule", "delete", &nightly]);
    let gave = site.expect(6, &["schedule", "show", &nightly]);
    assert!(gave.err.contains("`partitur schedule list`"), "{}", gave.err);

    let event = format!("conductor:{mark}_orders:new");
    let handles = serde_json::json!({"name": handler, "event": event, "active": true, "actions": [{
        "action": "start_workflow", "start_workflow": {"name": format!("{mark}_dispatch"), "input": {"n": "${order}"}}}]});
    site.place.write("handler.json", &handles.to_string());
    assert!(site.out(&["event", "upload", "handler.json"]).contains("created"));
    assert!(site.out(&["event", "upload", "handler.json"]).contains("unchanged"));
    assert!(site.out(&["event", "list", "--of", &event]).contains(&handler));
    assert!(site.out(&["event", "show", &handler]).contains(&event));
    let gave = site.expect(0, &["event", "publish", &event, "-i", "order=4711"]);
    assert!(gave.err.contains(&format!("{event} is published by run")), "{}", gave.err);
    let started =
        ["workflow", "list", "--name", &format!("{mark}_dispatch"), "--status", "RUNNING", "--json"];
    until("the handler has started a run", || site.out(&started).contains("4711"));
    site.out(&["event", "delete", &handler]);
}

#[test]
fn whoever_does_not_answer_as_a_server_should_is_named() {
    let place = Place::new("");
    let gave = place.expect(8, &["workflow", "list", "--server", "127.0.0.1:1", "--timeout", "1s"]);
    insta::assert_snapshot!(gave.err, @r"
    error: the server at http://127.0.0.1:1/api cannot be reached: connection refused
      hint: is it running, and is this its address? `--server URL` or PARTITUR_SERVER names another
    ");
    let gave = place.expect(2, &["workflow", "list", "--server", "ftp://x"]);
    assert!(gave.err.contains("is no address of a server"), "{}", gave.err);
    let mut half = place.command(&["workflow", "list"]);
    let gave: Gave = half.env("CONDUCTOR_AUTH_KEY", "ada").output().unwrap().into();
    assert_eq!(gave.code, 2);
    assert!(gave.err.contains("its secret is not") && !gave.err.contains("ada"), "{}", gave.err);
    let page =
        answering("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>");
    let gave = place.expect(8, &["workflow", "list", "--server", &page]);
    assert!(gave.err.contains("does not speak Conductor's protocol"), "{}", gave.err);
    let moved = answering("HTTP/1.1 302 Found\r\nlocation: https://elsewhere/\r\ncontent-length: 0\r\n\r\n");
    let gave = place.expect(8, &["workflow", "list", "--server", &moved]);
    assert!(gave.err.contains("the advice to go to https://elsewhere/"), "{}", gave.err);
    let busy = answering("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert!(place.expect(8, &["workflow", "list", "--server", &busy]).err.contains("with 503"));
}

#[test]
fn a_key_is_exchanged_for_a_token_which_goes_along() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let address = {
        let told = told.clone();
        serving(move |request| {
            let mut told = told.lock().unwrap();
            told.push(request.to_owned());
            let is_first = told.iter().filter(|request| request.starts_with("GET")).count() == 1;
            let (status, body) = match request.split(' ').nth(1) {
                Some("/api/token") => ("200 OK", format!(r#"{{"token":"t{}"}}"#, told.len())),
                // The first token has expired.
                Some(_) if is_first => {
                    ("401 Unauthorized", r#"{"error":"EXPIRED_TOKEN","message":"expired"}"#.to_owned())
                }
                Some(_) | None => ("200 OK", "[]".to_owned()),
            };
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
        })
    };
    let place = Place::new("");
    place.write("secret", "s3cret\n");
    let mut command = place.command(&[
        "workflow",
        "definitions",
        "--json",
        "--server",
        &address,
        "--secret-file",
        "secret",
    ]);
    let gave: Gave = command.env("CONDUCTOR_AUTH_KEY", "ada").output().unwrap().into();
    assert_eq!((gave.code, gave.out.as_str()), (0, "[]\n"), "{}", gave.err);
    let told = told.lock().unwrap();
    let tokens: Vec<bool> =
        ["\"keySecret\":\"s3cret\"", "x-authorization: t1", "\"keyId\":\"ada\"", "x-authorization: t3"]
            .iter()
            .zip(&*told)
            .map(|(wanted, request)| request.contains(wanted))
            .collect();
    assert_eq!((tokens, told.len()), (vec![true; 4], 4), "{told:?}");
}

/// A server that answers everything alike.
fn answering(answer: &'static str) -> String {
    serving(move |_| answer.to_owned())
}

/// A server that answers as it is told, one request for each connection.
fn serving(mut answer: impl FnMut(&str) -> String + Send + 'static) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_ascii_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                body.len() >= length.unwrap_or(0)
            };
            while !whole(&request) {
                let count = stream.read(&mut buffer).unwrap_or(0);
                if count == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..count]);
            }
            let _ = stream.write_all(answer(&String::from_utf8_lossy(&request)).as_bytes());
        }
    });
    address
}
