//! Dependencies that follow from others: the edges that a transitive reduction leaves out.

use partitur_graph::{Csr, Waves};

/// So many edges are walked in all; then the rest is not looked at.
const STEPS_MAX: u64 = 20_000_000;

/// The declared edges beside which a longer way leads, in the order given, and whether all were looked at.
pub(super) fn redundant(csr: &Csr, waves: &Waves, declared: &[(u32, u32)]) -> (Vec<(u32, u32)>, bool) {
    let mut walk = Walk::new(csr, waves);
    let mut beside: Vec<bool> = vec![false; declared.len()];
    let mut by_from: Vec<u32> = (0..declared.len() as u32).collect();
    by_from.sort_by_key(|&at| declared[at as usize].0);
    for group in by_from.chunk_by(|&a, &b| declared[a as usize].0 == declared[b as usize].0) {
        if walk.steps > STEPS_MAX {
            break;
        }
        walk.from(declared[group[0] as usize].0);
        for &at in group {
            beside[at as usize] = walk.is_reached(declared[at as usize].1);
        }
    }
    let complete = walk.steps <= STEPS_MAX;
    let mut found: Vec<(u32, u32)> =
        declared.iter().zip(beside).filter(|(_, beside)| *beside).map(|(&edge, _)| edge).collect();
    found.dedup();
    (found, complete)
}

/// Looks for what can be reached in two steps or more.
struct Walk<'a> {
    csr: &'a Csr,
    /// The place of each node in an order that respects all edges.
    place: Vec<u32>,
    /// In which round a node was reached.
    reached: Vec<u32>,
    round: u32,
    open: Vec<u32>,
    steps: u64,
}

impl<'a> Walk<'a> {
    fn new(csr: &'a Csr, waves: &Waves) -> Walk<'a> {
        let mut place = vec![0; csr.nodes() as usize];
        for (at, &node) in (0..).zip(waves.order()) {
            place[node as usize] = at;
        }
        let reached = vec![0; csr.nodes() as usize];
        Walk { csr, place, reached, round: 0, open: Vec::new(), steps: 0 }
    }

    /// Marks what lies behind the successors of `node`, no further than the last of them.
    fn from(&mut self, node: u32) {
        self.round += 1;
        let nexts = self.csr.successors(node);
        let last = nexts.iter().map(|&next| self.place[next as usize]).max().unwrap_or(0);
        self.open.clear();
        self.open.extend_from_slice(nexts);
        while let Some(at) = self.open.pop() {
            for &next in self.csr.successors(at) {
                self.steps += 1;
                if self.place[next as usize] <= last && self.reached[next as usize] != self.round {
                    self.reached[next as usize] = self.round;
                    self.open.push(next);
                }
            }
        }
    }

    fn is_reached(&self, node: u32) -> bool {
        self.reached[node as usize] == self.round
    }
}
