//! What is done to many runs, and what goes by itself; with a process that is killed in the middle.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use partitur_server::Server;
use partitur_server::settings::Settings;
use partitur_store::{Reader, Search};
use serde_json::{Value, json};

use crate::support::Site;

/// Not a test of its own: the process that others kill.
#[test]
fn serve_with_settings_until_killed() {
    let Ok(flags) = std::env::var("PARTITUR_TEST_FLAGS") else { return };
    let flags = flags.split(' ').filter_map(|flag| flag.split_once('='));
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Server::open(Settings::read(None, [], flags).unwrap()).unwrap().run(|_| {}).unwrap();
}

fn process(dir: &Path, settings: &str) -> (Child, Site) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let flags = format!("data={} listen=127.0.0.1:{port} metrics_listen=off {settings}", dir.display());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "operations::serve_with_settings_until_killed", "--nocapture"])
        .env("PARTITUR_TEST_FLAGS", flags)
        .spawn()
        .unwrap();
    let address = ([127, 0, 0, 1], port).into();
    let begun = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the server does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    (child, Site::elsewhere(address))
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A workflow that is over as soon as it is started.
fn teach_quick(site: &Site) {
    let set =
        json!({"name": "s", "taskReferenceName": "s", "type": "SET_VARIABLE", "inputParameters": {"x": 1}});
    site.teach_tasks("quick", json!([set]));
}

fn start_quick(site: &Site, count: usize) {
    let runs: Vec<Value> = (0..count).map(|at| json!({"name": "quick", "input": {"at": at}})).collect();
    let started = site.post("/v1/runs", json!({"runs": runs}));
    assert_eq!(started.status, 200, "{}", started.body);
}

