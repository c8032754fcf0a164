//! The native protocol.

use serde_json::json;

use crate::support::Site;

#[test]
fn many_are_started_exchanged_and_followed() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let started =
        site.post("/v1/runs", json!({"runs": [{"name": "w"}, {"name": "unknown"}, {"name": "w"}]})).json();
    assert_eq!(started["runs"][1]["status"], 404, "{started}");
    let id = started["runs"][0]["run"].as_str().unwrap().to_owned();
    let first = site.post("/v1/exchange", json!({"worker": "me", "type": "t", "take": 10})).json();
    let tasks = first["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 2, "{first}");
    let done: Vec<_> = tasks
        .iter()
        .map(|task| json!({"run": task["run"], "task": task["task"], "output": {"n": 1}}))
        .chain([json!({"run": id, "task": "nobody"})])
        .collect();
    let second =
        site.post("/v1/exchange", json!({"worker": "me", "done": done, "type": "t", "take": 10})).json();
    assert_eq!((&second["refused"][0]["task"], &second["tasks"]), (&json!("nobody"), &json!([])), "{second}");
    let run = site.get(&format!("/v1/runs/{id}")).json();
    assert_eq!((&run["state"], &run["output"]), (&json!("COMPLETED"), &json!({"n": 1})));
    let events = site.get(&format!("/v1/runs/{id}/events"));
    assert!(events.kind.starts_with("text/event-stream") && events.body.contains("data: {"), "{events:?}");
}
