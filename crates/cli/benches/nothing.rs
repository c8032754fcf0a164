//! A build in which nothing has to be done, as whole processes: against make and, if it is there, ninja, on the same tree.
//!
//! `cargo bench -p partitur-cli --bench nothing` builds 100,000 targets with two inputs each, one copy a target, and prints
//! medians of five rounds in which the three take turns, and of five runs after a change of one file; `-- 1000` takes fewer.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PARTITUR: &str = env!("CARGO_BIN_EXE_partitur");
const ROUNDS: usize = 5;
const DIRS: usize = 100;

fn main() {
    let targets = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    write_tree(dir.path(), targets);
    let full = time(dir.path(), PARTITUR, &["run", "flow.yaml", "-q"]).expect("the full build succeeds");
    println!("{targets} targets, full build: {:.1} s", full.as_secs_f64());
    // All three find what the first has built.
    let candidates: [(&str, &[&str]); 3] =
        [(PARTITUR, &["run", "flow.yaml", "-q"]), ("make", &["-q"]), ("ninja", &["-n", "--quiet"])];
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for ((program, args), times) in candidates.iter().zip(&mut times) {
            times.extend(time(dir.path(), program, args));
        }
    }
    for ((program, args), times) in candidates.iter().zip(&mut times) {
        times.sort_unstable();
        match times.get(times.len() / 2) {
            Some(median) => println!("{:.0} ms  {program} {}", median.as_secs_f64() * 1e3, args.join(" ")),
            None => println!("-  {program} is not there, or does not agree"),
        }
    }
    let mut times: Vec<Duration> =
        (0..ROUNDS).filter_map(|round| after_a_change(dir.path(), round)).collect();
    times.sort_unstable();
    if let Some(median) = times.get(times.len() / 2) {
        println!(
            "{:.0} ms  {PARTITUR} run flow.yaml -q, after a change of one file",
            median.as_secs_f64() * 1e3
        );
    }
}

fn after_a_change(dir: &Path, round: usize) -> Option<Duration> {
    fs::write(dir.join("src/0/0.c"), format!("changed {round}\n")).expect("the directory is writable");
    time(dir, PARTITUR, &["run", "flow.yaml", "-q"])
}

/// The same for all three: a copy of the first of two inputs.
fn write_tree(dir: &Path, targets: usize) {
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("the directory is writable");
    for place in 0..DIRS {
        for kind in ["src", "inc", "out"] {
            fs::create_dir_all(dir.join(format!("{kind}/{place}"))).expect("the directory is writable");
        }
    }
    let mut flow = String::from("name: nothing\ntasks:\n");
    let (mut make, mut rules) = (String::from("all:"), String::new());
    let mut ninja = String::from("rule cp\n  command = cp $first $out\n");
    for at in 0..targets {
        let place = at % DIRS;
        let (one, two, out) =
            (format!("src/{place}/{at}.c"), format!("inc/{place}/{at}.h"), format!("out/{place}/{at}.o"));
        write(&one, &format!("{at}\n"));
        write(&two, &format!("h{at}\n"));
        let _ =
            writeln!(flow, "  t{at}: {{ run: [cp, {one}, {out}], reads: [{one}, {two}], writes: [{out}] }}");
        let _ = write!(make, " {out}");
        let _ = writeln!(rules, "{out}: {one} {two}\n\tcp {one} {out}");
        let _ = writeln!(ninja, "build {out}: cp {one} {two}\n  first = {one}");
    }
    write("flow.yaml", &flow);
    write("Makefile", &format!("{make}\n{rules}"));
    write("build.ninja", &ninja);
}

/// `None` if it cannot be started or does not succeed.
fn time(dir: &Path, program: &str, args: &[&str]) -> Option<Duration> {
    let began = Instant::now();
    let mut command = Command::new(program);
    // Cargo's own costs every start of a program something.
    command.args(args).current_dir(dir).env_remove("LD_LIBRARY_PATH");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then(|| began.elapsed())
}
