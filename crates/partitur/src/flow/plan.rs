//! What is known about a flow before it runs: its graph, its names, and what single tasks ask for.

use std::collections::HashMap;
use std::time::Duration;

use partitur_graph::{Csr, Waves};
use partitur_model::definition::{Priority, Retry};

use super::locks::Lock;
use super::run::gate::Rank;
use super::run::word::{ALWAYS, SPECIAL, Word};

/// What a task says about itself beyond its name and its place in the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Special {
    pub(super) agent: Option<String>,
    /// Which of the agent's instances it is, from 1.
    pub(super) instance: u32,
    pub(super) priority: Priority,
    pub(super) expected: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Option<Retry>,
    pub(super) always: bool,
    pub(super) locks: Vec<Lock>,
}

/// Names one after the other: 4 bytes a task beside its text.
#[derive(Default)]
pub(super) struct Names {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    pub(super) fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.ends.push(u32::try_from(self.text.len()).expect("the names of a flow have at most 4 GiB"));
    }

    pub(super) fn get(&self, node: u32) -> &str {
        let node = node as usize;
        let begin = if node == 0 { 0 } else { self.ends[node - 1] };
        &self.text[begin as usize..self.ends[node] as usize]
    }

    pub(super) fn len(&self) -> u32 {
        self.ends.len() as u32
    }

    fn bytes(&self) -> usize {
        self.ends.len() * size_of::<u32>()
    }
}

/// What few tasks have, by node in ascending order.
#[derive(Default)]
pub(super) struct Specials(Vec<(u32, Special)>);

impl Specials {
    /// The entry of the task that was added last, made if there is none.
    pub(super) fn of_last(&mut self, node: u32) -> &mut Special {
        if self.0.last().is_none_or(|(last, _)| *last != node) {
            debug_assert!(
                self.0.last().is_none_or(|(last, _)| *last < node),
                "tasks are described as they are added"
            );
            self.0.push((node, Special::default()));
        }
        &mut self.0.last_mut().expect("pushed if there was none").1
    }

    /// Whether the order of ready tasks matters: as soon as a task says something about itself.
    pub(super) fn are_exact(&self) -> bool {
        !self.0.is_empty()
    }

    /// Numbers the tasks of each agent.
    fn count_instances(&mut self) {
        let mut instances: HashMap<&str, u32> = HashMap::new();
        for (_, special) in &mut self.0 {
            if let Some(agent) = special.agent.as_deref() {
                let count = instances.entry(agent).or_default();
                *count += 1;
                special.instance = *count;
            }
        }
    }

    fn get(&self, node: u32) -> Option<&Special> {
        self.0.binary_search_by_key(&node, |(of, _)| *of).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Special)> {
        self.0.iter().map(|(node, special)| (*node, special))
    }
}

/// A checked flow without its closures.
pub(super) struct Plan {
    pub(super) flow: u32,
    graph: Csr,
    pub(super) names: Names,
    specials: Specials,
    /// Empty if the order of ready tasks does not matter.
    bottom_levels: Vec<u64>,
}

impl Plan {
    pub(super) fn new(flow: u32, graph: Csr, names: Names, mut specials: Specials) -> Plan {
        specials.count_instances();
        let bottom_levels = if specials.are_exact() { bottom_levels(&graph, &specials) } else { Vec::new() };
        Plan { flow, graph, names, specials, bottom_levels }
    }

    /// The words of all tasks as they are before the start.
    pub(super) fn words(&self) -> Box<[Word]> {
        let mut specials = self.specials.iter().peekable();
        let flags = |node: u32| match specials.next_if(|(of, _)| *of == node) {
            None => 0,
            Some((_, special)) => SPECIAL | if special.always { ALWAYS } else { 0 },
        };
        let flags: Vec<u32> =
            if self.specials.0.is_empty() { Vec::new() } else { self.nodes().map(flags).collect() };
        let missing = self.graph.in_degrees().into_iter().enumerate();
        missing.map(|(at, missing)| Word::new(missing, flags.get(at).copied().unwrap_or(0))).collect()
    }

    /// Tasks that wait for nothing, in the order of creation.
    pub(super) fn roots(&self) -> impl Iterator<Item = u32> {
        let degrees = self.graph.in_degrees();
        self.nodes().filter(move |&node| degrees[node as usize] == 0)
    }

    fn nodes(&self) -> std::ops::Range<u32> {
        0..self.graph.nodes()
    }

    pub(super) fn successors(&self, node: u32) -> &[u32] {
        self.graph.successors(node)
    }

    pub(super) fn special(&self, node: u32) -> Option<&Special> {
        self.specials.get(node)
    }

    pub(super) fn specials(&self) -> impl Iterator<Item = (u32, &Special)> {
        self.specials.iter()
    }

    /// Its class, and its place inside the class.
    pub(super) fn rank(&self, node: u32) -> Rank {
        let priority = self.special(node).map_or(Priority::Normal, |special| special.priority);
        Rank { priority, bottom_level: self.bottom_levels[node as usize] as f32 / 1e6 }
    }

    /// `backend_specialist#2`; the name of a task without an agent; `#17` if it has no name either.
    pub(super) fn instance(&self, node: u32) -> String {
        match self.special(node).and_then(|special| Some((special.agent.as_deref()?, special.instance))) {
            Some((agent, instance)) => format!("{agent}#{instance}"),
            None => self.title(node),
        }
    }

    /// The name of a task, or `#17` if it has none.
    pub(super) fn title(&self, node: u32) -> String {
        match self.names.get(node) {
            "" => format!("#{node}"),
            name => name.to_owned(),
        }
    }

    /// Bytes of graph, counters, states and the table of names; texts of names apart.
    pub(super) fn bytes(&self) -> usize {
        let entries = self.graph.nodes() as usize + 1 + self.graph.edges() as usize;
        let specials = self.specials.0.len() * size_of::<(u32, Special)>();
        let levels = self.bottom_levels.len() * size_of::<u64>();
        entries * size_of::<u32>() + levels + self.names.bytes() + specials
    }
}

/// The longest path from the start of each task to the end of the flow, in microseconds. A task that is silent about
/// itself counts as a second.
fn bottom_levels(graph: &Csr, specials: &Specials) -> Vec<u64> {
    let mut durations = vec![1_000_000; graph.nodes() as usize];
    for (node, special) in specials.iter() {
        if let Some(expected) = special.expected {
            durations[node as usize] = u64::try_from(expected.as_micros()).unwrap_or(u64::MAX);
        }
    }
    let waves = Waves::of(graph).expect("a plan is made of a flow without cycles");
    partitur_graph::bottom_levels(graph, &waves, &durations)
}
