//! What a plan says beyond its waves: how long with how many at once, what lies on the critical path, what to change to
//! get faster, and what a split among machines would lose.
//!
//! A slot, a lock and a limit are held alike ([`Limits`]). Lists and loops are unfolded as far as their parts are known or can be
//! assumed; of the others each counts as one task that holds what its parts hold.

use std::collections::BTreeMap;

use partitur_graph::{
    Change, Cut, Cyclic, Gain, Hold, Limits, Parallelism, Partition, Waves, bottom_levels, critical_path,
    gains, independent_groups, parallelism, partition, slack, timetable,
};
use partitur_model::Payload;
use partitur_model::definition::{ClaimMode, Definition, Kind, Node};

use super::unfold::Unfolded;
use super::{filled, own_and_inner};
use crate::shape::Shape;

/// More changes than this are not tried: the chain of a large run is long, and its largest parts show early.
const TRIES_MAX: usize = 64;
/// More than this many advices nobody reads.
const ADVICE_MAX: usize = 8;
/// A lock as a count: whoever holds it alone takes all of it.
const ALONE: u32 = 1 << 20;
/// The cell of the slots.
const SLOTS: u32 = 0;

/// What follows from the shape of a run and its expected durations.
pub struct Study {
    /// How long everything takes, in milliseconds, with locks and limits.
    pub makespan: u64,
    /// The tasks of a longest chain.
    pub critical: Vec<u32>,
    /// How long that takes alone.
    pub critical_length: u64,
    /// How much later each task may end without anything ending later, if nothing held it up.
    pub slack: Vec<u64>,
    /// How much can happen at once.
    pub parallelism: Parallelism,
    /// All durations together.
    pub work: u64,
    /// Tasks that hang together, in the order of their first ones.
    pub groups: Vec<Vec<u32>>,
    /// How long it takes with so many at once.
    pub curve: Vec<(u32, u64)>,
    /// What to change, best first.
    pub advice: Vec<Advice>,
    durations: Vec<u64>,
}

/// What to change to get faster.
pub struct Advice {
    /// The change.
    pub change: Change,
    /// It in words.
    pub words: String,
    /// How long everything takes with it.
    pub makespan: u64,
}

/// A way to split the run among machines.
pub struct Split {
    /// How it is cut.
    pub cut: Cut,
    /// The result.
    pub partition: Partition,
    /// How much longer it takes than with one queue for all machines.
    pub lost: u64,
}

impl Study {
    /// Of these tasks, with durations in milliseconds and so many at once; `None` for what has cycles.
    pub fn of(
        unfolded: &Unfolded,
        shape: &Shape<'_>,
        durations: Vec<u64>,
        input: &Payload,
        at_once: u32,
    ) -> Option<Study> {
        let waves = Waves::of(&shape.csr).ok()?;
        let cells = Cells::of(&unfolded.definition, shape, input);
        let mut study = Study::new(shape, durations, &waves, &cells, (at_once, unfolded)).ok()?;
        study.critical.retain(|&at| !unfolded.is_end(at as usize));
        study.groups.iter_mut().for_each(|group| group.retain(|&at| !unfolded.is_end(at as usize)));
        Some(study)
    }

    /// How much later a task, or any of its parts, may end without anything ending later.
    pub fn slack_of(&self, unfolded: &Unfolded, task: u32) -> u64 {
        let parts = unfolded.of.iter().zip(&self.slack).filter(|(of, _)| **of == task);
        parts.map(|(_, slack)| *slack).min().unwrap_or_default()
    }

