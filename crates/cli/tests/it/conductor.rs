//! Definitions of Conductor's, run without a server.

use rustix::process::Signal;

use crate::support::{Place, until};

/// What needs no worker, in one definition, and a second one that it runs.
const MONTH: &str = r#"{"workflowDefs": [
  {"name": "month", "version": 1, "inputTemplate": {"rate": 2}, "tasks": [
    {"name": "double", "taskReferenceName": "double", "type": "INLINE", "inputParameters": {
      "evaluatorType": "javascript", "n": "${workflow.input.n}", "rate": "${workflow.input.rate}",
      "expression": "(function () { let sum = 0; for (let i = 0; i < $.rate; i++) { sum += $.n; } return sum; })()"}},
    {"name": "tenfold", "taskReferenceName": "tenfold", "type": "JSON_JQ_TRANSFORM",
      "inputParameters": {"queryExpression": ".x * 10", "x": "${double.output.result}"}},
    {"name": "sw", "taskReferenceName": "sw", "type": "SWITCH", "evaluatorType": "value-param", "expression": "k",
      "inputParameters": {"k": "${tenfold.output.result}"}, "decisionCases": {"60": [
        {"name": "set", "taskReferenceName": "set", "type": "SET_VARIABLE", "inputParameters": {"sixty": true}}]}},
    {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": [
      [{"name": "nap", "taskReferenceName": "nap", "type": "WAIT", "inputParameters": {"duration": "1 seconds"}}],
      [{"name": "close", "taskReferenceName": "close", "type": "SUB_WORKFLOW",
        "inputParameters": {"rows": "${double.output.result}"}, "subWorkflowParam": {"name": "close_books"}}]]},
    {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["nap", "close"]},
    {"name": "each", "taskReferenceName": "each", "type": "FORK_JOIN_DYNAMIC", "inputParameters": {
      "forkTaskType": "INLINE", "forkTaskInputs": [{"expression": "$.n + 1", "n": 1}, {"expression": "$.n + 1", "n": 2}]}},
    {"name": "all", "taskReferenceName": "all", "type": "JOIN"},
    {"name": "loop", "taskReferenceName": "loop", "type": "DO_WHILE",
      "loopCondition": "if ($.loop['iteration'] < 3) { true; } else { false; }",
      "loopOver": [{"name": "in", "taskReferenceName": "in", "type": "NOOP"}]}],
   "outputParameters": {"sum": "${double.output.result}", "rows": "${close.output.rows}",
                        "sixty": "${workflow.variables.sixty}", "turns": "${loop.output.iteration}",
                        "each": "${all.output._INLINE_1.result}"}},
  {"name": "close_books", "version": 2, "tasks": [
    {"name": "count", "taskReferenceName": "count", "type": "INLINE",
     "inputParameters": {"expression": "$.rows + 1", "rows": "${workflow.input.rows}"}}],
   "outputParameters": {"rows": "${count.output.result}"}}]}"#;

fn place(definition: &str) -> Place {
    let place = Place::new("");
    place.write("flow.json", definition);
    place
}

#[test]
fn a_definition_without_workers_runs_as_it_is() {
    let place = place(MONTH);
    let gave = place.expect(0, &["check", "flow.json"]);
    assert!(gave.out.starts_with("ok: "), "{}", gave.out);
    let gave = place.expect(0, &["run", "flow.json", "--input", "n=3"]);
    assert_eq!(gave.out, "{\"each\":3,\"rows\":7,\"sixty\":true,\"sum\":6,\"turns\":3}\n");
    assert!(gave.err.contains("✓ month succeeded after"), "{}", gave.err);
    let shown = place.expect(0, &["show", "last"]).out;
    assert!(
        shown.contains("close") && shown.contains("count"),
        "the sub-workflow is shown below its task: {shown}"
    );
}

