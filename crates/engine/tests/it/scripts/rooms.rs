//! No more runs of a definition live at once than it says.

use partitur_engine::Answer;
use partitur_model::Payload;
use partitur_model::definition::{Definition, Dialect, Kind, Node, OnFailure, Remote, RunLimit};
use partitur_model::record::RunOptions;

use crate::lab::Lab;
use crate::script::*;

/// One task, executed here; so many runs at once for each value of the input `x`.
fn limited(runs: u32, refuse: bool) -> Definition {
    let remote = Remote { task_type: "a".to_owned(), pushed: true, ..Remote::default() };
    let run_limit = Some(RunLimit { key: "${workflow.input.x}".into(), runs, refuse });
    let root = graph("", vec![Node::new("a", Kind::Remote(remote))]);
    Definition { dialect: Dialect::Conductor, on_failure: OnFailure::FailFast, run_limit, ..flow(root) }
}

fn input(x: u64) -> Payload {
    Payload::object([("x", x.into())])
}

/// With recovery compared at every step, and with every run leaving memory after every step.
fn check(runs: u32, inputs: &[u64], submitted: &[&str], script: &str) {
    for evicts in [false, true] {
        let mut lab = Lab::new();
        lab.evicts = evicts;
        let mut told = vec![lab.submit_with(limited(runs, false), input(inputs[0]), RunOptions::default())];
        told.extend(inputs[1..].iter().map(|&x| lab.submit_again(input(x), RunOptions::default())));
        let told: Vec<String> = told.into_iter().map(|told| told.join(", ")).collect();
        assert_eq!(told, submitted, "evicts: {evicts}");
        lab.script(script);
    }
}

#[test]
fn a_run_too_many_begins_as_soon_as_another_ends() {
    check(
        2,
        &[1, 1, 1, 1],
        &["dispatch a#1", "dispatch 2:a#1", "", ""],
        "1s tick =>
         2s 2: a ok => 2:a succeeded, run 2:succeeded, dispatch 3:a#1
         3s a fail => a failed, run failed, dispatch 4:a#1
         4s 3: a ok => 3:a succeeded, run 3:succeeded
         5s 4: a ok => 4:a succeeded, run 4:succeeded",
    );
}

#[test]
fn runs_with_other_keys_do_not_wait_for_each_other() {
    check(
        1,
        &[1, 2, 1],
        &["dispatch a#1", "dispatch 2:a#1", ""],
        "1s 2: a ok => 2:a succeeded, run 2:succeeded
         2s a ok => a succeeded, run succeeded, dispatch 3:a#1",
    );
}

#[test]
fn a_run_that_waits_can_be_cancelled_and_paused_and_survives_a_crash() {
    check(
        1,
        &[1, 1, 1],
        &["dispatch a#1", "", ""],
        "1s 2: cancel => run 2:cancelled
         2s 3: pause =>
         3s crash => dispatch a#1
         4s a ok => a succeeded, run succeeded
         5s 3: unpause => dispatch 3:a#1",
    );
}

#[test]
fn a_run_that_is_revived_has_its_place_at_once() {
    check(
        1,
        &[1, 1],
        &["dispatch a#1", ""],
        "1s a fail => a failed, run failed, dispatch 2:a#1
         2s retry => dispatch a#2
         3s 2: a ok => 2:a succeeded, run 2:succeeded
         4s a ok => a succeeded, run succeeded",
    );
}

#[test]
fn a_run_too_many_is_refused_where_it_does_not_wait() {
    let mut lab = Lab::new();
    let told = lab.submit_with(limited(1, true), input(1), RunOptions::default());
    assert_eq!(told, ["dispatch a#1"]);
    let told = lab.submit_again(input(1), RunOptions::default());
    assert_eq!(told, ["refused: 1 runs of `test` live already, and no more may"]);
    assert_eq!(lab.submit_again(input(2), RunOptions::default()), ["dispatch 3:a#1"]);
    lab.script("1s a ok => a succeeded, run succeeded");
    assert_eq!(lab.submit_again(input(1), RunOptions::default()), ["dispatch 4:a#1"]);
    assert!(matches!(lab.answers.last(), Some(Answer::Accepted { .. })));
}