    fn new(
        shape: &Shape<'_>,
        durations: Vec<u64>,
        waves: &Waves,
        cells: &Cells,
        (at_once, unfolded): (u32, &Unfolded),
    ) -> Result<Study, Cyclic> {
        let csr = &shape.csr;
        let limits = cells.limits(at_once);
        let makespan = timetable(csr, &durations, &limits)?.makespan;
        let path = critical_path(csr, waves, &bottom_levels(csr, waves, &durations));
        let advice = gains(csr, &durations, &limits, TRIES_MAX)?;
        // Nobody can do without what makes the parts of one task.
        let is_advice = |gain: &Gain| match gain.change {
            Change::WithoutEdge(from, to) => unfolded.of[from as usize] != unfolded.of[to as usize],
            Change::WithoutLimit(_) => true,
        };
        let advice = advice.into_iter().filter(is_advice).collect::<Vec<_>>();
        let advice = advice.into_iter().take(ADVICE_MAX).map(|gain| advised(shape, cells, at_once, gain));
        let mut curve = Vec::new();
        for workers in steps(at_once) {
            curve.push((workers, timetable(csr, &durations, &cells.limits(workers))?.makespan));
        }
        Ok(Study {
            makespan,
            slack: slack(csr, waves, &durations),
            parallelism: parallelism(waves, &durations, path.length),
            critical_length: path.length,
            critical: path.nodes,
            work: durations.iter().sum(),
            groups: groups(shape),
            curve,
            advice: advice.collect(),
            durations,
        })
    }

    /// Both ways to split the run among machines with so many slots each.
    pub fn splits(&self, shape: &Shape<'_>, machines: u32, slots: u32) -> Vec<Split> {
        let nodes = shape.csr.nodes();
        let together = Limits::slots(nodes, slots.saturating_mul(machines));
        let Ok(whole) = timetable(&shape.csr, &self.durations, &together) else { return Vec::new() };
        let split = |cut: Cut| {
            let partition = partition(&shape.csr, &self.durations, machines, slots, cut).ok()?;
            let lost = partition.makespan.saturating_sub(whole.makespan);
            Some(Split { cut, partition, lost })
        };
        [Cut::Levels, Cut::Chains].into_iter().filter_map(split).collect()
    }
}

/// All numbers at once that are worth a figure: each up to eight, then fewer.
fn steps(at_once: u32) -> Vec<u32> {
    let steps = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 128, 256];
    let mut steps: Vec<u32> = steps.into_iter().filter(|&step| step < at_once).collect();
    steps.push(at_once);
    steps
}

fn groups(shape: &Shape<'_>) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (node, group) in (0..).zip(independent_groups(&shape.csr)) {
        groups.resize_with(groups.len().max(group as usize + 1), Vec::new);
        groups[group as usize].push(node);
    }
    groups
}

fn advised(shape: &Shape<'_>, cells: &Cells, at_once: u32, Gain { change, makespan }: Gain) -> Advice {
    let name = |node: u32| &shape.nodes[node as usize].name;
    let words = match change {
        Change::WithoutEdge(from, to) => format!("if `{}` did not need `{}`", name(to), name(from)),
        Change::WithoutLimit(SLOTS) => format!("with more than {at_once} at once"),
        Change::WithoutLimit(cell) => format!("without {}", cells.names[cell as usize]),
    };
    Advice { change, words, makespan }
}

/// What tasks hold while they run, by cell; the first cell are the slots.
struct Cells {
    names: Vec<String>,
    capacities: Vec<u32>,
    holds: Vec<Vec<Hold>>,
}

impl Cells {
    fn of(definition: &Definition, shape: &Shape<'_>, input: &Payload) -> Cells {
        let mut cells = Cells {
            names: vec![String::new()],
            capacities: vec![1],
            holds: vec![Vec::new(); shape.nodes.len()],
        };
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        let mut claimed: Vec<(usize, String, ClaimMode, u32)> = Vec::new();
        for (number, node) in shape.nodes.iter().enumerate() {
            for claim in own_and_inner(node).flat_map(|node| &node.claims) {
                let name = filled(&claim.resource.0, input);
                let units = units_of(definition, &name);
                let (shown, capacity) = match units {
                    Some(units) => (format!("the limit of `{name}` ({units})"), units.max(1)),
                    None => (format!("the lock on `{name}`"), ALONE),
                };
                known.entry(name.clone()).or_insert_with(|| cells.add(shown, capacity));
                let wanted = if units.is_some() { claim.units } else { 1 };
                claimed.push((number, name, claim.mode, wanted));
            }
            for (name, most) in own_and_inner(node).filter_map(worker_limit) {
                let key = format!("worker {name}");
                let shown = format!("the limit of {most} `{name}` at once");
                known.entry(key.clone()).or_insert_with(|| cells.add(shown, most.max(1)));
                claimed.push((number, key, ClaimMode::Exclusive, 1));
            }
        }
        for (number, name, mode, units) in claimed {
            for (other, &cell) in &known {
                if *other == name || covers(&name, other) {
                    let all = cells.capacities[cell as usize] == ALONE && mode == ClaimMode::Exclusive;
                    cells.hold(number, cell, if all { ALONE } else { units });
                }
            }
        }
        for (number, node) in shape.nodes.iter().enumerate() {
            if takes_slot(node) {
                cells.hold(number, SLOTS, 1);
            }
        }
        cells
    }

