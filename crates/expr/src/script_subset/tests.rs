use super::*;
use crate::{Step, navigate};

struct Input(Payload);

impl Lookup for Input {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        assert_eq!(head, "$");
        navigate(&self.0, steps)
    }
}

const INPUT: &str = r#"{
    "loop": {"iteration": 3}, "value": 5, "name": "order-17", "empty": "", "zero": 0, "sum": 0.10, "no": null,
    "yes": true, "list": [1, "zwei", null], "object": {"0": "null", "length": 9}, "deep": {"a": [{"b": 7}]}, "tall": "𝄞"
}"#;

/// The value as JSON; what others have to decide is said so.
fn value(source: &str) -> String {
    let Some(script) = Script::parse(source) else { return "not here".to_owned() };
    let value = script.evaluate(&Input(Payload::parse(INPUT).unwrap()));
    value.map_or("in doubt".to_owned(), |value| value.render())
}

fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(value(source), *expected, "{source}");
    }
}

#[test]
fn conditions_as_people_write_them() {
    check(&[
        ("if ($.loop['iteration'] < $.value) { true; } else { false; }", "true"),
        ("if ($.loop['iteration'] > $.value) { true; } else { false; }", "false"),
        ("$.value === 5 ? 'big' : 'small'", "\"big\""),
        ("(function () { if ($.value > 3) { return 'a'; } else { return 'b'; } })();", "\"a\""),
        ("(function(){return $.value * 2}())", "10"),
        ("(() => $.name == 'order-17' && !$.no)()", "true"),
        ("(($) => { const n = $.value; return n % 2 === 0 ? 'even' : 'odd'; })($)", "\"odd\""),
        ("function e() { if ($.yes) { return 'y' } return 'n' } e();", "\"y\""),
        ("function twice(n) { return n + n; }\nfunction e() { return twice($.value); }\ne()", "10"),
        ("var r = 'none'\nif ($.value > 3)\n  r = 'some'\nelse if ($.value > 100) r = 'many'\nr", "\"some\""),
        ("let a = $.value, b = a - 1; a * b", "20"),
        ("$.name + '/' + $.loop.iteration + ' ' + $.no + ' ' + $.missing", "\"order-17/3 null undefined\""),
        ("var o = $.deep; o.a[0].b // seven", "7"),
        ("$.list.length + $.name.length + $.object.length", "20"),
        ("typeof $.missing === 'undefined' ? typeof $.list : typeof $.no", "\"object\""),
    ]);
}

#[test]
fn the_last_statement_with_a_value_gives_it() {
    check(&[
        ("", "null"),
        ("1; ;", "1"),
        ("1; var x = 2;", "1"),
        ("1; {}", "1"),
        ("1; if (false) { 2 }", "null"),
        ("1; if (true) { }", "null"),
        ("1; { 2; var y }", "2"),
        ("var x = 1; x = x + 1", "2"),
        ("if (0) 'a'; else if ('') 'b'; else 'c'", "\"c\""),
        ("'use strict'", "\"use strict\""),
    ]);
}

