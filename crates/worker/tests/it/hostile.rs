//! Children that flood, fork, hide, ignore and close: each hurts only itself, and nothing of it is left.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use partitur_model::dispatch::Process;
use partitur_worker::log::Stream;
use partitur_worker::{Options, kill_strays};

use crate::harness::{Harness, NOBODY, failure, living, living_with, output, unique};

#[test]
fn nothing_of_a_tree_is_left_when_its_end_is_reported() {
    let table = [
        ("a child in the background", "sleep 1000 & echo done"),
        ("a child that holds no pipe", "sleep 1000 >/dev/null 2>&1 & echo done"),
        ("a child in a session of its own", "setsid sleep 1000 & sleep 0.05; echo done"),
        (
            "a daemon that forked twice",
            "(setsid sh -c 'setsid sleep 1000 & setsid sleep 1000' &) ; sleep 0.1; echo done",
        ),
        (
            "one that ignores every request",
            "setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' & sleep 0.05; echo done",
        ),
        (
            "one that closed its pipes",
            "exec <&- ; setsid sh -c 'exec >&- 2>&-; sleep 1000' & sleep 0.05; echo done",
        ),
        (
            "many forks",
            "for i in 1 2 3 4 5 6 7 8 9 10; do (for j in 1 2 3 4 5 6 7 8 9 10; do setsid sleep 1000 & done) & done; sleep 0.3; echo done",
        ),
        ("one that is stopped", "sh -c 'kill -STOP $$' & sleep 0.05; echo done"),
        (
            "one that bears the marks of a run within",
            "PARTITUR_WITHIN=${PARTITUR_WITHIN}inner/1/x: setsid sleep 1000 & sleep 0.1; echo done",
        ),
        ("one without our marks", "setsid env -i sleep 1000 & sleep 0.1; echo done"),
    ];
    for (what, script) in table {
        let mut harness = Harness::new();
        let sleepers = format!("HOSTILE={}", unique());
        let mut dispatch = harness.script(&script.replace("env -i", &format!("env -i {sleepers}")));
        let (name, value) = sleepers.split_once('=').unwrap();
        dispatch.env = vec![(name.into(), value.into())];
        let began = Instant::now();
        let attempt = dispatch.attempt;
        harness.executor.start(dispatch);
        harness.wait(attempt);
        assert_eq!(living_with(&sleepers), NOBODY, "{what}");
        assert_eq!(harness.logged(1, Stream::Stdout), b"done\n", "{what}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
    }
}

#[test]
fn a_flood_is_cut_and_the_others_go_on() {
    let options = Options { output_bytes_max: 1 << 20, ..Options::default() };
    let mut harness = Harness::with(options, &[]);
    let flood = harness.script("yes | head -c 200000000; echo >&2 end");
    let flooding = flood.attempt;
    harness.executor.start(flood);
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        harness.sh("true");
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(harness.wait(flooding).result.is_ok());
    assert_eq!(harness.logged(1, Stream::Stdout).len(), 1 << 20);
    assert_eq!(harness.logged(1, Stream::Stderr), b"");
    let note = String::from_utf8(harness.logged(1, Stream::Note)).unwrap();
    assert_eq!(note, "the rest of the output is not kept: there is more than an attempt may write\n");
}

#[test]
fn streams_may_be_closed_never_read_and_hold_any_bytes() {
    let mut harness = Harness::new();
    assert_eq!(output(&harness.sh("exec >&- 2>&-; sleep 0.2")), "");
    let argv = ["sh", "-c", "exec <&-; exit 0"].map(String::from).into();
    let large = "x".repeat(5 << 20);
    let never_read = harness.dispatch(Process { argv, stdin: Some(large), ..Process::default() });
    assert_eq!(output(&harness.run(never_read)), "");
    harness.sh("printf '\\000\\377\\376\\n'");
    assert_eq!(harness.logged(3, Stream::Stdout), b"\x00\xff\xfe\n");
    let mut huge = harness.script("env | wc -c");
    huge.env = (0..1000).map(|at| (format!("V{at}"), "x".repeat(1000))).collect();
    harness.run(huge);
    let size: usize = String::from_utf8(harness.logged(4, Stream::Stdout)).unwrap().trim().parse().unwrap();
    assert!(size > 1_000_000);
}

#[test]
fn a_gentle_stop_leaves_time_and_a_deaf_child_is_killed() {
    let options = Options { grace: Duration::from_millis(500), ..Options::default() };
    let mut harness = Harness::with(options, &[]);
    let gentle = harness.script("trap 'echo cleaned; exit 7' TERM; echo ready; while :; do sleep 0.02; done");
    let deaf =
        harness.script("trap '' TERM; echo ready; setsid sh -c 'trap \"\" TERM; sleep 1000' & sleep 1000");
    let (first, second) = (gentle.attempt, deaf.attempt);
    harness.executor.start(gentle);
    harness.executor.start(deaf);
    harness.wait_until(|events| events.len() >= 2);
    let began = Instant::now();
    harness.executor.stop(first);
    harness.executor.stop(second);
    assert_eq!(failure(&harness.wait(first)).0, "exit-7");
    assert!(began.elapsed() < Duration::from_millis(450), "{:?}", began.elapsed());
    assert_eq!(failure(&harness.wait(second)).0, "signal-9");
    assert!(began.elapsed() >= Duration::from_millis(490), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(harness.logged(1, Stream::Stdout), b"ready\ncleaned\n");
    assert_eq!(living(harness.run), NOBODY);
}

#[test]
fn all_are_killed_at_once_and_dropping_the_executor_leaves_nothing() {
    let mut harness = Harness::new();
    let dispatches: Vec<_> =
        (0..10).map(|_| harness.script("trap '' TERM; setsid sleep 1000 & sleep 1000")).collect();
    let attempts: Vec<_> = dispatches.iter().map(|dispatch| dispatch.attempt).collect();
    dispatches.into_iter().for_each(|dispatch| harness.executor.start(dispatch));
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    harness.executor.kill_all();
    let ends = harness.wait_all(&attempts);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(ends.values().all(|ending| failure(ending).0 == "signal-9"));
    assert_eq!(living(harness.run), NOBODY);
    let run = harness.run;
    let last = harness.script("setsid sleep 1000 & sleep 1000");
    harness.executor.start(last);
    drop(harness);
    assert_eq!(living(run), NOBODY);
}

#[test]
fn strays_of_an_earlier_start_are_found_by_their_environment() {
    let run = partitur_model::RunId::new(0, 9, unique());
    let mut child = std::process::Command::new("setsid")
        .args(["--fork", "sh", "-c", "trap '' TERM; env -i sleep 1000 & sleep 1000"])
        .env("PARTITUR_WITHIN", format!("{run}/1/x:"))
        .spawn()
        .unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let other = partitur_model::RunId::new(0, 9, unique());
    assert_eq!(kill_strays(&|found| found == other, Duration::from_secs(5)).unwrap(), 0);
    let living = || living_with(&format!("PARTITUR_WITHIN={run}/1/x:"));
    assert_eq!(living().len(), 2);
    assert_eq!(kill_strays(&|found| found == run, Duration::from_secs(5)).unwrap(), 3);
    assert_eq!(living(), NOBODY);
}

#[test]
fn ten_thousand_quick_ones_end_each_once_and_leave_no_descriptor() {
    let mut harness = Harness::new();
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    harness.sh("true");
    let before = count();
    let mut ends: HashMap<_, u32> = HashMap::new();
    let mut dispatch = harness.dispatch(Process { argv: vec!["/bin/true".into()], ..Process::default() });
    let (mut started, total, mut events) = (0, 10_000, Vec::new());
    while ends.len() < total {
        while started < total && harness.executor.live() < 4 {
            started += 1;
            dispatch.attempt.token = dispatch.attempt.token.next();
            harness.executor.start(dispatch.clone());
        }
        harness.executor.poll(Some(Duration::from_secs(10)), &mut events).unwrap();
        for event in events.drain(..) {
            if let partitur_worker::WorkerEvent::Report(report) = event {
                *ends.entry(report.attempt).or_default() += 1;
            }
        }
    }
    assert!(ends.values().all(|&times| times == 1));
    assert_eq!(harness.executor.live(), 0);
    // Other tests of this process may hold some of their own at the moment.
    assert!(count() < before + 200, "{before} descriptors became {}", count());
}

#[test]
fn a_child_of_the_owner_is_not_taken_for_a_stray() {
    use std::os::unix::process::CommandExt;
    let mut harness = Harness::new();
    let dispatch = harness.script("sleep 0.3; setsid sleep 1000 & sleep 0.05");
    let attempt = dispatch.attempt;
    harness.executor.start(dispatch);
    let mut plain = std::process::Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
    let mut apart = std::process::Command::new("sleep");
    // SAFETY: one system call.
    let apart =
        unsafe { apart.arg("1000").pre_exec(|| rustix::process::setsid().map(|_| ()).map_err(Into::into)) };
    let mut apart = apart.spawn().unwrap();
    partitur_worker::spare_child(&apart);
    harness.wait(attempt);
    assert_eq!(living(harness.run), NOBODY);
    for child in [&mut plain, &mut apart] {
        assert_eq!(child.try_wait().unwrap(), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
