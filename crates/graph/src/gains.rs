//! What to change to get faster: which edge, lock or limit costs how much, found by planning again without it.
//!
//! What delays the end of a run hangs together as a chain: the last task started late because of a predecessor or a full
//! cell, that predecessor because of another, and so on. Only what is on this chain can shorten the run, so only that is
//! tried.

use crate::{Cause, Csr, Cyclic, Limits, Timetable, timetable};

/// A change to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Without the edges from one node to another.
    WithoutEdge(u32, u32),
    /// As if a cell had no limit.
    WithoutLimit(u32),
}

/// What a change brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain {
    /// The change.
    pub change: Change,
    /// How long everything takes with it.
    pub makespan: u64,
}

/// The changes that shorten the run, best first; at most `tries` are tried.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// As [`timetable`].
pub fn gains(csr: &Csr, durations: &[u64], limits: &Limits, tries: usize) -> Result<Vec<Gain>, Cyclic> {
    let table = timetable(csr, durations, limits)?;
    let mut gains = Vec::new();
    for change in chain(csr, durations, limits, &table).into_iter().take(tries) {
        let makespan = makespan_with(csr, durations, limits, change)?;
        if makespan < table.makespan {
            gains.push(Gain { change, makespan });
        }
    }
    gains.sort_by_key(|gain| (gain.makespan, gain.change));
    Ok(gains)
}

/// How long everything takes with a change.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// As [`timetable`].
pub fn makespan_with(csr: &Csr, durations: &[u64], limits: &Limits, change: Change) -> Result<u64, Cyclic> {
    let table = match change {
        Change::WithoutEdge(from, to) => {
            let kept: Vec<(u32, u32)> = csr.pairs().filter(|&edge| edge != (from, to)).collect();
            timetable(&Csr::build(csr.nodes(), &kept), durations, limits)?
        }
        Change::WithoutLimit(cell) => {
            let mut limits = limits.clone();
            limits.holds.iter_mut().for_each(|holds| holds.retain(|hold| hold.cell != cell));
            timetable(csr, durations, &limits)?
        }
    };
    Ok(table.makespan)
}

/// What is on the chain that leads to the end, from there backwards: each change once.
fn chain(csr: &Csr, durations: &[u64], limits: &Limits, table: &Timetable) -> Vec<Change> {
    let end = |node: u32| table.starts[node as usize].saturating_add(durations[node as usize]);
    let before = csr.reversed();
    let mut changes = Vec::new();
    let mut add = |change: Change| {
        if !changes.contains(&change) {
            changes.push(change);
        }
    };
    let mut at = (0..csr.nodes()).find(|&node| end(node) == table.makespan);
    let mut steps = csr.nodes();
    while let Some(node) = at
        && steps > 0
    {
        steps -= 1;
        at = match table.causes[node as usize] {
            Cause::None => None,
            Cause::Node(from) => {
                add(Change::WithoutEdge(from, node));
                Some(from)
            }
            Cause::Cell(cell) => {
                add(Change::WithoutLimit(cell));
                let start = table.starts[node as usize];
                let holds = |other: u32| limits.holds[other as usize].iter().any(|hold| hold.cell == cell);
                // Whoever gave back what was wanted; without one, what it needed itself.
                (0..csr.nodes())
                    .find(|&other| other != node && holds(other) && end(other) == start)
                    .or_else(|| before.successors(node).iter().copied().max_by_key(|&from| end(from)))
            }
        };
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hold;
    use crate::families::Family;

    #[test]
    fn the_edge_and_the_lock_that_cost_time_are_named() {
        // 0 before 1; 1 and 2 exclude each other; 3 does not matter.
        let csr = Csr::build(4, &[(0, 1)]);
        let locked = || vec![Hold { cell: 0, units: 1 }];
        let limits = Limits { capacities: vec![1], holds: vec![Vec::new(), locked(), locked(), Vec::new()] };
        // 2 takes the lock from 0 to 6; 1 could have it from 4 on.
        let found = gains(&csr, &[4, 5, 6, 1], &limits, 9).unwrap();
        assert_eq!(found, [Gain { change: Change::WithoutLimit(0), makespan: 9 }]);
        let found = gains(&csr, &[8, 5, 6, 1], &limits, 9).unwrap();
        assert_eq!(found, [Gain { change: Change::WithoutEdge(0, 1), makespan: 11 }]);
    }

    /// The oracle plans anew, with everything that was promised to be gone really gone from its input.
    #[test]
    fn every_gain_is_what_planning_without_it_gives() {
        for (seed, family) in (1..).zip(Family::ALL) {
            let sample = family.sample(120, seed);
            let mut limits = Limits::slots(120, 5);
            limits.capacities.extend([1, 2]);
            for (node, holds) in limits.holds.iter_mut().enumerate() {
                if node % 7 == 0 {
                    holds.insert(0, Hold { cell: 1, units: 1 });
                }
                if node % 5 == 1 {
                    holds.insert(0, Hold { cell: 2, units: 1 });
                }
            }
            let edges: Vec<(u32, u32)> = sample.csr.pairs().collect();
            let whole = timetable(&sample.csr, &sample.durations, &limits).unwrap().makespan;
            let found = gains(&sample.csr, &sample.durations, &limits, 40).unwrap();
            assert!(!found.is_empty(), "{family:?} has something that costs time");
            for gain in found {
                let (edges, limits) = match gain.change {
                    Change::WithoutEdge(from, to) => {
                        assert!(edges.contains(&(from, to)), "{family:?} has this edge");
                        let rest = edges.iter().copied().filter(|&edge| edge != (from, to)).collect();
                        (rest, limits.clone())
                    }
                    Change::WithoutLimit(cell) => {
                        let mut capacities = limits.capacities.clone();
                        capacities[cell as usize] = u32::MAX;
                        (edges.clone(), Limits { capacities, holds: limits.holds.clone() })
                    }
                };
                let csr = Csr::build(120, &edges);
                let replanned = timetable(&csr, &sample.durations, &limits).unwrap().makespan;
                assert_eq!(replanned, gain.makespan, "{family:?} {:?}", gain.change);
                assert!(replanned < whole);
            }
        }
    }
}
