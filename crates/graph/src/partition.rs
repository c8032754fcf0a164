//! A graph split among machines: which of them does what, what they have to send each other, and what is lost against
//! all of them working on one queue.

use std::collections::BTreeSet;

use crate::{Csr, Cyclic, Hold, Limits, Waves, bottom_levels, timetable};

/// How a graph is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Wave by wave, so that the machines have equally much to do in each: they wait for each other often.
    Levels,
    /// Chain by chain, the longest first: what follows each other stays together.
    Chains,
}

/// A split graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which machine does each node.
    pub machine: Vec<u32>,
    /// How long each machine works in all.
    pub loads: Vec<u64>,
    /// Edges from one machine to another.
    pub crossing: u32,
    /// Results that have to be sent: each once to each machine that needs it.
    pub transfers: u32,
    /// How long everything takes.
    pub makespan: u64,
}

/// Splits a graph among machines with so many slots each. Sending takes no time here; [`Partition::transfers`] says how
/// much there is to send.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// If there are no machines or no slots, or not exactly one duration for each node.
pub fn partition(
    csr: &Csr,
    durations: &[u64],
    machines: u32,
    slots: u32,
    cut: Cut,
) -> Result<Partition, Cyclic> {
    assert!(machines > 0, "somebody has to do the work");
    let waves = Waves::of(csr)?;
    let machine = match cut {
        Cut::Levels => by_levels(csr, &waves, durations, machines),
        Cut::Chains => by_chains(csr, &waves, durations, machines),
    };
    let mut loads = vec![0u64; machines as usize];
    for (&machine, &duration) in machine.iter().zip(durations) {
        loads[machine as usize] = loads[machine as usize].saturating_add(duration);
    }
    let across = |&(from, to): &(u32, u32)| machine[from as usize] != machine[to as usize];
    let crossing = csr.pairs().filter(across).count() as u32;
    let sent: BTreeSet<(u32, u32)> =
        csr.pairs().filter(across).map(|(from, to)| (from, machine[to as usize])).collect();
    let limits = Limits {
        capacities: vec![slots; machines as usize],
        holds: machine.iter().map(|&machine| vec![Hold { cell: machine, units: 1 }]).collect(),
    };
    let makespan = timetable(csr, durations, &limits)?.makespan;
    Ok(Partition { loads, crossing, transfers: sent.len() as u32, makespan, machine })
}

/// In each wave the longest first, to the machine that has least to do in it; among equals to the one that has most of
/// what the node needs.
fn by_levels(csr: &Csr, waves: &Waves, durations: &[u64], machines: u32) -> Vec<u32> {
    let before = csr.reversed();
    let mut machine = vec![0; durations.len()];
    for wave in waves.iter() {
        let mut loads = vec![0u64; machines as usize];
        let mut nodes = wave.to_vec();
        nodes.sort_by_key(|&node| std::cmp::Reverse(durations[node as usize]));
        for node in nodes {
            let near = |candidate: u32| {
                before.successors(node).iter().filter(|&&from| machine[from as usize] == candidate).count()
            };
            let best = (0..machines)
                .min_by_key(|&candidate| (loads[candidate as usize], std::cmp::Reverse(near(candidate))))
                .expect("there is a machine");
            machine[node as usize] = best;
            loads[best as usize] = loads[best as usize].saturating_add(durations[node as usize]);
        }
    }
    machine
}

/// The longest way through what is left goes to the machine that has least to do.
fn by_chains(csr: &Csr, waves: &Waves, durations: &[u64], machines: u32) -> Vec<u32> {
    let bottom = bottom_levels(csr, waves, durations);
    let mut heads = waves.order().to_vec();
    heads.sort_by_key(|&node| std::cmp::Reverse(bottom[node as usize]));
    let mut machine = vec![u32::MAX; durations.len()];
    let mut loads = vec![0u64; machines as usize];
    for head in heads {
        let mut at = (machine[head as usize] == u32::MAX).then_some(head);
        let to = (0..machines).min_by_key(|&to| loads[to as usize]).expect("there is a machine");
        while let Some(node) = at {
            machine[node as usize] = to;
            loads[to as usize] = loads[to as usize].saturating_add(durations[node as usize]);
            let left =
                csr.successors(node).iter().copied().filter(|&next| machine[next as usize] == u32::MAX);
            at = left.max_by_key(|&next| bottom[next as usize]);
        }
    }
    machine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Family;

    #[test]
    fn chains_stay_on_their_machine_and_nothing_is_sent() {
        let csr = Csr::build(6, &[(0, 1), (1, 2), (3, 4), (4, 5)]);
        let split = partition(&csr, &[1; 6], 2, 1, Cut::Chains).unwrap();
        assert_eq!(split.machine, [0, 0, 0, 1, 1, 1]);
        assert_eq!((split.crossing, split.transfers, split.makespan), (0, 0, 3));
        assert_eq!(split.loads, [3, 3]);
    }

    #[test]
    fn a_result_is_sent_once_to_each_machine_that_needs_it() {
        // One node, then four that need it.
        let csr = Csr::build(5, &[(0, 1), (0, 2), (0, 3), (0, 4)]);
        let split = partition(&csr, &[1; 5], 2, 1, Cut::Levels).unwrap();
        assert_eq!((split.crossing, split.transfers, split.makespan), (2, 1, 3));
    }

    #[test]
    fn no_split_is_faster_than_the_bound_and_one_machine_is_no_split() {
        for family in Family::ALL {
            let sample = family.sample(300, 3);
            let waves = Waves::of(&sample.csr).unwrap();
            let whole = timetable(&sample.csr, &sample.durations, &Limits::slots(300, 2)).unwrap().makespan;
            let bound = crate::makespan_bound(&sample.csr, &waves, &sample.durations, 8);
            for cut in [Cut::Levels, Cut::Chains] {
                let one = partition(&sample.csr, &sample.durations, 1, 2, cut).unwrap();
                assert_eq!((one.makespan, one.transfers), (whole, 0), "{family:?}");
                let four = partition(&sample.csr, &sample.durations, 4, 2, cut).unwrap();
                assert!(four.makespan >= bound, "{family:?}");
                assert!(four.transfers <= four.crossing && four.crossing <= sample.csr.edges());
                assert_eq!(four.loads.iter().sum::<u64>(), sample.durations.iter().sum::<u64>());
            }
        }
    }
}
