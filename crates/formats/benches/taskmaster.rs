//! How long it takes to check a file of Taskmaster and to say what is next: 20,000 tasks, and a diamond of 14 layers.
//!
//! `cargo bench -p partitur-formats --bench taskmaster`; with `-- FILE`, the large file is written there, to be measured
//! with the binary: `time partitur taskmaster check FILE`.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and writes its input")]

use std::time::{Duration, Instant};

use partitur_formats::taskmaster::{Order, Rule, Source, Standing, check, next};
use serde_json::{Value, json};

const TASKS: u64 = 20_000;
const ROUNDS: usize = 7;

fn main() {
    let large = large();
    if let Some(path) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        std::fs::write(path, &large).expect("the file can be written");
    }
    report("20,000 tasks", &large, Duration::from_millis(60));
    report("diamond of 14 layers", &diamond(14), Duration::from_millis(1));
}

fn report(what: &str, text: &str, floor: Duration) {
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| measure(text)).collect();
    let wall = median(rounds.iter().map(|round| round.wall));
    let processor = median(rounds.iter().map(|round| round.processor));
    let verdict = if wall < floor { "within" } else { "OVER" };
    println!(
        "{what}, {:.1} MB, read, checked and asked what is next: median of {ROUNDS} {:.2} ms, of which {:.2} ms on the processor; {verdict} {} ms",
        text.len() as f64 / 1e6,
        wall.as_secs_f64() * 1e3,
        processor.as_secs_f64() * 1e3,
        floor.as_millis(),
    );
}

/// On a busy machine the wall clock also counts what others do.
struct Round {
    wall: Duration,
    processor: Duration,
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn measure(text: &str) -> Round {
    let (begin, used) = (Instant::now(), processor_time());
    let source = Source::parse("tasks.json", text.as_bytes()).expect("it is JSON");
    let backlog = source.backlog();
    assert_eq!(check(&source, &backlog, Rule::default()), []);
    let tag = &backlog.tags[0];
    let references = tag.references();
    let order = Order::of(tag, &references);
    let standing = Standing::of(tag, &references, Rule::default());
    let ready = next(tag, &order, &standing, &vec![1; tag.tasks.len()]);
    assert!(!ready.is_empty());
    Round { wall: begin.elapsed(), processor: processor_time() - used }
}

/// Prose as people have machines write it, and two dependencies a task.
fn large() -> String {
    let prose = "Implement the \"parser\" and its tests.\nHandle errors where they arise. ";
    let task = |id: u64| {
        let mut needs: Vec<u64> =
            [id * 7 / 8, id - 1].into_iter().filter(|&need| need > 0 && need < id).collect();
        needs.dedup();
        let priority = ["low", "medium", "high"][id as usize % 3];
        json!({
            "id": id,
            "title": format!("Task {id} of the plan"),
            "description": prose.repeat(2),
            "status": if id <= TASKS / 2 { "done" } else { "pending" },
            "priority": priority,
            "dependencies": needs,
            "details": prose.repeat(6),
            "testStrategy": prose,
            "subtasks": [],
        })
    };
    file((1..=TASKS).map(task).collect())
}

/// Layers of four; each waits for all of the layer before.
fn diamond(layers: u64) -> String {
    let before = |layer: u64| (0..4).map(move |at| (layer - 1) * 4 + at).collect::<Vec<u64>>();
    let task = |layer: u64, at: u64| {
        let needs = if layer == 0 { Vec::new() } else { before(layer) };
        json!({"id": layer * 4 + at, "title": "x", "status": "pending", "dependencies": needs})
    };
    file((0..layers).flat_map(|layer| (0..4).map(move |at| task(layer, at))).collect())
}

fn file(tasks: Vec<Value>) -> String {
    serde_json::to_string_pretty(&json!({"master": {"tasks": tasks}})).expect("it is JSON")
}
