//! Rows that say what a recorded run says are written as the server wrote it.

use std::sync::Arc;

use partitur_conductor::render::{Answer, Renderer};
use partitur_conductor::wire::{self, ReturnStrategy, TaskDef};
use partitur_conductor::{NoTaskDefs, TaskDefs};
use partitur_model::record::{ScopeRef, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{FencingToken, Payload, TaskSeq, Timestamp};
use serde_json::Value;

use crate::recorded::Recorded;

/// Differences that are intended: when rows were last touched, how long the sweeper took, and what Conductor has already
/// looked at.
const INTENDED: &[&str] = &["updateTime", "queueWaitTime", "executed"];

/// Where two answers differ.
fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (key, value) in theirs {
                if !INTENDED.contains(&key.as_str()) {
                    let own = ours.get(key).unwrap_or(&Value::Null);
                    differences(&format!("{path}.{key}"), value, own, found);
                }
            }
            let added = ours.keys().filter(|key| !theirs.contains_key(*key) && !is_slimmed(key));
            found.extend(added.map(|key| format!("{path}.{key}: only ours")));
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (at, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                differences(&format!("{path}[{at}]"), theirs, ours, found);
            }
        }
        _ if theirs == ours => {}
        _ => found.push(format!("{path}: theirs {theirs}, ours {ours}")),
    }
}

/// Recorded tasks do not all hold their definitions again: the run holds them once.
fn is_slimmed(key: &str) -> bool {
    matches!(key, "workflowTask" | "taskDefinition")
}

/// What was registered when an answer was recorded: the definitions that the tasks of its dynamic forks have.
struct Registered(Vec<TaskDef>);

impl TaskDefs for Registered {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.0.iter().find(|def| def.name == name).cloned()
    }
}

fn registered(answer: &Value) -> Registered {
    let forks = answer["tasks"].as_array().unwrap().iter();
    let tasks = forks.filter_map(|task| task["inputData"]["forkedTaskDefs"].as_array()).flatten();
    let defs = tasks.map(|task| wire::read(task["taskDefinition"].to_string().as_bytes()).unwrap());
    Registered(defs.collect())
}

fn found_differences(text: &str) -> Vec<String> {
    let recorded = Recorded::new(text);
    let renderer = Renderer::new(recorded.def.clone(), Arc::new(registered(&recorded.answer)));
    let mut out = String::new();
    renderer.run(&recorded.run, &recorded.tasks).write_workflow(true, &mut out);
    let mut found = Vec::new();
    differences("", &recorded.named(&recorded.answer.to_string()), &recorded.named(&out), &mut found);
    found
}

