//! How long it must take: bottom levels, the critical path, slack, and bounds for any number of workers.
//!
//! Durations are whole numbers of whatever unit the caller likes, so that sums are exact and the same everywhere;
//! they saturate instead of overflowing.

use crate::{Csr, Waves};

/// A longest chain of nodes, each of which waits for the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// First to last.
    pub nodes: Vec<u32>,
    /// Their durations together: no number of workers is faster.
    pub length: u64,
}

/// How much can happen at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parallelism {
    /// Nodes in the fullest wave.
    pub widest: u32,
    /// All durations over the length of the critical path: more workers than this wait for much of the time.
    pub average: f64,
}

/// For each node the longest time from its start to the end of everything that waits for it.
pub fn bottom_levels(csr: &Csr, waves: &Waves, durations: &[u64]) -> Vec<u64> {
    let mut bottom = durations.to_vec();
    let mut settle = |node: usize, row: &[u32]| {
        let below = row.iter().map(|&next| bottom[next as usize]).max();
        bottom[node] = bottom[node].saturating_add(below.unwrap_or(0));
    };
    if waves.are_ascending() {
        csr.rows().enumerate().rev().for_each(|(node, row)| settle(node, row));
    } else {
        waves.order().iter().rev().for_each(|&node| settle(node as usize, csr.successors(node)));
    }
    bottom
}

/// For each node the earliest time at which it can start, with as many workers as it likes.
pub fn earliest_starts(csr: &Csr, waves: &Waves, durations: &[u64]) -> Vec<u64> {
    let mut starts = vec![0u64; durations.len()];
    for &node in waves.order() {
        let end = starts[node as usize].saturating_add(durations[node as usize]);
        for &next in csr.successors(node) {
            let start = &mut starts[next as usize];
            *start = end.max(*start);
        }
    }
    starts
}

/// A critical path, from the bottom levels. Among equals the node that is first in the order of waves, then the first
/// successor.
pub fn critical_path(csr: &Csr, waves: &Waves, bottom: &[u64]) -> CriticalPath {
    let length = bottom.iter().copied().max().unwrap_or(0);
    let mut nodes = Vec::new();
    let mut at = waves.order().iter().copied().find(|&node| bottom[node as usize] == length);
    while let Some(node) = at {
        nodes.push(node);
        let below = csr.successors(node).iter().map(|&next| bottom[next as usize]).max();
        at = csr.successors(node).iter().copied().find(|&next| Some(bottom[next as usize]) == below);
    }
    CriticalPath { nodes, length }
}

/// For each node how much later it may end without anything else ending later; zero on critical paths.
pub fn slack(csr: &Csr, waves: &Waves, durations: &[u64]) -> Vec<u64> {
    let bottom = bottom_levels(csr, waves, durations);
    let length = bottom.iter().copied().max().unwrap_or(0);
    let mut slack = earliest_starts(csr, waves, durations);
    for (slack, bottom) in slack.iter_mut().zip(bottom) {
        *slack = length.saturating_sub(slack.saturating_add(bottom));
    }
    slack
}

/// How much can happen at the same time; `length` is that of the critical path.
pub fn parallelism(waves: &Waves, durations: &[u64], length: u64) -> Parallelism {
    let average =
        if length == 0 { f64::from(waves.widest()) } else { work(durations) as f64 / length as f64 };
    Parallelism { widest: waves.widest(), average }
}

/// No schedule on so many workers is shorter. In each stage, neither the longest way through it nor its work, shared
/// out evenly, can be undercut; a node that everything else comes before or after is a stage of its own.
///
/// # Panics
/// If there are no workers.
pub fn makespan_bound(csr: &Csr, waves: &Waves, durations: &[u64], workers: u32) -> u64 {
    let starts = earliest_starts(csr, waves, durations);
    let order = waves.order();
    let end = order.iter().map(|&node| starts[node as usize].saturating_add(durations[node as usize])).max();
    let gates = gates(csr, order);
    let mut begins: Vec<usize> =
        gates.into_iter().flat_map(|gate| [gate, gate + 1]).chain([0, order.len()]).collect();
    begins.sort_unstable();
    let stage = |ends: &[usize]| {
        let time =
            |position: usize| order.get(position).map_or(end.unwrap_or(0), |&node| starts[node as usize]);
        let work = order[ends[0]..ends[1]].iter().map(|&node| durations[node as usize]);
        let work = work.fold(0, u64::saturating_add);
        work.div_ceil(u64::from(workers)).max(time(ends[1]) - time(ends[0]))
    };
    begins.windows(2).map(stage).fold(0, u64::saturating_add)
}

