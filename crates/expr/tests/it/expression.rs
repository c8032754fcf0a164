//! Expressions: what they are worth.

use partitur_expr::Expression;

use crate::world::{World, check};

#[test]
fn operators_bind_as_in_other_languages() {
    check(
        r#"
        orders.output.rows > 0 and inputs.month != '2024-12'  => true
        1 + 2 * 3                       => 7
        (1 + 2) * 3                     => 9
        10 - 2 - 3                      => 5
        100 / 10 / 2                    => 5
        -2 + 5                          => 3
        - inputs.limit                  => -10
        --5                             => 5
        not 1 == 2                      => true
        not not true                    => true
        true or false and false         => true
        not true or true                => true
        1 + 1 == 2 and 'a' + 'b' == 'ab' => true
        [1, 2 + 3, 'x', [inputs.limit]] => [1,5,"x",[10]]
        []                              => []
        "#,
    );
}

#[test]
fn a_minus_between_characters_belongs_to_the_name() {
    check(
        r#"
        close-books.output.ok           => true
        2024-import.output              => 7
        inputs.limit - 3                => 7
        inputs.limit -3                 => 7
        5-3                             => 2
        1e-1 + 0                        => 0.1
        "#,
    );
}

#[test]
fn words_are_operators_only_where_one_can_stand() {
    check(
        r#"
        in.output in [1, 2]             => true
        not.output == 2                 => true
        true.output                     => 3
        contains(inputs.regions, 'de')  => true
        equals(1, 1.0)                  => true
        "#,
    );
}

#[test]
fn numbers_are_compared_by_value_and_exactly() {
    check(
        r#"
        1 == 1.0                                              => true
        0.1 + 0.2 == 0.3                                      => true
        1e3 == 1000                                           => true
        -0 == 0                                               => true
        12345678901234567890123 < 12345678901234567890124     => true
        9007199254740993 == 9007199254740992                  => false
        0.30000000000000000000000000000000000000000000000001 > 0.3 => true
        -2 < -1                                               => true
        -1.5 < 1e-400                                         => true
        1e400 > 1e399                                         => true
        inputs.id == 12345678901234567890123                  => true
        "#,
    );
}

#[test]
fn kinds_are_never_equal_and_never_ordered() {
    check(
        r#"
        1 == '1'                        => false
        true == 'true'                  => false
        null == false                   => false
        [] == null                      => false
        1 != '1'                        => true
        1 < '2'                         => error: a number and a string cannot be ordered: compare numbers with numbers, strings with strings
        true > false                    => error: a truth value and a truth value cannot be ordered: compare numbers with numbers, strings with strings
        [1] < [2]                       => error: a list and a list cannot be ordered: compare numbers with numbers, strings with strings
        'Z' < 'a' and 'a' < 'ä'         => true
        "#,
    );
}

#[test]
fn lists_and_objects_are_equal_in_depth() {
    check(
        r#"
        inputs.regions == ['de', 'fr']                     => true
        inputs.regions == ['fr', 'de']                     => false
        [1, [2.0]] == [1.0, [2]]                           => true
        orders.output.lines[0] == orders.output.lines[-3]  => true
        pair.a == pair.b                                   => true
        pair.a == pair.c                                   => false
        "#,
    );
}

#[test]
fn a_missing_path_is_null_and_no_order_holds_with_null() {
    check(
        r#"
        inputs.gone                     => null
        inputs.gone == null             => true
        inputs.gone != null             => false
        inputs.nothing == inputs.gone   => true
        inputs.gone > 0                 => false
        inputs.gone <= 0                => false
        null < null                     => false
        inputs.gone contains 'x'        => false
        inputs.gone matches 'x'         => false
        inputs.gone in [1, 2]           => false
        inputs.gone in [1, null]        => true
        inputs.gone + 1                 => error: `+` does not go with null and a number: give a value for null with `default(x, 0)`
        "#,
    );
}

