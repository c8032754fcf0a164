//! Random graphs with services, and whatever may happen to them: nobody begins without the services that it needs, an
//! engine that is built from the rows goes on alike, and the run comes to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use partitur_model::definition::{Command, Edge, Guard, Kind, Node, Scope, Service};
use partitur_model::record::TaskState;
use partitur_model::{Place, Timestamp};
use proptest::prelude::*;

use crate::lab::Lab;
use crate::script::{flow, retried};

/// What a case is made of.
#[derive(Clone, Debug)]
struct Case {
    /// For each node whether it is a service, and how often it is tried.
    nodes: Vec<(bool, u32)>,
    /// Which earlier nodes each needs, as bits.
    needs: Vec<u8>,
    happens: Vec<(u8, u8)>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let nodes = proptest::collection::vec((any::<bool>(), 1_u32..4), 2..8);
    nodes.prop_flat_map(|nodes| {
        let needs = proptest::collection::vec(any::<u8>(), nodes.len());
        let happens = proptest::collection::vec((any::<u8>(), any::<u8>()), 0..40);
        (Just(nodes), needs, happens).prop_map(|(nodes, needs, happens)| Case { nodes, needs, happens })
    })
}

fn name(at: usize) -> String {
    format!("t{at}")
}

impl Case {
    fn scope(&self) -> Scope {
        let mut scope = Scope::default();
        for (at, &(is_service, attempts)) in self.nodes.iter().enumerate() {
            let node = retried(&name(at), attempts);
            let command = Command { service: Some(Box::new(Service::default())), ..Command::default() };
            scope.nodes.push(if is_service { Node { kind: Kind::Command(command), ..node } } else { node });
            for from in (0..at).filter(|from| self.needs_of(at, *from)) {
                let (from, to) = (from as u32, at as u32);
                scope.edges.push(Edge { from, to, guard: Guard::Success, place: Place::root() });
            }
        }
        scope
    }

    fn needs_of(&self, at: usize, from: usize) -> bool {
        self.needs[at] & (1 << from) != 0
    }

    fn is_service(&self, name: &str) -> bool {
        (0..self.nodes.len()).any(|at| self.nodes[at].0 && self::name(at) == name)
    }
}

fn state(lab: &Lab, name: &str) -> Option<TaskState> {
    let run = lab.run_id(1);
    lab.engine.tasks(run).find(|task| &*task.path == name).map(|task| task.state)
}

fn is_up(lab: &Lab, name: &str) -> bool {
    matches!(state(lab, name), Some(TaskState::Running { deadline: Timestamp::MAX, .. }))
}

fn living(lab: &Lab) -> Vec<String> {
    lab.live.keys().map(|(_, name)| name.clone()).collect()
}

/// One input; whoever begins in it has what it needs.
fn input(case: &Case, lab: &mut Lab, text: &str) {
    let before: BTreeSet<_> = lab.live.values().copied().collect();
    lab.text_input(text);
    let begun = lab.live.iter().filter(|(_, attempt)| !before.contains(attempt));
    for (_, name) in begun.map(|(key, _)| key) {
        let at: usize = name[1..].parse().expect("a name of ours");
        for from in (0..at).filter(|&from| case.needs_of(at, from) && case.nodes[from].0) {
            assert!(
                is_up(lab, &self::name(from)),
                "{name} begins without {} after `{text}`",
                self::name(from)
            );
        }
    }
}

fn play(case: &Case) {
    let mut lab = Lab::new();
    lab.submit(flow(case.scope()));
    for &(what, whom) in &case.happens {
        lab.now = lab.now + Duration::from_secs(1);
        let living = living(&lab);
        let pick = (!living.is_empty()).then(|| living[whom as usize % living.len()].clone());
        let text = match (what % 12, pick) {
            (0, _) => "crash".to_owned(),
            (1, _) => "pause".to_owned(),
            (2, _) => "unpause".to_owned(),
            (3, _) => "tick".to_owned(),
            (4..=5, Some(task)) => format!("{task} fail"),
            (6..=7, Some(task)) => format!("{task} ok"),
            (_, Some(task)) if case.is_service(&task) => format!("up {task}"),
            (_, Some(task)) => format!("{task} ok"),
            (_, None) => "tick".to_owned(),
        };
        input(case, &mut lab, &text);
    }
    come_to_an_end(case, &mut lab);
}

/// Everybody does what is asked of them.
fn come_to_an_end(case: &Case, lab: &mut Lab) {
    input(case, lab, "unpause");
    for _ in 0..200 {
        let run = lab.run_id(1);
        if lab.engine.run(run).is_none_or(|run| run.state.is_ended()) {
            return;
        }
        lab.now = lab.now + Duration::from_secs(20);
        input(case, lab, "tick");
        for task in living(lab) {
            let stops = matches!(state(lab, &task), Some(TaskState::Stopping { .. }));
            match case.is_service(&task) {
                true if !stops && !is_up(lab, &task) => input(case, lab, &format!("up {task}")),
                true if !stops => {}
                true | false => input(case, lab, &format!("{task} ok")),
            }
        }
    }
    panic!("the run does not end: {case:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn nobody_begins_without_what_it_needs_and_every_run_ends(case in any_case()) {
        play(&case);
    }
}
