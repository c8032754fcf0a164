//! What the server tells about itself.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::Site;

/// The value of a line that begins like this.
fn figure(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse().unwrap()
}

#[test]
fn what_runs_and_tasks_do_is_counted_by_name_and_outcome() {
    let site = Site::new();
    site.teach("mail", &["send"]);
    let (_first, second) = (site.start("mail", json!({})), site.start("mail", json!({})));
    let before = site.get("/metrics").body;
    assert_eq!(
        figure(&before, r#"partitur_queue_depth{namespace="default",queue="send",state="ready"}"#),
        2.0
    );
    let failed = r#"partitur_workflow_runs_total{namespace="default",workflow="mail",outcome="failed"}"#;
    assert_eq!(figure(&before, failed), 0.0, "it is there before it happens");
    let task = site.take("send");
    site.end(&task, "COMPLETED", json!({}));
    site.await_status(task["workflowInstanceId"].as_str().unwrap(), "COMPLETED");
    let task = site.take("send");
    site.end(&task, "FAILED_WITH_TERMINAL_ERROR", json!({}));
    site.await_status(&second, "FAILED");

    let after = site.get("/metrics");
    assert_eq!((after.status, after.kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = after.body;
    assert_eq!(figure(&text, failed), 1.0);
    let of = |outcome: &str| {
        format!(r#"partitur_task_attempts_total{{namespace="default",task_type="send",outcome="{outcome}"}}"#)
    };
    assert_eq!((figure(&text, &of("completed")), figure(&text, &of("failed"))), (1.0, 1.0));
    let starts = r#"partitur_workflow_starts_total{namespace="default",workflow="mail",trigger="api"}"#;
    assert_eq!(figure(&text, starts), 2.0);
    let waited = r#"partitur_task_queue_wait_seconds_count{namespace="default",task_type="send"}"#;
    assert_eq!(figure(&text, waited), 2.0);
    let asked = concat!(
        r#"http_server_request_duration_seconds_count{http_request_method="POST","#,
        r#"http_route="/api/workflow",http_response_status_code="200"}"#
    );
    assert_eq!(figure(&text, asked), 2.0);
    assert!(figure(&text, "partitur_commit_seconds_count") >= 4.0);
    assert!(figure(&text, "partitur_step_seconds_count") > 4.0);
    assert_eq!(figure(&text, "partitur_workers"), 1.0);
    assert!(figure(&text, "process_resident_memory_bytes") > 1e6);
    assert!(!text.contains(&second), "no id of a run is a label");
}

#[test]
fn runs_are_counted_by_what_made_them_begin_and_while_they_go_on() {
    let site = Site::new();
    let wait = json!({"name": "w", "taskReferenceName": "w", "type": "WAIT"});
    let noop = json!({"name": "n", "taskReferenceName": "n", "type": "NOOP"});
    let sub = json!({"name": "s", "taskReferenceName": "s", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "held"}});
    let event = json!({"name": "e", "taskReferenceName": "e", "type": "EVENT", "sink": "conductor:q"});
    for (name, task) in [("held", wait), ("plain", noop), ("parent", sub), ("source", event)] {
        site.teach_tasks(name, json!([task]));
    }
    let start = json!([{"action": "start_workflow", "start_workflow": {"name": "plain"}}]);
    let handler = json!({"name": "h", "event": "conductor:source:q", "active": true, "actions": start});
    assert_eq!(site.post("/api/event", handler).status, 200);
    let clock =
        json!({"name": "s", "cronExpression": "* * * * * *", "startWorkflowRequest": {"name": "plain"}});
    assert_eq!(site.post("/api/scheduler/schedules", clock).status, 200);
    let (parent, held) = (site.start("parent", json!({})), site.start("held", json!({})));
    site.start("source", json!({}));
    assert_eq!(site.put(&format!("/api/workflow/{held}/pause"), json!(null)).status, 200);
    let starts = |text: &str, workflow: &str, trigger: &str| {
        let name = "partitur_workflow_starts_total";
        let line = format!(r#"{name}{{namespace="default",workflow="{workflow}",trigger="{trigger}"}} "#);
        text.lines().find_map(|known| known.strip_prefix(&*line)?.parse().ok()).unwrap_or(0.0)
    };
    let begun = std::time::Instant::now();
    let text = loop {
        let text = site.get("/metrics").body;
        if starts(&text, "plain", "schedule") >= 1.0 && starts(&text, "plain", "event") == 1.0 {
            break text;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{text}");
        std::thread::sleep(std::time::Duration::from_millis(25));
    };
    assert_eq!((starts(&text, "plain", "api"), starts(&text, "held", "api")), (0.0, 1.0));
    assert_eq!((starts(&text, "held", "subworkflow"), starts(&text, "parent", "api")), (1.0, 1.0));
    let active = |text: &str, state: &str| {
        figure(text, &format!(r#"partitur_workflow_active{{namespace="default",state="{state}"}}"#))
    };
    assert_eq!(active(&text, "paused"), 1.0);
    assert!(active(&text, "running") >= 2.0, "the parent and its child");
    assert_eq!(site.delete(&format!("/api/workflow/{parent}")).status, 200);
    site.await_status(&parent, "TERMINATED");
    assert_eq!(site.post(&format!("/api/workflow/{parent}/restart"), json!(null)).status, 204);
    let text = site.get("/metrics").body;
    assert_eq!((starts(&text, "parent", "api"), starts(&text, "parent", "rerun")), (1.0, 1.0));
    let came = r#"partitur_payload_bytes_count{direction="in",kind="workflow"}"#;
    assert!(figure(&text, came) >= 3.0);
}

#[test]
fn times_that_are_over_are_counted_by_which() {
    let site = Site::new();
    let def = json!([{"name": "slow", "retryCount": 0, "responseTimeoutSeconds": 1, "timeoutSeconds": 600}]);
    assert_eq!(site.post("/api/metadata/taskdefs", def).status, 200);
    site.teach("w", &["slow"]);
    let run = site.start("w", json!({}));
    site.take("slow");
    site.await_status(&run, "TIMED_OUT");
    let text = site.get("/metrics").body;
    let of = |kind: &str| {
        figure(
            &text,
            &format!(r#"partitur_task_timeouts_total{{namespace="default",task_type="slow",kind="{kind}"}}"#),
        )
    };
    assert_eq!(["response", "start_to_close", "poll"].map(of), [1.0, 0.0, 0.0]);
    let expired = r#"partitur_task_lease_expirations_total{namespace="default",task_type="slow"}"#;
    assert_eq!(figure(&text, expired), 1.0);
}

#[test]
fn figures_have_the_names_of_conductor_too_if_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::with(dir.path(), &[("metrics_compat", "true")]);
    site.teach("mail", &["send"]);
    site.start("mail", json!({}));
    site.start("mail", json!({}));
    let task = site.take("send");
    site.end(&task, "COMPLETED", json!({}));
    site.await_status(task["workflowInstanceId"].as_str().unwrap(), "COMPLETED");
    let text = site.get("/metrics").body;
    assert_eq!(figure(&text, r#"task_total{category="send",status="completed"}"#), 1.0);
    assert_eq!(figure(&text, r#"task_duration_seconds_count{category="send",status="completed"}"#), 1.0);
    assert_eq!(figure(&text, r#"task_queue_depth{namespace="default",taskType="send"}"#), 1.0);
    assert_eq!(figure(&text, r#"workflow_running{namespace="default",workflowName="mail"}"#), 1.0);
}

#[test]
fn paths_are_counted_by_their_template_and_nonsense_together() {
    let site = Site::new();
    for at in 0..3 {
        assert_eq!(site.get(&format!("/api/workflow/{at}")).status, 404);
        assert_eq!(site.get(&format!("/nowhere/{at}")).status, 404);
    }
    let text = site.get("/metrics").body;
    for route in ["/api/workflow/{workflowId}", "_nowhere"] {
        let line = format!(
            r#"http_server_request_duration_seconds_count{{http_request_method="GET",http_route="{route}",http_response_status_code="404"}}"#
        );
        assert_eq!(figure(&text, &line), 3.0);
    }
}

#[test]
fn a_port_that_is_taken_keeps_nobody_from_serving() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let site = Site::with(dir.path(), &[("metrics_listen", &address)]);
    assert_eq!(site.get("/metrics").status, 200);
}

#[test]
fn the_port_for_prometheus_has_the_metrics_and_nothing_else() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let _site = Site::with(dir.path(), &[("metrics_listen", &free.to_string())]);
    let apart = Site::elsewhere(free);
    assert!(apart.get("/metrics").body.contains("partitur_build_info{version="));
    assert_eq!(apart.get("/api/workflow/search").status, 404);
}

#[test]
fn the_page_about_metrics_names_all_of_them_and_no_others() {
    let page = include_str!("../../../../docs/metrics.md");
    let is_name = |text: &&str| {
        text.starts_with("partitur_") || text.starts_with("process_") || text.starts_with("http_server_")
    };
    let of_page: BTreeSet<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    let site = Site::new();
    let text = site.get("/metrics").body;
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    // Not every machine says these.
    let of_machine = ["partitur_memory_limit_bytes", "partitur_memory_pressure_ratio"];
    let told: BTreeSet<&str> = told.chain(of_machine).collect();
    assert_eq!(told, of_page);
}
