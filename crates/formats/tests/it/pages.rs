//! What is written for people is true: every example is read, every code has a page, schema and tables are current.
//!
//! With `PARTITUR_BLESS=1` the generated parts are written anew.

use std::path::{Path, PathBuf};

use partitur_formats::codes;

use crate::support::read;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn blessed() -> bool {
    std::env::var_os("PARTITUR_BLESS").is_some()
}

/// A fenced example in a page.
struct Example {
    /// `yaml`, `yaml refused`, …
    kind: String,
    text: String,
    line: usize,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some(Example { kind: kind.trim().to_owned(), text: String::new(), line: number + 1 });
            }
            (None, None) => {}
            (Some(_), Some(_)) => examples.extend(open.take()),
            (Some(example), None) => {
                example.text.push_str(line);
                example.text.push('\n');
            }
        }
    }
    examples
}

/// Reads an example; the sub-flows it names are there. JSON without tasks and nodes is data that a page talks of.
fn read_example(example: &Example) -> Option<Result<(), String>> {
    let document = example.text.contains("\"tasks\"") || example.text.contains("\"nodes\"");
    let path = match example.kind.as_str() {
        "yaml" | "yaml refused" => "flow.yaml",
        "json" | "json refused" if document => "flow.json",
        _ => return None,
    };
    Some(
        read(path, example.text.as_bytes(), &[("close-books.yaml", "tasks: { a: { run: make } }")])
            .map(|_| ()),
    )
}

fn pages(dir: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root().join(dir)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths
}

/// In a page, ` ```yaml other ` is YAML that is no document of ours, and ` ```yaml refused ` one that is refused.
#[test]
fn every_example_in_the_documentation_is_a_document() {
    let mut paths = pages("docs");
    paths.extend(Some(root().join("README.md")).filter(|path| path.exists()));
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in paths {
        for example in examples(&std::fs::read_to_string(&path).unwrap()) {
            let Some(result) = read_example(&example) else { continue };
            count += 1;
            if let (false, Err(faults)) = (example.kind.ends_with(" refused"), result) {
                wrong.push(format!("{}:{}\n{faults}", path.display(), example.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 10, "only {count} examples were found");
}

#[test]
fn every_document_among_the_examples_is_read() {
    let mut dirs = vec![root().join("examples")];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let yaml = path.extension().is_some_and(|extension| extension == "yaml");
            let Some(bytes) = std::fs::read(&path).ok().filter(|_| yaml) else { continue };
            if !String::from_utf8_lossy(&bytes).lines().any(|line| line == "tasks:") {
                continue;
            }
            let mut resolve = |flow: &str| std::fs::read(dir.join(flow)).map_err(|error| error.to_string());
            if let Err(faults) = partitur_formats::read(&path.to_string_lossy(), &bytes, &mut resolve) {
                panic!("{faults:?}");
            }
        }
    }
}

/// Codes whose example is no text on a page.
fn without_text(code: &str) -> Option<Result<(), String>> {
    let result = match code {
        codes::ENCODING => read("flow.yaml", b"name: M\xfcnchen\n", &[]),
        codes::FORMAT => read("flow.txt", b"tasks: {}\n", &[]),
        _ => return None,
    };
    Some(result.map(|_| ()))
}

#[test]
fn every_code_has_a_page_whose_example_gives_it() {
    for code in codes::ALL {
        let path = root().join(format!("docs/errors/{code}.md"));
        let page = std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{code} has no page {}", path.display()));
        assert!(page.starts_with(&format!("# {code}: ")), "{code}: the page begins with its code");
        let refused: Vec<Result<(), String>> = match without_text(code) {
            Some(result) => vec![result],
            None => {
                let refused =
                    examples(&page).into_iter().filter(|example| example.kind.ends_with(" refused"));
                refused.filter_map(|example| read_example(&example)).collect()
            }
        };
        assert!(!refused.is_empty(), "{code} has no example");
        for result in refused {
            let faults = result.expect_err(code);
            assert!(faults.contains(&format!("[{code}]")), "{code}: the example gives\n{faults}");
            assert_eq!(faults.matches("error[").count(), 1, "{code}: the example has one fault\n{faults}");
        }
        for example in examples(&page).iter().filter(|example| !example.kind.ends_with(" refused")) {
            if let Some(Err(faults)) = read_example(example) {
                panic!("{code}: the remedy is refused\n{faults}");
            }
        }
    }
}

#[test]
fn the_schema_is_current() {
    let path = root().join("docs/schema/partitur.schema.json");
    let schema = format!("{:#}\n", partitur_formats::schema());
    if blessed() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &schema).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == schema, "{} is stale: run the test with PARTITUR_BLESS=1", path.display());
}

#[test]
fn the_tables_of_keys_are_current() {
    let path = root().join("docs/workflow-format.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut current = String::new();
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("<!-- keys: ") {
        let (block, after) = after.split_once(" -->\n").expect("a marker ends");
        let (_, after) = after.split_once("<!-- end -->").expect("a table ends");
        let table =
            partitur_formats::key_table(block).unwrap_or_else(|| panic!("no mapping is called `{block}`"));
        current.push_str(&format!("{before}<!-- keys: {block} -->\n{table}<!-- end -->"));
        rest = after;
    }
    current.push_str(rest);
    if blessed() {
        std::fs::write(&path, &current).unwrap();
        return;
    }
    assert!(page == current, "{} is stale: run the test with PARTITUR_BLESS=1", path.display());
}

#[test]
fn every_mapping_of_the_schema_has_a_table() {
    let page = std::fs::read_to_string(root().join("docs/workflow-format.md")).unwrap();
    for name in partitur_formats::schema()["$defs"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("<!-- keys: {name} -->")), "`{name}` has no table");
    }
}

#[test]
fn the_flow_of_the_repositorys_own_tests_does_what_its_test_command_does() {
    let command = std::fs::read_to_string(root().join("x")).unwrap();
    let steps: Vec<&str> = command.lines().filter_map(|line| line.strip_prefix("    step ")).collect();
    let flow = std::fs::read_to_string(root().join("examples/tests.yaml")).unwrap();
    let tasks: Vec<&str> = flow.lines().filter_map(|line| line.strip_prefix("    run: ")).collect();
    assert!(steps.len() > 5, "{steps:?}");
    assert_eq!(tasks, steps);
    assert!(read("tests.yaml", flow.as_bytes(), &[]).is_ok());
}
