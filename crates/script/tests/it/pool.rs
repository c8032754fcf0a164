//! Many requests at once, and helpers that are lost.

use std::fs;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::*;
use Language::{JavaScript, Jq, Schema, ValueParam};

#[test]
fn a_thousand_mixed_requests_from_many_threads_get_their_own_answers() {
    let pool = Arc::new(pool());
    let threads: Vec<_> = (0..10)
        .map(|thread| {
            let pool = pool.clone();
            thread::spawn(move || {
                let (sender, receiver) = mpsc::channel();
                for n in 0..100 {
                    let (language, source, expected) = match n % 5 {
                        0 => (JavaScript, "$.t * 1000 + $.n", format!("{}", thread * 1000 + n)),
                        1 => (Jq, ".n", format!(r#"{{"result":{n},"resultList":[{n}]}}"#)),
                        2 => (ValueParam, "n", n.to_string()),
                        3 => (Schema, r#"{"type":"object"}"#, r#"{"valid":true}"#.to_owned()),
                        _ => (JavaScript, "throw 'n' + $.n", format!("n{n}")),
                    };
                    let mut request = request(language, source, &format!(r#"{{"t":{thread},"n":{n}}}"#));
                    request.owner = thread;
                    let sender = sender.clone();
                    pool.submit(request, move |outcome| {
                        let got = outcome.map_or_else(|error| error.to_string(), |value| value.render());
                        sender.send((got, expected)).unwrap();
                    });
                }
                drop(sender);
                let answers: Vec<_> = receiver.iter().collect();
                assert_eq!(answers.len(), 100);
                for (got, expected) in answers {
                    assert_eq!(got, expected);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(pool.counters().answered, 1000);
}

#[test]
fn a_poisonous_request_is_charged_to_nobody_else() {
    let pool = Pool::new(Settings { helpers: 1, slow: 1, ..Settings::default() }).unwrap();
    let (sender, receiver) = mpsc::channel();
    for n in 0..60 {
        let source = match n {
            10 => "for (;;) {}",
            20 => "Array.prototype.lastIndexOf.call({length: 2 ** 53 - 1}, 1)",
            30 => "var a = []; for (;;) a.push(a.length)",
            _ => "$.n",
        };
        let language = if n == 40 { Jq } else { JavaScript };
        let source = if n == 40 { "[range(1e12)]" } else { source };
        let mut request = request(language, source, &format!(r#"{{"n":{n}}}"#));
        request.timeout = Duration::from_secs(2);
        let sender = sender.clone();
        pool.submit(request, move |outcome| drop(sender.send((n, outcome))));
    }
    drop(sender);
    for (n, outcome) in receiver {
        match n {
            10 | 20 => assert!(matches!(outcome, Err(ScriptError::Timeout { .. })), "{n}: {outcome:?}"),
            30 => assert!(matches!(outcome, Err(ScriptError::Memory { .. })), "{outcome:?}"),
            40 => assert!(
                matches!(outcome, Err(ScriptError::Memory { .. } | ScriptError::Timeout { .. })),
                "{outcome:?}"
            ),
            _ => assert_eq!(outcome.unwrap().render(), n.to_string()),
        }
    }
}

#[test]
fn endless_scripts_of_one_user_do_not_slow_others() {
    let pool = Arc::new(pool());
    for n in 0..20 {
        let source = if n % 2 == 0 {
            "for (;;) {}"
        } else {
            "Array.prototype.lastIndexOf.call({length: 2 ** 53 - 1}, 1)"
        };
        let mut endless = request(JavaScript, source, "{}");
        (endless.owner, endless.timeout) = (666, Duration::from_secs(2));
        pool.submit(endless, |_| {});
    }
    thread::sleep(Duration::from_millis(50));
    let mut times: Vec<Duration> = (0..200)
        .map(|n| {
            let mut request = request(JavaScript, "$.n", &format!(r#"{{"n":{n}}}"#));
            request.owner = 1 + n % 3;
            let started = Instant::now();
            assert_eq!(pool.evaluate(request).unwrap().render(), n.to_string());
            started.elapsed()
        })
        .collect();
    times.sort();
    // Unhindered it is a fraction of a millisecond; behind an endless script it would be two seconds.
    assert!(times[100] < Duration::from_millis(200), "median {:?}", times[100]);
    assert!(times[190] < Duration::from_millis(1500), "nineteen of twenty {:?}", times[190]);
}

/// The processes of the helpers of a pool: the children of the thread that calls back.
pub(crate) fn helpers_of(pool: &Pool) -> Vec<i32> {
    let (sender, receiver) = mpsc::channel();
    pool.submit(request(JavaScript, "1", "{}"), move |_| {
        sender.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
    });
    let thread = receiver.recv().unwrap();
    let helpers = fs::read_to_string(format!("/proc/self/task/{thread}/children")).unwrap();
    let helpers: Vec<i32> = helpers.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(!helpers.is_empty());
    helpers
}

#[test]
fn a_helper_that_is_killed_from_outside_is_replaced() {
    let pool = Pool::new(Settings { helpers: 1, ..Settings::default() }).unwrap();
    let marked = |n: u32| format!("/* {n} */ var end = Date.now() + 300; while (Date.now() < end) {{}} {n}");
    let (sender, receiver) = mpsc::channel();
    let helpers = helpers_of(&pool);
    for n in 1..4 {
        let sender = sender.clone();
        pool.submit(request(JavaScript, &marked(n), "{}"), move |outcome| sender.send((n, outcome)).unwrap());
    }
    thread::sleep(Duration::from_millis(100));
    for pid in helpers {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    for _ in 1..4 {
        let (n, outcome) = receiver.recv().unwrap();
        assert_eq!(outcome.unwrap().render(), n.to_string());
    }
}

#[test]
fn a_pool_that_is_not_used_starts_nothing_and_one_that_ends_answers_everything() {
    let pool = pool();
    assert_eq!(pool.counters().helpers_started, 0);
    let (sender, receiver) = mpsc::channel();
    for _ in 0..50 {
        let sender = sender.clone();
        pool.submit(request(JavaScript, "for (;;) {}", "{}"), move |outcome| sender.send(outcome).unwrap());
    }
    drop(sender);
    drop(pool);
    let outcomes: Vec<_> = receiver.iter().collect();
    assert_eq!(outcomes.len(), 50);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(ScriptError::Unavailable { .. }))));
}

#[test]
fn too_many_that_wait_are_refused() {
    let pool = Pool::new(Settings { waiting_max: 5, ..Settings::default() }).unwrap();
    let (sender, receiver) = mpsc::channel();
    for _ in 0..100 {
        let mut request = request(JavaScript, "for (;;) {}", "{}");
        request.timeout = Duration::from_millis(100);
        let sender = sender.clone();
        pool.submit(request, move |outcome| sender.send(outcome).unwrap());
    }
    drop(sender);
    let busy = receiver.iter().filter(|outcome| matches!(outcome, Err(ScriptError::Busy { .. }))).count();
    assert!(busy >= 50, "{busy}");
}
