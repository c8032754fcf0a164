//! Which rank each node stands on: as early as it can, then pulled towards what it belongs to.

use crate::{Csr, Waves};

/// So often everything is pulled both ways; nearly all graphs are tight after two.
const PULLS_MAX: u32 = 8;

/// The rank of each node: later than all that it waits for, in as many ranks as the longest chain has nodes, and with
/// edges that together are no longer than if each node stood as early as it can.
pub fn ranks(csr: &Csr, waves: &Waves) -> Vec<u32> {
    let mut ranks = vec![0; csr.nodes() as usize];
    for (rank, wave) in (0..).zip(waves.iter()) {
        for &node in wave {
            ranks[node as usize] = rank;
        }
    }
    let before = csr.reversed();
    for _ in 0..PULLS_MAX {
        let later = pull_later(csr, &before, waves, &mut ranks);
        // What could move without a gain moves back: a task is shown where it could start.
        let earlier = pull_earlier(csr, &before, waves, &mut ranks);
        if later + earlier == 0 {
            break;
        }
    }
    ranks
}

/// Moves nodes towards their successors where that makes edges shorter, or at least not longer: a chain must be able to
/// follow its last node. Says by how much the edges became shorter.
fn pull_later(csr: &Csr, before: &Csr, waves: &Waves, ranks: &mut [u32]) -> u64 {
    let mut gain = 0;
    for &node in waves.order().iter().rev() {
        let (out, into) = (csr.out_degree(node), before.out_degree(node));
        let next = csr.successors(node).iter().map(|&next| ranks[next as usize]).min();
        if let Some(next) = next.filter(|_| out >= into) {
            let rank = &mut ranks[node as usize];
            gain += u64::from(next - 1 - *rank) * u64::from(out - into);
            *rank = next - 1;
        }
    }
    gain
}

/// The other way round.
fn pull_earlier(csr: &Csr, before: &Csr, waves: &Waves, ranks: &mut [u32]) -> u64 {
    let mut gain = 0;
    for &node in waves.order() {
        let (out, into) = (csr.out_degree(node), before.out_degree(node));
        let last = before.successors(node).iter().map(|&last| ranks[last as usize]).max();
        if let Some(last) = last.filter(|_| into >= out) {
            let rank = &mut ranks[node as usize];
            gain += u64::from(*rank - last - 1) * u64::from(into - out);
            *rank = last + 1;
        }
    }
    gain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks_of(nodes: u32, edges: &[(u32, u32)]) -> Vec<u32> {
        let csr = Csr::build(nodes, edges);
        ranks(&csr, &Waves::of(&csr).unwrap())
    }

    #[test]
    fn a_chain_beside_a_longer_one_stands_next_to_what_needs_it() {
        // 0 1 2 3 4 in a row; 5 and 6 are needed by 4 alone.
        let edges = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 4)];
        assert_eq!(ranks_of(7, &edges), [0, 1, 2, 3, 4, 2, 3]);
    }

    #[test]
    fn a_node_that_may_stand_anywhere_stands_where_it_could_start() {
        let edges = [(0, 1), (1, 2), (2, 3), (0, 4), (4, 3)];
        assert_eq!(ranks_of(5, &edges), [0, 1, 2, 3, 1]);
    }
}
