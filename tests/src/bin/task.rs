//! What the tasks of the tests do: they write down that they live, prove that they are alone where they should be, and
//! leave children behind that do not want to go.
//!
//! `task work [OPTION…]`, with
//! `--ms N` (so long it takes), `--alone NAME` and `--among NAME` (holds an exclusive or shared lock of the kernel),
//! `--units N --of M NAME` (holds N of M), `--fail-first N`, `--children` (starts some that stay), `--touch FILE`,
//! `--input TEXT` (goes into the output), `--list N` (yields a list); `task argv …` prints its arguments as JSON.
//!
//! Locks of the kernel live as long as anybody who inherited them: they are the proof that no child of an earlier
//! attempt is left when the next one starts.

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use partitur_tests::journal::{Attempt, Line, note};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, rest) = arguments.split_first().expect("what to do");
    match what.as_str() {
        "work" => work(rest),
        "argv" => {
            println!("{}", json!({ "argv": rest }));
            ExitCode::SUCCESS
        }
        "linger" => linger(rest),
        other => panic!("{other}?"),
    }
}

/// What a task is asked to do.
#[derive(Default)]
struct Order {
    time: Duration,
    locks: Vec<Lock>,
    failures: u32,
    children: bool,
    touch: Option<String>,
    inputs: Vec<String>,
    list: usize,
}

/// What it must have for itself, or may share.
enum Lock {
    Alone(String),
    Among(String),
    Units { name: String, units: usize, of: usize },
}

impl Order {
    fn read(arguments: &[String]) -> Order {
        let mut order = Order::default();
        let mut words = arguments.iter().cloned();
        let mut units = (0, 0);
        while let Some(option) = words.next() {
            let mut next = || words.next().expect("an option has a value");
            match option.as_str() {
                "--ms" => order.time = Duration::from_millis(number(&next())),
                "--alone" => order.locks.push(Lock::Alone(next())),
                "--among" => order.locks.push(Lock::Among(next())),
                "--units" => units.0 = number(&next()) as usize,
                "--of" => {
                    units.1 = number(&next()) as usize;
                    order.locks.push(Lock::Units { name: next(), units: units.0, of: units.1 });
                }
                "--fail-first" => order.failures = number(&next()) as u32,
                "--children" => order.children = true,
                "--touch" => order.touch = Some(next()),
                "--input" => order.inputs.push(next()),
                "--list" => order.list = number(&next()) as usize,
                other => panic!("{other}?"),
            }
        }
        order
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn work(arguments: &[String]) -> ExitCode {
    let (order, attempt, here) = (Order::read(arguments), Attempt::own(), Path::new("."));
    note(here, &Line::Start(attempt.clone()));
    let own = Lock::Alone(format!("task {}", attempt.task.replace('/', ":")));
    let held: Vec<File> =
        std::iter::once(&own).chain(&order.locks).flat_map(|lock| hold(lock, &attempt)).collect();
    if order.children {
        leave_children(&held);
    }
    std::thread::sleep(order.time);
    if attempt.number <= order.failures {
        note(here, &Line::Fail(attempt));
        return ExitCode::from(75);
    }
    if let Some(file) = &order.touch {
        std::fs::write(file, "").expect("the directory takes a file");
    }
    let text = format!("{} {}", attempt.task, order.inputs.join(" "));
    let list: Vec<String> = (0..order.list).map(|branch| format!("b{branch}")).collect();
    println!("{}", json!({ "sum": sum(&text), "list": list }));
    note(here, &Line::End(attempt));
    ExitCode::SUCCESS
}

/// Takes a lock of the kernel, or writes down that somebody else has it.
fn hold(lock: &Lock, attempt: &Attempt) -> Vec<File> {
    let (held, wanted, name) = match lock {
        Lock::Alone(name) => {
            (take(name, FlockOperation::NonBlockingLockExclusive).into_iter().collect(), 1, name)
        }
        Lock::Among(name) => {
            (take(name, FlockOperation::NonBlockingLockShared).into_iter().collect(), 1, name)
        }
        Lock::Units { name, units, of } => {
            let one = |unit| take(&format!("{name}.{unit}"), FlockOperation::NonBlockingLockExclusive);
            ((0..*of).filter_map(one).take(*units).collect::<Vec<_>>(), *units, name)
        }
    };
    if held.len() < wanted {
        note(Path::new("."), &Line::Overlap(attempt.clone(), name.clone()));
    }
    held
}

fn take(name: &str, how: FlockOperation) -> Option<File> {
    let file =
        OpenOptions::new().create(true).append(true).open(Path::new("held").join(name)).expect("a file");
    // So that children keep it too.
    rustix::io::fcntl_setfd(file.as_fd(), rustix::io::FdFlags::empty()).expect("a descriptor of ours");
    flock(&file, how).ok().map(|()| file)
}

/// A child, one in a session of its own, and one whose parent has gone: none of them minds SIGTERM.
fn leave_children(_held: &[File]) {
    start_lingering(&["0"]);
    start_lingering(&["0", "session"]);
    start_lingering(&["1", "session"]);
}

#[expect(clippy::zombie_processes, reason = "nobody waits for them: that is what they are for")]
fn start_lingering(arguments: &[&str]) {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.arg("linger").args(arguments).stdin(Stdio::null());
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
                libc::signal(signal, libc::SIG_IGN);
            }
            Ok(())
        });
    }
    command.spawn().expect("a child");
}

/// Stays, or leaves a child that stays.
fn linger(arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|word| word == "session") {
        // Fails only for a leader of a group, which a child is not.
        let _ = rustix::process::setsid();
    }
    if arguments.first().is_some_and(|word| word == "1") {
        start_lingering(&["0", "session"]);
        return ExitCode::SUCCESS;
    }
    std::thread::sleep(Duration::from_secs(1000));
    ExitCode::SUCCESS
}

/// FNV: what a task yields depends on who it is and what it was given.
fn sum(text: &str) -> String {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
}
