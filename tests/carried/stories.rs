//! Runs that are left in the middle of something, and what finishes them.

use std::time::Duration;

use partitur_tests::http::{Client, Reply};
use partitur_tests::wait_for;
use serde_json::{Value, json};

/// A run that is left, and finished later.
pub struct Story {
    /// The name of its workflow, too.
    pub name: &'static str,
    /// Its tasks.
    tasks: fn() -> Value,
    /// Brings it so far; tells what is needed to finish it.
    begin: fn(&mut Client, &str) -> Value,
    /// Finishes it.
    pub finish: fn(&mut Client, &Value),
}

/// All of them.
pub const STORIES: &[Story] = &[
    Story {
        name: "held",
        tasks: || json!([simple("a"), after("b", "a.output")]),
        begin: held,
        finish: end_held,
    },
    Story { name: "queued", tasks: || json!([simple("a")]), begin: queued, finish: end_queued },
    Story {
        name: "wait",
        tasks: || json!([wait("w"), after("b", "w.output")]),
        begin: waits,
        finish: end_wait,
    },
    Story {
        name: "human",
        tasks: || json!([human("h"), after("b", "h.output")]),
        begin: waits,
        finish: end_human,
    },
    Story { name: "time", tasks: || json!([for_a_while("w"), simple("b")]), begin: waits, finish: end_time },
    Story { name: "fork", tasks: fork, begin: forked, finish: end_fork },
    Story { name: "dynamic", tasks: dynamic, begin: dynamically_forked, finish: end_dynamic },
    Story { name: "loop", tasks: repeat, begin: repeated, finish: end_loop },
    Story { name: "sub", tasks: sub, begin: below, finish: end_sub },
    Story {
        name: "retry",
        tasks: || json!([simple("a"), after("b", "a.output")]),
        begin: failed_once,
        finish: end_retry,
    },
    Story {
        name: "paused",
        tasks: || json!([simple("a"), after("b", "a.output")]),
        begin: paused,
        finish: end_paused,
    },
    Story { name: "failed", tasks: || json!([simple("a")]), begin: failed, finish: end_failed },
    Story { name: "variables", tasks: variables, begin: told, finish: end_told },
    Story { name: "domain", tasks: || json!([simple("a")]), begin: in_domain, finish: end_in_domain },
    Story { name: "over", tasks: || json!([simple("a")]), begin: over, finish: end_over },
];

/// Registers everything and begins every story.
pub fn begin(client: &mut Client) -> Value {
    let mut told = json!({});
    for story in STORIES {
        register(client, story.name, (story.tasks)());
    }
    register(client, "after-failure", json!([simple("repair")]));
    for story in STORIES {
        told[story.name] = (story.begin)(client, story.name);
    }
    told
}

/// Every run has ended, and no task waits for anybody.
pub fn nothing_is_left(client: &mut Client) {
    assert_eq!(client.get("/api/tasks/queue/all").json(), json!({}));
    let running = client.get("/api/workflow/search?query=status%20IN%20(RUNNING,PAUSED)").json();
    assert_eq!(running["totalHits"], 0, "{running:#}");
}

/// The types of tasks are called as in the story: no other one gets them. Who has one may keep it for years.
fn register(client: &mut Client, name: &str, tasks: Value) {
    let mut tasks = tasks;
    let defs: Vec<Value> = rename(&mut tasks, name).iter().map(|task_type| definition(task_type)).collect();
    assert_eq!(client.post("/api/metadata/taskdefs", &json!(defs)).status, 200);
    let workflow = json!({
        "name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd", "tasks": tasks,
        "failureWorkflow": if name == "failed" { "after-failure" } else { "" },
        "outputParameters": {"n": "${b.output.n}", "told": "${workflow.variables.told}"},
    });
    let reply = client.post("/api/metadata/workflow", &workflow);
    assert_eq!(reply.status, 200, "{reply:?}: {workflow:#}");
}

