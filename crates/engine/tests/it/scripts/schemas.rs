//! What goes in and what comes out is compared with schemas, elsewhere; a task has as many rounds as it wants.

use std::sync::Arc;

use partitur_model::definition::{Definition, Dialect, Kind, Node, OnFailure, Remote, Schemas};

use crate::script::*;

fn with_schemas(name: &str, input: Option<&str>, output: Option<&str>) -> Node {
    let remote = Remote { task_type: name.to_owned(), ..Remote::default() };
    let schemas = Schemas { input: input.map(Arc::from), output: output.map(Arc::from) };
    Node { schemas: Some(Box::new(schemas)), ..Node::new(name, Kind::Remote(remote)) }
}

fn served(nodes: Vec<Node>) -> Definition {
    Definition { dialect: Dialect::Conductor, on_failure: OnFailure::FailFast, ..flow(graph("", nodes)) }
}

#[test]
fn a_task_begins_when_its_input_fits_and_has_succeeded_when_its_output_does() {
    check(
        served(vec![with_schemas("a", Some("IN"), Some("OUT"))]),
        "evaluate a g1 IN",
        r#"1s poll a => hand out []
           2s value a g1 null =>
           3s poll a => hand out [a#0 {}]
           4s done a {"x": 1} => evaluate a g3 OUT
           5s done a {"x": 2} =>
           6s value a g3 null => a succeeded, run succeeded"#,
    );
}

#[test]
fn what_does_not_fit_fails_the_task_for_good() {
    check(
        served(vec![with_schemas("a", Some("IN"), None)]),
        "evaluate a g1 IN",
        "1s unfit a g0 =>
         2s unfit a g1 => a failed, run failed",
    );
    check(
        served(vec![with_schemas("a", None, Some("OUT"))]),
        "",
        "1s poll a => hand out [a#0 {}]
         2s done a => evaluate a g2 OUT
         3s unfit a g2 => a failed, run failed",
    );
}

#[test]
fn a_task_that_waits_for_the_comparison_can_be_cancelled() {
    check(
        served(vec![with_schemas("a", Some("IN"), None)]),
        "evaluate a g1 IN",
        "1s cancel => a cancelled, run cancelled
         2s value a g1 null =>",
    );
}

#[test]
fn a_run_has_succeeded_when_its_output_fits() {
    let definition = || {
        let remote = Remote { task_type: "a".to_owned(), ..Remote::default() };
        let output_schema = Some("OUT".into());
        Definition { output_schema, ..served(vec![Node::new("a", Kind::Remote(remote))]) }
    };
    check(
        definition(),
        "",
        "1s poll a => hand out [a#0 {}]
         2s done a => a succeeded, evaluate ? g0 OUT
         3s fits g0 => run succeeded",
    );
    check(
        definition(),
        "",
        "1s poll a => hand out [a#0 {}]
         2s done a => a succeeded, evaluate ? g0 OUT
         3s fits-not g0 => run failed",
    );
}

#[test]
fn a_task_that_is_executed_here_has_rounds_and_holds_nothing_between_them() {
    let remote = Remote { task_type: "a".to_owned(), pushed: true, ..Remote::default() };
    check_with(
        served(vec![Node::new("a", Kind::Remote(remote))]),
        1,
        "dispatch a#1",
        "1s again a 10 =>
         2s tick =>
         11s tick => dispatch a#1
         12s again a 5 =>
         13s crash =>
         17s tick => dispatch a#1
         18s a ok => a succeeded, run succeeded",
    );
}

#[test]
fn a_task_between_two_rounds_can_be_cancelled_and_one_that_is_told_to_stop_has_no_next() {
    let node = || {
        let remote = Remote { task_type: "a".to_owned(), pushed: true, ..Remote::default() };
        Node::new("a", Kind::Remote(remote))
    };
    check(
        served(vec![node()]),
        "dispatch a#1",
        "1s again a 10 =>
         2s cancel => a cancelled, run cancelled",
    );
    check(
        served(vec![node()]),
        "dispatch a#1",
        "1s cancel => stop a
         2s again a 10 => a cancelled, run cancelled",
    );
}
