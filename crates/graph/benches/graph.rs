//! What graph work costs, and what the order of ready tasks gains. Medians of five.
//!
//! `cargo bench -p partitur-graph`
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and may use threads")]

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use partitur_graph::dice::Dice;
use partitur_graph::families::{Family, layered};
use partitur_graph::{
    Access, Claim, Csr, Interner, Order, Resource, Touches, Waves, bottom_levels, critical_path, cycles,
    makespan_bound, paths_overlap, races, simulate, simulate_by,
};

const NODES: u32 = 1_000_000;

fn main() {
    named_tasks();
    race_search();
    schedules();
}

/// A document as a reader hands it over: its text, and where in it the names stand, from top to bottom.
struct Document {
    text: String,
    tasks: Vec<(u32, u32)>,
    /// The names that tasks need; two for each task, none for the first layer.
    needs: Vec<(u32, u32)>,
    /// The task that needs the name at the same place of `needs`.
    needed_by: Vec<u32>,
}

impl Document {
    /// Layers of 50 with two edges a task; the tasks stand in this order in the document.
    fn new(order: &[u32]) -> Document {
        let mut document =
            Document { text: String::new(), tasks: Vec::new(), needs: Vec::new(), needed_by: Vec::new() };
        let edges = layered(order.len() as u32, 50, &mut Dice::new(1));
        for (at, &node) in (0..).zip(order) {
            let task = document.write(node);
            document.tasks.push(task);
            for &(needed, _) in node.checked_sub(50).map_or(&[][..], |i| &edges[i as usize * 2..][..2]) {
                let need = document.write(needed);
                document.needs.push(need);
                document.needed_by.push(at);
            }
        }
        document
    }

    fn write(&mut self, node: u32) -> (u32, u32) {
        let begin = self.text.len() as u32;
        self.text.push_str(&format!("task-{node}"));
        (begin, self.text.len() as u32)
    }

    /// Each name needed becomes an edge from the task of this name.
    fn edges(&self, interner: &Interner, needs: Range<usize>) -> Vec<(u32, u32)> {
        let found = interner.get_all(self.names(&self.needs[needs.clone()]));
        let edge =
            |(need, &by): (Option<u32>, &u32)| (need.expect("every name needed is that of a task"), by);
        let mut edges = Vec::with_capacity(needs.len());
        edges.extend(found.zip(&self.needed_by[needs]).map(edge));
        edges
    }

    fn names<'a>(&'a self, places: &'a [(u32, u32)]) -> impl ExactSizeIterator<Item = &'a str> {
        places.iter().map(|&(begin, end)| &self.text[begin as usize..end as usize])
    }
}

