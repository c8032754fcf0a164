//! What the tasks of a run have written, in pages.

use serde_json::{Value, json};

use crate::support::{Site, result};

fn page(site: &Site, run: &str, query: &str) -> Value {
    let reply = site.get(&format!("/v1/runs/{run}/logs?{query}"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// All texts, page by page.
fn texts(site: &Site, run: &str, query: &str) -> Vec<(String, String)> {
    let (mut texts, mut after) = (Vec::new(), String::new());
    loop {
        let page = page(site, run, &format!("{query}&limit=3&after={after}"));
        let entries = page["entries"].as_array().unwrap();
        assert!(entries.len() <= 3);
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        texts.extend(entries.iter().map(|entry| (text(entry, "name"), text(entry, "text"))));
        after = page["next"].as_str().unwrap().to_owned();
        if page["more"] == false {
            return texts;
        }
    }
}

#[test]
fn lines_of_workers_come_in_pages_and_whoever_waits_goes_on_where_it_was() {
    let site = Site::new();
    site.teach("steps", &["a", "b"]);
    let run = site.start("steps", json!({}));
    let lines = |from: usize, to: usize| {
        (from..to).map(|n| json!({"log": format!("line {n}"), "createdTime": n})).collect::<Vec<_>>()
    };
    for (task, from, to) in [("a", 0, 7), ("b", 7, 8)] {
        let mut done = result(&site.take(task), "COMPLETED", json!({}));
        done["logs"] = json!(lines(from, to));
        assert_eq!(site.post("/api/tasks", done).status, 200);
    }
    let all = texts(&site, &run, "");
    let said: Vec<String> = all.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(said, (0..8).map(|n| format!("line {n}")).collect::<Vec<_>>());
    assert_eq!((all[0].0.as_str(), all[7].0.as_str()), ("a", "b"));
    assert_eq!(texts(&site, &run, "task=b"), [("b".to_owned(), "line 7".to_owned())]);
    let end = page(&site, &run, "limit=1000");
    assert_eq!(page(&site, &run, &format!("after={}", end["next"].as_str().unwrap()))["entries"], json!([]));
    assert_eq!(site.get(&format!("/v1/runs/{run}/logs?after=x")).status, 400);
    assert_eq!(site.get("/v1/runs/00000000-0001-8000-a377-38229e8ffe2b/logs").status, 404);
}

#[test]
fn what_commands_have_written_is_there_with_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let site = Site::with(dir.path(), &[("commands_dir", work.to_str().unwrap())]);
    let document = "name: d\ntasks:\n  say: { run: 'echo out; echo err >&2' }\n  more: { needs: [say], run: echo more }\n";
    let started = site.post("/v1/runs/document", json!({"document": document})).json();
    let run = started["run"].as_str().unwrap_or_else(|| panic!("{started}")).to_owned();
    for _ in 0..500 {
        if site.get(&format!("/v1/runs/{run}")).json()["state"] == "succeeded" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let all = page(&site, &run, "");
    let of = |stream: &str, name: &str| {
        let entries = all["entries"].as_array().unwrap().iter();
        let wanted = entries.filter(|entry| entry["stream"] == stream && entry["name"] == name);
        wanted.map(|entry| entry["text"].as_str().unwrap()).collect::<String>()
    };
    assert_eq!(
        (of("stdout", "say"), of("stderr", "say"), of("stdout", "more")),
        ("out\n".to_owned(), "err\n".to_owned(), "more\n".to_owned()),
        "{all}"
    );
    assert!(texts(&site, &run, "task=more").iter().all(|(name, _)| name == "more"));
    assert_eq!(site.get(&format!("/v1/runs/{run}/logs?after=0.5")).status, 400, "no frame begins there");
}
