//! Templates and trees.

use partitur_expr::{Template, Tree};
use partitur_model::Payload;

use crate::world::World;

/// Each line: a text, `=>`, the JSON of its value.
fn check(table: &str) {
    let world = World::usual();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (source, value) = line.rsplit_once("=>").unwrap();
        let template = Template::parse(source.trim()).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(template.resolve(&world).render(), value.trim(), "{source}");
    }
}

#[test]
fn a_text_that_is_one_expression_keeps_the_type_and_the_digits() {
    check(
        r#"
        ${inputs.month}           => "2024-11"
        ${inputs.limit}           => 10
        ${inputs.price}           => 0.10
        ${inputs.id}              => 12345678901234567890123
        ${inputs.regions}         => ["de", "fr"]
        ${inputs.nothing}         => null
        ${ inputs.flag }          => true
        ${close-books.output}     => {"ok": true}
        "#,
    );
}

#[test]
fn what_is_missing_is_null() {
    check(
        r#"
        ${inputs.gone}            => null
        ${gone.away}              => null
        ${inputs.month.deeper}    => null
        ${inputs.regions[7]}      => null
        at ${inputs.gone}         => "at null"
        "#,
    );
}

#[test]
fn a_longer_text_holds_values_as_text() {
    check(
        r#"
        ${inputs.month}.csv                => "2024-11.csv"
        ${inputs.limit}/${inputs.price}    => "10/0.10"
        it is ${inputs.flag}               => "it is true"
        ${orders.output.note}!             => "say \"hi\"!"
        x=${inputs['a key']}               => "x={\"x\": 1}"
        "#,
    );
}

#[test]
fn escapes_blanks_and_plain_dollars() {
    check(
        r#"
        $${inputs.month}          => "${inputs.month}"
        a$${x}b${inputs.limit}    => "a${x}b10"
        $$${x}                    => "$${x}"
        ${}                       => ""
        a${ }b                    => "ab"
        $HOME costs 5$            => "$HOME costs 5$"
        "#,
    );
}

#[test]
fn of_nested_expressions_the_inner_comes_first() {
    check(
        r#"
        ${inputs.${inputs.which}}                   => "2024-11"
        ${inputs.${inputs.gone}}                    => null
        ${orders.output.lines[${close-books.gone}]} => null
        <${inputs.${inputs.which}}>                 => "<2024-11>"
        "#,
    );
}

#[test]
fn steps_into_lists_and_objects() {
    check(
        r#"
        ${inputs['a key'].x}                        => 1
        ${inputs.regions[0]}                        => "de"
        ${inputs.regions[-1]}                       => "fr"
        ${inputs.regions.length()}                  => 2
        ${inputs.empty.length()}                    => 0
        ${orders.output.lines[*].x}                 => [1,2,3]
        ${orders.output.lines[1:].x}                => [2,3]
        ${orders.output.lines[:-1].x}               => [1,2]
        ${orders.output.lines[0,2].sku}             => ["a","c"]
        ${orders.output..x}                         => [1,2,3]
        ${orders..tags[0]}                          => ["n"]
        ${orders.output.lines[?(@.x > 1)].sku}      => ["b","c"]
        ${orders.output.lines[?(@.x>1 && @.sku != 'c')].sku} => ["b"]
        ${orders.output.lines[?(@.tags)].sku}       => ["a"]
        ${orders.output.lines[?(!@.tags)].sku}      => ["b","c"]
        ${orders.output.lines[?(@.sku in ['a','c'])].x} => [1,3]
        ${orders.output.lines[?(@.sku =~ '[bc]')].x} => [2,3]
        ${orders.output.lines[*].x.sum()}           => 6
        ${orders.output.lines[*].x.max()}           => 3
        ${orders.output.lines[*].x.avg()}           => 2
        ${orders.output.lines[?(@.x > 9)]}          => []
        ${orders.output.lines[0]['sku','x']}        => {"sku":"a","x":1}
        ${orders.output.lines[0].keys()}            => ["sku","x","tags"]
        ${orders.output.lines[0].keys()[1]}         => "x"
        "#,
    );
}

#[test]
fn a_tree_is_filled_in_its_strings_alone() {
    let source = r#"{"${inputs.month}": ["${inputs.limit}", 1.50, {"deep": "m=${inputs.month}"}], "esc": ["$${x}"], "raw": { "a" :1 }}"#;
    let tree = Tree::parse(&Payload::parse(source).unwrap()).unwrap();
    let filled = r#"{"${inputs.month}":[10,1.50,{"deep":"m=2024-11"}],"esc":["${x}"],"raw":{ "a" :1 }}"#;
    assert_eq!(tree.resolve(&World::usual()).render(), filled);
    assert!(!tree.is_constant());
    assert_eq!(tree.paths().len(), 2);
}

#[test]
fn a_tree_without_expressions_stays_the_bytes_that_came() {
    let source = r#"{ "a" : [1.0, "x $HOME"] }"#;
    let tree = Tree::parse(&Payload::parse(source).unwrap()).unwrap();
    assert!(tree.is_constant());
    assert_eq!(tree.resolve(&World::usual()).render(), source);
}

#[test]
fn a_tree_names_all_its_faults_with_their_places() {
    let source = r#"{"a": {"b": ["ok", "${inputs."]}, "c": "${x", "d": "${inputs.x.lenght()}"}"#;
    let faults = Tree::parse(&Payload::parse(source).unwrap()).unwrap_err();
    let lines: Vec<_> = faults.iter().map(|(place, error)| format!("{place}: {error}")).collect();
    assert_eq!(lines, ["a.b[1]: `${` has no `}`", "c: `${` has no `}`", "d: unknown function `lenght`",]);
}

#[test]
fn paths_are_named_with_what_is_certain_of_them() {
    let paths = |source: &str| -> Vec<String> {
        let template = Template::parse(source).unwrap();
        let text = |at: &std::ops::Range<u32>| source[at.start as usize..at.end as usize].to_owned();
        template.paths().iter().map(|path| text(&path.at)).collect()
    };
    assert_eq!(paths("a ${b.c} d ${e['f}']}"), ["b.c", "e['f}']"]);
    assert_eq!(paths("${workflow.input.${a.b}.c}"), ["workflow.input", "a.b"]);
    assert_eq!(paths("${a.list[${i.x}]}"), ["a.list", "i.x"]);
    assert_eq!(paths("${a.list[?(@.x == ${i.x})]}"), ["a.list", "i.x"]);
    assert_eq!(paths("${${a.b}.c}"), ["a.b"]);
    assert!(Template::parse("${${a.b}.c}").unwrap().has_open_head());
    assert!(!Template::parse("${x.${a.b}.c}").unwrap().has_open_head());
}

#[test]
fn a_constant_text_is_known_as_one() {
    assert_eq!(Template::parse("plain $5").unwrap().constant(), Some("plain $5"));
    assert_eq!(Template::parse("$${x}${}").unwrap().constant(), Some("${x}"));
    assert_eq!(Template::parse("").unwrap().constant(), Some(""));
    assert_eq!(Template::parse("${x}").unwrap().constant(), None);
}

#[test]
fn values_cannot_break_out_of_a_nested_expression() {
    let world = World::of(r#"{"a": {"k": "b}${a.secret", "secret": 1}}"#);
    assert_eq!(Template::parse("${a.${a.k}}").unwrap().resolve(&world).render(), "null");
    assert_eq!(Template::parse("${a.k}").unwrap().resolve(&world).render(), r#""b}${a.secret""#);
}
