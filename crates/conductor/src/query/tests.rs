use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

/// The conditions of a query, one a line, or what is wrong with it.
fn read(text: &str) -> String {
    match Query::parse(text) {
        Ok(query) => query
            .conditions
            .iter()
            .map(|condition| format!("{:?} {:?}\n", condition.field, condition.test))
            .collect(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn conditions_are_joined_by_and() {
    assert_snapshot!(read(r#"workflowType='my flow' AND status IN (FAILED, "TIMED_OUT") and startTime>1700 AND startTime < 1900"#), @r#"
    WorkflowType In([Pattern("my flow")])
    Status In([Pattern("FAILED"), Pattern("TIMED_OUT")])
    StartTime Range(Some(1701), None)
    StartTime Range(None, Some(1899))
    "#);
}

#[test]
fn every_operator_is_known() {
    assert_snapshot!(read("a=1 AND b!=x AND endTime BETWEEN 5 AND 7 AND d>=1 AND e<='2' AND f IS NULL AND g is not null AND h STARTS_WITH 'x y' AND i NOT IN (z)"), @r#"
    Unknown("a") In([Pattern("1")])
    Unknown("b") NotIn([Pattern("x")])
    EndTime Range(Some(5), Some(7))
    Unknown("d") Range(Some(1), None)
    Unknown("e") Range(None, Some(2))
    Unknown("f") IsThere(false)
    Unknown("g") IsThere(true)
    Unknown("h") StartsWith("x y")
    Unknown("i") NotIn([Pattern("z")])
    "#);
}

#[test]
fn quotes_hold_whatever_there_is() {
    assert_snapshot!(read(r#"correlationId="a AND b, (c) 'd' \"e\"" AND taskType IN ('x, y', z*)"#), @r#"
    CorrelationId In([Pattern("a AND b, (c) 'd' \"e\"")])
    TaskType In([Pattern("x, y"), Pattern("z*")])
    "#);
}

#[test]
fn values_without_quotes_may_hold_spaces() {
    assert_snapshot!(read("correlationId=order 7 of O'ANDY AND status=RUNNING"), @r#"
    CorrelationId In([Pattern("order 7 of O'ANDY")])
    Status In([Pattern("RUNNING")])
    "#);
}

#[test]
fn nothing_is_the_query_that_everything_fulfils() {
    for text in ["", "  ", "*"] {
        assert_eq!(Query::parse(text), Ok(Query::default()));
    }
}

#[test]
fn what_is_no_query_is_said() {
    let texts = [
        "status",
        "=5",
        "status=",
        "status='x",
        "startTime>soon",
        "status IN (a",
        "x BETWEEN 1",
        "x IS 5",
        "a=1 AND",
        "status='a' b",
        "a~b",
    ];
    let said: Vec<String> = texts.into_iter().map(read).collect();
    assert_snapshot!(said.join("\n"), @r"
    `status` is no condition: no operator follows the field
    `=5` is no condition: it does not begin with a field
    `status=` is no condition: a value is missing
    `status='x` is no condition: ' is not closed
    `startTime>soon` is no condition: `soon` is no number
    `status IN (a` is no condition: `(` has no `)`
    `x BETWEEN 1` is no condition: BETWEEN needs two values with AND between them
    `x IS 5` is no condition: IS is followed by NULL or NOT NULL
    `` is no condition: it does not begin with a field
    `status='a' b` is no condition: `b` follows the value
    `a~b` is no condition: no operator follows the field
    ");
}

#[test]
fn results_are_ordered_by_fields() {
    let sort = parse_sort("startTime:DESC, workflowId|status:asc").unwrap();
    let shown: Vec<String> =
        sort.iter().map(|sort| format!("{:?} {}", sort.field, sort.descending)).collect();
    assert_eq!(shown, ["StartTime true", "WorkflowId false", "Status false"]);
    assert!(parse_sort("startTime:UP").is_err());
    assert_eq!(parse_sort(""), Ok(Vec::new()));
}

/// All ways of cutting a text into what the pattern's stars stand for.
fn matches_naively(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|cut| matches_naively(rest, &text[cut..])),
        [c, rest @ ..] => text.first() == Some(c) && matches_naively(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_its_stars_can_stand_for(pattern in "[ab*]{0,7}", text in "[ab]{0,8}") {
        prop_assert_eq!(Pattern::new(&pattern).matches(&text), matches_naively(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,60}", more in "[a-z=<>!()'\", ANDINS\\\\]{0,60}") {
        let _ = Query::parse(&text);
        let _ = Query::parse(&more);
    }
}
