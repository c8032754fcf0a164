//! Sub-runs: ending, cancelling and reviving from above and from below.

use std::time::Duration;

use partitur_model::definition::{Definition, InputKind, InputSpec, Node, OnFailure, Trigger};

use crate::lab::Lab;
use crate::script::*;

/// A run whose task is a run whose task is a run.
fn three_deep() -> Definition {
    let leaf = flow(graph("x -> y", vec![]));
    let middle = with_flow(flow(graph("inner -> m", vec![sub("inner", "leaf")])), "leaf", leaf);
    with_flow(flow(graph("outer -> z", vec![sub("outer", "middle")])), "middle", middle)
}

#[test]
fn a_task_ends_with_its_run() {
    check(
        three_deep(),
        "dispatch 3:x#1",
        "1s 3: x ok => 3:x succeeded, dispatch 3:y#1
         2s 3: y ok => 3:y succeeded, run 3:succeeded, 2:inner succeeded, dispatch 2:m#1
         3s 2: m ok => 2:m succeeded, run 2:succeeded, outer succeeded, dispatch z#1
         4s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn cancelling_above_reaches_the_ground_and_comes_back() {
    check(
        three_deep(),
        "dispatch 3:x#1",
        "1s cancel => stop 3:x
         2s 3: x ok => 3:x cancelled, run 3:cancelled, 2:inner cancelled, run 2:cancelled, outer cancelled, run cancelled
         3s retry => dispatch 3:x#1
         4s 3: x ok => 3:x succeeded, dispatch 3:y#1
         5s 3: y ok => 3:y succeeded, run 3:succeeded, 2:inner succeeded, dispatch 2:m#1
         6s 2: m ok => 2:m succeeded, run 2:succeeded, outer succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn cancelling_below_ends_the_task_above() {
    check(
        three_deep(),
        "dispatch 3:x#1",
        "1s 3: cancel => stop 3:x
         2s 3: x fail => 3:x cancelled, run 3:cancelled, 2:inner cancelled, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         3s retry => dispatch 3:x#1
         4s 3: x ok => 3:x succeeded, dispatch 3:y#1",
    );
}

#[test]
fn retrying_the_grandchild_revives_its_parents() {
    check(
        three_deep(),
        "dispatch 3:x#1",
        "1s 3: x fail => 3:x failed, 3:y skipped, run 3:failed, 2:inner failed, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         2s 3: retry => dispatch 3:x#1
         3s 3: x ok => 3:x succeeded, dispatch 3:y#1
         4s 3: y fail => 3:y failed, run 3:failed, 2:inner failed, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         5s 2: retry => dispatch 3:y#1
         6s 3: y ok => 3:y succeeded, run 3:succeeded, 2:inner succeeded, dispatch 2:m#1
         7s 2: m ok => 2:m succeeded, run 2:succeeded, outer succeeded, dispatch z#1
         8s z ok => z succeeded, run succeeded
         9s 3: restart => dispatch 3:x#1
         10s 3: x ok => 3:x succeeded, dispatch 3:y#1
         11s 3: y fail => 3:y failed, run 3:failed, 2:inner failed, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         12s 2: restart => dispatch 4:x#1
         13s 4: x fail => 4:x failed, 4:y skipped, run 4:failed, 2:inner failed, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         14s restart => dispatch 6:x#1",
    );
}

#[test]
fn a_retry_may_start_sub_runs_afresh() {
    check(
        three_deep(),
        "dispatch 3:x#1",
        "1s 3: x ok => 3:x succeeded, dispatch 3:y#1
         2s 3: y fail => 3:y failed, run 3:failed, 2:inner failed, 2:m skipped, run 2:failed, outer failed, z skipped, run failed
         3s retry fresh => dispatch 5:x#1
         4s 5: x ok => 5:x succeeded, dispatch 5:y#1
         5s 3: retry => dispatch 3:y#1
         6s 3: y ok => 3:y succeeded, run 3:succeeded, 2:inner succeeded, dispatch 2:m#1
         7s 5: y ok => 5:y succeeded, run 5:succeeded, 4:inner succeeded, dispatch 4:m#1
         8s 4: m ok => 4:m succeeded, run 4:succeeded, outer succeeded, dispatch z#1
         9s z ok => z succeeded, run succeeded
         10s rerun outer => dispatch 7:x#1",
    );
}

#[test]
fn a_parent_that_is_ending_does_not_take_its_child_back() {
    let child = flow(graph("x", vec![]));
    let mut definition = with_flow(flow(graph("s -! mend, side", vec![sub("s", "child")])), "child", child);
    definition.on_failure = OnFailure::Continue;
    check_in_memory(
        definition,
        "dispatch side#1, dispatch 2:x#1",
        "1s 2: x fail => 2:x failed, run 2:failed, s failed, dispatch mend#1
         2s cancel => stop mend, stop side
         3s 2: retry => 2:x cancelled, run 2:cancelled
         4s side fail => side cancelled
         5s mend fail => mend cancelled, run cancelled",
    );
}

#[test]
fn a_child_that_is_retried_resets_what_had_followed_its_failure() {
    let child = flow(graph("x", vec![]));
    let fan = each("fan", "[1]", graph("", vec![task("fan")]));
    let root = graph("s -! mend, s -! fan, fan -> after, side", vec![sub("s", "child"), task("mend"), fan]);
    check_in_memory(
        with_flow(flow(root), "child", child),
        "dispatch side#1, dispatch 2:x#1",
        "1s 2: x fail => 2:x failed, run 2:failed, s failed, dispatch fan[1]#1, dispatch mend#1
         2s 2: retry => stop mend, stop fan[1], dispatch 2:x#1
         3s mend fail =>
         4s fan[1] ok => fan[1] cancelled
         5s 2: x fail => 2:x failed, run 2:failed, s failed, dispatch fan[1]#1, dispatch mend#1
         6s side ok => side succeeded
         7s mend ok => mend succeeded
         8s fan[1] ok => fan[1] succeeded, fan succeeded, dispatch after#1
         9s after ok => after succeeded, run failed",
    );
}

/// A sub-run, a fork after it however it ended, and one branch of that half done.
const HALF_DONE: &str = "
    1s 2: x fail => 2:x failed, run 2:failed, s failed, dispatch fan[1]/p#1, dispatch fan[2]/p#1
    2s fan[1]/p ok => fan[1]/p succeeded, dispatch fan[1]/q#1
    3s 2: retry => stop fan[1]/q, stop fan[2]/p, fan[2]/q cancelled, dispatch 2:x#1
    4s 2: x ok => 2:x succeeded, run 2:succeeded, s succeeded";

fn half_done() -> Definition {
    let fan = each("fan", "[1,2]", graph("p -> q", vec![]));
    let root = graph("s -* fan", vec![sub("s", "child"), fan]);
    with_flow(flow(root), "child", flow(graph("x", vec![])))
}

#[test]
fn what_was_to_begin_anew_does_so_even_if_its_run_was_cancelled_meanwhile() {
    let rest = "
        5s cancel =>
        6s fan[1]/q ok => fan[1]/q cancelled
        7s fan[2]/p ok => fan[2]/p cancelled, run cancelled
        8s retry => dispatch fan[1]/p#1, dispatch fan[2]/p#1";
    check_in_memory(half_done(), "dispatch 2:x#1", &format!("{HALF_DONE}{rest}"));
}

#[test]
fn what_was_to_begin_anew_does_so_even_if_it_was_cancelled_meanwhile() {
    let rest = "
        5s cancel fan =>
        6s fan[1]/q ok => fan[1]/q cancelled
        7s fan[2]/p ok => fan[2]/p cancelled, fan cancelled, run failed
        8s retry => dispatch fan[1]/p#1, dispatch fan[2]/p#1";
    check_in_memory(half_done(), "dispatch 2:x#1", &format!("{HALF_DONE}{rest}"));
}

#[test]
fn what_depends_on_an_open_fork_as_well_is_not_done_again_with_a_sub_run_in_it() {
    let fan = each("fan", r#"["a"]"#, graph("s, t", vec![sub("s", "child")]));
    let first = Node { trigger: Trigger::Any, ..task("first") };
    let root = graph("fan -> first, side -> first", vec![fan, task("side"), first]);
    check_in_memory(
        with_flow(flow(root), "child", flow(graph("x", vec![]))),
        "dispatch side#1, dispatch fan[a]/t#1, dispatch 2:x#1",
        "1s side ok => side succeeded, dispatch first#1
         2s first ok => first succeeded
         3s 2: x fail => 2:x failed, run 2:failed, fan[a]/s failed
         4s 2: retry => dispatch 2:x#1
         5s 2: x ok => 2:x succeeded, run 2:succeeded, fan[a]/s succeeded
         6s fan[a]/t ok => fan[a]/t succeeded, fan succeeded, run succeeded",
    );
}

#[test]
fn sub_runs_in_branches_and_iterations_are_retried_there() {
    let child = flow(graph("x", vec![]));
    let fan = each("fan", r#"["a","b"]"#, graph("s", vec![sub("s", "child")]));
    let both = repeat_over("both", "[1,2]", graph("t", vec![sub("t", "child")]));
    check(
        with_flow(flow(graph("fan -> z, both", vec![fan, both])), "child", child),
        "dispatch 2:x#1, dispatch 3:x#1, dispatch 4:x#1",
        "1s 2: x ok => 2:x succeeded, run 2:succeeded, fan[a]/s succeeded
         2s 3: x fail => 3:x failed, run 3:failed, fan[b]/s failed, fan failed, z skipped
         3s 4: x ok => 4:x succeeded, run 4:succeeded, both#1/t succeeded, dispatch 5:x#1
         4s 5: x fail => 5:x failed, run 5:failed, both#2/t failed, both failed, run failed
         5s retry => dispatch 3:x#1, dispatch 5:x#1
         6s 3: x ok => 3:x succeeded, run 3:succeeded, fan[b]/s succeeded, fan succeeded, dispatch z#1
         7s 5: x ok => 5:x succeeded, run 5:succeeded, both#2/t succeeded, both succeeded
         8s z ok => z succeeded, run succeeded
         9s rerun both#1/t => dispatch 6:x#1
         10s 6: x ok => 6:x succeeded, run 6:succeeded, both#1/t succeeded, dispatch 7:x#1
         11s 7: x fail => 7:x failed, run 7:failed, both#2/t failed, both failed, run failed
         12s 7: retry => dispatch 7:x#1
         13s 7: x ok => 7:x succeeded, run 7:succeeded, both#2/t succeeded, both succeeded, run succeeded",
    );
}

#[test]
fn a_sub_run_that_fails_or_takes_too_long_is_tried_again() {
    let child = flow(graph("x", vec![]));
    let mut node = sub("s", "child");
    node.retry = retry(3);
    node.timeouts.attempt = Some(Duration::from_secs(10));
    check(
        with_flow(flow(graph("s -> z", vec![node])), "child", child),
        "dispatch 2:x#1",
        "1s 2: x fail => 2:x failed, run 2:failed
         2s tick => dispatch 3:x#1
         3s pause =>
         4s 3: x fail => 3:x failed, run 3:failed
         5s tick =>
         6s unpause => dispatch 4:x#1
         16s tick => stop 4:x
         17s 4: x fail => 4:x cancelled, run 4:cancelled, s timedout, z skipped, run failed",
    );
}

#[test]
fn a_sub_run_with_bad_inputs_fails_its_task() {
    let mut child = flow(graph("x", vec![]));
    child.inputs =
        vec![InputSpec { name: "n".into(), kind: Some(InputKind::Number), ..InputSpec::default() }];
    let mut lab = Lab::new();
    lab.submit(with_flow(flow(graph("s -> z", vec![sub("s", "child")])), "child", child));
    let task = lab.rows.tasks.values().find(|task| &*task.path == "s").unwrap();
    assert_eq!(task.error.as_ref().unwrap().code, "bad-input");
    lab.script("1s retry => s failed, z skipped, run failed");
}

#[test]
fn a_flow_that_nobody_knows_fails_its_task() {
    let child = flow(graph("x", vec![]));
    let mut lab = Lab::new();
    lab.submit(with_flow(flow(graph("s -> z", vec![sub("s", "nobody")])), "child", child));
    let task = lab.rows.tasks.values().find(|task| &*task.path == "s").unwrap();
    assert_eq!(task.error.as_ref().unwrap().code, "bad-flow");
}

#[test]
fn a_sub_run_with_a_limit_of_its_own_times_out() {
    let mut child = flow(graph("x", vec![]));
    child.timeout = Some(Duration::from_secs(5));
    check(
        with_flow(flow(graph("s -> z", vec![sub("s", "child")])), "child", child),
        "dispatch 2:x#1",
        "5s tick => stop 2:x
         6s 2: x fail => 2:x cancelled, run 2:timed out, s timedout, z skipped, run failed
         7s retry => dispatch 2:x#1
         11s tick =>
         12s tick => stop 2:x",
    );
}
