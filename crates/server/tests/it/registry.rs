//! Schemas by name; what is said to be JSON; and source code that cannot be read.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Reply, Site, simple};

fn schema(version: u32, required: &str) -> Value {
    json!({"name": "s", "version": version, "type": "JSON", "data": {"type": "object", "required": [required]}})
}

#[test]
fn schemas_are_kept_by_name_and_version() {
    let site = Site::new();
    assert_eq!(site.post("/api/schema", json!([schema(1, "x"), schema(2, "y")])).status, 200);
    // One alone, as some clients send it; the next version of what is there.
    assert_eq!(site.post("/api/schema?newVersion=true", schema(1, "z")).status, 200);
    let latest = site.get("/api/schema/s").json();
    assert_eq!((&latest["version"], &latest["data"]["required"]), (&json!(3), &json!(["z"])));
    assert_eq!(site.get("/api/schema/s/2").json()["data"]["required"], json!(["y"]));
    let short = site.get("/api/schema?short=true").json();
    assert_eq!((short.as_array().unwrap().len(), short[0].get("data")), (3, None));
    assert_eq!(site.delete("/api/schema/s/2").status, 200);
    assert_eq!(site.get("/api/schema/s/2").status, 404);
    assert_eq!(site.delete("/api/schema/s").status, 200);
    assert_eq!(site.delete("/api/schema/s").status, 404);
    assert_eq!(site.get("/api/schema").json(), json!([]));
}

#[test]
fn a_definition_may_name_its_schema() {
    let site = Site::new();
    let def = json!({"name": "w", "tasks": [simple("t")], "inputSchema": {"name": "s", "type": "JSON"}});
    let refused = site.post("/api/metadata/workflow", def.clone());
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("no schema of this name and version is registered"), "{}", refused.body);
    assert_eq!(site.post("/api/schema", schema(1, "x")).status, 200);
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    let shown = site.get("/api/metadata/workflow/w").json();
    assert_eq!(shown["inputSchema"].get("data"), None, "the definition stays as it was given");
    let start = |input: Value| site.post("/api/workflow", json!({"name": "w", "input": input}));
    assert_eq!(start(json!({"y": 1})).status, 400);
    assert_eq!(start(json!({"x": 1})).status, 200);
    // The latest version holds as soon as it is there.
    assert_eq!(site.post("/api/schema", schema(2, "y")).status, 200);
    assert_eq!(start(json!({"y": 1})).status, 200);
    assert_eq!(site.delete("/api/schema/s").status, 200);
    assert_eq!(start(json!({"y": 1})).status, 400, "what is not known is not passed over");
}

#[test]
fn the_definition_of_a_task_may_name_its_schema() {
    let site = Site::new();
    assert_eq!(site.post("/api/schema", schema(1, "x")).status, 200);
    let named = json!({"name": "s", "version": 1, "type": "JSON"});
    let def = json!([{"name": "t", "enforceSchema": true, "outputSchema": named}]);
    assert_eq!(site.post("/api/metadata/taskdefs", def).status, 200);
    site.teach("w", &["t"]);
    let id = site.start("w", json!({}));
    site.end(&site.take("t"), "COMPLETED", json!({"y": 1}));
    let run = site.await_status(&id, "FAILED");
    let reason = run["tasks"][0]["reasonForIncompletion"].as_str().unwrap();
    assert!(reason.contains(r#""x" is a required property"#), "{reason}");
}

#[test]
fn source_code_that_cannot_be_read_is_refused_with_its_place() {
    let site = Site::new();
    let bad = json!({"name": "s", "type": "JSON", "data": {"type": "objekt"}});
    let refused = site.post("/api/schema", bad.clone());
    assert_eq!(refused.json()["validationErrors"][0]["path"], "save.schemaDefs[0].data", "{}", refused.body);
    let poll = json!({"name": "p", "taskReferenceName": "p", "type": "HTTP_POLL", "inputParameters": {
        "http_request": {"uri": "http://127.0.0.1:1/", "terminationCondition": "$.output.body.done =="}}});
    let def = json!({"name": "w", "tasks": [poll], "inputSchema": bad});
    let faults = site.post("/api/metadata/workflow", def).json()["validationErrors"].clone();
    let paths: Vec<&str> =
        faults.as_array().unwrap().iter().filter_map(|fault| fault["path"].as_str()).collect();
    let place = "registerWorkflowDef.workflowDef";
    let condition = format!("{place}.tasks[0].inputParameters.http_request.terminationCondition");
    assert_eq!(paths, [&*format!("{place}.inputSchema"), &*condition]);
    let task = json!([{"name": "t", "enforceSchema": true, "inputSchema": bad}]);
    assert_eq!(site.post("/api/metadata/taskdefs", task).status, 400);
}

#[test]
fn what_is_not_said_to_be_json_is_not_taken_for_it() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let body = json!({"name": "w", "input": {}}).to_string();
    let ask = |head: &str, body: &str| {
        let mut stream = TcpStream::connect(site.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST {head}\r\nhost: t\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        Reply::read(&mut stream)
    };
    let refused = ask("/api/workflow HTTP/1.1\r\ncontent-type: text/plain", &body);
    let said = refused.json();
    assert_eq!(
        (refused.status, &said["message"]),
        (415, &json!("Content-Type 'text/plain' is not supported"))
    );
    assert_eq!(ask("/api/workflow HTTP/1.1", &body).status, 415);
    assert_eq!(ask("/v1/runs HTTP/1.1\r\ncontent-type: application/xml", r#"{"runs":[]}"#).status, 415);
    let kind = "content-type: application/vnd.x+json; charset=utf-8";
    assert_eq!(ask(&format!("/api/workflow HTTP/1.1\r\n{kind}"), &body).status, 200);
    // What need not be there need not be said to be anything.
    assert_eq!(ask("/api/workflow/w HTTP/1.1", "").status, 200);
}
