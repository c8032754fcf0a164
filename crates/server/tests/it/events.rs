//! Events and messages: what runs tell others, and what they are told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::restart::process;
use crate::support::Site;

/// A run that publishes an event about `id`, with `x`.
fn teach(site: &Site) {
    let event = json!({"name": "e", "taskReferenceName": "e", "type": "EVENT", "sink": "conductor:done",
        "inputParameters": {"id": "${workflow.input.id}", "x": "${workflow.input.x}", "s": "{\"z\":[7]}"}});
    site.teach_tasks("source", json!([event]));
    let wait = |name: &str| json!({"name": name, "taskReferenceName": name, "type": "WAIT"});
    site.teach_tasks("target", json!([wait("w"), wait("w2")]));
    site.teach_tasks("n", json!([{"name": "n", "taskReferenceName": "n", "type": "NOOP"}]));
}

fn handler(site: &Site, name: &str, more: Value) {
    let mut handler = json!({"name": name, "event": "conductor:source:done", "active": true});
    handler.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = site.post("/api/event", handler);
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// What a handler has done, when it has done so much.
fn handled(site: &Site, name: &str, count: usize) -> Vec<Value> {
    for _ in 0..400 {
        let found = site.get(&format!("/api/event/execution/{name}?size=1000")).json();
        let found = found["results"].as_array().unwrap().clone();
        if found.len() >= count {
            return found;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("`{name}` does nothing");
}

fn runs_of(site: &Site, name: &str) -> Vec<Value> {
    let query = format!("/api/workflow/search?query=workflowType%3D%22{name}%22&size=1000");
    site.get(&query).json()["results"].as_array().unwrap().clone()
}

#[test]
fn an_event_starts_ends_and_changes_what_its_handlers_say() {
    let site = Site::new();
    teach(&site);
    let start = json!({"action": "start_workflow", "expandInlineJSON": true, "start_workflow": {
        "name": "n", "correlationId": "of ${workflowType}", "input": {"x": "${x}", "z": "${s.z[0]}"}}});
    handler(
        &site,
        "starts",
        json!({"condition": "$.x > 1", "evaluatorType": "javascript", "actions": [start]}),
    );
    let complete = json!({"action": "complete_task", "complete_task": {
        "workflowId": "${id}", "taskRefName": "w", "output": {"o": "${x}"}}});
    let set = json!({"action": "update_workflow_variables", "update_workflow_variables": {
        "workflowId": "${id}", "variables": {"seen": ["${x}"]}, "appendArray": true}});
    let gone = json!({"action": "fail_task", "fail_task": {"workflowId": "${id}", "taskRefName": "nowhere"}});
    handler(&site, "ends", json!({"actions": [complete, set, gone]}));
    handler(&site, "sleeps", json!({"active": false, "actions": [complete]}));

    let target = site.start("target", json!({}));
    site.start("source", json!({"id": target, "x": 1}));
    assert_eq!(handled(&site, "starts", 1)[0]["status"], "SKIPPED");
    let source = site.start("source", json!({"id": target, "x": 2}));
    let done = handled(&site, "starts", 2).remove(0);
    assert_eq!((&done["status"], &done["action"]), (&json!("COMPLETED"), &json!("start_workflow")));
    let started = runs_of(&site, "n").remove(0);
    let run = site.run(started["workflowId"].as_str().unwrap());
    assert_eq!(
        (&run["correlationId"], &run["event"]),
        (&json!("of source"), &json!("conductor:source:done"))
    );
    let message = run["input"]["conductor.event.messageId"].clone();
    let input = json!({"x": 2, "z": 7, "conductor.event.messageId": message, "conductor.event.name": "conductor:source:done"});
    assert_eq!(run["input"], input);

    let ends = handled(&site, "ends", 6);
    let statuses: Vec<&str> = ends.iter().map(|done| done["status"].as_str().unwrap()).collect();
    // Of the second event there was no `w` any more.
    assert_eq!(statuses.iter().filter(|status| **status == "COMPLETED").count(), 3, "{ends:?}");
    let target = site.run(&target);
    let w = &target["tasks"][0];
    assert_eq!((&w["status"], &w["outputData"]["o"]), (&json!("COMPLETED"), &json!(1)));
    assert_eq!(target["variables"]["seen"], json!([1, 2]).clone());
    let event = &site.run(&source)["tasks"][0];
    assert_eq!((&event["taskType"], &event["status"]), (&json!("EVENT"), &json!("COMPLETED")));
    assert_eq!(event["outputData"]["event_produced"], "conductor:source:done");
    assert_eq!(site.get("/api/event/execution/sleeps").json()["totalHits"], 0);
}

#[test]
fn an_event_for_a_queue_that_is_not_there_fails_its_task_and_one_without_a_sink_is_refused() {
    let site = Site::new();
    let event = |sink: &str| json!([{"name": "e", "taskReferenceName": "e", "type": "EVENT", "sink": sink}]);
    site.teach_tasks("w", event("nats:x"));
    let run = site.start("w", json!({}));
    let run = site.await_status(&run, "FAILED");
    assert!(run["tasks"][0]["reasonForIncompletion"].as_str().unwrap().contains("Unknown queue type nats"));
    let def = json!({"name": "w2", "version": 1, "schemaVersion": 2, "tasks": event("")});
    let reply = site.post("/api/metadata/workflow", def);
    assert!(reply.status == 400 && reply.body.contains("sink field is required"), "{}", reply.body);
}

#[test]
fn each_event_starts_one_run_however_often_the_server_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut sources = 0;
    for round in 0..4_u64 {
        let (mut child, site) = process(dir.path(), port);
        if round == 0 {
            teach(&site);
            let start =
                json!({"action": "start_workflow", "start_workflow": {"name": "n", "input": {"x": "${x}"}}});
            handler(&site, "starts", json!({"actions": [start]}));
        }
        for _ in 0..40 {
            site.start("source", json!({"x": sources}));
            sources += 1;
        }
        std::thread::sleep(Duration::from_millis(30 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, site) = process(dir.path(), port);
    assert_eq!(handled(&site, "starts", sources).len(), sources);
    let mut seen: Vec<u64> = runs_of(&site, "n")
        .iter()
        .map(|run| site.run(run["workflowId"].as_str().unwrap())["input"]["x"].as_u64().unwrap())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..sources as u64).collect::<Vec<_>>());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_takes_the_messages_that_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::on(dir.path());
    let pull = |name: &str, input: Value| json!({"name": name, "taskReferenceName": name, "type": "PULL_WORKFLOW_MESSAGES", "inputParameters": input});
    site.teach_tasks(
        "w",
        json!([
            pull("one", json!({})),
            pull("two", json!({"batchSize": 2})),
            pull("none", json!({"blocking": false})),
        ]),
    );
    let id = site.start("w", json!({}));
    let path = format!("/api/workflow/{id}/messages");
    assert_eq!(site.run(&id)["tasks"][0]["status"], "IN_PROGRESS");
    site.stop();
    let site = Site::on(dir.path());
    let first = site.post(&path, json!({"m": 1}));
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(site.post(&path, json!([1])).status, 400);
    let taken = |_| {
        std::thread::sleep(Duration::from_millis(10));
        Some(site.run(&id)["tasks"][0].clone()).filter(|task| task["status"] == "COMPLETED")
    };
    let one = (0..500).find_map(taken).expect("a message wakes its task at once");
    assert_eq!(one["outputData"]["count"], 1);
    let message = &one["outputData"]["messages"][0];
    assert_eq!((&message["id"], &message["payload"]), (&json!(first.body), &json!({"m": 1})));
    site.post(&path, json!({"m": 2}));
    let run = site.await_status(&id, "COMPLETED");
    assert_eq!(run["tasks"][1]["outputData"]["messages"][0]["payload"], json!({"m": 2}));
    assert_eq!(run["tasks"][2]["outputData"], json!({"messages": [], "count": 0}));
    assert_eq!(site.post(&path, json!({})).status, 409);
    assert_eq!(site.post("/api/workflow/x/messages", json!({})).status, 404);
}

#[test]
fn labels_stay_with_their_handler() {
    let site = Site::new();
    let start = json!([{"action": "start_workflow", "start_workflow": {"name": "w"}}]);
    let handler = json!({"name": "h", "event": "conductor:w:q", "active": true, "actions": start});
    assert_eq!(site.post("/api/event", handler.clone()).status, 200);
    let tag = json!({"key": "team", "value": "sales"});
    assert_eq!(site.put("/api/event/h/tags", json!([tag])).status, 200);
    assert_eq!(site.put("/api/event", handler).status, 200);
    assert_eq!(site.get("/api/event/h/tags").json(), json!([tag]));
    assert_eq!(site.get("/api/event/handler/h").json()["tags"], json!([tag]));
    assert_eq!(site.ask("DELETE", "/api/event/h/tags", Some(&tag.to_string())).status, 200);
    assert_eq!(site.get("/api/event/handler/h").json().get("tags"), None);
    assert_eq!(site.get("/api/event/handler/none").status, 404);
}
