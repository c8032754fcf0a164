//! A run in the Trace Event Format, which Perfetto and Chromium open.
//!
//! Lanes are places: a complete event (`X`) for each task, a pair of flow events (`s`, `f`) for each need, counters (`C`)
//! of what runs and what waits. Times are microseconds since the run was accepted. Source: "Trace Event Format", the
//! Chromium project's document of the JSON that its tracing tools read.

use std::time::Duration;

use serde_json::{Value, json};

use crate::state::state_name;
use crate::timeline::{Span, Timeline};

/// Tasks that work, in their places.
const WORK: u32 = 1;

/// Containers, sub-runs and waits.
const OTHERS: u32 = 2;

/// The trace of a run; `title` names it.
pub fn trace(title: &str, timeline: &Timeline) -> Value {
    let mut events = names(title, timeline);
    events.extend(timeline.spans.iter().map(complete));
    for (number, &(from, to)) in timeline.waited_for.iter().enumerate() {
        events.extend(flow(number, &timeline.spans[from], &timeline.spans[to]));
    }
    for level in timeline.levels() {
        events.push(json!({
            "ph": "C", "pid": WORK, "tid": 0, "ts": micros(level.at), "name": "tasks",
            "args": { "running": level.running, "queued": level.queued },
        }));
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

fn names(title: &str, timeline: &Timeline) -> Vec<Value> {
    let mut names = Vec::new();
    let parts = [
        (WORK, "places", "place", timeline.lanes.0),
        (OTHERS, "waits and containers", "lane", timeline.lanes.1),
    ];
    for (process, what, lane, lanes) in parts {
        if lanes == 0 {
            continue;
        }
        names.push(metadata("process_name", process, 0, json!({ "name": format!("{title}: {what}") })));
        names.push(metadata("process_sort_index", process, 0, json!({ "sort_index": process })));
        for at in 1..=lanes {
            names.push(metadata("thread_name", process, at, json!({ "name": format!("{lane} {at}") })));
            names.push(metadata("thread_sort_index", process, at, json!({ "sort_index": at })));
        }
    }
    names
}

fn metadata(name: &str, process: u32, thread: u32, args: Value) -> Value {
    json!({ "ph": "M", "pid": process, "tid": thread, "ts": 0, "name": name, "args": args })
}

fn complete(span: &Span) -> Value {
    let (process, thread) = place(span);
    json!({
        "ph": "X", "pid": process, "tid": thread, "ts": micros(span.from), "dur": length(span),
        "name": span.path, "cat": if span.works { "task" } else { "other" },
        "args": {
            "state": state_name(span.state),
            "attempts": span.attempts,
            "cached": span.cached,
            "queued_us": micros(span.queued()),
            "cpu_us": span.usage.cpu_micros,
            "rss_bytes": span.usage.rss_max,
        },
    })
}

/// An arrow belongs to whatever its ends lie in: the last moment of one task and the first of the other.
fn flow(number: usize, from: &Span, to: &Span) -> [Value; 2] {
    let end = |phase: &str, span: &Span, at: u64| {
        let (process, thread) = place(span);
        json!({ "ph": phase, "pid": process, "tid": thread, "ts": at, "id": number, "name": "needs", "cat": "needs" })
    };
    let mut arrival = end("f", to, micros(to.from));
    arrival["bp"] = json!("e");
    [end("s", from, micros(from.from) + length(from) - 1), arrival]
}

fn place(span: &Span) -> (u32, u32) {
    (if span.works { WORK } else { OTHERS }, span.lane + 1)
}

/// What took no time is still to be seen.
fn length(span: &Span) -> u64 {
    micros(span.took()).max(1)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::testing::{month_end, story};

    /// What the format's document demands of each kind of event.
    fn check(trace: &Value) {
        let events = trace["traceEvents"].as_array().expect("there is a list of events");
        let (mut lanes, mut arrows) = (BTreeMap::<(u64, u64), Vec<(u64, u64)>>::new(), BTreeMap::new());
        let mut named = BTreeSet::new();
        for event in events {
            let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} of {event}"));
            let lane = (number("pid"), number("tid"));
            assert!(event["name"].is_string(), "{event}");
            match event["ph"].as_str().expect("a phase") {
                "M" => {
                    named.insert(lane);
                }
                "X" => lanes.entry(lane).or_default().push((number("ts"), number("ts") + number("dur"))),
                "s" => assert!(arrows.insert(number("id"), (lane, number("ts"))).is_none(), "{event}"),
                "f" => {
                    let (_, begun) = arrows.remove(&number("id")).expect("an arrow begins before it ends");
                    assert!(begun <= number("ts"), "{event}");
                    assert_eq!(event["bp"], "e");
                }
                "C" => {
                    assert!(event["args"].as_object().is_some_and(|args| args.values().all(Value::is_u64)))
                }
                other => panic!("{other} is no phase of ours"),
            }
        }
        assert!(arrows.is_empty(), "an arrow that does not end");
        for (lane, mut spans) in lanes {
            assert!(named.contains(&lane), "{lane:?} has no name");
            spans.sort_unstable();
            assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "two at once in one lane");
        }
    }

    #[test]
    fn a_trace_is_what_its_format_demands() {
        let (run, tasks, definition) = month_end();
        let trace = trace("month-end, run 7", &Timeline::of(&story(&run, &tasks, &definition)));
        check(&trace);
        let phases =
            trace["traceEvents"].as_array().into_iter().flatten().filter_map(|event| event["ph"].as_str());
        let mut counts = BTreeMap::new();
        phases.for_each(|phase| *counts.entry(phase).or_insert(0) += 1);
        assert_eq!(counts, [("C", 5), ("M", 4), ("X", 4), ("f", 4), ("s", 4)].into());
    }
}