/// The positions in the order of the nodes that are before or after every other node: no edge passes them by, nothing
/// ends before them, and nothing begins after them.
fn gates(csr: &Csr, order: &[u32]) -> Vec<usize> {
    let mut position = vec![0; order.len()];
    for (at, &node) in order.iter().enumerate() {
        position[node as usize] = at;
    }
    let missing = csr.in_degrees();
    let last_source = order.iter().rposition(|&node| missing[node as usize] == 0).unwrap_or(0);
    let mut farthest = 0;
    let mut gates = Vec::new();
    for (at, &node) in order.iter().enumerate() {
        if at >= last_source && farthest <= at {
            gates.push(at);
        }
        match csr.successors(node).iter().map(|&next| position[next as usize]).max() {
            Some(next) => farthest = farthest.max(next),
            None => break,
        }
    }
    gates
}

/// All durations together.
pub fn work(durations: &[u64]) -> u64 {
    durations.iter().fold(0, |sum, &duration| sum.saturating_add(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0 → 1 → 3` takes 1 + 5 + 2, `0 → 2 → 3` takes 1 + 1 + 2, and 4 stands alone.
    fn diamond() -> (Csr, Waves, [u64; 5]) {
        let csr = Csr::build(5, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let waves = Waves::of(&csr).unwrap();
        (csr, waves, [1, 5, 1, 2, 3])
    }

    #[test]
    fn the_longer_arm_of_a_diamond_is_critical() {
        let (csr, waves, durations) = diamond();
        let bottom = bottom_levels(&csr, &waves, &durations);
        assert_eq!(bottom, [8, 7, 3, 2, 3]);
        assert_eq!(critical_path(&csr, &waves, &bottom), CriticalPath { nodes: vec![0, 1, 3], length: 8 });
        assert_eq!(earliest_starts(&csr, &waves, &durations), [0, 1, 1, 6, 0]);
        assert_eq!(slack(&csr, &waves, &durations), [0, 0, 4, 0, 5]);
    }

    #[test]
    fn work_and_critical_path_bound_every_schedule() {
        let (csr, waves, durations) = diamond();
        assert_eq!(parallelism(&waves, &durations, 8), Parallelism { widest: 2, average: 1.5 });
        assert_eq!(makespan_bound(&csr, &waves, &durations, 1), 12);
        assert_eq!(makespan_bound(&csr, &waves, &durations, 4), 8);
    }

    /// Work alone would say 7 on two workers, the critical path 7; but one worker idles at both ends.
    #[test]
    fn what_everything_waits_for_is_a_stage_of_its_own() {
        let csr = Csr::build(6, &[(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (2, 5), (3, 5), (4, 5)]);
        let waves = Waves::of(&csr).unwrap();
        let durations = [2, 3, 3, 2, 2, 2];
        assert_eq!(gates(&csr, waves.order()), [0, 5]);
        assert_eq!(makespan_bound(&csr, &waves, &durations, 2), 2 + 5 + 2);
        assert_eq!(makespan_bound(&Csr::default(), &Waves::of(&Csr::default()).unwrap(), &[], 2), 0);
    }

    #[test]
    fn durations_too_long_to_add_saturate() {
        let csr = Csr::build(2, &[(0, 1)]);
        let waves = Waves::of(&csr).unwrap();
        assert_eq!(bottom_levels(&csr, &waves, &[u64::MAX, 5]), [u64::MAX, 5]);
        assert_eq!(makespan_bound(&csr, &waves, &[u64::MAX, 5], 1), u64::MAX);
    }

    #[test]
    fn a_graph_that_takes_no_time_has_its_width_as_parallelism() {
        let (csr, waves, _) = diamond();
        let path = critical_path(&csr, &waves, &bottom_levels(&csr, &waves, &[0; 5]));
        assert_eq!((path.nodes, path.length), (vec![0, 1, 3], 0));
        assert_eq!(parallelism(&waves, &[0; 5], 0).average, 2.0);
    }
}
