//! Expressions.

use partitur_expr::Expression;

use crate::world::World;

/// Each line: an expression, `=>`, the JSON of its value or `error: ` and the sentence.
fn check(table: &str) {
    let world = World::usual();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (source, wanted) = line.rsplit_once("=>").unwrap();
        let expression = Expression::parse(source.trim()).unwrap_or_else(|error| panic!("{source}: {error}"));
        let found = match expression.value(&world) {
            Ok(value) => value.render(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(found, wanted.trim(), "{source}");
    }
}

#[test]
fn operators_bind_as_in_other_languages() {
    check(
        r#"
        orders.output.rows > 0 and inputs.month != '2024-12'  => true
        1 + 2 * 3                       => 7
        (1 + 2) * 3                     => 9
        10 - 2 - 3                      => 5
        -2 + 5                          => 3
        - inputs.limit                  => -10
        not 1 == 2                      => true
        true or false and false         => true
        not true or true                => true
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
        "#,
    );
}
