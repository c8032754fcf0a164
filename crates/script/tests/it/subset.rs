//! Whatever the part of JavaScript in `partitur-expr` says, the whole of JavaScript says too.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use partitur_expr::{Lookup, Script, Step, navigate};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

static POOL: LazyLock<Pool> = LazyLock::new(pool);

struct Input(Payload);

impl Lookup for Input {
    fn lookup(&self, _: &str, steps: &[Step]) -> Option<Payload> {
        navigate(&self.0, steps)
    }
}

/// Whether the small one had something to say, which then was the same.
fn agrees(source: &str, input: &str, is_body: bool) -> bool {
    let script = if is_body { Script::parse_body(source) } else { Script::parse(source) };
    let Some(script) = script else { return false };
    let Some(ours) = script.evaluate(&Input(Payload::parse(input).unwrap())) else { return false };
    let language = if is_body { Language::Lambda } else { Language::JavaScript };
    match POOL.evaluate(request(language, source, input)) {
        Ok(theirs) => {
            let is_number = matches!(ours.to_value(), serde_json::Value::Number(_));
            let is_same = if is_number { ours == theirs } else { ours.to_value() == theirs.to_value() };
            assert!(is_same, "{source}\nwith {input}\nours {ours:?}, theirs {theirs:?}");
        }
        Err(error) => panic!("{source}\nwith {input}\nours {ours:?}, theirs: {error}"),
    }
    true
}

/// What definitions in the field look like.
const CORPUS: [&str; 48] = [
    "if ($.loop['iteration'] < $.value) { true; } else { false; }",
    "if ($.loop_ref['iteration'] < $.value) { true; } else { false; }",
    "$.loop.iteration < 10",
    "if ( $.loop['iteration'] < 3 ) { true; } else { false; }",
    "(function () { return $.value > 3; })();",
    "(function(){ if ($.value == 5) { return 'five'; } else if ($.value === '5') { return 'text'; } return 'none' })()",
    "function e() { if ($.value > 1){ return {\"result\": true} } else { return {\"result\": false} } } e();",
    "function e() { if ($.value > 1){ return true } else { return false } } e();",
    "function scriptFun() { return $.a + $.b; } scriptFun();",
    "$.status == 'OK' ? 'success' : 'failure'",
    "$.code >= 200 && $.code < 300 ? 'ok' : 'failed'",
    "$.output.response.statusCode == 200",
    "$.output.response.body.status === 'DONE' || $.output.response.body.status === 'FAILED'",
    "(() => { const a = $.a; const b = $.b; return a > b ? 'a' : 'b'; })()",
    "(() => $.a + 1)()",
    "($ => $.a)($)",
    "var result = 'small'; if ($.value > 4) { result = 'big'; } result;",
    "var x = $.value\nvar y = x * 2\ny",
    "let n = $.loop.iteration; n % 2 == 0 ? 'even' : 'odd'",
    "if ($.a) 1; else 2",
    "if ($.missing) { 'there' } else { 'not there' }",
    "$.missing == null",
    "$.missing === undefined",
    "typeof $.missing",
    "typeof $.list",
    "$.list.length > 2",
    "$.list[0] + $.list[1]",
    "$.list[7]",
    "$.object.key.inner",
    "$['object']['key'].inner",
    "!$.no && !!$.yes",
    "$.text.length",
    "'' + $.a + $.text",
    "$.num1 + $.num2",
    "$.num1 * 1 + $.num2 * 1",
    "-$.num1",
    "1; 2; 3",
    "1; var a = 2",
    "if (true) {}",
    "5; if (false) { 1 }",
    "5; { }",
    "/* a */ true // b",
    "true\n",
    "'use strict'; true",
    "$.n1 == $.n2",
    "$.a ?? 'default'",
    "$.list && $.list.length",
    "return $.value > 3 ? 'LONG' : 'SHORT';",
];

#[test]
fn what_definitions_in_the_field_say_is_understood_and_means_the_same() {
    let input = r#"{"loop":{"iteration":3},"loop_ref":{"iteration":7},"value":5,"a":1,"b":"2","status":"OK","code":204,
        "output":{"response":{"statusCode":200,"body":{"status":"DONE"}}},"list":[1,2,"x"],"object":{"key":{"inner":0.10}},
        "no":false,"yes":1,"text":"zwölf","num1":0.1,"num2":0.2,"n1":1e3,"n2":1000.0}"#;
    let understood =
        CORPUS.iter().filter(|source| agrees(source, input, source.starts_with("return"))).count();
    assert_eq!(understood, CORPUS.len());
}

