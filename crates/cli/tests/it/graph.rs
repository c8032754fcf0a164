//! `partitur graph` on documents of every kind, and on runs.

use crate::support::Place;

const FLOW: &str = "
name: release
flows: { }
tasks:
  build: { run: 'true', expected: 2s }
  test:
    needs: [build]
    for-each: [1, 2]
    tasks:
      unit: { run: 'true' }
      whole: { needs: [unit], run: 'true' }
  publish: { needs: [test], run: 'false' }
  tell: { needs: [{ task: publish, outcome: failure }], run: 'true' }
";

fn flow() -> String {
    FLOW.replace("flows: { }\n", "")
}

#[test]
fn a_document_is_drawn_in_the_terminal() {
    let place = Place::new(&flow());
    insta::assert_snapshot!(place.expect(0, &["graph", "flow.yaml"]).out, @r"
    release  4 tasks, 3 dependencies

    ●  build  ~2.0s  ◆
    ●  test  for each  ◆
    │   ●  unit
    │   ●  whole
    ●  publish  ◆
    ●  tell  ◆

    ◆ critical path
    ");
}

#[test]
fn a_run_is_drawn_with_its_states() {
    let place = Place::new(&flow());
    place.run(&["run", "flow.yaml"]);
    let drawn = place.expect(0, &["graph", "flow.yaml", "--run", "last"]).out;
    for part in ["run 1: ✗", "✓", "build", "✗", "publish", "2 of 2"] {
        assert!(drawn.contains(part), "{part} in\n{drawn}");
    }
    assert!(!drawn.contains('\u{1b}'), "no colours without a terminal");
    place.expect(0, &["graph", "flow.yaml", "--run", "1", "-o", "run.svg"]);
    assert!(place.read("run.svg").starts_with("<svg "));
    let gave = place.run(&["graph", "flow.yaml", "--run", "7"]);
    assert!(gave.code != 0 && gave.err.contains("there is no run `7`"), "{gave:?}");
}

#[test]
fn the_name_of_the_file_says_as_what() {
    let place = Place::new(&flow());
    for (name, begin) in [
        ("x.svg", "<svg"),
        ("x.dot", "digraph"),
        ("x.mmd", "flowchart LR"),
        ("x.html", "<!doctype html>"),
        ("x.txt", "release"),
    ] {
        assert_eq!(place.expect(0, &["graph", "flow.yaml", "-o", name]).out, "");
        assert!(place.read(name).starts_with(begin), "{name}");
    }
    let shown = place.expect(0, &["graph", "flow.yaml", "--format", "dot"]).out;
    assert_eq!(shown, place.read("x.dot"));
    let gave = place.expect(2, &["graph", "flow.yaml", "-o", "no/such/dir.svg"]);
    assert!(gave.err.contains("no/such/dir.svg cannot be written"), "{gave:?}");
}

#[test]
fn definitions_that_need_workers_and_nodes_and_edges_are_drawn_and_planned_too() {
    let place = Place::new("");
    place.write(
        "order.json",
        r#"{"name": "order", "version": 1, "schemaVersion": 2, "tasks": [
            {"name": "check", "taskReferenceName": "check", "type": "SIMPLE"},
            {"name": "how", "taskReferenceName": "how", "type": "SWITCH", "evaluatorType": "value-param",
             "expression": "x", "inputParameters": {"x": "1"},
             "decisionCases": {"fast": [{"name": "fly", "taskReferenceName": "fly", "type": "SIMPLE"}]},
             "defaultCase": [{"name": "drive", "taskReferenceName": "drive", "type": "SIMPLE"}]},
            {"name": "end", "taskReferenceName": "end", "type": "SIMPLE"}]}"#,
    );
    let drawn = place.expect(0, &["graph", "order.json", "--format", "mermaid"]).out;
    for part in ["check", "how", "|\"fast\"|", "fly", "|\"else\"|", "drive", "end"] {
        assert!(drawn.contains(part), "{part} in\n{drawn}");
    }
    assert!(place.expect(0, &["plan", "order.json"]).out.contains("critical path"));
    place.write(
        "edges.json",
        r#"{"nodes": [{"id": "a", "type": "command", "command": "echo a"},
                      {"id": "b", "type": "command", "command": "echo b"}],
            "edges": [{"source": "a", "target": "b"}]}"#,
    );
    assert!(place.expect(0, &["graph", "edges.json", "--format", "dot"]).out.contains("n0 -> n1"));
    place.write("bad.json", r#"{"nodes": [{"id": "a", "type": "nonsense"}], "edges": []}"#);
    place.expect(3, &["graph", "bad.json"]);
}
