//! What can run at the same time: the wave of a node is the number of edges on the longest way to it.

use std::hint::black_box;

use crate::Csr;

/// The graph has a cycle, so that no order respects all of its edges. [`crate::cycles`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the graph has a cycle")]
pub struct Cyclic;

/// All nodes in a topological order: wave by wave, and inside a wave as they are numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    order: Vec<u32>,
    /// Every node has a higher number than all that it waits for.
    ascending: bool,
    /// Wave `i` is `order[starts[i]..starts[i + 1]]`; one entry more than there are waves.
    starts: Vec<u32>,
}

impl Waves {
    /// The waves of a graph, in O(nodes + edges). This is also the cheapest check for cycles.
    ///
    /// # Errors
    /// If there is a cycle.
    pub fn of(csr: &Csr) -> Result<Waves, Cyclic> {
        match levels_in_document_order(csr) {
            Some(levels) => Ok(Waves::from_levels(&levels, true)),
            None => levels_by_arrival(csr).map(|levels| Waves::from_levels(&levels, false)),
        }
    }

    fn from_levels(levels: &[u32], ascending: bool) -> Waves {
        let count = levels.iter().max().map_or(0, |&last| last as usize + 1);
        let mut next = vec![0; count];
        for &level in levels {
            next[level as usize] += 1;
        }
        let starts = crate::csr::running_sums(next);
        let mut next = starts.clone();
        let mut order = vec![0; levels.len()];
        for (node, &level) in (0..).zip(levels) {
            order[next[level as usize] as usize] = node;
            next[level as usize] += 1;
        }
        Waves { order, ascending, starts }
    }

    /// How many waves there are.
    pub fn count(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// The waves, first to last, each in ascending order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> + '_ {
        self.starts.windows(2).map(|ends| &self.order[ends[0] as usize..ends[1] as usize])
    }

    /// Every node after all that it waits for.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Whether the numbers of the nodes are an order too, as in most documents; going through the nodes in that order
    /// is going through memory.
    pub(crate) fn are_ascending(&self) -> bool {
        self.ascending
    }

    /// How many nodes the fullest wave has: no more than these ever help, if all take equally long.
    pub fn widest(&self) -> u32 {
        self.starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }
}

/// Every node after all that it waits for, those that wait for the fewest steps first.
///
/// # Errors
/// If there is a cycle.
pub fn topological_order(csr: &Csr) -> Result<Vec<u32>, Cyclic> {
    Waves::of(csr).map(|waves| waves.order)
}

/// The wave of each node.
///
/// # Errors
/// If there is a cycle.
pub fn levels(csr: &Csr) -> Result<Vec<u32>, Cyclic> {
    match levels_in_document_order(csr) {
        Some(levels) => Ok(levels),
        None => levels_by_arrival(csr),
    }
}

/// Most documents name a task after all that it needs. Then one walk in the order of memory does, at a fifth of the
/// time of counting arrivals.
fn levels_in_document_order(csr: &Csr) -> Option<Vec<u32>> {
    let mut levels = vec![0; csr.nodes() as usize];
    for (node, row) in csr.rows().enumerate() {
        let below = levels[node] + 1;
        for &next in row {
            let next = next as usize;
            if next <= node {
                return None;
            }
            levels[next] = below.max(levels[next]);
        }
    }
    Some(levels)
}

/// A node on its way to being taken.
#[derive(Clone, Copy, Default)]
struct Arrivals {
    missing: u32,
    level: u32,
}

/// So many nodes are taken together.
const BATCH: usize = 16;

/// Kahn's way: a node follows when the last of its predecessors has been taken. That one has the highest level of
/// them, because nodes are taken level by level.
fn levels_by_arrival(csr: &Csr) -> Result<Vec<u32>, Cyclic> {
    let mut nodes: Vec<Arrivals> =
        csr.in_degrees().into_iter().map(|missing| Arrivals { missing, level: 0 }).collect();
    let mut taken: Vec<u32> = Vec::with_capacity(nodes.len());
    taken.extend((0..csr.nodes()).filter(|&node| nodes[node as usize].missing == 0));
    let mut at = 0;
    while at < taken.len() {
        let end = taken.len().min(at + BATCH);
        fetch(csr, &nodes, &taken[at..end]);
        for index in at..end {
            let node = taken[index];
            let level = nodes[node as usize].level + 1;
            for &next in csr.successors(node) {
                let state = &mut nodes[next as usize];
                state.missing -= 1;
                if state.missing == 0 {
                    state.level = level;
                    taken.push(next);
                }
            }
        }
        at = end;
    }
    let levels = || nodes.iter().map(|node| node.level).collect();
    if taken.len() == nodes.len() { Ok(levels()) } else { Err(Cyclic) }
}

/// Reads what taking these nodes will touch. No read depends on the one before, so that the waits for memory overlap:
/// in a graph in no order, every edge leads somewhere else.
fn fetch(csr: &Csr, nodes: &[Arrivals], batch: &[u32]) {
    let mut rows = [&[][..]; BATCH];
    for (row, &node) in rows.iter_mut().zip(batch) {
        *row = csr.successors(node);
    }
    let firsts = rows.iter().filter_map(|row| row.first());
    black_box(firsts.fold(0, |sum, &next| sum ^ nodes[next as usize].missing));
    let others = rows.iter().flat_map(|row| row.iter().skip(1).take(BATCH));
    black_box(others.fold(0, |sum, &next| sum ^ nodes[next as usize].missing));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_holds_what_needs_equally_many_steps() {
        let csr = Csr::build(6, &[(4, 1), (1, 0), (4, 0), (2, 3)]);
        let waves = Waves::of(&csr).unwrap();
        assert_eq!(waves.iter().collect::<Vec<_>>(), [&[2, 4, 5][..], &[1, 3], &[0]]);
        assert_eq!((waves.count(), waves.widest()), (3, 3));
        assert_eq!(topological_order(&csr).unwrap(), [2, 4, 5, 1, 3, 0]);
    }

    #[test]
    fn a_cycle_has_no_waves() {
        assert_eq!(Waves::of(&Csr::build(3, &[(0, 1), (1, 2), (2, 1)])), Err(Cyclic));
        assert_eq!(Waves::of(&Csr::build(1, &[(0, 0)])), Err(Cyclic));
    }

    #[test]
    fn nothing_has_no_wave() {
        let waves = Waves::of(&Csr::build(0, &[])).unwrap();
        assert_eq!((waves.count(), waves.widest(), waves.order()), (0, 0, &[][..]));
    }
}
