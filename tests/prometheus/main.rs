//! The metrics of the server, as Prometheus reads them: its own tool finds nothing to complain of, and it collects them.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use partitur_tests::http::Client;
use partitur_tests::{Place, Server, wait_for};
use serde_json::json;

#[test]
fn the_tool_of_prometheus_finds_nothing_to_complain_of() {
    let place = Place::new();
    let server = Server::start(&place);
    let mut client = server.client();
    bring_runs_to_their_ends(&mut client);
    let text = client.get("/metrics").body;
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (./x test)");
    tool.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let ended = tool.wait_with_output().expect("it ends");
    let said =
        [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ended.status.success() && said.is_empty(), "{}: {said}", ended.status);
    server.stop();
}

#[test]
fn prometheus_collects_what_the_server_counts() {
    let place = Place::new();
    let port = free_port();
    let apart = format!("metrics_listen=127.0.0.1:{port}");
    let server = Server::start_with(&place, &["--set", &apart], |_| {});
    bring_runs_to_their_ends(&mut server.client());
    let prometheus = Prometheus::start(&place, &[port, server.address().port()]);
    wait_for("both ports to be collected", || (prometheus.value("sum(up)") == Some(2.0)).then_some(()));
    let ended =
        "max(partitur_workflow_runs_total{workflow=\"hostile \\\"name\\\" \\\\ \",outcome=\"completed\"})";
    wait_for("the runs to be counted", || (prometheus.value(ended) == Some(1.0)).then_some(()));
    let slow = "histogram_quantile(0.99, sum by (le) (partitur_task_execution_seconds_bucket))";
    assert!(prometheus.value(slow).is_some_and(|seconds| seconds > 0.0 && seconds < 60.0));
    server.stop();
}

/// One that succeeds and one that fails, with names that nobody should give.
fn bring_runs_to_their_ends(client: &mut Client) {
    for (name, status) in [("hostile \"name\" \\ ", "COMPLETED"), ("plain", "FAILED_WITH_TERMINAL_ERROR")] {
        let task =
            json!({"name": "work", "taskReferenceName": "work", "type": "SIMPLE", "inputParameters": {}});
        let def =
            json!({"name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd", "tasks": [task]});
        let reply = client.post("/api/metadata/workflow?overwrite=true", &def);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let run = client.post("/api/workflow", &json!({"name": name})).body;
        let task = wait_for("the task", || {
            Some(client.get("/api/tasks/poll/work")).filter(|reply| reply.status == 200)
        });
        let result = json!({"workflowInstanceId": run, "taskId": task.json()["taskId"], "status": status});
        assert_eq!(client.post("/api/tasks", &result).status, 200);
    }
}

/// A Prometheus that asks these ports every second.
struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    fn start(place: &Place, targets: &[u16]) -> Prometheus {
        let targets: Vec<String> = targets.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let targets = targets.join(", ");
        place.write(
            "prometheus.yml",
            format!(
                "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: partitur\n    \
                 static_configs: [{{targets: [{targets}]}}]\n"
            ),
        );
        let port = free_port();
        let said = std::fs::File::create(place.path().join("prometheus.log")).expect("a file");
        let mut command = Command::new("prometheus");
        command.current_dir(place.path()).stdout(Stdio::null()).stderr(said);
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Prometheus { child: command.spawn().expect("prometheus is installed (./x test)"), port }
    }

    /// What an expression comes to, if it comes to one figure.
    fn value(&self, expression: &str) -> Option<f64> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric();
        let query: String = expression
            .bytes()
            .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        let mut client = Client::new(([127, 0, 0, 1], self.port).into());
        let reply = client.ask("GET", &format!("/api/v1/query?query={query}"), None).ok()?;
        let found = serde_json::from_str::<serde_json::Value>(&reply.body).ok()?;
        found["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It holds nothing that anybody needs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}
