//! What running on one machine costs, as whole processes: against make, and from a cold start.
//!
//! `cargo bench -p partitur-cli --bench local` prints medians of five; `-- 1000` takes fewer tasks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PARTITUR: &str = env!("CARGO_BIN_EXE_partitur");
const ROUNDS: usize = 5;
const WIDTH: usize = 50;

fn main() {
    let tasks = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(5_000);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    write_graph(dir.path(), tasks);
    against_make(dir.path(), tasks);
    starts(dir.path());
    idle(dir.path());
    let size = fs::metadata(PARTITUR).map_or(0, |metadata| metadata.len());
    println!("binary of this profile: {:.1} MB", size as f64 / 1e6);
}

/// The same layered graph for both: 50 wide, two edges a task, `/bin/true` everywhere.
fn write_graph(dir: &Path, tasks: usize) {
    let (mut flow, mut make) = (String::from("tasks:\n"), String::new());
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice as usize % WIDTH
    };
    for layer in 0..tasks / WIDTH {
        for place in 0..WIDTH {
            let needs: Vec<String> = match layer {
                0 => Vec::new(),
                _ => (0..2).map(|_| format!("t{}-{}", layer - 1, draw())).collect(),
            };
            let needs: std::collections::BTreeSet<String> = needs.into_iter().collect();
            let list: Vec<&str> = needs.iter().map(String::as_str).collect();
            let _ =
                writeln!(flow, "  t{layer}-{place}:\n    run: [/bin/true]\n    needs: [{}]", list.join(", "));
            let _ = writeln!(make, "t{layer}-{place}: {}\n\t@/bin/true", list.join(" "));
        }
    }
    // All of them by name: some have no successor, and make would leave those out.
    let all: Vec<String> = (0..tasks).map(|task| format!("t{}-{}", task / WIDTH, task % WIDTH)).collect();
    fs::write(dir.join("flow.yaml"), flow).expect("the directory is writable");
    fs::write(dir.join("Makefile"), format!("all: {}\n{make}", all.join(" ")))
        .expect("the directory is writable");
    fs::write(dir.join("one.yaml"), "tasks:\n  a:\n    run: [/bin/true]\n")
        .expect("the directory is writable");
    fs::write(dir.join("nap.yaml"), "tasks:\n  a:\n    run: [sleep, '3']\n")
        .expect("the directory is writable");
}

fn against_make(dir: &Path, tasks: usize) {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let _ = fs::remove_dir_all(dir.join(".partitur"));
        let own = time(Command::new(PARTITUR).args(["run", "-j", "2", "flow.yaml"]).current_dir(dir));
        let make = time(Command::new("make").args(["-j2", "-s"]).current_dir(dir));
        // The first round warms up.
        if round > 0 {
            ratios.push(own.as_secs_f64() / make.as_secs_f64());
            ours.push(own.as_secs_f64() * 1e3);
            theirs.push(make.as_secs_f64() * 1e3);
        }
    }
    println!("{tasks} x /bin/true, layers of {WIDTH}, 2 at a time, ms: medians of {ROUNDS} pairs");
    println!("  partitur run {:8.0}", median(&mut ours));
    println!("  make -j2     {:8.0}", median(&mut theirs));
    println!(
        "  ratio        {:8.2}   (from {:.2} to {:.2})",
        median(&mut ratios),
        ratios[0],
        ratios[ROUNDS - 1]
    );
}

fn starts(dir: &Path) {
    let mut version: Vec<f64> =
        (0..20).map(|_| millis(time(Command::new(PARTITUR).arg("--version")))).collect();
    println!("partitur --version: {:.1} ms", median(&mut version));
    for (name, fresh) in [("with a fresh state directory", true), ("with state", false)] {
        let mut runs: Vec<f64> = (0..20)
            .map(|_| {
                if fresh {
                    let _ = fs::remove_dir_all(dir.join(".partitur"));
                }
                millis(time(Command::new(PARTITUR).args(["run", "--new", "one.yaml"]).current_dir(dir)))
            })
            .collect();
        println!("a run of one task, {name}: {:.1} ms", median(&mut runs));
    }
}

/// Resident memory of a run whose only task sleeps.
fn idle(dir: &Path) {
    let mut child = Command::new(PARTITUR)
        .args(["run", "--new", "nap.yaml"])
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built");
    std::thread::sleep(Duration::from_secs(1));
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("?").trim().to_owned();
    let _ = child.wait();
    println!("resident memory of an idle run: {resident}");
}

fn time(command: &mut Command) -> Duration {
    // Cargo's search path would make every start of a program slower, ours and those that are compared alike.
    command.env_remove("LD_LIBRARY_PATH");
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the program is there");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
