//! Searches for runs and tasks, field by field and in pairs, compared with what is known of each.

use serde_json::{Value, json};

use crate::support::{Site, simple};

/// Four runs: done, failed, waiting for a worker with a forked branch, and one of another workflow under a key.
struct Known {
    site: Site,
    done: String,
    failed: String,
    waiting: String,
    other: String,
}

fn known() -> Known {
    let site = Site::new();
    site.teach("pay", &["book"]);
    let fork = json!({"name": "f", "taskReferenceName": "f", "type": "FORK_JOIN", "forkTasks": [
        [simple("count")], [{"name": "later", "taskReferenceName": "later", "type": "WAIT"}]]});
    let join = json!({"name": "j", "taskReferenceName": "j", "type": "JOIN", "joinOn": ["count", "later"]});
    site.teach_tasks("ship", json!([fork, join]));
    let start = |body: Value| site.post("/api/workflow", body).body;
    let done = start(json!({"name": "pay", "correlationId": "Order-1", "input": {}, "createdBy": "ada"}));
    site.end(&site.take("book"), "COMPLETED", json!({}));
    site.await_status(&done, "COMPLETED");
    let failed = start(json!({"name": "pay", "correlationId": "Order-2", "input": {}, "priority": 7}));
    let mut result = crate::support::result(&site.take("book"), "FAILED_WITH_TERMINAL_ERROR", json!({}));
    result["reasonForIncompletion"] = json!("The printer is on fire");
    site.post("/api/tasks", result);
    site.await_status(&failed, "FAILED");
    let waiting = start(json!({"name": "ship", "correlationId": "order-3", "input": {}}));
    let other = start(json!({"name": "ship", "input": {}, "idempotencyKey": "k", "event": "e"}));
    Known { site, done, failed, waiting, other }
}

