//! Documents of nodes and edges.

use std::time::Duration;

use partitur_model::definition::{Evaluate, Guard, Kind, Priority, Program, Trigger, WaitFor};

use crate::support::read;

fn json(text: &str) -> Result<partitur_formats::Document, String> {
    read("graph.json", text.as_bytes(), &[("sub.yaml", "tasks: { a: { run: make } }")])
}

/// One document with each type of node.
const GRAPH: &str = r#"{
  "workflowId": "orders",
  "inputs": {"month": "string"},
  "nodes": [
    {"id": "1", "type": "start", "position": {"x": 0, "y": 0}},
    {"id": "load", "type": "command", "data": {"label": "Load", "command": "./load.sh ${inputs.month}", "id": "x"},
     "priority": "high", "maxRetries": 3, "timeout": 60000},
    {"id": "ask", "type": "httpRequest", "config": {"url": "https://erp.example", "method": "post", "body": {"a": 1}}},
    {"id": "pause", "type": "delay", "data": {"delay": 1500}},
    {"id": "big", "type": "condition", "data": {"expression": "load.output.rows > 10"}},
    {"id": "shape", "type": "transform", "data": {"set": {"rows": "${load.output.rows}"}}},
    {"id": "sub", "type": "subworkflow", "data": {"flow": "sub.yaml", "input": {"a": 1}}},
    {"id": "end", "type": "end"}
  ],
  "edges": [
    {"id": "e1", "source": "1", "target": "load"},
    {"source": "load", "target": "big"},
    {"source": "load", "target": "ask", "condition": "failure"},
    {"source": "big", "target": "shape", "sourceHandle": "true"},
    {"source": "big", "target": "pause", "condition": "false"},
    {"source": "shape", "target": "sub", "condition": "shape.output.rows < 100"},
    {"source": "sub", "target": "end"},
    {"source": "pause", "target": "end"}
  ],
  "options": {"priority": "low", "enableCache": true, "maxConcurrency": 4}
}"#;

#[test]
fn every_type_of_node_becomes_its_kind() {
    let document = json(GRAPH).unwrap();
    let it = &document.definition;
    assert_eq!(it.name, "orders");
    let node = |name: &str| it.root.nodes.iter().find(|node| node.name == name).unwrap();
    assert_eq!(node("1").kind, Kind::Noop);
    let load = node("load");
    assert_eq!((load.priority, load.timeouts.attempt), (Priority::High, Some(Duration::from_secs(60))));
    assert_eq!(load.retry.as_ref().map(|retry| retry.attempts), Some(4));
    assert!(load.cache.is_some());
    let Kind::Command(command) = &load.kind else { panic!("a command") };
    assert_eq!(command.program, Program::Direct(vec!["./load.sh".into(), "${inputs.month}".into()]));
    let Kind::Http(http) = &node("ask").kind else { panic!("a call") };
    assert_eq!((http.method.as_str(), http.url.0.as_str()), ("POST", "https://erp.example"));
    let Kind::Wait(wait) = &node("pause").kind else { panic!("a wait") };
    assert_eq!(wait.what, WaitFor::Duration("1s 500ms".into()));
    let Kind::Switch(switch) = &node("big").kind else { panic!("a switch") };
    assert_eq!(switch.cases, ["true", "false"]);
    assert!(matches!(node("shape").kind, Kind::Evaluate(Evaluate::Tree(_))));
    assert!(matches!(&node("sub").kind, Kind::SubRun(sub) if sub.flow.frozen() == Some("sub.yaml")));
    assert_eq!((node("end").trigger, node("end").priority), (Trigger::Any, Priority::Low));
}

