//! What comes too late, twice, or for something that is not there any more changes nothing.

use partitur_engine::Input;
use partitur_model::Payload;
use partitur_model::definition::{Kind, Node, WaitFor};

use crate::lab::Lab;
use crate::script::*;

#[test]
fn reports_of_dead_attempts_change_nothing() {
    check(
        flow(graph("a -> b", vec![retried("a", 2)])),
        "dispatch a#1",
        "1s a fail => 
         2s old a#1 ok =>
         3s tick => dispatch a#2
         4s old a#1 fail =>
         5s a ok => a succeeded, dispatch b#1
         6s old a#2 fail =>
         7s crash => dispatch b#1
         8s old b#1 ok => ",
    );
}

#[test]
fn reports_after_a_reset_a_cancel_or_a_restart_change_nothing() {
    check(
        flow(graph("a -> b", vec![])),
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b fail => b failed, run failed
         3s rerun a => dispatch a#1
         4s old b#1 ok =>
         5s cancel a => stop a
         6s a ok => a cancelled, b skipped, run failed
         7s old a#1 ok =>
         8s restart => dispatch a#1
         9s old a#1 fail =>
         10s a ok => a succeeded, dispatch b#1
         11s old a#1 ok => ",
    );
}

#[test]
fn an_evaluation_of_another_generation_changes_nothing() {
    let asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    check(
        flow(graph("ask -> z", vec![asks])),
        "evaluate ask g1 f($)",
        r#"1s value ask g0 {"n":1} => 
           2s cancel ask => ask cancelled, z skipped, run failed
           3s value ask g1 {"n":1} => 
           4s rerun ask => evaluate ask g3 f($)
           5s value ask g1 {"n":1} => 
           6s value ask g3 {"n":2} => ask succeeded, dispatch z#1
           7s value ask g3 {"n":3} => 
           8s z ok => z succeeded, run succeeded
           9s restart => evaluate ask g131073 f($)
           10s value ask g1 {"n":4} => 
           11s value ask g131073 {"n":5} => ask succeeded, dispatch z#1"#,
    );
}

#[test]
fn an_evaluation_for_a_run_before_it_was_started_afresh_changes_nothing() {
    let asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    let mut lab = Lab::new();
    lab.submit(flow(graph("ask -> z", vec![asks])));
    let (run, task) = *lab.rows.tasks.keys().next().unwrap();
    lab.script(
        "1s cancel => ask cancelled, run cancelled
         2s restart => evaluate ask g65537 f($)",
    );
    let late = Input::Evaluated { run, task, generation: 1, result: Ok(Payload::Null) };
    assert_eq!(lab.input(late), Vec::<String>::new());
}

#[test]
fn an_evaluation_before_a_restart_changes_nothing_where_the_number_of_its_task_is_used_again() {
    let asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    let mut lab = Lab::new();
    lab.submit(flow(graph("first -> ask", vec![task("first"), asks])));
    lab.script(
        "1s first ok => first succeeded, evaluate ask g1 f($)
         2s cancel => ask cancelled, run cancelled
         3s restart => dispatch first#1",
    );
    // The node starts again before the first attempt has left a row.
    lab.rows.tasks.clear();
    lab.script(
        "4s crash => dispatch first#1
         5s first ok => first succeeded, evaluate ask g65537 f($)
         6s value ask g1 {} =>
         7s value ask g65537 {} => ask succeeded, run succeeded",
    );
}

#[test]
fn timers_of_what_was_reset_change_nothing() {
    let nap = wait("nap", WaitFor::Duration("10s".into()), None);
    check(
        flow(graph("nap -> z", vec![nap])),
        "",
        "5s cancel nap => nap cancelled, z skipped, run failed
         6s rerun nap =>
         10s tick =>
         16s tick => nap succeeded, dispatch z#1
         17s z ok => z succeeded, run succeeded
         18s restart =>
         20s cancel => nap cancelled, run cancelled
         21s retry =>
         28s tick =>
         31s tick => nap succeeded, dispatch z#1",
    );
}
