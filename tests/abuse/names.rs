//! Names and ids that are paths, commands, queries or formats to somebody.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Site, simple, workflow};

const NAMES: [&str; 30] = [
    "..",
    "../../../../etc/passwd",
    "..\\..\\windows",
    "/etc/passwd",
    "a/b",
    "a//b",
    "a/../b",
    ".",
    "a?b",
    "a#b",
    "a%2Fb",
    "%2e%2e%2f",
    "a b",
    " a ",
    "a\tb",
    "a\nb",
    "a\0b",
    "a;b",
    "a'b",
    "a\"b",
    "' OR 1=1 --",
    "'; DROP TABLE runs; --",
    "$(touch pwned)",
    "`touch pwned`",
    "${workflow.input.x}",
    "%s%n%x",
    "<script>alert(1)</script>",
    "\u{202e}evil",
    "\u{1b}[2J",
    "\u{1F600}",
];

/// All that is not plain is written as its bytes.
fn encoded(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| if is_plain(&byte) { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn files(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).expect("a directory").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn names_are_names_whatever_they_look_like() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let above = site.place.path().parent().expect("a directory").to_owned();
    let before = files(site.place.path());
    for name in NAMES {
        let path = encoded(name);
        let reply =
            client.post("/api/metadata/workflow?overwrite=true", &workflow(name, json!([simple(name)])));
        if reply.status == 400 {
            println!("{name:?} is refused: {}", reply.json()["message"]);
            continue;
        }
        assert_eq!(reply.status, 200, "{name:?}: {reply:?}");
        let shown = client.get(&format!("/api/metadata/workflow/{path}"));
        assert_eq!((shown.status, &shown.json()["name"]), (200, &json!(name)), "{name:?}: {shown:?}");
        let id = client.post(&format!("/api/workflow/{path}"), &json!({"x": "y"}));
        assert_eq!(id.status, 200, "{name:?}: {id:?}");
        let task = client.get(&format!("/api/tasks/poll/{path}?workerid={path}"));
        assert_eq!((task.status, &task.json()["taskType"]), (200, &json!(name)), "{name:?}: {task:?}");
        let ended = client.post(&format!("/api/tasks/{}/{path}/COMPLETED", id.body), &json!({"v": name}));
        assert_eq!(ended.status, 200, "{name:?}: {ended:?}");
        let run = client.get(&format!("/api/workflow/{}", id.body)).json();
        assert_eq!((&run["status"], &run["output"]["v"]), (&json!("COMPLETED"), &json!(name)), "{run:#}");
        let found = client.get(&format!("/api/workflow/search?query=workflowType%3D'{path}'"));
        assert!(found.status < 500, "{name:?}: {found:?}");
        assert_eq!(
            client
                .ask("DELETE", &format!("/api/metadata/workflow/{path}/1"), None)
                .expect("an answer")
                .status,
            200
        );
    }
    let after = files(site.place.path());
    assert_eq!(before, after, "a name became a file");
    assert!(!above.join("pwned").exists());
    site.leave_in_peace();
}

/// Every route with something in its path; `{}` is where it stands.
const ROUTES: [(&str, &str); 34] = [
    ("GET", "/api/tasks/poll/{}"),
    ("GET", "/api/tasks/poll/batch/{}?timeout=0"),
    ("GET", "/api/tasks/{}"),
    ("GET", "/api/tasks/{}/log"),
    ("POST", "/api/tasks/{}/log"),
    ("POST", "/api/tasks/{}/{}/COMPLETED"),
    ("POST", "/api/tasks/{}/{}/{}"),
    ("POST", "/api/tasks/{}/{}/COMPLETED/sync"),
    ("POST", "/api/tasks/{}/COMPLETED/signal"),
    ("POST", "/api/tasks/{}/{}/signal/sync"),
    ("POST", "/api/workflow/start/{}/{}"),
    ("POST", "/api/workflow/execute/{}/1"),
    ("GET", "/api/workflow/{}"),
    ("DELETE", "/api/workflow/{}"),
    ("GET", "/api/workflow/{}/tasks"),
    ("GET", "/api/workflow/{}/status"),
    ("GET", "/api/workflow/{}/correlated/{}"),
    ("GET", "/api/workflow/running/{}"),
    ("DELETE", "/api/workflow/{}/remove"),
    ("PUT", "/api/workflow/{}/pause"),
    ("PUT", "/api/workflow/{}/resume"),
    ("POST", "/api/workflow/{}/retry"),
    ("POST", "/api/workflow/{}/restart"),
    ("POST", "/api/workflow/{}/rerun"),
    ("PUT", "/api/workflow/{}/skiptask/{}"),
    ("POST", "/api/workflow/{}/variables"),
    ("POST", "/api/queue/update/{}/task/{}/COMPLETED"),
    ("GET", "/api/metadata/workflow/{}?version={}"),
    ("DELETE", "/api/metadata/workflow/{}/{}"),
    ("GET", "/api/metadata/taskdefs/{}"),
    ("DELETE", "/api/metadata/taskdefs/{}"),
    ("GET", "/api/event/{}"),
    ("GET", "/v1/runs/{}"),
    ("GET", "/v1/runs/{}/events"),
];

/// What may stand in a path, as it is written there.
fn spellings() -> Vec<String> {
    let numbers = [
        "0",
        "-1",
        "1",
        "4294967296",
        "18446744073709551616",
        "1e9",
        "0x10",
        "NaN",
        "null",
        "undefined",
        "true",
    ];
    let ids = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "00000001-e240-8007-bfff-ffffffffffff",
        "00000001-e240-8007-bfff-fffffffffff",
        "{00000001-e240-8007-bfff-ffffffffffff}",
    ];
    let raw =
        ["%", "%z", "%00", "%ff%fe", "%c0%ae%c0%ae", "..;", ".%2e", "%2e%2e", "*", "~", "a;b=c", "%E2%80%AE"];
    let all = NAMES.iter().map(|name| encoded(name));
    let others = numbers.iter().chain(&ids).chain(&raw).map(|text| (*text).to_owned());
    all.chain(others).chain([encoded(&"x".repeat(2_000))]).collect()
}

