//! Runs: started, looked at, and what may be wanted of them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Site, simple};

#[test]
fn a_start_is_answered_with_the_id_as_text() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let reply = site.post("/api/workflow/w?correlationId=c&priority=7", json!({"x": 1}));
    assert_eq!(reply.status, 200);
    assert!(reply.kind.starts_with("text/plain"));
    let run = site.run(&reply.body);
    assert_eq!((&run["correlationId"], &run["priority"]), (&json!("c"), &json!(7)));
    assert_eq!((&run["workflowName"], &run["input"]), (&json!("w"), &json!({"x": 1})));
    assert_eq!(site.post("/api/workflow/unknown", json!({})).status, 404);
    assert_eq!(site.post("/api/workflow", json!({"name": "w", "priority": 100})).status, 400);
}

#[test]
fn an_inline_definition_needs_no_registration() {
    let site = Site::new();
    let def = json!({"name": "inline", "version": 1, "schemaVersion": 2, "tasks": [simple("t")]});
    let reply = site.post("/api/workflow", json!({"name": "inline", "workflowDef": def, "input": {}}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    site.end(&site.take("t"), "COMPLETED", json!({}));
    assert_eq!(site.run(&reply.body)["status"], "COMPLETED");
}

#[test]
fn status_and_tasks_are_shown_by_pages() {
    let site = Site::new();
    site.teach("w", &["a", "b"]);
    let id = site.start("w", json!({}));
    site.end(&site.take("a"), "COMPLETED", json!({}));
    let status = site.get(&format!("/api/workflow/{id}/status?includeOutput=true")).json();
    assert_eq!((&status["status"], &status["workflowId"]), (&json!("RUNNING"), &json!(id)));
    let page = site.get(&format!("/api/workflow/{id}/tasks?start=1&count=1")).json();
    assert_eq!((&page["totalHits"], &page["results"][0]["referenceTaskName"]), (&json!(2), &json!("b")));
    let open = site.get(&format!("/api/workflow/{id}/tasks?status=SCHEDULED")).json();
    assert_eq!(open["totalHits"], 1);
}

#[test]
fn pause_resume_terminate_and_remove() {
    let site = Site::new();
    site.teach("w", &["a", "b"]);
    let id = site.start("w", json!({}));
    assert_eq!(site.put(&format!("/api/workflow/{id}/pause"), json!({})).status, 200);
    assert_eq!(site.run(&id)["status"], "PAUSED");
    assert_eq!(site.put(&format!("/api/workflow/{id}/resume"), json!({})).status, 200);
    assert_eq!(site.run(&id)["status"], "RUNNING");
    assert_eq!(site.delete(&format!("/api/workflow/{id}?reason=enough")).status, 200);
    let run = site.await_status(&id, "TERMINATED");
    assert_eq!(run["reasonForIncompletion"], "enough");
    assert_eq!(site.delete(&format!("/api/workflow/{id}")).status, 200, "once more is no fault");
    assert_eq!(site.put(&format!("/api/workflow/{id}/pause"), json!({})).status, 409);
    assert_eq!(site.delete(&format!("/api/workflow/{id}/remove")).status, 200);
    assert_eq!(site.get(&format!("/api/workflow/{id}")).status, 404);
}

#[test]
fn retry_restart_and_rerun_go_on_under_the_same_id() {
    let site = Site::new();
    let def = json!([{"name": "b", "retryCount": 0, "timeoutSeconds": 0, "responseTimeoutSeconds": 10}]);
    site.post("/api/metadata/taskdefs", def);
    site.teach("w", &["a", "b"]);
    let id = site.start("w", json!({}));
    site.end(&site.take("a"), "COMPLETED", json!({}));
    site.end(&site.take("b"), "FAILED", json!({}));
    site.await_status(&id, "FAILED");
    assert_eq!(site.post(&format!("/api/workflow/{id}/retry"), json!({})).status, 204);
    site.end(&site.take("b"), "COMPLETED", json!({}));
    let run = site.await_status(&id, "COMPLETED");
    let first = run["tasks"][0]["taskId"].clone();
    let rerun = site.post(&format!("/api/workflow/{id}/rerun"), json!({"reRunFromTaskId": first}));
    assert_eq!((rerun.status, rerun.body.as_str()), (200, id.as_str()));
    site.end(&site.take("a"), "COMPLETED", json!({}));
    site.end(&site.take("b"), "COMPLETED", json!({}));
    site.await_status(&id, "COMPLETED");
    assert_eq!(site.post(&format!("/api/workflow/{id}/restart"), json!({})).status, 204);
    assert_eq!(site.run(&id)["status"], "RUNNING");
}

#[test]
fn a_synchronous_start_waits_for_the_end() {
    let site = Site::new();
    site.teach("w", &["t"]);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let request = json!({"name": "w", "input": {}});
            site.post("/api/workflow/execute/w/1?requestId=r&waitForSeconds=10", request).json()
        });
        let task = site.take("t");
        let begun = Instant::now();
        site.end(&task, "COMPLETED", json!({"x": 1}));
        let run = run.join().unwrap();
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
        assert_eq!(
            (&run["status"], &run["output"], &run["requestId"]),
            (&json!("COMPLETED"), &json!({"x": 1}), &json!("r"))
        );
        assert_eq!((&run["signalTimeout"], &run["responseType"]), (&json!(false), &json!("TARGET_WORKFLOW")));
    });
}

