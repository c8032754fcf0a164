//! Locks of those outside, beside those of tasks.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Reply, Site};

fn wish(holder: &str, resources: &[&str]) -> Value {
    let claims: Vec<Value> = resources.iter().map(|name| json!({"resource": name})).collect();
    json!({"holder": holder, "claims": claims})
}

fn with(mut wish: Value, name: &str, value: Value) -> Value {
    wish[name] = value;
    wish
}

fn held(site: &Site, wish: Value) -> Value {
    let reply = site.post("/v1/locks", wish);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

fn refused(reply: &Reply) -> String {
    assert_eq!(reply.status, 409, "{}", reply.body);
    reply.json()["message"].as_str().unwrap().to_owned()
}

fn release(site: &Site, lock: &Value) -> u16 {
    site.delete(&format!("/v1/locks/{}", lock["id"].as_str().unwrap())).status
}

/// Asks while others do, and says what came of it.
fn later(site: &Site, wish: Value) -> std::thread::JoinHandle<Reply> {
    let mut stream = site.send("POST", "/v1/locks", Some(&wish.to_string()));
    std::thread::spawn(move || Reply::read(&mut stream))
}

fn settle() {
    std::thread::sleep(Duration::from_millis(150));
}

#[test]
fn a_lock_is_had_by_one_and_its_token_is_larger_than_those_before() {
    let site = Site::new();
    let first = held(&site, wish("ada", &["service:erp", "file:/srv/a"]));
    assert!(refused(&site.post("/v1/locks", wish("bob", &["service:erp"]))).contains("ada"));
    assert_eq!(release(&site, &first), 200);
    let second = held(&site, wish("bob", &["service:erp"]));
    assert!(second["token"].as_u64() > first["token"].as_u64());
    assert_eq!(release(&site, &first), 404, "what was given back is given back once");
}

#[test]
fn all_of_its_claims_or_none() {
    let site = Site::new();
    let ada = held(&site, wish("ada", &["service:a"]));
    refused(&site.post("/v1/locks", wish("bob", &["service:b", "service:a"])));
    held(&site, wish("cy", &["service:b"]));
    release(&site, &ada);
    held(&site, wish("bob", &["service:a"]));
}

#[test]
fn a_directory_covers_what_lies_below_and_readers_share() {
    let site = Site::new();
    held(&site, wish("ada", &["dir:/srv/erp"]));
    refused(&site.post("/v1/locks", wish("bob", &["file:/srv/erp/../erp/orders.db"])));
    held(&site, wish("bob", &["file:/srv/other"]));
    let reader = |name: &str| json!({"holder": name, "claims": [{"resource": "service:x", "shared": true}]});
    held(&site, reader("r1"));
    held(&site, reader("r2"));
    refused(&site.post("/v1/locks", wish("writer", &["service:x"])));
}

#[test]
fn whoever_waits_gets_it_when_it_is_given_back_or_hears_who_has_it() {
    let site = Site::new();
    let ada = held(&site, wish("ada", &["service:a"]));
    let begun = Instant::now();
    let message = refused(&site.post("/v1/locks", with(wish("cy", &["service:a"]), "wait", json!(200))));
    assert!(message.contains("ada") && begun.elapsed() >= Duration::from_millis(200), "{message}");
    let bob = later(&site, with(wish("bob", &["service:a"]), "wait", json!(10_000)));
    settle();
    let told = site.get("/v1/locks").json();
    assert_eq!(told["waiting"][0]["holder"], "bob");
    assert_eq!(told["waiting"][0]["waitsFor"], json!(["ada"]));
    assert!(
        !site.get("/v1/locks").body.contains(ada["id"].as_str().unwrap()),
        "ids are their holders' alone"
    );
    release(&site, &ada);
    assert_eq!(bob.join().unwrap().status, 200);
}

#[test]
fn whoever_is_gone_waits_no_longer() {
    let site = Site::new();
    let ada = held(&site, wish("ada", &["service:a"]));
    let gone = site.send(
        "POST",
        "/v1/locks",
        Some(&with(wish("bob", &["service:a"]), "wait", json!(30_000)).to_string()),
    );
    settle();
    drop(gone);
    settle();
    assert_eq!(site.get("/v1/locks").json()["waiting"], json!([]));
    release(&site, &ada);
    held(&site, wish("cy", &["service:a"]));
}

#[test]
fn a_lease_that_is_not_renewed_ends() {
    let site = Site::new();
    let ada = held(&site, with(wish("ada", &["service:a"]), "lease", json!(400)));
    let path = format!("/v1/locks/{}", ada["id"].as_str().unwrap());
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(150));
        assert_eq!(site.put(&path, json!({})).status, 200);
    }
    held(&site, with(wish("bob", &["service:a"]), "wait", json!(5_000)));
    assert_eq!(site.put(&path, json!({})).status, 404, "and it hears so");
}