fn definition(name: &str) -> Value {
    json!({
        "name": name, "retryCount": 1, "retryLogic": "FIXED", "retryDelaySeconds": 2, "timeoutSeconds": 0,
        "responseTimeoutSeconds": 1_000_000_000, "ownerEmail": "a@b.cd",
    })
}

/// Gives each SIMPLE task a type of its own; all of these types.
fn rename(value: &mut Value, story: &str) -> Vec<String> {
    let mut types = Vec::new();
    if value["type"] == "SIMPLE" {
        let name = format!("{story}-{}", value["taskReferenceName"].as_str().expect("a name"));
        value["name"] = json!(name);
        types.push(name);
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| types.extend(rename(value, story))),
        Value::Object(entries) => entries.values_mut().for_each(|value| types.extend(rename(value, story))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    types
}

// Tasks.

fn simple(reference: &str) -> Value {
    json!({"name": "?", "taskReferenceName": reference, "type": "SIMPLE", "inputParameters": {"n": "${workflow.input.n}"}})
}

fn after(reference: &str, before: &str) -> Value {
    let n = format!("${{{before}.n}}");
    json!({"name": "?", "taskReferenceName": reference, "type": "SIMPLE", "inputParameters": {"n": n}})
}

fn wait(reference: &str) -> Value {
    json!({"name": "wait", "taskReferenceName": reference, "type": "WAIT"})
}

fn for_a_while(reference: &str) -> Value {
    json!({"name": "wait", "taskReferenceName": reference, "type": "WAIT", "inputParameters": {"duration": "2 seconds"}})
}

fn human(reference: &str) -> Value {
    json!({"name": "human", "taskReferenceName": reference, "type": "HUMAN"})
}

fn join(on: &[&str]) -> Value {
    json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": on})
}

fn fork() -> Value {
    json!([
        {
            "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN",
            "forkTasks": [[simple("x")], [simple("y")], [simple("z1"), after("z2", "z1.output")]],
        },
        join(&["x", "y", "z2"]),
        after("b", "join.output.z2"),
    ])
}

fn dynamic() -> Value {
    json!([
        {
            "name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN_DYNAMIC",
            "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs",
            "inputParameters": {"tasks": "${workflow.input.tasks}", "inputs": "${workflow.input.inputs}"},
        },
        join(&[]),
        after("b", "join.output.d1"),
    ])
}

fn repeat() -> Value {
    json!([
        {
            "name": "loop", "taskReferenceName": "loop", "type": "DO_WHILE",
            "loopCondition": "if ($.loop['iteration'] < 3) { true; } else { false; }",
            "loopOver": [simple("again")],
        },
        simple("b"),
    ])
}

fn sub() -> Value {
    let inner = json!({"name": "queued", "version": 1});
    json!([
        {
            "name": "inner", "taskReferenceName": "inner", "type": "SUB_WORKFLOW", "subWorkflowParam": inner,
            "inputParameters": {"n": 7},
        },
        simple("b"),
    ])
}

fn variables() -> Value {
    json!([
        {
            "name": "set", "taskReferenceName": "set", "type": "SET_VARIABLE",
            "inputParameters": {"told": "at first", "n": "${workflow.input.n}"},
        },
        {
            "name": "twice", "taskReferenceName": "twice", "type": "JSON_JQ_TRANSFORM",
            "inputParameters": {"n": "${workflow.variables.n}", "queryExpression": ".n * 2"},
        },
        simple("a"),
        after("b", "a.output"),
    ])
}

// What clients do.

fn good(reply: Reply, what: &str) -> Reply {
    assert!(matches!(reply.status, 200 | 204), "{what}: {reply:?}");
    reply
}

fn start(client: &mut Client, name: &str) -> String {
    start_with(client, name, json!({}))
}

fn start_with(client: &mut Client, name: &str, more: Value) -> String {
    let mut request = json!({"name": name, "correlationId": format!("of {name}"), "input": {"n": 5}});
    let more = more.as_object().expect("an object").clone();
    request.as_object_mut().expect("an object").extend(more);
    good(client.post("/api/workflow", &request), name).body
}

fn take(client: &mut Client, task_type: &str) -> Value {
    wait_for(task_type, || {
        let reply = client.get(&format!("/api/tasks/poll/{task_type}?workerid=w"));
        (reply.status == 200).then(|| reply.json())
    })
}

fn end(client: &mut Client, task: &Value, status: &str, output: Value) {
    let result = json!({
        "workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"], "workerId": "w",
        "status": status, "outputData": output, "reasonForIncompletion": status,
    });
    good(client.post("/api/tasks", &result), "a result");
}

