//! What is told of ended runs: report, trace, diff.

use serde_json::Value;

use crate::support::Place;

const FLOW: &str = "
concurrency: 2
resources: { db: 1 }
tasks:
  load: { run: sleep 0.2 }
  a: { needs: [load], run: sleep 0.4, locks: [db] }
  b: { needs: [load], run: sleep 0.3, locks: [db] }
  close: { needs: [a, b], run: 'true' }
";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_report_says_where_the_time_went() {
    let place = Place::new(FLOW);
    place.expect(0, &["run", "flow.yaml"]);
    let text = place.expect(0, &["report", "last"]).out;
    for part in ["succeeded after", "critical path", "at best", "locks and resources", "what would help"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let told = json(&place.expect(0, &["report", "last", "--json"]).out);
    let (waited, a) = (told["queued"]["claims_ms"].as_u64().unwrap(), 300);
    assert!(waited >= a, "the other one waited as long as the first held the lock: {told}");
    assert_eq!(told["places"], 2);
    place.expect(0, &["report", "1", "--html", "report.html"]);
    let page = place.read("report.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("What determined the end"), "{page}");
    place.expect(6, &["report", "7"]);
}

#[test]
fn a_trace_has_a_lane_for_each_place() {
    let place = Place::new(FLOW);
    place.expect(0, &["run", "flow.yaml"]);
    let trace = json(&place.expect(0, &["trace", "last"]).out);
    place.expect(0, &["trace", "last", "-o", "trace.json"]);
    assert_eq!(json(&place.read("trace.json")), trace);
    let events = trace["traceEvents"].as_array().unwrap();
    let tasks = events.iter().filter(|event| event["ph"] == "X").map(|event| event["name"].as_str().unwrap());
    assert_eq!(tasks.collect::<std::collections::BTreeSet<_>>(), ["a", "b", "close", "load"].into());
}

#[test]
fn a_diff_tells_what_is_different_between_two_runs() {
    let place = Place::new(FLOW);
    place.expect(0, &["run", "flow.yaml"]);
    place.write("flow.yaml", &FLOW.replace("needs: [a, b], run: 'true'", "needs: [a], run: 'exit 3'"));
    place.expect(1, &["run", "flow.yaml"]);
    let text = place.expect(0, &["diff", "1", "2"]).out;
    for part in ["~ close\n", "- close needs b", "~ close: success → failure"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let told = json(&place.expect(0, &["diff", "1", "2", "--json"]).out);
    assert_eq!(told["outcomes"][0]["states"], serde_json::json!(["success", "failure"]));
    assert!(place.expect(0, &["diff", "1", "1"]).out.contains("no difference"));
}
