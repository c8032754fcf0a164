//! Flows from outside: order, isolation, time, cancellation, agents.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partitur::flow::{Backoff, FlowError};
use partitur::prelude::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

fn threads(threads: usize) -> Options {
    Options { threads: Some(threads), ..Options::default() }
}

/// Runs a graph of `nodes` with these edges; each task notes its start and its end in one sequence, and yields
/// `yields` times in between.
fn recorded(nodes: u32, edges: &[(u32, u32)], yields: u32, options: Options) -> Vec<(u32, bool)> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let mut flow = Flow::new();
    let tasks: Vec<Task<()>> = (0..nodes)
        .map(|node| {
            let events = Arc::clone(&events);
            let task = flow.task("", move |_| async move {
                events.lock().unwrap().push((node, false));
                for _ in 0..yields * (node % 3) {
                    tokio::task::yield_now().await;
                }
                events.lock().unwrap().push((node, true));
                Ok(())
            });
            task.handle()
        })
        .collect();
    for &(from, to) in edges {
        flow.order(tasks[from as usize], tasks[to as usize]);
    }
    assert!(flow.block_on_with(options).unwrap().is_success());
    Arc::into_inner(events).unwrap().into_inner().unwrap()
}

/// Every task starts once and ends once, and after the ends of all its predecessors.
fn check_order(nodes: u32, edges: &[(u32, u32)], events: &[(u32, bool)]) {
    assert_eq!(events.len(), 2 * nodes as usize);
    let mut starts = vec![None; nodes as usize];
    let mut ends = vec![None; nodes as usize];
    for (at, &(node, end)) in events.iter().enumerate() {
        let place = if end { &mut ends } else { &mut starts };
        assert_eq!(place[node as usize].replace(at), None, "task {node} twice");
    }
    for &(from, to) in edges {
        assert!(ends[from as usize] < starts[to as usize], "task {to} started before {from} had ended");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_task_starts_before_its_predecessors_have_ended(
        nodes in 1u32..60,
        raw in proptest::collection::vec((0u32..60, 0u32..60), 0..150),
        numbers in Just((0u32..60).collect::<Vec<_>>()).prop_shuffle(),
        threads in 1usize..5,
        concurrency in proptest::option::of(1usize..6),
        yields in 0u32..3,
    ) {
        // Edges lead from the smaller to the larger number, but the numbers are mixed: many lead back in creation.
        let ends = |a: u32, b: u32| if numbers[a as usize] < numbers[b as usize] { (a, b) } else { (b, a) };
        let edges: Vec<_> =
            raw.into_iter().map(|(a, b)| (a % nodes, b % nodes)).filter(|(a, b)| a != b).map(|(a, b)| ends(a, b)).collect();
        let options = Options { threads: Some(threads), concurrency, ..Options::default() };
        check_order(nodes, &edges, &recorded(nodes, &edges, yields, options));
    }
}

#[test]
fn a_hundred_thousand_tasks_each_run_once_in_order_on_two_and_on_four_threads() {
    let nodes = 100_000;
    let edges: Vec<_> = (50..nodes)
        .flat_map(|node| [(node - 50, node), (node - 50 + (node * 7 + 3) % 50 - node % 50, node)])
        .collect();
    for (count, yields) in [(2, 0), (4, 0), (2, 1), (4, 1)] {
        check_order(nodes, &edges, &recorded(nodes, &edges, yields, threads(count)));
    }
}

#[test]
fn outputs_reach_successors_with_their_types() {
    let mut flow = Flow::new();
    let number = flow.task("number", |_| async { Ok(20u8) }).handle();
    let text = flow.task("text", |_| async { Ok("2".to_owned()) }).handle();
    let sum = flow
        .task("sum", move |ctx| async move {
            Ok(u32::from(ctx.output_of(&number)?) + ctx.output_of(&text)?.parse::<u32>()?)
        })
        .after((number, text))
        .handle();
    let mut outcome = flow.block_on().unwrap();
    assert_eq!((outcome.output(sum), outcome.take(sum), outcome.take(sum)), (Some(22), Some(22), None));
}

#[test]
fn a_task_that_is_not_waited_for_has_no_output_to_read() {
    let mut flow = Flow::new();
    let other = Flow::new().task("foreign", |_| async { Ok(1) }).handle();
    let late = flow
        .task("late", |ctx| async move {
            ctx.sleep(20 * MS).await;
            Ok(1)
        })
        .handle();
    let hasty = flow.task("hasty", move |ctx| async move { ctx.output_of(&late) }).handle();
    let lost = flow.task("lost", move |ctx| async move { ctx.output_of(&other) }).handle();
    let outcome = flow.block_on().unwrap();
    assert_eq!(outcome.result(hasty).error_message(), "task `late` has not ended: name it in `after`");
    assert_eq!(outcome.result(lost).error_message(), "the task belongs to another flow");
}

#[test]
fn an_error_or_a_panic_touches_only_what_comes_after_it() {
    let mut flow = Flow::new();
    let bad = flow.task("bad", |_| async { Err::<(), _>(Failure::new("no-luck", "did not work")) }).handle();
    let ugly = flow
        .task("ugly", |_| async {
            if true {
                panic!("number {}", 7)
            }
            Ok(())
        })
        .handle();
    let early = flow
        .task("early", |_| -> std::future::Ready<Result<(), Failure>> { panic!("in the closure") })
        .handle();
    let good = flow.task("good", |_| async { Ok(3) }).handle();
    let child = flow.task("child", |_| async { Ok(()) }).after((bad, good)).handle();
    let grandchild = flow.task("grandchild", |_| async { Ok(()) }).after(child).handle();
    let gather = flow
        .task("gather", move |ctx| async move { ctx.output_of(&good) })
        .after((grandchild, good))
        .always()
        .handle();
    let outcome = flow.block_on().unwrap();
    let message = |task: TaskId| outcome.result(task).error_message().to_owned();
    assert_eq!(
        [message(bad.id()), message(ugly.id()), message(early.id())],
        ["did not work", "panicked: number 7", "panicked: in the closure"]
    );
    assert_eq!([child, grandchild].map(|task| outcome.result(task).outcome), [TaskOutcome::Skipped; 2]);
    assert_eq!(outcome.output(gather), Some(3));
    assert_eq!(outcome.failures().count(), 5);
    assert!(!outcome.is_success());
}

#[test]
fn fail_fast_cancels_what_runs_and_what_waits() {
    let mut flow = Flow::new();
    let long = flow
        .task("long", |ctx| async move {
            ctx.sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .handle();
    let bad = flow
        .task("bad", |ctx| async move {
            ctx.sleep(5 * MS).await;
            Err::<(), _>(Failure::new("x", "x"))
        })
        .handle();
    let next = flow.task("next", |_| async { Ok(()) }).after(long).handle();
    let begin = Instant::now();
    let outcome =
        flow.block_on_with(Options { on_failure: OnFailure::FailFast, ..Options::default() }).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    let outcomes = [long, bad, next].map(|task| outcome.result(task).outcome);
    assert_eq!(outcomes, [TaskOutcome::Cancelled, TaskOutcome::Failed, TaskOutcome::Skipped]);
}

#[test]
fn a_task_that_takes_too_long_is_dropped_where_it_waits() {
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let mut flow = Flow::new();
    let slow = flow.task("slow", move |ctx| async move {
        let _inside = inside;
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    let slow = slow.timeout(20 * MS).handle();
    let quick = flow
        .task("quick", |ctx| async move {
            ctx.sleep(MS).await;
            Ok(1)
        })
        .timeout(Duration::from_secs(60))
        .handle();
    let outcome = flow.block_on().unwrap();
    let result = outcome.result(slow);
    assert_eq!((result.outcome, result.error.unwrap().code.as_str()), (TaskOutcome::TimedOut, "timeout"));
    assert!(result.execution_time.unwrap() >= 20 * MS, "a timeout never comes early");
    assert_eq!(outcome.output(quick), Some(1));
    assert_eq!(Arc::strong_count(&held), 1);
}

fn quick_retry(attempts: u32) -> Retry {
    Retry { attempts, base: 2 * MS, backoff: Backoff::Fixed, ..Retry::default() }
}

#[test]
fn a_retried_task_starts_afresh_until_it_succeeds_or_runs_out_of_attempts() {
    let mut flow = Flow::new();
    let mend = |fails: u32| {
        move |ctx: TaskContext| async move {
            ctx.sleep(MS).await;
            match ctx.attempt() {
                attempt if attempt > fails => Ok(attempt),
                1 => panic!("the first attempt"),
                _ => Err(Failure::new("again", "not yet")),
            }
        }
    };
    let third = flow.task("third", mend(2)).retry(quick_retry(3)).handle();
    let never = flow.task("never", mend(9)).retry(quick_retry(3)).handle();
    let filtered = flow
        .task("filtered", mend(9))
        .retry(Retry { errors: vec!["panic".to_owned()], ..quick_retry(9) })
        .handle();
    let slow = flow
        .task("slow", |ctx| async move {
            let pause = if ctx.attempt() == 1 { Duration::from_secs(60) } else { MS };
            ctx.sleep(pause).await;
            Ok(())
        })
        .timeout(20 * MS)
        .retry(quick_retry(2))
        .handle();
    let outcome = flow.block_on().unwrap();
    assert_eq!(
        (outcome.output(third), outcome.result(third).attempts, outcome.result(third).error),
        (Some(3), 3, None)
    );
    assert_eq!((outcome.result(never).attempts, outcome.result(never).error_message()), (3, "not yet"));
    assert_eq!(outcome.result(filtered).attempts, 2);
    assert!(outcome.result(slow).is_success());
}

#[test]
fn a_task_between_two_attempts_leaves_its_place_to_others() {
    let mut flow = Flow::new();
    let retried = flow
        .task("retried", |ctx| async move {
            if ctx.attempt() == 1 { Err(Failure::new("x", "x")) } else { Ok(Instant::now()) }
        })
        .retry(Retry { base: 50 * MS, jitter: false, ..quick_retry(2) })
        .handle();
    let other = flow.task("other", |_| async { Ok(Instant::now()) }).handle();
    let outcome = flow.block_on_with(Options { concurrency: Some(1), ..Options::default() }).unwrap();
    assert!(outcome.output(other).unwrap() < outcome.output(retried).unwrap());
}

#[test]
fn no_more_tasks_are_in_flight_than_allowed_however_few_the_threads() {
    for (limit, count) in [(1, 1), (3, 2), (10, 2), (2, 4)] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut flow = Flow::new();
        for _ in 0..40 {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            flow.task("", move |ctx| async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                ctx.sleep(3 * MS).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            });
        }
        let options = Options { concurrency: Some(limit), threads: Some(count), ..Options::default() };
        assert!(flow.block_on_with(options).unwrap().is_success());
        assert_eq!(most.load(Ordering::SeqCst), limit, "on {count} threads");
    }
}

#[test]
fn urgent_tasks_and_long_ways_start_first() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut flow = Flow::new();
    let mut add = |name: &'static str, priority, seconds| {
        let order = Arc::clone(&order);
        let task = flow.task(name, move |_| async move {
            order.lock().unwrap().push(name);
            Ok(())
        });
        task.priority(priority).expected(Duration::from_secs(seconds)).handle()
    };
    add("low", Priority::Low, 9);
    add("short", Priority::Normal, 1);
    add("long", Priority::Normal, 5);
    add("critical", Priority::Critical, 1);
    let handle = flow.start_paused(threads(1)).unwrap();
    handle.resume();
    assert!(handle.join().is_success());
    assert_eq!(*order.lock().unwrap(), ["critical", "long", "short", "low"]);
}

fn agents() -> Flow {
    let mut flow = Flow::new();
    for (agent, name) in [("backend", "api"), ("backend", "database"), ("frontend", "view")] {
        flow.task(name, |ctx| async move {
            ctx.progress_with(0.5, "half");
            ctx.sleep(Duration::from_secs(60)).await;
            Ok(())
        })
        .agent(agent);
    }
    flow.task("done", |ctx| async move {
        ctx.confidence(0.9);
        ctx.evidence("log line 7");
        Ok(())
    })
    .agent("frontend");
    flow
}

/// Waits until the flow is as wanted.
fn until(handle: &Handle, wanted: impl Fn(&Handle) -> bool) {
    let begin = Instant::now();
    while !wanted(handle) {
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", handle.status());
        std::thread::sleep(MS);
    }
}

#[test]
fn the_tasks_of_one_agent_are_seen_cancelled_and_measured_apart() {
    let handle = agents().start(Options { concurrency: Some(10), ..Options::default() }).unwrap();
    until(&handle, |handle| handle.status().running == 3 && handle.status().succeeded == 1);
    let mut instances: Vec<_> = handle
        .running_instances()
        .into_iter()
        .map(|instance| (instance.instance, instance.fraction))
        .collect();
    instances.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(instances, ["backend#1", "backend#2", "frontend#1"].map(|name| (name.to_owned(), Some(0.5))));
    assert!(!handle.wait_all(10 * MS));

    assert_eq!(handle.cancel_tasks(&["backend", "nobody"]), 2);
    assert_eq!(handle.cancel_tasks(&["backend"]), 0);
    until(&handle, |handle| handle.status().failed == 2);
    assert_eq!(handle.status().running, 1);
    handle.cancel();
    assert!(handle.wait_all(Duration::from_secs(30)));

    let metrics = handle.metrics();
    assert_eq!((metrics.total.tasks, metrics.total.successes), (4, 1));
    assert_eq!((metrics.agents["backend"].tasks, metrics.agents["backend"].successes), (2, 0));
    assert_eq!(metrics.agents["frontend"].success_rate(), Some(0.5));
    assert!(metrics.agents["backend"].average_time().unwrap() >= 10 * MS);
    let outcome = handle.join();
    let done = outcome.results().find(|result| result.name == "done").unwrap();
    assert_eq!(
        (done.instance.as_str(), done.confidence, done.evidence),
        ("frontend#2", Some(0.9), vec!["log line 7".to_owned()])
    );
}

#[test]
fn listeners_hear_every_progress() {
    let mut flow = agents();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    flow.on_progress(move |progress| {
        ears.lock().unwrap().push(format!(
            "{} {:.0}% {}",
            progress.instance,
            100.0 * progress.fraction,
            progress.message
        ))
    });
    let handle = flow.start_paused(Options::default()).unwrap();
    let count = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&count);
    handle.on_progress(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    handle.resume();
    until(&handle, |handle| handle.status().running == 3 && handle.status().succeeded == 1);
    handle.cancel();
    handle.join();
    let mut heard = heard.lock().unwrap().clone();
    heard.sort();
    assert_eq!(heard, ["backend#1 50% half", "backend#2 50% half", "frontend#1 50% half"]);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[test]
fn cancelling_one_task_skips_what_depends_on_it_even_if_it_never_started() {
    let mut flow = Flow::new();
    let first = flow
        .task("first", |ctx| async move {
            ctx.sleep(20 * MS).await;
            Ok(())
        })
        .handle();
    let second = flow.task("second", |_| async { Ok(()) }).after(first).handle();
    let third = flow.task("third", |_| async { Ok(()) }).after(second).handle();
    let handle = flow.start_paused(threads(2)).unwrap();
    assert!(handle.cancel_task(second));
    assert!(!handle.cancel_task(second));
    handle.resume();
    let outcome = handle.join();
    let outcomes = [first, second, third].map(|task| outcome.result(task).outcome);
    assert_eq!(outcomes, [TaskOutcome::Succeeded, TaskOutcome::Cancelled, TaskOutcome::Skipped]);
    assert_eq!(outcome.metrics().total.tasks, 1);
}

#[test]
fn a_task_that_waits_for_its_next_attempt_can_be_cancelled() {
    let mut flow = Flow::new();
    let task = flow
        .task("x", |_| async { Err::<(), _>(Failure::new("x", "x")) })
        .retry(Retry { base: Duration::from_secs(60), max: Duration::from_secs(60), ..Retry::default() })
        .agent("a")
        .handle();
    let handle = flow.start(Options::default()).unwrap();
    std::thread::sleep(20 * MS);
    assert_eq!(handle.cancel_tasks(&["a"]), 1);
    assert!(handle.wait_all(Duration::from_secs(30)));
    let result = handle.join().result(task);
    assert_eq!((result.outcome, result.attempts), (TaskOutcome::Cancelled, 1));
}

#[test]
fn dropping_the_handle_cancels_and_frees_everything() {
    let held = Arc::new(());
    let mut flow = Flow::new();
    for _ in 0..10 {
        let held = Arc::clone(&held);
        flow.task("", move |ctx| async move {
            let _held = held;
            ctx.sleep(Duration::from_secs(60)).await;
            Ok(())
        });
    }
    let handle = flow.start(threads(2)).unwrap();
    until(&handle, |handle| handle.status().running == 10);
    drop(handle);
    let begin = Instant::now();
    while Arc::strong_count(&held) > 1 {
        assert!(begin.elapsed() < Duration::from_secs(30));
        std::thread::sleep(MS);
    }
}

#[test]
fn every_fault_is_told_at_once_and_nothing_starts() {
    let started = Arc::new(AtomicU32::new(0));
    let mut flow = Flow::new();
    let counter = Arc::clone(&started);
    let a = flow
        .task("a", move |_| async move {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .handle();
    let b = flow.task("b", |_| async { Ok(()) }).after(a).handle();
    let c = flow.task("c", |_| async { Ok(()) }).after(b).handle();
    let foreign = Flow::new().task("foreign", |_| async { Ok(()) }).handle();
    flow.task("d", |_| async { Ok(()) }).after(foreign).retry(Retry {
        until: Some(partitur::model::definition::Expression("x".to_owned())),
        ..Retry::default()
    });
    flow.order(c, a);
    flow.order(b, b);
    let error = flow.block_on().unwrap_err();
    assert!(matches!(&error, FlowError::Invalid(faults) if faults.len() == 4));
    assert_eq!(
        error.to_string(),
        "the flow cannot run: task `d` waits for a task of another flow; tasks wait for each other: b -> b; \
         tasks wait for each other: a -> b -> c -> a; the retry of task `d` has a condition: return a terminal failure instead"
    );
    assert_eq!(started.load(Ordering::SeqCst), 0);
}

#[test]
fn a_batch_starts_when_the_one_before_has_ended_and_results_keep_their_order() {
    let open = Arc::new(Mutex::new((0u32, 0u32)));
    let shared = Arc::clone(&open);
    let mut flow = Flow::new();
    let tasks = flow.batches("item", 5, 0..22u32, move |ctx, item| async move {
        {
            let mut open = shared.lock().unwrap();
            assert_eq!(open.1 / 5, item / 5, "the batches before have ended");
            open.0 += 1;
        }
        ctx.sleep(MS * (item % 3)).await;
        let failed = item == 7;
        {
            let mut open = shared.lock().unwrap();
            open.0 -= 1;
            open.1 += 1;
        }
        if failed { Err(Failure::new("seven", "seven")) } else { Ok(item) }
    });
    let outcome = flow.block_on().unwrap();
    let expected: Vec<_> = (0..22).map(|item| (item != 7).then_some(item)).collect();
    assert_eq!(outcome.outputs(&tasks), expected);
    assert_eq!(*open.lock().unwrap(), (0, 22));
}

#[test]
fn an_empty_flow_is_over_at_once() {
    assert!(Flow::new().block_on().unwrap().is_success());
}

#[test]
fn inside_tokio_the_tasks_use_its_timers_and_the_caller_is_not_blocked() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tokio = tokio::runtime::Handle::current();
        let within: partitur::flow::Within = Arc::new(move |work| {
            let _entered = tokio.enter();
            work();
        });
        let mut flow = Flow::new();
        let task = flow
            .task("", |_| async {
                tokio::time::sleep(5 * MS).await;
                Ok(tokio::spawn(async { 7 }).await?)
            })
            .handle();
        let outcome = flow.run_with(Options { within: Some(within), ..Options::default() }).await.unwrap();
        assert_eq!(outcome.output(task), Some(7));
    });
}

#[test]
fn waiting_with_a_timeout_does_not_need_a_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut flow = Flow::new();
        flow.task("", |ctx| async move {
            ctx.sleep(100 * MS).await;
            Ok(())
        });
        let handle = flow.start(Options::default()).unwrap();
        assert!(!handle.wait_all_async(5 * MS).await);
        assert!(handle.wait_all_async(Duration::from_secs(30)).await);
        assert!(handle.outcome().await.is_success());
    });
}

