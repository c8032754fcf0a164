//! How long it takes to read a document of 100,000 tasks, places and all: the median of five.
//!
//! `cargo bench -p partitur-formats`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use partitur_formats::read;

const TASKS: usize = 100_000;
const ROUNDS: usize = 5;

fn main() {
    report("YAML", "flow.yaml", &yaml(), Duration::from_millis(300));
    report("JSON", "flow.json", &json(), Duration::from_millis(100));
}

fn report(what: &str, path: &str, text: &str, floor: Duration) {
    let rounds: Vec<Round> = (0..ROUNDS).map(|_| measure(path, text)).collect();
    let wall = median(rounds.iter().map(|round| round.wall));
    let processor = median(rounds.iter().map(|round| round.processor));
    let verdict = if wall < floor { "within" } else { "OVER" };
    println!(
        "{what}: {TASKS} tasks, {:.1} MB: median of {ROUNDS} {:.1} ms, of which {:.1} ms on the processor; {verdict} {} ms",
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

fn measure(path: &str, text: &str) -> Round {
    let (begin, used) = (Instant::now(), processor_time());
    let document =
        read(path, text.as_bytes(), &mut |_| Err("no sub-flows".to_owned())).expect("it has no faults");
    let round = Round { wall: begin.elapsed(), processor: processor_time() - used };
    assert_eq!(document.definition.root.nodes.len(), TASKS);
    assert_eq!(document.definition.root.edges.len(), 2 * (TASKS - 50));
    round
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Layers of 50, two needs a task.
fn needs(task: usize) -> Option<[usize; 2]> {
    let layer = task / 50;
    (layer > 0).then(|| [(layer - 1) * 50 + task % 50, (layer - 1) * 50 + (task + 1) % 50])
}

fn yaml() -> String {
    let mut text = "name: layers\ntasks:\n".to_owned();
    for task in 0..TASKS {
        let needs =
            needs(task).map_or(String::new(), |[a, b]| format!("    needs: [task_{a:06}, task_{b:06}]\n"));
        write!(
            text,
            "  task_{task:06}:\n    run: ./step --number {task} > out.{task}\n{needs}    priority: high\n"
        )
        .expect("a string takes everything");
    }
    text
}

fn json() -> String {
    let tasks: Vec<String> = (0..TASKS)
        .map(|task| {
            let needs = needs(task)
                .map_or(String::new(), |[a, b]| format!(r#","needs":["task_{a:06}","task_{b:06}"]"#));
            format!(
                r#""task_{task:06}":{{"run":"./step --number {task} > out.{task}"{needs},"priority":"high"}}"#
            )
        })
        .collect();
    format!(r#"{{"name":"layers","tasks":{{{}}}}}"#, tasks.join(",\n"))
}
