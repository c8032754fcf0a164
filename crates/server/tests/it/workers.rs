//! The loop of workers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Site, result};

#[test]
fn a_run_goes_from_task_to_task_and_ends_with_the_last_output() {
    let site = Site::new();
    site.teach("w", &["a", "b"]);
    let id = site.start("w", json!({"x": 0.10}));
    let task = site.poll("a").expect("it is ready when the start is answered");
    assert_eq!((&task["taskType"], &task["status"]), (&json!("a"), &json!("IN_PROGRESS")));
    assert_eq!(task["inputData"].to_string(), r#"{"x":0.1}"#);
    assert_eq!(task["workflowInstanceId"], json!(id));
    let answer = site.end(&task, "COMPLETED", json!({"from": "a"}));
    assert_eq!((answer.status, json!(answer.body)), (200, task["taskId"].clone()));
    let task = site.take("b");
    site.end(&task, "COMPLETED", json!({"from": "b"}));
    let run = site.run(&id);
    assert_eq!((&run["status"], &run["output"]), (&json!("COMPLETED"), &json!({"from": "b"})));
    assert_eq!(run["tasks"].as_array().unwrap().len(), 2);
}

#[test]
fn an_update_brings_the_next_task_of_the_same_queue() {
    let site = Site::new();
    let tasks = json!([
        {"name": "same", "taskReferenceName": "one", "type": "SIMPLE", "inputParameters": {}},
        {"name": "same", "taskReferenceName": "two", "type": "SIMPLE", "inputParameters": {}},
    ]);
    site.teach_tasks("w", tasks);
    let id = site.start("w", json!({}));
    let one = site.take("same");
    let reply = site.post("/api/tasks/update-v2", result(&one, "COMPLETED", json!({})));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let two = reply.json();
    assert_eq!(two["referenceTaskName"], "two");
    assert_eq!(site.post("/api/tasks/update-v2", result(&two, "IN_PROGRESS", json!({}))).status, 204);
    let again = site.take("same");
    assert_eq!(again["taskId"], two["taskId"]);
    assert_eq!(site.post("/api/tasks/update-v2", result(&again, "COMPLETED", json!({}))).status, 204);
    assert_eq!(site.run(&id)["status"], "COMPLETED");
    assert_eq!(
        site.post("/api/tasks/update-v2", result(&again, "FAILED", json!({}))).status,
        204,
        "it is over"
    );
}

#[test]
fn empty_polls_are_answered_as_conductor_does() {
    let site = Site::new();
    assert_eq!(site.get("/api/tasks/poll/t").status, 204);
    let begun = Instant::now();
    let batch = site.get("/api/tasks/poll/batch/t?timeout=150");
    assert_eq!((batch.status, batch.body.as_str()), (200, "[]"));
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!(site.get("/api/tasks/poll/batch/t?timeout=5001").status, 400);
}

#[test]
fn a_batch_poll_is_answered_when_the_first_task_comes() {
    let site = Site::new();
    site.teach("w", &["t"]);
    std::thread::scope(|scope| {
        let poll = scope.spawn(|| {
            let reply = site.get("/api/tasks/poll/batch/t?count=10&timeout=5000");
            (reply.json(), Instant::now())
        });
        std::thread::sleep(Duration::from_millis(100));
        let started = Instant::now();
        site.start("w", json!({}));
        let (tasks, came) = poll.join().unwrap();
        assert_eq!(tasks.as_array().unwrap().len(), 1);
        assert!(came - started < Duration::from_millis(500), "{:?}", came - started);
    });
}

#[test]
fn logs_are_kept_with_their_task() {
    let site = Site::new();
    site.teach("w", &["t"]);
    site.start("w", json!({}));
    let task = site.take("t");
    let path = format!("/api/tasks/{}/log", task["taskId"].as_str().unwrap());
    assert_eq!(site.get(&path).status, 204);
    assert_eq!(site.ask("POST", &path, Some("half way")).status, 200);
    let lines = site.get(&path).json();
    assert_eq!((&lines[0]["log"], &lines[0]["taskId"]), (&json!("half way"), &task["taskId"]));
}

#[test]
fn a_task_is_shown_and_others_are_not_there() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let task = site.take("t");
    let path = format!("/api/tasks/{}", task["taskId"].as_str().unwrap());
    assert_eq!(site.get(&path).json()["workflowInstanceId"], json!(id));
    assert_eq!(site.get("/api/tasks/nobody").status, 404);
    let mut foreign = result(&task, "COMPLETED", json!({}));
    foreign["taskId"] = json!("00000001-e240-8007-bfff-ffffffffffff");
    assert_eq!(site.post("/api/tasks", foreign).status, 404);
}

#[test]
fn who_speaks_about_a_task_of_a_run_that_is_gone_is_told_so() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let task = site.take("t");
    assert_eq!(site.delete(&format!("/api/workflow/{id}/remove")).status, 200);
    let log = format!("/api/tasks/{}/log", task["taskId"].as_str().unwrap());
    assert_eq!(site.end(&task, "COMPLETED", json!({})).status, 404);
    assert_eq!(site.post("/api/tasks/update-v2", result(&task, "COMPLETED", json!({}))).status, 404);
    assert_eq!(site.post(&format!("/api/tasks/{id}/COMPLETED/signal"), json!({})).status, 404);
    assert_eq!(site.post(&format!("/api/tasks/{id}/t/COMPLETED"), json!({})).body, "");
    assert_eq!(site.ask("POST", &log, Some("late")).status, 404);
}

#[test]
fn a_failed_task_is_tried_again_under_another_id() {
    let site = Site::new();
    let def = json!([{"name": "t", "retryCount": 1, "retryDelaySeconds": 0, "timeoutSeconds": 0, "responseTimeoutSeconds": 10}]);
    site.post("/api/metadata/taskdefs", def);
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let first = site.take("t");
    site.end(&first, "FAILED", json!({}));
    let second = site.take("t");
    assert_eq!((&second["retryCount"], &second["retriedTaskId"]), (&json!(1), &first["taskId"]));
    site.end(&second, "FAILED", json!({}));
    assert_eq!(site.run(&id)["status"], "FAILED");
}

#[test]
fn a_task_can_be_ended_by_its_name() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    let reply = site.post(&format!("/api/tasks/{id}/t/COMPLETED?workerid=me"), json!({"by": "name"}));
    assert_eq!(reply.status, 200);
    assert!(!reply.body.is_empty());
    assert_eq!(site.run(&id)["output"], json!({"by": "name"}));
    assert_eq!(site.post(&format!("/api/tasks/{id}/t/COMPLETED/sync"), json!({})).status, 404);
    assert_eq!(site.post(&format!("/api/tasks/{id}/t/SOMEHOW"), json!({})).status, 400);
}

#[test]
fn queues_say_how_many_wait_and_who_asked() {
    let site = Site::new();
    site.teach("w", &["t"]);
    site.start("w", json!({}));
    site.start("w", json!({}));
    assert_eq!(site.get("/api/tasks/queue/all").json(), json!({"t": 2}));
    site.take("t");
    assert_eq!(site.get("/api/tasks/queue/sizes?taskType=t&taskType=u").json(), json!({"t": 1, "u": 0}));
    let polls = site.get("/api/tasks/queue/polldata?taskType=t").json();
    assert_eq!((&polls[0]["queueName"], &polls[0]["workerId"]), (&json!("t"), &json!("w")));
}