#[test]
fn a_lock_holds_beyond_a_restart_and_what_was_given_back_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::on(dir.path());
    let ada = held(&site, wish("ada", &["service:a"]));
    let bob = held(&site, wish("bob", &["service:b"]));
    release(&site, &bob);
    site.stop();
    let site = Site::on(dir.path());
    assert!(refused(&site.post("/v1/locks", wish("cy", &["service:a"]))).contains("ada"));
    let cy = held(&site, wish("cy", &["service:b"]));
    assert!(cy["token"].as_u64() > bob["token"].as_u64());
    let path = format!("/v1/locks/{}", ada["id"].as_str().unwrap());
    assert_eq!(site.put(&path, json!({})).json()["token"], ada["token"]);
    assert_eq!(release(&site, &ada), 200);
    held(&site, wish("dee", &["service:a"]));
}

#[test]
fn of_two_who_want_what_the_other_has_the_younger_is_refused() {
    let site = Site::new();
    let (ada, bob) = (held(&site, wish("ada", &["service:a"])), held(&site, wish("bob", &["service:b"])));
    let add = |lock: &Value, holder: &str, name: &str| {
        with(with(wish(holder, &[name]), "with", lock["id"].clone()), "wait", json!(10_000))
    };
    let elder = later(&site, add(&ada, "ada", "service:b"));
    settle();
    let begun = Instant::now();
    assert!(refused(&site.post("/v1/locks", add(&bob, "bob", "service:a"))).contains("older token"));
    assert!(begun.elapsed() < Duration::from_secs(5), "at once");
    assert!(refused(&site.post("/v1/locks", add(&ada, "ada", "service:a"))).contains("ada"), "its own");
    release(&site, &bob);
    let both = elder.join().unwrap();
    assert_eq!(both.status, 200, "{}", both.body);
    assert_eq!(site.post("/v1/locks", add(&bob, "bob", "service:c")).status, 404, "it is held no longer");
}

#[test]
fn tasks_and_those_outside_wait_for_one_another() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("work");
    std::fs::create_dir(&place).unwrap();
    let site = Site::with(&dir.path().join("data"), &[("commands_dir", place.to_str().unwrap())]);
    let agent = held(&site, wish("agent", &["file:orders.db"]));
    let document =
        "tasks: { import: { run: 'until [ -e go ]; do sleep 0.02; done', locks: ['file:orders.db'] } }";
    let run = site.post("/v1/runs/document", json!({"document": document})).json()["run"].clone();
    let state = || site.get(&format!("/v1/runs/{}", run.as_str().unwrap())).json()["state"].clone();
    settle();
    let told = site.get("/v1/locks").json();
    let waiting = &told["waiting"][0];
    assert!(waiting["holder"].as_str().unwrap().ends_with(" import"), "{told}");
    assert_eq!(waiting["waitsFor"], json!(["agent"]));
    release(&site, &agent);
    settle();
    assert!(refused(&site.post("/v1/locks", wish("agent", &["file:orders.db"]))).contains("import"));
    std::fs::write(place.join("go"), "").unwrap();
    held(&site, with(wish("agent", &["file:orders.db"]), "wait", json!(10_000)));
    assert_eq!(state(), "succeeded");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let site = Site::new();
    let many: Vec<Value> = (0..101).map(|at| json!({"resource": format!("x{at}")})).collect();
    for bad in [
        json!({}),
        json!({"claims": []}),
        json!({"claims": many}),
        json!({"claims": [{"resource": ""}]}),
        json!({"claims": [{"resource": "a\nb"}]}),
        json!({"claims": [{"resource": "file:orders.db"}]}),
        json!({"claims": [{"resource": "workers/mail"}]}),
        json!({"claims": [{"resource": "slots"}]}),
        json!({"claims": [{"resource": "a", "units": -1}]}),
        json!({"claims": [{"resource": "a"}], "wait": 60_001}),
        json!({"claims": [{"resource": "a"}], "lease": 0}),
        json!({"claims": [{"resource": "a"}], "holder": "\u{1b}[2J"}),
        json!({"claims": [{"resource": "a"}], "colour": "red"}),
    ] {
        assert_eq!(site.post("/v1/locks", bad.clone()).status, 400, "{bad}");
    }
    for (id, body) in [("x", json!({})), ("0000000000000000", json!({})), ("+000000000000001", json!({}))] {
        assert_eq!(site.put(&format!("/v1/locks/{id}"), body).status, 404);
    }
    let twice = json!({"claims": [{"resource": "gpu", "units": 2}]});
    assert!(refused(&site.post("/v1/locks", twice)).contains("there are only 1"));
}

