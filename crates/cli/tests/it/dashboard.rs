//! The dashboard for Grafana asks for what the server measures.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// Every metric that an expression names, without what a histogram adds.
fn metrics(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| {
        ["partitur_", "process_", "http_server_"].iter().any(|prefix| word.starts_with(prefix))
    });
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

#[test]
fn every_panel_asks_for_metrics_that_there_are() {
    let page = read("docs/metrics.md");
    let known: BTreeSet<&str> = page.split('`').collect();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/partitur.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let asked: BTreeSet<String> =
        targets.flat_map(|target| metrics(target["expr"].as_str().unwrap())).collect();
    let unknown: Vec<&String> = asked.iter().filter(|metric| !known.contains(metric.as_str())).collect();
    assert!(unknown.is_empty(), "docs/metrics.md does not know {unknown:?}");
    assert!(asked.len() > 20, "{asked:?}");
}
