//! Runs of a server: workers come for tasks, each attempt has a row of its own, joins wait in sight.

use std::sync::Arc;
use std::time::Duration;

use partitur_engine::{Batch, BatchNo, Command, Input, ReplyTo, TaskName, Update, UpdateStatus};
use partitur_model::Payload;
use partitur_model::definition::{
    Backoff, Branch, Definition, Dialect, Expand, Expander, Flow, Guard, Join, Kind, MakeBranches, Node,
    OnFailure, OnTimeout, Remote, RemoteLimits, Retry, Scope, SubRun, TemplateTree, Terminate, Timeouts,
    Wait, WaitFor,
};
use partitur_model::record::{RunOutcome, TaskError, TaskState};

use crate::lab::Lab;
use crate::script::*;

fn tree(json: &str) -> TemplateTree {
    TemplateTree(Payload::parse(json).unwrap())
}

/// A task of a worker whose type is its name.
fn simple(name: &str) -> Node {
    let remote = Remote { task_type: name.to_owned(), ..Remote::default() };
    Node::new(name, Kind::Remote(remote))
}

fn given(node: Node, json: &str) -> Node {
    Node { input: Some(tree(json)), ..node }
}

fn tried(node: Node, attempts: u32, seconds: u64) -> Node {
    let retry = Retry {
        attempts,
        base: Duration::from_secs(seconds),
        backoff: Backoff::Fixed,
        jitter: false,
        ..Retry::default()
    };
    Node { retry: Some(Box::new(retry)), ..node }
}

fn served(root: Scope) -> Definition {
    let mut root = root;
    for edge in &mut root.edges {
        if edge.guard == Guard::Success {
            edge.guard = Guard::Continue;
        }
    }
    Definition { dialect: Dialect::Conductor, on_failure: OnFailure::FailFast, ..flow(root) }
}

/// `fork` opens branches that `join` gathers.
fn forked(a: Node, b: Node) -> Definition {
    let (first, second) = (a.name.clone(), b.name.clone());
    let fork = Node::new("fork", Kind::Noop);
    let join = Node::new("join", Kind::Join(Join { opened_by: Some(0), ..Join::default() }));
    let edges = format!(
        "fork -> {first}, fork -> {second}, {first} -* join, {second} -* join, fork -* join, join -> z"
    );
    served(graph(&edges, vec![fork, a, b, join, simple("z")]))
}

#[test]
fn workers_get_tasks_in_order_and_what_they_yield_goes_on() {
    let b = given(simple("b"), r#"{"x": "${a.output.x}", "y": "${workflow.input.y}"}"#);
    check(
        served(graph("a -> b", vec![simple("a"), b])),
        "",
        r#"1s poll a => hand out [a#0 {}]
           2s poll a => hand out []
           3s done a {"x": 0.10} => a succeeded
           4s poll b => hand out [b#0 {"x":0.10,"y":null}]
           5s done b => b succeeded, run succeeded"#,
    );
}

#[test]
fn a_poll_that_waits_gets_what_becomes_ready() {
    check_in_memory(
        served(graph("a -> b", vec![simple("a"), simple("b")])),
        "",
        "1s await b 5 =>
         1s poll a => hand out [a#0 {}]
         2s done a => a succeeded, hand out [b#0 {}]
         3s done b => b succeeded, run succeeded",
    );
}

#[test]
fn a_failed_attempt_keeps_its_row_and_the_next_has_its_own() {
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![tried(simple("a"), 2, 10)])));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s failed a =>
         3s poll a => hand out []
         12s tick =>
         12s poll a => hand out [a#1 {}]
         13s failed a => a failed, run failed",
    );
    let rows: Vec<String> = lab
        .rows
        .tasks
        .values()
        .map(|task| {
            let served = task.served.as_ref().unwrap();
            format!(
                "{} {:?} retries {} of {:?} {}",
                task.seq.0,
                task.state,
                served.retries,
                served.retry_of.map(|seq| seq.0),
                served.superseded
            )
        })
        .collect();
    assert_eq!(
        rows,
        ["1 Ended(Failed) retries 0 of None true", "2 Ended(Failed) retries 1 of Some(1) false"]
    );
}

#[test]
fn programs_that_nobody_executes_are_forgotten() {
    let mut lab = Lab::new();
    lab.recovers = false;
    lab.submit(served(graph("", vec![simple("a")])));
    for number in 2..1_002 {
        lab.submit(served(graph("", vec![Node::new("b", Kind::Noop)])));
        lab.input(Input::Evict(lab.run_id(number)));
    }
    let known = lab.definitions.iter().filter(|(record, _)| lab.engine.knows(record.id)).count();
    assert!(known < 600, "{known} of 1001 are known");
    lab.script("1s 1: poll a => hand out [a#0 {}]");
}

#[test]
fn a_new_beginning_leaves_no_row_of_any_attempt() {
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![tried(simple("a"), 2, 0)])));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s failed a =>
         3s poll a => hand out [a#1 {}]
         4s done a => a succeeded, run succeeded
         5s restart =>",
    );
    let rows: Vec<u32> = lab.rows.tasks.values().map(|task| task.seq.0).collect();
    assert_eq!(rows, [3]);
}