#[test]
fn lists_and_objects_can_be_results() {
    check(&[
        (
            "function e() { if ($.value > 1) { return {\"result\": true} } else { return {\"result\": false} } } e();",
            r#"{"result":true}"#,
        ),
        (
            "(() => ({a: $.missing, b: [1, undefined, 0 / 0, {}], 'c d': $.name,}))()",
            r#"{"b":[1,null,null,{}],"c d":"order-17"}"#,
        ),
        ("var a = 1; ({a})", r#"{"a":1}"#),
        ("[1, 2,]", "[1,2]"),
        ("[] ? typeof {} : 1", "\"object\""),
        ("({}) == null || !({})", "false"),
        ("({list: $.list})", "in doubt"),
        ("({a: 1}).a", "in doubt"),
        ("[1] + ''", "in doubt"),
        ("({a: 1}) == ({a: 1})", "in doubt"),
    ]);
}

#[test]
fn some_methods_are_known() {
    check(&[
        ("$.name.startsWith('order-') && $.name.endsWith('17') && !$.name.includes('x')", "true"),
        ("$.name.toUpperCase() + ' a '.trim().length", "\"ORDER-171\""),
        ("'a𝄞b'.indexOf('b') + 'a'.indexOf('b')", "2"),
        ("$.list.includes('zwei') ? $.list.indexOf(null) : 0", "2"),
        ("$.list.indexOf('1')", "-1"),
        ("$.value.toString() + true.toString() + (1 / 3).toString()", "\"5true0.3333333333333333\""),
        ("'ä'.toUpperCase()", "in doubt"),
        ("$.name.includes(1)", "in doubt"),
        ("$.value.trim()", "in doubt"),
        ("$.missing.trim()", "in doubt"),
        ("$.object.includes('a')", "in doubt"),
        ("$.list.toString()", "in doubt"),
    ]);
}

#[test]
fn conversions_are_those_of_the_language() {
    check(&[
        ("'5' == 5 && '5' !== 5 && null == undefined && null !== undefined", "true"),
        ("null == 0 || null > 0 || !(null >= 0)", "false"),
        ("'10' < '9'", "true"),
        ("'10' < 9", "false"),
        ("undefined < 1 || undefined >= 1", "false"),
        ("'3' * '4' - true", "11"),
        ("1 + '2' + 3", "\"123\""),
        ("1 + 2 + '3'", "\"33\""),
        ("'' == 0 && ' \\n' == 0", "true"),
        ("NaN == NaN", "false"),
        ("1 / 0", "null"),
        ("'' + 1 / 0 + -1 / 0 + 0 / 0", "\"Infinity-InfinityNaN\""),
        ("-7 % 3", "-1"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1e21 + 1", "1e+21"),
        ("'' + 123456789012345680000", "\"123456789012345680000\""),
        ("1e-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("-0", "0"),
        ("$.sum", "0.1"),
        ("$.zero ?? 7", "0"),
        ("$.zero || $.empty || 'other'", "\"other\""),
        ("$.tall.length", "2"),
        ("'\\u00e4\\x41\\n'", "\"äA\\n\""),
        ("+'1e3' + +'.5' + +'5.'", "1005.5"),
        ("+'1_0'", "null"),
        ("$.list == null", "false"),
        ("$.list ? 1 : 2", "1"),
    ]);
}

#[test]
fn what_would_be_in_doubt_is_left_to_others() {
    check(&[
        // Objects, and what is thrown.
        ("$.list", "in doubt"),
        ("$.list + ''", "in doubt"),
        ("$.list == $.list", "in doubt"),
        ("$.no.length", "in doubt"),
        ("$.missing.a", "in doubt"),
        ("$.name.trim", "in doubt"),
        ("$.list.map", "in doubt"),
        ("$.name[0]", "in doubt"),
        ("'0x10' == 16", "in doubt"),
        ("function a() { return 1 + 1 } function b() { return a() } b() + $.list", "in doubt"),
    ]);
    for source in [
        "return 1",
        "$",
        "$.name.trim(1)",
        "$.name.includes()",
        "$.name.replace('a', 'b')",
        "[1,,2]",
        "({1: 2})",
        "({a: 1, a: 2})",
        "({a() {}})",
        "({get a() {}})",
        "({...$})",
        "({['a']: 1})",
        "({__proto__: 1})",
        "new Date()",
        "`a`",
        "/a/",
        "1n",
        "010",
        "0x10",
        "1_0",
        "a",
        "x = 5; x",
        "this",
        "a => a",
        "for (;;) {}",
        "while (1) {}",
        "switch (1) {}",
        "throw 1",
        "try {} catch (e) {}",
        "$.a = 1",
        "$.constructor",
        "$['__proto__']",
        "const a = 1; a = 2",
        "const a",
        "let a; let a",
        "var a = 1; { let a = 2; a }",
        "a; var a",
        "{ let a = 1 } a",
        "function f() { return f() } f()",
        "function f() { return g() } function g() {} f()",
        "var a = 1; (function () { return a; var a = 2 })()",
        "(function () { var b = 1 })(); b",
        "1 ?? 2 || 3",
        "1 || 2 ?? 3",
        "a\n(1)",
        "1\n+ ",
        "1 2",
        "if (1) let a",
        "$.a?.b",
        "1 ** 2",
        "1, 2",
        "i++",
        "$.a\n++\n$.b",
        "1 <!-- 2",
        "eval('1')",
        "(function () { return\n1 })()",
        "function f() { a(); var a } f()",
        "var x = 1; (function x() { return x })()",
        "var undefined = 1",
        "let NaN = 1",
        "'\\ud800'",
        "'\\0'",
        "ä",
        "(async () => 1)()",
        "async function f() {}",
        "function* f() {}",
        "(function (a = 1) { return a })()",
        "(function (...a) { return a })()",
        "import('a')",
        "if (1) function f() {}",
    ] {
        assert_eq!(value(source), "not here", "{source}");
    }
}

#[test]
fn what_nests_or_grows_without_end_is_left_to_others() {
    for source in [
        format!("{}1{}", "(".repeat(200), ")".repeat(200)),
        format!("{}1", "!".repeat(10_000)),
        format!("1{}", "+1".repeat(5_000)),
        "if (1) ".repeat(1_000) + "1",
        format!("$.a{}", ".b".repeat(1_000)),
        "1;".repeat(100_000),
    ] {
        assert!(Script::parse(&source).is_none(), "{}", &source[..20]);
    }
    let doubling = format!("var a = 'x'; {} a", "a = a + a;".repeat(40));
    assert_eq!(value(&doubling), "in doubt");
    let doubling = format!("var a = []; {} a", "a = [a, a];".repeat(40));
    assert_eq!(value(&doubling), "in doubt");
    let deep = format!("var a = []; {} a", "a = [a];".repeat(200));
    assert_eq!(value(&deep), "in doubt");
    let mut calls = String::from("function f0() { return 1 }");
    for at in 1..40 {
        calls += &format!("function f{at}() {{ return f{}() + f{}() }}", at - 1, at - 1);
    }
    assert_eq!(value(&(calls + "f39()")), "in doubt");
}

#[test]
fn a_body_returns_its_value() {
    let body = |source: &str| {
        let script = Script::parse_body(source)?;
        Some(script.evaluate(&Input(Payload::parse(INPUT).unwrap()))?.render())
    };
    assert_eq!(body("if ($.value > 3) { return true; } return false;").unwrap(), "true");
    assert_eq!(body("$.value").unwrap(), "null");
    assert_eq!(body("}; 1"), None);
}