/// Runs tasks of which each counts itself in while it holds its locks; `check` sees the counts by task.
fn with_locks(
    locks: &[Vec<Lock>],
    capacity: u32,
    options: Options,
    check: impl Fn(&[usize]) + Send + Sync + 'static,
) {
    let check = Arc::new(check);
    let inside = Arc::new(Mutex::new(vec![0usize; locks.len()]));
    let mut flow = Flow::new();
    flow.capacity("gpu", capacity);
    for (at, locks) in locks.iter().enumerate() {
        let (inside, check) = (Arc::clone(&inside), Arc::clone(&check));
        let task = flow.task("", move |ctx| async move {
            {
                let mut inside = inside.lock().unwrap();
                inside[at] += 1;
                check(&inside);
            }
            ctx.sleep(MS).await;
            inside.lock().unwrap()[at] -= 1;
            if ctx.attempt() == 1 { Err(Failure::new("again", "again")) } else { Ok(()) }
        });
        task.locks(locks.clone()).retry(quick_retry(2));
    }
    let outcome = flow.block_on_with(options).unwrap();
    assert!(outcome.is_success(), "{:?}", outcome.failures().collect::<Vec<_>>());
}

#[test]
fn holders_of_a_lock_never_conflict_over_retries_too() {
    let files =
        [Lock::exclusive("file:a/b"), Lock::shared("dir:a"), Lock::shared("dir:a"), Lock::exclusive("dir:a")];
    let locks: Vec<Vec<Lock>> = (0..40).map(|at| vec![files[at % 4].clone()]).collect();
    with_locks(&locks, 1, threads(4), |inside| {
        let count = |kind: usize| inside.iter().skip(kind).step_by(4).sum::<usize>();
        let (writers, readers) = (count(0) + count(3), count(1) + count(2));
        assert!(writers <= 1 && (writers == 0 || readers == 0), "{inside:?}");
    });
}

