//! Pictures of what definitions come to: a line for each node, with its edges from others below it.

use std::fmt::Write as _;

use insta::assert_snapshot;
use partitur_model::definition::{Evaluate, Flow, Guard, Kind, Scope, Trigger, WaitFor};

use crate::wire;

/// A picture of the graph of a definition with these tasks.
fn picture(tasks: &str) -> String {
    match super::lower(&wire::read(format!(r#"{{"name":"w","tasks":[{tasks}]}}"#).as_bytes()).unwrap()) {
        Ok(definition) => {
            let mut out = String::new();
            draw(&definition.root, "", &mut out);
            out
        }
        Err(faults) => faults.iter().map(|fault| format!("{}: {}\n", fault.path, fault.message)).collect(),
    }
}

fn draw(scope: &Scope, indent: &str, out: &mut String) {
    for (at, node) in scope.nodes.iter().enumerate() {
        let trigger = if node.trigger == Trigger::Any { " (any)" } else { "" };
        writeln!(out, "{indent}{}{trigger}: {}", node.name, kind(&node.kind)).unwrap();
        for edge in scope.edges.iter().filter(|edge| edge.to as usize == at) {
            writeln!(out, "{indent}  <- {} {}", scope.nodes[edge.from as usize].name, guard(&edge.guard))
                .unwrap();
        }
        if let Kind::Loop(repeat) = &node.kind {
            draw(&repeat.body, &format!("{indent}  | "), out);
        }
    }
}

fn guard(guard: &Guard) -> String {
    match guard {
        Guard::Success => "on success".to_owned(),
        Guard::Failure => "on failure".to_owned(),
        Guard::Any => "in any case".to_owned(),
        Guard::Continue => "and on".to_owned(),
        Guard::Case(case) => format!("if {case}"),
        Guard::DefaultCase => "otherwise".to_owned(),
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Remote(remote) => {
            let pushed = if remote.pushed { " by the server" } else { "" };
            let open = if remote.async_complete { ", ended from outside" } else { "" };
            format!("{}{pushed}{open} {:?}", remote.task_type, remote.input.0)
        }
        Kind::Wait(wait) => match &wait.what {
            WaitFor::Duration(span) => format!("wait {}", span.0),
            WaitFor::Until(time) => format!("wait until {}", time.0),
            WaitFor::Signal => "wait for a signal".to_owned(),
            WaitFor::Approval | WaitFor::File(_) => "?".to_owned(),
        },
        Kind::Evaluate(value) => evaluate(value),
        Kind::SubRun(sub) => match &sub.flow {
            Flow::Wanted(wanted) => format!("run {:?} with {:?}", wanted.0, sub.input.0),
            Flow::Frozen(_) => "?".to_owned(),
        },
        Kind::Start(description) => format!("start {:?}", description.0),
        Kind::Expand(expand) => format!("expand, stands for branch: {}", expand.stands_for_branch),
        Kind::Loop(repeat) => format!(
            "loop while {}, items {:?}, keep last {:?}",
            repeat.condition.as_ref().map_or("once".to_owned(), evaluate),
            repeat.items.as_ref().map(|items| &items.0),
            repeat.keep_last
        ),
        Kind::Switch(switch) => format!("switch {} over {:?}", evaluate(&switch.value), switch.cases),
        Kind::Join(join) => {
            let words = [(join.exclusive, " exclusive"), (join.permissive, " permissive")];
            let words: String = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
            format!("join{words}, opened by {:?}", join.opened_by)
        }
        Kind::Terminate(end) => {
            format!("end as {:?} with {:?} because `{}`", end.outcome, end.output.0, end.reason.0)
        }
        Kind::SetVariables(values) => format!("set {:?}", values.0),
        Kind::Noop => "noop".to_owned(),
        Kind::Command(_) | Kind::Http(_) | Kind::Each(_) => "?".to_owned(),
    }
}

fn evaluate(value: &Evaluate) -> String {
    match value {
        Evaluate::Tree(tree) => format!("{:?}", tree.0),
        Evaluate::Script { language, source, .. } => format!("{language} `{source}`"),
        Evaluate::Expression(_) | Evaluate::Rules(_) => "?".to_owned(),
    }
}

/// A task of this type with these further properties.
fn task(kind: &str, name: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"name":"{name}","taskReferenceName":"{name}","type":"{kind}"{comma}{more}}}"#)
}