fn input() -> impl Strategy<Value = String> {
    let value = select(vec![
        "0",
        "1",
        "-1",
        "5",
        "10",
        "0.5",
        "-0.0",
        "1e21",
        "1e-7",
        "123456789012345678901",
        "1.0",
        "9007199254740993",
        "\"\"",
        "\"a\"",
        "\"b\"",
        "\"5\"",
        "\" 7 \"",
        "\"1e1\"",
        "\"0x1f\"",
        "\"Infinity\"",
        "\"-Infinity\"",
        "\"\\u00e4\"",
        "\"\\ud834\\udd1e\"",
        "\"\\uffff\"",
        "\"null\"",
        "\"true\"",
        "\"+\"",
        "\"5.\"",
        "\".\"",
        "\"\\ufeff3\\n\"",
        "true",
        "false",
        "null",
        "[]",
        "[1,\"x\"]",
        "[[2]]",
        "{}",
        "{\"a\":1}",
        "{\"length\":3}",
        "{\"0\":7,\"b\":{\"c\":null}}",
    ]);
    proptest::collection::vec(proptest::option::weighted(0.9, value), 4).prop_map(|values| {
        let named = ["a", "b", "c", "list"].into_iter().zip(values);
        let members: Vec<String> =
            named.filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?))).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => select(vec!["$.a", "$.b", "$.c", "$.list", "$['a']", "$.list.length", "$.list[0]", "$.a.length", "$.list['b'].c", "$.c.b", "$.list[1].length"]),
        3 => select(vec!["0", "1", "2", "5", "-1", "1.5", ".5", "1e3", "1e21", "NaN", "Infinity", "123456789012345680000", "5e-324", "0.1"]),
        2 => select(vec!["''", "'a'", "\"5\"", "' 1 '", "'\\u00e4'", "'b'", "'\\n'", "'1e3'"]),
        2 => select(vec!["true", "false", "null", "undefined", "x", "y"]),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operator = select(vec![
            "==", "!=", "===", "!==", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "&&", "||", "??", "\n+", "+ ",
        ]);
        prop_oneof![
            6 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            3 => inner.clone().prop_map(|a| format!("({a})")),
            1 => (select(vec!["!", "-", "+", "typeof ", "!!", "- -"]), inner.clone()).prop_map(|(sign, a)| format!("{sign}{a}")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} ? {b} : {c}")),
            1 => inner.clone().prop_map(|a| format!("(function () {{ return {a}; }})()")),
            1 => inner.clone().prop_map(|a| format!("(() => {a})()")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(function (p) {{ if (p) return {a}; }})({b})")),
            1 => inner.clone().prop_map(|a| format!("({a}).length")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            1 => (inner.clone(), select(vec!["includes", "indexOf", "startsWith", "endsWith"]), inner.clone())
                .prop_map(|(a, method, b)| format!("({a}).{method}({b})")),
            1 => (inner.clone(), select(vec!["trim", "toLowerCase", "toUpperCase", "toString"]))
                .prop_map(|(a, method)| format!("({a}).{method}()")),
            1 => (select(vec!["$.a", "$.list", "$.b"]), select(vec!["includes", "indexOf"]), inner.clone())
                .prop_map(|(a, method, b)| format!("{a}.{method}({b})")),
            1 => (inner.clone(), inner.clone(), select(vec!["b: ", "'b': ", "x, ", "a: ", ""]))
                .prop_map(|(a, b, key)| format!("({{a: {a}, {key}{b}}})")),
        ]
    })
}

fn statement() -> impl Strategy<Value = String> {
    let end = || select(vec![";", "\n", "; ", ";\n", ""]);
    let leaf = prop_oneof![
        4 => (expression(), end()).prop_map(|(a, end)| format!("{a}{end}")),
        1 => (select(vec!["x = ", "x += ", "y -= ", "var z = ", "let z = ", "const z = ", "var y", ""]), expression(), end())
            .prop_map(|(to, a, end)| format!("{to}{a}{end}")),
        1 => select(vec![";", "{}", "var q;", "let q"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => (expression(), inner.clone()).prop_map(|(a, b)| format!("if ({a}) {b}")),
            3 => (expression(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("if ({a}) {{ {b} }} else {c}")),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ {a} {b} }}")),
            1 => (inner.clone(), expression()).prop_map(|(a, b)| format!("(function () {{ {a}\nreturn {b} }})();")),
            1 => (inner.clone(), expression()).prop_map(|(a, b)| format!("function f(p) {{ {a}\nreturn {b} }} f({b});")),
        ]
    })
}

