//! The life of a run, told by scripts.

use std::time::Duration;

use partitur_model::definition::{
    Backoff, Expression, Guard, Kind, Node, OnFailure, Otherwise, Retry, Template, WaitFor, When,
};

use crate::lab::Lab;
use crate::script::*;

#[test]
fn a_task_starts_when_all_it_needs_have_succeeded() {
    check(
        flow(graph("a -> c, b -> c", vec![])),
        "dispatch a#1, dispatch b#1",
        "1s a ok => a succeeded
         2s b ok => b succeeded, dispatch c#1
         3s c ok => c succeeded, run succeeded",
    );
}

#[test]
fn a_failure_touches_only_what_depends_on_it() {
    check(
        flow(graph("a -> c, b -> d", vec![])),
        "dispatch a#1, dispatch b#1",
        "1s a fail => a failed, c skipped
         2s b ok   => b succeeded, dispatch d#1
         3s d ok   => d succeeded, run failed",
    );
}

#[test]
fn edges_are_taken_on_failure_and_on_any_end() {
    let mut root = graph("a -> good, a -> bad, a -> always", vec![]);
    root.edges[1].guard = Guard::Failure;
    root.edges[2].guard = Guard::Any;
    check(
        flow(root),
        "dispatch a#1",
        "1s a fail    => a failed, good skipped, dispatch bad#1, dispatch always#1
         2s bad ok    => bad succeeded
         3s always ok => always succeeded, run failed",
    );
}

#[test]
fn fail_fast_stops_the_others_and_waits_for_their_death() {
    let mut definition = flow(graph("a -> c, b -> d", vec![]));
    definition.on_failure = OnFailure::FailFast;
    check(
        definition,
        "dispatch a#1, dispatch b#1",
        "1s a fail => a failed, c skipped, stop b
         2s b fail => b cancelled, run failed",
    );
}

#[test]
fn a_retry_waits_and_the_last_failure_stands() {
    let mut node = task("a");
    node.retry =
        Some(Retry { attempts: 2, jitter: false, backoff: Backoff::Fixed, ..Retry::default() }.into());
    check(
        flow(graph("a -> b", vec![node])),
        "dispatch a#1",
        "0s a fail => 
         1s tick   => dispatch a#2
         2s a fail => a failed, b skipped, run failed",
    );
}

#[test]
fn an_attempt_that_takes_too_long_is_stopped_and_its_late_result_changes_nothing() {
    let mut node = task("a");
    node.timeouts.attempt = Some(Duration::from_secs(10));
    node.retry = Some(Retry { attempts: 2, jitter: false, ..Retry::default() }.into());
    check(
        flow(graph("a -> b", vec![node])),
        "dispatch a#1",
        "9s  tick   => 
         10s tick   => stop a
         11s a fail => 
         12s tick   => dispatch a#2
         13s a ok   => a succeeded, dispatch b#1
         14s b ok   => b succeeded, run succeeded",
    );
}

#[test]
fn a_crash_uses_up_no_attempt_and_repeats_nothing() {
    let mut lab = Lab::new();
    lab.submit(flow(graph("a -> b", vec![])));
    lab.script(
        "1s a ok  => a succeeded, dispatch b#1
         2s crash => dispatch b#1
         3s crash => dispatch b#1
         4s b ok  => b succeeded, run succeeded",
    );
}

#[test]
fn a_condition_that_does_not_hold_skips_and_may_tell() {
    let mut root = graph("a -> b -> c", vec![]);
    let condition = Expression("a.output.rows > 0".into());
    root.nodes[1].when = Some(When { condition, otherwise: Otherwise::Notify });
    check(
        flow(root.clone()),
        "dispatch a#1",
        r#"1s a ok {"rows":0} => a succeeded, notice b, b skipped, c skipped, run succeeded"#,
    );
    check(
        flow(root),
        "dispatch a#1",
        r#"1s a ok {"rows":3} => a succeeded, dispatch b#1
           2s b ok => b succeeded, dispatch c#1
           3s c ok => c succeeded, run succeeded"#,
    );
}

