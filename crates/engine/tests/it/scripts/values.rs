//! Values computed outside the engine.

use std::time::Duration;

use partitur_model::definition::{Kind, Node, Switch};

use crate::script::*;

#[test]
fn a_value_is_asked_for_and_arrives() {
    let asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    check(
        flow(graph("ask -> z", vec![asks])),
        "evaluate ask g1 f($)",
        r#"1s value ask g1 {"n":1} => ask succeeded, dispatch z#1
           2s z ok => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_value_that_does_not_come_in_time_is_asked_for_again() {
    let mut asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    asks.timeouts.attempt = Some(Duration::from_secs(5));
    asks.retry = retry(2);
    check(
        flow(graph("ask -> z", vec![asks])),
        "evaluate ask g1 f($)",
        r#"5s tick => 
           6s tick => evaluate ask g3 f($)
           7s value ask g1 {"n":1} => 
           11s tick => ask timedout, z skipped, run failed"#,
    );
}

#[test]
fn a_switch_may_ask_elsewhere() {
    let choose =
        Node::new("s", Kind::Switch(Switch { value: evaluation("way($)"), cases: vec!["x".into()] }));
    check(
        flow(graph("s -=x a, s -else b", vec![choose])),
        "evaluate s g1 way($)",
        r#"1s value s g1 {"result":"x"} => s succeeded, b skipped, dispatch a#1
           2s a ok => a succeeded, run succeeded
           3s rerun s => evaluate s g3 way($)
           4s value s g3 {"result":"y"} => s succeeded, a skipped, dispatch b#1
           5s b ok => b succeeded, run succeeded"#,
    );
}

#[test]
fn an_evaluation_that_is_out_when_the_process_dies_is_asked_for_again() {
    let asks = Node::new("ask", Kind::Evaluate(evaluation("f($)")));
    check(
        flow(graph("ask -> z", vec![asks])),
        "evaluate ask g1 f($)",
        r#"1s crash => evaluate ask g1 f($)
           2s value ask g1 {"n":1} => ask succeeded, dispatch z#1"#,
    );
}
