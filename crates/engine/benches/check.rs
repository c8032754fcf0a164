//! `check` on 100,000 tasks: two needs each, a value of a task before, a file read and one written.
//!
//! `cargo bench -p partitur-engine --bench check`

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use partitur_model::definition::{Command, Definition, Edge, Guard, Kind, Node, Program, Scope};
use partitur_model::{Place, Severity};

const TASKS: u32 = 100_000;
const WIDTH: u32 = 50;
const ROUNDS: usize = 9;

fn main() {
    let plain = document(false);
    let rich = document(true);
    report("without values and files", &plain);
    report("with values and files", &rich);
}

fn document(rich: bool) -> Definition {
    let mut root = Scope::default();
    for at in 0..TASKS {
        root.nodes.push(task(at, rich));
        let before = at.saturating_sub(WIDTH)..at.saturating_sub(WIDTH - 2);
        for (from, number) in before.filter(|_| at >= WIDTH).zip(0..) {
            let place = Place(format!("tasks.t{at}.needs[{number}]"));
            root.edges.push(Edge { from, to: at, guard: Guard::Success, place });
        }
    }
    Definition { root, ..Definition::default() }
}

fn task(at: u32, rich: bool) -> Node {
    let mut words = vec!["./work".into(), "--number".into(), at.to_string().into()];
    if rich && at >= 2 * WIDTH {
        words.push(format!("${{t{}.output.rows}}", at - WIDTH).into());
        words.push(format!("${{t{}.output.rows}}", at - 2 * WIDTH).into());
    }
    let command = Command { program: Program::Direct(words), ..Command::default() };
    let mut node = Node::new(format!("t{at}"), Kind::Command(command));
    if rich {
        node.writes.push(format!("out/{at}.csv").into());
        node.reads.extend(at.checked_sub(WIDTH).map(|from| format!("out/{from}.csv").into()));
    }
    node
}

fn report(what: &str, definition: &Definition) {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            let faults = partitur_engine::check(definition);
            let time = begin.elapsed();
            assert!(!faults.iter().any(|fault| fault.severity == Severity::Error), "{:?}", faults.first());
            time
        })
        .collect();
    times.sort_unstable();
    println!("{TASKS} tasks {what}: {:.1?}, median of {ROUNDS}", times[ROUNDS / 2]);
}
