//! Names, edges, cycles, and tasks that can never run.

use insta::assert_snapshot;
use partitur_model::definition::{Guard, Trigger};

use super::document::*;
use super::told;

#[test]
fn a_sound_document_has_no_faults() {
    let tasks = vec![run("a", &["true"]), run("b", &["echo", "${a.output}"]).needs(&["a"])];
    assert_eq!(told(&document(tasks)), "");
}

#[test]
fn a_cycle_is_shown_as_a_path() {
    assert_snapshot!(told(&document(vec![
        run("begin", &["true"]),
        run("load", &["true"]).needs(&["begin", "report"]),
        run("sum", &["true"]).needs(&["load"]),
        run("report", &["true"]).needs(&["sum"]),
        run("tell", &["true"]).needs(&["report"]),
    ])), @r#"
    error[P0203] tasks.load.needs[1]: these tasks wait for each other: load -> sum -> report -> load
      ^ closes the cycle
      hint: take one of these needs away, for example that of `load` for `report`
    "#);
}

#[test]
fn a_cycle_in_a_body_is_found_too() {
    let ring = vec![run("a", &["true"]).needs(&["b"]), run("b", &["true"]).needs(&["a"])];
    assert_snapshot!(told(&document(vec![each("fan", "[1, 2]", ring)])), @r#"
    error[P0203] tasks.fan.tasks.a.needs[0]: these tasks wait for each other: a -> b -> a
      ^ closes the cycle
      hint: take one of these needs away, for example that of `a` for `b`
    "#);
}

#[test]
fn a_task_cannot_wait_for_itself() {
    assert_snapshot!(told(&document(vec![run("a", &["true"]).needs(&["a"])])), @r#"
    error[P0204] tasks.a.needs[0]: task `a` waits for itself
      ^ the task itself
      hint: remove it; to repeat a task, use `loop`
    "#);
}

#[test]
fn names_are_unique_in_a_scope() {
    let inner = vec![run("a", &["true"])];
    assert_snapshot!(
        told(&document(vec![run("a", &["true"]), each("fan", "[1]", inner), run("a", &["false"])])), @r#"
    error[P0205] tasks.a: there are two tasks named `a`
      ^ taken already
      hint: give one of them another name
    "#);
}

#[test]
fn an_edge_to_nowhere_is_refused() {
    assert_snapshot!(told(&document(vec![run("a", &["true"]).needs(&["gone"])])), @r#"
    error[P0206] tasks.a.needs[0]: an edge leads from task 4294967295 to task 0 of 1
      ^ leads nowhere
    "#);
}

#[test]
fn success_and_failure_never_come_together() {
    let tasks = vec![
        run("load", &["true"]),
        run("both", &["true"]).needs(&["load"]).needs_on("load", Guard::Failure),
        run("after", &["true"]).needs(&["both"]),
        run("later", &["true"]).needs(&["after"]),
        run("anyway", &["true"]).needs_on("both", Guard::Any),
    ];
    assert_snapshot!(told(&document(tasks)), @r#"
    error[P0207] tasks.both.needs[1]: task `both` waits for the success and for the failure of `load`, which never come together
      ^ never with the other
      hint: with `trigger: any` one of them is enough; 2 more tasks wait for it in vain
    "#);
}

#[test]
fn either_is_enough_for_a_task_that_is_triggered_by_any() {
    let either = run("either", &["true"]).needs(&["load"]).needs_on("load", Guard::Failure);
    let either = either.with(|node| node.trigger = Trigger::Any);
    assert_eq!(told(&document(vec![run("load", &["true"]), either])), "");
}

#[test]
fn an_optional_task_fails_and_lets_both_go_on() {
    let load = run("load", &["true"]).with(|node| node.optional = true);
    let both = run("both", &["true"]).needs(&["load"]).needs_on("load", Guard::Failure);
    assert_eq!(told(&document(vec![load, both])), "");
}

#[test]
fn cases_must_be_those_of_a_switch() {
    let case = |name: &str| Guard::Case(name.into());
    assert_snapshot!(told(&document(vec![
        switch("which", "1", &["small", "large"]),
        run("known", &["true"]).needs_on("which", case("small")),
        run("default", &["true"]).needs_on("which", Guard::DefaultCase),
        run("unknown", &["true"]).needs_on("which", case("medium")),
        run("two", &["true"]).needs_on("which", case("small")).needs_on("which", case("large")),
        run("none", &["true"]).needs_on("known", case("small")),
    ])), @r#"
    error[P0208] tasks.unknown.needs[0]: task `unknown` waits for the case `medium` of `which`, which has no such case
      ^ no such case
      hint: its cases are small, large
    error[P0207] tasks.two.needs[1]: task `two` waits for the case `small` and for the case `large` of `which`, which never come together
      ^ never with the other
      hint: its cases are small, large
    error[P0208] tasks.none.needs[0]: task `none` waits for the case `small` of `known`, which has no such case
      ^ no such case
      hint: only a `switch` has cases
    "#);
}

#[test]
fn flows_must_be_there_and_must_not_contain_themselves() {
    let mut main = document(vec![sub_flow("close", "a.yaml", "{}"), sub_flow("open", "x.yaml", "{}")]);
    main.flows.insert("a.yaml".into(), flow("a.yaml", vec![sub_flow("b", "b.yaml", "{}")]));
    main.flows.insert("b.yaml".into(), flow("b.yaml", vec![sub_flow("a", "a.yaml", "{}")]));
    assert_snapshot!(told(&main), @r#"
    error[P0209] tasks.close.flow: the flow `a.yaml` contains itself: a.yaml -> b.yaml -> a.yaml
      ^ leads back
      hint: to repeat tasks, use `loop`
    error[P0217] tasks.open.flow: there is no flow `x.yaml`
      ^ unknown flow
    error[P0209] a.yaml#tasks.b.flow: the flow `b.yaml` contains itself: b.yaml -> a.yaml -> b.yaml
      ^ leads back
      hint: to repeat tasks, use `loop`
    error[P0209] b.yaml#tasks.a.flow: the flow `a.yaml` contains itself: a.yaml -> b.yaml -> a.yaml
      ^ leads back
      hint: to repeat tasks, use `loop`
    "#);
}

#[test]
fn sub_flows_are_checked_at_places_of_their_own() {
    let mut main = document(vec![sub_flow("close", "a.yaml", "{}")]);
    let mut inner = flow("a.yaml", vec![run("x", &["echo", "${y.output}"])]);
    std::sync::Arc::make_mut(&mut inner).outputs.push(("rows".into(), "${z.output}".into()));
    main.flows.insert("a.yaml".into(), inner);
    assert_snapshot!(told(&main), @r#"
    error[P0210] a.yaml#tasks.x.run[1] 2..3: `y` is no task, and nothing else that is known
      ^ unknown name
      hint: did you mean `x`?
    error[P0210] a.yaml#outputs.rows 2..3: `z` is no task, and nothing else that is known
      ^ unknown name
      hint: did you mean `x`?
    "#);
}