#[test]
fn what_must_not_be_tried_again_is_not() {
    check(
        served(graph("a -> b", vec![tried(simple("a"), 5, 1), simple("b")])),
        "",
        "1s poll a => hand out [a#0 {}]
         2s failed-for-good a => a failed, run failed",
    );
}

#[test]
fn a_task_that_is_given_back_is_had_again_after_its_pause() {
    check(
        served(graph("", vec![simple("a")])),
        "",
        "1s poll a => hand out [a#0 {}]
         2s later a 10 =>
         3s poll a => hand out []
         12s tick =>
         12s poll a => hand out [a#0 {}]
         13s done a => a succeeded, run succeeded",
    );
}

#[test]
fn an_answer_that_did_not_arrive_gives_its_tasks_back() {
    check(
        served(graph("", vec![simple("a")])),
        "",
        "1s poll a => hand out [a#0 {}]
         2s give-back a =>
         3s poll a => hand out [a#0 {}]
         4s done a => a succeeded, run succeeded",
    );
}

#[test]
fn a_crash_takes_nothing_from_workers() {
    check_in_memory(
        served(graph("a -> b", vec![simple("a"), simple("b")])),
        "",
        "1s poll a => hand out [a#0 {}]
         2s crash =>
         3s poll a => hand out []
         4s done a => a succeeded
         5s poll b => hand out [b#0 {}]
         6s done b => b succeeded, run succeeded",
    );
}

#[test]
fn a_silent_worker_loses_its_task() {
    let timeouts = Timeouts { heartbeat: Some(Duration::from_secs(5)), ..Timeouts::default() };
    let a = tried(Node { timeouts, on_timeout: OnTimeout::EndRun, ..simple("a") }, 3, 0);
    check(
        served(graph("", vec![a])),
        "",
        "1s poll a => hand out [a#0 {}]
         5s living a =>
         10s tick =>
         11s tick =>
         11s poll a => hand out [a#1 {}]
         12s done a => a succeeded, run succeeded",
    );
}

#[test]
fn a_task_that_takes_too_long_may_end_its_run() {
    let timeouts = Timeouts { attempt: Some(Duration::from_secs(5)), ..Timeouts::default() };
    let a = tried(Node { timeouts, on_timeout: OnTimeout::EndRun, ..simple("a") }, 3, 0);
    check(
        served(graph("a -> b", vec![a, simple("b")])),
        "",
        "1s poll a => hand out [a#0 {}]
         6s tick => a timedout, run timed out",
    );
}

#[test]
fn no_more_run_at_once_than_their_name_allows() {
    let limits = RemoteLimits { name: "a".into(), concurrency: Some(1), rate: None };
    let limited = |name: &str| {
        let remote = Remote { task_type: "a".into(), limits: limits.clone(), ..Remote::default() };
        Node::new(name, Kind::Remote(remote))
    };
    check(
        served(graph("", vec![limited("x"), limited("y")])),
        "",
        "1s poll a 5 => hand out [x#0 {}]
         2s poll a => hand out []
         3s done x => x succeeded
         3s poll a => hand out [y#0 {}]
         4s done y => y succeeded, run succeeded",
    );
}

#[test]
fn no_more_start_in_a_span_than_their_name_allows() {
    let limits =
        RemoteLimits { name: "a".into(), concurrency: None, rate: Some((1, Duration::from_secs(10))) };
    let limited = |name: &str| {
        let remote = Remote { task_type: "a".into(), limits: limits.clone(), ..Remote::default() };
        Node::new(name, Kind::Remote(remote))
    };
    check_in_memory(
        served(graph("", vec![limited("x"), limited("y")])),
        "",
        "1s poll a 5 => hand out [x#0 {}]
         2s done x => x succeeded
         3s await a 1 =>
         10s tick =>
         11s tick => hand out [y#0 {}]
         12s done y => y succeeded, run succeeded",
    );
}

#[test]
fn a_join_waits_in_sight_and_gathers() {
    let mut lab = Lab::new();
    lab.submit(forked(simple("a"), simple("b")));
    let states: Vec<String> = lab
        .rows
        .tasks
        .values()
        .map(|task| format!("{} {} {:?}", task.seq.0, task.node, task.state))
        .collect();
    assert_eq!(
        states,
        [
            "1 fork Ended(Succeeded)",
            "2 a Ready",
            "3 b Ready",
            "4 join Waiting { until: 18446744073709.551615s }"
        ]
    );
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           1s poll b => hand out [b#0 {}]
           2s done a {"n":1} => a succeeded
           3s done b {"n": 2} => b succeeded, join succeeded
           4s poll z => hand out [z#0 {}]
           5s done z => z succeeded, run succeeded"#,
    );
}

#[test]
fn forks_and_joins_come_back() {
    check(
        forked(simple("a"), simple("b")),
        "fork succeeded",
        "1s poll a => hand out [a#0 {}]
         1s poll b => hand out [b#0 {}]
         2s done b => b succeeded
         3s done a => a succeeded, join succeeded
         4s poll z => hand out [z#0 {}]
         5s done z => z succeeded, run succeeded",
    );
}

#[test]
fn a_failure_in_a_branch_ends_the_run_and_a_retry_goes_on() {
    check(
        forked(simple("a"), simple("b")),
        "fork succeeded",
        "1s poll a => hand out [a#0 {}]
         2s poll b => hand out [b#0 {}]
         3s failed a => a failed, b cancelled, join cancelled, run failed
         4s retry fresh =>
         5s poll a => hand out [a#1 {}]
         5s poll b => hand out [b#1 {}]
         6s done a => a succeeded
         7s done b => b succeeded, join succeeded
         8s poll z => hand out [z#0 {}]
         9s done z => z succeeded, run succeeded",
    );
}

#[test]
fn a_permissive_failure_fails_the_join() {
    check(
        forked(Node { permissive: true, ..simple("a") }, simple("b")),
        "fork succeeded",
        "1s poll a => hand out [a#0 {}]
         2s poll b => hand out [b#0 {}]
         3s failed a => a failed
         4s done b => b succeeded, join failed, run failed",
    );
}

#[test]
fn an_optional_failure_is_noted_and_goes_on() {
    let mut lab = Lab::new();
    lab.submit(forked(Node { optional: true, ..simple("a") }, simple("b")));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s poll b => hand out [b#0 {}]
         3s failed a => a failed
         4s done b => b succeeded, join succeeded
         5s poll z => hand out [z#0 {}]
         6s done z => z succeeded, run succeeded",
    );
    let join = lab.rows.tasks.values().find(|task| &*task.node == "join").unwrap();
    assert_eq!(join.error.as_ref().unwrap().code, "with-errors");
}

#[test]
fn rerunning_keeps_the_row_of_its_task_and_forgets_what_came_after() {
    let mut lab = Lab::new();
    lab.submit(served(graph("a -> b -> c", vec![simple("a"), simple("b"), simple("c")])));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         1s done a => a succeeded
         2s poll b => hand out [b#0 {}]
         2s done b => b succeeded
         3s poll c => hand out [c#0 {}]
         3s done c => c succeeded, run succeeded
         4s rerun-from b =>
         5s poll c => hand out []
         5s poll b => hand out [b#0 {}]
         6s done b => b succeeded
         7s poll c => hand out [c#0 {}]
         8s done c => c succeeded, run succeeded",
    );
    let rows: Vec<(u32, String)> =
        lab.rows.tasks.values().map(|task| (task.seq.0, task.node.to_string())).collect();
    assert_eq!(rows, [(1, "a".to_owned()), (2, "b".to_owned()), (4, "c".to_owned())]);
}

#[test]
fn a_task_left_out_by_hand_is_jumped_over_when_its_turn_comes() {
    check(
        served(graph("a -> b -> c", vec![simple("a"), simple("b"), simple("c")])),
        "",
        "1s skip b =>
         2s poll a => hand out [a#0 {}]
         3s done a => a succeeded, b skipped
         4s poll c => hand out [c#0 {}]
         5s done c => c succeeded, run succeeded",
    );
}

#[test]
fn a_case_that_is_not_chosen_leaves_no_row() {
    let choose = Node { trigger: partitur_model::definition::Trigger::Any, ..simple("z") };
    let mut lab = Lab::new();
    lab.submit(served(graph(
        "s -=x a, a -> b, s -else c, b -> z, c -> z",
        vec![switch("s", "'x'", &["x"]), simple("a"), simple("b"), simple("c"), choose],
    )));
    lab.script(
        "0s poll z => hand out []
         1s poll a => hand out [a#0 {}]
         1s done a => a succeeded
         2s poll b => hand out [b#0 {}]
         2s poll z => hand out []
         2s done b => b succeeded
         3s poll z => hand out [z#0 {}]
         3s done z => z succeeded, run succeeded",
    );
    assert!(lab.rows.tasks.values().all(|task| &*task.node != "c"));
}

#[test]
fn a_sub_run_is_looked_up_when_it_starts() {
    let flow = Flow::Wanted(tree(r#"{"name": "${a.output.name}"}"#));
    let child = Node::new("child", Kind::SubRun(SubRun { flow, input: tree(r#"{"n": 1}"#) }));
    for recovers in [true, false] {
        let mut lab = Lab::new();
        lab.recovers = recovers;
        lab.know(served(graph("", vec![simple("x")])));
        lab.submit(served(graph("a -> child -> b", vec![simple("a"), child.clone(), simple("b")])));
        lab.script(
            r#"1s poll a => hand out [a#0 {}]
               2s done a {"name": "leaf"} => a succeeded, resolve SubRun {"name":"leaf"}
               3s found 0 =>
               4s poll x => hand out [2:x#0 {}]
               5s 2: done x => 2:x succeeded, run 2:succeeded, child succeeded
               6s poll b => hand out [b#0 {}]
               7s done b => b succeeded, run succeeded"#,
        );
    }
}

#[test]
fn a_run_whose_sub_run_is_removed_does_not_wait_for_it() {
    let mut lab = Lab::new();
    lab.know(served(graph("", vec![simple("inner")])));
    let sub = SubRun { flow: Flow::Wanted(tree(r#"{"name":"leaf"}"#)), input: tree("{}") };
    lab.submit(served(graph("", vec![Node::new("sub", Kind::SubRun(sub))])));
    lab.script(
        "1s found 0 =>
         2s 2: remove => sub failed, run failed",
    );
}

#[test]
fn a_result_for_a_task_that_waits_again_for_those_before_it_changes_nothing() {
    let mut lab = Lab::new();
    lab.know(served(graph("", vec![simple("inner")])));
    let sub = SubRun { flow: Flow::Wanted(tree(r#"{"name":"leaf"}"#)), input: tree("{}") };
    lab.submit(served(graph(
        "sub -> b, b -> c",
        vec![Node::new("sub", Kind::SubRun(sub)), simple("b"), simple("c")],
    )));
    lab.script(
        "1s found 0 =>
         2s poll inner => hand out [2:inner#0 {}]
         2s 2: done inner => 2:inner succeeded, run 2:succeeded, sub succeeded
         3s poll b => hand out [b#0 {}]
         4s 2: rerun-from inner =>
         5s done b =>
         5s poll c => hand out []",
    );
}

#[test]
fn what_the_node_executes_is_stopped_when_its_run_is_removed() {
    let pushed = Remote { task_type: "HTTP".to_owned(), pushed: true, ..Remote::default() };
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![Node::new("call", Kind::Remote(pushed))])));
    lab.script("1s remove => stop call");
}

#[test]
fn a_removed_run_is_not_sent_for_before_its_removal_is_durable() {
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![simple("a")])));
    let run = lab.run_id(1);
    let mut batch = Batch::new(BatchNo(1_000));
    for command in [Command::Remove { running: true }, Command::Pause] {
        let input = Input::Command { run, command, reply: Some(ReplyTo(1)) };
        lab.engine.step(lab.now, input, &mut batch);
    }
    let answers: Vec<String> = batch.effects().iter().map(|effect| format!("{effect:?}")).collect();
    insta::assert_snapshot!(answers.join("\n"), @r"
    Reply { to: ReplyTo(1), answer: Done }
    Reply { to: ReplyTo(1), answer: Refused(UnknownRun) }
    ");
}

#[test]
fn what_the_node_executes_is_stopped_when_it_is_to_go_on_later() {
    let pushed = Remote { task_type: "HTTP".to_owned(), pushed: true, ..Remote::default() };
    check_in_memory(
        served(graph("", vec![Node::new("call", Kind::Remote(pushed))])),
        "dispatch call#1",
        "1s later call 5 => stop call
         6s tick => dispatch call#1",
    );
}

#[test]
fn a_run_that_fails_is_followed_by_another() {
    let failure_flow = Some(tree(r#"{"name":"mourn"}"#));
    let definition = Definition { failure_flow, ..served(graph("", vec![simple("a")])) };
    let mut lab = Lab::new();
    lab.know(served(graph("", vec![simple("x")])));
    lab.submit(definition);
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s failed a => a failed, resolve Failure {"name":"mourn"}
           3s found 0 => run failed
           4s poll x => hand out [2:x#0 {}]
           5s 2: done x => 2:x succeeded, run 2:succeeded"#,
    );
    assert!(lab.output(1).contains("conductor.failure_workflow"), "{}", lab.output(1));
}

#[test]
fn one_that_somebody_cancels_is_followed_by_none() {
    let failure_flow = Some(tree(r#"{"name":"mourn"}"#));
    check(
        Definition { failure_flow, ..served(graph("", vec![simple("a")])) },
        "",
        "1s poll a => hand out [a#0 {}]
         2s cancel => a cancelled, run cancelled",
    );
}

/// One branch for each name in a list.
struct ByName;

impl MakeBranches for ByName {
    fn branches(&self, input: &Payload) -> Result<Vec<Branch>, TaskError> {
        let names = input.member("names").and_then(|names| names.elements()).unwrap_or_default();
        let branch = |name: &Payload| {
            let name = name.to_value().as_str().unwrap_or_default().to_owned();
            Branch { last: name.clone(), scope: Scope { nodes: vec![simple(&name)], edges: Vec::new() } }
        };
        Ok(names.iter().map(branch).collect())
    }

    fn describe(&self) -> String {
        "by name".to_owned()
    }
}

fn expanding(stands_for_branch: bool) -> Kind {
    Kind::Expand(Box::new(Expand {
        input: tree(r#"{"names": "${a.output.names}"}"#),
        expander: Expander(Arc::new(ByName)),
        stands_for_branch,
    }))
}

fn dynamic_fork() -> Definition {
    let fork = Node::new("fork", expanding(false));
    let join = Node::new("join", Kind::Join(Join { opened_by: Some(1), ..Join::default() }));
    let z = given(simple("z"), r#"{"both": "${join.output}"}"#);
    served(graph("a -> fork, fork -* join, join -> z", vec![simple("a"), fork, join, z]))
}

#[test]
fn branches_are_made_when_their_fork_begins() {
    check(
        dynamic_fork(),
        "",
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"names": ["x", "y"]} => a succeeded
           3s poll y => hand out [fork[y]/y#0 {}]
           4s done fork[y]/y {"n":2} => fork[y]/y succeeded
           5s poll x => hand out [fork[x]/x#0 {}]
           6s done fork[x]/x {"n":1} => fork[x]/x succeeded, fork succeeded, join succeeded
           7s poll z => hand out [z#0 {"both":{"x":{"n":1},"y":{"n":2}}}]
           8s done z => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_dynamic_fork_behind_a_failure_that_may_be_is_open_again_with_its_branches() {
    let mut definition = dynamic_fork();
    definition.root.nodes[0].permissive = true;
    let Kind::Expand(expand) = &mut definition.root.nodes[1].kind else { panic!("it is a fork") };
    expand.input = tree(r#"{"names": ["x"]}"#);
    check(
        definition,
        "",
        "1s poll a => hand out [a#0 {}]
         2s failed a => a failed
         3s cancel => join cancelled, fork[x]/x cancelled, fork succeeded, run cancelled
         4s retry =>
         5s poll x => hand out [fork[x]/x#1 {}]
         6s done fork[x]/x => fork[x]/x succeeded, fork succeeded, join succeeded",
    );
}

#[test]
fn a_fork_without_branches_joins_at_once() {
    check(
        dynamic_fork(),
        "",
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"names": []} => a succeeded, fork succeeded, join succeeded
           7s poll z => hand out [z#0 {"both":{}}]
           8s done z => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_name_that_is_taken_ends_the_fork() {
    check(
        dynamic_fork(),
        "",
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"names": ["z"]} => a succeeded, fork failed, run failed"#,
    );
}

#[test]
fn a_wait_ends_when_somebody_says_so() {
    let wait = Node::new("w", Kind::Wait(Wait { what: WaitFor::Signal, at_most: None }));
    check(
        served(graph("w -> b", vec![wait, given(simple("b"), r#"{"x": "${w.output.x}"}"#)])),
        "",
        r#"1s done w {"x": 7} => w succeeded
           2s poll b => hand out [b#0 {"x":7}]
           3s done b => b succeeded, run succeeded"#,
    );
}

#[test]
fn terminating_ends_everything_with_its_own_output() {
    let end = Terminate {
        outcome: RunOutcome::Succeeded,
        output: tree(r#"{"why": "${a.output.x}"}"#),
        reason: "".into(),
    };
    let mut lab = Lab::new();
    lab.submit(served(graph(
        "a -> end, b",
        vec![simple("a"), Node::new("end", Kind::Terminate(end)), simple("b")],
    )));
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"x": 1} => a succeeded, end succeeded, b cancelled, run succeeded"#,
    );
    assert_eq!(lab.output(1), r#"{"why":1}"#);
}

#[test]
fn while_a_run_is_paused_workers_get_what_was_there() {
    check(
        served(graph("a -> b", vec![simple("a"), simple("b")])),
        "",
        "1s pause =>
         2s poll a => hand out [a#0 {}]
         3s done a => a succeeded
         4s poll b => hand out []
         5s unpause =>
         6s poll b => hand out [b#0 {}]
         7s done b => b succeeded, run succeeded",
    );
}

#[test]
fn a_result_for_a_task_that_has_ended_changes_nothing() {
    let mut lab = Lab::new();
    lab.submit(served(graph("a -> b", vec![simple("a"), simple("b")])));
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"x": 1} => a succeeded
           3s done a {"x": 2} =>
           4s failed a =>"#,
    );
    let a = lab.rows.tasks.values().next().unwrap();
    assert_eq!(a.output.as_ref().unwrap().render(), r#"{"x": 1}"#);
    assert!(matches!(a.state, TaskState::Ended(_)));
}

fn javascript(source: &str) -> partitur_model::definition::Evaluate {
    partitur_model::definition::Evaluate::Script {
        language: "javascript".into(),
        source: source.into(),
        input: TemplateTree::default(),
    }
}

#[test]
fn the_condition_of_a_loop_sees_the_loop_and_its_body() {
    let body = graph("", vec![simple("x")]);
    let repeat = partitur_model::definition::Loop {
        body,
        condition: Some(javascript("more")),
        items: None,
        keep_last: None,
        iterations_max: 10,
    };
    let repeat = given(Node::new("loop", Kind::Loop(Box::new(repeat))), r#"{"value": 2}"#);
    let z = given(simple("z"), r#"{"last": "${x.output.n}", "all": "${loop.output}"}"#);
    check(
        served(graph("loop -> z", vec![repeat, z])),
        "",
        r#"1s poll x => hand out [loop#1/x#0 {}]
           2s done loop#1/x {"n":1} => loop#1/x succeeded, evaluate loop g1 more
           3s value loop g1 true =>
           4s poll x => hand out [loop#2/x#0 {}]
           5s done loop#2/x {"n":2} => loop#2/x succeeded, evaluate loop g2 more
           6s value loop g2 false => loop succeeded
           7s poll z => hand out [z#0 {"last":2,"all":{"iteration":2,"1":{"x":{"n":1}},"2":{"x":{"n":2}}}}]
           8s done z => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_plain_condition_is_evaluated_at_once() {
    let repeat = partitur_model::definition::Loop {
        body: graph("", vec![simple("x")]),
        condition: Some(javascript("if ($.loop['iteration'] < $.value) { true; } else { false; }")),
        items: None,
        keep_last: Some(1),
        iterations_max: 10,
    };
    let repeat = given(Node::new("loop", Kind::Loop(Box::new(repeat))), r#"{"value": 2}"#);
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![repeat])));
    lab.script(
        r#"1s poll x => hand out [loop#1/x#0 {}]
           2s done loop#1/x {"n":1} => loop#1/x succeeded
           4s poll x => hand out [loop#2/x#0 {}]
           5s done loop#2/x {"n":2} => loop#2/x succeeded, loop succeeded, run succeeded"#,
    );
    assert_eq!(lab.output(1), r#"{"n":2}"#);
}

#[test]
fn a_switch_says_what_it_chose_as_conductor_does() {
    let choose =
        partitur_model::definition::Switch { value: javascript("which($.x)"), cases: vec!["1".into()] };
    let switch = given(Node::new("s", Kind::Switch(choose)), r#"{"x": 1}"#);
    let z = Node {
        trigger: partitur_model::definition::Trigger::Any,
        ..given(simple("z"), r#"{"s": "${s.output}"}"#)
    };
    check(
        served(graph("s -=1 a, a -> z, s -else z", vec![switch, simple("a"), z])),
        "evaluate s g1 which($.x)",
        r#"1s value s g1 1.0 => s succeeded
           2s poll a => hand out [a#0 {}]
           3s done a => a succeeded
           4s poll z => hand out [z#0 {"s":{"evaluationResult":["1"],"selectedCase":"1"}}]
           5s done z => z succeeded, run succeeded"#,
    );
}

#[test]
fn a_key_belongs_to_one_run() {
    use partitur_engine::Answer;
    use partitur_model::record::{Idempotency, RunOptions, ServerOptions};
    let options = |mode| {
        let server = ServerOptions { idempotency: Some(("k".into(), mode)), ..ServerOptions::default() };
        RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() }
    };
    let mut lab = Lab::new();
    lab.submit_with(served(graph("", vec![simple("a")])), Payload::Null, options(Idempotency::Fail));
    let again = |lab: &mut Lab, mode| {
        lab.submit_again(Payload::Null, options(mode));
        match lab.answers.pop().unwrap() {
            Answer::Accepted { run, duplicate } => format!("{} {duplicate}", run.number()),
            Answer::Refused(refusal) => refusal.to_string(),
            Answer::Done | Answer::Updated { .. } => "?".to_owned(),
        }
    };
    for evicted in [false, true] {
        if evicted {
            lab.evict_all();
        }
        assert_eq!(again(&mut lab, Idempotency::ReturnExisting), "1 true");
        assert_eq!(again(&mut lab, Idempotency::Fail), "run 1 was started under this key already");
        assert_eq!(again(&mut lab, Idempotency::FailOnRunning), "run 1 was started under this key already");
    }
    lab.text_input("cancel");
    assert_eq!(again(&mut lab, Idempotency::Fail), "run 1 was started under this key already");
    lab.evict_all();
    assert_eq!(again(&mut lab, Idempotency::FailOnRunning), "2 false");
    assert_eq!(again(&mut lab, Idempotency::ReturnExisting), "2 true");
}

#[test]
fn a_fork_in_a_case_that_is_not_chosen_does_nothing() {
    let fork = Node::new("fork", Kind::Noop);
    let join = Node::new("join", Kind::Join(Join { opened_by: Some(0), ..Join::default() }));
    let z = Node { trigger: partitur_model::definition::Trigger::Any, ..simple("z") };
    let choose = switch("s", "'x'", &["x"]);
    check(
        served(graph(
            "s -else fork, fork -> a, fork -> b, a -* join, b -* join, fork -* join, join -> z, s -=x z",
            vec![fork, join, choose, simple("a"), simple("b"), z],
        )),
        "s succeeded",
        "1s poll a => hand out []
         1s poll b => hand out []
         2s poll z => hand out [z#0 {}]
         3s done z => z succeeded, run succeeded",
    );
}

#[test]
fn a_poll_waits_for_all_that_come_back_into_memory_for_it() {
    let mut lab = Lab::new();
    lab.evicts = true;
    lab.submit(served(graph("", vec![simple("a")])));
    lab.submit_again(Payload::Null, Default::default());
    lab.submit_again(Payload::Null, Default::default());
    lab.script(
        "1s await a 2 => hand out [a#0 {}, 2:a#0 {}]
         2s poll a 2 => hand out [3:a#0 {}]",
    );
}

#[test]
fn who_wants_nothing_stands_in_nobodys_way() {
    check(
        served(graph("", vec![simple("a")])),
        "",
        "1s poll a 0 => hand out []
         2s await a 0 => hand out []
         3s poll a 1 => hand out [a#0 {}]
         4s done a => a succeeded, run succeeded",
    );
}

/// The rows as clients count them: number, name, state, and whether a later attempt has a row of its own.
fn counted(lab: &Lab) -> Vec<String> {
    let mut rows: Vec<_> = lab.rows.tasks.values().collect();
    rows.sort_by_key(|task| (task.counted(), task.seq));
    let shown = rows.iter().map(|task| {
        let superseded = task.served.as_ref().is_some_and(|served| served.superseded);
        let past = if superseded { " of the past" } else { "" };
        format!("{} {} {:?}{past}", task.counted(), task.node, task.state)
    });
    shown.map(|row| row.replace(" { until: 18446744073709.551615s }", "")).collect()
}

#[test]
fn what_clients_do_not_see_they_do_not_count() {
    let mut lab = Lab::new();
    let unseen = Node { out_of_sight: true, ..Node::new("gate", Kind::Noop) };
    lab.submit(served(graph("gate -> a, a -> b", vec![unseen, tried(simple("a"), 2, 0), simple("b")])));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s failed a =>
         2s crash =>
         3s poll a => hand out [a#1 {}]
         4s done a => a succeeded
         5s poll b => hand out [b#0 {}]
         6s done b => b succeeded, run succeeded",
    );
    let rows = [
        "0 gate Ended(Succeeded)",
        "1 a Ended(Failed) of the past",
        "2 a Ended(Succeeded)",
        "3 b Ended(Succeeded)",
    ];
    assert_eq!(counted(&lab), rows);
    lab.script(
        "7s restart => gate succeeded
         8s poll a => hand out [a#0 {}]",
    );
    let a = counted(&lab).remove(1);
    assert!(a.starts_with("1 a Running"), "{a}");
    assert_eq!(counted(&lab).len(), 2);
}

#[test]
fn after_a_rerun_clients_count_on_from_what_is_left() {
    let mut lab = Lab::new();
    let b = tried(simple("b"), 2, 0);
    lab.submit(served(graph("a -> b, b -> c", vec![simple("a"), b, simple("c")])));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s done a => a succeeded
         3s poll b => hand out [b#0 {}]
         4s failed b =>
         5s poll b => hand out [b#1 {}]
         6s done b => b succeeded
         7s poll c => hand out [c#0 {}]
         8s done c => c succeeded, run succeeded
         9s rerun-from a =>
         10s poll a => hand out [a#0 {}]
         11s done a => a succeeded",
    );
    assert_eq!(counted(&lab), ["1 a Ended(Succeeded)", "2 b Ready"]);
}

#[test]
fn what_is_tried_again_by_hand_stands_in_the_order_in_which_it_stood() {
    let mut lab = Lab::new();
    lab.submit(forked(simple("b"), simple("a")));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         2s failed a => a failed, b cancelled, join cancelled, run failed
         3s retry =>",
    );
    let rows = [
        "1 fork Ended(Succeeded)",
        "2 b Ended(Cancelled) of the past",
        "3 a Ended(Failed) of the past",
        "4 join Waiting",
        "5 b Ready",
        "6 a Ready",
    ];
    assert_eq!(counted(&lab), rows);
    let further = lab.rows.tasks.values().last().unwrap();
    assert!(further.served.as_ref().unwrap().by_hand && further.error.is_none());
}

#[test]
fn a_retry_leaves_what_went_on_past_a_failure() {
    let mut lab = Lab::new();
    let a = Node { permissive: true, ..simple("a") };
    lab.submit(served(graph("a -> b", vec![a, simple("b")])));
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s failed a => a failed
           3s poll b => hand out [b#0 {}]
           4s done b => b succeeded, run failed
           5s retry =>
           6s poll a => hand out [a#1 {}]
           7s done a {"m":1} => a succeeded, run succeeded"#,
    );
    let rows = ["1 a Ended(Failed) of the past", "2 b Ended(Succeeded)", "3 a Ended(Succeeded)"];
    assert_eq!(counted(&lab), rows);
    assert_eq!(lab.output(1), r#"{"m":1}"#);
}

#[test]
fn a_run_that_was_terminated_from_within_has_nothing_to_retry() {
    let end = Terminate {
        outcome: RunOutcome::Failed,
        output: tree(r#"{"n": 1}"#),
        reason: partitur_model::definition::Template("because".into()),
    };
    check(
        served(graph("", vec![Node::new("end", Kind::Terminate(end))])),
        "end succeeded, run failed",
        "1s retry => refused: no task of the run failed or was cut off; restart it to do all of it again",
    );
}

#[test]
fn the_last_end_of_a_run_is_seen_until_there_is_another() {
    let mut lab = Lab::new();
    lab.submit(served(graph("a -> b", vec![simple("a"), simple("b")])));
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s done a {"n":1} => a succeeded
           3s poll b => hand out [b#0 {}]
           4s failed b => b failed, run failed
           5s retry =>"#,
    );
    let run = lab.rows.runs.values().next().unwrap();
    assert!(run.ended.is_some() && run.output.is_some());
    lab.script(
        r#"6s poll b => hand out [b#1 {}]
           7s done b {"n":2} => b succeeded, run succeeded"#,
    );
    assert_eq!(lab.output(1), r#"{"n":2}"#);
    lab.script("8s restart =>");
    let run = lab.rows.runs.values().next().unwrap();
    assert_eq!((run.ended, run.output.as_ref()), (None, None));
}

#[test]
fn the_time_of_a_run_counts_anew_after_a_pause() {
    let limited =
        Definition { timeout: Some(Duration::from_secs(10)), ..served(graph("", vec![simple("a")])) };
    check_in_memory(
        limited,
        "",
        "1s pause =>
         8s unpause =>
         11s tick =>
         12s crash =>
         17s tick =>
         18s tick => a cancelled, run timed out",
    );
}

#[test]
fn what_a_worker_has_said_of_a_task_stays_with_it() {
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![simple("a")])));
    lab.script(
        r#"1s poll a => hand out [a#0 {}]
           2s later a 0 {"half":1} =>
           3s poll a => hand out [a#0 {}]"#,
    );
    let a = lab.rows.tasks.values().next().unwrap();
    assert_eq!(a.output.as_ref().unwrap().render(), r#"{"half":1}"#);
}

#[test]
fn a_sub_run_that_fails_yields_what_it_has_and_says_which_it_was() {
    let sub = SubRun { flow: Flow::Wanted(tree("{}")), input: tree("{}") };
    let mut lab = Lab::new();
    lab.know(served(graph("", vec![simple("x")])));
    lab.submit(served(graph("", vec![Node::new("s", Kind::SubRun(sub))])));
    lab.script(
        r#"1s found 0 =>
           2s poll x => hand out [2:x#0 {}]
           3s 2: later x 0 {"m":1} =>
           4s poll x => hand out [2:x#0 {}]
           5s 2: failed x => 2:x failed, run 2:failed, s failed, run failed"#,
    );
    let child = lab.run_id(2);
    assert_eq!(lab.output(1), format!(r#"{{"subWorkflowId":"{child}","m":1}}"#));
}

#[test]
fn a_switch_that_is_left_out_is_left_out_with_its_cases() {
    let z = Node { trigger: partitur_model::definition::Trigger::Any, ..simple("z") };
    let nodes = vec![simple("f"), switch("s", "'x'", &["x"]), simple("a"), z];
    check(
        served(graph("f -> s, s -=x a, a -> z, s -else z, s -> z", nodes)),
        "",
        "1s skip s =>
         2s poll f => hand out [f#0 {}]
         3s done f => f succeeded, s skipped
         4s poll a => hand out []
         4s poll z => hand out [z#0 {}]
         5s done z => z succeeded, run succeeded",
    );
}

#[test]
fn a_fork_that_is_left_out_is_left_out_with_its_branches() {
    let fork = Node::new("fork", Kind::Noop);
    let join = Node::new("join", Kind::Join(Join { opened_by: Some(0), ..Join::default() }));
    let nodes = vec![fork, simple("a"), join, simple("z"), simple("f")];
    let mut definition = served(graph("f -> fork, fork -> a, a -* join, fork -* join, join -> z", nodes));
    for edge in definition.root.edges.iter_mut().filter(|edge| (edge.from, edge.to) == (0, 1)) {
        edge.guard = Guard::Success;
    }
    check(
        definition,
        "",
        "1s skip fork =>
         2s poll f => hand out [f#0 {}]
         3s done f => f succeeded, fork skipped, join succeeded
         4s poll a => hand out []
         4s poll z => hand out [z#0 {}]
         5s done z => z succeeded, run succeeded",
    );
}

#[test]
fn a_fork_that_is_run_again_has_another_join() {
    let mut lab = Lab::new();
    lab.submit(forked(simple("a"), simple("b")));
    lab.script(
        "1s poll a => hand out [a#0 {}]
         1s poll b => hand out [b#0 {}]
         2s done a => a succeeded
         3s done b => b succeeded, join succeeded
         4s poll z => hand out [z#0 {}]
         5s done z => z succeeded, run succeeded
         6s rerun-from fork => fork succeeded",
    );
    assert_eq!(counted(&lab), ["1 fork Ended(Succeeded)", "2 a Ready", "3 b Ready", "4 join Waiting"]);
}

#[test]
fn a_task_is_named_in_its_newest_iteration_or_in_that_of_its_suffix() {
    let body = graph("", vec![simple("inner")]);
    let repeat = partitur_model::definition::Loop {
        body,
        condition: Some(javascript("$.loop.iteration < 2")),
        items: None,
        keep_last: None,
        iterations_max: 10,
    };
    let mut lab = Lab::new();
    lab.submit(served(graph("", vec![Node::new("loop", Kind::Loop(Box::new(repeat)))])));
    let name = |lab: &mut Lab, name: &str| {
        let update = Update {
            run: lab.run_id(1),
            task: TaskName::Reference(name.to_owned()),
            status: UpdateStatus::Completed,
            output: None,
            merge: false,
            reason: None,
            worker: None,
            logs: Vec::new(),
            then: None,
            reply: Some(ReplyTo(1)),
        };
        lab.input(Input::Update(Box::new(update))).join(", ")
    };
    assert_eq!(name(&mut lab, "inner__1"), "loop#1/inner succeeded");
    assert!(name(&mut lab, "inner__1").contains("no task `inner__1` that has begun"));
    assert_eq!(name(&mut lab, "inner"), "loop#2/inner succeeded, loop succeeded, run succeeded");
}