#[test]
fn a_signal_ends_the_task_that_waits() {
    let site = Site::new();
    let wait = json!({"name": "pause", "taskReferenceName": "pause", "type": "WAIT", "inputParameters": {}});
    site.teach_tasks("w", json!([wait, simple("t")]));
    let run =
        site.post("/api/workflow/execute/w/1?waitForSeconds=5", json!({"name": "w", "input": {}})).json();
    assert_eq!(
        (&run["status"], &run["signalTimeout"]),
        (&json!("RUNNING"), &json!(false)),
        "it waits for a signal"
    );
    let id = run["workflowId"].as_str().unwrap();
    let path = format!("/api/tasks/{id}/COMPLETED/signal/sync?timeoutMillis=100");
    let run = site.post(&path, json!({"yes": true})).json();
    assert_eq!((&run["workflowId"], &run["signalTimeout"]), (&json!(id), &json!(true)));
    assert_eq!(run["tasks"][0]["outputData"]["yes"], true);
    // Who waits for an answer is told that nobody waits; who does not is not.
    assert_eq!(site.post(&format!("/api/tasks/{id}/COMPLETED/signal/sync"), json!({})).status, 404);
    assert_eq!(site.post(&format!("/api/tasks/{id}/COMPLETED/signal"), json!({})).status, 200);
}

#[test]
fn many_runs_at_once_are_each_for_itself() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let answer = site.put("/api/workflow/bulk/pause", json!([id, "unknown"])).json();
    assert_eq!(answer["bulkSuccessfulResults"], json!([id]));
    assert!(answer["bulkErrorResults"]["unknown"].is_string());
    let too_many: Vec<String> = (0..1001).map(|at| at.to_string()).collect();
    assert_eq!(site.put("/api/workflow/bulk/pause", json!(too_many)).status, 400);
    assert_eq!(
        site.post("/api/workflow/bulk/terminate", json!([id])).json()["bulkSuccessfulResults"],
        json!([id])
    );
}

#[test]
fn runs_are_found_by_correlation_and_by_search() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.post("/api/workflow", json!({"name": "w", "correlationId": "c", "input": {}})).body;
    site.start("w", json!({}));
    let found = site.post("/api/workflow/w/correlated", json!(["c", "d"])).json();
    assert_eq!((&found["c"][0]["workflowId"], &found["d"]), (&json!(id), &json!([])));
    let batch = json!({"workflowNames": ["w"], "correlationIds": ["c"]});
    assert_eq!(site.post("/api/workflow/correlated/batch", batch).json()["c"][0]["workflowId"], json!(id));
    let found =
        site.get("/api/workflow/search?query=workflowType%3D%27w%27%20AND%20status%3D%27RUNNING%27").json();
    assert_eq!(found["totalHits"], 2);
    let found = site.get("/api/workflow/search?query=correlationId%3Dc").json();
    assert_eq!((&found["totalHits"], &found["results"][0]["workflowId"]), (&json!(1), &json!(id)));
    assert_eq!(site.get("/api/workflow/search?size=5001").status, 400);
}

#[test]
fn variables_are_set_from_outside() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let run = site.post(&format!("/api/workflow/{id}/variables"), json!({"a": 1})).json();
    assert_eq!(run["variables"], json!({"a": 1}));
}

#[test]
fn a_run_is_tested_without_workers() {
    let site = Site::new();
    site.teach("w", &["a", "b"]);
    let mocks = json!({"a": [{"status": "COMPLETED", "output": {"k": 1}}], "b": [{"status": "COMPLETED", "output": {"k": 2}}]});
    let run = site.post("/api/workflow/test", json!({"name": "w", "taskRefToMockOutput": mocks})).json();
    assert_eq!((&run["status"], &run["output"]), (&json!("COMPLETED"), &json!({"k": 2})));
}

#[test]
fn a_call_of_a_task_shows_its_answer_even_if_that_is_an_error() {
    let site = Site::new();
    let call = |path: &str| {
        let request = json!({"uri": format!("http://{}{path}", site.address), "method": "GET"});
        json!({"name": "call", "taskReferenceName": "call", "type": "HTTP", "inputParameters": {"http_request": request}})
    };
    site.teach_tasks("good", json!([call("/api/version")]));
    let run = site.await_status(&site.start("good", json!({})), "COMPLETED");
    assert_eq!(run["output"]["response"]["statusCode"], 200, "{run}");
    site.teach_tasks("bad", json!([call("/nowhere")]));
    let run = site.await_status(&site.start("bad", json!({})), "FAILED");
    assert_eq!(run["tasks"][0]["outputData"]["response"]["statusCode"], 404, "{run}");
}