fn simple(name: &str) -> String {
    task("SIMPLE", name, "")
}

/// Tasks one after the other.
fn all(tasks: &[String]) -> String {
    tasks.join(",")
}

#[test]
fn a_sequence_is_a_chain() {
    assert_snapshot!(picture(&all(&[
        task("SIMPLE", "a", r#""inputParameters":{"x":"${workflow.input.x}"}"#),
        task("FOO", "b", ""),
        task("NOOP", "c", ""),
        task("SET_VARIABLE", "d", r#""inputParameters":{"q":1}"#),
    ])), @r#"
    a: a {"x":"${workflow.input.x}"}
    b: FOO {}
      <- a and on
    c: noop
      <- b and on
    d: set {"q":1}
      <- c and on
    "#);
}

#[test]
fn a_fork_opens_its_join_after_its_branches() {
    let branches = format!(r#""forkTasks":[[{},{}],[{}],[]]"#, simple("a1"), simple("a2"), simple("b1"));
    assert_snapshot!(picture(&all(&[
        task("FORK_JOIN", "f", &branches),
        task("JOIN", "j", r#""joinOn":["a2","b1"]"#),
        simple("after"),
    ])), @r"
    f: noop
    a1: a1 {}
      <- f on success
    a2: a2 {}
      <- a1 and on
    b1: b1 {}
      <- f on success
    j: join, opened by Some(0)
      <- f and on
      <- a2 in any case
      <- b1 in any case
    after: after {}
      <- j and on
    ");
}

#[test]
fn a_join_waits_for_all_if_a_branch_is_permissive() {
    let branch = task("SIMPLE", "a", r#""permissive":true"#);
    let fork = task("FORK_JOIN", "f", &format!(r#""forkTasks":[[{branch}]]"#));
    let picture = picture(&all(&[fork, task("JOIN", "j", r#""joinOn":["a"]"#)]));
    assert!(picture.contains("j: join permissive"), "{picture}");
}

#[test]
fn a_join_without_a_fork_begins_when_what_stands_before_it_has_ended() {
    assert_snapshot!(picture(&all(&[simple("a"), simple("b"), task("JOIN", "j", r#""joinOn":["a","b"]"#)])), @r"
    a: a {}
    b: b {}
      <- a and on
    j$gate: noop
      <- b and on
    j: join, opened by Some(2)
      <- j$gate and on
      <- a in any case
      <- b in any case
    ");
}

#[test]
fn what_follows_a_switch_follows_whichever_case_was_chosen() {
    let cases = format!(
        r#""evaluatorType":"value-param","expression":"k","inputParameters":{{"k":"${{workflow.input.k}}"}},
        "decisionCases":{{"x":[{},{}],"empty":[]}},"defaultCase":[{}]"#,
        simple("x1"),
        simple("x2"),
        simple("d1")
    );
    assert_snapshot!(picture(&all(&[task("SWITCH", "s", &cases), simple("after")])), @r#"
    s: switch "${workflow.input.k}" over ["x", "empty"]
    x1: x1 {}
      <- s if x
    x2: x2 {}
      <- x1 and on
    d1: d1 {}
      <- s otherwise
    after (any): after {}
      <- x2 and on
      <- s if empty
      <- d1 and on
      <- s and on
    "#);
}

#[test]
fn a_switch_without_default_goes_on() {
    let cases = format!(
        r#""evaluatorType":"javascript","expression":"`${{$.a}}`","decisionCases":{{"x":[{}]}}"#,
        simple("x1")
    );
    assert_snapshot!(picture(&all(&[task("SWITCH", "s", &cases), simple("after")])), @r#"
    s: switch javascript ``$${$.a}`` over ["x"]
    x1: x1 {}
      <- s if x
    after (any): after {}
      <- x1 and on
      <- s otherwise
      <- s and on
    "#);
}

#[test]
fn an_empty_case_of_a_decision_is_the_default() {
    let cases = format!(
        r#""caseValueParam":"k","inputParameters":{{"k":"q"}},"decisionCases":{{"x":[],"y":[{}]}},"defaultCase":[{}]"#,
        simple("y1"),
        simple("d1")
    );
    assert_snapshot!(picture(&task("DECISION", "s", &cases)), @r#"
    s: switch "q" over ["y"]
    y1: y1 {}
      <- s if y
    d1: d1 {}
      <- s otherwise
    "#);
}

#[test]
fn an_exclusive_join_follows_the_first_that_comes() {
    let cases = format!(
        r#""evaluatorType":"value-param","expression":"k","decisionCases":{{"x":[{}],"y":[]}},"defaultCase":[{}]"#,
        simple("x1"),
        simple("d1")
    );
    let join = r#""joinOn":["x1","d1"],"defaultExclusiveJoinTask":["s"]"#;
    assert_snapshot!(picture(&all(&[task("SWITCH", "s", &cases), task("EXCLUSIVE_JOIN", "j", join)])), @r#"
    s: switch null over ["x", "y"]
    x1: x1 {}
      <- s if x
    d1: d1 {}
      <- s otherwise
    j$gate (any): "${s.output}"
      <- s if y
      <- s and on
    j (any): join exclusive, opened by None
      <- x1 and on
      <- d1 and on
      <- j$gate and on
    "#);
}

#[test]
fn a_loop_has_a_scope_of_its_own() {
    let body = format!(
        r#""inputParameters":{{"value":2,"keepLastN":3}},"loopCondition":"$.l['iteration'] < $.value","loopOver":[{},{}]"#,
        simple("a"),
        task(
            "DO_WHILE",
            "inner",
            &format!(r#""loopCondition":"","items":"${{workflow.input.l}}","loopOver":[{}]"#, simple("b"))
        )
    );
    assert_snapshot!(picture(&all(&[task("DO_WHILE", "l", &body), simple("after")])), @r#"
    l: loop while javascript `$.l['iteration'] < $.value`, items None, keep last Some(3)
      | a: a {}
      | inner: loop while once, items Some("${workflow.input.l}"), keep last None
      |   <- a and on
      |   | b: b {}
    after: after {}
      <- l and on
    "#);
}

#[test]
fn sub_workflows_describe_what_they_run() {
    let inline = r#""inputParameters":{"z":"${workflow.input.z}"},"subWorkflowParam":{"name":"child","version":2,
        "workflowDefinition":{"name":"inner","tasks":[{"inputParameters":{"q":"${workflow.input.q}"}}]}}"#;
    let start = r#""inputParameters":{"startWorkflow":{"name":"x"}}"#;
    assert_snapshot!(picture(&all(&[task("SUB_WORKFLOW", "s", inline), task("START_WORKFLOW", "t", start)])), @r#"
    s: run {"subWorkflowName":"child","subWorkflowVersion":null} with {"subWorkflowDefinition":{"name":"inner","tasks":[{"inputParameters":{"q":"$${workflow.input.q}"}}]},"workflowInput":{"z":"${workflow.input.z}"},"subWorkflowTaskToDomain":null,"idempotencyKey":null,"subWorkflowName":"child","priority":null,"subWorkflowVersion":null,"idempotencyStrategy":null}
    t: start {"startWorkflow":{"name":"x"}}
      <- s and on
    "#);
}

#[test]
fn scripts_see_the_input_of_their_task() {
    assert_snapshot!(picture(&all(&[
        task("INLINE", "i", r#""inputParameters":{"expression":"(function () { return $.x })()"}"#),
        task("INLINE", "v", r#""inputParameters":{"evaluatorType":"value-param","expression":"q","q":"${workflow.input.q}"}"#),
        task("LAMBDA", "l", r#""inputParameters":{"scriptExpression":"return 1"}"#),
        task("JSON_JQ_TRANSFORM", "q", r#""inputParameters":{"queryExpression":".a"}"#),
    ])), @r#"
    i: javascript `(function () { return $.x })()`
    v: {"result":"${workflow.input.q}"}
      <- i and on
    l: lambda `return 1`
      <- v and on
    q: jq `.a`
      <- l and on
    "#);
}

#[test]
fn waits_ends_and_calls() {
    assert_snapshot!(picture(&all(&[
        task("WAIT", "w1", r#""inputParameters":{"duration":"1 hours"}"#),
        task("WAIT", "w2", r#""inputParameters":{"until":"${workflow.input.until}"}"#),
        task("WAIT", "w3", ""),
        task("HUMAN", "h", ""),
        task("YIELD", "y", ""),
        task("HTTP", "c", r#""asyncComplete":true,"inputParameters":{"uri":"http://x"}"#),
        task("HTTP_POLL", "p", r#""inputParameters":{"http_request":{"terminationCondition":"x"}}"#),
        task("TERMINATE", "t", r#""inputParameters":{"terminationStatus":"FAILED","workflowOutput":5,"terminationReason":"${c.output.r}"}"#),
    ])), @r#"
    w1: wait 1 hours
    w2: wait until ${workflow.input.until}
      <- w1 and on
    w3: wait for a signal
      <- w2 and on
    h: wait for a signal
      <- w3 and on
    y: wait for a signal
      <- h and on
    c: HTTP by the server, ended from outside {"uri":"http://x","asyncComplete":true}
      <- y and on
    p: HTTP_POLL by the server {"http_request":{"terminationCondition":"x"},"asyncComplete":false}
      <- c and on
    t: end as Failed with {"output":5} because `${c.output.r}`
      <- p and on
    "#);
}

#[test]
fn dynamic_tasks_are_expanded_when_they_begin() {
    let fork = r#""dynamicForkTasksParam":"t","dynamicForkTasksInputParamName":"i""#;
    assert_snapshot!(picture(&all(&[
        task("FORK_JOIN_DYNAMIC", "f", fork),
        task("JOIN", "j", r#""joinOn":["whatever"]"#),
        task("DYNAMIC", "d", r#""dynamicTaskNameParam":"n""#),
    ])), @r"
    f: expand, stands for branch: false
    j: join, opened by Some(0)
      <- f and on
    d: expand, stands for branch: true
      <- j and on
    ");
}

#[test]
fn a_template_fills_keys_that_are_missing_or_null() {
    let template = r#""inputParameters":{"a":null,"b":2},"taskDefinition":{"name":"t","inputTemplate":{"a":7,"b":8,"c":"${workflow.input.c}"}}"#;
    assert_snapshot!(picture(&task("SIMPLE", "t", template)), @r#"t: t {"b":2,"a":7,"c":"${workflow.input.c}"}"#);
}

#[test]
fn the_workflow_brings_its_output_time_and_what_follows_a_failure() {
    let def = r#"{"name":"w","timeoutPolicy":"TIME_OUT_WF","timeoutSeconds":5,"failureWorkflow":"f","failureWorkflowVersion":2,
        "variables":{"v":"${x}"},"outputParameters":{"o":{"p":"${a.output.p}"}},"tasks":[]}"#;
    let definition = super::lower(&wire::read(def.as_bytes()).unwrap()).unwrap();
    assert_eq!(definition.timeout, Some(std::time::Duration::from_secs(5)));
    assert_eq!(definition.output.unwrap().0.render(), r#"{"o":{"p":"${a.output.p}"}}"#);
    assert_eq!(definition.variables.0.render(), r#"{"v":"$${x}"}"#);
    assert_eq!(definition.failure_flow.unwrap().0.render(), r#"{"name":"f","version":2}"#);
    let told = r#"{"name":"w","timeoutSeconds":5,"failureWorkflow":"$.workflow.input.f","tasks":[]}"#;
    let definition = super::lower(&wire::read(told.as_bytes()).unwrap()).unwrap();
    assert_eq!((definition.timeout, definition.output), (None, None));
    assert_eq!(
        definition.failure_flow.unwrap().0.render(),
        r#"{"name":"${workflow.input.f}","version":null}"#
    );
}