#[test]
fn how_everything_is_stands_in_one_answer() {
    let site = Site::new();
    site.teach("mail", &["send"]);
    let _run = site.start("mail", json!({}));
    held(&site, wish("ada", &["service:a"]));
    let told = site.get("/v1/system").json();
    assert_eq!(
        (&told["healthy"], &told["queueDepth"], &told["locks"]["held"]),
        (&json!(true), &json!(1), &json!(1))
    );
    assert!(told["memory"].as_u64() > Some(1_000_000) && told["breakersOpen"] == json!([]));
    let task = site.take("send");
    site.end(&task, "COMPLETED", json!({}));
    assert_eq!(site.get("/v1/system").json()["workers"], 1);
    assert_eq!(site.get("/v1/breakers").json(), json!([]));
    assert_eq!(site.post("/v1/breakers/erp/reset", json!({})).status, 409);
}

#[test]
fn results_that_serve_again_are_counted_and_can_be_forgotten() {
    let site = Site::new();
    site.post("/api/metadata/taskdefs", json!([{"name": "cached", "ownerEmail": "a@b.cd"}]));
    let task = json!({"name": "cached", "taskReferenceName": "cached", "type": "SIMPLE", "inputParameters": {},
        "cacheConfig": {"key": "k", "ttlInSecond": 60}});
    site.teach_tasks("flow", json!([task]));
    let first = site.start("flow", json!({}));
    let task = site.take("cached");
    site.end(&task, "COMPLETED", json!({"x": 1}));
    site.await_status(&first, "COMPLETED");
    site.await_status(&site.start("flow", json!({})), "COMPLETED");
    let told = site.get("/v1/cache").json();
    assert_eq!((&told["entries"], &told["hits"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(site.delete("/v1/cache").status, 200);
    assert_eq!(site.get("/v1/cache").json()["entries"], 0);
}

#[test]
fn a_run_is_drawn_and_reported() {
    let site = Site::new();
    site.teach("mail", &["write", "send"]);
    let run = site.start("mail", json!({}));
    for name in ["write", "send"] {
        let task = site.take(name);
        site.end(&task, "COMPLETED", json!({}));
    }
    site.await_status(&run, "COMPLETED");
    let report = |format: &str| site.get(&format!("/v1/runs/{run}/report?format={format}"));
    assert!(report("json").json().is_object());
    assert!(report("text").body.contains("send"), "{}", report("text").body);
    assert!(report("html").body.starts_with("<!doctype html>"));
    assert_eq!(report("pdf").status, 400);
    let graph = |format: &str| site.get(&format!("/v1/runs/{run}/graph?format={format}"));
    let drawn = graph("json").json();
    let names: Vec<&str> =
        drawn["items"].as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect();
    assert_eq!(names, ["write", "send"]);
    assert_eq!((&drawn["items"][1]["state"], &drawn["links"][0]["to"]), (&json!("succeeded"), &json!(1)));
    assert!(drawn["items"][1]["x"].as_f64() > drawn["items"][0]["x"].as_f64(), "{drawn}");
    let svg = graph("svg");
    assert!(svg.kind == "image/svg+xml" && svg.body.contains("<svg") && svg.body.contains("send"));
    assert_eq!(graph("pdf").status, 400);
    assert_eq!(site.get("/v1/runs/00000000-0000-8000-8000-000000000000/report").status, 404);
}