#[test]
fn a_failure_is_followed_by_the_workflow_for_it_which_is_told_everything() {
    let site = Site::new();
    let end = json!({
        "name": "end", "taskReferenceName": "end", "type": "TERMINATE",
        "inputParameters": {"terminationStatus": "FAILED", "terminationReason": "because"},
    });
    let def =
        json!({"name": "w", "version": 1, "schemaVersion": 2, "failureWorkflow": "after", "tasks": [end]});
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    site.teach("after", &["t"]);
    let id = site.post("/api/workflow", json!({"name": "w", "input": {"x": 1}, "correlationId": "c"})).body;
    let task = site.take("t");
    let run = site.await_status(&id, "FAILED");
    assert_eq!(run["output"]["conductor.failure_workflow"], task["workflowInstanceId"]);
    let after = site.run(task["workflowInstanceId"].as_str().unwrap());
    assert_eq!((&after["input"]["x"], &after["input"]["workflowId"]), (&json!(1), &json!(id)));
    assert_eq!((&after["input"]["failureStatus"], &after["correlationId"]), (&json!("FAILED"), &json!("c")));
    assert_eq!(after["input"]["failedWorkflow"]["status"], "FAILED");
}

#[test]
fn no_more_runs_live_at_once_than_the_definition_says() {
    let site = Site::new();
    let teach = |policy: &str| {
        let limit =
            json!({"rateLimitKey": "${workflow.input.x}", "concurrentExecLimit": 1, "policy": policy});
        let def = json!({"name": "w", "tasks": [simple("t")], "rateLimitConfig": limit});
        assert_eq!(site.post("/api/metadata/workflow?overwrite=true", def).status, 200);
    };
    teach("QUEUE");
    let (first, second) = (site.start("w", json!({"x": 1})), site.start("w", json!({"x": 1})));
    let other = site.start("w", json!({"x": 2}));
    let run = site.run(&second);
    assert_eq!(
        (&run["status"], &run["rateLimited"], &run["tasks"]),
        (&json!("RUNNING"), &json!(true), &json!([]))
    );
    let (one, two) = (site.take("t"), site.take("t"));
    assert_eq!((&one["workflowInstanceId"], &two["workflowInstanceId"]), (&json!(first), &json!(other)));
    assert_eq!(site.poll("t"), None);
    site.end(&one, "COMPLETED", json!({}));
    assert_eq!(site.poll("t").unwrap()["workflowInstanceId"], json!(second), "it begins at once");
    assert_eq!(site.run(&second)["rateLimited"], false);
    teach("REJECT");
    let refused = site.post("/api/workflow", json!({"name": "w", "input": {"x": 1}}));
    assert_eq!(refused.status, 409, "{}", refused.body);
}

#[test]
fn masked_fields_are_shown_nowhere_but_to_workers() {
    let site = Site::new();
    let def = json!({"name": "w", "tasks": [simple("t")], "maskedFields": ["x", "card"]});
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    let id = site.start("w", json!({"x": "secret-1", "card": {"number": "secret-2"}}));
    let task = site.take("t");
    assert_eq!(task["inputData"]["x"], "secret-1", "the worker needs it");
    site.end(&task, "COMPLETED", json!({"card": "secret-3", "rows": 1}));
    let task = task["taskId"].as_str().unwrap();
    for path in [
        format!("/api/workflow/{id}"),
        format!("/api/workflow/{id}/tasks"),
        format!("/api/workflow/{id}/status?includeOutput=true&includeVariables=true"),
        format!("/api/tasks/{task}"),
        "/api/workflow/search".to_owned(),
        "/api/workflow/search-v2".to_owned(),
        "/api/tasks/search".to_owned(),
        "/api/tasks/search-v2".to_owned(),
        format!("/v1/runs/{id}"),
    ] {
        let shown = site.get(&path);
        assert_eq!(shown.status, 200, "{path}: {}", shown.body);
        assert!(!shown.body.contains("secret"), "{path}: {}", shown.body);
        assert!(shown.body.contains("***") || path.ends_with("Variables=true"), "{path}: {}", shown.body);
    }
}

#[test]
fn a_yield_waits_for_a_signal() {
    let site = Site::new();
    site.teach_tasks("w", json!([{"name": "y", "taskReferenceName": "y", "type": "YIELD"}, simple("t")]));
    let id = site.start("w", json!({}));
    let run = site.run(&id);
    assert_eq!(
        (&run["tasks"][0]["taskType"], &run["tasks"][0]["status"]),
        (&json!("YIELD"), &json!("IN_PROGRESS"))
    );
    assert_eq!(site.post(&format!("/api/tasks/{id}/COMPLETED/signal"), json!({"by": "ada"})).status, 200);
    let run = site.run(&id);
    assert_eq!(
        (&run["tasks"][0]["status"], &run["tasks"][0]["outputData"]),
        (&json!("COMPLETED"), &json!({"by": "ada"}))
    );
    assert_eq!(site.take("t")["workflowInstanceId"], json!(id));
}
