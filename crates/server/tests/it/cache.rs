//! Results that serve again: `cacheConfig` of tasks and of workflows.

use serde_json::{Value, json};

use crate::support::{Site, simple};

fn cached(key: &str, seconds: u64) -> Value {
    let mut task = simple("t");
    task["cacheConfig"] = json!({"key": key, "ttlInSecond": seconds});
    task
}

/// Starts a run, does its one task, and gives the run when it has ended.
fn done_by_hand(site: &Site, input: Value, output: Value) -> Value {
    let id = site.start("w", input);
    site.end(&site.take("t"), "COMPLETED", output);
    site.await_status(&id, "COMPLETED")
}

#[test]
fn an_equal_key_gives_the_result_without_a_worker_and_says_so() {
    let site = Site::new();
    site.teach_tasks("w", json!([cached("x is ${x}", 60)]));
    let first = done_by_hand(&site, json!({"x": 1, "y": 1}), json!({"n": 7}));
    assert_eq!(first["tasks"][0]["executionMetadata"]["additionalContext"], json!({}));
    let second = site.await_status(&site.start("w", json!({"x": 1, "y": 2})), "COMPLETED");
    let task = &second["tasks"][0];
    assert_eq!((&task["outputData"], &task["pollCount"]), (&json!({"n": 7}), &json!(0)));
    assert_eq!(task["executionMetadata"]["additionalContext"], json!({"cached": true}));
    let shown = site.get(&format!("/v1/runs/{}", second["workflowId"].as_str().unwrap())).json();
    assert_eq!(shown["tasks"][0]["cached"], true);
    // Another key is another result.
    let third = site.start("w", json!({"x": 2}));
    assert_eq!(site.take("t")["workflowInstanceId"], json!(third));
}

#[test]
fn a_failure_serves_nobody_and_a_result_only_for_its_time() {
    let site = Site::new();
    site.teach_tasks("w", json!([cached("${x}", 1)]));
    let failed = site.start("w", json!({"x": 1}));
    site.end(&site.take("t"), "FAILED_WITH_TERMINAL_ERROR", json!({}));
    site.await_status(&failed, "FAILED");
    done_by_hand(&site, json!({"x": 1}), json!({"n": 1}));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    done_by_hand(&site, json!({"x": 1}), json!({"n": 2}));
}

#[test]
fn who_runs_it_again_by_hand_gets_it_done_again() {
    let site = Site::new();
    site.teach_tasks("w", json!([cached("${x}", 60)]));
    let run = done_by_hand(&site, json!({"x": 1}), json!({"n": 1}));
    let (id, task) = (run["workflowId"].as_str().unwrap(), run["tasks"][0]["taskId"].clone());
    let asked = site.post(&format!("/api/workflow/{id}/rerun"), json!({"reRunFromTaskId": task}));
    assert_eq!(asked.status, 200, "{}", asked.body);
    site.end(&site.take("t"), "COMPLETED", json!({"n": 2}));
    let run = site.await_status(id, "COMPLETED");
    assert_eq!(run["tasks"][0]["outputData"], json!({"n": 2}));
}

#[test]
fn a_whole_workflow_has_the_output_of_an_equal_run() {
    let site = Site::new();
    let def = json!({
        "name": "w", "tasks": [simple("t")], "outputParameters": {"n": "${t.output.n}"},
        "cacheConfig": {"key": "${x}", "ttlInSecond": 60},
    });
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    done_by_hand(&site, json!({"x": 1}), json!({"n": 7}));
    let again = site.await_status(&site.start("w", json!({"x": 1})), "COMPLETED");
    assert_eq!((&again["output"], &again["tasks"]), (&json!({"n": 7}), &json!([])));
    assert_eq!(again["reasonForIncompletion"], "its result is that of an earlier run with the same key");
    // As a sub-workflow, too.
    site.teach_tasks(
        "outer",
        json!([{"name": "s", "taskReferenceName": "s", "type": "SUB_WORKFLOW",
                "inputParameters": {"x": 1}, "subWorkflowParam": {"name": "w"}}]),
    );
    let outer = site.await_status(&site.start("outer", json!({})), "COMPLETED");
    assert_eq!(outer["tasks"][0]["outputData"]["n"], 7);
}

#[test]
fn a_key_that_names_nothing_given_is_refused() {
    let site = Site::new();
    let def = json!({"name": "w", "tasks": [cached("${z}-${workflow.input.x}", 60)]});
    let refused = site.post("/api/metadata/workflow", def);
    assert_eq!(refused.status, 400);
    let fault = &refused.json()["validationErrors"][0];
    assert_eq!(fault["path"], "registerWorkflowDef.workflowDef.tasks[0].cacheConfig.key");
    assert_eq!(fault["message"], "`z` is no input parameter of the task, and no input of the workflow");
}
