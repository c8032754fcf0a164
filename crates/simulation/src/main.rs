//! Runs worlds by argument: `--seeds 100000 --from 0`, `--seed 4711 --trace`, `--sqlite`, `--served`, `--managed`.

use std::process::ExitCode;

use partitur_simulation::{Kind, Runs, explore, run_seed, trace};

const USAGE: &str = "\
usage: partitur-simulation [--sqlite] [--served|--managed] [--seeds COUNT] [--from SEED] [--failures COUNT]
       partitur-simulation [--sqlite] [--served|--managed] --seed SEED [--trace]";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (mut kind, mut count, mut from, mut failures_max) = (Kind::Memory, 2_000, 0, 10);
    let (mut one, mut traced, mut runs) = (None, false, Runs::Local);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        match (word.as_str(), &mut count, &mut from) {
            ("--sqlite", ..) => kind = Kind::Sqlite,
            ("--served", ..) => runs = Runs::Served,
            ("--managed", ..) => runs = Runs::Managed,
            ("--trace", ..) => traced = true,
            ("--seeds", count, _) => *count = number().unwrap_or(*count),
            ("--from", _, from) => *from = number().unwrap_or(*from),
            ("--failures", ..) => failures_max = number().unwrap_or(10),
            ("--seed", ..) => one = number(),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    match one {
        Some(seed) => one_seed(kind, runs, seed, traced),
        None => many(kind, runs, from..from + count, failures_max as usize),
    }
}

fn one_seed(kind: Kind, runs: Runs, seed: u64, traced: bool) -> ExitCode {
    if traced {
        trace(kind, runs, seed).iter().for_each(|line| println!("{line}"));
    }
    match run_seed(kind, runs, seed) {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("seed {}: {}", failure.seed, failure.problem);
            ExitCode::FAILURE
        }
    }
}

fn many(kind: Kind, runs: Runs, seeds: std::ops::Range<u64>, failures_max: usize) -> ExitCode {
    let (summary, failures) = explore(kind, runs, &[], seeds, failures_max, || ());
    println!("{summary}");
    for missing in summary.missing(runs) {
        println!("never: {missing}");
    }
    for failure in &failures {
        println!("seed {}: {}", failure.seed, failure.problem);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
