//! What is executed once and serves again.

use std::time::{Duration, Instant};

use partitur_model::dispatch::{CacheRequest, Dispatch, Ending};
use partitur_worker::log::Stream;
use partitur_worker::{CacheOptions, Options};

use crate::harness::{Harness, failure, output};

fn harness(dir: &tempfile::TempDir) -> Harness {
    let options = Options { cache: Some(CacheOptions::new(dir.path().join("cache"))), ..Options::default() };
    let harness = Harness::with(options, &[]);
    std::fs::write(harness.path("input"), "1").unwrap();
    harness
}

fn cached(harness: &mut Harness, script: &str) -> Dispatch {
    let mut dispatch = harness.script(script);
    let ttl = Duration::from_secs(3600);
    dispatch.cache = Some(CacheRequest { ttl, material: script.into() });
    dispatch.reads = vec!["input".into()];
    dispatch
}

const SCRIPT: &str = "echo run >> runs; echo talk >&2; cat input; echo; echo '{\"a\":0.10}'";

fn run(harness: &mut Harness) -> Ending {
    let dispatch = cached(harness, SCRIPT);
    harness.run(dispatch)
}

fn runs(harness: &Harness) -> usize {
    std::fs::read_to_string(harness.path("runs")).unwrap_or_default().lines().count()
}

#[test]
fn an_equal_task_takes_result_and_output_of_the_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = harness(&dir);
    let first = run(&mut harness);
    let second = run(&mut harness);
    assert_eq!((first.cached, second.cached), (false, true));
    assert_eq!(output(&first), output(&second));
    assert_eq!(harness.logged(2, Stream::Stdout), b"1\n{\"a\":0.10}\n");
    assert_eq!(harness.logged(2, Stream::Stderr), b"talk\n");
    assert_eq!(runs(&harness), 1);
    std::fs::write(harness.path("input"), "2").unwrap();
    assert!(!run(&mut harness).cached, "what it reads has changed");
    assert!(run(&mut harness).cached);
    let stats = harness.executor.cache_stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (2, 2, 2));
    assert!(stats.bytes > 0);
}

#[test]
fn the_cache_serves_other_runs_and_other_processes() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = harness(&dir);
    run(&mut first);
    drop(first);
    let mut second = harness(&dir);
    assert!(run(&mut second).cached);
    assert_eq!(runs(&second), 0);
}

#[test]
fn failures_are_not_kept_and_an_expired_success_does_not_serve() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = harness(&dir);
    for _ in 0..2 {
        let dispatch = cached(&mut harness, "echo run >> runs; exit 1");
        let ending = harness.run(dispatch);
        assert_eq!((ending.cached, failure(&ending).0), (false, "exit-1"));
    }
    assert_eq!(runs(&harness), 2);
    for _ in 0..2 {
        let mut brief = cached(&mut harness, SCRIPT);
        brief.cache.as_mut().unwrap().ttl = Duration::from_millis(1);
        assert!(!harness.run(brief).cached);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_it_wrote_must_still_be_there_as_it_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = harness(&dir);
    let write = |harness: &mut Harness| {
        let mut dispatch = cached(harness, "echo result > written");
        dispatch.writes = vec!["written".into()];
        harness.run(dispatch).cached
    };
    assert_eq!([write(&mut harness), write(&mut harness)], [false, true]);
    std::fs::remove_file(harness.path("written")).unwrap();
    assert_eq!([write(&mut harness), write(&mut harness)], [false, true]);
    std::fs::write(harness.path("written"), "touched").unwrap();
    assert_eq!([write(&mut harness), write(&mut harness)], [false, true]);
}

#[test]
fn a_hit_is_at_least_ten_times_faster_than_a_run_of_a_tenth_of_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = harness(&dir);
    let mut time = || {
        let dispatch = cached(&mut harness, "sleep 0.1");
        let began = Instant::now();
        harness.run(dispatch);
        began.elapsed()
    };
    let first = time();
    let best = (0..10).map(|_| time()).min().unwrap();
    assert!(best * 10 < first, "{first:?} {best:?}");
}

#[test]
fn an_undo_is_always_executed() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = harness(&dir);
    for _ in 0..2 {
        let dispatch = Dispatch { undo: true, ..cached(&mut harness, SCRIPT) };
        assert!(!harness.run(dispatch).cached);
    }
    assert_eq!(runs(&harness), 2);
}