/// How long each step took, in order.
struct Steps(Instant, Vec<(&'static str, Duration)>);

impl Steps {
    fn new() -> Steps {
        Steps(Instant::now(), Vec::new())
    }

    fn done(&mut self, step: &'static str) {
        let now = Instant::now();
        self.1.push((step, now - self.0));
        self.0 = now;
    }
}

fn named_tasks() {
    println!("1,000,000 named tasks, layers of 50, two edges a task; ms\n");
    let in_order = Document::new(&(0..NODES).collect::<Vec<_>>());
    let shuffled = Document::new(&Dice::new(7).shuffled(NODES));
    let durations: Vec<u64> = (0..NODES).map(|_| 1).collect();
    let columns = [
        medians(|steps| analyse(&in_order, &durations, steps, false)),
        medians(|steps| analyse(&shuffled, &durations, steps, false)),
        medians(|steps| analyse(&in_order, &durations, steps, true)),
        medians(|steps| analyse(&shuffled, &durations, steps, true)),
    ];
    println!("| step | document order | shuffled | 2 threads | shuffled, 2 threads |\n|---|---|---|---|---|");
    for row in 0..columns[0].len() {
        let cells: Vec<_> = columns.iter().map(|column| format!("{:.1}", column[row].1)).collect();
        println!("| {} | {} |", columns[0][row].0, cells.join(" | "));
    }
    let csr = Csr::build(NODES, &layered(NODES, 50, &mut Dice::new(1)));
    println!(
        "\nTarjan on the same graph, only needed after an order has failed: {:.1} ms",
        median(|| {
            assert!(cycles(&csr).is_empty());
        })
    );
}

/// All that is done to a document once it has been parsed.
fn analyse(document: &Document, durations: &[u64], steps: &mut Steps, threads: bool) {
    let mut interner = Interner::with_seed(1);
    let tasks = interner.intern_all(document.names(&document.tasks));
    assert_eq!(tasks.len(), interner.len() as usize);
    steps.done("intern 1 M names");
    let edges = if threads {
        find_on_two(&interner, document)
    } else {
        document.edges(&interner, 0..document.needs.len())
    };
    steps.done("find 2 M names: the edges");
    let csr = Csr::build(interner.len(), &edges);
    steps.done("rows");
    let waves = Waves::of(&csr).expect("layers have an order");
    steps.done("levels, waves, no cycle");
    let bottom = bottom_levels(&csr, &waves, durations);
    steps.done("bottom levels");
    let path = critical_path(&csr, &waves, &bottom);
    steps.done("critical path");
    assert_eq!(path.length, u64::from(NODES / 50));
}

/// Each of two threads looks up half of the names.
fn find_on_two(interner: &Interner, document: &Document) -> Vec<(u32, u32)> {
    let middle = document.needs.len() / 2;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| document.edges(interner, middle..document.needs.len()));
        let mut all = document.edges(interner, 0..middle);
        all.extend(other.join().expect("looking up does not panic"));
        all
    })
}

