//! Every field of every document that clients send, with every kind of thing in it that does not belong there.

use std::time::{Duration, Instant};

use partitur_tests::http::{Client, Reply};
use serde_json::{Value, json};

use crate::{Site, simple, workflow};

/// An answer takes no longer, on any machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is put in the place of a field; `None` takes it away.
fn mutants() -> Vec<Option<Value>> {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let parsed = |text: &str| serde_json::from_str(text).expect("JSON");
    vec![
        None,
        Some(Value::Null),
        Some(json!(true)),
        Some(json!(0)),
        Some(json!(-1)),
        Some(json!(1.5)),
        Some(parsed("9223372036854775808")),
        Some(parsed("-9223372036854775808")),
        Some(parsed("1e300")),
        Some(json!("")),
        Some(json!("x")),
        Some(json!("\u{0}")),
        Some(json!("${workflow.input.x}")),
        Some(json!("${")),
        Some(json!("y".repeat(70_000))),
        Some(json!([])),
        Some(json!([null])),
        Some(json!({})),
        Some(json!({"": {"a": []}})),
        Some(deep),
    ]
}

/// The places of all values in a document, as paths of JSON pointers.
fn places(value: &Value, path: String, all: &mut Vec<String>) {
    match value {
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                places(value, format!("{path}/{at}"), all);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                places(value, format!("{path}/{key}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all.push(path);
}

/// The document with something else at a place.
fn mutated(document: &Value, place: &str, mutant: &Option<Value>) -> Value {
    let mut document = document.clone();
    match (mutant, place.rsplit_once('/')) {
        (Some(mutant), _) => *document.pointer_mut(place).expect("the place is there") = mutant.clone(),
        (None, None) => document = Value::Null,
        (None, Some((above, last))) => match document.pointer_mut(above).expect("the place is there") {
            Value::Object(entries) => drop(entries.remove(last)),
            Value::Array(values) => drop(values.remove(last.parse().expect("a number"))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        },
    }
    document
}

/// A document that is valid, and where it is sent.
struct Sample {
    method: &'static str,
    path: String,
    document: Value,
}

fn sample(method: &'static str, path: impl Into<String>, document: Value) -> Sample {
    Sample { method, path: path.into(), document }
}

/// Sends it with everything in the place of everything.
fn attack(client: &mut Client, sample: &Sample) -> usize {
    let Sample { method, path, document } = sample;
    let mut all = Vec::new();
    places(document, String::new(), &mut all);
    let mut sent = 0;
    for place in &all {
        for mutant in mutants() {
            let text = mutated(document, place, &mutant).to_string();
            let begun = Instant::now();
            let reply = client.ask_text(method, path, &text);
            let shown: String = text.chars().take(2_000).collect();
            let reply = reply.unwrap_or_else(|error| panic!("{method} {path}: {error}: {place} of {shown}"));
            assert!(reply.status < 500, "{method} {path}: {place} of {shown}: {reply:?}");
            assert!(begun.elapsed() < PATIENCE, "{method} {path}: {place} of {shown}: {:?}", begun.elapsed());
            end(client, &reply);
            sent += 1;
        }
        twice(client, sample, place);
    }
    sent
}

/// Ends a run that was started: it has a definition of its own, which stays as long as the run needs it.
fn end(client: &mut Client, reply: &Reply) {
    if reply.status == 200 && reply.body.len() == 36 {
        client.ask("DELETE", &format!("/api/workflow/{}", reply.body), None).expect("an answer");
    }
}

/// Sends the document with a member that is there twice, the second time with something else.
fn twice(client: &mut Client, sample: &Sample, place: &str) {
    let Some((above, last)) = place.rsplit_once('/') else { return };
    let mut document = sample.document.clone();
    let Some(Value::Object(entries)) = document.pointer_mut(above) else { return };
    entries.insert("\u{1}".to_owned(), json!(-7));
    // The name of the new member is replaced in the text: a map cannot hold the same one twice.
    let text = document.to_string().replace("\\u0001", last);
    let reply = client.ask_text(sample.method, &sample.path, text).expect("an answer");
    assert!(reply.status < 500, "{place} twice: {reply:?}");
}

/// A definition with one task of each kind, and every field that one may have.
fn everything() -> Value {
    let mut tasks = json!([
        {
            "name": "full", "taskReferenceName": "full", "type": "SIMPLE", "description": "d", "optional": true,
            "startDelay": 1, "asyncComplete": false, "retryCount": 1, "permissive": false, "rateLimited": false,
            "inputParameters": {"a": "${workflow.input.a}", "b": [1, {"c": "d"}]},
            "onStateChange": {}, "joinStatus": "", "cacheConfig": {"key": "k", "ttlInSecond": 1},
            "taskDefinition": {
                "name": "full", "retryCount": 1, "retryLogic": "EXPONENTIAL_BACKOFF", "retryDelaySeconds": 1,
                "timeoutSeconds": 100, "responseTimeoutSeconds": 10, "pollTimeoutSeconds": 10, "timeoutPolicy": "RETRY",
                "concurrentExecLimit": 3, "rateLimitPerFrequency": 1, "rateLimitFrequencyInSeconds": 1,
                "backoffScaleFactor": 1, "inputKeys": ["a"], "outputKeys": ["b"], "inputTemplate": {"x": 1},
                "isolationGroupId": "i", "executionNameSpace": "e", "maxRetryDelaySeconds": 3, "backoffJitterMs": 5,
                "totalTimeoutSeconds": 1000, "ownerEmail": "a@b.cd",
            },
        },
        {
            "name": "way", "taskReferenceName": "way", "type": "SWITCH", "evaluatorType": "javascript",
            "expression": "$.x == 1 ? 'a' : 'b'", "inputParameters": {"x": 1},
            "decisionCases": {"a": [simple("s1")], "b": []}, "defaultCase": [simple("s2")],
        },
        {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": [[simple("f1")], [simple("f2")]]},
        {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": ["f1", "f2"]},
        {
            "name": "dynamic", "taskReferenceName": "dynamic", "type": "FORK_JOIN_DYNAMIC",
            "dynamicForkTasksParam": "t", "dynamicForkTasksInputParamName": "i",
            "inputParameters": {"t": "${workflow.input.t}", "i": "${workflow.input.i}"},
        },
        {"name": "join2", "taskReferenceName": "join2", "type": "JOIN", "joinOn": []},
    ]);
    let more = json!([
        {
            "name": "loop", "taskReferenceName": "loop", "type": "DO_WHILE", "loopCondition": "$.loop['iteration'] < 2",
            "inputParameters": {"keepLastN": 1}, "loopOver": [simple("l1")],
        },
        {
            "name": "sub", "taskReferenceName": "sub", "type": "SUB_WORKFLOW",
            "subWorkflowParam": {"name": "calm", "version": 1, "taskToDomain": {"a": "b"}, "idempotencyKey": "k"},
            "inputParameters": {"a": 1},
        },
        {
            "name": "start", "taskReferenceName": "start", "type": "START_WORKFLOW",
            "inputParameters": {"startWorkflow": {"name": "nobody", "version": 1, "input": {"a": 1}, "correlationId": "c"}},
        },
        {"name": "any", "taskReferenceName": "any", "type": "DYNAMIC", "dynamicTaskNameParam": "n", "inputParameters": {"n": "x"}},
        {"name": "wait", "taskReferenceName": "wait", "type": "WAIT", "inputParameters": {"duration": "1 seconds"}},
        {"name": "until", "taskReferenceName": "until", "type": "WAIT", "inputParameters": {"until": "2030-01-01 10:00 UTC"}},
        {"name": "human", "taskReferenceName": "human", "type": "HUMAN", "inputParameters": {"a": 1}},
        {"name": "set", "taskReferenceName": "set", "type": "SET_VARIABLE", "inputParameters": {"a": 1}},
        {
            "name": "inline", "taskReferenceName": "inline", "type": "INLINE",
            "inputParameters": {"evaluatorType": "javascript", "expression": "$.x + 1", "x": 1},
        },
        {
            "name": "jq", "taskReferenceName": "jq", "type": "JSON_JQ_TRANSFORM",
            "inputParameters": {"queryExpression": ".x + 1", "x": 1},
        },
        {
            "name": "http", "taskReferenceName": "http", "type": "HTTP",
            "inputParameters": {"http_request": {
                "uri": "http://127.0.0.1:1/", "method": "GET", "headers": {"a": "b"}, "body": {"c": 1},
                "accept": "a/b", "contentType": "c/d", "connectionTimeOut": 100, "readTimeOut": 100,
            }},
        },
        {
            "name": "end", "taskReferenceName": "end", "type": "TERMINATE",
            "inputParameters": {"terminationStatus": "COMPLETED", "terminationReason": "r", "workflowOutput": {"a": 1}},
        },
    ]);
    tasks.as_array_mut().expect("a list").extend(more.as_array().expect("a list").clone());
    let mut definition = workflow("everything", tasks);
    let rest = json!({
        "description": "d", "inputParameters": ["a"], "outputParameters": {"a": "${full.output.x}"},
        "failureWorkflow": "after", "restartable": true, "workflowStatusListenerEnabled": false,
        "timeoutPolicy": "TIME_OUT_WF", "timeoutSeconds": 1000, "variables": {"v": 1}, "inputTemplate": {"i": 1},
        "rateLimitConfig": {"rateLimitKey": "k", "concurrentExecLimit": 2}, "enforceSchema": true,
        "metadata": {"m": 1}, "createTime": 1, "updateTime": 2, "createdBy": "c", "updatedBy": "u",
    });
    definition.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    definition
}

#[test]
fn documents_that_are_registered_may_hold_anything_in_any_field() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let definition = everything();
    let reply = client.post("/api/metadata/workflow", &definition);
    assert_eq!(reply.status, 200, "without a mutation it is valid: {reply:?}");
    let task = definition["tasks"][0]["taskDefinition"].clone();
    let handler = json!({
        "name": "h", "event": "conductor:q", "condition": "$.x == 1", "evaluatorType": "javascript", "active": true,
        "actions": [{
            "action": "start_workflow", "expandInlineJSON": true,
            "start_workflow": {"name": "calm", "version": 1, "input": {"a": 1}, "correlationId": "c"},
        }],
    });
    let samples = [
        sample("POST", "/api/metadata/workflow?overwrite=true", definition.clone()),
        sample("POST", "/api/metadata/taskdefs", json!([task])),
        sample("PUT", "/api/metadata/taskdefs", task),
        sample("PUT", "/api/event", handler),
        sample("POST", "/api/metadata/workflow/calm/tags", json!({"key": "k", "value": "v"})),
    ];
    let sent: usize = samples.iter().map(|sample| attack(&mut client, sample)).sum();
    println!("{sent} documents");
    site.leave_in_peace();
}

#[test]
fn requests_for_runs_may_hold_anything_in_any_field() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let start = json!({
        "name": "calm", "version": 1, "correlationId": "c", "input": {"n": 1, "t": [{"name": "x"}], "i": {"x": {}}},
        "taskToDomain": {"*": "nowhere"}, "priority": 1, "createdBy": "me", "idempotencyKey": "key",
        "idempotencyStrategy": "RETURN_EXISTING",
    });
    let inline = json!({"name": "odd", "workflowDef": everything(), "input": {"n": 1}, "taskToDomain": {"*": "nowhere"}});
    let tested = json!({
        "name": "calm", "version": 1, "input": {"n": 1},
        "taskRefToMockOutput": {"calm": [{"status": "COMPLETED", "output": {"a": 1}, "executionTime": 1, "queueWaitTime": 1}]},
        "subWorkflowTestRequest": {"sub": {"name": "calm", "taskRefToMockOutput": {}}},
    });
    let id = client.post("/api/workflow", &json!({"name": "calm", "taskToDomain": {"calm": "nowhere"}})).body;
    let samples = [
        sample("POST", "/api/workflow", start.clone()),
        sample("POST", "/api/workflow", inline),
        sample("POST", "/v1/runs", json!({"runs": [start]})),
        sample("POST", "/api/workflow/test", tested),
        sample(
            "POST",
            "/api/workflow/correlated/batch",
            json!({"workflowNames": ["calm"], "correlationIds": ["c"]}),
        ),
        sample("POST", "/api/workflow/calm/correlated", json!(["c"])),
        sample("PUT", "/api/workflow/bulk/pause", json!(["x", "y"])),
        sample("POST", format!("/api/workflow/{id}/variables"), json!({"a": {"b": 1}})),
        sample(
            "POST",
            format!("/api/workflow/{id}/rerun"),
            json!({
                "reRunFromWorkflowId": "x", "workflowInput": {"a": 1}, "reRunFromTaskId": "t", "taskInput": {"b": 1}, "correlationId": "c",
            }),
        ),
        sample(
            "PUT",
            format!("/api/workflow/{id}/skiptask/none"),
            json!({"taskInput": {"a": 1}, "taskOutput": {"b": 1}}),
        ),
    ];
    let sent: usize = samples.iter().map(|sample| attack(&mut client, sample)).sum();
    println!("{sent} documents");
    site.leave_in_peace();
}

#[test]
fn what_workers_say_may_hold_anything_in_any_field() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let tasks = json!([simple("odd")]);
    assert_eq!(client.post("/api/metadata/workflow", &workflow("odd", tasks)).status, 200);
    let mut given = || {
        assert_eq!(client.post("/api/workflow", &json!({"name": "odd"})).status, 200);
        client.get("/api/tasks/poll/odd?workerid=w").json()
    };
    let (first, second, third) = (given(), given(), given());
    let result = |task: &Value| {
        json!({
            "workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "workerId": "w",
            "status": "IN_PROGRESS", "outputData": {"a": 1}, "reasonForIncompletion": "r", "callbackAfterSeconds": 0,
            "logs": [{"log": "l", "createdTime": 1, "taskId": "t"}], "extendLease": false, "subWorkflowId": "",
        })
    };
    let exchange = json!({
        "worker": "w", "type": "nobody", "domain": "d", "take": 1, "wait": 0,
        "done": [{"run": third["workflowInstanceId"], "task": third["taskId"], "status": "IN_PROGRESS", "output": {"a": 1}, "reason": "r"}],
    });
    let id = first["workflowInstanceId"].as_str().expect("an id");
    let state = json!({"taskReferenceName": "none", "taskResult": result(&first), "variables": {"v": 1}});
    let samples = [
        sample("POST", "/api/tasks", result(&first)),
        sample("POST", "/api/tasks/update-v2", result(&second)),
        sample("POST", "/v1/exchange", exchange),
        sample("POST", format!("/api/workflow/{id}/state?waitForSeconds=1"), state),
        sample("POST", format!("/api/tasks/{id}/odd/IN_PROGRESS"), json!({"a": {"b": [1]}})),
    ];
    for sample in &samples {
        println!("{}: {} documents", sample.path, attack(&mut client, sample));
    }
    site.leave_in_peace();
}
