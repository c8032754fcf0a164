//! Rollback: in which order, what is left out, and what happens on the way.

use std::time::Duration;

use partitur_engine::Input;
use partitur_model::definition::{Definition, OnFailure};
use partitur_model::dispatch::{Ending, Report, ReportKind};

use crate::lab::Lab;
use crate::script::*;

fn rolls_back(mut definition: Definition) -> Definition {
    definition.on_failure = OnFailure::Rollback;
    definition
}

#[test]
fn a_diamond_is_undone_from_its_foot() {
    let nodes = ["a", "b", "c", "d"].map(undoable).into();
    check(
        rolls_back(flow(graph("a -> b -> d, a -> c -> d, d -> e", nodes))),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1, dispatch c#1
         2s b ok => b succeeded
         3s c ok => c succeeded, dispatch d#1
         4s d ok => d succeeded, dispatch e#1
         5s e fail => e failed, dispatch undo d#1
         6s undo d ok => dispatch undo b#1, dispatch undo c#1
         7s undo c ok =>
         8s undo b ok => dispatch undo a#1
         9s undo a ok => run rolled back
         10s rollback => refused: the run is rolled back already
         11s rerun d => dispatch a#1",
    );
}

#[test]
fn loops_are_undone_backwards_and_branches_at_once() {
    let both = repeat_over("both", "[1,2]", graph("", vec![undoable("p")]));
    let fan = each("fan", r#"["x","y"]"#, graph("", vec![undoable("q")]));
    check(
        rolls_back(flow(graph("a -> both -> z, a -> fan -> z", vec![undoable("a"), both, fan]))),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch fan[x]/q#1, dispatch both#1/p#1, dispatch fan[y]/q#1
         2s both#1/p ok => both#1/p succeeded, dispatch both#2/p#1
         3s both#2/p ok => both#2/p succeeded, both succeeded
         4s fan[x]/q ok => fan[x]/q succeeded
         5s fan[y]/q ok => fan[y]/q succeeded, fan succeeded, dispatch z#1
         6s z fail => z failed, dispatch undo fan[x]/q#1, dispatch undo fan[y]/q#1, dispatch undo both#2/p#1
         7s undo fan[y]/q ok =>
         8s undo both#2/p ok => dispatch undo both#1/p#1
         9s undo both#1/p ok =>
         10s undo fan[x]/q ok => dispatch undo a#1
         11s undo a ok => run rolled back
         12s retry => dispatch a#1",
    );
}

#[test]
fn sub_runs_are_undone_as_runs() {
    let child = flow(graph("x -> y", vec![undoable("x"), undoable("y")]));
    let root = graph("a -> s -> z", vec![undoable("a"), sub("s", "child")]);
    check(
        rolls_back(with_flow(flow(root), "child", child)),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch 2:x#1
         2s 2: x ok => 2:x succeeded, dispatch 2:y#1
         3s 2: y ok => 2:y succeeded, run 2:succeeded, s succeeded, dispatch z#1
         4s z fail => z failed, dispatch 2:undo y#1
         5s 2: undo y fail => 2:y undo failed, run 2:rollback failed, s undo failed, run rollback failed
         6s retry => dispatch 2:undo y#1
         7s 2: undo y ok => dispatch 2:undo x#1
         8s crash => dispatch 2:undo x#1
         9s 2: undo x ok => run 2:rolled back, dispatch undo a#1
         10s undo a ok => run rolled back
         11s retry => dispatch a#1
         12s a ok => a succeeded, dispatch 3:x#1
         13s 3: x fail => 3:x failed, 3:y skipped, run 3:failed, s failed, z skipped, run 3:rolled back, dispatch undo a#1",
    );
}

#[test]
fn a_compensation_is_tried_again_and_gives_up() {
    let mut node = undoable("a");
    let undo = node.undo.as_mut().unwrap();
    (undo.retry, undo.timeout) = (retry(2), Some(Duration::from_secs(10)));
    check(
        rolls_back(flow(graph("a -> b", vec![node]))),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b fail => b failed, dispatch undo a#1
         12s tick => stop undo a
         13s undo a fail =>
         14s tick => dispatch undo a#2
         15s undo a fail => a undo failed, run rollback failed
         16s rollback => dispatch undo a#1
         17s undo a ok => run rolled back",
    );
}

#[test]
fn a_crash_uses_up_no_attempt_at_a_compensation() {
    let mut node = undoable("a");
    node.undo.as_mut().unwrap().retry = retry(2);
    check(
        rolls_back(flow(graph("a -> b", vec![node]))),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b fail => b failed, dispatch undo a#1
         3s crash => dispatch undo a#1
         4s undo a fail =>
         5s tick => dispatch undo a#2
         6s crash => dispatch undo a#2
         7s undo a fail => a undo failed, run rollback failed",
    );
}

#[test]
fn what_came_from_the_cache_was_not_done_and_is_not_undone() {
    let mut lab = Lab::new();
    lab.submit(rolls_back(flow(graph("a -> b -> c", vec![undoable("a"), undoable("b")]))));
    lab.text_input("a ok");
    let attempt = lab.live.remove(&(1, "b".into())).unwrap();
    let ending = Ending { cached: true, ..Ending::success(None) };
    lab.input(Input::Report(Report { attempt, what: ReportKind::Ended(Box::new(ending)) }));
    lab.script(
        "1s c fail => c failed, dispatch undo a#1
         2s undo a ok => run rolled back",
    );
}

#[test]
fn who_is_told_to_stop_and_succeeds_all_the_same_is_undone() {
    check(
        rolls_back(flow(graph("a, b, c", vec![undoable("a"), undoable("b")]))),
        "dispatch a#1, dispatch b#1, dispatch c#1",
        "1s c fail => c failed, stop a, stop b
         2s a ok => a succeeded
         3s b fail => b cancelled, dispatch undo a#1
         4s undo a ok => run rolled back",
    );
    check(
        flow(graph("a -> z, b", vec![undoable("a")])),
        "dispatch a#1, dispatch b#1",
        "1s cancel a => stop a
         2s cancel b => stop b
         3s a ok => a succeeded, dispatch z#1
         4s b ok => b cancelled
         5s z ok => z succeeded, run failed",
    );
}

#[test]
fn an_attempt_that_was_too_slow_but_succeeded_is_done_if_it_can_be_undone() {
    let mut node = undoable("a");
    node.retry = retry(3);
    node.timeouts.attempt = Some(Duration::from_secs(5));
    check(
        flow(graph("a -> z", vec![node])),
        "dispatch a#1",
        "5s tick => stop a
         6s a ok => a succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded
         8s rollback => dispatch undo a#1
         9s undo a ok => run rolled back",
    );
}

#[test]
fn a_compensation_takes_the_locks_of_its_task() {
    let both = ["a", "b"].map(|name| undone_by(locked(name, "file:x")));
    check(
        rolls_back(flow(graph("a -> z, b -> z", both.into()))),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b ok => b succeeded, dispatch z#1
         3s z fail => z failed, dispatch undo a#1
         4s undo a fail => a undo failed, dispatch undo b#1
         5s undo b ok => run rollback failed
         6s retry => dispatch undo a#1
         7s undo a ok => run rolled back",
    );
}

#[test]
fn a_stuck_compensation_keeps_only_what_it_depends_on() {
    let nodes = ["a", "b", "c", "d"].map(undoable).into();
    check(
        rolls_back(flow(graph("a -> b -> z, c -> d -> z", nodes))),
        "dispatch a#1, dispatch c#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b ok => b succeeded
         3s c ok => c succeeded, dispatch d#1
         4s d ok => d succeeded, dispatch z#1
         5s z fail => z failed, dispatch undo b#1, dispatch undo d#1
         6s undo b fail => b undo failed
         7s undo d ok => dispatch undo c#1
         8s undo c ok => run rollback failed
         9s rollback => dispatch undo b#1
         10s undo b ok => dispatch undo a#1
         11s undo a ok => run rolled back",
    );
}
