//! What bounds attempts: time, losses, breakers, locks, and what is refused at the door.

use std::time::Duration;

use partitur_engine::{Answer, Refusal};
use partitur_model::definition::{
    BreakerSpec, Deduplicate, Expression, InputKind, InputSpec, Priority, ResourceSpec, Retry, Template,
};
use partitur_model::record::RunOptions;
use partitur_model::{Payload, Place};

use crate::lab::Lab;
use crate::script::*;

#[test]
fn an_attempt_that_shows_no_sign_of_life_is_stopped() {
    let mut node = retried("a", 2);
    node.timeouts.heartbeat = Some(Duration::from_secs(10));
    check(
        flow(graph("a -> z", vec![node])),
        "dispatch a#1",
        "9s alive a => 
         10s tick =>
         19s tick => stop a
         20s a fail =>
         21s tick => dispatch a#2
         31s tick => stop a
         32s a ok => a timedout, z skipped, run failed",
    );
}

#[test]
fn a_claim_that_expires_needs_signs_of_life_too() {
    let mut node = locked("a", "gpu");
    node.claims[0].expires = Some(Duration::from_secs(5));
    check(
        flow(graph("a, b", vec![node, locked("b", "gpu")])),
        "dispatch a#1",
        "4s alive a => 
         9s tick => stop a
         10s a fail => a timedout, dispatch b#1
         11s b ok => b succeeded, run failed",
    );
}

#[test]
fn a_task_waits_in_the_queue_only_so_long() {
    let mut node = task("b");
    node.timeouts.queue = Some(Duration::from_secs(5));
    check_with(
        flow(graph("a -> m -> n, b -> z", vec![task("a"), node])),
        1,
        "dispatch a#1",
        "4s tick => 
         5s tick => b timedout, z skipped
         6s a ok => a succeeded, dispatch m#1
         7s retry => refused: the run is running: this needs a run that has ended; cancel it first",
    );
}

#[test]
fn all_attempts_together_take_only_so_long() {
    let mut node = retried("a", 9);
    node.timeouts.total = Some(Duration::from_secs(10));
    check(
        flow(graph("a -> z", vec![node])),
        "dispatch a#1",
        "8s a fail => 
         9s tick => dispatch a#2
         10s tick => stop a
         11s a fail => a timedout, z skipped, run failed
         12s retry => dispatch a#1
         21s a fail => a failed, z skipped, run failed
         22s tick => ",
    );
}

#[test]
fn a_crash_gives_a_run_that_began_anew_no_more_time() {
    let mut definition = flow(graph("a", vec![]));
    definition.timeout = Some(Duration::from_secs(10));
    check(
        definition,
        "dispatch a#1",
        "1s a fail => a failed, run failed
         2s retry => dispatch a#1
         8s crash => dispatch a#1
         11s tick =>
         12s tick => stop a
         13s a ok => a cancelled, run timed out",
    );
}

#[test]
fn a_run_takes_only_so_long() {
    let mut definition =
        flow(graph("a -> b, c", vec![wait("c", partitur_model::definition::WaitFor::Signal, None)]));
    definition.timeout = Some(Duration::from_secs(10));
    check(
        definition,
        "dispatch a#1",
        "9s tick => 
         10s tick => c cancelled, stop a
         11s a ok => a cancelled, run timed out
         12s retry => dispatch a#1
         21s a ok => a succeeded, dispatch b#1
         22s tick => c cancelled, stop b
         23s b ok => b cancelled, run timed out",
    );
}

#[test]
fn a_task_that_must_not_run_twice_fails_after_a_crash() {
    let mut node = task("a");
    node.at_most_once = true;
    check(
        flow(graph("a -> z, b", vec![node])),
        "dispatch a#1, dispatch b#1",
        "1s crash => a failed, z skipped, dispatch b#1
         2s b ok => b succeeded, run failed
         3s retry => dispatch a#1",
    );
}

#[test]
fn a_task_that_is_lost_again_and_again_fails() {
    let mut lab = Lab::new();
    lab.submit(flow(graph("a", vec![])));
    for _ in 0..10 {
        assert_eq!(lab.text_input("crash"), ["dispatch a#1"]);
    }
    assert_eq!(lab.text_input("crash"), ["a failed", "run failed"]);
}

#[test]
fn an_attempt_that_was_told_to_stop_and_is_lost_has_stopped() {
    let mut node = retried("a", 2);
    node.timeouts.attempt = Some(Duration::from_secs(5));
    check(
        flow(graph("a -> z, b", vec![node])),
        "dispatch a#1, dispatch b#1",
        "1s cancel b => stop b
         5s tick => stop a
         6s crash => b cancelled
         7s tick => dispatch a#2",
    );
}