fn await_job(site: &Site, job: &str) -> Value {
    let begun = Instant::now();
    loop {
        let told = site.get(&format!("/v1/bulk/{job}")).json();
        if told["state"] != "running" {
            return told;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{told}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_a_query_finds_is_counted_and_then_treated() {
    let site = Site::new();
    site.teach("w", &["t"]);
    teach_quick(&site);
    start_quick(&site, 3);
    let running: Vec<String> = (0..120).map(|_| site.start("w", json!({}))).collect();
    let wanted = |dry: bool, query: &str| json!({"action": "terminate", "query": query, "reason": "enough", "dryRun": dry});
    let preview = site.post("/v1/bulk", wanted(true, "workflowType=w AND status=RUNNING")).json();
    assert_eq!((&preview["total"], preview["sample"].as_array().unwrap().len()), (&json!(120), 10));
    assert_eq!(site.run(&running[0])["status"], "RUNNING", "nothing was done");
    let begun = site.post("/v1/bulk", wanted(false, "workflowType=w AND status=RUNNING"));
    assert_eq!(begun.status, 202, "{}", begun.body);
    let told = await_job(&site, begun.json()["job"].as_str().unwrap());
    assert_eq!((&told["state"], &told["done"], &told["failed"]), (&json!("ended"), &json!(120), &json!(0)));
    assert!(running.iter().all(|id| site.run(id)["status"] == "TERMINATED"));
    assert_eq!(site.run(&running[5])["reasonForIncompletion"], "enough");
    // Each that cannot be treated is told of, and keeps no other from being treated.
    let job = site.post("/v1/bulk", json!({"action": "pause", "query": "workflowType=quick"})).json();
    let told = await_job(&site, job["job"].as_str().unwrap());
    assert_eq!((&told["done"], &told["failed"]), (&json!(0), &json!(3)), "{told}");
    assert!(told["errors"][0]["message"].is_string(), "{told}");
    assert_eq!(site.get("/v1/bulk").json()["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(site.post("/v1/bulk", json!({"action": "remove", "query": ""})).status, 400);
    assert_eq!(site.post("/v1/bulk", json!({"action": "burn", "query": "x=1"})).status, 400);
    assert_eq!(site.get("/v1/bulk/unheard").status, 404);
}

#[test]
fn a_job_goes_on_after_kill_9_and_treats_each_run_once() {
    let dir = tempfile::tempdir().unwrap();
    let (child, site) = process(dir.path(), "");
    teach_quick(&site);
    start_quick(&site, 900);
    let job = site.post("/v1/bulk", json!({"action": "restart", "query": "workflowType=quick"})).json();
    let name = job["job"].as_str().unwrap().to_owned();
    let mut child = Some(child);
    let mut positions = Vec::new();
    for pause in [25, 40, 60] {
        std::thread::sleep(Duration::from_millis(pause));
        kill(child.take().unwrap());
        let (next, site) = process(dir.path(), "");
        positions.push(site.get(&format!("/v1/bulk/{name}")).json()["position"].as_u64().unwrap());
        child = Some(next);
        if pause == 60 {
            let told = await_job(&site, &name);
            assert_eq!(
                (&told["done"], &told["failed"], &told["position"]),
                (&json!(900), &json!(0), &json!(900)),
                "{told}"
            );
        }
    }
    kill(child.take().unwrap());
    let reader = Reader::open(dir.path().join("partitur.db")).unwrap();
    let found = reader.search_generations(&Search { limit: 2_000, ..Search::default() }).unwrap();
    let generations: std::collections::BTreeSet<u32> =
        found.iter().map(|(_, generation)| *generation).collect();
    assert_eq!(
        (found.len(), generations.len()),
        (900, 1),
        "each was restarted as often as the others: {generations:?}"
    );
}

/// How many runs of each workflow there are.
fn count(reader: &Reader, name: &str) -> usize {
    reader.search(&Search { names: vec![name.to_owned()], limit: 0, ..Search::default() }).unwrap().total
}

#[test]
fn what_has_ended_long_ago_goes_with_its_family_and_nobody_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::on(dir.path());
    teach_quick(&site);
    let sub = json!({"name": "c", "taskReferenceName": "c", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "quick"}});
    let wait = json!({"name": "h", "taskReferenceName": "h", "type": "HUMAN"});
    site.teach_tasks("over", json!([sub]));
    site.teach_tasks("alive", json!([sub, wait]));
    start_quick(&site, 20);
    let over = site.start("over", json!({}));
    site.await_status(&over, "COMPLETED");
    let alive = site.start("alive", json!({}));
    for _ in 0..500 {
        if site.run(&alive)["tasks"].as_array().unwrap().len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    site.stop();
    let reader = Reader::open(dir.path().join("partitur.db")).unwrap();
    assert_eq!((count(&reader, "quick"), count(&reader, "over"), count(&reader, "alive")), (22, 1, 1));
    std::thread::sleep(Duration::from_millis(1_100));
    let site = Site::with(dir.path(), &[("retention", "1s"), ("retention_failed", "1s")]);
    let begun = Instant::now();
    while count(&reader, "quick") > 1 || reader.room().unwrap().removing > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} are left", count(&reader, "quick"));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((count(&reader, "over"), count(&reader, "alive")), (0, 1));
    assert_eq!(site.get(&format!("/api/workflow/{over}")).status, 404);
    let child = site.run(&alive)["tasks"][0]["subWorkflowId"].as_str().unwrap().to_owned();
    assert_eq!(site.run(&child)["status"], "COMPLETED", "its family is alive");
}

#[test]
fn retention_goes_on_after_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let (child, site) = process(dir.path(), "retention=off retention_failed=off");
    teach_quick(&site);
    site.teach("w", &["t"]);
    for _ in 0..3 {
        start_quick(&site, 1_000);
    }
    let alive: Vec<String> = (0..20).map(|_| site.start("w", json!({}))).collect();
    kill(child);
    std::thread::sleep(Duration::from_millis(1_100));
    for pause in [5, 20, 60, 90] {
        let (child, _) = process(dir.path(), "retention=1s retention_failed=1s");
        std::thread::sleep(Duration::from_millis(pause));
        kill(child);
    }
    let (child, site) = process(dir.path(), "retention=1s retention_failed=1s");
    let reader = Reader::open(dir.path().join("partitur.db")).unwrap();
    let begun = Instant::now();
    while count(&reader, "quick") > 0 || reader.room().unwrap().removing > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} are left", count(&reader, "quick"));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(alive.iter().all(|id| site.run(id)["status"] == "RUNNING"));
    kill(child);
    let found = partitur_store::inspect(&dir.path().join("partitur.db"), true).unwrap();
    assert_eq!((found.faults, found.runs, found.tasks), (Vec::<String>::new(), 20, 20));
}