fn check(text: &str) {
    let found = found_differences(text);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Conductor looks at joins now and then; ours know at once what has ended.
#[test]
fn a_terminate_task_in_a_fork() {
    let found = found_differences(include_str!("../recorded/term.json"));
    assert_eq!(found, [".tasks[3].outputData.tm: only ours"]);
}

macro_rules! recorded_runs {
    ($($name:ident: $file:literal,)*) => {
        $(#[test]
        fn $name() {
            check(include_str!(concat!("../recorded/", $file, ".json")));
        })*
    };
}

recorded_runs! {
    a_completed_sequence: "completed",
    a_retry_in_flight: "retried",
    retries_with_growing_pauses: "retrydelay",
    a_failed_task: "fail",
    a_terminated_run: "terminated",
    a_failure_workflow: "failurewf",
    a_fork_with_an_optional_branch: "fork",
    a_chosen_case: "switch",
    the_default_case: "switch_default",
    a_loop_with_a_fork_in_it: "loopfork",
    a_loop_over_a_list_that_keeps_the_last: "looplist",
    a_loop_that_fails: "loopfail",
    a_sub_workflow: "sub",
    a_dynamic_fork_of_tasks: "dyn",
    dynamic_forks_of_one_kind: "dyn2",
    scripts_and_a_decision: "scripts",
    waits_and_calls: "waits",
}

#[test]
fn a_polled_task_is_written_as_the_server_wrote_it() {
    let run = Recorded::new(include_str!("../recorded/retried.json"));
    let theirs: Value = serde_json::from_str(include_str!("../recorded/polled_task.json")).unwrap();
    // The first attempt, as it was when its worker had just got it.
    let mut task = run.tasks[0].clone();
    task.state =
        TaskState::Running { token: FencingToken(1), deadline: Timestamp::MAX, lease: Timestamp::MAX };
    (task.ended, task.output, task.error) = (None, None, None);
    if let Some(served) = &mut task.served {
        served.superseded = false;
    }
    let renderer = Renderer::new(run.def.clone(), Arc::new(NoTaskDefs));
    let mut out = String::new();
    renderer.polled(&task, "s", run.run.options.server.as_deref(), &mut out);
    let mut found = Vec::new();
    differences("", &run.named(&theirs.to_string()), &run.named(&out), &mut found);
    assert_eq!(found, [] as [String; 0]);
}

#[test]
fn a_summary_says_what_the_search_said() {
    let run = Recorded::new(include_str!("../recorded/completed.json"));
    let theirs: Value = serde_json::from_str(include_str!("../recorded/summary.json")).unwrap();
    let renderer = Renderer::new(run.def.clone(), Arc::new(NoTaskDefs));
    let mut out = String::new();
    renderer.run(&run.run, &run.tasks).write_summary(&mut out);
    let mut found = Vec::new();
    differences("", &run.named(&theirs["results"][0].to_string()), &run.named(&out), &mut found);
    assert_eq!(found, [] as [String; 0]);
    assert_eq!(wire::search_result(1, [out]).matches("totalHits").count(), 1);
}

#[test]
fn a_short_status_holds_what_was_asked_for() {
    let run = Recorded::new(include_str!("../recorded/completed.json"));
    let renderer = Renderer::new(run.def.clone(), Arc::new(NoTaskDefs));
    let view = renderer.run(&run.run, &run.tasks);
    let status = |output, variables| {
        let mut out = String::new();
        view.write_status(output, variables, &mut out);
        run.named(&out)
    };
    let short = serde_json::json!({"workflowId": "the run", "correlationId": "c1", "status": "COMPLETED"});
    assert_eq!(status(false, false), short);
    assert_eq!(status(true, true)["output"]["r"], "b");
    assert_eq!(status(true, true)["variables"], serde_json::json!({}));
}

#[test]
fn a_task_that_nobody_is_shown_is_not_written() {
    let mut run = Recorded::new(include_str!("../recorded/completed.json"));
    run.tasks[0].state = TaskState::Ended(TaskOutcome::Skipped);
    run.tasks[1].node = "j$gate".into();
    let renderer = Renderer::new(run.def.clone(), Arc::new(NoTaskDefs));
    let view = renderer.run(&run.run, &run.tasks);
    let seen: Vec<u32> = view.tasks().map(|(task, _)| task.seq.0).collect();
    assert_eq!(seen, [3]);
}

#[test]
fn an_answer_shows_a_run_or_the_task_that_waits() {
    let run = Recorded::new(include_str!("../recorded/waits.json"));
    let renderer = Renderer::new(run.def.clone(), Arc::new(NoTaskDefs));
    let view = renderer.run(&run.run, &run.tasks);
    let answer = |strategy| Answer { strategy, request: Some("rq"), target: &view, timed_out: false };
    let mut out = String::new();
    answer(ReturnStrategy::TargetWorkflow).write_run(&view, &mut out);
    let shown = run.named(&out);
    assert_eq!(shown["responseType"], "TARGET_WORKFLOW");
    assert_eq!(shown["tasks"].as_array().unwrap().len(), run.tasks.len());
    let mut out = String::new();
    answer(ReturnStrategy::BlockingTask).write_task(&view, view.task_named("wx").unwrap(), &mut out);
    insta::assert_snapshot!(run.named(&out), @r#"{"createTime":1795279093298,"input":{},"output":{},"priority":0,"referenceTaskName":"wx","requestId":"rq","responseType":"BLOCKING_TASK","retryCount":0,"signalTimeout":false,"status":"IN_PROGRESS","targetWorkflowId":"the run","targetWorkflowStatus":"RUNNING","taskDefName":"wx","taskId":"task 8","taskType":"WAIT","updateTime":0,"workflowId":"the run","workflowType":"waits"}"#);
}

#[test]
fn a_dynamic_task_is_shown_once_under_the_type_that_it_has() {
    let def = r#"{"name":"w","tasks":[
        {"name":"dd","taskReferenceName":"dd","type":"DYNAMIC","dynamicTaskNameParam":"n"},
        {"name":"f","taskReferenceName":"f","type":"FORK_JOIN_DYNAMIC"},
        {"name":"j","taskReferenceName":"j","type":"JOIN"}]}"#;
    let def: wire::WorkflowDef = wire::read(def.as_bytes()).unwrap();
    let run = Recorded::new(include_str!("../recorded/completed.json"));
    let row =
        |seq, node: &str, container: Option<u32>, path: &str, items: Option<&str>, output: Option<&str>| {
            let state = match items {
                Some(_) => TaskState::Open,
                None => TaskState::Ended(TaskOutcome::Succeeded),
            };
            TaskRecord {
                seq: TaskSeq(seq),
                node: node.into(),
                path: path.into(),
                scope: container.map(|container| ScopeRef { container: TaskSeq(container), index: 0 }),
                state,
                items: items.map(|items| Payload::parse(items).unwrap()),
                output: output.map(|output| Payload::parse(output).unwrap()),
                ..run.tasks[2].clone()
            }
        };
    let tasks = [
        row(1, "dd", None, "dd", Some(r#"{"n":"s"}"#), None),
        row(2, "dd", Some(1), "dd[dd]", None, Some(r#"{"o":1}"#)),
        row(3, "f", None, "f", Some(r#"{"forkTaskName":"s","forkTaskInputs":[5]}"#), None),
        row(4, "_s_0", Some(3), "f[_s_0]", None, Some(r#"{"o":2}"#)),
        row(5, "j", None, "j", None, None),
    ];
    let renderer = Renderer::new(Arc::new(def), Arc::new(NoTaskDefs));
    let mut out = String::new();
    renderer.run(&run.run, &tasks).write_tasks(&mut out);
    let shown: Value = serde_json::from_str(&out).unwrap();
    let lines: Vec<String> = shown
        .as_array()
        .unwrap()
        .iter()
        .map(|task| {
            let (output, input) = (&task["outputData"], task["inputData"]["joinOn"].to_string());
            let definition = &task["workflowTask"]["type"];
            format!("{} {} {} {definition} {output} {input}", task["seq"], task["taskType"], task["status"])
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    2 "s" "COMPLETED" "DYNAMIC" {"o":1} null
    3 "FORK" "COMPLETED" "FORK_JOIN_DYNAMIC" {} null
    4 "s" "COMPLETED" "SIMPLE" {"o":2} null
    5 "JOIN" "COMPLETED" "JOIN" {"_s_0":{"o":2}} ["_s_0"]
    "#);
}

/// Branches of a dynamic fork in a loop in a loop: each name has the number of the innermost iteration.
#[test]
fn nested_loops_show_the_innermost_iteration() {
    let def = r#"{"name":"w","tasks":[{"name":"out","taskReferenceName":"out","type":"DO_WHILE","loopCondition":"","loopOver":[
        {"name":"in","taskReferenceName":"in","type":"DO_WHILE","loopCondition":"","loopOver":[
            {"name":"f","taskReferenceName":"f","type":"FORK_JOIN_DYNAMIC"},
            {"name":"j","taskReferenceName":"j","type":"JOIN"}]}]}]}"#;
    let def: wire::WorkflowDef = wire::read(def.as_bytes()).unwrap();
    let run = Recorded::new(include_str!("../recorded/completed.json"));
    let row = |seq, node: &str, scope: Option<(u32, u32)>, path: &str, items: Option<&str>| TaskRecord {
        seq: TaskSeq(seq),
        node: node.into(),
        path: path.into(),
        scope: scope.map(|(container, index)| ScopeRef { container: TaskSeq(container), index }),
        state: TaskState::Ended(TaskOutcome::Succeeded),
        items: items.map(|items| Payload::parse(items).unwrap()),
        output: (node == "_s_0").then(|| Payload::parse(r#"{"o":2}"#).unwrap()),
        iteration: match node {
            "out" => 1,
            "in" => 2,
            _ => 0,
        },
        ..run.tasks[2].clone()
    };
    let fork = r#"{"forkTaskName":"s","forkTaskInputs":[5]}"#;
    let tasks = [
        row(1, "out", None, "out", None),
        row(2, "in", Some((1, 1)), "out#1/in", None),
        row(3, "f", Some((2, 2)), "out#1/in#2/f", Some(fork)),
        row(4, "_s_0", Some((3, 0)), "out#1/in#2/f[_s_0]", None),
        row(5, "j", Some((2, 2)), "out#1/in#2/j", None),
    ];
    let renderer = Renderer::new(Arc::new(def), Arc::new(NoTaskDefs));
    let mut out = String::new();
    renderer.run(&run.run, &tasks).write_tasks(&mut out);
    let shown: Value = serde_json::from_str(&out).unwrap();
    let line =
        |task: &Value| format!("{} {} {}", task["referenceTaskName"], task["iteration"], task["outputData"]);
    let lines: Vec<String> = shown.as_array().unwrap().iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "out" 1 {"1":{"in":{"2":{"f":{},"j":{"_s_0__2":{"o":2}}},"iteration":2}},"iteration":1}
    "in__1" 2 {"2":{"f":{},"j":{"_s_0__2":{"o":2}}},"iteration":2}
    "f__2" 2 {}
    "_s_0__2" 2 {"o":2}
    "j__2" 2 {"_s_0__2":{"o":2}}
    "#);
}
