//! Rules.

use partitur_expr::Rules;
use partitur_model::Payload;
use partitur_model::definition::{Expression, Rule, RuleSet, Template, TemplateTree};

use crate::world::World;

/// Rules from lines of name, `:`, condition, `->`, the object that it sets or `fail ` and a message.
fn rules(first_only: bool, lines: &str) -> RuleSet {
    let rule = |line: &str| {
        let (name, rest) = line.split_once(':').unwrap();
        let (condition, effect) = rest.split_once("->").unwrap();
        let fail = effect.trim().strip_prefix("fail ");
        let set = if fail.is_some() { Payload::Null } else { Payload::parse(effect).unwrap() };
        Rule {
            name: name.trim().to_owned(),
            condition: Expression(condition.trim().to_owned()),
            set: TemplateTree(set),
            fail: fail.map(|message| Template(message.to_owned())),
        }
    };
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    RuleSet { first_only, rules: lines.map(rule).collect() }
}

fn outcome(first_only: bool, lines: &str) -> String {
    match Rules::parse(&rules(first_only, lines)).unwrap().apply(&World::usual()) {
        Ok(output) => output.render(),
        Err(failure) => failure.to_string(),
    }
}

const LEVELS: &str = r#"
    some:  orders.output.rows > 0        -> {"level": "some", "rows": "${orders.output.rows}"}
    never: orders.output.rows < 0        -> {"level": "never"}
    many:  orders.output.rows > 40       -> {"level": "many", "note": "rows: ${orders.output.rows}"}
"#;

#[test]
fn all_rules_that_fire_set_their_values_later_ones_over_earlier_ones() {
    let all = r#"{"level":"many","rows":42,"note":"rows: 42","fired":["some","many"]}"#;
    assert_eq!(outcome(false, LEVELS), all);
}

#[test]
fn the_first_rule_alone_counts_if_so_wanted() {
    assert_eq!(outcome(true, LEVELS), r#"{"level":"some","rows":42,"fired":["some"]}"#);
}

#[test]
fn without_a_rule_that_fires_nothing_is_set() {
    assert_eq!(outcome(false, r#"no: false -> {"x": 1}"#), r#"{"fired":[]}"#);
}

#[test]
fn a_rule_may_fail_with_a_message() {
    let lines = "
        fine: inputs.limit > 99 -> fail never
        cap:  inputs.limit >= 10 -> fail the limit ${inputs.limit} is too high
    ";
    assert_eq!(outcome(false, lines), "rule `cap`: the limit 10 is too high");
}

#[test]
fn a_rule_that_cannot_be_evaluated_fails() {
    let message = "rule `odd`: a number and a string cannot be ordered: compare numbers with numbers, strings with strings";
    assert_eq!(outcome(false, r#"odd: inputs.limit > 'x' -> {}"#), message);
}

#[test]
fn all_faults_are_told_at_once() {
    let set = rules(
        false,
        r#"
        a: inputs.x > -> {"k": {"l": ["${"]}}
        b: true -> [1]
        c: true -> fail ${oops
        "#,
    );
    let faults = Rules::parse(&set).unwrap_err();
    let lines: Vec<_> = faults.iter().map(|(place, error)| format!("{place}: {error}")).collect();
    assert_eq!(
        lines,
        [
            "[0].condition: expected a value, found the end",
            "[0].set.k.l[0]: `${` has no `}`",
            "[1].set: a rule sets an object",
            "[2].fail: `${` has no `}`",
        ]
    );
}

#[test]
fn the_paths_of_all_parts_are_named() {
    let parsed = Rules::parse(&rules(false, "a: b.c > 1 -> fail ${d.e}")).unwrap();
    let heads: Vec<_> = parsed.paths().iter().map(|path| path.head.to_string()).collect();
    assert_eq!(heads, ["b", "d"]);
}