/// The median of each step over five rounds, in ms, and of all together.
fn medians(mut round: impl FnMut(&mut Steps)) -> Vec<(&'static str, f64)> {
    let mut rounds: Vec<Vec<(&'static str, Duration)>> = Vec::new();
    for _ in 0..5 {
        let mut steps = Steps::new();
        round(&mut steps);
        let whole = steps.1.iter().map(|step| step.1).sum();
        steps.1.push(("**whole**", whole));
        rounds.push(steps.1);
    }
    let middle = |row: usize| {
        let mut times: Vec<Duration> = rounds.iter().map(|round| round[row].1).collect();
        times.sort_unstable();
        times[2].as_secs_f64() * 1000.0
    };
    (0..rounds[0].len()).map(|row| (rounds[0][row].0, middle(row))).collect()
}

/// The median of five rounds, in ms.
fn median(mut round: impl FnMut()) -> f64 {
    medians(|steps| {
        round();
        steps.done("all");
    })[0]
        .1
}

fn race_search() {
    println!("\nRaces; ms\n\n| document | races | ms |\n|---|---|---|");
    let chain = |n: u32| (1..n).map(|node| (node - 1, node)).collect::<Vec<_>>();
    let write = |path: &str| Touches {
        accesses: vec![Access { resource: Resource::path(path), write: true }],
        claims: Vec::new(),
    };
    let read = |path: &str| Touches {
        accesses: vec![Access { resource: Resource::path(path), write: false }],
        claims: Vec::new(),
    };
    let lock = |path: &str| Touches {
        claims: vec![Claim { resource: Resource::path(path), exclusive: true }],
        ..write(path)
    };
    let distinct =
        |n: u32| (0..n).map(|i| write(&format!("out/{}/part-{i}.csv", i % 100))).collect::<Vec<_>>();
    told("5,000 tasks, each writes its own file", &[], &distinct(5_000));
    told("100,000 tasks, each writes its own file", &[], &distinct(100_000));
    told("2,000 tasks write one file, a chain", &chain(2_000), &vec![write("out/x"); 2_000]);
    told("20,000 tasks write one file, a chain", &chain(20_000), &vec![write("out/x"); 20_000]);
    told("20,000 tasks write one file, no order", &[], &vec![write("out/x"); 20_000]);
    told("20,000 tasks write one file under one lock", &[], &vec![lock("out/x"); 20_000]);
    let mut below: Vec<_> = distinct(5_000);
    below.push(read("out"));
    told("5,000 writers below a directory that one reads", &[], &below);
    let patterns: Vec<_> = (0..5_000).map(|i| write(&format!("out/part-{i}-*.csv"))).collect();
    told("5,000 tasks, each writes its own pattern", &[], &patterns);
    let hostile: Vec<_> = (0..2_500).map(|i| write(&format!("**/*{i}*/x"))).collect();
    told("2,500 patterns that all may meet", &[], &hostile);
    let pairs = 100_000;
    let overlap = median(|| {
        for _ in 0..pairs {
            black_box(paths_overlap(black_box("data/**/orders-*.csv"), black_box("data/2026/orders-17.csv")));
        }
    });
    println!("\nReading and comparing a pattern and a path: {:.0} ns", overlap * 1e6 / f64::from(pairs));
}

fn told(name: &str, edges: &[(u32, u32)], touches: &[Touches]) {
    let csr = Csr::build(touches.len() as u32, edges);
    let waves = Waves::of(&csr).expect("a chain has an order");
    let found = races(&csr, &waves, touches, 100);
    let ms = median(|| assert_eq!(races(&csr, &waves, touches, 100), found));
    let bound = if found.complete { "" } else { "at least " };
    println!("| {name} | {bound}{} | {ms:.1} |", found.found.len() as u64 + found.more);
}

fn schedules() {
    println!(
        "\nMakespan over its lower bound, mean of 8 graphs of 2,000 nodes (worst), log-normal durations\n"
    );
    println!(
        "| graph, workers | FIFO | longest first | shortest first | bottom level | with durations ±50 % wrong | over FIFO |"
    );
    println!("|---|---|---|---|---|---|---|");
    for family in Family::ALL {
        for workers in [4, 16] {
            let columns: Vec<Ratios> = [
                ratios(family, workers, |csr, durations| makespan(csr, durations, workers, Order::Fifo)),
                ratios(family, workers, |csr, durations| {
                    makespan(csr, durations, workers, Order::LongestFirst)
                }),
                ratios(family, workers, |csr, durations| {
                    makespan(csr, durations, workers, Order::ShortestFirst)
                }),
                ratios(family, workers, |csr, durations| {
                    makespan(csr, durations, workers, Order::BottomLevel)
                }),
                ratios(family, workers, |csr, durations| with_wrong_durations(csr, durations, workers)),
            ]
            .into();
            let cells: Vec<_> =
                columns.iter().map(|Ratios { mean, worst }| format!("{mean:.3} ({worst:.3})")).collect();
            println!(
                "| {family:?}, {workers} | {} | {:.3} |",
                cells.join(" | "),
                columns[3].mean / columns[0].mean
            );
        }
    }
}

struct Ratios {
    mean: f64,
    worst: f64,
}

fn ratios(family: Family, workers: u32, makespan: impl Fn(&Csr, &[u64]) -> u64) -> Ratios {
    let ratio = |seed| {
        let sample = family.sample(2_000, seed);
        let waves = Waves::of(&sample.csr).expect("samples have an order");
        let bound = makespan_bound(&sample.csr, &waves, &sample.durations, workers);
        makespan(&sample.csr, &sample.durations) as f64 / bound as f64
    };
    let all: Vec<f64> = (1..=8).map(ratio).collect();
    Ratios { mean: all.iter().sum::<f64>() / 8.0, worst: all.iter().copied().fold(0.0, f64::max) }
}

fn makespan(csr: &Csr, durations: &[u64], workers: u32, order: Order) -> u64 {
    simulate(csr, durations, workers, order).expect("samples have an order").makespan
}

/// The order follows from expectations that are off by up to a half.
fn with_wrong_durations(csr: &Csr, durations: &[u64], workers: u32) -> u64 {
    let mut dice = Dice::new(99);
    let expected: Vec<u64> =
        durations.iter().map(|&duration| duration * u64::from(500 + dice.below(1001)) / 1000).collect();
    let waves = Waves::of(csr).expect("samples have an order");
    let bottom = bottom_levels(csr, &waves, &expected);
    simulate_by(csr, durations, workers, &bottom).expect("samples have an order").makespan
}
