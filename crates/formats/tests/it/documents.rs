//! What documents become.

use std::time::Duration;

use partitur_model::definition::{ClaimMode, Guard, Items, Kind, OnFailure, Program};

use crate::support::{read, refused, yaml};

/// The document with which the format introduces itself.
const MONTH_END: &str = r#"
partitur: 1
name: month-end
inputs:
  month: { type: string, pattern: '^\d{4}-\d{2}$' }
  regions: { type: list, default: [de, fr] }
env: { LC_ALL: C }
secrets: [erp-token]
concurrency: 1..10
on-failure: continue
resources: { gpu: 2, api-quota: 5 }
defaults: { timeout: 30m }

tasks:
  orders:
    run: python import_orders.py --month ${inputs.month}
    reads: [data/orders/*.csv]
    writes: [data/orders.db]
    locks: [file:data/erp.db]
    undo: python undo_orders.py --rows ${self.output.rows}
  invoices:
    for-each: ${inputs.regions}
    key: ${each.value}
    max-parallel: 4
    run:
      - python
      - import_invoices.py
      - ${each.value}
    secrets: [erp-token]
    locks:
      - file:data/erp.db
      - { resource: api-quota, units: 2 }
    retry: { attempts: 5, base: 1s, errors: [timeout, exit-75] }
  close:
    needs: [orders, invoices]
    when: orders.output.rows > 0 and inputs.month != '2024-12'
    flow: close-books.yaml
    with:
      month: ${inputs.month}
  report:
    needs: [close]
    http:
      method: POST
      url: https://erp.example/reports
      body: ${close.output}
  tell:
    needs: [{ task: close, outcome: failure }]
    run: ./tell.sh ${close.error.message}
  release:
    needs: [report]
    wait: { for: approval, at-most: 2d }
outputs:
  rows: ${orders.output.rows}
"#;

#[test]
fn the_introduction_becomes_what_it_says() {
    let close = "tasks: { sum: { run: [make, sum] } }";
    let document = read("dir/flow.yaml", MONTH_END.as_bytes(), &[("close-books.yaml", close)]).unwrap();
    let it = &document.definition;
    assert_eq!((it.name.as_str(), it.on_failure), ("month-end", OnFailure::Continue));
    let names: Vec<&str> = it.root.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["orders", "invoices", "close", "report", "tell", "release"]);
    let edges: Vec<_> = it.root.edges.iter().map(|edge| (edge.from, edge.to, edge.guard.clone())).collect();
    let success = Guard::Success;
    assert_eq!(
        edges,
        [
            (0, 2, success.clone()),
            (1, 2, success.clone()),
            (2, 3, success.clone()),
            (2, 4, Guard::Failure),
            (3, 5, success)
        ]
    );
    let orders = &it.root.nodes[0];
    assert_eq!(orders.timeouts.attempt, Some(Duration::from_secs(1800)));
    assert_eq!(
        (orders.claims[0].resource.0.as_str(), orders.claims[0].mode),
        ("file:data/erp.db", ClaimMode::Exclusive)
    );
    assert!(orders.undo.is_some());
    let Kind::Each(each) = &it.root.nodes[1].kind else { panic!("a container") };
    assert!(matches!(each.items, Items::List(_)));
    let body = &each.body.nodes[0];
    assert_eq!((body.name.as_str(), body.claims[1].units, body.secrets.len()), ("invoices", 2, 1));
    assert_eq!(body.retry.as_ref().map(|retry| retry.attempts), Some(5));
    assert_eq!(it.flows["close-books.yaml"].root.nodes.len(), 1);
}

#[test]
fn words_run_without_a_shell_and_everything_else_with_one() {
    let program = |run: &str| {
        let document = yaml(&format!("inputs: {{x: string}}\ntasks:\n  a:\n    run: {run}\n")).unwrap();
        match &document.definition.root.nodes[0].kind {
            Kind::Command(command) => command.program.clone(),
            other => panic!("{other:?}"),
        }
    };
    let direct = |words: &[&str]| Program::Direct(words.iter().map(|word| (*word).into()).collect());
    assert_eq!(program("make -j4 all"), direct(&["make", "-j4", "all"]));
    assert_eq!(program("tar --month=${inputs.x} x"), direct(&["tar", "--month=${inputs.x}", "x"]));
    for script in
        ["echo hello", "make a; make b", "A=1 make", "ls *.c", "ls ~", "\"make\\nall\"", "${inputs.x} a"]
    {
        assert!(matches!(program(script), Program::Shell { .. }), "{script}");
    }
}

#[test]
fn an_unknown_task_is_told_with_place_line_and_remedy() {
    insta::assert_snapshot!(refused("tasks:\n  aggregate: { run: make }\n  report:\n    needs: [agregate]\n    run: make\n"), @r"
    error[P0107]: task `report` needs `agregate`, which does not exist
      flow.yaml:4:13   tasks.report.needs[0]
      4 │     needs: [agregate]
        │             ^^^^^^^^ unknown task
      hint: did you mean `aggregate`?   (partitur explain P0107)
    ");
}

#[test]
fn a_cache_is_a_flag_a_time_or_a_block() {
    let ttl = |cache: &str| {
        let document = yaml(&format!("tasks:\n  a:\n    run: x\n    cache: {cache}\n")).unwrap();
        document.definition.root.nodes[0].cache.as_ref().map(|cache| cache.ttl)
    };
    assert_eq!(ttl("true"), Some(Duration::from_secs(3_600)));
    assert_eq!(ttl("false"), None);
    assert_eq!(ttl("90s"), Some(Duration::from_secs(90)));
    assert_eq!(ttl("{ ttl: 2h }"), Some(Duration::from_secs(7_200)));
}