/// Takes a task, and adds one to the number that it was given.
fn count(client: &mut Client, task_type: &str) {
    let task = take(client, task_type);
    let n = task["inputData"]["n"].as_i64().unwrap_or_else(|| panic!("no number: {task:#}"));
    end(client, &task, "COMPLETED", json!({ "n": n + 1 }));
}

fn shown(client: &mut Client, id: &str) -> Value {
    good(client.get(&format!("/api/workflow/{id}")), id).json()
}

fn stands(client: &mut Client, id: &str, status: &str) -> Value {
    wait_for(&format!("{id} to be {status}"), || {
        let run = shown(client, id);
        (run["status"] == status).then_some(run)
    })
}

/// It has come to its end, and to this number.
fn ends(client: &mut Client, id: &Value, n: i64) -> Value {
    let run = stands(client, id.as_str().expect("an id"), "COMPLETED");
    assert_eq!(run["output"]["n"], n, "{run:#}");
    run
}

// The stories.

fn held(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    json!({ "run": run, "task": take(client, "held-a") })
}

/// The worker has the task all the time, and brings its result now.
fn end_held(client: &mut Client, told: &Value) {
    assert_eq!(client.get("/api/tasks/poll/held-a").status, 204, "somebody has it");
    end(client, &told["task"], "COMPLETED", json!({ "n": 10 }));
    end(client, &told["task"], "COMPLETED", json!({ "n": 1_000 }));
    count(client, "held-b");
    ends(client, &told["run"], 11);
}

fn queued(client: &mut Client, name: &str) -> Value {
    json!({ "run": start_with(client, name, json!({"idempotencyKey": "one"})) })
}

fn end_queued(client: &mut Client, told: &Value) {
    let again = json!({"name": "queued", "idempotencyKey": "one", "idempotencyStrategy": "RETURN_EXISTING"});
    assert_eq!(json!(client.post("/api/workflow", &again).body), told["run"], "the key is known");
    let task = take(client, "queued-a");
    assert_eq!((&task["workflowInstanceId"], &task["inputData"]["n"]), (&told["run"], &json!(5)));
    end(client, &task, "COMPLETED", json!({}));
    stands(client, told["run"].as_str().expect("an id"), "COMPLETED");
}

fn waits(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    let tasks = shown(client, &run)["tasks"].clone();
    assert_eq!(tasks[0]["status"], "IN_PROGRESS", "{tasks:#}");
    json!({ "run": run })
}

fn end_wait(client: &mut Client, told: &Value) {
    let path = format!("/api/tasks/{}/COMPLETED/signal", told["run"].as_str().expect("an id"));
    good(client.post(&path, &json!({ "n": 20 })), &path);
    count(client, "wait-b");
    ends(client, &told["run"], 21);
}

fn end_human(client: &mut Client, told: &Value) {
    let path = format!("/api/tasks/{}/h/COMPLETED", told["run"].as_str().expect("an id"));
    good(client.post(&path, &json!({ "n": 30 })), &path);
    count(client, "human-b");
    ends(client, &told["run"], 31);
}

fn end_time(client: &mut Client, told: &Value) {
    count(client, "time-b");
    ends(client, &told["run"], 6);
}