#[test]
fn branches_are_made_from_a_list_that_an_earlier_task_produced() {
    let fan = each("fan", r#""${a.output.list}""#, graph("", vec![task("fan")]));
    let mut definition = flow(graph("a -> fan -> z", vec![task("a"), fan]));
    definition.outputs = vec![("all".into(), Template("${fan.output}".into()))];
    let mut lab = Lab::new();
    lab.submit(definition);
    lab.script(
        r#"1s a ok {"list":["de","fr"]} => a succeeded, dispatch fan[de]#1, dispatch fan[fr]#1
           2s fan[fr] ok {"n":2} => fan[fr] succeeded
           3s fan[de] ok {"n":1} => fan[de] succeeded, fan succeeded, dispatch z#1
           4s z ok => z succeeded, run succeeded"#,
    );
    assert_eq!(lab.output(1), r#"{"all":[{"n":1},{"n":2}]}"#);
}

#[test]
fn a_failed_branch_is_retried_in_place() {
    let fan = each("fan", r#"["x","y"]"#, graph("p -> q", vec![]));
    check(
        flow(graph("fan -> z", vec![fan])),
        "dispatch fan[x]/p#1, dispatch fan[y]/p#1",
        "1s fan[x]/p fail => fan[x]/p failed, fan[x]/q skipped
         2s fan[y]/p ok => fan[y]/p succeeded, dispatch fan[y]/q#1
         3s fan[y]/q ok => fan[y]/q succeeded, fan failed, z skipped, run failed
         4s retry => dispatch fan[x]/p#1
         5s fan[x]/p ok => fan[x]/p succeeded, dispatch fan[x]/q#1
         6s fan[x]/q ok => fan[x]/q succeeded, fan succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn a_rollback_undoes_in_reverse_and_can_be_resumed() {
    let mut definition =
        flow(graph("a -> b -> d, a -> c -> d", vec![undoable("a"), undoable("b"), undoable("c")]));
    definition.on_failure = OnFailure::Rollback;
    check(
        definition,
        "dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1, dispatch c#1
         2s b ok => b succeeded
         3s c ok => c succeeded, dispatch d#1
         4s d fail => d failed, dispatch undo b#1, dispatch undo c#1
         5s undo c ok => 
         6s undo b fail => b undo failed, run rollback failed
         7s rollback => dispatch undo b#1
         8s undo b ok => dispatch undo a#1
         9s undo a ok => run rolled back
         10s retry => dispatch a#1",
    );
}

#[test]
fn a_wait_ends_by_signal_or_in_time() {
    let nap = wait("nap", WaitFor::Duration("30s".into()), None);
    let approval = wait("ok", WaitFor::Approval, None);
    check(
        flow(graph("nap -> z, ok -> z", vec![nap, approval])),
        "",
        r#"29s tick => 
           30s tick => nap succeeded
           31s signal ok {"by":"me"} => ok succeeded, dispatch z#1
           32s signal ok => refused: task `ok` does not wait for a signal
           33s z ok => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_paused_run_starts_nothing_and_goes_on_where_it_was() {
    check(
        flow(graph("a -> b", vec![])),
        "dispatch a#1",
        "1s pause => 
         2s a ok => a succeeded
         3s unpause => dispatch b#1
         4s b ok => b succeeded, run succeeded",
    );
}

#[test]
fn a_cancelled_run_can_be_taken_up_again() {
    check(
        flow(graph("a -> b, c", vec![])),
        "dispatch a#1, dispatch c#1",
        "1s c ok => c succeeded
         2s cancel => stop a
         3s a fail => a cancelled, run cancelled
         4s retry => dispatch a#1
         5s a ok => a succeeded, dispatch b#1
         6s b ok => b succeeded, run succeeded",
    );
}

#[test]
fn programs_of_runs_that_have_left_are_forgotten() {
    let mut lab = Lab::new();
    (lab.recovers, lab.checks) = (false, false);
    for _ in 0..1_100 {
        lab.submit(flow(graph("", vec![Node::new("only", Kind::Noop)])));
        lab.evict_all();
    }
    let known = lab.definitions.iter().filter(|(record, _)| lab.engine.knows(record.id)).count();
    assert!(known < 200, "{known} programs are known");
}
