//! One million no-op boxed futures in layers of 50 with two edges a node: what a node costs, beside one tokio task a
//! node for the same graph.
//!
//! `cargo bench -p partitur`. Each figure is the median of five runs, the candidates taking turns; the closures, the
//! graph and the futures are made before the clock starts.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use partitur::flow::{Flow, Handle, Options, Task};

const NODES: u32 = 1_000_000;
const WIDTH: u32 = 50;
const ROUNDS: usize = 5;

fn main() {
    let candidates: [Candidate; 7] = [
        ("flow, futures, 1 thread", || flow(1, futures())),
        ("flow, futures, 2 threads", || flow(2, futures())),
        ("flow, closures, 1 thread", || flow(1, closures())),
        ("flow, closures, 2 threads", || flow(2, closures())),
        ("flow, futures, timed, 2 threads", || timed(2, futures())),
        ("tokio task a node, 1 thread", || tokio_tasks(1)),
        ("tokio task a node, 2 threads", || tokio_tasks(2)),
    ];
    let medians = measure(&candidates);
    println!("ns a node (medians of {ROUNDS})           run   run + drop");
    for ((name, _), sample) in candidates.iter().zip(&medians) {
        println!("{name:<34} {:>7.1}  {:>7.1}", per_node(sample.run), per_node(sample.run + sample.drop));
    }
    let [one, two, closures_one, closures_two, .., tokio_two] = medians.map(|sample| per_node(sample.run));
    println!("two threads / one:                 {:.2}   (floor 1.10)", two / one);
    println!("two threads / one, closures:       {:.2}   (floor 1.10)", closures_two / closures_one);
    println!("flow / tokio, 2 threads:           {:.2}   (floor 0.50)", two / tokio_two);
    println!("2 threads:                        {two:.1} ns   (floor 150)");
    println!(
        "graph and state a node:           {:.1} B   (floor 40; closures, futures and outputs apart)",
        footprint()
    );
}

/// A name and what it does once.
type Candidate = (&'static str, fn() -> Sample);

/// What a run took.
#[derive(Clone, Copy, Default)]
struct Sample {
    run: Duration,
    drop: Duration,
}

fn measure<const N: usize>(candidates: &[Candidate; N]) -> [Sample; N] {
    let mut samples = vec![Vec::new(); N];
    for _ in 0..ROUNDS {
        for ((_, run), samples) in candidates.iter().zip(&mut samples) {
            samples.push(run());
        }
    }
    std::array::from_fn(|at| {
        let samples = &mut samples[at];
        samples.sort_by_key(|sample| sample.run);
        samples[ROUNDS / 2]
    })
}

fn per_node(time: Duration) -> f64 {
    time.as_nanos() as f64 / f64::from(NODES)
}

/// Two nodes of the layer before.
fn predecessors(node: u32) -> Option<[u32; 2]> {
    let layer = (node / WIDTH).checked_sub(1)? * WIDTH;
    let place = node % WIDTH;
    Some([layer + place, layer + (place * 7 + 3) % WIDTH])
}

fn futures() -> Flow {
    let mut flow = Flow::new();
    let mut tasks: Vec<Task<()>> = Vec::with_capacity(NODES as usize);
    for node in 0..NODES {
        let after: Vec<_> = predecessors(node).into_iter().flatten().map(|at| tasks[at as usize]).collect();
        tasks.push(flow.future("", async { Ok(()) }, after));
    }
    flow
}

fn closures() -> Flow {
    let mut flow = Flow::new();
    let mut tasks: Vec<Task<()>> = Vec::with_capacity(NODES as usize);
    for node in 0..NODES {
        let after: Vec<_> = predecessors(node).into_iter().flatten().map(|at| tasks[at as usize]).collect();
        tasks.push(flow.task("", |_| async { Ok(()) }).after(after).handle());
    }
    flow
}

fn flow(threads: usize, flow: Flow) -> Sample {
    run(flow, Options { threads: Some(threads), ..Options::default() })
}

fn timed(threads: usize, flow: Flow) -> Sample {
    run(flow, Options { threads: Some(threads), timed: true, ..Options::default() })
}

/// The clock starts with the workers: `start` also lays out the graph, which is measured apart by `partitur-graph`.
fn run(flow: Flow, options: Options) -> Sample {
    let handle = flow.start_paused(options).expect("the flow is sound");
    let begin = Instant::now();
    handle.resume();
    let outcome = Handle::join(handle);
    let run = begin.elapsed();
    assert!(outcome.is_success());
    // The workers leave the run first, so that dropping the outcome frees it here.
    std::thread::sleep(Duration::from_millis(20));
    let begin = Instant::now();
    drop(outcome);
    Sample { run, drop: begin.elapsed() }
}

fn footprint() -> f64 {
    let handle = futures().start(Options::default()).expect("the flow is sound");
    let bytes = handle.bytes() as f64 / f64::from(NODES);
    drop(handle);
    bytes
}

/// What the tokio tasks share.
struct Tokio {
    successors: Vec<Vec<u32>>,
    missing: Vec<AtomicU32>,
    futures: Vec<Mutex<Option<NoOp>>>,
    left: AtomicU32,
    done: std::sync::mpsc::SyncSender<()>,
}

type NoOp = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The same graph and the same counters, but each ready node is spawned as a task.
fn tokio_tasks(threads: usize) -> Sample {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().expect("a runtime");
    let (done, ended) = std::sync::mpsc::sync_channel(1);
    let mut successors = vec![Vec::new(); NODES as usize];
    for node in 0..NODES {
        predecessors(node).into_iter().flatten().for_each(|at| successors[at as usize].push(node));
    }
    let shared = Arc::new(Tokio {
        successors,
        missing: (0..NODES).map(|node| AtomicU32::new(if node < WIDTH { 0 } else { 2 })).collect(),
        futures: (0..NODES).map(|_| Mutex::new(Some(Box::pin(async {}) as NoOp))).collect(),
        left: AtomicU32::new(NODES),
        done,
    });
    let begin = Instant::now();
    for node in 0..WIDTH {
        runtime.spawn(TokioNode { shared: Arc::clone(&shared), node });
    }
    ended.recv().expect("the last task tells it");
    let run = begin.elapsed();
    let begin = Instant::now();
    drop((runtime, shared));
    Sample { run, drop: begin.elapsed() }
}

/// A hand-written future, so that the candidate pays for no second box.
struct TokioNode {
    shared: Arc<Tokio>,
    node: u32,
}

impl Future for TokioNode {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let TokioNode { shared, node } = &*self;
        let mut future =
            shared.futures[*node as usize].lock().expect("nobody panics").take().expect("it runs once");
        assert!(future.as_mut().poll(context).is_ready(), "it does nothing");
        for &next in &shared.successors[*node as usize] {
            if shared.missing[next as usize].fetch_sub(1, Ordering::AcqRel) == 1 {
                tokio::spawn(TokioNode { shared: Arc::clone(shared), node: next });
            }
        }
        if shared.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            shared.done.send(()).expect("the benchmark waits");
        }
        Poll::Ready(())
    }
}
