//! `kill -9` of a process that executes tasks, at random moments: a second later nothing of its tasks is left, neither
//! a process nor a secret.
//!
//! Its own program, because it starts itself a second time as the process to be killed.
//! `cargo test -p partitur-worker --test kill9 -- 500` kills 500 times instead of 25.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partitur_model::dispatch::{Dispatch, Process, Work};
use partitur_model::{AttemptId, FencingToken, RunId, TaskSeq};
use partitur_worker::{EnvSecrets, LocalExecutor, Options, RunContext, WorkerEvent};

/// What the killed process's tasks do: ordinary ones and those that try to stay.
const SCRIPTS: [&str; 7] = [
    "sleep 1000 | cat",
    "setsid sleep 1000 & sleep 0.01",
    "trap '' TERM HUP; (trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000') & wait",
    "true",
    "(sleep 1000 &) ; (setsid sh -c 'setsid sleep 1000 & sleep 1000' &) ; sleep 0.02",
    "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait",
    // Each child leaves another one and goes as soon as that has begun to become a program: for a moment it has no
    // environment by which it could be known.
    "for i in 1 2 3; do setsid \"$FLEE\" --flee 1000 & done; sleep 1000",
];

/// So often in a row nothing must be seen.
const LOOKS: u32 = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, number, dir] if word == "--be-killed" => {
            be_killed(number.parse().expect("a number"), Path::new(dir))
        }
        [word, links] if word == "--flee" => flee(links.parse().expect("a number")),
        rest => {
            // Whatever the test runner passes to others is not for us.
            processes_alone_need_no_further_thread();
            let kills = rest.iter().find_map(|argument| argument.parse().ok()).unwrap_or(25);
            kill_and_look(kills);
        }
    }
}

/// Neither the thread for HTTP nor that of the cache is started before it is needed.
fn processes_alone_need_no_further_thread() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let run = run_id(u64::from(std::process::id()));
    let mut executor = executor(run, dir.path());
    let mut events = Vec::new();
    executor.start(Dispatch { work: script("true"), ..dispatch(run, 1) });
    while executor.live() > 0 {
        executor.poll(None, &mut events).expect("a poll");
    }
    assert_eq!(std::fs::read_dir("/proc/self/task").expect("/proc").count(), 1);
}

fn kill_and_look(kills: u32) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut with_tasks, mut slowest) = (0, Duration::ZERO);
    for kill in 0..kills {
        let number = u64::from(kill) << 32 | u64::from(std::process::id());
        let mut host = Command::new(std::env::current_exe().expect("this program"))
            .args(["--be-killed", &number.to_string(), dir.path().to_str().expect("plain")])
            .stdin(Stdio::null())
            .spawn()
            .expect("this program again");
        let run = run_id(number);
        // A spread of moments without a source of randomness: the golden ratio visits all of the first 120 ms.
        std::thread::sleep(Duration::from_micros(
            (f64::from(kill) * 0.618_034).fract().mul_add(120_000.0, 1000.0) as u64,
        ));
        with_tasks += u32::from(!living(run).is_empty());
        host.kill().expect("it lives");
        host.wait().expect("it is ours");
        let killed = Instant::now();
        // Who is just becoming another program is not seen: one look does not do.
        let mut empty = 0;
        while empty < LOOKS {
            let left = [living(run), private_dirs(run)].concat();
            assert!(killed.elapsed() < Duration::from_secs(1), "kill {kill}: {left:?} are still there");
            if left.is_empty() {
                empty += 1;
            } else {
                (empty, slowest) = (0, slowest.max(killed.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        bury();
    }
    println!(
        "{kills} kills, {with_tasks} of them with tasks alive; the last trace was gone after at most {slowest:?}"
    );
    assert!(with_tasks * 10 >= kills * 7, "most kills should meet living tasks: {with_tasks} of {kills}");
}

/// Takes the ends of those that fell to us, as to whoever has had an executor: else there are thousands to look at soon.
fn bury() {
    while matches!(rustix::process::wait(rustix::process::WaitOptions::NOHANG), Ok(Some(_))) {}
}

/// Starts itself again, which returns when the new process has let go of what it has from the old one, and ends.
#[expect(clippy::zombie_processes, reason = "it goes at once, and leaves the other to whoever takes it")]
fn flee(links: u32) {
    std::thread::sleep(Duration::from_millis(1));
    let Some(links) = links.checked_sub(1) else { return };
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    // SAFETY: nothing is done; but now the library forks, and does not wait until the new program has begun.
    unsafe { again.pre_exec(|| Ok(())) };
    again.args(["--flee", &links.to_string()]).spawn().expect("this program again");
}

fn run_id(number: u64) -> RunId {
    RunId::new(0, 9, number)
}

fn living(run: RunId) -> Vec<String> {
    let name = format!("PARTITUR_RUN_ID={run}");
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let lives = |dir: &std::path::PathBuf| {
        let environment = std::fs::read(dir.join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == name.as_bytes())
    };
    let dirs = processes.map(|entry| entry.path()).filter(lives);
    dirs.map(|dir| std::fs::read_to_string(dir.join("cmdline")).unwrap_or_default().replace('\0', " "))
        .collect()
}

/// The directories that may hold secrets of a run.
fn private_dirs(run: RunId) -> Vec<String> {
    let names = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.contains(&run.to_string())).collect()
}

fn be_killed(number: u64, dir: &Path) {
    let run = run_id(number);
    let mut executor = executor(run, dir);
    let (mut task, mut events): (u32, Vec<WorkerEvent>) = (0, Vec::new());
    loop {
        while executor.live() < 6 {
            task += 1;
            executor.start(dispatch(run, task));
        }
        executor.poll(None, &mut events).expect("a poll");
        events.clear();
    }
}

fn executor(run: RunId, dir: &Path) -> LocalExecutor {
    let mut env: Vec<_> = std::env::vars_os().collect();
    env.push(("FLEE".into(), std::env::current_exe().expect("this program").into()));
    let secrets = Arc::new(EnvSecrets::new(&env));
    let mut executor = LocalExecutor::new(Options::default()).expect("descriptors");
    let context = RunContext { run, dir: dir.to_owned(), env, log: dir.join(format!("{run}.log")), secrets };
    executor.enter_run(context).expect("a run in a fresh directory");
    executor
}

fn script(text: &str) -> Work {
    let argv = ["sh", "-c", text].map(String::from).into();
    Work::Process(Process { argv, ..Process::default() })
}

fn dispatch(run: RunId, task: u32) -> Dispatch {
    Dispatch {
        attempt: AttemptId { run, task: TaskSeq(task), token: FencingToken(u64::from(task)) },
        number: 1,
        path: format!("task-{task}").into(),
        work: script(SCRIPTS[task as usize % SCRIPTS.len()]),
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
