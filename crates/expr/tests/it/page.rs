//! Every example of the page for people is executed.

use partitur_expr::Template;
use partitur_model::Payload;

use crate::world::{World, check_in};

const PAGE: &str = include_str!("../../../../docs/expressions.md");

/// The blocks fenced with this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    PAGE.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn world() -> World {
    World(Payload::parse(blocks("json")[0]).unwrap())
}

#[test]
fn the_expressions_of_the_page_have_the_values_it_says() {
    let examples = blocks("expression");
    assert!(examples.len() >= 4);
    examples.iter().for_each(|block| check_in(&world(), block));
}

#[test]
fn the_templates_of_the_page_have_the_values_it_says() {
    let examples = blocks("template");
    assert!(!examples.is_empty());
    for line in examples.iter().flat_map(|block| block.lines()) {
        let (source, value) = line.rsplit_once("=>").unwrap();
        let template = Template::parse(source.trim()).unwrap();
        assert_eq!(template.resolve(&world()).render(), value.trim(), "{source}");
    }
}

#[test]
fn the_page_names_every_function_and_operator() {
    let words = "or and not == != < <= > >= in contains matches equals not_equals less_than greater_than regex + - * / % \
                 length( lower( upper( min( max( sum( coalesce( default( round( keys( starts_with( ends_with( number( text( \
                 .length() .keys() .first() .last() .min() .max() .sum() .avg()";
    for word in words.split_whitespace() {
        assert!(PAGE.contains(&format!("`{word}")), "{word}");
    }
}
