//! Runs many seeds, on all processors.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::disk::{Disk, Memory, Sqlite};
use crate::summary::Summary;
use crate::world::{Runs, World};

/// Over what a world stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows in memory.
    Memory,
    /// A real database.
    Sqlite,
}

/// A seed that found something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What.
    pub problem: String,
}

/// Runs the world of a seed.
///
/// # Errors
/// What was as it must not be.
pub fn run_seed(kind: Kind, runs: Runs, seed: u64) -> Result<Summary, Failure> {
    match kind {
        Kind::Memory => finish(World::new(seed, runs, Memory::default()), seed),
        Kind::Sqlite => finish(World::new(seed, runs, Sqlite::new()), seed),
    }
}

fn finish<D: Disk>(mut world: World<D>, seed: u64) -> Result<Summary, Failure> {
    match world.run() {
        Ok(()) => Ok(world.summary),
        Err(problem) => Err(Failure { seed, problem }),
    }
}

/// Runs the world of a seed once more and tells what happened.
pub fn trace(kind: Kind, runs: Runs, seed: u64) -> Vec<String> {
    match kind {
        Kind::Memory => told(World::new(seed, runs, Memory::default())),
        Kind::Sqlite => told(World::new(seed, runs, Sqlite::new())),
    }
}

fn told<D: Disk>(mut world: World<D>) -> Vec<String> {
    world.trace = Some(Vec::new());
    let result = world.run();
    let mut lines = world.trace.take().unwrap_or_default();
    lines.push(match result {
        Ok(()) => "everything has ended".to_owned(),
        Err(problem) => format!("{}\nWRONG {problem}", world.describe()),
    });
    lines
}

/// Runs these seeds, kept ones first, until `failures_max` have failed. `around` is called on each thread, before its
/// first seed.
pub fn explore(
    kind: Kind,
    runs: Runs,
    kept: &[u64],
    seeds: Range<u64>,
    failures_max: usize,
    around: impl Fn() + Sync,
) -> (Summary, Vec<Failure>) {
    let all: Vec<u64> = kept.iter().copied().chain(seeds).collect();
    let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let found = Mutex::new((Summary::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                around();
                let mut summary = Summary::default();
                while !enough.load(Ordering::Relaxed)
                    && let Some(&seed) = all.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    match run_seed(kind, runs, seed) {
                        Ok(more) => summary.add(&more),
                        Err(failure) => {
                            let failures = &mut found.lock().expect("nobody panics with it").1;
                            failures.push(failure);
                            enough.store(failures.len() >= failures_max, Ordering::Relaxed);
                        }
                    }
                }
                found.lock().expect("nobody panics with it").0.add(&summary);
            });
        }
    });
    let (summary, mut failures) = found.into_inner().expect("nobody panics with it");
    failures.sort_by_key(|failure| failure.seed);
    (summary, failures)
}

/// Seeds that once found something, of `seeds.txt`.
pub fn kept_seeds(kind: Kind, runs: Runs) -> Vec<u64> {
    let name = match (kind, runs) {
        (Kind::Memory, Runs::Local) => "memory",
        (Kind::Sqlite, Runs::Local) => "sqlite",
        (Kind::Memory, Runs::Served) => "served-memory",
        (Kind::Sqlite, Runs::Served) => "served-sqlite",
        (Kind::Memory, Runs::Managed) => "managed-memory",
        (Kind::Sqlite, Runs::Managed) => "managed-sqlite",
    };
    let lines = include_str!("../seeds.txt").lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok()).collect()
}