#[test]
fn only_what_may_help_is_retried() {
    let mut by_code = retried("a", 3);
    by_code.retry = by_code.retry.map(|retry| Retry { errors: vec!["exit-7*".into()], ..*retry }.into());
    let mut by_condition = retried("b", 3);
    let condition = Some(Expression("self.error.code == 'exit-75'".into()));
    by_condition.retry = by_condition.retry.map(|retry| Retry { condition, ..*retry }.into());
    let mut until = retried("c", 2);
    let done = Some(Expression("self.output.done == true".into()));
    until.retry = until.retry.map(|retry| Retry { until: done, ..*retry }.into());
    check(
        flow(graph("a, b, c", vec![by_code, by_condition, until])),
        "dispatch a#1, dispatch b#1, dispatch c#1",
        r#"1s a fail exit-75 => 
           2s b fail exit-75 => 
           3s tick => dispatch a#2, dispatch b#2
           4s a fail exit-1 => a failed
           5s b fail exit-1 => b failed
           6s c ok {"done":false} => 
           7s tick => dispatch c#2
           8s c ok {"done":false} => c failed, run failed
           9s retry => dispatch a#1, dispatch b#1, dispatch c#1
           10s c ok {"done":true} => c succeeded"#,
    );
}

#[test]
fn a_breaker_opens_probes_and_closes() {
    let behind = |name: &str| {
        let mut node = task(name);
        node.breaker = Some("erp".into());
        node
    };
    let names = ["a", "b", "c", "d", "e"];
    let mut definition = flow(graph("", names.map(behind).into()));
    let open_for = Duration::from_secs(60);
    let spec = BreakerSpec { failures_max: 2, probes_max: 1, open_for, ..BreakerSpec::named("erp") };
    definition.breakers = vec![spec];
    check_with(
        definition,
        2,
        "dispatch a#1, dispatch b#1",
        "1s a fail => a failed, dispatch c#1
         2s b fail => b failed
         3s c ok => c succeeded
         61s tick =>
         62s tick => dispatch d#1
         63s crash => dispatch e#1
         64s e ok => e succeeded, dispatch d#1
         65s d fail => d failed, run failed
         66s retry =>
         67s reset-breaker erp => dispatch a#1, dispatch b#1
         68s reset-breaker erp => refused: no breaker `erp` is open",
    );
}

#[test]
fn locks_are_held_by_one_and_tokens_rise() {
    let nodes = ["a", "b", "c"].map(|name| locked(name, "file:x"));
    let mut lab = Lab::new();
    lab.submit(flow(graph("", nodes.into())));
    let first = lab.live[&(1, "a".into())].token;
    lab.script(
        "1s a fail => a failed, dispatch b#1
         2s crash => dispatch c#1
         3s c ok => c succeeded, dispatch b#1
         4s cancel b => stop b
         5s b fail => b cancelled, run failed
         6s retry => dispatch a#1",
    );
    assert!(lab.live[&(1, "a".into())].token > first);
}

#[test]
fn counted_resources_and_what_can_never_be_had() {
    let counted = |name: &str, units| {
        let mut node = task(name);
        node.claims = vec![claim("gpu", units)];
        node
    };
    let mut definition = flow(graph("", vec![counted("a", 2), counted("b", 1), counted("c", 3)]));
    definition.resources = vec![ResourceSpec { name: "gpu".into(), units: 2, place: Place::root() }];
    check(
        definition,
        "c failed, dispatch a#1",
        "1s a ok => a succeeded, dispatch b#1
         2s b ok => b succeeded, run failed",
    );
}

#[test]
fn what_is_more_urgent_goes_first() {
    let mut urgent = task("c");
    urgent.priority = Priority::Critical;
    check_with(
        flow(graph("", vec![task("a"), task("b"), urgent])),
        1,
        "dispatch c#1",
        "1s c ok => c succeeded, dispatch a#1
         2s a ok => a succeeded, dispatch b#1
         3s b ok => b succeeded, run succeeded",
    );
}

#[test]
fn an_equal_submission_joins_the_run_that_is_there() {
    let mut definition = flow(graph("a", vec![]));
    definition.inputs = vec![InputSpec { name: "month".into(), ..InputSpec::default() }];
    let (key, window) = (Template("${inputs.month}".into()), Duration::from_secs(10));
    definition.deduplicate = Some(Deduplicate { key, window });
    let mut lab = Lab::new();
    let month = |month: &str| Payload::object([("month", Payload::string(month))]);
    lab.submit_with(definition, month("may"), RunOptions::default());
    lab.submit_again(month("june"), RunOptions::default());
    lab.submit_again(month("may"), RunOptions::default());
    lab.now = lab.now + Duration::from_secs(10);
    lab.submit_again(month("may"), RunOptions::default());
    let accepted = |answer: &Answer| match answer {
        Answer::Accepted { run, duplicate } => (run.number(), *duplicate),
        other => panic!("{other:?}"),
    };
    let answers: Vec<_> = lab.answers.iter().map(accepted).collect();
    assert_eq!(answers, [(1, false), (2, false), (1, true), (3, false)]);
}

