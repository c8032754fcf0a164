//! Hostile sources and hostile values end in an error, soon.

use partitur_expr::{EvalFault, Expression, SOURCE_MAX, Template, Tree, matches_whole};
use partitur_model::Payload;

use crate::world::World;

fn refused(source: &str) -> String {
    Expression::parse(source).map(drop).unwrap_err().message
}

#[test]
fn deep_nesting_is_refused() {
    let many = 100_000;
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("length(", ")"), ("a[?(@", ")]")]
    {
        let source = open.repeat(many.min(SOURCE_MAX / (open.len() + 1))) + "1" + close;
        let message = refused(&source);
        assert!(message.contains("nested more than 64 deep") || open == "a[?(@", "{open}: {message}");
    }
    let filters = format!("{}1{}", "@[?(".repeat(1000), ")]".repeat(1000));
    assert!(refused(&format!("a{}", &filters[1..])).contains("nested more than 64 deep"));
    let template = "${a.".repeat(1000) + &"}".repeat(1000);
    assert!(Template::parse(&template).unwrap_err().message.contains("nested more than 64 deep"));
}

#[test]
fn what_is_just_not_too_deep_is_evaluated() {
    let deep = "(".repeat(60) + "1" + &")".repeat(60);
    assert_eq!(Expression::parse(&deep).unwrap().value(&World::usual()).unwrap().render(), "1");
}

#[test]
fn long_sources_are_refused_and_long_chains_are_flat() {
    assert!(refused(&" ".repeat(SOURCE_MAX + 1)).contains("longer than"));
    assert!(Template::parse(&"x".repeat(SOURCE_MAX + 1)).is_err());
    let sum = "1+".repeat(100_000) + "1";
    assert_eq!(Expression::parse(&sum).unwrap().value(&World::usual()).unwrap().render(), "100001");
    let all = "true and ".repeat(20_000) + "false";
    assert_eq!(Expression::parse(&all).unwrap().truth(&World::usual()), Ok(false));
    assert!(refused(&("a".to_owned() + &".b".repeat(1000))).contains("more than 256 steps"));
}

#[test]
fn an_evaluation_has_a_last_step() {
    let list = format!("[{}1]", "1,".repeat(400_000));
    let world = World(Payload::object([("x", Payload::parse(&list).unwrap())]));
    let error = Expression::parse("sum(x) + sum(x) + sum(x)").unwrap().value(&world).unwrap_err();
    assert_eq!(error.fault, EvalFault::TooManySteps);
    let double = format!("{}x", "x + ".repeat(100));
    let world = World(Payload::object([("x", Payload::string(&"y".repeat(300_000)))]));
    assert_eq!(Expression::parse(&double).unwrap().value(&world).unwrap_err().fault, EvalFault::TooManySteps);
}

#[test]
fn a_search_through_everything_below_everything_finds_nothing() {
    let mut nest = "1".to_owned();
    for _ in 0..100 {
        nest = format!("[{nest},{nest_leaf}]", nest_leaf = "0,".repeat(20) + "0");
    }
    let world = World(Payload::object([("x", Payload::parse(&nest).unwrap())]));
    let template = Template::parse("${x..*..*..*..*}").unwrap();
    assert_eq!(template.resolve(&world).render(), "null");
}

#[test]
fn large_patterns_are_refused() {
    assert!(refused("x matches '(\\\\w{100}){100}'").contains("when compiled"));
    assert!(refused("x matches '(a*)*('").contains("no regular expression"));
    let slow = World(Payload::object([("x", Payload::string(&"a".repeat(100_000)))]));
    assert_eq!(Expression::parse("x matches '^(a*)*$'").unwrap().truth(&slow), Ok(true));
}

#[test]
fn a_pattern_matches_the_whole_text() {
    assert_eq!(matches_whole(r"\d{4}-\d{2}", "2024-11"), Ok(true));
    assert_eq!(matches_whole(r"\d{4}|\d{2}", "20241"), Ok(false));
    assert_eq!(matches_whole("a", "a\n"), Ok(false));
    assert!(matches_whole("a)|(b", "a").is_err());
}

#[test]
fn a_rope_that_is_too_deep_is_refused() {
    let deep = (0..200).fold(Payload::Null, |inner, _| Payload::list([inner]));
    assert!(Tree::parse(&deep).unwrap_err()[0].1.message.contains("nested more than 128 deep"));
}