#[test]
fn contains_and_in_are_mirrored() {
    check(
        r#"
        inputs.month contains '2024'             => true
        '2024' in inputs.month                   => true
        inputs.regions contains 'de'             => true
        'it' in inputs.regions                   => false
        'it' not in inputs.regions               => true
        1.0 in [1, 2]                            => true
        close-books.output contains 'ok'         => true
        close-books.output contains 'no'         => false
        12 contains 1                            => error: `contains` does not go with a number and a number
        1 in 'abc'                               => error: `in` does not go with a number and a string
        "#,
    );
}

#[test]
fn a_pattern_is_searched_anywhere() {
    check(
        r#"
        inputs.month matches '^\\d{4}-\\d{2}$'   => true
        inputs.month matches "24"                => true
        inputs.month not matches '^24'           => true
        inputs.month regex '2024-1[012]'         => true
        'ÄRGER' matches '(?i)ärger'              => true
        inputs.month matches inputs.regions[0]   => false
        'a(' matches 'a' + '('                   => error: this is no regular expression: unclosed group
        1 matches '1'                            => error: `matches` needs a string, and this is a number
        "#,
    );
}

#[test]
fn the_six_names_of_conditions() {
    check(
        r#"
        inputs.limit equals 10                   => true
        inputs.limit not_equals 10               => false
        inputs.limit greater_than 9.99           => true
        inputs.limit less_than 10                => false
        inputs.month contains '-11'              => true
        inputs.month regex '-1\\d'               => true
        "#,
    );
}

#[test]
fn strings_have_the_escapes_of_json() {
    check(
        r#"
        'it\'s'                         => "it's"
        "a\"b"                          => "a\"b"
        'tab\tline\n'                   => "tab\tline\n"
        'ä\u00e4\ud83d\ude00'           => "ää😀"
        'c:\\x'                         => "c:\\x"
        'a' + text(1.50) + text(null)   => "a1.50null"
        'a' + 1                         => error: `+` does not go with a string and a number: use `text(x)` or `number(x)`
        "#,
    );
}

#[test]
fn decimals_stay_exact() {
    check(
        r#"
        0.10 + 0.20                     => 0.30
        19.99 * 3                       => 59.97
        1.1 * 1.1                       => 1.21
        1 - 0.9                         => 0.1
        10 / 4                          => 2.5
        10 / 3                          => 3.333333333333333333
        -2 / 3                          => -0.666666666666666667
        1 / 0.001                       => 1000
        123456789012345678901234567890 / 7 => 17636684144620811271604938270
        7 % 3                           => 1
        -7 % 3                          => -1
        5.5 % 2                         => 1.5
        1e3 + 1                         => 1001
        1e-3 + 0                        => 0.001
        99999999999999999999999999999999999999 + 1 => 100000000000000000000000000000000000000
        1 / 0                           => error: division by zero
        1 % 0.0                         => error: division by zero
        1e300 + 1                       => error: `+` is exact, and the numbers have too many digits for that
        99999999999999999999 * 99999999999999999999 => error: `*` is exact, and the numbers have too many digits for that
        "#,
    );
}

