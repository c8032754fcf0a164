//! What hangs together: everything before some nodes, everything after them, and the parts without any edge between.

use crate::Csr;

/// The targets and everything that they wait for, in ascending order: what has to run so that they can.
///
/// # Panics
/// If a target is not a node.
pub fn needed_by(csr: &Csr, targets: &[u32]) -> Vec<u32> {
    reachable_from(&csr.reversed(), targets)
}

/// The starts and everything that waits for them, in ascending order. Cycles do no harm.
///
/// # Panics
/// If a start is not a node.
pub fn reachable_from(csr: &Csr, starts: &[u32]) -> Vec<u32> {
    let mut found = vec![false; csr.nodes() as usize];
    let mut open = starts.to_vec();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut found[node as usize], true) {
            open.extend(csr.successors(node));
        }
    }
    (0..csr.nodes()).filter(|&node| found[node as usize]).collect()
}

/// For each node the number of its group; no edge leads from one group to another. Groups count from zero, in the
/// order of their first nodes.
pub fn independent_groups(csr: &Csr) -> Vec<u32> {
    // Every parent is a smaller node, so the root of a group is its first node.
    let mut parent: Vec<u32> = (0..csr.nodes()).collect();
    for (from, to) in csr.pairs() {
        let (a, b) = (root(&mut parent, from), root(&mut parent, to));
        parent[a.max(b) as usize] = a.min(b);
    }
    let mut groups = vec![0; parent.len()];
    let mut count = 0;
    for node in 0..csr.nodes() {
        let first = root(&mut parent, node);
        if first == node {
            groups[node as usize] = count;
            count += 1;
        } else {
            groups[node as usize] = groups[first as usize];
        }
    }
    groups
}

fn root(parent: &mut [u32], mut node: u32) -> u32 {
    while parent[node as usize] != node {
        // Halving the path on the way keeps later walks short.
        parent[node as usize] = parent[parent[node as usize] as usize];
        node = parent[node as usize];
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_needs_its_ancestors_and_nothing_else() {
        let csr = Csr::build(6, &[(0, 2), (1, 2), (2, 3), (2, 4)]);
        assert_eq!(needed_by(&csr, &[3]), [0, 1, 2, 3]);
        assert_eq!(needed_by(&csr, &[5, 0]), [0, 5]);
        assert_eq!(needed_by(&csr, &[]), []);
        assert_eq!(reachable_from(&csr, &[1]), [1, 2, 3, 4]);
    }

    #[test]
    fn groups_are_numbered_by_their_first_nodes() {
        let csr = Csr::build(6, &[(5, 1), (3, 2), (1, 4)]);
        assert_eq!(independent_groups(&csr), [0, 1, 2, 2, 1, 1]);
    }
}
