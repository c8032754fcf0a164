//! Tasks that may get into each other's way.

use insta::assert_snapshot;
use partitur_model::definition::{Guard, Items};

use super::document::*;
use super::told;

fn a(name: &str) -> Task {
    run(name, &["true"])
}

#[test]
fn two_tasks_without_order_must_not_touch_what_one_of_them_writes() {
    assert_snapshot!(told(&document(vec![
        a("load").writes("data/orders.db"),
        a("report").reads("./data/*.db"),
        a("sum").reads("data/orders.db").needs(&["load"]),
        a("other").reads("data/orders.csv"),
    ])), @r#"
    warning[P0320] tasks.report.reads[0]: `load` writes `data/orders.db` while `report` may read `./data/*.db`
      ^ at the same time
      hint: add `load` to the `needs` of `report`, or give both the lock `file:data/orders.db`; shared is enough for reading
    "#);
}

#[test]
fn locks_on_the_same_thing_make_tasks_take_turns() {
    let both = |lock: fn(Task) -> Task| {
        told(&document(vec![lock(a("load").writes("data/x")), lock(a("store").writes("data/x"))]))
    };
    assert_eq!(both(|task| task.locks("file:data/x")), "");
    assert_eq!(both(|task| task.locks("dir:data")), "");
    assert_snapshot!(both(|task| task.shares("file:data/x")), @r#"
    warning[P0320] tasks.store.writes[0]: `load` writes `data/x` while `store` may write it
      ^ at the same time
      hint: add `load` to the `needs` of `store`, or hold `file:data/x` exclusively where it is written
    "#);
    assert_snapshot!(both(|task| task.locks("service:db")), @r#"
    warning[P0320] tasks.store.writes[0]: `load` writes `data/x` while `store` may write it
      ^ at the same time
      hint: add `load` to the `needs` of `store`, or give both the lock `file:data/x`
    "#);
}

#[test]
fn a_lock_that_only_one_has_is_named_for_the_other() {
    let tasks = vec![a("load").writes("data/x").locks("file:data/x"), a("look").reads("data/x")];
    assert_snapshot!(told(&document(tasks)), @r#"
    warning[P0320] tasks.look.reads[0]: `load` writes `data/x` while `look` may read it
      ^ at the same time
      hint: add `load` to the `needs` of `look`, or give `look` the lock `file:data/x` too; shared is enough for reading
    "#);
}

#[test]
fn branches_of_a_for_each_race_with_each_other() {
    assert_snapshot!(told(&document(vec![spread("[1, 2]", a("fan").writes("out/total"))])), @r#"
    warning[P0320] tasks.fan.writes[0]: the branches of `fan` may write `out/total` at the same time
      ^ at the same time
      hint: set `max-parallel: 1` on `fan`, or give `fan` the lock `file:out/total`
    "#);
    let alone = spread("[1, 2]", a("fan").writes("out/total")).with_each(|each| each.max_parallel = Some(1));
    assert_eq!(told(&document(vec![alone])), "");
    assert_eq!(told(&document(vec![spread("[1]", a("fan").writes("out/total"))])), "");
    let locked = spread("[1, 2]", a("fan").writes("out/total").locks("file:out/total"));
    assert_eq!(told(&document(vec![locked])), "");
}

#[test]
fn paths_that_name_the_element_are_those_of_one_branch() {
    for path in ["out/${each.value}.csv", "out/${each.index}", "out/${each.value.id}/x", "${each.key}"] {
        assert_eq!(told(&document(vec![spread("[1, 2]", a("fan").writes(path))])), "", "{path}");
    }
    let pair = vec![a("x").writes("out/${each.value}"), a("y").reads("out/${each.value}").needs(&["x"])];
    assert_eq!(told(&document(vec![each("fan", "[1, 2]", pair)])), "");
    let pair = vec![a("x").writes("out/${each.value}"), a("y").reads("out/*").needs(&["x"])];
    assert_snapshot!(told(&document(vec![each("fan", "[1, 2]", pair)])), @r#"
    warning[P0320] tasks.fan.tasks.y.reads[0]: `x` writes `out/${each.value}` while `y` in another branch of `fan` may read `out/*`
      ^ at the same time
      hint: set `max-parallel: 1` on `fan`, or give both the lock `dir:out`; shared is enough for reading
    "#);
}

#[test]
fn an_element_of_an_outer_branch_does_not_tell_inner_ones_apart() {
    let inner = spread("[3, 4]", a("in").writes("out/${each.value}"));
    assert_snapshot!(told(&document(vec![each("fan", "[1, 2]", vec![inner])])), @r#"
    warning[P0320] tasks.fan.tasks.in.writes[0]: the branches of `fan` may write `out/${each.value}` at the same time
      ^ at the same time
      hint: set `max-parallel: 1` on `fan`, or give `in` the lock `file:out/${each.value}`
    "#);
}

#[test]
fn only_all_axes_tell_combinations_apart() {
    let with = |path: &str| {
        let matrix = spread("[]", a("m").writes(path)).with_each(|each| {
            let axes = [("os", "[1, 2]"), ("db", "[1, 2]")];
            each.items = Items::Matrix(axes.map(|(name, list)| (name.to_owned(), tree(list))).to_vec());
        });
        told(&document(vec![matrix]))
    };
    assert_eq!(with("out/${matrix.os}-${matrix.db}.csv"), "");
    assert_eq!(with("out/${matrix.os}/${matrix.db}/x"), "");
    assert_snapshot!(with("out/${matrix.os}"), @r#"
    warning[P0320] tasks.m.writes[0]: the branches of `m` may write `out/${matrix.os}` at the same time
      ^ at the same time
      hint: set `max-parallel: 1` on `m`, or give `m` the lock `file:out/${matrix.os}`
    "#);
}

#[test]
fn tasks_in_bodies_race_with_those_outside() {
    assert_snapshot!(told(&document(vec![
        each("fan", "[1, 2]", vec![a("x").reads("data/x")]),
        a("store").writes("data"),
        a("late").writes("data").needs(&["fan", "store"]),
    ])), @r#"
    warning[P0320] tasks.store.writes[0]: `x` reads `data/x` while `store` may write `data`
      ^ at the same time
      hint: add `fan` to the `needs` of `store`, or give both the lock `file:data/x`; shared is enough for reading
    "#);
}

#[test]
fn an_unknown_part_of_a_path_may_be_anything() {
    let mut it = document(vec![a("x").writes("out/${inputs.name}.csv"), a("y").reads("out/total.csv")]);
    it.inputs.push(input("name", partitur_model::definition::InputKind::String));
    assert_snapshot!(told(&it), @r#"
    warning[P0320] tasks.y.reads[0]: `x` writes `out/${inputs.name}.csv` while `y` may read `out/total.csv`
      ^ at the same time
      hint: add `x` to the `needs` of `y`, or give both the lock `file:out/total.csv`; shared is enough for reading
    "#);
}

#[test]
fn tasks_that_exclude_each_other_do_not_race() {
    let case = |name: &str| Guard::Case(name.into());
    assert_eq!(
        told(&document(vec![
            switch("which", "1", &["small", "large"]),
            a("small").needs_on("which", case("small")).writes("out"),
            a("large").needs_on("which", case("large")),
            a("after").needs(&["large"]).writes("out"),
        ])),
        ""
    );
    assert_eq!(
        told(&document(vec![
            a("load"),
            a("done").needs(&["load"]).writes("out"),
            a("tell").needs_on("load", Guard::Failure).writes("out"),
        ])),
        ""
    );
}

/// A document with a sub-flow `close`, which has these tasks and an input `month`.
fn with_close(tasks: Vec<Task>, inner: Vec<Task>) -> partitur_model::definition::Definition {
    let mut it = document(tasks);
    let mut close = (*flow("close", inner)).clone();
    close.inputs.push(input("month", partitur_model::definition::InputKind::String));
    it.flows.insert("close".into(), close.into());
    it
}

#[test]
fn tasks_of_a_sub_flow_race_with_those_outside() {
    let tasks = || vec![a("load").writes("data/x"), sub_flow("end", "close", r#"{"month": "may"}"#)];
    let inner = || vec![a("sum").reads("data/x")];
    assert_snapshot!(told(&with_close(tasks(), inner())), @r#"
    warning[P0320] close#tasks.sum.reads[0]: `load` writes `data/x` while `end/sum` may read it
      ^ at the same time
      hint: add `load` to the `needs` of `end`, or give both the lock `file:data/x`; shared is enough for reading
    "#);
    let mut ordered = tasks();
    ordered[1] = sub_flow("end", "close", r#"{"month": "may"}"#).needs(&["load"]);
    assert_eq!(told(&with_close(ordered, inner())), "");
    let locked = vec![a("load").writes("data/x").locks("file:data/x"), tasks().remove(1)];
    assert_eq!(told(&with_close(locked, vec![a("sum").reads("data/x").shares("file:data/x")])), "");
}

#[test]
fn a_race_within_a_sub_flow_is_told_once() {
    let inner = vec![a("sum").writes("data/x"), a("look").reads("data/x")];
    let tasks = vec![sub_flow("end", "close", r#"{"month": "may"}"#), a("side").reads("data/y")];
    assert_snapshot!(told(&with_close(tasks, inner)), @r#"
    warning[P0320] close#tasks.look.reads[0]: `sum` writes `data/x` while `look` may read it
      ^ at the same time
      hint: add `sum` to the `needs` of `look`, or give both the lock `file:data/x`; shared is enough for reading
    "#);
}

#[test]
fn a_sub_flow_that_runs_twice_at_once_races_with_itself() {
    let twice = |one: &str, other: &str, path: &str| {
        let tasks = vec![sub_flow("one", "close", one), sub_flow("other", "close", other)];
        told(&with_close(tasks, vec![a("sum").writes(path)]))
    };
    let (may, june) = (r#"{"month": "may"}"#, r#"{"month": "june"}"#);
    assert_snapshot!(twice(may, june, "data/total"), @r#"
    warning[P0320] close#tasks.sum.writes[0]: `one/sum` writes `data/total` while `other/sum` may write it
      ^ at the same time
      hint: add `one` to the `needs` of `other`, or give both the lock `file:data/total`
    "#);
    assert_snapshot!(twice(may, may, "data/${inputs.month}"), @r#"
    warning[P0320] close#tasks.sum.writes[0]: `one/sum` writes `data/may` while `other/sum` may write it
      ^ at the same time
      hint: add `one` to the `needs` of `other`, or give both the lock `file:data/may`
    "#);
    assert_eq!(twice(may, june, "data/${inputs.month}"), "", "what each is given tells them apart");
}

#[test]
fn a_sub_flow_in_each_branch_is_told_apart_by_what_it_is_given() {
    let fan = |month: &str| {
        let sub = sub_flow("end", "close", &format!(r#"{{"month": "{month}"}}"#));
        told(&with_close(
            vec![each("fan", "[1, 2]", vec![sub])],
            vec![a("sum").writes("data/${inputs.month}")],
        ))
    };
    assert_eq!(fan("${each.value}"), "");
    assert_snapshot!(fan("may"), @r#"
    warning[P0320] close#tasks.sum.writes[0]: the branches of `fan` may write `data/may` at the same time
      ^ at the same time
      hint: set `max-parallel: 1` on `fan`, or give `end/sum` the lock `file:data/may`
    "#);
}

#[test]
fn many_races_are_counted() {
    let tasks = (0..30).map(|at| a(&format!("t{at}")).writes("out"));
    let text = told(&document(tasks.collect()));
    assert_eq!(text.lines().filter(|line| line.starts_with("warning[P0320] tasks.")).count(), 100);
    assert!(text.contains("there are 335 more potential races"), "{text}");
}