#[test]
fn paths_lead_nowhere_else_in_any_spelling() {
    let site = Site::new(&[]);
    let mut client = site.client();
    for (method, route) in ROUTES {
        for spelling in spellings() {
            let path = route.replace("{}", &spelling);
            let reply = client.ask(method, &path, (method != "GET").then_some(&json!({})));
            let reply = reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
            assert!(reply.status < 500, "{method} {path}: {reply:?}");
            assert!(!reply.body.contains("root:"), "{reply:?}");
        }
    }
    site.leave_in_peace();
}

#[test]
fn what_stands_behind_the_question_mark_may_be_anything() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let id = client.post("/api/workflow", &json!({"name": "calm", "taskToDomain": {"calm": "nowhere"}})).body;
    let routes = [
        ("/api/workflow/search", &["start", "size", "sort", "freeText", "query"][..]),
        ("/api/workflow/search-v2", &["start", "size", "sort", "freeText", "query"]),
        ("/api/workflow/search-by-tasks", &["start", "size", "sort", "freeText", "query"]),
        ("/api/tasks/search", &["start", "size", "sort", "freeText", "query"]),
        ("/api/tasks/poll/batch/none", &["count", "timeout", "workerid", "domain"]),
        ("/api/tasks/queue/sizes", &["taskType"]),
        ("/api/tasks/queue/polldata", &["taskType"]),
        ("/api/workflow/running/calm", &["version", "startTime", "endTime"]),
        ("/api/metadata/workflow/calm", &["version"]),
        (&format!("/api/workflow/{id}"), &["includeTasks"]),
        (&format!("/api/workflow/{id}/tasks"), &["start", "count", "status"]),
        (&format!("/api/workflow/{id}/status"), &["includeOutput", "includeVariables"]),
    ];
    let conditions = [
        "status%20IN%20(",
        "status%20IN%20()",
        "status%3D",
        "%3D",
        "workflowType%3D'",
        "a%3Db%20AND",
        "AND%20AND",
        "(((((",
        "status%3D'RUNNING'%20OR%201%3D1",
        "startTime%3E99999999999999999999",
        "startTime%3E-1",
        "workflowId%3D'x'%3B%20DROP%20TABLE%20runs",
    ];
    let deep = "(".repeat(3_000);
    for (route, keys) in routes {
        for key in keys {
            for value in spellings().iter().map(String::as_str).chain(conditions).chain([deep.as_str()]) {
                let path = format!("{route}?{key}={value}&{key}&=&&{key}[]={value}");
                let reply = client.ask("GET", &path, None).unwrap_or_else(|error| panic!("{path}: {error}"));
                assert!(reply.status < 500, "{path}: {reply:?}");
            }
        }
    }
    let run: Value = client.get(&format!("/api/workflow/{id}")).json();
    assert_eq!(run["status"], "RUNNING", "it is still there");
    site.leave_in_peace();
}
