//! What holds for every source and every value.

use partitur_expr::{Expression, Template, Tree};
use partitur_model::Payload;
use proptest::prelude::*;
use serde_json::Value;

use crate::world::World;

/// Text made of what the languages are made of, so that much of it is nearly right.
fn nearly_right() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        prop::sample::select(vec![
            "${",
            "}",
            "$${",
            "$",
            "(",
            ")",
            "[",
            "]",
            "[?(",
            "@",
            ".",
            "..",
            "*",
            ",",
            "'",
            "\"",
            "\\",
            " ",
            "-",
            "+",
            "/",
            "%",
            "<",
            "<=",
            "==",
            "!=",
            "=",
            "!",
            "&&",
            "||",
            "=~",
            ":",
            "0",
            "1",
            "1.5",
            "1e9",
            "007",
            "and",
            "or",
            "not",
            "in",
            "nin",
            "contains",
            "matches",
            "null",
            "true",
            "length(",
            ".length()",
            ".sum()",
            "min(",
            "round(",
            "a",
            "inputs",
            "inputs.month",
            "orders.output.lines",
            "close-books",
            "ä",
            "😀",
            "\\u00e4",
            "\\ud83d",
        ])
        .prop_map(str::to_owned),
        "[a-z_.\\[\\]'-]{0,6}",
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// JSON of all kinds, texts with `${` among them.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~äß\\n\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let key = "[a-zä\" ]{0,3}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

/// A string as a literal of the language.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in prop_oneof![nearly_right(), any::<String>()]) {
        let world = World::usual();
        match Expression::parse(&text) {
            Ok(expression) => drop((expression.value(&world), expression.truth(&world), expression.paths().len())),
            Err(error) => prop_assert!(text.get(error.at.clone()).is_some(), "{:?} {:?}", text, error),
        }
        match Template::parse(&text) {
            Ok(template) => drop((template.resolve(&world), template.paths().len())),
            Err(error) => prop_assert!(text.get(error.at.clone()).is_some(), "{:?} {:?}", text, error),
        }
    }

    #[test]
    fn the_value_as_text_is_the_text_of_the_value(text in nearly_right()) {
        let world = World::usual();
        if let Ok(template) = Template::parse(&text) {
            let as_text = template.resolve_text(&world);
            match template.resolve(&world).to_value() {
                Value::String(string) => prop_assert_eq!(as_text, string),
                other => prop_assert_eq!(serde_json::from_str::<Value>(&as_text).unwrap(), other),
            }
        }
    }

    #[test]
    fn a_text_without_expressions_stands_for_itself(text in "[^$]*") {
        let template = Template::parse(&text).unwrap();
        prop_assert_eq!(template.constant(), Some(&*text));
    }

    #[test]
    fn an_escaped_text_stands_for_itself(text in nearly_right()) {
        let escaped = text.replace("${", "$${");
        let template = Template::parse(&escaped).unwrap();
        prop_assert_eq!(template.constant(), Some(&*text));
    }

    #[test]
    fn a_string_literal_has_its_text_as_value(text in any::<String>()) {
        let expression = Expression::parse(&literal(&text)).unwrap();
        prop_assert_eq!(expression.value(&World::usual()).unwrap().to_value(), Value::from(text));
    }

    #[test]
    fn json_is_looked_into_as_serde_does(value in json()) {
        let world = World(Payload::object([("x", Payload::from(&value))]));
        let pointers = pointers(&value);
        for (path, wanted) in pointers {
            let found = Template::parse(&format!("${{x{path}}}")).unwrap().resolve(&world);
            prop_assert_eq!(found.to_value(), wanted, "{}", path);
        }
    }

    #[test]
    fn json_is_equal_to_itself_and_to_nothing_else(a in json(), b in json()) {
        let world = World(Payload::object([("a", Payload::from(&a)), ("b", Payload::from(&b))]));
        let truth = |source: &str| Expression::parse(source).unwrap().truth(&world);
        prop_assert_eq!(truth("a == a"), Ok(true));
        prop_assert_eq!(truth("a == b"), Ok(a == b));
        prop_assert_eq!(truth("[a, b] contains b"), Ok(true));
    }

    #[test]
    fn a_tree_of_escaped_texts_is_the_json_it_came_from(value in json()) {
        let text = value.to_string();
        let escaped = Payload::parse(&text.replace("${", "$${")).unwrap();
        if let Ok(tree) = Tree::parse(&escaped) {
            prop_assert!(tree.is_constant());
        }
        let unescaped_keys = !text.contains("${");
        if unescaped_keys {
            let tree = Tree::parse(&Payload::parse(&text).unwrap()).unwrap();
            prop_assert_eq!(tree.resolve(&World::usual()).render(), text);
        }
    }
}

/// Each part of `value` with the path to it.
fn pointers(value: &Value) -> Vec<(String, Value)> {
    let mut found = vec![(String::new(), value.clone())];
    let below: Vec<(String, &Value)> = match value {
        Value::Array(all) => all.iter().enumerate().map(|(at, part)| (format!("[{at}]"), part)).collect(),
        Value::Object(all) => all.iter().map(|(key, part)| (format!("[{}]", literal(key)), part)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (step, part) in below {
        found.extend(pointers(part).into_iter().map(|(rest, value)| (format!("{step}{rest}"), value)));
    }
    found
}
