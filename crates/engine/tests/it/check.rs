//! What is wrong with definitions, as people read it.

mod document;
mod figures;
mod properties;
mod races;
mod resources;
mod structure;
mod words;

use partitur_model::Severity;
use partitur_model::definition::Definition;

/// All faults, one after the other: code, place, part of the text, message, label, hint.
fn told(definition: &Definition) -> String {
    let mut text = String::new();
    for fault in partitur_engine::check(definition) {
        let severity = match fault.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let within = fault.within.map_or(String::new(), |(start, end)| format!(" {start}..{end}"));
        text += &format!("{severity}[{}] {}{within}: {}\n", fault.code, fault.place, fault.message);
        text += &format!("  ^ {}\n", fault.label);
        text += &fault.hint.map_or(String::new(), |hint| format!("  hint: {hint}\n"));
    }
    text
}

/// Every code that stands in the sources of this crate.
fn codes_in(directory: &std::path::Path, codes: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, codes);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let parts = text.split('"').filter(|part| {
            part.len() == 5 && part.starts_with('P') && part[1..].bytes().all(|byte| byte.is_ascii_digit())
        });
        codes.extend(parts.map(str::to_owned));
    }
}

#[test]
fn every_code_has_a_page_with_cause_example_and_remedy() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut codes = std::collections::BTreeSet::new();
    codes_in(&root.join("src"), &mut codes);
    assert!(partitur_engine::check::CHECK_CODES.iter().all(|code| codes.contains(*code)));
    for code in codes {
        let page = root.join("../../docs/errors").join(format!("{code}.md"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{code}: {error}"));
        assert!(text.starts_with(&format!("# {code}: ")), "{code} has its title");
        assert!(text.contains("\n```yaml\n") && text.contains("\n**What to do.** "), "{code} has all parts");
    }
}

#[test]
fn every_code_is_given_in_a_test() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/check");
    let tests: String = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let missing: Vec<_> = partitur_engine::check::CHECK_CODES
        .iter()
        .filter(|code| !tests.contains(&format!("[{code}]")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