#[test]
fn tasks_of_workers_are_refused_before_anything_starts() {
    let place = place(
        r#"{"name": "greet", "tasks": [
  {"name": "note", "taskReferenceName": "note", "type": "NOOP"},
  {"name": "send_mail", "taskReferenceName": "mail", "type": "SIMPLE"},
  {"name": "s", "taskReferenceName": "s", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "elsewhere"}},
  {"name": "h", "taskReferenceName": "h", "type": "HTTP"}]}"#,
    );
    for command in ["check", "run"] {
        let gave = place.expect(3, &[command, "flow.json"]);
        insta::allow_duplicates! { insta::assert_snapshot!(gave.err, @r#"
        error[P0140]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: h
          flow.json:5:3   tasks[3]
          5 │   {"name": "h", "taskReferenceName": "h", "type": "HTTP"}]}
            │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          (partitur explain P0140)

        error[P0141]: task `mail` is work for a worker (`send_mail`), and no worker can reach `partitur run`
          flow.json:3:3   tasks[1]
          3 │   {"name": "send_mail", "taskReferenceName": "mail", "type": "SIMPLE"},
            │   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ needs a worker
          hint: start `partitur server`, register the definition there, and let workers come for the task   (partitur explain P0141)

        error[P0142]: the workflow `elsewhere` is not in this document
          flow.json:4:96   tasks[2].subWorkflowParam.name
          4 │   {"name": "s", "taskReferenceName": "s", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "elsewhere"}},
            │                                                                                                ^^^^^^^^^^^ not defined here
          hint: put its definition beside this one: `{"workflowDefs": [this, that]}`, or run both on `partitur server`   (partitur explain P0142)

        3 errors
        "#) }
    }
    assert!(!place.path().join(".partitur").exists(), "nothing was begun");
}

#[test]
fn what_only_a_value_names_is_refused_when_it_is_named() {
    let place = place(
        r#"{"name": "dynamic", "tasks": [{"name": "d", "taskReferenceName": "d", "type": "DYNAMIC",
            "dynamicTaskNameParam": "what", "inputParameters": {"what": "send_mail"}}]}"#,
    );
    let gave = place.expect(1, &["run", "flow.json"]);
    assert!(gave.err.contains("need a worker") && gave.err.contains("partitur server"), "{}", gave.err);
}

#[test]
fn a_person_ends_a_wait_and_a_failure_is_followed() {
    let place = place(
        r#"[{"name": "ask", "failureWorkflow": "tell", "tasks": [
              {"name": "h", "taskReferenceName": "h", "type": "HUMAN"},
              {"name": "end", "taskReferenceName": "end", "type": "TERMINATE",
               "inputParameters": {"terminationStatus": "FAILED", "terminationReason": "${h.output.why}"}}]},
            {"name": "tell", "tasks": [{"name": "t", "taskReferenceName": "t", "type": "NOOP"}],
             "outputParameters": {"reason": "${workflow.input.reason}"}}]"#,
    );
    let run = place.start(&["run", "flow.json"]);
    let signal = ["signal", "last", "h", "--output", r#"{"why": "enough"}"#];
    until("the task waits", || place.run(&signal).code == 0);
    let gave = run.end();
    assert_eq!(gave.code, 1, "{}", gave.err);
    let runs = place.expect(0, &["runs", "--json"]).out;
    assert!(runs.contains("tell"), "{runs}");
    let told = place.expect(0, &["show", "last", "--json"]).out;
    assert!(told.contains(r#""reason":"enough""#), "{told}");
}

#[test]
fn an_input_that_does_not_fit_its_schema_is_refused() {
    let place = place(
        r#"{"name": "w", "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}],
            "inputSchema": {"name": "s", "type": "JSON", "data": {"required": ["month"]}}}"#,
    );
    let gave = place.expect(2, &["run", "flow.json", "--input", "x=1"]);
    assert!(gave.err.contains("\"month\" is a required property"), "{}", gave.err);
    place.expect(0, &["run", "flow.json", "--input", "month=10"]);
}

#[test]
fn a_definition_has_no_targets() {
    let place = place(r#"{"name": "w", "tasks": [{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]}"#);
    assert!(place.expect(2, &["run", "flow.json", "n"]).err.contains("no targets"));
}

#[test]
fn after_a_kill_the_same_command_goes_on() {
    let place = place(MONTH);
    let run = place.start(&["run", "flow.json", "--input", "n=3"]);
    until("it waits", || place.run(&["show", "last"]).out.contains("waiting until"));
    run.signal(Signal::KILL);
    run.end();
    let gave = place.expect(0, &["run", "flow.json", "--input", "n=3"]);
    assert!(gave.err.contains("going on with run"), "{}", gave.err);
    assert_eq!(gave.out, "{\"each\":3,\"rows\":7,\"sixty\":true,\"sum\":6,\"turns\":3}\n");
}