#[test]
fn functions() {
    check(
        r#"
        length('zwölf')                 => 5
        length(inputs.regions)          => 2
        length(close-books)             => 2
        length(inputs.gone)             => null
        length(1)                       => error: `length` needs a string, a list or an object, and this is a number
        lower('ÄB') + upper('äb')       => "äbÄB"
        min(3, 1.5, 2)                  => 1.5
        max(['b', 'c', 'a'])            => "c"
        max(null, 2, inputs.gone)       => 2
        min([])                         => null
        max(1, 'a')                     => error: a string and a number cannot be ordered: compare numbers with numbers, strings with strings
        min(true)                       => error: `min` needs numbers or strings, and this is a truth value
        sum([0.10, 0.20, null])         => 0.30
        sum([])                         => 0
        sum(orders.output.lines[*].x)   => 6
        sum(['a'])                      => error: `sum` needs a list of numbers, and this is a string
        coalesce(inputs.gone, null, 7)  => 7
        default(inputs.gone, 'x')       => "x"
        default(inputs.flag, false)     => true
        round(2.5)                      => 3
        round(-2.5)                     => -3
        round(2.4999)                   => 2
        round(1.005, 2)                 => 1.01
        round(2, 2)                     => 2.00
        round(1, 99)                    => error: `round` needs 0 to 18 digits, and this is a number
        keys(close-books)               => ["output","error"]
        keys(orders.output.lines[0])[1] => "x"
        starts_with(inputs.month, '20') => true
        ends_with(inputs.month, '20')   => false
        ends_with(inputs.gone, '20')    => false
        starts_with(1, 'a')             => error: `starts_with` needs strings, and this is a number
        number('0.10') + 1              => 1.10
        number('1a')                    => error: `number` needs a number, or a text that is one, and this is a string
        text(inputs.regions)            => "[\"de\", \"fr\"]"
        "#,
    );
}

#[test]
fn a_condition_is_true_or_false_and_null_is_false() {
    let world = World::usual();
    let truth = |source: &str| Expression::parse(source).unwrap().truth(&world);
    assert_eq!(truth("inputs.flag"), Ok(true));
    assert_eq!(truth("inputs.gone"), Ok(false));
    assert_eq!(truth("not inputs.gone"), Ok(true));
    assert_eq!(
        truth("inputs.flag and inputs.limit").unwrap_err().to_string(),
        "a condition must be true or false, and this is a number: compare it with something"
    );
}

#[test]
fn what_is_decided_is_not_evaluated_further() {
    check(
        r#"
        true or 1 / 0 == 1              => true
        false and 1 / 0 == 1            => false
        true and 1 / 0 == 1             => error: division by zero
        "#,
    );
}

#[test]
fn an_error_marks_its_part_of_the_source() {
    let source = "inputs.flag and (1 + 2 + 'x') == 3";
    let error = Expression::parse(source).unwrap().truth(&World::usual()).unwrap_err();
    assert_eq!(&source[error.at.start as usize..error.at.end as usize], "1 + 2 + 'x'");
}

#[test]
fn orderings_with_what_may_be_null_are_found() {
    let found = |source: &str| -> Vec<String> {
        let expression = Expression::parse(source).unwrap();
        let spans = expression.nullable_orderings(&|path| &*path.head == "inputs");
        spans.into_iter().map(|at| source[at.start as usize..at.end as usize].to_owned()).collect()
    };
    assert_eq!(found("inputs.a > 1 and inputs.b == x.y"), [""; 0]);
    assert_eq!(found("not (a.b > 1) or c.d <= inputs.x"), ["a.b > 1", "c.d <= inputs.x"]);
    assert_eq!(found("default(a.b, 0) > 1 and coalesce(a.b, c.d) < 2"), ["coalesce(a.b, c.d) < 2"]);
    assert_eq!(found("length(a.b) > 0 and length(inputs.b) > 0"), ["length(a.b) > 0"]);
    assert_eq!(found("a.b + 1 > 0 or null > 1 or min(inputs.l) > 1"), ["null > 1", "min(inputs.l) > 1"]);
    assert_eq!(found("a.b greater_than 1"), ["a.b greater_than 1"]);
}

#[test]
fn all_paths_are_named_with_their_place() {
    let source = "a.b > 1 and (length(c['d e'][0]) == 2 or f matches g.h)";
    let expression = Expression::parse(source).unwrap();
    let paths = expression.paths();
    let texts: Vec<_> =
        paths.iter().map(|path| &source[path.at.start as usize..path.at.end as usize]).collect();
    assert_eq!(texts, ["a.b", "c['d e'][0]", "f", "g.h"]);
    assert_eq!(paths.iter().map(|path| &*path.head).collect::<String>(), "acfg");
}
