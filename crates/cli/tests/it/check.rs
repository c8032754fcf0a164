//! `partitur check`, `explain`, `schema`, `completions`, `version`.

use crate::support::Place;

#[test]
fn a_good_document_is_ok_in_one_line() {
    let place = Place::new(
        "
tasks:
  a: { run: echo }
  b: { needs: [a], run: echo }
  c: { needs: [a], run: echo }
",
    );
    let gave = place.expect(0, &["check", "flow.yaml"]);
    assert!(gave.out.starts_with("ok: 3 tasks, 2 dependencies, widest 2"), "{}", gave.out);
}

#[test]
fn all_faults_are_told_at_once_with_place_and_hint() {
    let place = Place::new("tasks:\n  a: { run: echo, neds: [b] }\n  b: { needs: [c], run: echo }\n");
    let gave = place.expect(3, &["check", "flow.yaml"]);
    for part in ["error[P0106]", "flow.yaml:2:", "error[P0107]", "flow.yaml:3:", "hint: ", "2 errors"] {
        assert!(gave.err.contains(part), "{part} in\n{}", gave.err);
    }
    let told: serde_json::Value =
        serde_json::from_str(&place.expect(3, &["check", "flow.yaml", "--json"]).out).unwrap();
    assert_eq!(told["ok"], false);
    let codes: Vec<&str> =
        told["faults"].as_array().unwrap().iter().map(|fault| fault["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"P0106") && codes.contains(&"P0107"), "{codes:?}");
    assert_eq!(told["faults"][0]["line"], 2);
    assert!(place.expect(3, &["run", "flow.yaml"]).err.contains("error[P0107]"));
}

#[test]
fn warnings_count_if_they_are_denied() {
    let place = Place::new(
        "
tasks:
  a: { run: echo, writes: [x.csv] }
  b: { run: echo, writes: [x.csv] }
",
    );
    let gave = place.expect(0, &["check", "flow.yaml"]);
    assert!(gave.out.contains("1 warning") && gave.err.contains("x.csv"), "{gave:?}");
    place.expect(3, &["check", "flow.yaml", "--deny-warnings"]);
    let told: serde_json::Value =
        serde_json::from_str(&place.expect(3, &["check", "flow.yaml", "--deny-warnings", "--json"]).out)
            .unwrap();
    assert_eq!(told["faults"][0]["severity"], "warning");
}

#[test]
fn nodes_and_edges_are_checked_and_run_alike() {
    let place = Place::new("");
    place.write(
        "graph.json",
        r#"{"nodes": [{"id": "a", "type": "command", "command": "echo a"},
                     {"id": "b", "type": "command", "command": "echo b"}],
            "edges": [{"source": "a", "target": "b"}]}"#,
    );
    let gave = place.run(&["check", "graph.json"]);
    assert!(gave.code == 0 || gave.err.contains("graph.json:"), "{gave:?}");
}

#[test]
fn codes_are_explained_and_near_ones_named() {
    let place = Place::new("");
    assert!(place.expect(0, &["explain", "p0501"]).out.starts_with("P0501: The disk is full\n"));
    assert!(place.expect(2, &["explain", "P9501"]).err.contains("did you mean `P0501`?"));
    assert!(place.expect(0, &["explain"]).out.contains("P0501: The disk is full\n"));
}

#[test]
fn every_code_that_a_fault_can_have_is_explained() {
    let place = Place::new("");
    for code in partitur_formats::codes::ALL {
        place.expect(0, &["explain", code]);
    }
}

#[test]
fn the_schema_is_json_and_shells_get_their_completions() {
    let place = Place::new("");
    let schema: serde_json::Value = serde_json::from_str(&place.expect(0, &["schema"]).out).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["tasks"]));
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.expect(0, &["completions", shell]).out.contains("unpause"), "{shell}");
    }
    assert!(place.expect(0, &["version"]).out.starts_with("partitur "));
    assert!(place.expect(0, &["--version"]).out.starts_with("partitur "));
}

#[test]
fn a_wrong_command_line_has_its_own_exit_code() {
    let place = Place::new("");
    place.expect(2, &["rnu"]);
    place.expect(2, &["run"]);
    place.expect(0, &["--help"]);
}
