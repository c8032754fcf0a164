//! Somebody who uses the server as one should, and whose runs go on whatever others do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use partitur_tests::Server;
use partitur_tests::http::Client;
use serde_json::json;

use crate::{simple, workflow};

/// Registers what it runs.
pub fn teach(client: &mut Client) {
    let script = json!({
        "name": "sum", "taskReferenceName": "sum", "type": "INLINE",
        "inputParameters": {"evaluatorType": "javascript", "n": "${workflow.input.n}", "expression": "(function(){ var s = 0; for (var i = 0; i < 3; i++) s += $.n; return s; })()"},
    });
    let tasks = json!([simple("calm"), script]);
    let reply = client.post("/api/metadata/workflow?overwrite=true", &workflow("calm", tasks));
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Starts a run, does its task, and sees it end. In a domain of its own: the workflow is known to all.
pub fn bring_one_run_to_its_end(client: &mut Client) {
    let reply = client
        .post("/api/workflow", &json!({"name": "calm", "input": {"n": 7}, "taskToDomain": {"calm": "here"}}));
    assert_eq!(reply.status, 200, "{reply:?}");
    let id = reply.body;
    let tasks = client.get("/api/tasks/poll/batch/calm?workerid=calm&domain=here&timeout=5000").json();
    let task = &tasks[0];
    assert_eq!(task["workflowInstanceId"], json!(id), "{tasks}");
    let result = json!({
        "workflowInstanceId": id, "taskId": task["taskId"], "workerId": "calm", "status": "COMPLETED",
        "outputData": {},
    });
    assert_eq!(client.post("/api/tasks", &result).status, 200);
    let path = format!("/api/workflow/{id}");
    let run = partitur_tests::wait_for("the end of the neighbour's run", || {
        let run = client.get(&path).json();
        (run["status"] != "RUNNING").then_some(run)
    });
    assert_eq!((&run["status"], &run["output"]["result"]), (&json!("COMPLETED"), &json!(21)), "{run:#}");
}

/// Does something while the neighbour runs one run after the other; how many came to their end meanwhile.
pub fn beside(server: &Server, mut something: impl FnMut()) -> usize {
    let (stop, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut client = server.client();
    std::thread::scope(|scope| {
        // Even if it panics, the neighbour comes to an end.
        let _over = Over(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                bring_one_run_to_its_end(&mut client);
                runs.fetch_add(1, Ordering::Relaxed);
            }
        });
        something();
    });
    runs.into_inner()
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
