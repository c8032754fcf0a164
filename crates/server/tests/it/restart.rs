//! What is acknowledged survives the end of the process, however it comes.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use partitur_server::settings::Settings;
use partitur_server::{Server, ServerError};
use serde_json::json;

use crate::support::{Reply, Site};

#[test]
fn a_stopped_server_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::on(dir.path());
    site.teach("w", &["a", "b"]);
    let id = site.start("w", json!({"x": 1}));
    let task = site.take("a");
    site.stop();
    let site = Site::on(dir.path());
    assert_eq!(site.get("/api/metadata/workflow/w").status, 200);
    site.end(&task, "COMPLETED", json!({}));
    site.end(&site.take("b"), "COMPLETED", json!({}));
    assert_eq!(site.run(&id)["status"], "COMPLETED");
}

#[test]
fn a_directory_has_one_server() {
    let dir = tempfile::tempdir().unwrap();
    let _site = Site::on(dir.path());
    let flags = [("data", dir.path().display().to_string()), ("listen", "127.0.0.1:0".to_owned())];
    let flags = flags.map(|(name, value)| (name.to_owned(), value));
    let second = Server::open(Settings::read(None, [], flags).unwrap());
    assert!(matches!(second, Err(ServerError::Occupied(_))));
}

/// Not a test of its own: the process that the next test kills.
#[test]
fn serve_until_killed() {
    let (Ok(dir), Ok(port)) = (std::env::var("PARTITUR_TEST_DIR"), std::env::var("PARTITUR_TEST_PORT"))
    else {
        return;
    };
    let file = Some(std::path::Path::new(&dir).join("settings.toml")).filter(|file| file.exists());
    let flags = [("data", dir), ("listen", format!("127.0.0.1:{port}"))];
    let flags = flags.map(|(name, value)| (name.to_owned(), value));
    Server::open(Settings::read(file.as_deref(), [], flags).unwrap()).unwrap().run(|_| {}).unwrap();
}

pub fn process(dir: &std::path::Path, port: u16) -> (Child, Site) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "restart::serve_until_killed", "--nocapture"])
        .env("PARTITUR_TEST_DIR", dir)
        .env("PARTITUR_TEST_PORT", port.to_string())
        .spawn()
        .unwrap();
    let address = ([127, 0, 0, 1], port).into();
    let begun = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the server does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, Site::elsewhere(address))
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut started = Vec::new();
    for round in 0..3 {
        let (mut child, site) = process(dir.path(), port);
        if round == 0 {
            site.teach("w", &["a", "b"]);
        }
        for _ in 0..20 {
            started.push(site.start("w", json!({})));
        }
        for _ in 0..10 {
            let task = site.take("a");
            assert_eq!(site.end(&task, "COMPLETED", json!({"round": round})).status, 200);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, site) = process(dir.path(), port);
    let done = started.iter().filter(|id| site.run(id)["tasks"][0]["status"] == "COMPLETED").count();
    assert_eq!((started.len(), done), (60, 30));
    assert!(started.iter().all(|id| site.run(id)["status"] == "RUNNING"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sigterm_answers_polls_and_ends_the_process_well() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut child, site) = process(dir.path(), port);
    site.teach("w", &["t"]);
    let mut poll = site.send("GET", "/api/tasks/poll/batch/other?timeout=5000", None);
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(Reply::read(&mut poll).body, "[]");
    assert!(child.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let (mut child, site) = process(dir.path(), port);
    assert_eq!(site.get("/api/metadata/workflow/w").status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn sighup_takes_over_where_calls_may_go_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let settings = dir.path().join("settings.toml");
    std::fs::write(&settings, "egress_inner = true\n").unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut child, site) = process(dir.path(), port);
    let request = json!({"uri": format!("http://localhost:{port}/api/version"), "method": "GET"});
    let call = json!({"name": "ask", "taskReferenceName": "ask", "type": "HTTP",
        "inputParameters": {"http_request": request}});
    site.teach_tasks("w", json!([call]));
    site.await_status(&site.start("w", json!({})), "COMPLETED");
    std::fs::write(&settings, "egress_inner = false\n").unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    let config = || site.get("/api/admin/config").json()["egress_inner"].clone();
    let begun = Instant::now();
    while config() != "false" {
        assert!(begun.elapsed() < Duration::from_secs(20), "the settings are not read");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The name is known, and a connection to it may still be open: it is refused all the same.
    let refused = site.await_status(&site.start("w", json!({})), "FAILED");
    let reason = refused["reasonForIncompletion"].as_str().unwrap();
    assert!(reason.contains("on this machine or in a private network"), "{reason}");
    let blocked = "partitur_egress_blocked_total{reason=\"inner\"} 1\n";
    assert!(site.get("/metrics").body.contains(blocked));
    child.kill().unwrap();
    child.wait().unwrap();
}