#[test]
fn edges_carry_outcomes_cases_and_conditions() {
    let document = json(GRAPH).unwrap();
    let scope = &document.definition.root;
    let name = |index: u32| scope.nodes[index as usize].name.as_str();
    let edges: Vec<String> = scope
        .edges
        .iter()
        .map(|edge| format!("{} → {} ({:?}) {}", name(edge.from), name(edge.to), edge.guard, edge.place))
        .collect();
    insta::assert_snapshot!(edges.join("\n"), @r#"
    1 → load (Success) edges[0]
    load → big (Success) edges[1]
    load → ask (Failure) edges[2]
    big → shape (Case("true")) edges[3]
    big → pause (Case("false")) edges[4]
    shape → shape--sub (Success) edges[5]
    shape--sub → sub (Case("true")) edges[5]
    sub → end (Success) edges[6]
    pause → end (Success) edges[7]
    "#);
    assert!(scope.edges.iter().any(|edge| edge.guard == Guard::Failure));
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let text = r#"{
  "nodes": [
    {"id": "a", "type": "comand", "data": {"command": "make"}},
    {"id": "a", "type": "start"},
    {"id": "b", "type": "http", "data": {"uri": "x"}},
    {"type": "start"},
    {"id": "self", "type": "noop"},
    {"id": ["x"], "type": "noop"}
  ],
  "edges": [
    {"source": "a", "target": "bb"},
    {"source": "b", "target": "b"},
    {"source": "a", "target": "b", "case": "x"},
    {"source": "a"}
  ]
}"#;
    insta::assert_snapshot!(json(text).unwrap_err(), @r#"
    error[P0130]: nobody knows nodes of type `comand`
      graph.json:3:25   nodes[0].type
      3 │     {"id": "a", "type": "comand", "data": {"command": "make"}},
        │                         ^^^^^^^^ unknown type
      hint: did you mean `command`?   (partitur explain P0130)

    error[P0131]: two nodes have the id `a`
      graph.json:4:12   nodes[1].id
      4 │     {"id": "a", "type": "start"},
        │            ^^^ given before
      hint: edges could not tell them apart: give each node an id of its own   (partitur explain P0131)

    error[P0109]: an HTTP call needs the key `url`
      graph.json:5:5   nodes[2]
      5 │     {"id": "b", "type": "http", "data": {"uri": "x"}},
        │     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ no `url`
      hint: beside `type`, or within `data` or `config`   (partitur explain P0109)

    error[P0106]: a node's data has no key `uri`
      graph.json:5:42   nodes[2].data.uri
      5 │     {"id": "b", "type": "http", "data": {"uri": "x"}},
        │                                          ^^^^^ unknown key
      hint: did you mean `url`?   (partitur explain P0106)

    error[P0109]: a node needs the key `id`
      graph.json:6:5   nodes[3]
      6 │     {"type": "start"},
        │     ^^^^^^^^^^^^^^^^^ no `id`
      (partitur explain P0109)

    error[P0113]: no task can be named `self`: the word has a meaning in `${…}` and conditions
      graph.json:7:5   nodes[4]
      7 │     {"id": "self", "type": "noop"},
        │     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ taken
      hint: choose another name   (partitur explain P0113)

    error[P0108]: expected a text, found a list
      graph.json:8:12   nodes[5].id
      8 │     {"id": ["x"], "type": "noop"}
        │            ^^^^^ not a text
      (partitur explain P0108)

    error[P0107]: the edge names `bb`, which is no node
      graph.json:11:31   edges[0].target
      11 │     {"source": "a", "target": "bb"},
         │                               ^^^^ unknown node
      hint: did you mean `b`?   (partitur explain P0107)

    error[P0114]: the node `b` needs itself
      graph.json:12:5   edges[1]
      12 │     {"source": "b", "target": "b"},
         │     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ leads back
      (partitur explain P0114)

    error[P0116]: the node `a` is no switch, so it has no cases
      graph.json:13:44   edges[2].case
      13 │     {"source": "a", "target": "b", "case": "x"},
         │                                            ^^^ no switch
      (partitur explain P0116)

    error[P0109]: an edge needs the key `target`
      graph.json:14:5   edges[3]
      14 │     {"source": "a"}
         │     ^^^^^^^^^^^^^^^ no `target`
      (partitur explain P0109)
    "#);
}
