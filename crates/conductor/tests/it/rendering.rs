//! Rows that say what a recorded run says are written as the server wrote it.

use std::sync::Arc;

use partitur_conductor::TaskDefs;
use partitur_conductor::render::Renderer;
use partitur_conductor::wire::{self, TaskDef};
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
