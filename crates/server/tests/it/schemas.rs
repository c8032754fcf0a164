//! What goes in and what comes out must be as its schema wants it.

use serde_json::{Value, json};

use crate::support::{Site, simple};

fn schema(required: &str) -> Value {
    json!({"name": "s", "version": 1, "type": "JSON", "data": {"type": "object", "required": [required]}})
}

/// A workflow of one task, whose definition has these schemas.
fn teach_task(site: &Site, schemas: Value) {
    let mut def = json!({"name": "t", "enforceSchema": true, "retryCount": 3, "retryDelaySeconds": 1});
    def.as_object_mut().unwrap().extend(schemas.as_object().unwrap().clone());
    assert_eq!(site.post("/api/metadata/taskdefs", json!([def])).status, 200);
    site.teach("w", &["t"]);
}

#[test]
fn a_run_begins_only_with_an_input_that_fits() {
    let site = Site::new();
    let def = json!({"name": "w", "tasks": [simple("t")], "inputSchema": schema("x")});
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    let refused = site.post("/api/workflow", json!({"name": "w", "input": {"y": 1}}));
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains(r#"\"x\" is a required property"#), "{}", refused.body);
    let id = site.start("w", json!({"x": 1}));
    assert_eq!(site.run(&id)["status"], "RUNNING");
}

#[test]
fn a_sub_workflow_with_an_input_that_does_not_fit_fails() {
    let site = Site::new();
    let child = json!({"name": "child", "tasks": [simple("t")], "inputSchema": schema("x")});
    assert_eq!(site.post("/api/metadata/workflow", child).status, 200);
    site.teach_tasks(
        "w",
        json!([{"name": "s", "taskReferenceName": "s", "type": "SUB_WORKFLOW",
                "inputParameters": {"y": 1}, "subWorkflowParam": {"name": "child"}}]),
    );
    let id = site.start("w", json!({}));
    let run = site.await_status(&id, "FAILED");
    let reason = run["tasks"][0]["reasonForIncompletion"].as_str().unwrap();
    assert!(reason.contains("required property"), "{reason}");
}

#[test]
fn a_task_is_there_for_workers_only_with_an_input_that_fits() {
    let site = Site::new();
    teach_task(
        &site,
        json!({"inputSchema": {"name": "s", "type": "JSON",
        "data": {"properties": {"x": {"type": "number"}}}}}),
    );
    let good = site.start("w", json!({"x": 1}));
    assert_eq!(site.take("t")["workflowInstanceId"], json!(good));
    let bad = site.start("w", json!({"x": "one"}));
    let run = site.await_status(&bad, "FAILED");
    assert_eq!(run["tasks"][0]["status"], "FAILED_WITH_TERMINAL_ERROR");
    let reason = run["tasks"][0]["reasonForIncompletion"].as_str().unwrap();
    assert!(reason.contains("its input") && reason.contains("/x"), "{reason}");
    assert_eq!(site.poll("t"), None);
}

#[test]
fn a_task_is_complete_only_with_an_output_that_fits() {
    let site = Site::new();
    teach_task(&site, json!({"outputSchema": schema("rows")}));
    let good = site.start("w", json!({}));
    assert_eq!(site.end(&site.take("t"), "COMPLETED", json!({"rows": 1})).status, 200);
    assert_eq!(site.run(&good)["status"], "COMPLETED", "who reports an end finds what follows from it");
    let bad = site.start("w", json!({}));
    assert_eq!(site.end(&site.take("t"), "COMPLETED", json!({"lines": 1})).status, 200);
    let run = site.await_status(&bad, "FAILED");
    assert_eq!(run["tasks"][0]["status"], "FAILED_WITH_TERMINAL_ERROR");
    assert_eq!(run["tasks"][0]["outputData"], json!({"lines": 1}));
}

#[test]
fn a_run_is_complete_only_with_an_output_that_fits() {
    let site = Site::new();
    let def = json!({"name": "w", "tasks": [simple("t")], "outputParameters": {"n": "${t.output.n}"},
        "outputSchema": {"name": "s", "type": "JSON", "data": {"properties": {"n": {"type": "number"}}}}});
    assert_eq!(site.post("/api/metadata/workflow", def).status, 200);
    for (output, status) in [(json!({"n": 1}), "COMPLETED"), (json!({"n": "one"}), "FAILED")] {
        let id = site.start("w", json!({}));
        site.end(&site.take("t"), "COMPLETED", output.clone());
        let run = site.await_status(&id, status);
        assert_eq!(run["output"], output);
    }
}

#[test]
fn schemas_that_cannot_be_enforced_are_refused_unless_nobody_wants_them_enforced() {
    let site = Site::new();
    let teach = |schema: Value, enforce: bool| {
        let def =
            json!({"name": "w", "tasks": [simple("t")], "inputSchema": schema, "enforceSchema": enforce});
        site.post("/api/metadata/workflow?overwrite=true", def)
    };
    for schema in [
        json!({"name": "s", "type": "AVRO", "data": {}}),
        json!({"name": "s", "version": 1, "type": "JSON"}),
        json!({"name": "s", "type": "JSON", "externalRef": "http://example.com/s"}),
    ] {
        let refused = teach(schema.clone(), true);
        assert_eq!(refused.status, 400, "{schema}");
        assert!(refused.body.contains("inputSchema"), "{}", refused.body);
        assert_eq!(teach(schema, false).status, 200);
    }
}
