//! Which tasks would be executed and why, in words and as JSON: `partitur run --dry-run --explain`.

use std::collections::HashMap;
use std::sync::Arc;

use partitur::host::Fate;
use partitur_model::definition::Kind;
use partitur_model::record::TaskOutcome;
use partitur_worker::build::Verdict;
use serde_json::{Value, json};

use super::listed;
use crate::shape::Shape;

/// What would become of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foretold {
    task: String,
    verdict: &'static str,
    reasons: Vec<String>,
}

const RUNS: &str = "runs";
const DEPENDS: &str = "depends";

/// Of every task of the shape and of its parts, in the order of the document.
pub fn foretold(shape: &Shape<'_>, fates: &[(Arc<str>, Fate)]) -> Vec<Foretold> {
    let by_root = by_root(shape, fates);
    let before = shape.csr.reversed();
    let mut all = Vec::new();
    for (at, node) in (0..).zip(&shape.nodes) {
        let known = by_root.get(node.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if known.is_empty() {
            let open = before.successors(at).iter().map(|&from| shape.nodes[from as usize].name.as_str());
            let open = open.filter(|name| !is_settled(by_root.get(name), name));
            let reasons = open.map(|name| format!("on what {name} produces")).collect();
            all.push(Foretold { task: node.name.clone(), verdict: DEPENDS, reasons });
        }
        let has_parts = known.len() > 1 || matches!(node.kind, Kind::SubRun(_)) || node.kind.body().is_some();
        let told =
            known.iter().filter_map(|(path, fate)| told(path, fate, has_parts && **path == *node.name));
        all.extend(told);
    }
    all
}

/// What is known of each task and of its parts.
fn by_root<'a>(
    shape: &'a Shape<'_>,
    fates: &'a [(Arc<str>, Fate)],
) -> HashMap<&'a str, Vec<(&'a str, &'a Fate)>> {
    let names: HashMap<&str, ()> = shape.nodes.iter().map(|node| (node.name.as_str(), ())).collect();
    let mut by_root: HashMap<&str, Vec<(&str, &Fate)>> = HashMap::new();
    for (path, fate) in fates {
        let cuts = path.match_indices(['[', '#', '/']).map(|(at, _)| at).chain([path.len()]);
        let root = cuts.map(|at| &path[..at]).find_map(|name| names.get_key_value(name));
        if let Some((root, ())) = root {
            by_root.entry(root).or_default().push((path, fate));
        }
    }
    by_root
}

/// Whether what the task yields and leaves is known.
fn is_settled(known: Option<&Vec<(&str, &Fate)>>, name: &str) -> bool {
    let own = known.into_iter().flatten().find(|(path, _)| *path == name);
    own.is_some_and(|(_, fate)| match fate {
        Fate::Decided(decision) => decision.verdict != Verdict::Runs,
        Fate::Ended(_) | Fate::Service => true,
        Fate::EachTime | Fate::Open => false,
    })
}

/// `None` if there is nothing to say: its parts say it, or nothing is executed for it.
fn told(path: &str, fate: &Fate, has_parts: bool) -> Option<Foretold> {
    let (verdict, reasons) = match fate {
        Fate::Decided(decision) => {
            let verdict = match decision.verdict {
                Verdict::UpToDate => "up to date",
                Verdict::Restored => "restored",
                Verdict::Runs => RUNS,
            };
            (verdict, decision.reasons.iter().map(ToString::to_string).collect())
        }
        Fate::EachTime => {
            (RUNS, vec!["each time, for it does not declare what it reads and writes".to_owned()])
        }
        Fate::Service => ("service", vec!["if a task that needs it runs".to_owned()]),
        Fate::Ended(TaskOutcome::Skipped) => ("left out", Vec::new()),
        Fate::Open if !has_parts => (RUNS, vec!["each time".to_owned()]),
        Fate::Ended(_) | Fate::Open => return None,
    };
    Some(Foretold { task: path.to_owned(), verdict, reasons })
}

impl Foretold {
    fn line(&self, width: usize) -> String {
        let Foretold { task, verdict, reasons } = self;
        let why = match (*verdict, reasons.is_empty()) {
            (_, true) => String::new(),
            (DEPENDS, false) => format!(" {}", listed(reasons)),
            (_, false) => format!(": {}", listed(reasons)),
        };
        format!("  {task:<width$}  {verdict}{why}\n")
    }

    fn json(&self) -> Value {
        json!({"task": self.task, "verdict": self.verdict, "reasons": self.reasons})
    }
}

/// For people.
pub fn text(all: &[Foretold]) -> String {
    let width = all.iter().map(|one| one.task.chars().count()).max().unwrap_or(0);
    let count = |verdict: &str| all.iter().filter(|one| one.verdict == verdict).count();
    let spared = count("up to date") + count("restored");
    let (run, depend) = (count(RUNS), count(DEPENDS));
    let mut text = format!("\nif it ran now: {run} executed, {spared} spared");
    if depend > 0 {
        text +=
            &format!(", {depend} {} on what comes of that", if depend == 1 { "depends" } else { "depend" });
    }
    text += "\n";
    text.extend(all.iter().map(|one| one.line(width)));
    text
}

/// For programs.
pub fn json(all: &[Foretold]) -> Value {
    all.iter().map(Foretold::json).collect()
}
