//! Sources that run for ever, allocate without end, or want out.

use std::fs;
use std::time::Instant;

use super::*;
use Language::{JavaScript, Jq, Lambda, Schema};

const SHORT: Duration = Duration::from_millis(300);

/// The error, and that the next evaluation does not notice.
fn ended(pool: &Pool, language: Language, source: &str, input: &str) -> ScriptError {
    let mut request = request(language, source, input);
    request.timeout = SHORT;
    let started = Instant::now();
    let error = pool.evaluate(request).expect_err(source);
    assert!(started.elapsed() < Duration::from_secs(10), "{source}: {:?}", started.elapsed());
    assert_eq!(evaluate(pool, JavaScript, "$.a + 1", r#"{"a":1}"#), "2", "after {source}");
    assert_eq!(evaluate(pool, Jq, ".a", r#"{"a":1}"#), r#"{"result":1,"resultList":[1]}"#, "after {source}");
    error
}

#[test]
fn what_runs_for_ever_is_ended() {
    let pool = pool();
    for (language, source) in [
        (JavaScript, "for (;;) {}"),
        (JavaScript, "try { for (;;) {} } catch (e) { 1 } finally { for (;;) {} }"),
        (JavaScript, "async function f() { for (;;) {} } f(); 1"),
        (JavaScript, "function* g() { for (;;) yield 1 } for (const x of g()) {}"),
        (JavaScript, "({toJSON() { for (;;) {} }})"),
        (JavaScript, "throw {get message() { for (;;) {} }}"),
        (JavaScript, "throw Object.defineProperty(new Error, 'message', {get() { for (;;) {} }})"),
        // Loops of the interpreter itself, which asks nobody whether it may go on.
        (JavaScript, "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)"),
        (JavaScript, "Array.prototype.lastIndexOf.call({length: 2 ** 53 - 1}, 1)"),
        (JavaScript, "/(a+)+$/.test('a'.repeat(40) + 'b')"),
        (JavaScript, "/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60))"),
        (JavaScript, "new Array(3e6).sort(() => { for (;;) {} }); [2, 1].sort(() => { for (;;) {} })"),
        (Lambda, "while (true) {}"),
        (Jq, "def f: f; f"),
        (Jq, "last(repeat(1))"),
        (Jq, "reduce range(1e12) as $x (0; . + $x)"),
    ] {
        let error = ended(&pool, language, source, r#"{"a":1}"#);
        assert_eq!(error, ScriptError::Timeout { after: SHORT }, "{source}");
    }
    assert_eq!(pool.counters().timed_out, 16);
}

#[test]
fn what_allocates_without_end_is_ended() {
    let pool = pool();
    for (language, source) in [
        (JavaScript, "var a = []; for (;;) a.push(a.length)"),
        (JavaScript, "var a = []; try { for (;;) a.push('x'.repeat(1e6) + a.length) } catch (e) { throw e }"),
        (JavaScript, "new Array(1e9).fill(0)"),
        (JavaScript, "new ArrayBuffer(1e9)"),
        (JavaScript, "'x'.repeat(2 ** 29)"),
        (JavaScript, "var s = 'x'; for (;;) s += s"),
        (JavaScript, "'x'.padEnd(2 ** 29)"),
        (JavaScript, "function f(n) { var a = new Array(1000).fill(n); return [a, f(n + 1)]; } f(0)"),
        (JavaScript, "2n ** (2n ** 40n)"),
        (Jq, "[range(1e12)]"),
        (Jq, "def f: [f]; f"),
        (Jq, "def f: 1 + f; f"),
        (Jq, r#""x" * 1000000000"#),
        (Jq, "[limit(1000000000; repeat(\"xxxxxxxxxxxxxxxxxxxxxxxxxxx\"))]"),
        (Jq, "[recurse([.])]"),
    ] {
        let error = ended(&pool, language, source, r#"{"a":1}"#);
        let is_end = match &error {
            ScriptError::Memory { .. } | ScriptError::Timeout { .. } => true,
            // The interpreter's own limits are errors that a script may catch.
            ScriptError::Runtime { message, .. } => [
                "Maximum call stack",
                "invalid string length",
                "string too long",
                "Array too l",
                "invalid array",
                "BigInt",
            ]
            .iter()
            .any(|known| message.contains(known)),
            _ => false,
        };
        assert!(is_end, "{source}: {error:?}");
    }
}

#[test]
fn results_without_end_are_refused() {
    let settings = Settings { result_max: 10_000, ..Settings::default() };
    let pool = Pool::new(settings).unwrap();
    for (language, source) in [
        (JavaScript, "'x'.repeat(20000)"),
        (JavaScript, "new Array(20000).fill(1)"),
        (Jq, "repeat(\"xxxxxxxxxx\")"),
        (Jq, "[range(20000)]"),
    ] {
        let error = ended(&pool, language, source, "{}");
        assert!(matches!(error, ScriptError::TooLarge { max: 10_000, .. }), "{source}: {error:?}");
    }
    let deep = "var a = []; for (var i = 0; i < 1000; i++) a = [a]; a";
    assert!(ended(&pool, JavaScript, deep, "{}").to_string().contains("recursion limit"));
    assert!(ended(&pool, Jq, "reduce range(1000) as $i ([]; [.])", "{}").to_string().contains("nested"));
}

#[test]
fn a_message_without_end_is_cut() {
    let pool = pool();
    for source in ["throw 'ä'.repeat(1e6)", "throw new Error('ä'.repeat(1e6))"] {
        let ScriptError::Runtime { message, .. } = ended(&pool, JavaScript, source, r#"{"a":1}"#) else {
            panic!("{source}")
        };
        assert!(message.contains("ää") && message.len() <= 8192, "{}", message.len());
    }
}

#[test]
fn what_is_too_large_to_begin_with_is_refused() {
    let pool = Pool::new(Settings { input_max: 1000, ..Settings::default() }).unwrap();
    let source = "1;".repeat(200_000);
    assert!(matches!(error(&pool, JavaScript, &source, "{}"), ScriptError::TooLarge { max: 262_144, .. }));
    let input = format!("{:?}", "x".repeat(1000));
    assert!(matches!(
        error(&pool, JavaScript, "1", &input),
        ScriptError::TooLarge { bytes: 1002, max: 1000, .. }
    ));
    assert_eq!(evaluate(&pool, JavaScript, "1", "{}"), "1");
}

#[test]
fn nothing_is_left_for_the_next_evaluation() {
    let pool = Pool::new(Settings { helpers: 1, ..Settings::default() }).unwrap();
    let js = |source: &str| evaluate(&pool, JavaScript, source, "{}");
    js("globalThis.leak = 1; var leak2 = 2; leak3 = 3; $.leak = 4; 1");
    js("Object.prototype.leak = 5; Array.prototype.map = () => 'mine'; 1");
    js("JSON.stringify = () => '\"mine\"'; Object.prototype.toJSON = () => 'mine'; 1");
    js("String.prototype.leak = 6; Symbol.for('leak').description; 1");
    js("Promise.resolve().then(() => { globalThis.late = 7 }); 1");
    js("(function () { this.leak = 8 }).call(undefined); Function.prototype.call = null; 1");
    let seen = "[typeof leak, typeof leak2, typeof leak3, $.leak, ({}).leak, [1].map(x => x), ''.leak, typeof late, typeof Function.prototype.call]";
    assert_eq!(
        js(seen),
        r#"["undefined","undefined","undefined",null,null,[1],null,"undefined","function"]"#
    );
    assert_eq!(pool.counters().helpers_started, 1);
}

#[test]
fn there_is_no_way_out() {
    let pool = pool();
    for source in [
        "this.constructor.constructor('return process')()",
        "(function () {}).constructor('return require')()",
        "process",
        "require('fs')",
        "std",
        "os",
        "scriptArgs",
        "Deno",
        "Bun",
        "Java.type('java.lang.Runtime')",
        "Polyglot",
        "load('/etc/passwd')",
        "print(1)",
        "new Worker('x')",
        "fetch('http://127.0.0.1')",
        "XMLHttpRequest",
        "setTimeout(() => 1)",
        "import.meta",
        "import x from 'std'; x",
    ] {
        let error = error(&pool, JavaScript, source, "{}");
        assert!(
            matches!(error, ScriptError::Runtime { .. } | ScriptError::Syntax { .. }),
            "{source}: {error:?}"
        );
    }
    // A promise that nobody fulfils.
    for source in ["import('std')", "import('/etc/passwd')", "(async () => (await import('os')))()"] {
        assert!(error(&pool, JavaScript, source, "{}").to_string().contains("promise"), "{source}");
    }
    let globals =
        "Object.getOwnPropertyNames(globalThis).filter(name => !/^[A-Z]/.test(name)).sort().join(' ')";
    insta::assert_snapshot!(evaluate(&pool, JavaScript, globals, "{}"), @r#""$ decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt queueMicrotask undefined unescape""#);
    let fetching = r#"{"$ref":"http://127.0.0.1:9/"}"#;
    assert!(matches!(error(&pool, Schema, fetching, "1"), ScriptError::Syntax { .. }));
}

#[test]
fn helpers_can_open_nothing_and_call_little() {
    let pool = pool();
    for pid in pool::helpers_of(&pool) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!([field("Seccomp:"), field("NoNewPrivs:"), field("Threads:")], ["2", "1", "1"]);
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let limit = |name: &str| {
            let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(["Max open files", "Max file size", "Max processes"].map(limit), ["3", "0", "0"]);
        assert_ne!(limit("Max address space"), "unlimited");
    }
}
