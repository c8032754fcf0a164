//! The schema and the reader agree: what one takes, the other takes.

use partitur_formats::schema;
use serde_json::{Value, json};

use crate::support::read;

/// The part of JSON Schema that our schema uses.
fn valid(value: &Value, schema: &Value, root: &Value) -> bool {
    let Some(rules) = schema.as_object() else { return schema != &json!(false) };
    rules.iter().all(|(rule, wanted)| match rule.as_str() {
        "$ref" => {
            let name = wanted.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            valid(value, &root["$defs"][name], root)
        }
        "type" => match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is_of(value, kind.as_str().unwrap())),
            kind => is_of(value, kind.as_str().unwrap()),
        },
        "enum" => wanted.as_array().unwrap().contains(value),
        "anyOf" => wanted.as_array().unwrap().iter().any(|schema| valid(value, schema, root)),
        "not" => !valid(value, wanted, root),
        "pattern" => value.as_str().is_none_or(|text| matches(text, wanted.as_str().unwrap())),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
        "minProperties" => value.as_object().is_none_or(|map| map.len() as u64 >= wanted.as_u64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= wanted.as_u64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(item, wanted, root))),
        "required" => {
            let there = |key: &Value| value.get(key.as_str().unwrap()).is_some();
            !value.is_object() || wanted.as_array().unwrap().iter().all(there)
        }
        "properties" => value.as_object().is_none_or(|map| {
            map.iter().all(|(key, value)| wanted.get(key).is_none_or(|schema| valid(value, schema, root)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|map| {
            let known = |key: &str| rules.get("properties").is_some_and(|known| known.get(key).is_some());
            let free = |key: &str| rules.contains_key("patternProperties") && key.starts_with("x-");
            map.iter().all(|(key, value)| known(key) || free(key) || valid(value, wanted, root))
        }),
        "patternProperties" | "description" | "title" | "$schema" | "$defs" => true,
        other => panic!("the test does not know the rule `{other}`"),
    })
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    }
}

/// The few patterns of the schema, by hand: a regular expression engine would be the heaviest part of this crate.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern {
        r"^\s*([^$\s]|\$([^{]|$))" => !text.trim().is_empty() && !text.trim_start().starts_with("${"),
        r"^\s*\$\{[\s\S]*\}\s*$" => text.trim().starts_with("${") && text.trim().ends_with('}'),
        r"\$\{" => text.contains("${"),
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]" => partitur_model::unit::parse_timestamp(text).is_ok(),
        "^(.*/)?(sh|bash|dash|ash|ksh|zsh)$" => ["sh", "bash"].contains(&text.rsplit('/').next().unwrap()),
        r"^1$" => text == "1",
        "^[A-Za-z]+$" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        _ if pattern.contains("\\.\\.") => {
            let number = |text: &str| text.trim().parse::<u32>().is_ok_and(|number| number > 0);
            text.split_once("..").map_or(number(text), |(min, max)| number(min) && number(max))
        }
        _ if pattern.contains("µ") => partitur_model::unit::parse_duration(text).is_ok(),
        other => panic!("the test does not know the pattern `{other}`"),
    }
}

/// Values of all kinds, to be put under every key.
fn probes() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(2.5),
        json!("x"),
        json!("1"),
        json!("2..3"),
        json!("30s"),
        json!("high"),
        json!("string"),
        json!("bash"),
        json!("${inputs.v}"),
        json!([]),
        json!(["x"]),
        json!(["b"]),
        json!([["x"]]),
        json!([null]),
        json!({}),
        json!({"x": 1}),
        json!({"x": "y"}),
        json!({"x": null}),
        json!({"x": ["y"]}),
        json!({"x": {}}),
        json!({"if": "a"}),
        json!({"run": "x"}),
        json!({"url": "x"}),
        json!({"key": "x"}),
        json!({"attempts": 2}),
        json!({"attempts": "2"}),
    ]
}