fn program() -> impl Strategy<Value = String> {
    let head = select(vec!["", "var x = 1; var y = 'y';\n", "let x = $.a, y = $.b\n", "var x; const y = 2;"]);
    (head, proptest::collection::vec(statement(), 1..4))
        .prop_map(|(head, body)| format!("{head}{}", body.concat()))
}

/// Pieces of programs, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "$.a",
        "$",
        ".",
        "a",
        "[0]",
        "['b']",
        "1",
        "'s'",
        "(",
        ")",
        "{",
        "}",
        ";",
        ",",
        "\n",
        " ",
        "if ",
        "(1)",
        "else ",
        "var x = 1;",
        "let y",
        "=",
        "x",
        "return ",
        "function f() ",
        "f()",
        "() => ",
        "=> ",
        "!",
        "-",
        "+",
        "==",
        "<",
        "&&",
        "??",
        "||",
        "? 1 : 2",
        "?",
        ":",
        "true",
        "null",
        "typeof ",
        "/",
        "*",
        "%",
        "//",
        "/* */",
        "/*\n*/",
        "++",
        "--",
        "<!--",
        "-->",
        "`",
        "0",
        "00",
        "1.",
        ".5",
        "e",
        "const ",
        "length",
        "undefined",
        "in ",
        "of ",
        "(function () {",
        "})()",
        "}())",
        "{ 1 }",
        "async ",
        "new ",
        "void 0",
        "[",
        "]",
        "a:",
        "({",
        "})",
        "{a: 1}",
        ".trim()",
        ".includes(",
        "['trim']",
        "[1, 2]",
        "\u{2028}",
        "\u{85}",
        "\u{feff}",
        "\u{a0}",
    ]);
    proptest::collection::vec(piece, 1..9).prop_map(|pieces| pieces.concat())
}

/// How many of the cases of a test were understood.
#[derive(Default)]
struct Share(AtomicU32, AtomicU32);

impl Share {
    fn count(&self, is_understood: bool) {
        self.0.fetch_add(u32::from(is_understood), Ordering::Relaxed);
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    /// In percent.
    fn of_all(&self) -> u32 {
        self.0.load(Ordering::Relaxed) * 100 / self.1.load(Ordering::Relaxed)
    }
}

fn cases(count: u32) -> ProptestConfig {
    // A long look now and then: `PARTITUR_CASES=30` takes thirty times as many.
    let times = std::env::var("PARTITUR_CASES").map_or(1, |times| times.parse().expect("a number"));
    ProptestConfig { cases: count * times, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn expressions_mean_what_javascript_says() {
    let share = Share::default();
    proptest!(cases(3000), |(source in expression(), input in input())| {
        share.count(agrees(&format!("var x = 3, y = '4';\n{source}"), &input, false));
    });
    assert!(share.of_all() >= 30, "{}", share.of_all());
}

#[test]
fn programs_mean_what_javascript_says() {
    let share = Share::default();
    proptest!(cases(3000), |(source in program(), input in input())| {
        share.count(agrees(&source, &input, false));
    });
    assert!(share.of_all() >= 2, "{}", share.of_all());
}

#[test]
fn bodies_mean_what_javascript_says() {
    let share = Share::default();
    let body = (expression(), expression(), statement(), expression()).prop_map(|(a, b, other, c)| {
        format!("let x = $.a, y = $.b\nif ({a}) {{ return {b} }} else if (x) {{ {other} }}\nreturn {c}")
    });
    proptest!(cases(1500), |(source in body, input in input())| {
        share.count(agrees(&source, &input, true));
    });
    assert!(share.of_all() >= 3, "{}", share.of_all());
}

#[test]
fn what_is_understood_in_a_soup_of_pieces_means_the_same() {
    let share = Share::default();
    proptest!(cases(20_000), |(source in soup())| {
        share.count(agrees(&source, r#"{"a":{"0":5,"b":"x"}}"#, false));
    });
    assert!(share.of_all() >= 1, "{}", share.of_all());
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    proptest!(cases(2000), |(bits in any::<u64>(), whole in any::<i64>(), places in 0..25_i32)| {
        let any = f64::from_bits(bits);
        let decimal = whole as f64 / 10_f64.powi(places);
        for number in [any, decimal, whole as f64, decimal.floor()] {
            if number.is_finite() {
                let input = format!(r#"{{"n":{number:e}}}"#);
                prop_assert!(agrees("$.n", &input, false), "{input}");
            }
        }
    });
}