    fn add(&mut self, name: String, capacity: u32) -> u32 {
        self.names.push(name);
        self.capacities.push(capacity);
        self.capacities.len() as u32 - 1
    }

    /// Of several claims on the same, the largest counts.
    fn hold(&mut self, node: usize, cell: u32, units: u32) {
        let holds = &mut self.holds[node];
        match holds.iter_mut().find(|hold| hold.cell == cell) {
            Some(hold) => hold.units = hold.units.max(units),
            None => holds.push(Hold { cell, units }),
        }
    }

    fn limits(&self, at_once: u32) -> Limits {
        let mut capacities = self.capacities.clone();
        capacities[SLOTS as usize] = at_once.max(1);
        Limits { capacities, holds: self.holds.clone() }
    }
}

/// How many units a counted resource has, by its name or the longest prefix that is declared.
fn units_of(definition: &Definition, name: &str) -> Option<u32> {
    let fits = |spec: &&partitur_model::definition::ResourceSpec| match spec.name.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => spec.name == name,
    };
    let found = definition.resources.iter().filter(fits).max_by_key(|spec| spec.name.len());
    found.map(|spec| spec.units)
}

/// A directory contains what lies below it.
fn covers(outer: &str, inner: &str) -> bool {
    let Some(dir) = outer.strip_prefix("dir:") else { return false };
    let path = inner.strip_prefix("file:").or_else(|| inner.strip_prefix("dir:"));
    path.and_then(|path| path.strip_prefix(dir.trim_end_matches('/')))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// How many tasks of a type may be at work at once, wherever.
fn worker_limit(node: &Node) -> Option<(&str, u32)> {
    match &node.kind {
        Kind::Remote(remote) => remote.limits.concurrency.map(|most| (remote.limits.name.as_str(), most)),
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Wait(_)
        | Kind::Evaluate(_)
        | Kind::SubRun(_)
        | Kind::Start(_)
        | Kind::Each(_)
        | Kind::Expand(_)
        | Kind::Loop(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => None,
    }
}

/// Whether the task is executed by somebody, or its parts are. Whatever waits, or is computed by the engine, takes no
/// slot.
fn takes_slot(node: &Node) -> bool {
    match node.kind {
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Each(_)
        | Kind::Expand(_)
        | Kind::Loop(_) => true,
        Kind::Wait(_) | Kind::SubRun(_) => false,
        Kind::Evaluate(_)
        | Kind::Start(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => false,
    }
}

/// Whether the engine does it by itself, at once.
pub fn is_instant(node: &Node) -> bool {
    match node.kind {
        Kind::Evaluate(_)
        | Kind::Start(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => true,
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::SubRun(_)
        | Kind::Each(_)
        | Kind::Expand(_)
        | Kind::Loop(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_covers_what_lies_below_it_and_nothing_beside() {
        assert!(covers("dir:src", "file:src/a.rs") && covers("dir:src/", "dir:src/deep"));
        assert!(!covers("dir:src", "file:srca/a.rs") && !covers("file:src", "file:src/a"));
        assert!(!covers("dir:src", "service:src/a"));
    }

    #[test]
    fn few_and_many_at_once_have_few_figures() {
        assert_eq!(steps(1), [1]);
        assert_eq!(steps(3), [1, 2, 3]);
        assert_eq!(steps(20), [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20]);
    }
}
