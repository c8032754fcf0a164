//! What expressions name.

use insta::assert_snapshot;
use partitur_model::definition::{Dialect, Http, InputKind, Kind, Retry};

use super::document::*;
use super::told;

#[test]
fn unknown_names_come_with_a_guess() {
    let mut it = document(vec![
        run("orders", &["true"]),
        run("report", &["echo", "of ${order.output}", "${nobody.output.rows}"]).needs(&["orders"]),
    ]);
    it.outputs.push(("rows".into(), "${ordrs.output.rows}".into()));
    assert_snapshot!(told(&it), @r#"
    error[P0210] tasks.report.run[1] 5..10: `order` is no task, and nothing else that is known
      ^ unknown name
      hint: did you mean `orders`?
    error[P0210] tasks.report.run[2] 2..8: `nobody` is no task, and nothing else that is known
      ^ unknown name
      hint: known are the names of tasks, inputs, env, self, each, matrix, run
    error[P0210] outputs.rows 2..7: `ordrs` is no task, and nothing else that is known
      ^ unknown name
      hint: did you mean `orders`?
    "#);
}

#[test]
fn unknown_members_come_with_a_guess() {
    assert_snapshot!(told(&document(vec![
        run("orders", &["true"]),
        run("report", &["echo", "${orders.outptu}", "${orders.rows}", "${orders.error.mesage}", "${run.nr}"])
            .needs(&["orders"]),
    ])), @r#"
    error[P0211] tasks.report.run[1] 2..15: task `orders` has no `outptu`
      ^ unknown
      hint: did you mean `output`?
    error[P0211] tasks.report.run[2] 2..13: task `orders` has no `rows`
      ^ unknown
      hint: what a task yields is under `output`: `orders.output.rows`
    error[P0211] tasks.report.run[3] 2..21: an error has no `mesage`
      ^ unknown
      hint: did you mean `message`?
    error[P0211] tasks.report.run[4] 2..8: `run` has no `nr`
      ^ unknown
      hint: it has id, number, name, started, error, variables
    "#);
}

#[test]
fn a_task_must_have_ended_before_it_is_named() {
    assert_snapshot!(told(&document(vec![
        run("orders", &["true"]),
        run("close", &["true"]).needs(&["orders"]),
        run("report", &["echo", "${orders.output}", "${other.output}"]).needs(&["close"]),
        run("other", &["echo", "${report.output}"]).when("late.output == 1"),
        run("late", &["true"]).needs(&["other"]),
    ])), @r#"
    error[P0212] tasks.report.run[2] 2..14: task `report` uses `other`, but does not wait for it
      ^ may not have ended
      hint: add `other` to the `needs` of `report`
    error[P0212] tasks.other.run[1] 2..15: task `other` uses `report`, but does not wait for it
      ^ may not have ended
      hint: add `report` to the `needs` of `other`
    error[P0212] tasks.other.when 0..11: task `other` uses `late`, which comes after it
      ^ may not have ended
      hint: turn their order round, or take `late` out of the expression
    "#);
}

#[test]
fn tasks_in_bodies_see_what_is_before_the_body() {
    let inner = || {
        vec![run("x", &["${before.output}", "${after.output}", "${fan.output}"]), run("y", &["${x.output}"])]
    };
    assert_snapshot!(told(&document(vec![
        run("before", &["true"]),
        run("after", &["true"]),
        each("fan", "${before.output}", inner()).needs(&["before"]),
        run("end", &["${fan.output}", "${x.output}"]).needs(&["fan"]),
    ])), @r#"
    error[P0212] tasks.fan.tasks.x.run[1] 2..14: task `x` uses `after`, but does not wait for it
      ^ may not have ended
      hint: add `after` to the `needs` of `fan`
    error[P0212] tasks.fan.tasks.x.run[2] 2..12: task `x` uses `fan`, which is around it and has not ended
      ^ may not have ended
      hint: name a task before it instead
    error[P0212] tasks.fan.tasks.y.run[0] 2..10: task `y` uses `x`, but does not wait for it
      ^ may not have ended
      hint: add `x` to the `needs` of `y`
    error[P0210] tasks.end.run[1] 2..10: `x` is inside of `fan`, where each branch has its own
      ^ in every branch
      hint: `fan.output` is the list of what the branches yield
    "#);
}

#[test]
fn loops_show_their_body_to_their_condition_and_to_later_tasks() {
    let body = || vec![run("ask", &["${rounds.iteration}", "${each.index}"])];
    assert_eq!(
        told(&document(vec![
            repeat("rounds", "ask.output.more == true and self.iteration == 3", body()),
            run("end", &["${ask.output}"]).needs(&["rounds"]),
        ])),
        ""
    );
    assert_snapshot!(told(&document(vec![
        repeat("rounds", "end.output", body()),
        run("end", &["${ask.output}"]),
    ])), @r#"
    error[P0212] tasks.rounds.loop.while 0..10: task `rounds` uses `end`, but does not wait for it
      ^ may not have ended
      hint: add `end` to the `needs` of `rounds`
    error[P0212] tasks.end.run[0] 2..12: task `end` uses `ask`, but does not wait for it
      ^ may not have ended
      hint: let `end` wait for the task around `ask`
    "#);
}

#[test]
fn heads_mean_something_only_in_their_place() {
    let fan = spread(
        "${each.value}",
        run("fan", &["${each.value}", "${each.valeu}", "${matrix.os}", "${fan.output}"]),
    );
    let call = task(
        "call",
        Kind::Http(Http {
            url: "http://x/${matrix.os}/${each.value}/${self.output}".into(),
            ..Http::default()
        }),
    );
    let mut it = document(vec![fan, call.when("self.attempt > 1")]);
    it.env.push(("A".into(), "${fan.output} ${run.id} ${env.A}".into()));
    assert_snapshot!(told(&it), @r#"
    error[P0213] env.A 2..12: `fan` is not known here: no task has run by then
      ^ no meaning here
      hint: name an input instead
    error[P0213] env.A 26..31: `env` is not known here
      ^ no meaning here
      hint: name an input instead
    error[P0213] tasks.fan.for-each 2..12: `each` means nothing outside of a `for-each`
      ^ no meaning here
      hint: give the task a `for-each`
    error[P0211] tasks.fan.run[1] 2..12: `each` has no `valeu`
      ^ unknown
      hint: did you mean `value`?
    error[P0213] tasks.fan.run[2] 2..11: `matrix` means nothing outside of a `matrix`
      ^ no meaning here
      hint: in a `for-each` use `each.value`
    error[P0216] tasks.fan.run[3] 2..12: task `fan` uses itself
      ^ the task itself
      hint: in `undo` and `retry`, `self` is the task itself; before it runs, it has nothing to give
    error[P0213] tasks.call.http.url 11..20: `matrix` means nothing outside of a `matrix`
      ^ no meaning here
      hint: in a `for-each` use `each.value`
    error[P0213] tasks.call.http.url 24..34: `each` means nothing outside of a `for-each`
      ^ no meaning here
      hint: give the task a `for-each`
    error[P0213] tasks.call.http.url 38..49: the task has no output yet
      ^ no meaning here
      hint: its output is known in `undo`, `retry` and later tasks
    error[P0213] tasks.call.when 0..12: `self` means nothing here
      ^ no meaning here
      hint: name a task that has ended instead
    "#);
}

#[test]
fn a_task_sees_its_own_output_when_it_has_one() {
    let retry = Retry {
        condition: Some(partitur_model::definition::Expression("self.error.code == 'x'".into())),
        until: Some(partitur_model::definition::Expression("self.output.done".into())),
        ..Retry::default()
    };
    let it = run("a", &["${self.attempt}"]).with(|node| node.retry = Some(retry.into()));
    assert_eq!(told(&document(vec![it])), "");
}

#[test]
fn inputs_and_variables_must_be_declared() {
    let mut it = document(vec![run("a", &["${inputs.month}", "${inputs.mnth}", "${env.LANG}", "${env.LC}"])]);
    it.inputs.push(input("month", InputKind::String));
    it.env.push(("LANG".into(), "C".into()));
    assert_snapshot!(told(&it), @r#"
    error[P0214] tasks.a.run[1] 2..13: the document declares no input `mnth`
      ^ unknown input
      hint: did you mean `month`?
    error[P0215] tasks.a.run[3] 2..8: the document sets no variable `LC`
      ^ unknown variable
      hint: only the variables under `env` at the top can be named; a script reads all others as `$NAME`
    "#);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let with = sub_flow("sub", "x", r#"{"a": {"b": ["${", "${ok.output}"]}}"#);
    let mut it = document(vec![run("a", &["${a b}"]).when("1 +"), with]);
    it.flows.insert("x".into(), flow("x", vec![run("ok", &["true"])]));
    assert_snapshot!(told(&it), @r#"
    error[P0201] tasks.a.run[0] 4..5: unexpected `b` after the path
      ^ here
      hint: `${…}` holds a path and computes nothing; a key with such a character is written `['a key']`
    error[P0201] tasks.a.when 3..3: expected a value, found the end
      ^ here
    error[P0218] tasks.sub.with.a: the flow `x` takes no input `a`
      ^ unknown input
    error[P0201] tasks.sub.with.a.b[0] 0..2: `${` has no `}`
      ^ here
      hint: write `$${` where the text itself is meant
    error[P0210] tasks.sub.with.a.b[1] 2..4: `ok` is no task, and nothing else that is known
      ^ unknown name
      hint: known are the names of tasks, inputs, env, self, each, matrix, run
    "#);
}

#[test]
fn conditions_are_true_or_false() {
    assert_snapshot!(told(&document(vec![
        run("a", &["true"]).when("1"),
        run("b", &["true"]).when("'yes' == 'no'"),
        run("c", &["true"]).when("1 < 'a'"),
    ])), @r#"
    error[P0221] tasks.a.when 0..1: a condition must be true or false, and this is a number: compare it with something
      ^ always fails
    error[P0221] tasks.c.when 0..7: a number and a string cannot be ordered: compare numbers with numbers, strings with strings
      ^ always fails
    "#);
}

#[test]
fn an_order_with_null_is_told() {
    let mut it = document(vec![
        run("orders", &["true"]),
        run("a", &["true"])
            .needs(&["orders"])
            .when("orders.output.rows > 0 and inputs.n > 1 and inputs.m < 2"),
        run("b", &["true"]).needs(&["orders"]).when("default(orders.output.rows, 0) > 0"),
    ]);
    it.inputs.push(input("n", InputKind::Integer));
    it.inputs.push(partitur_model::definition::InputSpec {
        default: Some(partitur_model::Payload::Null),
        kind: None,
        ..input("m", InputKind::Integer)
    });
    assert_snapshot!(told(&it), @r#"
    warning[P0222] tasks.a.when 0..22: `orders.output.rows > 0` is false when a side of it is null
      ^ may compare with null
      hint: say what holds then: `default(x, 0)` gives another value in place of null
    warning[P0222] tasks.a.when 44..56: `inputs.m < 2` is false when a side of it is null
      ^ may compare with null
      hint: say what holds then: `default(x, 0)` gives another value in place of null
    "#);
}

#[test]
fn conductor_takes_what_it_does_not_know_for_null() {
    let mut it = document(vec![run("a", &["${gone.output}"])]);
    it.dialect = Dialect::Conductor;
    assert_eq!(told(&it), "");
}
