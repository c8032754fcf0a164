//! The tasks of a document as a graph: how many there are, what targets need, how long it should take.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use partitur_graph::{Csr, Order, Waves, needed_by, simulate};
use partitur_model::definition::{Definition, Kind, Node};

/// A task of which nothing is known takes this long, as the scheduler assumes.
pub const UNKNOWN: Duration = Duration::from_secs(1);

/// The tasks of a document that a run with these targets executes.
pub struct Shape<'a> {
    /// In document order.
    pub nodes: Vec<&'a Node>,
    /// Over these.
    pub csr: Csr,
}

/// How long a task should take, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The mean of earlier runs.
    History(Duration),
    /// The document says so.
    Estimate(Duration),
    /// Nobody knows.
    Unknown,
}

impl Expected {
    /// The time to reckon with.
    pub fn duration(self) -> Duration {
        match self {
            Expected::History(time) | Expected::Estimate(time) => time,
            Expected::Unknown => UNKNOWN,
        }
    }
}

impl<'a> Shape<'a> {
    /// The tasks that the targets need; all if there are none.
    pub fn of(definition: &'a Definition, targets: &[String]) -> Shape<'a> {
        let all = &definition.root.nodes;
        let edges: Vec<(u32, u32)> = definition.root.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let csr = Csr::build(all.len() as u32, &edges);
        if targets.is_empty() {
            return Shape { nodes: all.iter().collect(), csr };
        }
        let index: HashMap<&str, u32> = all.iter().map(|node| node.name.as_str()).zip(0..).collect();
        let wanted: Vec<u32> = targets.iter().filter_map(|name| index.get(name.as_str()).copied()).collect();
        let needed = needed_by(&csr, &wanted);
        let place: HashMap<u32, u32> = needed.iter().copied().zip(0..).collect();
        let kept: Vec<(u32, u32)> =
            edges.iter().filter_map(|(from, to)| Some((*place.get(from)?, *place.get(to)?))).collect();
        Shape {
            nodes: needed.iter().map(|&at| &all[at as usize]).collect(),
            csr: Csr::build(needed.len() as u32, &kept),
        }
    }

    /// Tasks that are counted one by one, and the names of the others: those that unfold into many.
    pub fn counted(&self) -> (usize, Vec<String>) {
        let unfolds: Vec<String> =
            self.nodes.iter().filter(|node| unfolds(node)).map(|node| node.name.clone()).collect();
        (self.nodes.len() - unfolds.len(), unfolds)
    }

    /// How long each task should take.
    pub fn expected(&self, history: &BTreeMap<String, Duration>) -> Vec<Expected> {
        let expected = |node: &&Node| match (history.get(&node.name), node.expected) {
            (Some(&time), _) => Expected::History(time),
            (None, Some(time)) => Expected::Estimate(time),
            (None, None) => Expected::Unknown,
        };
        self.nodes.iter().map(expected).collect()
    }

    /// How long it takes with so many at once, in the order in which they would start; `None` for what has cycles.
    pub fn makespan(&self, expected: &[Expected], at_once: u32) -> Option<Duration> {
        let millis: Vec<u64> =
            expected.iter().map(|expected| expected.duration().as_millis() as u64).collect();
        let schedule = simulate(&self.csr, &millis, at_once.max(1), Order::BottomLevel).ok()?;
        Some(Duration::from_millis(schedule.makespan))
    }

    /// Its waves.
    pub fn waves(&self) -> Option<Waves> {
        Waves::of(&self.csr).ok()
    }
}

/// Whether the task is shown by its parts.
fn unfolds(node: &Node) -> bool {
    match node.kind {
        Kind::Each(_) | Kind::Expand(_) | Kind::Loop(_) | Kind::SubRun(_) => true,
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::Start(_)
        | Kind::Evaluate(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => false,
    }
}
