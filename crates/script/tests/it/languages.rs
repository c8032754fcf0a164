//! What sources mean, language by language.

use super::*;
use Language::{JavaScript, Jq, Lambda, Regex, Schema, ValueParam};
use partitur_script::{Place, Wanted};

fn check(language: Language, input: &str, cases: &[(&str, &str)]) {
    let pool = pool();
    for (source, expected) in cases {
        // Twice, because the second time its bytecode is read.
        for _ in 0..2 {
            assert_eq!(evaluate(&pool, language, source, input), *expected, "{source}");
        }
    }
}

#[test]
fn the_completion_value_of_a_program_is_its_result() {
    let input = r#"{"loop":{"iteration":3},"value":5,"list":[1,"zwei"],"text":"ä"}"#;
    check(
        JavaScript,
        input,
        &[
            ("if ($.loop['iteration'] < $.value) { true; } else { false; }", "true"),
            ("(function () { return $.list.length; })()", "2"),
            ("(() => ({a: $.value * 2, b: [...$.list]}))()", r#"{"a":10,"b":[1,"zwei"]}"#),
            ("function e() { return $.text + 'ö'; } e();", r#""äö""#),
            ("x = 5; x", "5"),
            ("var $a = 1; let b = 2; const c = 3; `${$a}${b}${c}`", r#""123""#),
            ("$.list.map(x => typeof x)", r#"["number","string"]"#),
            ("var {value, text = 1, ...rest} = $; rest.list", r#"[1,"zwei"]"#),
            ("new Map([[1, 2]]).get(1) + new Set([1, 1]).size", "3"),
            ("JSON.stringify($.list)", r#""[1,\"zwei\"]""#),
            ("console.log('x'); 1", "1"),
            ("/a(.)/.exec('xab')[1]", r#""b""#),
            ("new Date(0)", r#""1970-01-01T00:00:00.000Z""#),
            ("new Date(0).getTimezoneOffset()", "0"),
            ("2n ** 64n > 1", "true"),
        ],
    );
}

#[test]
fn numbers_stay_whole_and_what_json_has_no_word_for_is_null() {
    check(
        JavaScript,
        r#"{"big":9007199254740991,"small":0.1,"one":1.0,"sum":0.10}"#,
        &[
            ("$.big", "9007199254740991"),
            ("$.big - 1", "9007199254740990"),
            ("$.one", "1"),
            ("[$.sum, $.small + 0.2, 10 / 2, 1e21, -0]", "[0.1,0.30000000000000004,5,1e+21,0]"),
            ("NaN", "null"),
            ("[1 / 0, NaN, undefined]", "[null,null,null]"),
            ("undefined", "null"),
            ("null", "null"),
            ("", "null"),
            ("({a: undefined, b: null})", r#"{"b":null}"#),
        ],
    );
}

#[test]
fn errors_of_javascript_say_where_and_what() {
    let pool = pool();
    let fails = |language, source: &str| match error(&pool, language, source, r#"{"a":1}"#) {
        ScriptError::Syntax { message, at } => format!(
            "{source:?}
  syntax, {}: {message}",
            shown(at)
        ),
        ScriptError::Runtime { message, at } => format!(
            "{source:?}
  runtime, {}: {message}",
            shown(at)
        ),
        other => panic!("{source}: {other:?}"),
    };
    let told = [
        fails(JavaScript, "1 +\n  * 2"),
        fails(JavaScript, "return 1"),
        fails(JavaScript, "var x = 1;\n$.b.c"),
        fails(Lambda, "var x = 1;\nreturn $.b.c"),
        fails(Lambda, "return 1 +"),
        fails(JavaScript, "nothing"),
        fails(JavaScript, "throw new RangeError('too far')"),
        fails(JavaScript, "throw 'just text'"),
        fails(JavaScript, "throw {code: 7}"),
        fails(JavaScript, "(function () {})"),
        fails(JavaScript, "({a: [() => 1]})"),
        fails(JavaScript, "var a = {}; a.a = a; a"),
        fails(JavaScript, "2n"),
        fails(JavaScript, "Promise.resolve(1)"),
        fails(JavaScript, "Symbol('a')"),
        fails(JavaScript, "function f() { f() } f()"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    "1 +\n  * 2"
      syntax, 2:3: SyntaxError: unexpected token in expression: '*'
    "return 1"
      syntax, 1:1: SyntaxError: return not in a function
    "var x = 1;\n$.b.c"
      runtime, 2:1: TypeError: cannot read property 'c' of undefined
    "var x = 1;\nreturn $.b.c"
      runtime, 2:8: TypeError: cannot read property 'c' of undefined
    "return 1 +"
      syntax, 2:1: SyntaxError: unexpected token in expression: '}'
    "nothing"
      runtime, 1:1: ReferenceError: nothing is not defined
    "throw new RangeError('too far')"
      runtime, 1:11: RangeError: too far
    "throw 'just text'"
      runtime, nowhere: just text
    "throw {code: 7}"
      runtime, nowhere: {"code":7}
    "(function () {})"
      runtime, nowhere: the result is or contains a function or a symbol: return a value (is a call missing, `()`?)
    "({a: [() => 1]})"
      runtime, nowhere: the result is or contains a function or a symbol: return a value (is a call missing, `()`?)
    "var a = {}; a.a = a; a"
      runtime, nowhere: TypeError: circular reference
    "2n"
      runtime, nowhere: TypeError: BigInt are forbidden in JSON.stringify
    "Promise.resolve(1)"
      runtime, nowhere: the result is a promise: scripts cannot wait for anything
    "Symbol('a')"
      runtime, nowhere: the result is or contains a function or a symbol: return a value (is a call missing, `()`?)
    "function f() { f() } f()"
      runtime, 1:15: RangeError: Maximum call stack size exceeded
    "#);
}

fn shown(at: Option<Place>) -> String {
    at.map_or("nowhere".into(), |at| format!("{}:{}", at.line, at.column))
}

#[test]
fn the_body_of_a_function_may_return() {
    check(
        Lambda,
        r#"{"v":1}"#,
        &[
            ("return $.v + 1", "2"),
            ("if ($.v > 5) { return 'big'; }", "null"),
            ("var x = $.v; return {x};", r#"{"x":1}"#),
            ("return 1 // done", "1"),
        ],
    );
}

#[test]
fn jq_gives_the_first_and_all_outputs() {
    check(
        Jq,
        r#"{"items":[{"k":"a","n":1},{"k":"b","n":2}],"id":12345678901234567890123,"sum":0.10}"#,
        &[
            (".items[].n", r#"{"result":1,"resultList":[1,2]}"#),
            ("empty", r#"{"result":null,"resultList":[]}"#),
            (".id", r#"{"result":12345678901234567890123,"resultList":[12345678901234567890123]}"#),
            (".id + 1", r#"{"result":12345678901234567890124,"resultList":[12345678901234567890124]}"#),
            (".sum", r#"{"result":0.10,"resultList":[0.10]}"#),
            ("10 / 4, 10 / 5", r#"{"result":2.5,"resultList":[2.5,2]}"#),
            ("[.items[] | select(.n > 1) | .k]", r#"{"result":["b"],"resultList":[["b"]]}"#),
            ("[.items[] | {(.k): .n}] | add", r#"{"result":{"a":1,"b":2},"resultList":[{"a":1,"b":2}]}"#),
            ("{key: .items[0].k} | keys", r#"{"result":["key"],"resultList":[["key"]]}"#),
            (
                r#"[{"name":"x","value":1},{"key":"y","value":null}] | from_entries"#,
                r#"{"result":{"x":1,"y":null},"resultList":[{"x":1,"y":null}]}"#,
            ),
            (
                ".items[0] | with_entries(.key |= ascii_upcase)",
                r#"{"result":{"K":"a","N":1},"resultList":[{"K":"a","N":1}]}"#,
            ),
            (r#"["a\"b", 1, null] | @csv"#, r#"{"result":"\"a\"\"b\",1,","resultList":["\"a\"\"b\",1,"]}"#),
            (r#"["a\tb", 1] | @tsv"#, r#"{"result":"a\\tb\t1","resultList":["a\\tb\t1"]}"#),
            (
                "[1,[2]] | [tostream]",
                r#"{"result":[[[0],1],[[1,0],2],[[1,0]],[[1]]],"resultList":[[[[0],1],[[1,0],2],[[1,0]],[[1]]]]}"#,
            ),
            ("nan", r#"{"result":null,"resultList":[null]}"#),
            ("infinite", r#"{"result":1.7976931348623157e+308,"resultList":[1.7976931348623157e+308]}"#),
            (
                r#""a,b" | split(",") | map(test("a"))"#,
                r#"{"result":[true,false],"resultList":[[true,false]]}"#,
            ),
            ("0 | todate", r#"{"result":"1970-01-01T00:00:00Z","resultList":["1970-01-01T00:00:00Z"]}"#),
            (r#"try error("x") catch ."#, r#"{"result":"x","resultList":["x"]}"#),
            ("def f(x): x * 2; f(.items[1].n)", r#"{"result":4,"resultList":[4]}"#),
            ("[limit(3; repeat(1))]", r#"{"result":[1,1,1],"resultList":[[1,1,1]]}"#),
            (r#"0 | strflocaltime("%H:%M")"#, r#"{"result":"00:00","resultList":["00:00"]}"#),
            ("now > 1e9", r#"{"result":true,"resultList":[true]}"#),
            ("[leaf_paths] | length", r#"{"result":6,"resultList":[6]}"#),
        ],
    );
}

#[test]
fn errors_of_jq_say_where_and_what() {
    let pool = pool();
    let fails = |source: &str| format!("{source:?}\n  {}", evaluate(&pool, Jq, source, r#"{"a":1}"#));
    let told = [
        fails(".a |\n  nothing(1)"),
        fails(".a | ["),
        fails(".a ]"),
        fails("if . then"),
        fails("$x"),
        fails(".a.b"),
        fails(r#"error("because")"#),
        fails("{(0): 1}"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    ".a |\n  nothing(1)"
      jq: there is no filter `nothing` (line 2, column 3)
    ".a | ["
      jq: expected closing bracket (line 1, column 7)
    ".a ]"
      jq: expected token (line 1, column 4)
    "if . then"
      jq: expected term, found the end (line 1, column 10)
    "$x"
      jq: there is no variable `$x` (line 1, column 1)
    ".a.b"
      jq: cannot index 1 with "b"
    "error(\"because\")"
      jq: because
    "{(0): 1}"
      jq: the key 0 of an object is no string
    "#);
    for about_the_process in
        ["env", "$ENV", "input", "inputs", "halt", "halt_error", "halt(1)", "import \"a\" as a; 1"]
    {
        assert!(
            matches!(error(&pool, Jq, about_the_process, "{}"), ScriptError::Syntax { .. }),
            "{about_the_process}"
        );
    }
}

#[test]
fn the_other_languages_do_what_they_say() {
    check(ValueParam, r#"{"case":"big","n":null}"#, &[("case", r#""big""#), ("n", "null"), ("none", "null")]);
    check(Regex, r#""order-17""#, &[(r"order-(\d+)", r#"["order-17","17"]"#), ("^x", "null")]);
    check(Schema, "[1]", &[(r#"{"items":{"type":"integer"}}"#, r#"{"valid":true}"#)]);
}

#[test]
fn syntax_alone_can_be_asked_about() {
    let pool = pool();
    let ask = |language, source: &str| {
        let request = Request::syntax(1, language, source, PATIENT);
        assert_eq!(request.wanted, Wanted::Syntax);
        pool.evaluate(request).map(|value| value.render())
    };
    for (language, right, wrong) in [
        (JavaScript, "for (;;) {}", "return 1"),
        (Lambda, "for (;;) {} return 1", "return ("),
        (Jq, "[range(1e12)]", "[range("),
        (Schema, r#"{"type":"null"}"#, r#"{"type":"nothing"}"#),
        (Regex, "a*", "*"),
    ] {
        assert_eq!(ask(language, right), Ok("null".to_owned()));
        assert!(matches!(ask(language, wrong), Err(ScriptError::Syntax { .. })), "{wrong}");
    }
    assert_eq!(ask(ValueParam, "anything"), Ok("null".to_owned()));
}
