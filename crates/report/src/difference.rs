//! What is different between two runs: what they execute, what they were given, what became of it, how long it took.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use partitur_model::Payload;
use partitur_model::definition::{Node, Scope};
use serde_json::{Value, json};

use crate::performance::Performance;
use crate::review_text::millis;
use crate::state::state_name;
use crate::story::Story;
use crate::time::short;
use crate::timeline::Timeline;
use crate::watch::Watch;

/// What is different, each list in the order of names.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The figures of both.
    pub runs: [Performance; 2],
    /// Tasks that only one of the documents has, or that it declares differently.
    pub tasks: Vec<(String, Change)>,
    /// `b` needs `a`: in one document only.
    pub needs: Vec<(String, String, Change)>,
    /// Inputs: both values, rendered.
    pub inputs: Vec<(String, [Option<String>; 2])>,
    /// What became of tasks; nothing if it never began.
    pub outcomes: Vec<(String, [Option<&'static str>; 2])>,
    /// Tasks that took longer or shorter by a fifth, and by a tenth of a second at least; most time first.
    pub durations: Vec<(String, [Duration; 2])>,
}

/// Where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// In the second only.
    Added,
    /// In the first only.
    Removed,
    /// In both, not alike.
    Changed,
}

impl Difference {
    /// Of the first run to the second.
    pub fn of(first: &Story<'_>, second: &Story<'_>) -> Difference {
        let graphs = [Declared::of(first), Declared::of(second)];
        let ran = [ran(first), ran(second)];
        Difference {
            runs: [first, second].map(|story| Performance::of(story, &Watch::default())),
            tasks: tasks(&graphs),
            needs: needs(&graphs),
            inputs: inputs(&first.run.input, &second.run.input),
            outcomes: outcomes(&ran),
            durations: durations(&ran),
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let [first, second] = &self.runs;
        let mut out =
            format!("run {}: {}\nrun {}: {}\n", first.run, first.headline(), second.run, second.headline());
        let sign = |change: &Change| match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        section(
            &mut out,
            "tasks",
            self.tasks.iter().map(|(name, change)| format!("{} {name}", sign(change))),
        );
        let needs = self.needs.iter().map(|(from, to, change)| format!("{} {to} needs {from}", sign(change)));
        section(&mut out, "needs", needs);
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let inputs = self.inputs.iter();
        section(
            &mut out,
            "inputs",
            inputs.map(|(name, [a, b])| format!("~ {name}: {} → {}", shown(a), shown(b))),
        );
        let outcome = |outcome: &Option<&'static str>| outcome.unwrap_or("not begun");
        let outcomes = self.outcomes.iter();
        section(
            &mut out,
            "outcomes",
            outcomes.map(|(name, [a, b])| format!("~ {name}: {} → {}", outcome(a), outcome(b))),
        );
        let durations = self
            .durations
            .iter()
            .map(|(name, [a, b])| format!("~ {name}: {} → {} ({})", short(*a), short(*b), percent(*a, *b)));
        section(&mut out, "durations", durations);
        if self.is_empty() {
            out += "\nno difference\n";
        }
        out
    }

    /// Whether both are alike, but for the moments at which things happened.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
            && self.needs.is_empty()
            && self.inputs.is_empty()
            && self.outcomes.is_empty()
            && self.durations.is_empty()
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        let change = |change: &Change| match change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        };
        json!({
            "version": 1,
            "runs": self.runs.iter().map(|run| json!({
                "run": run.run, "name": run.name, "wall_ms": millis(run.wall), "attempts_ms": millis(run.attempts),
            })).collect::<Vec<_>>(),
            "tasks": self.tasks.iter().map(|(name, what)| json!({"task": name, "change": change(what)})).collect::<Vec<_>>(),
            "needs": self.needs.iter().map(|(from, to, what)| json!({
                "task": to, "needs": from, "change": change(what),
            })).collect::<Vec<_>>(),
            "inputs": self.inputs.iter().map(|(name, values)| json!({"input": name, "values": values})).collect::<Vec<_>>(),
            "outcomes": self.outcomes.iter().map(|(name, states)| json!({"task": name, "states": states})).collect::<Vec<_>>(),
            "durations": self.durations.iter().map(|(name, [a, b])| json!({
                "task": name, "ms": [millis(*a), millis(*b)],
            })).collect::<Vec<_>>(),
        })
    }
}

fn section(out: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{name}\n  {}", lines.join("\n  "));
    }
}

fn percent(a: Duration, b: Duration) -> String {
    let change = (b.as_secs_f64() / a.as_secs_f64().max(1e-3) - 1.0) * 100.0;
    format!("{change:+.0} %")
}

/// What a document declares.
struct Declared<'a> {
    nodes: BTreeMap<String, &'a Node>,
    needs: BTreeSet<(String, String)>,
}

