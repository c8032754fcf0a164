//! What people read when a source is wrong.

use partitur_expr::{Expression, ParseError, Template};

/// The source, what is marked, what is said.
fn shown(source: &str, error: &ParseError) -> String {
    let marks = source[..error.at.start].chars().count();
    let width = source[error.at.clone()].chars().count().max(1);
    let hint = error.hint.as_ref().map(|hint| format!("  hint: {hint}\n")).unwrap_or_default();
    format!("{source}\n{}{} {error}\n{hint}", " ".repeat(marks), "^".repeat(width))
}

fn expressions(sources: &[&str]) -> String {
    let show = |source: &&str| match Expression::parse(source) {
        Ok(_) => panic!("{source} should be refused"),
        Err(error) => shown(source, &error),
    };
    sources.iter().map(show).collect()
}

fn templates(sources: &[&str]) -> String {
    let show = |source: &&str| match Template::parse(source) {
        Ok(_) => panic!("{source} should be refused"),
        Err(error) => shown(source, &error),
    };
    sources.iter().map(show).collect()
}

#[test]
fn misspelt_words_are_recognised() {
    insta::assert_snapshot!(expressions(&[
        "inputs.a contians 'x'",
        "lenght(inputs.a) > 1",
        "frobnicate(1)",
        "a.b.legnth() > 1",
        "a is b",
    ]), @r#"
    inputs.a contians 'x'
             ^^^^^^^^ unknown operator `contians`
      hint: did you mean `contains`?
    lenght(inputs.a) > 1
    ^^^^^^ unknown function `lenght`
      hint: did you mean `length`?
    frobnicate(1)
    ^^^^^^^^^^ unknown function `frobnicate`
      hint: there are length, lower, upper, min, max, sum, coalesce, default, round, keys, starts_with, ends_with, number, text, equals, not_equals, less_than, greater_than, contains, in, matches, regex
    a.b.legnth() > 1
        ^^^^^^ unknown function `legnth`
      hint: did you mean `length`?
    a is b
      ^^ unknown operator `is`
      hint: did you mean `in`?
    "#);
}

#[test]
fn signs_of_other_languages_get_ours() {
    insta::assert_snapshot!(expressions(&[
        "a = 1", "a === 1", "a !== 1", "a <> 1", "a && b", "a || b", "!a", "(a && b)", "${inputs.a} == 1",
    ]), @r#"
    a = 1
      ^ unknown operator `=`
      hint: write `==`
    a === 1
      ^^^ unknown operator `===`
      hint: write `==`
    a !== 1
      ^^^ unknown operator `!==`
      hint: write `!=`
    a <> 1
      ^^ unknown operator `<>`
      hint: write `!=`
    a && b
      ^^ unknown operator `&&`
      hint: write `and`
    a || b
      ^^ unknown operator `||`
      hint: write `or`
    !a
    ^ unknown operator `!`
      hint: write `not`
    (a && b)
       ^^ unknown operator `&&`
      hint: write `and`
    ${inputs.a} == 1
    ^ an expression names values without `${}`
      hint: write the path alone, as in `inputs.month`
    "#);
}

#[test]
fn what_is_incomplete_says_what_is_missing() {
    insta::assert_snapshot!(expressions(&[
        "", "a ==", "a == == b", "(a", "[1, 2", "[1,]", "f(", "'abc", "a.", "a..", "a[", "a[x]", "a['x'", "a[?(@.x > )]",
        "a[?(b.x > 1)]", "1 < 2 < 3", "a b", "a ,", "007", "'\\q'", "'\\ud800'", "x matches '('", "length()", "equals(1)",
        "round(1,2,3)", "a.length(",
    ]), @r#"

    ^ expected a value, found the end
    a ==
        ^ expected a value, found the end
    a == == b
         ^ expected a value, found `=`
    (a
      ^ expected `)`, found the end
    [1, 2
         ^ expected `]`, found the end
    [1,]
       ^ expected a value, found `]`
    f(
      ^ expected a value, found the end
    'abc
    ^^^^ the string has no end
      hint: close it with `'`
    a.
      ^ expected a key after the dot, found the end
    a..
       ^ expected a key after the dot, found the end
    a[
      ^ expected an index, a key in quotes, `*` or a filter, found the end
      hint: write `['key']` for a key, `[0]` for the first element, `[?(@.x > 1)]` for a filter
    a[x]
      ^ expected an index, a key in quotes, `*` or a filter, found `x`
      hint: write `['key']` for a key, `[0]` for the first element, `[?(@.x > 1)]` for a filter
    a['x'
         ^ expected `]`, found the end
    a[?(@.x > )]
              ^ expected a value, found `)`
    a[?(b.x > 1)]
        ^ a filter sees its element alone
      hint: write `@` for the element, as in `[?(@.x > 1)]`
    1 < 2 < 3
          ^ comparisons cannot be chained
      hint: write `a < b and b < c`
    a b
      ^ unknown operator `b`
      hint: there are and, or, not, equals, not_equals, less_than, greater_than, contains, in, matches, regex
    a ,
      ^ expected an operator or the end, found `,`
    007
    ^^^ a number does not begin with 0
      hint: write `7`, or `'007'` for the text
    '\q'
     ^^ unknown escape in the string
      hint: write `\\` for a backslash
    '\ud800'
     ^^^^^^ this escape is no character
    x matches '('
              ^^^ this is no regular expression: unclosed group
    length()
    ^^^^^^ `length` takes one value
    equals(1)
    ^^^^^^ `equals` takes two values
    round(1,2,3)
    ^^^^^ `round` takes 1 or 2 values
    a.length(
             ^ expected `)`, found the end
    "#);
}

#[test]
fn templates_say_what_to_write_instead() {
    insta::assert_snapshot!(templates(&[
        "a ${b", "${inputs.a + 1}", "${a b}", "${.a}", "${a[b]}", "${[0]}", "${x|y}",
    ]), @r#"
    a ${b
      ^^^ `${` has no `}`
      hint: write `$${` where the text itself is meant
    ${inputs.a + 1}
               ^ unexpected `+` after the path
      hint: `${…}` holds a path and computes nothing; a key with such a character is written `['a key']`
    ${a b}
        ^ unexpected `b` after the path
      hint: `${…}` holds a path and computes nothing; a key with such a character is written `['a key']`
    ${.a}
      ^ expected a name, found `.`
    ${a[b]}
        ^ expected an index, a key in quotes, `*` or a filter, found `b`
      hint: write `['key']` for a key, `[0]` for the first element, `[?(@.x > 1)]` for a filter
    ${[0]}
      ^^^ a path begins with a name
    ${x|y}
       ^ unexpected `|` after the path
      hint: `${…}` holds a path and computes nothing; a key with such a character is written `['a key']`
    "#);
}