#[test]
fn only_the_targets_and_what_they_need_are_executed() {
    let mut lab = Lab::new();
    let options = RunOptions { targets: vec!["b".into()], ..RunOptions::default() };
    let definition = flow(graph("a -> b -> c, d -> c", vec![]));
    let told = lab.submit_with(definition, Payload::Null, options);
    assert_eq!(told, ["dispatch a#1"]);
    lab.script(
        "1s a ok => a succeeded, dispatch b#1
         2s b fail => b failed, run failed
         3s retry => dispatch b#1
         4s b ok => b succeeded, run succeeded
         5s rerun a => dispatch a#1
         6s a ok => a succeeded, dispatch b#1
         7s b ok => b succeeded, run succeeded",
    );
}

#[test]
fn a_submission_is_refused_with_all_its_faults() {
    let mut definition = flow(graph("alpha", vec![]));
    let spec = |name: &str, kind| InputSpec { name: name.into(), kind: Some(kind), ..InputSpec::default() };
    definition.inputs = vec![spec("a", InputKind::Number), spec("b", InputKind::String)];
    let mut lab = Lab::new();
    let options = RunOptions { targets: vec!["alpah".into()], ..RunOptions::default() };
    let given = Payload::parse(r#"{"a":"one","c":1}"#).unwrap();
    lab.submit_with(definition, given, options);
    let Some(Answer::Refused(Refusal::BadSubmission(faults))) = lab.answers.last() else {
        panic!("accepted")
    };
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the target `alpah` is not a task of the document",
            "the input `c` is not one of the document's",
            "the input `a` must be a number, and is \"one\"",
            "the input `b` is not given",
        ]
    );
    assert_eq!(lab.rows.runs.len(), 0, "nothing has changed");
}

#[test]
fn commands_that_do_not_fit_are_refused() {
    check(
        flow(graph("a -> b", vec![])),
        "dispatch a#1",
        "1s retry => refused: the run is running: this needs a run that has ended; cancel it first
         2s rerun a => refused: the run is running: this needs a run that has ended; cancel it first
         3s restart => refused: the run is running: this needs a run that has ended; cancel it first
         4s rollback => refused: the run is running: this needs a run that has ended; cancel it first
         5s unpause =>
         6s signal a => refused: task `a` does not wait for a signal
         7s cancel b => refused: the run has no task `b` that has begun
         8s agent nobody => refused: the agent `nobody` has no task in flight in this run
         9s a ok => a succeeded, dispatch b#1
         10s cancel a => refused: task `a` has ended already
         11s b ok => b succeeded, run succeeded
         12s cancel => refused: the run is succeeded: it has ended already
         13s pause => refused: the run is succeeded: only a running run can be paused
         14s unpause => refused: the run is succeeded: only a paused run can go on
         15s retry => refused: the run succeeded: nothing in it failed
         16s rerun nothing => refused: the run has no task `nothing` that has begun",
    );
}

#[test]
fn a_pause_holds_back_what_time_brings() {
    let nap = wait("nap", partitur_model::definition::WaitFor::Duration("5s".into()), None);
    check_with(
        flow(graph("a -> x, nap -> y, q", vec![retried("a", 2), nap, task("q")])),
        1,
        "dispatch a#1",
        "1s a fail => dispatch q#1
         2s pause =>
         3s q ok => q succeeded
         5s tick => nap succeeded
         6s unpause => dispatch a#2
         7s a ok => a succeeded, dispatch y#1
         8s pause =>
         9s cancel => x cancelled, stop y
         10s y fail => y cancelled, run cancelled",
    );
}

#[test]
fn an_agent_s_tasks_are_cancelled_together() {
    let of_agent = |name: &str| {
        let mut node = task(name);
        node.agent = Some(Template("ada".into()));
        node
    };
    check(
        flow(graph("a, b, c", vec![of_agent("a"), of_agent("b")])),
        "dispatch a#1, dispatch b#1, dispatch c#1",
        "1s agent ada => stop a, stop b
         2s a fail => a cancelled
         3s b ok => b cancelled
         4s agent ada => refused: the agent `ada` has no task in flight in this run
         5s c ok => c succeeded, run failed",
    );
}

#[test]
fn a_run_has_as_many_slots_as_it_says_when_it_is_undone_or_goes_on_after_its_end() {
    let mut definition = flow(graph("a, b, c", vec![undoable("a"), undoable("b"), undoable("c")]));
    definition.concurrency = Some(partitur_model::definition::Concurrency { min: 1, max: 2 });
    let script = "
        1s a ok => a succeeded, dispatch c#1
        2s b ok => b succeeded
        3s c ok => c succeeded, run succeeded
        4s crash =>
        4s rollback => dispatch undo a#1, dispatch undo b#1
        5s undo a ok => dispatch undo c#1
        6s undo b ok =>
        7s undo c ok => run rolled back
        8s crash =>
        8s retry => dispatch a#1, dispatch b#1";
    check(definition, "dispatch a#1, dispatch b#1", script);
}