/// Whether the reader takes the shape of a document; what only it can know (names, paths, companions) is not asked.
fn taken(document: &Value) -> Option<bool> {
    let read = read("flow.json", document.to_string().as_bytes(), &[("x", "tasks: { a: { run: x } }")]);
    match read {
        Ok(_) => Some(true),
        Err(faults) => {
            let about_shape = |line: &&str| {
                ["P0105", "P0106", "P0108", "P0110", "P0111", "P0121"]
                    .iter()
                    .any(|code| line.contains(&format!("[{code}]")))
            };
            let errors: Vec<&str> = faults.lines().filter(|line| line.starts_with("error[")).collect();
            let shape = errors.iter().filter(|line| about_shape(line)).count();
            // Where both kinds of faults are, the shape has one of its own.
            if shape > 0 { Some(false) } else { None }
        }
    }
}

/// Every key with every probe: `wrap` puts the value into a document.
fn check_block(name: &str, block: &Value, root: &Value, wrap: &dyn Fn(&str, &Value) -> Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in block["properties"].as_object().unwrap().keys() {
        for probe in probes() {
            let document = wrap(key, &probe);
            let (schema, reader) = (valid(&document, root, root), taken(&document));
            if reader.is_some_and(|reader| reader != schema) {
                wrong.push(format!("{name}.{key}: {probe}: schema {schema}, reader {reader:?}"));
            }
        }
    }
    wrong
}

fn with(mut map: Value, key: &str, value: &Value) -> Value {
    map[key] = value.clone();
    map
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let root = schema();
    let task = |task: Value| json!({"inputs": {"v": null}, "tasks": {"a": task, "b": {"run": "x"}}});
    let run = json!({"run": "x"});
    let mut wrong = check_block("document", &root, &root, &|key, probe| {
        with(json!({"tasks": {"a": {"run": "x"}}}), key, probe)
    });
    let mut check = |name: &str, wrap: &dyn Fn(&str, &Value) -> Value| {
        wrong.extend(check_block(name, &root["$defs"][name], &root, wrap));
    };
    check("task", &|key, probe| task(with(run.clone(), key, probe)));
    check(
        "input",
        &|key, probe| json!({"inputs": {"v": with(json!({}), key, probe)}, "tasks": {"a": {"run": "x"}}}),
    );
    check("retry", &|key, probe| task(json!({"run": "x", "retry": with(json!({}), key, probe)})));
    check("timeouts", &|key, probe| task(json!({"run": "x", "timeouts": with(json!({}), key, probe)})));
    check("cache", &|key, probe| task(json!({"run": "x", "cache": with(json!({}), key, probe)})));
    check("when", &|key, probe| task(json!({"run": "x", "when": with(json!({"if": "a"}), key, probe)})));
    check("lock", &|key, probe| {
        task(json!({"run": "x", "locks": [with(json!({"resource": "a"}), key, probe)]}))
    });
    check("need", &|key, probe| task(json!({"run": "x", "needs": [with(json!({"task": "b"}), key, probe)]})));
    check("http", &|key, probe| task(json!({"http": with(json!({"url": "a"}), key, probe)})));
    check("rule", &|key, probe| task(json!({"rules": [with(json!({"if": "a"}), key, probe)]})));
    check("loop", &|key, probe| {
        task(json!({"loop": with(json!({"tasks": {"c": {"run": "x"}}, "while": "a"}), key, probe)}))
    });
    check("undo", &|key, probe| task(json!({"run": "x", "undo": with(json!({}), key, probe)})));
    check("defaults", &|key, probe| with(task(run.clone()), "defaults", &with(json!({}), key, probe)));
    check("breaker", &|key, probe| {
        with(task(run.clone()), "breakers", &json!({"e": with(json!({}), key, probe)}))
    });
    check("deduplicate", &|key, probe| {
        with(task(run.clone()), "deduplicate", &with(json!({"key": "x"}), key, probe))
    });
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}
