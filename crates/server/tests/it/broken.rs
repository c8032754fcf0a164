//! Connections that break, and what is too large.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Reply, Site};

#[test]
fn a_poll_whose_client_is_gone_takes_no_task() {
    let site = Site::new();
    site.teach("w", &["t"]);
    let gone = site.send("GET", "/api/tasks/poll/batch/t?timeout=5000", None);
    std::thread::sleep(Duration::from_millis(100));
    gone.shutdown(Shutdown::Both).unwrap();
    drop(gone);
    std::thread::sleep(Duration::from_millis(50));
    site.start("w", json!({}));
    let begun = Instant::now();
    assert_eq!(site.take("t")["pollCount"], 1);
    assert!(begun.elapsed() < Duration::from_millis(50), "{:?}", begun.elapsed());
}

#[test]
fn tasks_whose_poll_breaks_off_at_that_moment_are_there_for_others_at_once() {
    let site = Site::new();
    site.teach("w", &["t"]);
    for _ in 0..20 {
        let poll = site.send("GET", "/api/tasks/poll/batch/t?timeout=5000", None);
        std::thread::sleep(Duration::from_millis(5));
        let start = site.send("POST", "/api/workflow", Some(r#"{"name":"w","input":{}}"#));
        drop(poll);
        drop(start);
    }
    // Whatever a poll got whose connection was still whole is that worker's; all others come at once.
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    let tasks = site.get("/api/tasks/poll/batch/t?count=100&timeout=200").json();
    assert!(begun.elapsed() < Duration::from_millis(150) || tasks.as_array().unwrap().is_empty());
    let queue = site.get("/api/tasks/queue/all").json();
    assert_eq!(queue.get("t"), None, "nothing is stuck in between");
}

#[test]
fn a_body_that_is_too_large_or_cut_off_disturbs_nobody() {
    let site = Site::new();
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.write_all(b"POST /api/workflow HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 99999999\r\n\r\n{").unwrap();
    assert_eq!(Reply::read(&mut stream).status, 413);
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream
        .write_all(b"POST /api/workflow HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n{\"name\"")
        .unwrap();
    drop(stream);
    let mut stream = TcpStream::connect(site.address).unwrap();
    stream.write_all(b"\x16\x03\x01 not http\r\n\r\n").unwrap();
    drop(stream);
    assert_eq!(site.get("/health").status, 200);
}

#[test]
fn long_addresses_are_refused() {
    let site = Site::new();
    let path = format!("/api/tasks/poll/{}", "x".repeat(9_000));
    assert_eq!(site.get(&path).status, 414);
}
