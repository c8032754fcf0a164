//! Random definitions: what their graphs execute, and after what, is what a naive reading of the document says.

use std::collections::BTreeSet;

use partitur_model::definition::{Guard, Kind, Scope, Trigger};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::wire;

/// A step of a sequence.
#[derive(Clone, Debug)]
enum Step {
    Task,
    /// The cases `0` and `1`, the default, and the case that is chosen.
    Switch([Vec<Step>; 2], Vec<Step>, u8),
    /// Branches; after each comes one more task, which the JOIN waits for.
    Fork(Vec<Vec<Step>>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = Just(Step::Task).prop_recursive(4, 40, 4, |inner| {
        let list = prop::collection::vec(inner, 0..4);
        let switch = (list.clone(), list.clone(), list.clone(), 0..3_u8);
        prop_oneof![
            Just(Step::Task),
            switch.prop_map(|(a, b, default, chosen)| Step::Switch([a, b], default, chosen)),
            prop::collection::vec(list, 1..4).prop_map(Step::Fork),
        ]
    });
    prop::collection::vec(step, 1..5)
}

/// Writes the document, and reads naively what it executes.
#[derive(Default)]
struct Reading {
    names: u32,
    /// In some order in which it may be.
    executed: Vec<String>,
    /// The second begins after the first has ended.
    ordered: Vec<(String, String)>,
}

impl Reading {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    /// The tasks of a sequence; `runs` if it is reached.
    fn sequence(&mut self, steps: &[Step], runs: bool) -> Vec<Value> {
        let mut tasks = Vec::new();
        let mut before: Vec<String> = Vec::new();
        for step in steps {
            let from = self.executed.len();
            tasks.extend(self.step(step, runs));
            let own: Vec<String> = self.executed[from..].to_vec();
            for first in &before {
                self.ordered.extend(own.iter().map(|second| (first.clone(), second.clone())));
            }
            before = own;
        }
        tasks
    }

    fn step(&mut self, step: &Step, runs: bool) -> Vec<Value> {
        let name = self.name();
        if runs {
            self.executed.push(name.clone());
        }
        match step {
            Step::Task => vec![json!({"name": name, "taskReferenceName": name})],
            Step::Switch([zero, one], default, chosen) => {
                let case = self.sequence(zero, runs && *chosen == 0);
                let other = self.sequence(one, runs && *chosen == 1);
                let default = self.sequence(default, runs && *chosen == 2);
                vec![json!({
                    "name": name, "taskReferenceName": name, "type": "SWITCH", "evaluatorType": "value-param",
                    "expression": "k", "inputParameters": {"k": chosen.to_string()},
                    "decisionCases": {"0": case, "1": other}, "defaultCase": default,
                })]
            }
            Step::Fork(branches) => {
                let (mut forked, mut joined) = (Vec::new(), Vec::new());
                for branch in branches {
                    let steps: Vec<Step> = branch.iter().cloned().chain([Step::Task]).collect();
                    let tasks = self.sequence(&steps, runs);
                    joined.push(tasks.last().unwrap()["taskReferenceName"].clone());
                    forked.push(tasks);
                }
                let join = self.name();
                if runs {
                    self.executed.push(join.clone());
                }
                vec![
                    json!({"name": name, "taskReferenceName": name, "type": "FORK_JOIN", "forkTasks": forked}),
                    json!({"name": join, "taskReferenceName": join, "type": "JOIN", "joinOn": joined}),
                ]
            }
        }
    }
}

/// What became of a node: after which others it was executed, itself included, or that it was not.
type Past = Option<BTreeSet<usize>>;

/// Executes a graph whose switches choose what they hold. Nodes only follow from earlier ones.
fn execute(scope: &Scope) -> Vec<Past> {
    let mut pasts: Vec<Past> = Vec::new();
    for (at, node) in scope.nodes.iter().enumerate() {
        let edges: Vec<_> = scope.edges.iter().filter(|edge| edge.to as usize == at).collect();
        let taken: Vec<bool> = edges
            .iter()
            .map(|edge| {
                let from = edge.from as usize;
                assert!(from < at, "edges lead forward");
                match &edge.guard {
                    Guard::Any => true,
                    Guard::Case(case) => pasts[from].is_some() && *case == chosen(scope, from),
                    Guard::DefaultCase => pasts[from].is_some() && chosen(scope, from) == "2",
                    // Nothing is left out by hand.
                    Guard::Continue if matches!(scope.nodes[from].kind, Kind::Switch(_)) => false,
                    Guard::Continue | Guard::Success => pasts[from].is_some(),
                    Guard::Failure => false,
                }
            })
            .collect();
        let runs = match node.trigger {
            Trigger::All => taken.iter().all(|taken| *taken),
            Trigger::Any => taken.is_empty() || taken.iter().any(|taken| *taken),
        };
        let past = runs.then(|| {
            let sources = edges.iter().zip(&taken).filter(|(_, taken)| **taken);
            let before = sources.filter_map(|(edge, _)| pasts[edge.from as usize].clone()).flatten();
            before.chain([at]).collect()
        });
        pasts.push(past);
    }
    pasts
}

fn chosen(scope: &Scope, node: usize) -> String {
    match &scope.nodes[node].kind {
        Kind::Switch(_) => {
            let input = scope.nodes[node].input.as_ref().unwrap();
            crate::json::text(&input.0.member("k").unwrap()).unwrap()
        }
        other => panic!("{other:?} is no switch"),
    }
}

proptest! {
    #[test]
    fn graphs_execute_what_documents_say_in_their_order(steps in steps()) {
        let mut reading = Reading::default();
        let tasks = reading.sequence(&steps, true);
        let def = json!({"name": "w", "tasks": tasks}).to_string();
        let scope = crate::lower(&wire::read(def.as_bytes()).unwrap()).unwrap().root;
        let pasts = execute(&scope);
        let place = |name: &str| scope.nodes.iter().position(|node| node.name == *name).unwrap();
        let executed: BTreeSet<&str> =
            scope.nodes.iter().zip(&pasts).filter(|(_, past)| past.is_some()).map(|(node, _)| node.name.as_str()).collect();
        prop_assert_eq!(&executed, &reading.executed.iter().map(String::as_str).collect());
        for (first, second) in &reading.ordered {
            let past = pasts[place(second)].as_ref().unwrap();
            prop_assert!(past.contains(&place(first)), "{} must end before {} begins", first, second);
        }
    }
}
