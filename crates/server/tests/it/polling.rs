//! HTTP_POLL: calls until a condition holds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::Site;

/// Answers `{"n": 1}`, `{"n": 2}` and so on; from `broken_from` on with 503.
struct Counter {
    address: SocketAddr,
    calls: Arc<AtomicU32>,
}

fn counter(broken_from: u32) -> Counter {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let counted = calls.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let n = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let status = if n >= broken_from { "503 Service Unavailable" } else { "200 OK" };
            let body = json!({"n": n}).to_string();
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    Counter { address, calls }
}

fn teach(site: &Site, counter: &Counter, more: Value) {
    let mut request =
        json!({"uri": format!("http://{}/", counter.address), "method": "GET", "pollingInterval": 1});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let task = json!([{"name": "p", "taskReferenceName": "p", "type": "HTTP_POLL",
        "inputParameters": {"http_request": request, "wanted": 3}}]);
    site.teach_tasks("w", task);
}

#[test]
fn it_calls_until_the_condition_holds() {
    let (site, counter) = (Site::new(), counter(u32::MAX));
    let condition = "(function () { return $.output.response.body.n >= $.input.wanted; })();";
    teach(&site, &counter, json!({"terminationCondition": condition}));
    let id = site.start("w", json!({}));
    let task = loop {
        let task = site.run(&id)["tasks"][0].clone();
        if task["pollCount"].as_u64() == Some(1) && task["outputData"]["response"].is_object() {
            break task;
        }
    };
    assert_eq!(task["status"], "IN_PROGRESS");
    let run = site.await_status(&id, "COMPLETED");
    let task = &run["tasks"][0];
    assert_eq!((&task["pollCount"], &task["outputData"]["response"]["body"]["n"]), (&json!(3), &json!(3)));
    assert_eq!(counter.calls.load(Ordering::SeqCst), 3);
}

#[test]
fn a_server_that_starts_again_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let counter = counter(u32::MAX);
    let mut site = Site::on(dir.path());
    teach(
        &site,
        &counter,
        json!({"terminationCondition": "$.output.body.n >= 3", "pollingStrategy": "LINEAR_BACKOFF"}),
    );
    let id = site.start("w", json!({}));
    while site.run(&id)["tasks"][0]["outputData"]["response"].is_null() {}
    site.stop();
    let site = Site::on(dir.path());
    let run = site.await_status(&id, "COMPLETED");
    assert_eq!(run["tasks"][0]["pollCount"], 3);
    assert_eq!(counter.calls.load(Ordering::SeqCst), 3);
}

#[test]
fn it_gives_up_after_its_limit_and_on_errors() {
    let (site, counter) = (Site::new(), counter(3));
    teach(&site, &counter, json!({"terminationCondition": "false", "maxPollCount": 2}));
    let run = site.await_status(&site.start("w", json!({})), "FAILED");
    let task = &run["tasks"][0];
    assert_eq!(task["status"], "FAILED_WITH_TERMINAL_ERROR");
    assert!(task["reasonForIncompletion"].as_str().unwrap().contains("2 calls"), "{task}");
    let run = site.await_status(&site.start("w", json!({})), "FAILED");
    let task = &run["tasks"][0];
    assert_eq!(
        (&task["status"], &task["outputData"]["response"]["statusCode"]),
        (&json!("FAILED"), &json!(503))
    );
}

#[test]
fn without_a_condition_it_is_refused() {
    let site = Site::new();
    let task = json!({"name": "p", "taskReferenceName": "p", "type": "HTTP_POLL",
        "inputParameters": {"http_request": {"uri": "http://127.0.0.1/", "method": "GET"}}});
    let refused = site.post("/api/metadata/workflow", json!({"name": "w", "tasks": [task]}));
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("terminationCondition"), "{}", refused.body);
}
