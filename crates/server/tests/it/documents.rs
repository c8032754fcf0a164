//! Native documents: run as they come or by name, refused with all of their faults, commands only where they are allowed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Site;

/// Starts a run of a document; what the server says.
fn run(site: &Site, document: &str, input: Value) -> crate::support::Reply {
    site.post("/v1/runs/document", json!({"document": document, "input": input}))
}

fn started(site: &Site, document: &str, input: Value) -> String {
    let reply = run(site, document, input);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["run"].as_str().unwrap().to_owned()
}

/// Waits until a run stands so.
fn await_state(site: &Site, id: &str, state: &str) -> Value {
    let mut shown = Value::Null;
    for _ in 0..1_000 {
        shown = site.get(&format!("/v1/runs/{id}")).json();
        if shown["state"] == state {
            return shown;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{id} never was {state}: {shown}");
}

fn task<'a>(run: &'a Value, name: &str) -> &'a Value {
    run["tasks"].as_array().unwrap().iter().find(|task| task["name"] == name).unwrap_or(&Value::Null)
}

const TOTAL: &str = "
name: total
inputs: { net: { type: number } }
tasks:
  gross: { eval: inputs.net * 2 }
  release: { needs: [gross], wait: { for: approval } }
outputs: { gross: '${gross.output.result}' }
";

#[test]
fn a_document_runs_is_shown_and_followed_to_its_end() {
    let site = Site::new();
    let id = started(&site, TOTAL, json!({"net": 21}));
    let shown = await_state(&site, &id, "running");
    assert_eq!(shown["name"], "total");
    let list = site.get("/v1/runs?name=total").json();
    assert_eq!((&list["total"], &list["runs"][0]["run"]), (&json!(1), &json!(id)));
    let mut following = site.send("GET", &format!("/v1/runs/{id}/events"), None);
    assert_eq!(site.post(&format!("/v1/runs/{id}/signal/release"), json!({"by": "ada"})).status, 200);
    let shown = await_state(&site, &id, "succeeded");
    assert_eq!(shown["output"], json!({"gross": 42}));
    assert_eq!(
        (&task(&shown, "release")["state"], &task(&shown, "release")["output"]),
        (&json!("success"), &json!({"by": "ada"}))
    );
    let events = crate::support::Reply::read(&mut following);
    assert!(events.body.contains(r#""state":"succeeded""#), "{}", events.body);
    // To Conductor's clients it is nothing.
    assert_eq!(site.get(&format!("/api/workflow/{id}")).status, 404);
    assert_eq!(site.get("/api/workflow/search").json()["results"], json!([]));
    let skipped = site.put(&format!("/api/workflow/{id}/skiptask/release"), json!({}));
    assert!((400..500).contains(&skipped.status), "{skipped:?}");
}

#[test]
fn all_faults_of_a_document_come_at_once_with_their_places() {
    let site = Site::new();
    let refused = run(&site, "tasks:\n  a: { needs: [b], eval: 1 }\n  c: { evil: 1 }\n", json!({}));
    assert_eq!(refused.status, 400);
    let said = refused.json();
    let faults: Vec<(&str, u64, u64)> = said["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| {
            let number = |key: &str| fault[key].as_u64().unwrap();
            (fault["place"].as_str().unwrap(), number("line"), number("column"))
        })
        .collect();
    assert_eq!(faults, [("tasks.a.needs[0]", 2, 16), ("tasks.c.evil", 3, 8)], "{said}");
    let wrong = run(&site, TOTAL, json!({"net": "much"}));
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.json()["validationErrors"][0]["message"].as_str().unwrap().contains("net"),
        "{}",
        wrong.body
    );
}