/// One branch is done, one is in somebody's hands, one has not begun.
fn forked(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    count(client, "fork-x");
    json!({ "run": run, "task": take(client, "fork-z1") })
}

fn end_fork(client: &mut Client, told: &Value) {
    count(client, "fork-y");
    end(client, &told["task"], "COMPLETED", json!({ "n": 40 }));
    count(client, "fork-z2");
    count(client, "fork-b");
    ends(client, &told["run"], 42);
}

fn dynamically_forked(client: &mut Client, name: &str) -> Value {
    let task = |at: i64| json!({"name": format!("dynamic-{at}"), "taskReferenceName": format!("d{at}"), "type": "SIMPLE"});
    let input = json!({
        "tasks": [task(0), task(1), task(2)],
        "inputs": {"d0": {"n": 0}, "d1": {"n": 50}, "d2": {"n": 0}},
    });
    let defs: Vec<Value> = (0..3).map(|at| definition(&format!("dynamic-{at}"))).collect();
    good(client.post("/api/metadata/taskdefs", &json!(defs)), "definitions");
    let run = start_with(client, name, json!({ "input": input }));
    count(client, "dynamic-0");
    json!({ "run": run, "task": take(client, "dynamic-2") })
}

fn end_dynamic(client: &mut Client, told: &Value) {
    end(client, &told["task"], "COMPLETED", json!({}));
    count(client, "dynamic-1");
    count(client, "dynamic-b");
    ends(client, &told["run"], 52);
}

/// In the second of three iterations.
fn repeated(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    count(client, "loop-again");
    json!({ "run": run, "task": take(client, "loop-again") })
}

fn end_loop(client: &mut Client, told: &Value) {
    end(client, &told["task"], "COMPLETED", json!({ "n": 0 }));
    count(client, "loop-again");
    count(client, "loop-b");
    let run = ends(client, &told["run"], 6);
    let iterations = run["tasks"].as_array().expect("tasks").iter();
    let iterations = iterations.filter(|task| task["taskDefName"] == "loop-again");
    let names: Vec<&Value> = iterations.map(|task| &task["referenceTaskName"]).collect();
    assert_eq!(names, ["again__1", "again__2", "again__3"]);
}

fn below(client: &mut Client, name: &str) -> Value {
    // The other run of the same workflow is not taken.
    let other = client.get("/api/tasks/poll/queued-a?workerid=w").json();
    let run = start(client, name);
    let task = take(client, "queued-a");
    give_back(client, &other);
    json!({ "run": run, "task": task })
}

fn give_back(client: &mut Client, task: &Value) {
    end(client, task, "IN_PROGRESS", json!({}));
}

fn end_sub(client: &mut Client, told: &Value) {
    end(client, &told["task"], "COMPLETED", json!({}));
    count(client, "sub-b");
    ends(client, &told["run"], 6);
    let child = told["task"]["workflowInstanceId"].as_str().expect("an id");
    assert_eq!(shown(client, child)["parentWorkflowId"], told["run"]);
}

/// It has failed, and is tried again after two seconds.
fn failed_once(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    let task = take(client, "retry-a");
    end(client, &task, "FAILED", json!({ "n": -1 }));
    assert_eq!(client.get("/api/tasks/poll/retry-a").status, 204, "not yet");
    json!({ "run": run, "task": task })
}

fn end_retry(client: &mut Client, told: &Value) {
    let task = take(client, "retry-a");
    assert_eq!((&task["retryCount"], &task["retriedTaskId"]), (&json!(1), &told["task"]["taskId"]));
    end(client, &task, "COMPLETED", json!({ "n": 60 }));
    count(client, "retry-b");
    ends(client, &told["run"], 61);
}

/// What comes next in it is held back.
fn paused(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    let task = take(client, "paused-a");
    let path = format!("/api/workflow/{run}/pause");
    good(client.ask("PUT", &path, None).expect("an answer"), &path);
    end(client, &task, "COMPLETED", json!({ "n": 70 }));
    json!({ "run": run })
}