#[test]
fn units_in_use_never_exceed_what_there_is() {
    let units = |at: usize| at as u32 % 3 + 1;
    let locks: Vec<Vec<Lock>> = (0..40).map(|at| vec![Lock::units("gpu", units(at))]).collect();
    for concurrency in [None, Some(2)] {
        with_locks(&locks, 4, Options { concurrency, ..threads(4) }, move |inside| {
            let used: u32 = inside.iter().enumerate().map(|(at, &count)| count as u32 * units(at)).sum();
            assert!(used <= 4, "{inside:?}");
        });
    }
}

#[test]
fn a_task_that_waits_for_a_lock_is_seen_and_can_be_cancelled() {
    let mut flow = Flow::new();
    let hold = |ctx: TaskContext| async move {
        ctx.sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    flow.task("holder", hold).agent("a").locks([Lock::exclusive("service:billing")]);
    let waiter = flow.task("waiter", hold).agent("b").locks([Lock::exclusive("service:billing")]).handle();
    let free = flow.task("free", |_| async { Ok(()) }).handle();
    let handle = flow.start(threads(2)).unwrap();
    until(&handle, |handle| handle.status().succeeded == 1 && handle.status().running == 1);
    let locks = handle.resource_locks();
    assert_eq!(locks.len(), 1);
    assert_eq!((locks[0].resource.as_str(), locks[0].locked_by.as_str()), ("service:billing", "a#1"));
    assert_eq!(handle.cancel_tasks(&["b"]), 1);
    until(&handle, |handle| handle.status().failed == 1);
    handle.cancel();
    let outcome = handle.join();
    assert_eq!((outcome.result(waiter).attempts, outcome.result(free).is_success()), (0, true));
}

#[test]
fn a_claim_that_can_never_be_met_is_refused() {
    let mut flow = Flow::new();
    flow.capacity("gpu", 4);
    flow.task("train", |_| async { Ok(()) }).locks([Lock::units("gpu", 5)]);
    let error = flow.block_on().unwrap_err().to_string();
    assert_eq!(
        error,
        "the flow cannot run: task `train` can never start: 5 units of `gpu` are wanted, and there are only 4"
    );
}
