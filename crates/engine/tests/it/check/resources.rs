//! What is declared, and what tasks ask for.

use insta::assert_snapshot;
use partitur_model::definition::{BreakerSpec, ClaimMode};

use super::document::*;
use super::told;

fn units(name: &str, resource: &str, units: u32) -> Task {
    run(name, &["true"]).claims(resource, ClaimMode::Exclusive, units)
}

#[test]
fn nobody_gets_more_than_there_is() {
    let mut it = document(vec![
        units("a", "gpu", 3),
        units("b", "tenant:${inputs.who}", 3),
        units("c", "tenant:big", 3),
        units("d", "service:db", 2),
        units("e", "quota", 2),
        units("f", "gpus", 2),
    ]);
    it.inputs.push(input("who", partitur_model::definition::InputKind::String));
    it.resources = vec![resource("gpu", 2), resource("tenant:*", 2), resource("tenant:big", 9)];
    assert_snapshot!(told(&it), @r#"
    error[P0310] tasks.a.locks[0]: 3 units of `gpu` can never be had: there are 2
      ^ too many
      hint: ask for less, or declare more under `resources`
    error[P0310] tasks.b.locks[0]: 3 units of `tenant:${inputs.who}` can never be had: there are 2
      ^ too many
      hint: ask for less, or declare more under `resources`
    error[P0310] tasks.d.locks[0]: `service:db` is held whole: there are no 2 units of it
      ^ more than one
      hint: count a resource with `resources:`
    error[P0311] tasks.e.locks[0]: 2 units of `quota` can never be had: it is not declared, so there is one
      ^ not declared
      hint: declare how much there is: `resources: { quota: 2 }`
    error[P0311] tasks.f.locks[0]: 2 units of `gpus` can never be had: it is not declared, so there is one
      ^ not declared
      hint: did you mean `gpu`?
    "#);
}

#[test]
fn a_name_much_like_a_declared_one_is_told() {
    let mut it =
        document(vec![units("a", "api-qouta", 1), units("b", "api-quota", 1), units("c", "printer", 1)]);
    it.resources.push(resource("api-quota", 5));
    assert_snapshot!(told(&it), @r#"
    warning[P0316] tasks.a.locks[0]: `api-qouta` is not declared, but a name much like it is
      ^ a lock of its own
      hint: did you mean `api-quota`?
    "#);
}

#[test]
fn one_claim_on_one_thing_is_enough() {
    assert_snapshot!(told(&document(vec![
        run("a", &["true"]).locks("service:x").shares("service:x"),
        run("b", &["true"]).locks("service:x").locks("service:x"),
    ])), @r#"
    warning[P0312] tasks.a.locks[1]: `service:x` is asked for both exclusively and shared
      ^ named before
      hint: the exclusive one counts: keep one
    warning[P0312] tasks.b.locks[1]: `service:x` is asked for twice
      ^ named before
      hint: the task gets the larger of both: keep one
    "#);
}

#[test]
fn breakers_and_secrets_are_declared() {
    let mut it = document(vec![run("a", &["true"]).with(|node| {
        node.breaker = Some("epr".into());
        node.secrets = vec!["erp-token".into(), "mail".into()];
    })]);
    it.breakers.push(BreakerSpec::named("erp"));
    it.secrets.push("erp-token".into());
    assert_snapshot!(told(&it), @r#"
    warning[P0315] breakers.erp: the breaker `erp` is declared, but no task uses it
      ^ not used
    error[P0313] tasks.a.breaker: the document declares no breaker `epr`
      ^ unknown breaker
      hint: did you mean `erp`?
    error[P0314] tasks.a.secrets[1]: the document declares no secret `mail`
      ^ unknown secret
      hint: known: erp-token
    "#);
}

#[test]
fn what_is_declared_is_used() {
    let mut it = document(vec![
        units("a", "gpus", 1),
        units("b", "tenant:${inputs.who}", 1),
        sub_flow("c", "f", "{}"),
    ]);
    it.inputs.push(input("who", partitur_model::definition::InputKind::String));
    it.resources =
        vec![resource("gpu", 2), resource("tenant:big", 9), resource("user:*", 9), resource("used-below", 2)];
    it.secrets = vec!["old".into()];
    it.flows.insert("f".into(), flow("f", vec![units("x", "used-below", 2)]));
    assert_snapshot!(told(&it), @r#"
    warning[P0315] resources.gpu: the resource `gpu` is declared, but no task uses it
      ^ not used
      hint: `gpus` is used, and not declared
    warning[P0315] resources.user:*: the resource `user:*` is declared, but no task uses it
      ^ not used
    warning[P0315] secrets[0]: the secret `old` is declared, but no task uses it
      ^ not used
    warning[P0316] tasks.a.locks[0]: `gpus` is not declared, but a name much like it is
      ^ a lock of its own
      hint: did you mean `gpu`?
    "#);
}

#[test]
fn a_declaration_is_made_once() {
    let mut it = document(vec![units("a", "gpu", 1)]);
    it.resources = vec![resource("gpu", 2), resource("gpu", 4)];
    it.inputs = vec![input("n", partitur_model::definition::InputKind::Number); 2];
    assert_snapshot!(told(&it), @r#"
    error[P0205] inputs.n: the input `n` is declared twice
      ^ declared before
      hint: keep one of them
    error[P0205] resources.gpu: the resource `gpu` is declared twice
      ^ declared before
      hint: keep one of them
    "#);
}
