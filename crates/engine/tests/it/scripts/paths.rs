//! Which way a run goes: switches, triggers, ends from inside, variables, signals.

use partitur_model::Payload;
use partitur_model::definition::{
    Kind, Node, OnFailure, Template, TemplateTree, Terminate, Trigger, WaitFor,
};
use partitur_model::record::RunOutcome;

use crate::lab::Lab;
use crate::script::*;

fn terminate(name: &str, outcome: RunOutcome) -> Node {
    let (output, reason) =
        (TemplateTree(Payload::parse(r#"{"by":"hand"}"#).unwrap()), Template("enough".into()));
    Node::new(name, Kind::Terminate(Terminate { outcome, output, reason }))
}

fn any(name: &str) -> Node {
    Node { trigger: Trigger::Any, ..task(name) }
}

#[test]
fn a_switch_takes_the_edges_of_its_case() {
    let root = graph(
        "a -> s -=x onx, s -=1 onone, s -else other, onx -> after, onone -> after, other -> after",
        vec![task("a"), switch("s", "a.output.way", &["x", "1"]), any("after")],
    );
    check(
        flow(root.clone()),
        "dispatch a#1",
        r#"1s a ok {"way":"x"} => a succeeded, s succeeded, onone skipped, other skipped, dispatch onx#1
           2s onx ok => onx succeeded, dispatch after#1
           3s after ok => after succeeded, run succeeded
           4s rerun a => dispatch a#1
           5s a ok {"way":1} => a succeeded, s succeeded, onx skipped, other skipped, dispatch onone#1
           6s onone fail => onone failed, after skipped, run failed
           7s rerun s => s succeeded, onx skipped, other skipped, dispatch onone#1"#,
    );
    check(
        flow(root),
        "dispatch a#1",
        r#"1s a ok {"way":"elsewhere"} => a succeeded, s succeeded, onx skipped, onone skipped, dispatch other#1
           2s other ok => other succeeded, dispatch after#1
           3s after ok => after succeeded, run succeeded"#,
    );
}

#[test]
fn the_first_arrival_is_enough_for_some() {
    check(
        flow(graph("a -> first, b -> first, first -> z", vec![task("a"), task("b"), any("first")])),
        "dispatch a#1, dispatch b#1",
        "1s b ok => b succeeded, dispatch first#1
         2s a fail => a failed
         3s first ok => first succeeded, dispatch z#1
         4s z ok => z succeeded, run failed
         5s retry => dispatch a#1, dispatch first#1
         6s a ok => a succeeded
         7s first ok => first succeeded, dispatch z#1
         8s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn a_run_ends_from_inside_a_fork() {
    let fan = each(
        "fan",
        r#"["a","b"]"#,
        graph("p -> stop", vec![task("p"), terminate("stop", RunOutcome::Succeeded)]),
    );
    let mut lab = Lab::new();
    lab.submit(flow(graph("fan -> z, side", vec![fan])));
    lab.script(
        "1s fan[a]/p ok => fan[a]/p succeeded, fan[a]/stop succeeded, stop side, stop fan[b]/p
         2s fan[b]/p ok => fan[b]/p cancelled
         3s side fail => side cancelled, fan cancelled, run succeeded
         4s retry => refused: the run succeeded: nothing in it failed",
    );
    assert_eq!(lab.output(1), r#"{"by":"hand"}"#);
}

#[test]
fn a_run_ends_as_failed_from_inside_a_loop_and_may_be_retried() {
    let body = graph(
        "p -> s -=stop end, s -else on",
        vec![task("p"), switch("s", "p.output.say", &["stop"]), terminate("end", RunOutcome::Failed)],
    );
    let both = repeat_over("both", "[1,2]", body);
    check(
        flow(graph("both -> z, side", vec![both])),
        "dispatch both#1/p#1, dispatch side#1",
        r#"1s both#1/p ok {"say":"on"} => both#1/p succeeded, both#1/s succeeded, both#1/end skipped, dispatch both#1/on#1
           2s both#1/on ok => both#1/on succeeded, dispatch both#2/p#1
           3s both#2/p ok {"say":"stop"} => both#2/p succeeded, both#2/s succeeded, both#2/end succeeded, stop side
           4s side ok => side cancelled, both cancelled, run failed
           5s retry => both#2/end succeeded, side cancelled, both cancelled, run failed
           6s rerun both#2/p => dispatch both#2/p#1
           7s both#2/p ok {"say":"on"} => both#2/p succeeded, both#2/s succeeded, both#2/end skipped, dispatch both#2/on#1
           8s both#2/on ok => both#2/on succeeded, both succeeded, dispatch z#1
           9s z ok => z succeeded, run failed"#,
    );
}

#[test]
fn variables_are_set_and_seen() {
    let set = |name: &str, values: &str| {
        Node::new(name, Kind::SetVariables(TemplateTree(Payload::parse(values).unwrap())))
    };
    let root = graph(
        "a -> one -> b -> two",
        vec![
            task("a"),
            set("one", r#"{"n":"${a.output.n}","k":1}"#),
            task("b"),
            set("two", r#"{"n":"${run.variables.k}"}"#),
        ],
    );
    let mut definition = flow(root);
    definition.outputs = vec![("seen".into(), Template("${run.variables}".into()))];
    let mut lab = Lab::new();
    lab.submit(definition);
    lab.script(
        r#"1s a ok {"n":7} => a succeeded, one succeeded, dispatch b#1
           2s b ok => b succeeded, two succeeded, run succeeded"#,
    );
    assert_eq!(lab.output(1), r#"{"seen":{"n":1,"k":1}}"#);
    lab.text_input("restart");
    assert!(lab.rows.runs.values().next().unwrap().variables.is_null(), "a fresh start has none");
}

#[test]
fn waits_end_by_signals_of_both_kinds_or_in_time() {
    let root = graph(
        "ok -> x, no -! y, late -! z, late -> never",
        vec![
            wait("ok", WaitFor::Signal, None),
            wait("no", WaitFor::Approval, None),
            wait("late", WaitFor::Signal, Some(10)),
        ],
    );
    check(
        flow(root),
        "",
        r#"1s signal ok {"by":"me"} => ok succeeded, dispatch x#1
           2s signal-fail no => no failed, dispatch y#1
           10s tick => late timedout, never skipped, dispatch z#1
           11s signal late => refused: task `late` does not wait for a signal
           12s x ok => x succeeded
           13s y ok => y succeeded
           14s z ok => z succeeded, run failed
           15s retry => 
           16s cancel no => no cancelled, dispatch y#1
           17s signal late => late succeeded, z skipped, dispatch never#1"#,
    );
}

#[test]
fn a_failure_while_a_run_is_paused_still_ends_one_that_fails_fast() {
    let mut definition = flow(graph("a, b", vec![]));
    definition.on_failure = OnFailure::FailFast;
    check(
        definition,
        "dispatch a#1, dispatch b#1",
        "1s pause => 
         2s a fail => a failed, stop b
         3s b ok => b cancelled, run failed",
    );
}
