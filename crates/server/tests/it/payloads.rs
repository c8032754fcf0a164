//! Payloads that clients bring apart from their requests.

use serde_json::{Value, json};

use crate::support::{Reply, Site, result};

fn place(site: &Site, query: &str) -> Value {
    let reply = site.get(&format!("/api/workflow/externalstoragelocation?{query}"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

fn path_of(place: &Value) -> String {
    let uri = place["uri"].as_str().unwrap();
    uri.strip_prefix("http://test").unwrap_or_else(|| panic!("{uri}")).to_owned()
}

fn brought(site: &Site, payload: &Value) -> String {
    let place = place(site, "operation=WRITE&payloadType=WORKFLOW_INPUT&path=");
    assert_eq!(site.put(&path_of(&place), payload.clone()).status, 200);
    place["path"].as_str().unwrap().to_owned()
}

fn start(site: &Site, path: &str) -> Reply {
    site.post("/api/workflow", json!({"name": "w", "externalInputPayloadStoragePath": path}))
}

#[test]
fn inputs_and_outputs_may_come_apart_from_their_requests() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let large = json!({"x": "0123456789".repeat(300_000)});
    let path = brought(&site, &large);
    assert_eq!(site.get(&path_of(&place(&site, &format!("operation=READ&path={path}")))).json(), large);
    let id = start(&site, &path).body;
    let task = site.take("t");
    assert_eq!(task["inputData"], large);
    let mut done = result(&task, "COMPLETED", json!({}));
    done["externalOutputPayloadStoragePath"] = json!(brought(&site, &json!({"y": 1})));
    assert_eq!(site.post("/api/tasks", done).status, 200);
    let run = site.await_status(&id, "COMPLETED");
    assert_eq!((&run["input"], &run["tasks"][0]["outputData"]), (&large, &json!({"y": 1})));
}

#[test]
fn what_was_never_brought_is_refused() {
    let site = Site::new();
    site.teach("w", &["t"]);
    for path in ["../partitur.db", "0123456789abcdef0123456789abcdef.json", "%2e%2e/partitur.db"] {
        assert_eq!(start(&site, path).status, 404, "{path}");
        assert_eq!(site.get(&format!("/api/external-storage/{path}")).status, 404, "{path}");
    }
    let path = brought(&site, &json!([1]));
    assert_eq!(start(&site, &path).status, 400, "an input is an object");
    let issued = place(&site, "operation=WRITE");
    assert_eq!(start(&site, issued["path"].as_str().unwrap()).status, 404, "nothing is there yet");
    assert_eq!(site.ask("PUT", &path_of(&issued), Some("{")).status, 400);
}
