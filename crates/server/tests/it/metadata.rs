//! Definitions over the wire.

use serde_json::json;

use crate::support::{Site, simple};

#[test]
fn a_definition_is_registered_once_and_overwritten_on_request() {
    let site = Site::new();
    let def = json!({"name": "w", "version": 1, "schemaVersion": 2, "tasks": [simple("a")]});
    let first = site.post("/api/metadata/workflow", def.clone());
    assert_eq!((first.status, first.body.as_str()), (200, ""));
    assert_eq!(site.post("/api/metadata/workflow", def.clone()).status, 409);
    assert_eq!(site.post("/api/metadata/workflow?overwrite=true", def).status, 200);
    let shown = site.get("/api/metadata/workflow/w").json();
    assert_eq!((&shown["name"], &shown["version"]), (&json!("w"), &json!(1)));
    assert!(shown["createTime"].as_i64().unwrap() > 0);
    assert_eq!(site.get("/api/metadata/workflow").json().as_array().unwrap().len(), 1);
}

#[test]
fn the_latest_version_is_the_highest_and_forgetting_is_per_version() {
    let site = Site::new();
    for version in [1, 3, 2] {
        let def = json!({"name": "w", "version": version, "schemaVersion": 2, "tasks": [simple("a")]});
        assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    }
    assert_eq!(site.get("/api/metadata/workflow/w").json()["version"], 3);
    assert_eq!(site.get("/api/metadata/workflow/w?version=2").json()["version"], 2);
    assert_eq!(site.delete("/api/metadata/workflow/w/3").status, 200);
    assert_eq!(site.delete("/api/metadata/workflow/w/3").status, 404);
    assert_eq!(site.get("/api/metadata/workflow/w").json()["version"], 2);
    let names = site.get("/api/metadata/workflow/names-and-versions").json();
    assert_eq!(names["w"].as_array().unwrap().len(), 2);
}

#[test]
fn many_definitions_are_taken_each_for_itself() {
    let site = Site::new();
    let good = json!({"name": "good", "version": 1, "schemaVersion": 2, "tasks": [simple("a")]});
    let twice =
        json!({"name": "twice", "version": 1, "schemaVersion": 2, "tasks": [simple("a"), simple("a")]});
    let reply = site.put("/api/metadata/workflow", json!([good, twice]));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    assert_eq!(answer["bulkSuccessfulResults"], json!(["good"]));
    assert!(answer["bulkErrorResults"]["twice"].as_str().unwrap().contains("taskReferenceName"), "{answer}");
}

#[test]
fn a_faulty_definition_is_refused_with_all_its_faults() {
    let site = Site::new();
    let reply = site.post("/api/metadata/workflow", json!({"name": "", "version": 1, "tasks": []}));
    assert_eq!(reply.status, 400);
    let error = reply.json();
    assert_eq!(error["message"], "Validation failed, check below errors for detail.");
    assert!(error["validationErrors"].as_array().unwrap().len() >= 2, "{error}");
}

#[test]
fn task_definitions_are_put_only_where_there_is_one() {
    let site = Site::new();
    let def = json!({"name": "t", "retryCount": 1, "timeoutSeconds": 0, "responseTimeoutSeconds": 10});
    assert_eq!(site.put("/api/metadata/taskdefs", def.clone()).status, 404);
    assert_eq!(site.post("/api/metadata/taskdefs", json!([def.clone()])).status, 200);
    assert_eq!(site.put("/api/metadata/taskdefs", def).status, 200);
    assert_eq!(site.get("/api/metadata/taskdefs/t").json()["retryCount"], 1);
    assert_eq!(site.get("/api/metadata/taskdefs").json().as_array().unwrap().len(), 1);
    assert_eq!(site.delete("/api/metadata/taskdefs/t").status, 200);
    assert_eq!(site.get("/api/metadata/taskdefs/t").status, 404);
}

#[test]
fn a_run_has_the_task_definitions_of_its_start() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let def = |seconds: u32| json!([{"name": "t", "retryCount": 0, "timeoutSeconds": 0, "responseTimeoutSeconds": seconds}]);
    site.post("/api/metadata/taskdefs", def(10));
    site.start("w", json!({}));
    site.post("/api/metadata/taskdefs", def(20));
    site.start("w", json!({}));
    let limits: Vec<_> =
        [site.take("t"), site.take("t")].iter().map(|task| task["responseTimeoutSeconds"].clone()).collect();
    assert_eq!(limits, [json!(10), json!(20)]);
}

#[test]
fn malformed_bodies_are_the_clients_mistake() {
    let site = Site::new();
    for (path, body) in [
        ("/api/metadata/workflow", "{"),
        ("/api/metadata/workflow", "[]"),
        ("/api/metadata/taskdefs", "{}"),
        ("/api/workflow", "{\"name\": 1, \"input\": []}"),
        ("/api/tasks", "{\"status\": \"DONE\"}"),
        ("/api/tasks/update-v2", "\u{0}"),
    ] {
        let reply = site.ask("POST", path, Some(body));
        assert_eq!(reply.status, 400, "{path} {body}: {}", reply.body);
        assert_eq!(reply.json()["status"], 400);
    }
    let deep = format!("{{\"name\":\"w\",\"input\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(site.ask("POST", "/api/workflow", Some(&deep)).status, 400);
    assert_eq!(site.get("/api/nowhere").status, 404);
    assert_eq!(site.delete("/api/version").status, 405);
}

#[test]
fn health_version_and_the_missing_token_are_as_clients_expect() {
    let site = Site::new();
    assert_eq!(site.get("/health").json()["healthy"], true);
    assert_eq!(site.get("/readiness").status, 200);
    assert_eq!(site.get("/liveness").status, 200);
    let version = site.get("/api/version");
    assert!(version.kind.starts_with("text/plain"), "{version:?}");
    assert_eq!(site.post("/api/token", json!({})).status, 404);
    assert!(site.get("/api-docs").json()["paths"]["/api/workflow"]["post"].is_object());
    assert!(site.get("/docs").body.contains("/api/tasks/update-v2"));
}

#[test]
fn labels_and_event_handlers_are_kept() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let tag = json!({"key": "team", "value": "erp"});
    assert_eq!(site.post("/api/metadata/workflow/w/tags", tag.clone()).status, 200);
    assert_eq!(site.get("/api/metadata/workflow/w/tags").json(), json!([tag]));
    assert_eq!(site.ask("DELETE", "/api/metadata/workflow/w/tags", Some(&tag.to_string())).status, 200);
    assert_eq!(site.get("/api/metadata/workflow/w/tags").json(), json!([]));
    let start = json!({"action": "start_workflow", "start_workflow": {"name": "w"}});
    let handler = json!({"name": "h", "event": "conductor:q", "active": true, "actions": [start]});
    assert_eq!(site.post("/api/event", json!([handler])).status, 200);
    assert_eq!(site.post("/api/event", handler.clone()).status, 409);
    assert_eq!(site.put("/api/event", handler).status, 200);
    assert_eq!(site.get("/api/event/conductor:q").json()[0]["name"], "h");
    assert_eq!(site.delete("/api/event/h").status, 200);
    assert_eq!(site.get("/api/event").json(), json!([]));
}