impl Known {
    fn name(&self, id: &str) -> &'static str {
        let all = [
            (&self.done, "done"),
            (&self.failed, "failed"),
            (&self.waiting, "waiting"),
            (&self.other, "other"),
        ];
        all.into_iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name)
    }

    fn search(&self, path: &str, query: &str) -> Value {
        let reply = self.site.get(&format!("{path}?query={}", escaped(query)));
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        reply.json()
    }

    /// The runs that are found, the newest first.
    fn runs(&self, query: &str) -> String {
        let found = self.search("/api/workflow/search", query);
        let names: Vec<&str> = found["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| self.name(run["workflowId"].as_str().unwrap()))
            .collect();
        assert_eq!(found["totalHits"], names.len(), "{query}");
        names.join(" ")
    }

    /// The tasks that are found, with their runs.
    fn tasks(&self, query: &str) -> String {
        let found = self.search("/api/tasks/search", query);
        let names: Vec<String> = found["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| {
                let run = self.name(task["workflowId"].as_str().unwrap());
                format!("{run}/{}", task["taskReferenceName"].as_str().unwrap())
            })
            .collect();
        assert_eq!(found["totalHits"], names.len(), "{query}");
        names.join(" ")
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

#[test]
fn runs_are_found_by_every_field_and_by_pairs() {
    let known = known();
    let started = known.site.run(&known.failed)["startTime"].as_u64().unwrap();
    let ended = known.site.run(&known.failed)["endTime"].as_u64().unwrap();
    let cases = [
        ("workflowId IN (DONE, WAITING)", "waiting done"),
        ("workflowType=pay", "failed done"),
        ("workflowType=sh*", "other waiting"),
        ("workflowType!=pay", "other waiting"),
        ("workflowType STARTS_WITH p", "failed done"),
        ("correlationId=Order-1", "done"),
        ("correlationId='Order*'", "failed done"),
        ("correlationId IS NULL", "other"),
        ("status=FAILED", "failed"),
        ("status!=RUNNING", "failed done"),
        ("status IN (FAILED, RUNNING)", "other waiting failed"),
        ("status=NOWHERE", ""),
        ("startTime<STARTED", "done"),
        ("startTime BETWEEN STARTED AND STARTED", "failed"),
        ("endTime>ENDED", ""),
        ("endTime<=ENDED", "failed done"),
        ("updateTime=ENDED", "failed"),
        ("version=1", "other waiting failed done"),
        ("version>1", ""),
        ("priority=7", "failed"),
        ("priority<7", "other waiting done"),
        ("createdBy=ada", "done"),
        ("idempotencyKey=k", "other"),
        ("reasonForIncompletion=*printer*", "failed"),
        ("classifier=workflow", "other waiting failed done"),
        ("parentWorkflowId=DONE", ""),
        ("nobodyKnows=5", "other waiting failed done"),
        ("workflowType=pay AND status=COMPLETED", "done"),
        ("workflowType=ship AND correlationId=order-3", "waiting"),
        ("status=RUNNING AND startTime>=STARTED", "other waiting"),
        ("priority=7 AND workflowType=ship", ""),
        ("createdBy=ada AND endTime<=ENDED", "done"),
    ];
    for (query, found) in cases {
        let query = query
            .replace("STARTED", &started.to_string())
            .replace("ENDED", &ended.to_string())
            .replace("DONE", &known.done)
            .replace("WAITING", &known.waiting);
        assert_eq!(known.runs(&query), found, "{query}");
    }
    let by_text = |text: &str| {
        let found = known.site.get(&format!("/api/workflow/search?freeText={text}")).json();
        found["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| known.name(run["workflowId"].as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(by_text("PRINTER"), "failed");
    assert_eq!(by_text("order"), "waiting failed done");
    assert_eq!(by_text("hip"), "other waiting");
    assert_eq!(by_text(&known.done), "done");
    assert_eq!(by_text("*"), "other waiting failed done");
    let oldest = known.site.get("/api/workflow/search?sort=startTime:ASC&start=1&size=2").json();
    assert_eq!(
        (&oldest["totalHits"], &oldest["results"][0]["workflowId"]),
        (&json!(4), &json!(known.failed))
    );
    assert_eq!(
        known.search("/api/workflow/search-v2", "status=FAILED")["results"][0]["tasks"][0]["status"],
        "FAILED_WITH_TERMINAL_ERROR"
    );
}

#[test]
fn tasks_are_found_by_every_field_and_by_pairs() {
    let known = known();
    let task = known.site.run(&known.failed)["tasks"][0].clone();
    let cases = [
        ("taskType=book", "failed/book done/book"),
        ("taskType=FORK", "other/f waiting/f"),
        ("taskType=WAIT", "other/later waiting/later"),
        ("taskDefName=count", "other/count waiting/count"),
        ("taskDefName IN (count, book) AND workflowType=pay", "failed/book done/book"),
        ("taskReferenceName=later", "other/later waiting/later"),
        ("status=FAILED_WITH_TERMINAL_ERROR", "failed/book"),
        ("status IN (FAILED, FAILED_WITH_TERMINAL_ERROR)", "failed/book"),
        ("status=SCHEDULED", "other/count waiting/count"),
        ("status=COMPLETED", "other/f waiting/f done/book"),
        ("status=IN_PROGRESS AND taskType=JOIN", "other/j waiting/j"),
        ("taskId=TASK", "failed/book"),
        ("workflowId=RUN", "failed/book"),
        ("correlationId=order-3 AND status!=SCHEDULED", "waiting/f waiting/later waiting/j"),
        ("startTime>=STARTED AND endTime<=ENDED", "failed/book"),
        ("updateTime<STARTED", "done/book"),
        ("scheduledTime>ENDED AND taskType=count", "other/count waiting/count"),
        ("reasonForIncompletion=*fire*", "failed/book"),
        ("taskType=unheard", ""),
    ];
    for (query, found) in cases {
        let query = query
            .replace("TASK", task["taskId"].as_str().unwrap())
            .replace("RUN", &known.failed)
            .replace("STARTED", &task["startTime"].to_string())
            .replace("ENDED", &task["endTime"].to_string());
        assert_eq!(known.tasks(&query), found, "{query}");
    }
    let found = known.search("/api/workflow/search-by-tasks", "taskType=book");
    assert_eq!((&found["totalHits"], &found["results"][1]["workflowId"]), (&json!(2), &json!(known.done)));
    let found = known.search("/api/tasks/search-v2", "taskType=book");
    assert_eq!(found["results"][0]["taskId"], task["taskId"]);
    let second = known.site.get("/api/tasks/search?start=1&size=1&freeText=Book").json();
    assert_eq!((&second["totalHits"], &second["results"][0]["workflowId"]), (&json!(2), &json!(known.done)));
}