#[test]
fn documents_are_kept_and_run_by_name_with_their_sub_flows() {
    let site = Site::new();
    let keep = |name: &str, text: &str| site.ask("PUT", &format!("/v1/flows/{name}"), Some(text));
    let outer =
        "tasks: { close: { flow: books.yaml, with: { n: 1 } } }\noutputs: { n: '${close.output.n}' }\n";
    let refused = keep("month", outer);
    assert_eq!(refused.status, 400, "the sub-flow is not there: {}", refused.body);
    let books = "inputs: { n: { type: number } }\ntasks: { a: { eval: inputs.n + 1 } }\noutputs: { n: '${a.output.result}' }\n";
    assert_eq!(keep("books", books).status, 200);
    assert_eq!(keep("month", outer).status, 200);
    assert_eq!(site.get("/v1/flows").json(), json!(["books", "month"]));
    assert_eq!(site.get("/v1/flows/books").body, books);
    let id = site.post("/v1/flows/month/runs", json!({})).json()["run"].as_str().unwrap().to_owned();
    assert_eq!(await_state(&site, &id, "succeeded")["output"], json!({"n": 2}));
    assert_eq!(site.delete("/v1/flows/month").status, 200);
    assert_eq!(site.post("/v1/flows/month/runs", json!({})).status, 404);
}

#[test]
fn what_a_server_must_not_do_is_refused_and_says_so() {
    let site = Site::new();
    let document = "
secrets: [token]
tasks:
  a: { run: make }
  b: { for-each: [1], run: make, secrets: [token] }
  c: { wait: { file: x } }
  d: { eval: 1, undo: make clean }
";
    let said = run(&site, document, json!({})).json();
    let refused = said["faults"].as_array().unwrap().iter().filter(|fault| fault["code"] == "P0143");
    let places: Vec<&str> = refused.filter_map(|fault| fault["place"].as_str()).collect();
    assert_eq!(places, ["tasks.a.run", "tasks.b.run", "tasks.c.wait", "tasks.d.undo"], "{said}");
    assert!(said["faults"].as_array().unwrap().iter().any(|fault| fault["code"] == "P0144"), "{said}");
}

#[test]
fn nothing_is_larger_than_others_can_bear() {
    let site = Site::new();
    let many: String = (0..20_001).map(|n| format!("  t{n}: {{ eval: 1 }}\n")).collect();
    let refused = run(&site, &format!("tasks:\n{many}"), json!({}));
    assert_eq!((refused.status, &refused.json()["faults"][0]["code"]), (400, &json!("P0102")));
    let each = "inputs: { l: { type: list } }\ntasks: { a: { for-each: '${inputs.l}', eval: 1 } }";
    let id = started(&site, each, json!({"l": vec![0; 20_001]}));
    let reason = await_state(&site, &id, "failed")["error"].as_str().unwrap().to_owned();
    assert!(reason.contains("at most 20000 branches"), "{reason}");
}

/// A server that executes two commands at once in a directory of its own.
fn with_commands(dir: &Path) -> Site {
    Site::with(
        &dir.join("data"),
        &[("commands_dir", dir.join("work").to_str().unwrap()), ("commands_max", "2")],
    )
}

#[test]
fn commands_run_where_they_are_allowed_and_so_many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let site = with_commands(dir.path());
    let document = r#"
tasks:
  many:
    for-each: [1, 2, 3, 4, 5, 6]
    run: |
      echo + >> alive
      sleep 0.05
      echo - >> alive
  say: { run: 'echo "{\"home\": \"$PWD\"}"' }
outputs: { home: '${say.output.home}' }
"#;
    let shown = await_state(&site, &started(&site, document, json!({})), "succeeded");
    assert_eq!(shown["output"]["home"], json!(dir.path().join("work").to_str().unwrap()));
    let (mut living, mut most) = (0_i32, 0);
    for line in std::fs::read_to_string(dir.path().join("work/alive")).unwrap().lines() {
        living += if line == "+" { 1 } else { -1 };
        most = most.max(living);
    }
    assert!(living == 0 && (1..=2).contains(&most), "{most} at once");
    let failed = await_state(&site, &started(&site, "tasks: { a: { run: exit 3 } }", json!({})), "failed");
    assert!(failed["error"].as_str().unwrap().contains("3"), "{failed}");
}

#[test]
fn services_of_a_document_are_up_for_those_that_need_them_and_gone_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let site = with_commands(dir.path());
    let document = "
