//! Who wants to hear what becomes of a run is told over HTTP, once it is true and until it was heard.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::receiver::{Manner, Receiver};
use crate::support::Site;

/// A server that does not wait long, with these further settings.
fn site(dir: &tempfile::TempDir, more: &[(&str, &str)]) -> Site {
    let quick = [("callback_pause", "50ms"), ("callback_timeout", "2s")];
    Site::with(dir.path(), &[&quick, more].concat())
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn noop() -> Value {
    json!([{"name": "n", "taskReferenceName": "n", "type": "NOOP"}])
}

fn start(site: &Site, name: &str, callbacks: Value) -> String {
    let runs = json!({"runs": [{"name": name, "correlationId": "order-7", "callbacks": callbacks}]});
    let reply = site.post("/v1/runs", runs);
    let run = reply.json()["runs"][0]["run"].as_str().map(str::to_owned);
    run.unwrap_or_else(|| panic!("{}", reply.body))
}

fn listed(site: &Site, state: &str) -> Vec<Value> {
    let listed = site.get(&format!("/v1/callbacks?state={state}")).json();
    listed["callbacks"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
}

fn await_listed(site: &Site, state: &str, count: usize) -> Vec<Value> {
    for _ in 0..1_000 {
        let found = listed(site, state);
        if found.len() == count {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("never {count} {state}: {:?}", listed(site, state));
}

#[test]
fn whoever_a_start_names_is_told_once_how_the_run_ended() {
    let (dir, receiver) = (dir(), Receiver::good());
    let site = site(&dir, &[]);
    site.teach_tasks("quick", noop());
    let run = start(&site, "quick", json!([{"to": receiver.url()}]));
    let told = receiver.await_told(1).remove(0);
    let mut event = told.json();
    for time in ["at", "created", "ended"] {
        assert!(event[time].as_u64().unwrap() > 1_700_000_000_000, "{event}");
        event[time] = json!(0);
    }
    assert_eq!(
        event,
        json!({"id": told.header("idempotency-key"), "type": "run.completed", "at": 0, "run": run,
            "workflow": "quick", "state": "completed", "created": 0, "version": 1, "correlationId": "order-7",
            "ended": 0})
    );
    assert_eq!(told.header("webhook-id"), told.header("idempotency-key"));
    assert_eq!(told.header("content-type"), "application/json");
    await_listed(&site, "waiting", 0);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((receiver.told().len(), listed(&site, "dead").len()), (1, 0));
}

#[test]
fn a_definition_names_its_listener_as_conductor_does_and_tasks_of_documents_are_told_too() {
    let (dir, receiver) = (dir(), Receiver::good());
    let site = site(&dir, &[]);
    let wait = json!([{"name": "w", "taskReferenceName": "w", "type": "WAIT"}]);
    let mut def = json!({"name": "waits", "version": 1, "schemaVersion": 2, "tasks": wait,
        "workflowStatusListenerEnabled": true, "workflowStatusListenerSink": receiver.url()});
    assert_eq!(site.post("/api/metadata/workflow", def.clone()).status, 200);
    def["workflowStatusListenerSink"] = json!("https://user:secret@erp.example/");
    let refused = site.post("/api/metadata/workflow?overwrite=true", def);
    assert_eq!(refused.status, 400, "{}", refused.body);
    let run = site.start("waits", json!({}));
    assert_eq!(site.put(&format!("/api/workflow/{run}/pause"), json!({})).status, 200);
    assert_eq!(site.put(&format!("/api/workflow/{run}/resume"), json!({})).status, 200);
    assert_eq!(site.delete(&format!("/api/workflow/{run}?reason=enough")).status, 200);
    assert_eq!(site.post(&format!("/api/workflow/{run}/retry"), json!({})).status, 204);
    let told = receiver.await_told(5);
    let kinds: Vec<String> = told.iter().map(|told| told.kind()).collect();
    assert_eq!(kinds, ["run.started", "run.paused", "run.resumed", "run.cancelled", "run.restarted"]);
    assert_eq!(told[3].json()["reason"], "enough");

    let document = format!(
        "name: doc\ncallbacks:\n  - to: {}\n    states: [task-failed, failed]\ntasks:\n  a: {{ http: {{ url: 'http://127.0.0.1:1/' }} }}\n",
        receiver.url()
    );
    let started = site.post("/v1/runs/document", json!({"document": document}));
    assert_eq!(started.status, 200, "{}", started.body);
    let told = receiver.await_told(7);
    let kinds: Vec<String> = told[5..].iter().map(|told| told.kind()).collect();
    assert_eq!(kinds, ["task.failed", "run.failed"]);
    assert_eq!(told[5].json()["task"]["name"], "a");
    assert!(told[5].json()["task"]["reason"].as_str().unwrap().contains("127.0.0.1:1"));
}

#[test]
fn after_a_failure_the_same_is_told_again_under_the_same_key() {
    let (dir, receiver) = (
        dir(),
        Receiver::new([
            Manner::Status(500, ""),
            Manner::Status(302, "location: /x\r\n"),
            Manner::Status(200, ""),
        ]),
    );
    let site = site(&dir, &[]);
    site.teach_tasks("quick", noop());
    start(&site, "quick", json!([{"to": receiver.url()}]));
    let told = receiver.await_told(3);
    assert!(told.iter().all(|again| (again.header("idempotency-key"), &again.body)
        == (told[0].header("idempotency-key"), &told[0].body)));
    assert!(told.iter().all(|told| told.path == "/hook"), "a redirect is not followed");
    assert!(told[1].at - told[0].at >= Duration::from_millis(50));
    assert!(told[2].at - told[1].at >= Duration::from_millis(100));
    await_listed(&site, "waiting", 0);
    let metrics = site.get("/metrics").body;
    for line in [
        "partitur_callback_attempts_total{protocol=\"http\",outcome=\"rejected\"} 2",
        "partitur_callback_attempts_total{protocol=\"http\",outcome=\"delivered\"} 1",
        "partitur_callback_duration_seconds_count{protocol=\"http\",outcome=\"delivered\"} 1",
        "partitur_callback_dead_letters_total 0",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[test]
fn what_could_not_be_told_is_kept_over_a_restart_retried_by_hand_and_removed() {
    let (dir, receiver) = (dir(), Receiver::new([Manner::Status(503, "")]));
    let mut first = site(&dir, &[]);
    first.teach_tasks("quick", noop());
    let run = start(&first, "quick", json!([{"to": format!("{}?token=hidden", receiver.url())}]));
    let dead = await_listed(&first, "dead", 1).remove(0);
    assert_eq!(receiver.told().len(), 4, "three retries");
    let id = dead["id"].as_str().unwrap().to_owned();
    assert_eq!((&dead["run"], &dead["tries"]), (&json!(run), &json!(4)));
    assert_eq!((&dead["problem"], &dead["to"]), (&json!("it was answered with 503"), &json!(receiver.url())));
    first.stop();

    let site = site(&dir, &[]);
    assert_eq!(site.get("/v1/system").json()["callbacks"], json!({"waiting": 0, "dead": 1}));
    assert_eq!(site.get(&format!("/v1/callbacks/{id}")).json()["event"]["type"], "run.completed");
    receiver.behave(Manner::Status(204, ""));
    assert_eq!(site.post(&format!("/v1/callbacks/{id}/retry"), json!({})).status, 200);
    let told = receiver.await_told(5);
    assert_eq!(told[4].header("idempotency-key"), id);
    await_listed(&site, "dead", 0);
    assert_eq!(site.post(&format!("/v1/callbacks/{id}/retry"), json!({})).status, 404);

    receiver.behave(Manner::Status(410, ""));
    start(&site, "quick", json!([{"to": receiver.url()}]));
    let gone = await_listed(&site, "dead", 1).remove(0);
    assert_eq!(gone["tries"], 1, "who is gone is not asked again");
    let removed = site.delete(&format!("/v1/callbacks/{}", gone["id"].as_str().unwrap()));
    assert_eq!((removed.status, listed(&site, "dead").len()), (200, 0));
}

#[test]
fn the_settings_name_receivers_and_secrets_and_python_verifies_what_is_signed() {
    let (dir, receiver) = (dir(), Receiver::good());
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let settings = dir.path().join("server.toml");
    let text = format!(
        "[callbacks.erp]\nurl = \"{}\"\nsecret = \"file:{}\"\nstates = [\"completed\"]\nworkflows = \"order-*\"\n\
         [callback_secrets]\nown = \"file:{}\"\n",
        receiver.url(),
        secret.display(),
        dir.path().join("nowhere").display()
    );
    std::fs::write(&settings, text).unwrap();
    let site = Site::by_file(dir.path(), &settings, &[("callback_pause", "50ms")]);
    site.teach_tasks("order-1", noop());
    site.teach_tasks("other", noop());
    start(&site, "order-1", json!([]));
    start(&site, "other", json!([]));
    let told = receiver.await_told(1).remove(0);
    assert_eq!(told.json()["workflow"], "order-1");

    let page = include_str!("../../../../docs/callbacks.md");
    let python = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let verify = |body: &str| {
        let program = format!(
            "{python}\nimport sys, json\nprint(verify(json.loads(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]))"
        );
        let head: serde_json::Map<String, Value> =
            told.head.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let arguments =
            ["-c", &program, &Value::from(head).to_string(), body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
        let said = std::process::Command::new("python3").args(arguments).output().unwrap();
        String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap()
    };
    assert_eq!(verify(&told.body).trim(), "True");
    assert_eq!(verify(&told.body.replace("order-1", "order-2")).trim(), "False");

    // Where there is a node of JavaScript, the other example is asked, too.
    if std::process::Command::new("node").arg("--version").output().is_ok() {
        let script = page.split("```javascript\n").nth(1).unwrap().split("```").next().unwrap();
        let file = dir.path().join("verify.mjs");
        let program = format!(
            "{script}\nconst [head, body, secret] = process.argv.slice(2);\nconsole.log(verify(JSON.parse(head), body, secret));"
        );
        std::fs::write(&file, program).unwrap();
        let head: serde_json::Map<String, Value> =
            told.head.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let asked = |body: &str| {
            let mut node = std::process::Command::new("node");
            node.arg(&file).arg(Value::from(head.clone()).to_string());
            let said = node.args([body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).output().unwrap();
            String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap()
        };
        assert_eq!(asked(&told.body).trim(), "true");
        assert_eq!(asked(&told.body.replace("order-1", "order-2")).trim(), "false");
    }

    // Nothing goes out unsigned that is to be signed, and no secret is shown.
    start(&site, "other", json!([{"to": receiver.url(), "secret": "own"}, {"to": "nobody"}]));
    let dead = await_listed(&site, "dead", 2);
    let problems: Vec<&str> = dead.iter().map(|dead| dead["problem"].as_str().unwrap()).collect();
    assert!(problems.iter().any(|problem| problem.contains("cannot be read")), "{problems:?}");
    assert!(problems.contains(&"the settings name no receiver `nobody`"), "{problems:?}");
    assert_eq!(receiver.told().len(), 1);
}

#[test]
fn addresses_inside_are_refused_however_they_are_written_and_at_once() {
    let (dir, receiver) = (dir(), Receiver::good());
    let port = receiver.address.port();
    let site = site(&dir, &[("egress_inner", "false")]);
    site.teach_tasks("quick", noop());
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "0.0.0.0",
        "169.254.169.254",
        "[fe80::1]",
        "10.0.0.1",
    ];
    let callbacks: Vec<Value> =
        hosts.iter().map(|host| json!({"to": format!("http://{host}:{port}/")})).collect();
    start(&site, "quick", json!(callbacks));
    let dead = await_listed(&site, "dead", hosts.len());
    for dead in dead {
        assert_eq!(dead["tries"], 1, "{dead}");
        assert!(dead["problem"].as_str().unwrap().contains("refused"), "{dead}");
    }
    assert!(receiver.told().is_empty());
    let metrics = site.get("/metrics").body;
    assert!(metrics.contains("partitur_callback_attempts_total{protocol=\"http\",outcome=\"refused\"} 12"));
    assert!(metrics.contains("partitur_callback_dead_letters_total 12"));
}

#[test]
fn a_silent_and_an_endless_receiver_hold_back_nobody_else() {
    let (dir, good) = (dir(), Receiver::good());
    let (silent, endless) = (Receiver::new([Manner::Silent]), Receiver::new([Manner::Endless]));
    let site = site(&dir, &[("callback_timeout", "1s")]);
    site.teach_tasks("quick", noop());
    for _ in 0..40 {
        start(&site, "quick", json!([{"to": silent.url()}, {"to": endless.url()}]));
    }
    let begun = Instant::now();
    start(&site, "quick", json!([{"to": good.url()}]));
    good.await_told(1);
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    let waiting = listed(&site, "waiting");
    assert!(waiting.len() > 40, "{}", waiting.len());
    // What is endless was cut off and counted as what its head said.
    endless.await_told(5);
    assert!(silent.told().len() <= 8, "so much at once: {}", silent.told().len());
}

#[test]
fn what_is_told_of_one_run_comes_in_its_order_also_after_failures() {
    let (dir, receiver) =
        (dir(), Receiver::new([Manner::Status(500, ""), Manner::Status(500, ""), Manner::Status(200, "")]));
    let site = site(&dir, &[]);
    site.teach_tasks("quick", noop());
    start(
        &site,
        "quick",
        json!([{"to": receiver.url(), "states": ["started", "task-completed", "completed"]}]),
    );
    let told = receiver.await_told(5);
    let kinds: Vec<String> = told.iter().map(|told| told.kind()).collect();
    assert_eq!(kinds, ["run.started", "run.started", "run.started", "task.completed", "run.completed"]);
    let keys: Vec<&str> = told[2..].iter().map(|told| told.header("idempotency-key")).collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn what_is_wrong_with_a_callback_is_said_at_the_start() {
    let dir = dir();
    let site = site(&dir, &[]);
    site.teach_tasks("quick", noop());
    for (callback, wrong) in [
        (json!({"to": "ftp://x/"}), "callbacks[0].to"),
        (json!({"to": "http://u:p@x/"}), "callbacks[0].to"),
        (json!({"to": "erp", "states": ["over"]}), "callbacks[0].states"),
    ] {
        let runs = json!({"runs": [{"name": "quick", "callbacks": [callback]}]});
        let answer = site.post("/v1/runs", runs).json();
        assert_eq!(answer["runs"][0]["status"], 400, "{answer}");
        let document = json!({"document": "tasks: { a: { wait: { for: 1s } } }", "callbacks": [callback]});
        let refused = site.post("/v1/runs/document", document);
        assert_eq!(refused.status, 400);
        assert!(refused.body.contains(wrong), "{}", refused.body);
    }
}

#[test]
fn outputs_are_told_unless_they_are_large_unwanted_or_hidden() {
    let (dir, receiver) = (dir(), Receiver::good());
    let site = site(&dir, &[]);
    let set =
        json!([{"name": "s", "taskReferenceName": "s", "type": "SET_VARIABLE", "inputParameters": {"x": 1}}]);
    let def = |name: &str, masked: Value| {
        json!({"name": name, "version": 1, "schemaVersion": 2, "tasks": set, "maskedFields": masked,
            "outputParameters": {"v": "${workflow.input.v}"}})
    };
    site.post("/api/metadata/workflow", def("shown", json!([])));
    site.post("/api/metadata/workflow", def("masked", json!(["card"])));
    let run = |name: &str, value: String, output: bool| {
        let before = receiver.told().len();
        let callbacks = json!([{"to": receiver.url(), "output": output}]);
        let start = json!({"runs": [{"name": name, "input": {"v": value}, "callbacks": callbacks}]});
        assert_eq!(site.post("/v1/runs", start).status, 200);
        let event = receiver.await_told(before + 1)[before].json();
        (event["output"]["v"].as_str().map(str::len), event["outputOmitted"] == true)
    };
    assert_eq!(run("shown", "12345".to_owned(), true), (Some(5), false));
    assert_eq!(run("shown", "12345".to_owned(), false), (None, true));
    assert_eq!(run("shown", "1".repeat(70_000), true), (None, true));
    assert_eq!(run("masked", "12345".to_owned(), true), (None, true));
}