impl<'a> Declared<'a> {
    fn of(story: &Story<'a>) -> Declared<'a> {
        let mut declared = Declared { nodes: BTreeMap::new(), needs: BTreeSet::new() };
        declared.add(&story.definition.root, "");
        declared
    }

    fn add(&mut self, scope: &'a Scope, prefix: &str) {
        let name = |at: u32| format!("{prefix}{}", scope.nodes[at as usize].name);
        self.needs.extend(scope.edges.iter().map(|edge| (name(edge.from), name(edge.to))));
        for (node, at) in scope.nodes.iter().zip(0..) {
            self.nodes.insert(name(at), node);
            if let Some(body) = node.kind.body() {
                self.add(body, &format!("{}/", name(at)));
            }
        }
    }
}

fn tasks(graphs: &[Declared<'_>; 2]) -> Vec<(String, Change)> {
    let [first, second] = graphs.each_ref().map(|graph| &graph.nodes);
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let change = |name: &&String| match (first.get(*name), second.get(*name)) {
        (None, _) => Some(Change::Added),
        (_, None) => Some(Change::Removed),
        (Some(a), Some(b)) => (a != b).then_some(Change::Changed),
    };
    names.iter().filter_map(|name| Some(((*name).clone(), change(name)?))).collect()
}

/// Those of a task that is new or gone say nothing more.
fn needs(graphs: &[Declared<'_>; 2]) -> Vec<(String, String, Change)> {
    let [first, second] = graphs;
    let in_both = |name: &String| first.nodes.contains_key(name) && second.nodes.contains_key(name);
    let mut needs: Vec<(String, String, Change)> = first
        .needs
        .difference(&second.needs)
        .map(|(from, to)| (from.clone(), to.clone(), Change::Removed))
        .chain(
            second.needs.difference(&first.needs).map(|(from, to)| (from.clone(), to.clone(), Change::Added)),
        )
        .filter(|(from, to, _)| in_both(from) && in_both(to))
        .collect();
    needs.sort();
    needs
}

fn inputs(first: &Payload, second: &Payload) -> Vec<(String, [Option<String>; 2])> {
    let values = |input: &Payload| -> BTreeMap<String, String> {
        let entries = input.entries().unwrap_or_default();
        entries.into_iter().map(|(name, value)| (name.to_string(), value.render())).collect()
    };
    let (first, second) = (values(first), values(second));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let pair = |name: &&String| [first.get(*name).cloned(), second.get(*name).cloned()];
    names.iter().map(|name| ((*name).clone(), pair(name))).filter(|(_, [a, b])| a != b).collect()
}

/// What became of each task, and how long it took if it worked.
fn ran(story: &Story<'_>) -> BTreeMap<String, (&'static str, Option<Duration>)> {
    let mut ran: BTreeMap<String, (&'static str, Option<Duration>)> =
        story.tasks.iter().map(|task| (task.path.to_string(), (state_name(task.state), None))).collect();
    for span in Timeline::of(story).spans {
        let took = (span.works && span.state.is_ended()).then(|| span.took());
        ran.insert(span.path, (state_name(span.state), took));
    }
    ran
}

type Ran = BTreeMap<String, (&'static str, Option<Duration>)>;

fn outcomes(ran: &[Ran; 2]) -> Vec<(String, [Option<&'static str>; 2])> {
    let names: BTreeSet<&String> = ran.iter().flat_map(BTreeMap::keys).collect();
    let pair = |name: &&String| ran.each_ref().map(|ran| ran.get(*name).map(|(state, _)| *state));
    names.iter().map(|name| ((*name).clone(), pair(name))).filter(|(_, [a, b])| a != b).collect()
}

fn durations(ran: &[Ran; 2]) -> Vec<(String, [Duration; 2])> {
    let took = |ran: &Ran, name: &String| ran.get(name).and_then(|(_, took)| *took);
    let pair = |name: &String| Some([took(&ran[0], name)?, took(&ran[1], name)?]);
    let matters =
        |&[a, b]: &[Duration; 2]| a.abs_diff(b) * 5 > a && a.abs_diff(b) >= Duration::from_millis(100);
    let mut durations: Vec<(String, [Duration; 2])> =
        ran[0].keys().filter_map(|name| Some((name.clone(), pair(name).filter(matters)?))).collect();
    durations.sort_by_key(|(_, [a, b])| std::cmp::Reverse(a.abs_diff(*b)));
    durations
}

#[cfg(test)]
mod tests {
    use partitur_model::record::{TaskOutcome, TaskState};

    use super::*;
    use crate::testing::{definition, month_end, story, task};

    #[test]
    fn a_run_is_like_itself() {
        let (run, tasks, definition) = month_end();
        let told = story(&run, &tasks, &definition);
        assert!(Difference::of(&told, &told).is_empty());
    }

    #[test]
    fn what_is_different_is_told_by_kind() {
        let (mut first, tasks, before) = month_end();
        first.input = Payload::parse("{\"month\":\"2026-10\",\"dry\":true}").expect("it is JSON");
        let mut second = first.clone();
        second.input = Payload::parse("{\"month\":\"2026-11\",\"dry\":true}").expect("it is JSON");
        let after = definition(&["load", "orders", "close", "mail"], &[(0, 1), (1, 2), (0, 2), (2, 3)]);
        let mut later = vec![task(1, "load", 0.0, 0.0, 5.0), task(2, "orders", 5.0, 5.0, 11.2)];
        later[1].state = TaskState::Ended(TaskOutcome::Failed);
        let difference = Difference::of(&story(&first, &tasks, &before), &story(&second, &later, &after));
        insta::assert_snapshot!(difference.text(), @r#"
        run 7: month-end succeeded after 12.0s
        run 7: month-end succeeded after 12.0s

        tasks
          + mail
          - stock

        needs
          + close needs load

        inputs
          ~ month: "2026-10" → "2026-11"

        outcomes
          ~ close: success → not begun
          ~ orders: success → failure
          ~ stock: success → not begun

        durations
          ~ load: 2.0s → 5.0s (+150 %)
        "#);
    }
}