tasks:
  web: { run: 'echo $$ > pid; touch up; echo listening; exec sleep 600', service: { log: listening, within: 60s } }
  asked: { run: 'echo $$ >> pid; touch there; exec sleep 600', service: { run: 'test -e there', every: 20ms, within: 60s } }
  one: { needs: [web, asked], run: 'test -e up && test -e there' }
  two: { needs: [web, one], run: 'kill -0 $(head -n 1 pid)' }
";
    let shown = await_state(&site, &started(&site, document, json!({})), "succeeded");
    assert_eq!(task(&shown, "web")["state"], "success", "{shown}");
    for pid in std::fs::read_to_string(dir.path().join("work/pid")).unwrap().lines() {
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} lives on");
    }
    let lost = "
tasks:
  db: { run: 'exit 3', service: { port: 1, within: 20s } }
  use: { needs: [db], run: echo never }
";
    await_state(&site, &started(&site, lost, json!({})), "failed");
}

#[test]
fn how_many_commands_of_a_run_live_at_once_follows_the_load_and_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let site = with_commands(dir.path());
    let document = "
concurrency: 1..64
tasks:
  many: { for-each: [1, 2, 3, 4], run: 'while [ ! -e go ]; do sleep 0.02; done' }
";
    let id = started(&site, document, json!({}));
    let limits = || site.get("/v1/system").json()["limits"].clone();
    let mut shown = Value::Null;
    for _ in 0..1_000 {
        shown = limits();
        // Until somebody has looked at the machine it has no reason.
        if shown[0]["live"].as_u64() > Some(0) && shown[0]["reason"] != "" {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((&shown[0]["run"], &shown[0]["min"], &shown[0]["max"]), (&json!(id), &json!(1), &json!(64)));
    let limit = shown[0]["limit"].as_u64().unwrap();
    assert!((1..64).contains(&limit), "a machine has fewer places: {shown}");
    std::fs::write(dir.path().join("work/go"), "").unwrap();
    await_state(&site, &id, "succeeded");
    assert_eq!(limits(), json!([]), "nobody looks any more");
}

#[test]
fn a_command_ends_with_its_run_and_begins_again_after_the_end_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = with_commands(dir.path());
    let lines = |file: &str| {
        std::fs::read_to_string(dir.path().join("work").join(file)).unwrap_or_default().lines().count()
    };
    let wait_for = |file: &str, count: usize| {
        for _ in 0..1_000 {
            if lines(file) == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{file} never had {count} lines");
    };
    let cancelled = started(&site, "tasks: { a: { run: 'echo $$ >> first; exec sleep 600' } }", json!({}));
    wait_for("first", 1);
    assert_eq!(site.post(&format!("/v1/runs/{cancelled}/cancel"), json!({})).status, 200);
    await_state(&site, &cancelled, "cancelled");
    let pid = std::fs::read_to_string(dir.path().join("work/first")).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "nothing of it lives");
    let again = "tasks: { a: { run: 'echo x >> second; if [ $(wc -l < second) = 1 ]; then sleep 600; fi' } }";
    let id = started(&site, again, json!({}));
    wait_for("second", 1);
    site.stop();
    let site = with_commands(dir.path());
    await_state(&site, &id, "succeeded");
    assert_eq!(lines("second"), 2);
}

#[test]
fn calls_go_as_far_as_those_of_others_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let state = |settings: &[(&str, &str)], state: &str| {
        let site = Site::with(dir.path(), settings);
        let url = format!("http://{}/api/version", site.address);
        let document = format!("tasks: {{ ask: {{ http: {{ url: '{url}' }} }} }}");
        await_state(&site, &started(&site, &document, json!({})), state)
    };
    let answered = state(&[], "succeeded");
    assert_eq!(task(&answered, "ask")["output"]["status"], 200);
    let refused = state(&[("egress_inner", "false")], "failed");
    let reason = task(&refused, "ask")["error"].as_str().unwrap();
    assert!(reason.contains("on this machine or in a private network"), "{reason}");
}
