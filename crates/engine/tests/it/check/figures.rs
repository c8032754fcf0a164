//! Figures, times and inputs that cannot be meant.

use std::time::Duration;

use insta::assert_snapshot;
use partitur_model::definition::{
    Backoff, BreakerSpec, Cache, Concurrency, Deduplicate, InputKind, InputSpec, Items, Kind, Loop,
    OnFailure, Retry, Timeouts, Undo, Wait, WaitFor,
};

use super::document::*;
use super::told;

fn wait(name: &str, what: WaitFor) -> Task {
    task(name, Kind::Wait(Wait { what, at_most: None }))
}

#[test]
fn a_default_fits_its_input() {
    let with =
        |name: &str, kind, default: &str| InputSpec { default: Some(json(default)), ..input(name, kind) };
    let mut it = document(vec![run("a", &["true"])]);
    it.inputs = vec![
        with("count", InputKind::Integer, "\"many\""),
        InputSpec { pattern: Some("[a-z]+".into()), ..with("name", InputKind::String, "\"A1\"") },
        InputSpec { one_of: vec![json("1"), json("2")], ..with("size", InputKind::Number, "3") },
        InputSpec { pattern: Some("(".into()), ..with("broken", InputKind::String, "\"x\"") },
        with("sound", InputKind::List, "[1]"),
    ];
    assert_snapshot!(told(&it), @r#"
    error[P0223] inputs.broken.pattern: this is no regular expression: unclosed group
      ^ not understood
      hint: write a regular expression; it must match the whole of the value
    error[P0303] inputs.count.default: the default of `count` must be a whole number, and is "many"
      ^ does not fit
    error[P0303] inputs.name.default: the default of `name` must match `[a-z]+`, and is "A1"
      ^ does not fit
    error[P0303] inputs.size.default: the default of `size` must be one of 1, 2, and is 3
      ^ does not fit
    "#);
}

#[test]
fn elements_are_a_list() {
    let matrix = each("m", "[]", vec![run("x", &["true"])]).with_each(|each| {
        let axes = [("os", "[1, 2]"), ("db", "pg")];
        each.items = Items::Matrix(axes.map(|(name, list)| (name.to_owned(), tree(list))).to_vec());
    });
    assert_snapshot!(told(&document(vec![
        run("list", &["true"]),
        spread("\"de\"", run("a", &["true"])),
        spread("all of ${list.output}", run("b", &["true"])).needs(&["list"]),
        spread("${list.output}", run("c", &["true"])).needs(&["list"]),
        spread("[1, \"${list.output}\"]", run("d", &["true"])).needs(&["list"]),
        matrix,
    ])), @r#"
    error[P0224] tasks.a.for-each: the elements are not a list
      ^ no list
      hint: write a list, or one `${…}` whose value is a list, with nothing around it
    error[P0224] tasks.b.for-each: the elements are not a list
      ^ no list
      hint: write a list, or one `${…}` whose value is a list, with nothing around it
    error[P0224] tasks.m.matrix.db: the elements are not a list
      ^ no list
      hint: write a list, or one `${…}` whose value is a list, with nothing around it
    "#);
}

#[test]
fn times_can_be_read() {
    assert_snapshot!(told(&document(vec![
        wait("a", WaitFor::Duration("soon".into())),
        wait("b", WaitFor::Duration("90".into())),
        wait("c", WaitFor::Until("tomorrow".into())),
        wait("d", WaitFor::Duration("2h".into())),
    ])), @r#"
    error[P0225] tasks.a.wait: `soon` is not a duration: expected number at 0
      ^ no time
      hint: write `90s`, `2h 30m`, or `2026-11-21T10:20:30Z`
    error[P0225] tasks.b.wait: a duration needs a unit: `90s` for seconds, `90ms`, `90m`, `90h`
      ^ no time
      hint: write `90s`, `2h 30m`, or `2026-11-21T10:20:30Z`
    error[P0225] tasks.c.wait: `tomorrow`: timestamp format is invalid
      ^ no time
      hint: write `90s`, `2h 30m`, or `2026-11-21T10:20:30Z`
    "#);
}

#[test]
fn nothing_is_zero() {
    let retry = Retry { attempts: 0, backoff: Backoff::Exponential { factor: 0.5 }, ..Retry::default() };
    let zero = Some(Duration::ZERO);
    let a = run("a", &["true"]).claims("gpu", Default::default(), 0).with(|node| {
        node.retry = Some(retry.into());
        node.timeouts = Timeouts { attempt: zero, heartbeat: zero, queue: zero, total: zero };
        node.cache = Some(Cache { ttl: Duration::ZERO, key: None });
    });
    let b = spread("[1, 2]", run("b", &["true"])).with_each(|each| {
        each.max_parallel = Some(0);
        each.batch = Some(0);
    });
    let c = repeat("c", "true", vec![run("x", &["true"])]).with(|node| {
        let Kind::Loop(repeat) = &mut node.kind else { panic!("a loop") };
        let Loop { keep_last, iterations_max, .. } = &mut **repeat;
        (*keep_last, *iterations_max) = (Some(0), 0);
    });
    let mut it = document(vec![a, b, c]);
    it.concurrency = Some(Concurrency { min: 2, max: 0 });
    it.timeout = zero;
    it.deduplicate = Some(Deduplicate { key: "x".into(), window: Duration::ZERO });
    it.resources.push(resource("gpu", 0));
    let breaker = BreakerSpec::named("erp");
    it.breakers.push(BreakerSpec { failures_max: 0, probes_max: 0, successes_min: 0, ..breaker });
    assert_snapshot!(told(&it), @r#"
    warning[P0315] breakers.erp: the breaker `erp` is declared, but no task uses it
      ^ not used
    error[P0226] breakers.erp.failures: the number of failures of the breaker `erp` must be at least 1
      ^ zero
    error[P0226] breakers.erp.probes: the number of probes of the breaker `erp` must be at least 1
      ^ zero
    error[P0226] breakers.erp.successes: the number of successes of the breaker `erp` must be at least 1
      ^ zero
    error[P0226] concurrency: the number of tasks at once must be at least 1
      ^ zero
    error[P0226] concurrency: `2..0` begins above its end
      ^ turned round
    error[P0226] deduplicate.window: the time for which a submission is remembered must be longer than nothing
      ^ zero
    error[P0226] resources.gpu: the number of units of `gpu` must be at least 1
      ^ zero
    error[P0226] timeout: the time for the whole run must be longer than nothing
      ^ zero
    error[P0226] tasks.a.cache.ttl: the time for which a result serves must be longer than nothing
      ^ zero
    error[P0226] tasks.a.locks[0].units: the number of units must be at least 1
      ^ zero
    error[P0226] tasks.a.retry.attempts: the number of attempts must be at least 1
      ^ zero
    error[P0226] tasks.a.retry.factor: pauses cannot grow by the factor 0.5
      ^ below 1
    error[P0226] tasks.a.timeout: the time for an attempt must be longer than nothing
      ^ zero
    error[P0226] tasks.a.timeouts.heartbeat: the time between two signs of life must be longer than nothing
      ^ zero
    error[P0226] tasks.a.timeouts.queue: the time until the start must be longer than nothing
      ^ zero
    error[P0226] tasks.a.timeouts.total: the time for all attempts must be longer than nothing
      ^ zero
    error[P0226] tasks.b.batch: the number of elements in a branch must be at least 1
      ^ zero
    error[P0226] tasks.b.max-parallel: the number of branches at once must be at least 1
      ^ zero
    error[P0226] tasks.c.loop.at-most: the number of iterations must be at least 1
      ^ zero
    error[P0226] tasks.c.loop.keep-last: the number of iterations kept must be at least 1
      ^ zero
    "#);
}

#[test]
fn pauses_grow_up_to_a_length_that_is_above_the_first() {
    let retry = Retry { base: Duration::from_secs(60), ..Retry::default() };
    assert_snapshot!(told(&document(vec![run("a", &["true"]).with(|node| node.retry = Some(retry.into()))])), @r#"
    warning[P0227] tasks.a.retry.max: the longest pause is shorter than the first one
      ^ never reached
      hint: every pause is as long as `max`: raise it, or lower `base`
    "#);
}

#[test]
fn what_is_written_is_undone_in_a_rollback() {
    let undo = |it: Task| {
        let kind = run("undo", &["rm", "x"]).node.kind;
        it.with(|node| node.undo = Some(Box::new(Undo { kind, retry: None, timeout: None })))
    };
    let mut it = document(vec![
        run("a", &["true"]).writes("a"),
        undo(run("b", &["true"]).writes("b")),
        undo(each("c", "[1]", vec![run("x", &["true"])])),
    ]);
    it.on_failure = OnFailure::Rollback;
    assert_snapshot!(told(&it), @r#"
    warning[P0219] tasks.a.writes: a rollback leaves behind what `a` has written
      ^ not undone
      hint: give `a` an `undo`
    warning[P0220] tasks.c.undo: `c` is undone by what it consists of, never by its own `undo`
      ^ no effect
      hint: give the `undo` to the tasks inside
    "#);
}

#[test]
fn a_compensation_can_be_executed() {
    let kind = Kind::Noop;
    let a = run("a", &["true"])
        .with(|node| node.undo = Some(Box::new(Undo { kind, retry: None, timeout: None })));
    assert_snapshot!(told(&document(vec![a])), @r#"
    error[P0202] tasks.a.undo: a compensation is a command or an HTTP call
      ^ cannot be executed
    "#);
}

#[test]
fn a_sub_flow_is_given_what_it_asks_for() {
    let mut it = document(vec![
        sub_flow("a", "close.yaml", r#"{"mnth": 1}"#),
        sub_flow("b", "close.yaml", r#"{"month": "${inputs.month}"}"#),
    ]);
    it.inputs.push(input("month", InputKind::String));
    let mut close = flow("close.yaml", vec![run("x", &["true"])]);
    std::sync::Arc::make_mut(&mut close).inputs.push(input("month", InputKind::String));
    it.flows.insert("close.yaml".into(), close);
    assert_snapshot!(told(&it), @r#"
    error[P0218] tasks.a.with: the flow `close.yaml` needs the input `month`
      ^ not given
      hint: add `month: …` to `with`
    error[P0218] tasks.a.with.mnth: the flow `close.yaml` takes no input `mnth`
      ^ unknown input
      hint: did you mean `month`?
    "#);
}
