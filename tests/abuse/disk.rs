//! A disk without room: who wants something is told so, what was acknowledged is there, and work goes on when there is room.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use partitur_tests::http::{Client, Reply};
use partitur_tests::{Place, Server, wait_for};
use serde_json::{Value, json};

use crate::neighbour;
use crate::{simple, workflow};

/// Starts runs until that is refused; their ids, and the refusal.
fn fill(client: &mut Client) -> (Vec<String>, Reply) {
    let noise = "noise ".repeat(500);
    let mut ids = Vec::new();
    loop {
        let reply = client.post("/api/workflow", &json!({"name": "bulky", "input": {"noise": noise}}));
        if reply.status != 200 {
            return (ids, reply);
        }
        ids.push(reply.body);
        assert!(ids.len() < 5_000, "the disk does not fill");
    }
}

fn take(client: &mut Client) -> Value {
    client.get("/api/tasks/poll/bulky?workerid=w").json()
}

fn result(task: &Value) -> Value {
    json!({
        "workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "status": "COMPLETED",
        "outputData": {"noise": "noise ".repeat(20_000)},
    })
}

/// Fills the disk of a server, and mends it.
fn fill_and_mend(server: Server, place: &Place, mend: impl FnOnce(&Server)) {
    let mut client = server.client();
    neighbour::teach(&mut client);
    assert_eq!(
        client.post("/api/metadata/workflow", &workflow("bulky", json!([simple("bulky")]))).status,
        200
    );
    let first = client.post("/api/workflow", &json!({"name": "bulky"})).body;
    let held = take(&mut client);
    let (mut ids, refused) = fill(&mut client);
    ids.push(first);
    is_refused(&refused);
    // Everything that would change something is refused, and everything that is there can be read.
    wait_for("readiness to be off", || (client.get("/readiness").status == 503).then_some(()));
    for (method, path, body) in [
        ("POST", "/api/tasks", result(&held)),
        ("POST", "/api/metadata/workflow?overwrite=true", workflow("other", json!([simple("x")]))),
        ("DELETE", &format!("/api/workflow/{}", ids[0]), Value::Null),
    ] {
        is_refused(&client.ask(method, path, Some(&body)).expect("an answer"));
    }
    all_are_there(&mut client, &ids);
    assert_eq!(client.get("/liveness").status, 200);
    mend(&server);
    wait_for("readiness", || (client.get("/readiness").status == 200).then_some(()));
    neighbour::bring_one_run_to_its_end(&mut client);
    assert_eq!(client.post("/api/tasks", &result(&held)).status, 200);
    assert!(!server.said().contains("panicked"), "{}", server.said());
    // Even if it dies now.
    server.kill();
    let server = Server::start(place);
    let mut client = server.client();
    all_are_there(&mut client, &ids);
    let run =
        client.get(&format!("/api/workflow/{}", held["workflowInstanceId"].as_str().expect("an id"))).json();
    assert_eq!(run["status"], "COMPLETED", "{run}");
    server.stop();
}

fn is_refused(reply: &Reply) {
    assert!(matches!(reply.status, 503 | 507), "{reply:?}");
    assert_eq!(reply.header("retry-after"), Some("1"), "{reply:?}");
    let message = reply.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("disk"), "{message}");
}

fn all_are_there(client: &mut Client, ids: &[String]) {
    for id in ids {
        let reply = client.get(&format!("/api/workflow/{id}?includeTasks=false"));
        assert_eq!(reply.status, 200, "{id} was acknowledged: {reply:?}");
    }
}

/// No file of a process may grow beyond this; zero is the process itself.
fn limit_files(pid: i32, bytes: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is a local that is only read, and nothing is written for the null pointer.
    match unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn where_files_may_not_grow_requests_are_refused_and_nothing_is_lost() {
    let place = Place::new();
    let limit = |command: &mut Command| {
        // SAFETY: one system call.
        unsafe { command.pre_exec(|| limit_files(0, 1_000_000)) };
    };
    let server = Server::start_with(&place, &[], limit);
    fill_and_mend(server, &place, |server| {
        limit_files(server.pid() as i32, libc::RLIM_INFINITY).expect("it is our child");
    });
}
