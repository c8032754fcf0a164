//! Scripts, jq and regular expressions that run for ever or take all memory there is: they are killed at their limit, and
//! nobody else's runs wait for them.

use partitur_tests::http::Client;
use partitur_tests::wait_for;
use serde_json::{Value, json};

use crate::neighbour::beside;
use crate::{Site, workflow};

/// JavaScript that harms.
const JAVASCRIPT: [&str; 14] = [
    "while (true) {}",
    "for (;;) { Math.sqrt(2); }",
    "(function f() { return f() + 1; })()",
    "(function f(n) { return f(n + 1); })(0)",
    "var a = []; while (true) { a.push(new Array(10000)); }",
    "var s = 'x'; while (true) { s += s; }",
    "'x'.repeat(1 << 30)",
    "new Array(4294967295).fill(1)",
    "new ArrayBuffer(1e12)",
    "/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')",
    "/(x+x+)+y/.test('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')",
    "JSON.parse('['.repeat(1000000))",
    "var o = {}; o.o = o; JSON.stringify(o)",
    "(function*() { while (true) yield 1; })().next(); while (1);",
];

/// jq that harms.
const JQ: [&str; 8] = [
    "def f: f; f",
    "def f: [f]; f",
    "[repeat(1)]",
    "[range(1000000000000)]",
    "last(range(1000000000000))",
    "reduce range(1000000000) as $i (\"\"; . + \"xxxxxxxxxxxxxxxx\")",
    "\"x\" * 100000000000",
    "[limit(1000000000000; repeat(\"x\"))] | length",
];

fn inline(source: &str) -> Value {
    json!([{
        "name": "bad", "taskReferenceName": "bad", "type": "INLINE",
        "inputParameters": {"evaluatorType": "javascript", "expression": source},
    }])
}

fn jq(source: &str) -> Value {
    json!([{
        "name": "bad", "taskReferenceName": "bad", "type": "JSON_JQ_TRANSFORM",
        "inputParameters": {"queryExpression": source, "x": 1},
    }])
}

fn condition(source: &str) -> Value {
    json!([{
        "name": "bad", "taskReferenceName": "bad", "type": "SWITCH", "evaluatorType": "javascript", "expression": source,
        "inputParameters": {}, "decisionCases": {"a": [crate::simple("a")]},
    }])
}

fn again(source: &str) -> Value {
    json!([{
        "name": "bad", "taskReferenceName": "bad", "type": "DO_WHILE", "loopCondition": source,
        "loopOver": [{"name": "set", "taskReferenceName": "set", "type": "SET_VARIABLE", "inputParameters": {"x": 1}}],
    }])
}

fn begin(client: &mut Client, tasks: Value) -> String {
    let definition = workflow("bad", tasks);
    let reply = client.post("/api/workflow", &json!({"name": "bad", "workflowDef": definition}));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body
}

#[test]
fn scripts_without_end_are_killed_and_other_runs_go_on() {
    let site = Site::new(&[]);
    let mut client = site.client();
    let mut bad: Vec<(String, String)> = Vec::new();
    let runs = beside(&site.server, || {
        // What a script does and where it stands have nothing to do with each other: a loop without end stands everywhere, and
        // the others take turns.
        let endless = JAVASCRIPT[0];
        let places: [fn(&str) -> Value; 3] = [inline, condition, again];
        let turns =
            JAVASCRIPT[1..].iter().zip(places.iter().cycle()).map(|(source, place)| (*source, *place));
        for (source, place) in places.map(|place| (endless, place)).into_iter().chain(turns) {
            bad.push((source.to_owned(), begin(&mut client, place(source))));
        }
        bad.extend(JQ.map(|source| (source.to_owned(), begin(&mut client, jq(source)))));
        for (source, id) in &bad {
            let run = wait_for(source, || {
                let run = client.get(&format!("/api/workflow/{id}")).json();
                (run["status"] != "RUNNING").then_some(run)
            });
            if run["status"] == "FAILED" {
                let why = run["reasonForIncompletion"].as_str().unwrap_or_default();
                assert!(!why.is_empty(), "{source}: it failed without a reason: {run:#}");
            }
        }
    });
    assert!(runs >= 20, "only {runs} runs beside {} scripts", bad.len());
    let failed =
        bad.iter().filter(|(_, id)| client.get(&format!("/api/workflow/{id}")).json()["status"] == "FAILED");
    let failed = failed.count();
    assert!(failed * 2 > bad.len(), "{failed} of {} have failed", bad.len());
    site.leave_in_peace();
}

#[test]
fn runs_without_end_leave_room_for_others() {
    let site = Site::new(&[]);
    let mut client = site.client();
    // Without a task for anybody outside, as fast as it can; and one that starts itself.
    let mut forever = again("true");
    forever[0]["inputParameters"] = json!({"keepLastN": 1});
    let endless = begin(&mut client, forever);
    let itself = json!([{
        "name": "itself", "taskReferenceName": "itself", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "itself"},
    }]);
    assert_eq!(client.post("/api/metadata/workflow", &workflow("itself", itself)).status, 200);
    let deep = client.post("/api/workflow", &json!({"name": "itself"})).body;
    let runs = beside(&site.server, || std::thread::sleep(std::time::Duration::from_secs(3)));
    assert!(runs >= 3, "only {runs} runs");
    for id in [&endless, &deep] {
        let reply = client.ask("DELETE", &format!("/api/workflow/{id}"), None).expect("an answer");
        assert!(matches!(reply.status, 200 | 409), "{reply:?}");
    }
    wait_for("the end of all", || {
        let path = "/api/workflow/search?size=1&query=status%20IN%20(RUNNING,PAUSED)";
        (client.get(path).json()["totalHits"] == 0).then_some(())
    });
    site.leave_in_peace();
}
