//! Documents that are broken, hostile or huge, and what is told about each.

use partitur_formats::Budget;
use proptest::prelude::*;

use crate::support::{read, refused};

/// The faults without the lines of the document, for documents whose lines are too long to show.
fn told(path: &str, bytes: &[u8]) -> String {
    let faults = read(path, bytes, &[]).expect_err("the document should be refused");
    faults
        .lines()
        .filter(|line| line.starts_with("error[") || line.contains("   tasks"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn nothing_at_all() {
    insta::assert_snapshot!(refused(""), @r"
    error[P0126]: the document is empty
      flow.yaml:1:1
      hint: begin with `tasks:`, for example `tasks: { hello: { run: echo hello } }`   (partitur explain P0126)
    ");
    insta::assert_snapshot!(refused("# only\n# comments\n"), @r"
    error[P0126]: the document is empty
      flow.yaml:1:1
      1 │ # only
        │ ^
      hint: begin with `tasks:`, for example `tasks: { hello: { run: echo hello } }`   (partitur explain P0126)
    ");
    insta::assert_snapshot!(refused("---\n...\n"), @r"
    error[P0126]: the document is empty
      flow.yaml:1:4
      1 │ ---
        │    ^
      hint: begin with `tasks:`, for example `tasks: { hello: { run: echo hello } }`   (partitur explain P0126)
    ");
    insta::assert_snapshot!(refused("tasks: {}\n"), @r"
    error[P0126]: there are no tasks
      flow.yaml:1:8   tasks
      1 │ tasks: {}
        │        ^^ empty
      (partitur explain P0126)
    ");
    insta::assert_snapshot!(refused("tasks:\n"), @r"
    error[P0108]: expected a mapping, found nothing
      flow.yaml:1:1   tasks
      1 │ tasks:
        │ ^^^^^ not a mapping
      (partitur explain P0108)
    ");
    insta::assert_snapshot!(told("flow.json", b""), @"error[P0126]: the document is empty");
    insta::assert_snapshot!(told("flow.json", b" \n "), @"error[P0126]: the document is empty");
}

#[test]
fn not_a_mapping() {
    insta::assert_snapshot!(refused("- a\n- b\n"), @r"
    error[P0108]: expected a mapping, found a list
      flow.yaml:1:1
      1 │ - a
        │ ^^^ not a mapping
      (partitur explain P0108)
    ");
    insta::assert_snapshot!(refused("just words\n"), @r"
    error[P0108]: expected a mapping, found `just words`
      flow.yaml:1:1
      1 │ just words
        │ ^^^^^^^^^^ not a mapping
      (partitur explain P0108)
    ");
    insta::assert_snapshot!(told("flow.json", b"[1, 2]"), @"error[P0108]: expected a mapping, found a list");
}

#[test]
fn bytes_that_are_no_text() {
    insta::assert_snapshot!(told("flow.yaml", b"tasks:\n  a: { run: \"M\xfcnchen\" }\n"), @"error[P0103]: the file is no UTF-8: a wrong byte in line 2");
    insta::assert_snapshot!(told("flow.yaml", b"\xff\xfet\0a\0"), @"error[P0103]: the file is in UTF-16");
    insta::assert_snapshot!(told("flow.yaml", b"tasks: { a: { run: 'x\0y' } }\n"), @"error[P0103]: the file holds a NUL in line 1");
    insta::assert_snapshot!(told("flow.json", b"{\"tasks\": \"\x01\"}"), @r"error[P0101]: this is no JSON: expected no control character within a string, found `\u{1}`");
    insta::assert_snapshot!(told("flow.yaml", b"tasks: { a: { run: \"x\\0y\" } }\n"), @r"
    error[P0110]: the text holds a NUL
      flow.yaml:1:20   tasks.a.run
    ");
    assert!(read("flow.yaml", b"\xef\xbb\xbftasks: { a: { run: x } }\n", &[]).is_ok());
    assert!(read("flow.json", b"\xef\xbb\xbf{\"tasks\": {\"a\": {\"run\": \"x\"}}}", &[]).is_ok());
}

#[test]
fn a_file_of_100_mb_is_refused_by_its_size() {
    let huge = vec![b'#'; 100_000_000];
    let begin = std::time::Instant::now();
    let faults = told("flow.yaml", &huge);
    let time = begin.elapsed();
    insta::assert_snapshot!(faults, @"error[P0102]: the file has 100000000 bytes; 67108864 are allowed");
    assert!(time < std::time::Duration::from_millis(20), "the file was looked at for {time:?}");
}

#[test]
fn nesting_that_would_break_the_stack() {
    for (path, open, close) in [
        ("flow.yaml", "[", "]"),
        ("flow.json", "[", "]"),
        ("flow.yaml", "{a: ", "}"),
        ("flow.json", "{\"a\":", "}"),
    ] {
        let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let faults = told(path, text.as_bytes());
        assert!(
            faults.contains("P0102") && faults.contains("nested more than 128 deep"),
            "{path} {open}: {faults}"
        );
    }
    let dashes = format!("{}x", "- ".repeat(100_000));
    assert!(told("flow.yaml", dashes.as_bytes()).contains("P0102"));
    let indented: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(told("flow.yaml", indented.as_bytes()).contains("P0102"));
    let deep = format!("{{\"tasks\": {{\"a\": {{\"eval\": {}1{}}}}}}}", "[".repeat(100), "]".repeat(100));
    assert!(read("flow.json", deep.as_bytes(), &[]).is_ok());
}

#[test]
fn bombs_of_aliases() {
    let levels: String = (1..30)
        .map(|level| format!("x-{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")))
        .collect();
    let bomb = format!("x-0: &a0 [lol]\n{levels}tasks: {{ a: {{ eval: *a29 }} }}\n");
    insta::assert_snapshot!(told("flow.yaml", bomb.as_bytes()), @"error[P0102]: the document has more than 5000000 values, or more than 67108864 bytes of text");
    let text = format!(
        "x-0: &a {}\ntasks: {{ a: {{ eval: [{}] }} }}\n",
        "x".repeat(1_000_000),
        vec!["*a"; 100].join(", ")
    );
    insta::assert_snapshot!(told("flow.yaml", text.as_bytes()), @"error[P0102]: the document has more than 5000000 values, or more than 67108864 bytes of text");
    insta::assert_snapshot!(told("flow.yaml", b"tasks: &a { b: *a }\n"), @"error[P0102]: the alias stands within what it repeats");
    insta::assert_snapshot!(told("flow.yaml", b"tasks: { b: *nobody }\n"), @"error[P0101]: this is no YAML: while parsing node, found unknown anchor");
    let chain: String = (1..200).map(|level| format!("x-{level}: &a{level} [*a{}]\n", level - 1)).collect();
    insta::assert_snapshot!(told("flow.yaml", format!("x-0: &a0 [x]\n{chain}").as_bytes()), @"error[P0102]: the document is nested more than 128 deep");
}

#[test]
fn many_values() {
    let text = format!("tasks: {{ a: {{ eval: [{}] }} }}\n", "1,".repeat(2_000));
    let budget = Budget { nodes_max: 1_000, ..Budget::default() };
    let faults =
        partitur_formats::read_within("flow.yaml", text.as_bytes(), budget, &mut |_| Err(String::new()))
            .unwrap_err();
    insta::assert_snapshot!(faults.faults[0].message, @"the document has more than 1000 values, or more than 67108864 bytes of text");
}

#[test]
fn numbers_out_of_all_bounds() {
    insta::assert_snapshot!(refused("tasks:\n  a:\n    run: x\n    retry: 99999999999999999999\n"), @r"
    error[P0110]: `99999999999999999999` is no whole number from 1 to 4294967295
      flow.yaml:4:12   tasks.a.retry
      4 │     retry: 99999999999999999999
        │            ^^^^^^^^^^^^^^^^^^^^ out of range
      (partitur explain P0110)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a:\n    run: x\n    retry: { attempts: 0, factor: 1e999, base: 99999999999999999999s }\n"), @r"
    error[P0110]: `0` is no whole number from 1 to 4294967295
      flow.yaml:4:24   tasks.a.retry.attempts
      4 │     retry: { attempts: 0, factor: 1e999, base: 99999999999999999999s }
        │                        ^ out of range
      (partitur explain P0110)

    error[P0110]: `1e999` is less than 1 or too large
      flow.yaml:4:35   tasks.a.retry.factor
      4 │     retry: { attempts: 0, factor: 1e999, base: 99999999999999999999s }
        │                                   ^^^^^ out of range
      (partitur explain P0110)

    error[P0111]: `99999999999999999999s` is not a duration: number is too large or cannot be represented without a lack of precision (values below 1ns are not supported)
      flow.yaml:4:48   tasks.a.retry.base
      4 │     retry: { attempts: 0, factor: 1e999, base: 99999999999999999999s }
        │                                                ^^^^^^^^^^^^^^^^^^^^^ no duration
      (partitur explain P0111)
    ");
    insta::assert_snapshot!(refused("concurrency: 10..1\ntasks:\n  a: { run: x }\n"), @r"
    error[P0110]: `10..1` is no number of tasks
      flow.yaml:1:14   concurrency
      1 │ concurrency: 10..1
        │              ^^^^^ not understood
      hint: write a number such as `4`, or `1..10`   (partitur explain P0110)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a:\n    eval: { x: .inf }\n"), @r"
    error[P0108]: expected a value that JSON has, found `.inf`
      flow.yaml:3:16   tasks.a.eval.x
      3 │     eval: { x: .inf }
        │                ^^^^ not a value that JSON has
      (partitur explain P0108)
    ");
}

#[test]
fn keys_twice_unknown_or_odd() {
    insta::assert_snapshot!(refused("tasks:\n  a: { run: x }\n  a: { run: y }\nname: n\nname: m\n"), @r"
    error[P0105]: the key `a` is given twice
      flow.yaml:3:3   tasks.a
      3 │   a: { run: y }
        │   ^ given before
      hint: keep one of the two   (partitur explain P0105)

    error[P0105]: the key `name` is given twice
      flow.yaml:5:1   name
      5 │ name: m
        │ ^^^^ given before
      hint: keep one of the two   (partitur explain P0105)
    ");
    insta::assert_snapshot!(refused("env: { A: 1, A: 2 }\ntasks:\n  a: { run: x, eval: { k: 1, k: 2 } }\n"), @r"
    error[P0105]: the key `A` is given twice
      flow.yaml:1:14   env.A
      1 │ env: { A: 1, A: 2 }
        │              ^ given before
      hint: keep one of the two   (partitur explain P0105)

    error[P0116]: task `a` has `run` and `eval`, but a task does one thing
      flow.yaml:3:22   tasks.a.eval
      3 │   a: { run: x, eval: { k: 1, k: 2 } }
        │                      ^^^^^^^^^^^^^^ the second action
      hint: make a task of each   (partitur explain P0116)

    error[P0105]: the key `k` is given twice
      flow.yaml:3:30   tasks.a.eval.k
      3 │   a: { run: x, eval: { k: 1, k: 2 } }
        │                              ^ given before
      hint: keep one of the two   (partitur explain P0105)
    ");
    insta::assert_snapshot!(refused("taks:\n  a: { run: x }\n"), @r"
    error[P0106]: a document has no key `taks`
      flow.yaml:1:1   taks
      1 │ taks:
        │ ^^^^ unknown key
      hint: did you mean `tasks`?   (partitur explain P0106)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a: { command: x, depends_on: [b] }\n  b: { run: x, if: true }\n"), @r"
    error[P0106]: a task has no key `command`
      flow.yaml:2:8   tasks.a.command
      2 │   a: { command: x, depends_on: [b] }
        │        ^^^^^^^ unknown key
      hint: did you mean `run`?   (partitur explain P0106)

    error[P0106]: a task has no key `depends_on`
      flow.yaml:2:20   tasks.a.depends_on
      2 │   a: { command: x, depends_on: [b] }
        │                    ^^^^^^^^^^ unknown key
      hint: did you mean `needs`?   (partitur explain P0106)

    error[P0106]: a task has no key `if`
      flow.yaml:3:16   tasks.b.if
      3 │   b: { run: x, if: true }
        │                ^^ unknown key
      hint: did you mean `when`?   (partitur explain P0106)
    ");
    insta::assert_snapshot!(refused("tasks:\n  ? [a, b]\n  : { run: x }\n"), @r"
    error[P0126]: there are no tasks
      flow.yaml:1:1   tasks
      1 │ tasks:
        │ ^^^^^ empty
      (partitur explain P0126)

    error[P0108]: a key is a text, not a list
      flow.yaml:2:5   tasks
      2 │   ? [a, b]
        │     ^^^^^^ no key
      (partitur explain P0108)
    ");
    insta::assert_snapshot!(told("flow.json", br#"{"tasks": {"a": {"run": "x", "run": "y"}}}"#), @r"
    error[P0105]: the key `run` is given twice
      flow.json:1:30   tasks.a.run
    ");
}

#[test]
fn values_of_the_wrong_kind() {
    insta::assert_snapshot!(
        refused("tasks:\n  a: { run: { x: y } }\n  b: [x]\n  c: make\n  d: { run: [] }\n  e: { run: [x, [y]] }\n  f: { run: '' }\n  g: { run: ~ }\n"),
        @r"
        error[P0108]: expected a text, found a mapping
          flow.yaml:2:13   tasks.a.run
          2 │   a: { run: { x: y } }
            │             ^^^^^^^^ not a text
          (partitur explain P0108)

        error[P0108]: expected a mapping, found a list
          flow.yaml:3:6   tasks.b
          3 │   b: [x]
            │      ^^^ not a mapping
          (partitur explain P0108)

        error[P0108]: expected a mapping, found `make`
          flow.yaml:4:6   tasks.c
          4 │   c: make
            │      ^^^^ not a mapping
          (partitur explain P0108)

        error[P0108]: expected a program and its arguments, found a list
          flow.yaml:5:13   tasks.d.run
          5 │   d: { run: [] }
            │             ^^ not a program and its arguments
          (partitur explain P0108)

        error[P0108]: expected a text, found a list
          flow.yaml:6:17   tasks.e.run[1]
          6 │   e: { run: [x, [y]] }
            │                 ^^^ not a text
          (partitur explain P0108)

        error[P0108]: expected a command, found an empty text
          flow.yaml:7:13   tasks.f.run
          7 │   f: { run: '' }
            │             ^^ not a command
          (partitur explain P0108)

        error[P0108]: expected a text, found nothing
          flow.yaml:8:13   tasks.g.run
          8 │   g: { run: ~ }
            │             ^ not a text
          (partitur explain P0108)
        "
    );
    insta::assert_snapshot!(refused("inputs: [a]\nenv: x\nsecrets: { a: b }\nresources: 3\ntasks: [a]\n"), @r"
    error[P0108]: expected a mapping, found a list
      flow.yaml:1:9   inputs
      1 │ inputs: [a]
        │         ^^^ not a mapping
      (partitur explain P0108)

    error[P0108]: expected a mapping, found `x`
      flow.yaml:2:6   env
      2 │ env: x
        │      ^ not a mapping
      (partitur explain P0108)

    error[P0108]: expected a text, found a mapping
      flow.yaml:3:10   secrets
      3 │ secrets: { a: b }
        │          ^^^^^^^^ not a text
      (partitur explain P0108)

    error[P0108]: expected a mapping, found `3`
      flow.yaml:4:12   resources
      4 │ resources: 3
        │            ^ not a mapping
      (partitur explain P0108)

    error[P0108]: expected a mapping, found a list
      flow.yaml:5:8   tasks
      5 │ tasks: [a]
        │        ^^^ not a mapping
      (partitur explain P0108)
    ");
    insta::assert_snapshot!(refused("inputs:\n  a: { type: strin, default: 3 }\n  b: { type: integer, default: x }\n  c: { one-of: [1, 2], default: 3 }\ntasks: { a: { run: x } }\n"), @r"
    error[P0110]: `strin` is none of `string`, `number`, `integer`, `boolean`, `list` and `object`
      flow.yaml:2:14   inputs.a.type
      2 │   a: { type: strin, default: 3 }
        │              ^^^^^ unknown word
      hint: did you mean `string`?   (partitur explain P0110)

    error[P0110]: the default of `b` is not of the input's type
      flow.yaml:3:32   inputs.b.default
      3 │   b: { type: integer, default: x }
        │                                ^ does not fit
      (partitur explain P0110)

    error[P0110]: the default of `c` is not one of the values allowed
      flow.yaml:4:33   inputs.c.default
      4 │   c: { one-of: [1, 2], default: 3 }
        │                                 ^ does not fit
      (partitur explain P0110)
    ");
}

#[test]
fn a_flood_of_faults() {
    let tasks: String =
        (0..20_000).map(|task| format!("  t{task}: {{ rum: x, needs: [u{task}] }}\n")).collect();
    let begin = std::time::Instant::now();
    let faults = refused(&format!("tasks:\n{tasks}"));
    assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(faults.matches("error[").count(), 201);
    assert!(faults.contains("there are 39800 further faults"), "{}", &faults[faults.len() - 200..]);
}

#[test]
fn the_traps_of_yaml() {
    insta::assert_snapshot!(refused("tasks:\n  a: { run: x, optional: on }\n  no: { run: x, optional: no }\n"), @r"
    error[P0108]: expected `true` or `false`, found `on`
      flow.yaml:2:26   tasks.a.optional
      2 │   a: { run: x, optional: on }
        │                          ^^ not `true` or `false`
      hint: write `true`   (partitur explain P0108)

    error[P0108]: expected `true` or `false`, found `no`
      flow.yaml:3:27   tasks.no.optional
      3 │   no: { run: x, optional: no }
        │                           ^^ not `true` or `false`
      hint: write `false`   (partitur explain P0108)
    ");
    insta::assert_snapshot!(refused("tasks:\n\ta: { run: x }\n"), @r"
    error[P0101]: this is no YAML: tabs disallowed within this context (block indentation)
      flow.yaml:2:2
      2 │  a: { run: x }
        │  ^ here
      hint: indent with spaces   (partitur explain P0101)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a: { run: [echo, ${inputs.x}] }\n"), @r#"
    error[P0120]: `${` within flow brackets needs quotes
      flow.yaml:2:20
      2 │   a: { run: [echo, ${inputs.x}] }
        │                    ^^ YAML takes `{` for a mapping
      hint: write "${…}", in double quotes   (partitur explain P0120)
    "#);
    insta::assert_snapshot!(refused("tasks:\n  a: { run: !!python/object x }\n"), @r"
    error[P0128]: the tag `!!python/object` has no meaning here
      flow.yaml:2:13
      2 │   a: { run: !!python/object x }
        │             ^^^^^^^^^^^^^^^ tagged value
      hint: leave the tag out; put a value into quotes to make it a string   (partitur explain P0128)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a: { run: x, timeout: 010 }\n"), @r"
    error[P0111]: a duration needs a unit: `010s` for seconds, `010ms`, `010m`, `010h`
      flow.yaml:2:25   tasks.a.timeout
      2 │   a: { run: x, timeout: 010 }
        │                         ^^^ no duration
      (partitur explain P0111)
    ");
    insta::assert_snapshot!(refused("tasks: { a: { run: x } }\n--- \ntasks: { b: { run: x } }\n"), @r"
    error[P0127]: the file holds more than one document
      flow.yaml:2:1
      2 │ --- 
        │ ^^^ a second document begins
      hint: put each into a file of its own   (partitur explain P0127)
    ");
    insta::assert_snapshot!(refused("tasks:\n  a: { run: \"x }\n"), @r#"
    error[P0101]: this is no YAML: unclosed quote
      flow.yaml:2:13
      2 │   a: { run: "x }
        │             ^ here
      (partitur explain P0101)
    "#);
    insta::assert_snapshot!(refused("tasks:\n  a:\n    run: echo note: x\n"), @r"
    error[P0101]: this is no YAML: mapping values are not allowed in this context
      flow.yaml:3:19
      3 │     run: echo note: x
        │                   ^ here
      hint: a text that holds `: ` needs quotes   (partitur explain P0101)
    ");
}

#[test]
fn json_that_is_none() {
    for (text, wanted) in [
        ("{", "expected a key in double quotes, found the end of the file"),
        ("{\"a\"}", "expected `:`, found `}`"),
        ("{\"a\": }", "expected a value, found `}`"),
        ("{\"a\": 01}", "expected a value, found `0`"),
        ("{\"a\": 1,}", "expected a key in double quotes, found `}`"),
        ("[1,]", "expected a value, found `]`"),
        ("[1 2]", "expected `,` or `]`, found `2`"),
        ("{'a': 1}", "expected a key in double quotes, found `'`"),
        ("{} {}", "expected the end of the file, found `{`"),
        ("\"\\ud800\"", "no JSON string"),
        ("\"\\x\"", "no JSON string"),
        ("\"abc", "expected the closing `\"` of this string"),
        ("\"\\", "expected the closing `\"` of this string"),
        ("nul", "expected a value, found `n`"),
        ("{\"a\": NaN}", "expected a value, found `N`"),
        ("// x\n{}", "expected a value, found `/`"),
    ] {
        let faults = told("flow.json", text.as_bytes());
        assert!(faults.contains("P0101") && faults.contains(wanted), "{text}: {faults}");
    }
}

#[test]
fn tricks_with_paths() {
    insta::assert_snapshot!(
        refused("tasks:\n  a: { flow: /etc/passwd }\n  b: { flow: 'x\\y.yaml' }\n  c: { flow: \"a\\0b\" }\n  d: { flow: '${inputs.x}' }\n  e: { flow: .. }\n  f: { flow: nowhere.yaml }\n"),
        @r#"
        error[P0124]: the path `/etc/passwd` is absolute
          flow.yaml:2:14   tasks.a.flow
          2 │   a: { flow: /etc/passwd }
            │              ^^^^^^^^^^^ no path to a sub-flow
          hint: write it relative to this file   (partitur explain P0124)

        error[P0124]: `x\y.yaml` cannot be a path to a sub-flow
          flow.yaml:3:14   tasks.b.flow
          3 │   b: { flow: 'x\y.yaml' }
            │              ^^^^^^^^^^ no path to a sub-flow
          hint: sub-flows are read before the run starts: write the path as it is, with `/`   (partitur explain P0124)

        error[P0110]: the text holds a NUL
          flow.yaml:4:14   tasks.c.flow
          4 │   c: { flow: "a\0b" }
            │              ^^^^^^ not possible
          (partitur explain P0110)

        error[P0124]: `${inputs.x}` cannot be a path to a sub-flow
          flow.yaml:5:14   tasks.d.flow
          5 │   d: { flow: '${inputs.x}' }
            │              ^^^^^^^^^^^^^ no path to a sub-flow
          hint: sub-flows are read before the run starts: write the path as it is, with `/`   (partitur explain P0124)

        error[P0124]: `..` names a directory
          flow.yaml:6:14   tasks.e.flow
          6 │   e: { flow: .. }
            │              ^^ no path to a sub-flow
          hint: name a file   (partitur explain P0124)

        error[P0122]: the sub-flow `nowhere.yaml` cannot be read: no such file
          flow.yaml:7:14   tasks.f.flow
          7 │   f: { flow: nowhere.yaml }
            │              ^^^^^^^^^^^^ this file
          (partitur explain P0122)
        "#
    );
    let files = [
        ("b.yaml", "tasks: { b: { flow: sub/c.yaml } }"),
        ("sub/c.yaml", "tasks: { c: { flow: ../b.yaml } }"),
    ];
    insta::assert_snapshot!(read("dir/a.yaml", b"tasks: { a: { flow: b.yaml } }", &files).unwrap_err(), @r"
    error[P0123]: the sub-flow contains itself: b.yaml → sub/c.yaml → b.yaml
      dir/sub/c.yaml:1:21   tasks.c.flow
      1 │ tasks: { c: { flow: ../b.yaml } }
        │                     ^^^^^^^^^ leads back
      (partitur explain P0123)
    ");
    insta::assert_snapshot!(read("flow.txt", b"tasks: {}", &[]).unwrap_err(), @r"
    error[P0104]: the file's name does not say what it is
      flow.txt:1:1
      hint: name it `….yaml`, `….yml` or `….json`   (partitur explain P0104)
    ");
}

#[test]
fn a_document_does_not_drive_the_terminal() {
    let faults = refused("tasks:\n  a: { run: x, \"\\e[31mred\": 1 }\n");
    assert!(!faults.contains('\u{1b}'), "{faults:?}");
}

/// Valid documents that are spoilt at random.
const SEEDS: &[(&str, &str)] = &[
    (
        "flow.yaml",
        "name: x\ninputs: { v: { type: list, default: [1, 2] } }\ntasks:\n  a:\n    for-each: ${inputs.v}\n    run: |\n      echo \"${each.value}\" 'it' $(x `y`) <<EOF\n      EOF\n    retry: { attempts: 3, base: 1s }\n    locks: [file:x, { resource: y, units: 2 }]\n  b:\n    needs: [{ task: a, outcome: any }]\n    when: a.output[0] > 1\n    http: { url: x, body: { z: &q [1, *q2] } }\n",
    ),
    (
        "flow.yaml",
        "x-a: &a { k: \"\\u00e9 \\n\" }\ntasks:\n  l:\n    loop: { tasks: { i: { eval: *a } }, while: i.output.k, keep-last: 2 }\n  w: { wait: { for: file, file: x, at-most: 1m }, needs: l }\n  s: { switch: l.output, needs: [l] }\n  c: { needs: [{ task: s, case: x }], flow: f.yaml, with: { a: >-\n    folded\n    text\n    } }\n",
    ),
    (
        "flow.json",
        "{\"tasks\": {\"a\": {\"run\": [\"x\", \"\\u00e9\"], \"env\": {\"A\": 0.10}}, \"b\": {\"needs\": [\"a\"], \"rules\": [{\"if\": \"a\", \"set\": {\"b\": null}}]}}}",
    ),
    (
        "flow.json",
        "{\"nodes\": [{\"id\": \"1\", \"type\": \"if\", \"data\": {\"expression\": \"a\"}}, {\"id\": \"2\", \"type\": \"command\", \"data\": {\"command\": \"x ${1.output}\"}}], \"edges\": [{\"source\": \"1\", \"target\": \"2\", \"condition\": \"true\"}]}",
    ),
];

fn never_panics(path: &str, bytes: &[u8]) {
    let mut resolve = |_: &str| Ok(b"tasks: { a: { run: x } }".to_vec());
    match partitur_formats::read(path, bytes, &mut resolve) {
        Ok(document) => {
            let record = partitur_formats::definition_record(&document);
            let again = partitur_formats::read_record(&record).expect("what was read once is read again");
            assert_eq!(again.definition.root, document.definition.root);
        }
        Err(faults) => assert!(!partitur_formats::render(&faults.faults, &faults.places, true).is_empty()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_documents_never_panic(
        seed in 0..SEEDS.len(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, prop::sample::select(vec![
            "", "{", "}", "[", "]", "\"", "'", ":", ": ", "\n", "  ", "\t", "- ", "&a ", "*a ", "|", ">", "!!str ", "${", "}", "#", ",", "\\", "é", "\u{feff}", "0", "~", "---\n", "<<: ", "? ", "%", "@", "`",
        ])), 1..5),
    ) {
        let (path, text) = SEEDS[seed];
        let mut text = text.to_owned();
        for (at, length, insert) in cuts {
            let mut start = at.index(text.len() + 1);
            while !text.is_char_boundary(start) { start -= 1; }
            let mut end = (start + length).min(text.len());
            while !text.is_char_boundary(end) { end += 1; }
            text.replace_range(start..end, insert);
        }
        never_panics(path, text.as_bytes());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json: bool) {
        never_panics(if json { "flow.json" } else { "flow.yaml" }, &bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[ -~\n\té]{0,200}", json: bool) {
        never_panics(if json { "flow.json" } else { "flow.yaml" }, text.as_bytes());
    }
}
