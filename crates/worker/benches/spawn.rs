//! 5,000 × `/bin/true`, two at a time, output captured: the executor beside `std::process::Command` and `make -j2`.
//!
//! `cargo bench -p partitur-worker` prints the median of five rounds and the median of the ratios within each round.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use partitur_model::dispatch::{Dispatch, Process, ReportKind, Work};
use partitur_model::{AttemptId, FencingToken, RunId, TaskSeq};
use partitur_worker::{EnvSecrets, LocalExecutor, Options, RunContext, WorkerEvent};

const TASKS: usize = 5_000;
const AT_ONCE: usize = 2;
const ROUNDS: usize = 5;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write_makefile(dir.path());
    let contestants: [Contestant; 3] =
        [("make -j2", by_make), ("std Command", by_command), ("partitur-worker", by_executor)];
    let mut times: [Vec<Measured>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, run), times) in contestants.iter().zip(&mut times) {
            let (began, cpu) = (Instant::now(), cpu_seconds());
            run(dir.path());
            times.push(Measured { wall: began.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu });
        }
    }
    println!("{TASKS} x /bin/true, {AT_ONCE} at a time, output captured; medians of {ROUNDS} rounds");
    for ((name, _), measured) in contestants.iter().zip(&times) {
        let ratios = measured.iter().zip(&times[0]).map(|(time, make)| time.wall / make.wall);
        let each = |of: fn(&Measured) -> f64| median(measured.iter().map(of)) / TASKS as f64 * 1e6;
        let (wall, cpu) = (each(|measured| measured.wall), each(|measured| measured.cpu));
        println!(
            "{name:>16}  {wall:6.0} us and {cpu:4.0} us of processor a task  {:.2} x make",
            median(ratios)
        );
    }
}

/// A name, and what it does in a directory.
type Contestant = (&'static str, fn(&Path));

struct Measured {
    wall: f64,
    cpu: f64,
}

/// Processor time of this process and of all its children that have ended: on a busy machine the fairer measure.
fn cpu_seconds() -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]
        .map(|who| {
            // SAFETY: all-zero is a valid `rusage`, and the pointer is to a local.
            let usage = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                libc::getrusage(who, &mut usage);
                usage
            };
            seconds(usage.ru_utime) + seconds(usage.ru_stime)
        })
        .into_iter()
        .sum()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write_makefile(dir: &Path) {
    let names: Vec<String> = (0..TASKS).map(|task| format!("t{task}")).collect();
    let rules: String = names.iter().map(|name| format!("{name}:\n\t/bin/true\n")).collect();
    let text = format!("all: {all}\n.PHONY: all {all}\n{rules}", all = names.join(" "));
    std::fs::write(dir.join("Makefile"), text).expect("a file in a fresh directory");
}

fn by_make(dir: &Path) {
    let status = Command::new("make").args(["-s", "-r", &format!("-j{AT_ONCE}")]).current_dir(dir).status();
    assert!(status.expect("make is installed").success());
}

/// A thread for each process that lives at a time: the fastest way that the standard library offers.
fn by_command(dir: &Path) {
    use std::os::unix::process::CommandExt;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < TASKS {
                    let mut command = Command::new("/bin/true");
                    command.current_dir(dir).process_group(0).stdin(Stdio::null());
                    assert!(command.output().expect("true exists").status.success());
                }
            });
        }
    });
}

fn by_executor(dir: &Path) {
    let run = RunId::new(0, 1, u64::from(std::process::id()));
    let env: Vec<_> = std::env::vars_os().collect();
    let secrets = Arc::new(EnvSecrets::new(&env));
    let mut executor = LocalExecutor::new(Options::default()).expect("descriptors");
    let context = RunContext { run, dir: dir.to_owned(), env, log: dir.join("run.log"), secrets };
    executor.enter_run(context).expect("a run in a fresh directory");
    let (mut started, mut ended, mut events) = (0, 0, Vec::new());
    while ended < TASKS {
        while started < TASKS && executor.live() < AT_ONCE {
            started += 1;
            executor.start(dispatch(run, started as u32));
        }
        executor.poll(None, &mut events).expect("a poll");
        for event in events.drain(..) {
            if let WorkerEvent::Report(report) = event
                && let ReportKind::Ended(ending) = report.what
            {
                assert!(ending.result.is_ok());
                ended += 1;
            }
        }
    }
}

fn dispatch(run: RunId, task: u32) -> Dispatch {
    let process = Process { argv: vec!["/bin/true".into()], ..Process::default() };
    Dispatch {
        attempt: AttemptId { run, task: TaskSeq(task), token: FencingToken(u64::from(task)) },
        number: 1,
        path: format!("task-{task}").into(),
        work: Work::Process(process),
        undo: false,
        claims: Vec::new(),
        secrets: Vec::new(),
        env: Vec::new(),
        cache: None,
        build: None,
        reads: Vec::new(),
        writes: Vec::new(),
        heartbeat: None,
        heartbeat_by_child: false,
        agent: None,
    }
}