fn end_paused(client: &mut Client, told: &Value) {
    let run = told["run"].as_str().expect("an id");
    stands(client, run, "PAUSED");
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.get("/api/tasks/poll/paused-b").status, 204, "it is paused");
    let path = format!("/api/workflow/{run}/resume");
    good(client.ask("PUT", &path, None).expect("an answer"), &path);
    count(client, "paused-b");
    ends(client, &told["run"], 71);
}

/// Another run has begun because it has failed.
fn failed(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    let task = take(client, "failed-a");
    end(client, &task, "FAILED_WITH_TERMINAL_ERROR", json!({}));
    stands(client, &run, "FAILED");
    json!({ "run": run })
}

fn end_failed(client: &mut Client, told: &Value) {
    let task = take(client, "after-failure-repair");
    end(client, &task, "COMPLETED", json!({}));
    let run = shown(client, told["run"].as_str().expect("an id"));
    let why = run["reasonForIncompletion"].as_str().expect("a reason");
    assert!(why.contains("FAILED_WITH_TERMINAL_ERROR"), "{run:#}");
    let after = stands(client, task["workflowInstanceId"].as_str().expect("an id"), "COMPLETED");
    assert_eq!(after["input"]["workflowId"], told["run"], "{after:#}");
}

fn told(client: &mut Client, name: &str) -> Value {
    let run = start(client, name);
    let path = format!("/api/workflow/{run}/variables");
    good(client.post(&path, &json!({ "told": "by hand" })), &path);
    let task = take(client, "variables-a");
    let log = format!("/api/tasks/{}/log", task["taskId"].as_str().expect("an id"));
    good(client.ask_text("POST", &log, "half way").expect("an answer"), &log);
    json!({ "run": run, "task": task })
}

fn end_told(client: &mut Client, told: &Value) {
    let log = format!("/api/tasks/{}/log", told["task"]["taskId"].as_str().expect("an id"));
    assert_eq!(client.get(&log).json()[0]["log"], "half way");
    end(client, &told["task"], "COMPLETED", json!({ "n": 80 }));
    count(client, "variables-b");
    let run = ends(client, &told["run"], 81);
    assert_eq!(run["output"]["told"], "by hand", "{run:#}");
    let twice =
        run["tasks"].as_array().expect("tasks").iter().find(|task| task["referenceTaskName"] == "twice");
    assert_eq!(twice.expect("it is there")["outputData"]["result"], 10, "{run:#}");
}

fn in_domain(client: &mut Client, name: &str) -> Value {
    json!({ "run": start_with(client, name, json!({"taskToDomain": {"domain-a": "far"}})) })
}

fn end_in_domain(client: &mut Client, told: &Value) {
    assert_eq!(client.get("/api/tasks/poll/domain-a").status, 204, "it is for others");
    let task = client.get("/api/tasks/poll/domain-a?domain=far").json();
    end(client, &task, "COMPLETED", json!({}));
    stands(client, told["run"].as_str().expect("an id"), "COMPLETED");
}

fn over(client: &mut Client, name: &str) -> Value {
    let (done, ended) = (start(client, name), start(client, name));
    let task = take(client, "over-a");
    end(client, &task, "COMPLETED", json!({ "x": "y" }));
    let path = format!("/api/workflow/{ended}?reason=enough");
    good(client.ask("DELETE", &path, None).expect("an answer"), &path);
    stands(client, &done, "COMPLETED");
    json!({ "run": done, "ended": ended })
}

fn end_over(client: &mut Client, told: &Value) {
    let done = stands(client, told["run"].as_str().expect("an id"), "COMPLETED");
    assert_eq!(done["tasks"][0]["outputData"]["x"], "y", "{done:#}");
    let ended = stands(client, told["ended"].as_str().expect("an id"), "TERMINATED");
    assert_eq!(
        (&ended["reasonForIncompletion"], &ended["correlationId"]),
        (&json!("enough"), &json!("of over"))
    );
}
