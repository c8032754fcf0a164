//! Graphs to test and to measure with: families that differ in shape, the same for the same seed.

use crate::Csr;
use crate::dice::Dice;

/// A graph and how long each of its nodes takes.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Who waits for whom.
    pub csr: Csr,
    /// Log-normal, in thousandths of a typical duration; at least 1.
    pub durations: Vec<u64>,
}

/// Shapes that runs of tasks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Layers of 50; each node waits for two of the layer before.
    Layered,
    /// Each node waits for up to three earlier ones, wherever they are.
    Random,
    /// Many sources, libraries of them, and a few programs that link libraries: wide below, narrow at the end.
    BuildLike,
    /// Stages of 40 to 160 parallel nodes between single nodes.
    ForkJoin,
    /// Chains of 1 to 29 nodes beside each other.
    Chains,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 5] =
        [Family::Layered, Family::Random, Family::BuildLike, Family::ForkJoin, Family::Chains];

    /// A graph of this family with so many nodes.
    pub fn sample(self, nodes: u32, seed: u64) -> Sample {
        let mut dice = Dice::new(seed);
        let edges = match self {
            Family::Layered => layered(nodes, 50, &mut dice),
            Family::Random => random(nodes, &mut dice),
            Family::BuildLike => build_like(nodes, &mut dice),
            Family::ForkJoin => fork_join(nodes, &mut dice),
            Family::Chains => chains(nodes, &mut dice),
        };
        let durations = (0..nodes).map(|_| dice.log_normal()).collect();
        Sample { csr: Csr::build(nodes, &edges), durations }
    }
}

/// The edges of layers of equal width, two into each node after the first layer, in document order.
pub fn layered(nodes: u32, width: u32, dice: &mut Dice) -> Vec<(u32, u32)> {
    let two = |node: u32, dice: &mut Dice| {
        let layer = (node / width - 1) * width;
        [(layer + dice.below(width), node), (layer + dice.below(width), node)]
    };
    (width..nodes).flat_map(|node| two(node, dice)).collect()
}

fn random(nodes: u32, dice: &mut Dice) -> Vec<(u32, u32)> {
    let mut edges = Vec::new();
    for node in 1..nodes {
        for _ in 0..dice.below(4) {
            edges.push((dice.below(node), node));
        }
    }
    edges
}

fn build_like(nodes: u32, dice: &mut Dice) -> Vec<(u32, u32)> {
    let (sources, libraries) = (nodes * 17 / 20, nodes * 19 / 20);
    let mut edges = Vec::new();
    for source in 0..sources {
        // A header that must be generated first.
        if dice.below(10) == 0 && source > 0 {
            edges.push((dice.below(source), source));
        }
        if libraries > sources {
            edges.push((source, sources + dice.below(libraries - sources)));
        }
    }
    for later in sources..nodes {
        let before = later.min(libraries) - sources;
        for _ in 0..if before > 0 { dice.below(4) } else { 0 } {
            edges.push((sources + dice.below(before), later));
        }
    }
    edges
}

fn fork_join(nodes: u32, dice: &mut Dice) -> Vec<(u32, u32)> {
    let mut edges = Vec::new();
    let mut fork = 0;
    while fork + 1 < nodes {
        let join = (fork + 41 + dice.below(121)).min(nodes - 1);
        edges.push((fork, join));
        edges.extend((fork + 1..join).flat_map(|branch| [(fork, branch), (branch, join)]));
        fork = join;
    }
    edges
}

fn chains(nodes: u32, dice: &mut Dice) -> Vec<(u32, u32)> {
    let mut edges = Vec::new();
    let mut first = 0;
    while first < nodes {
        let end = (first + 1 + dice.below(29)).min(nodes);
        edges.extend((first + 1..end).map(|node| (node - 1, node)));
        first = end;
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Waves;

    #[test]
    fn every_family_has_an_order_at_every_size() {
        for family in Family::ALL {
            for nodes in [0, 1, 2, 3, 7, 20, 51, 500] {
                let sample = family.sample(nodes, 3);
                assert_eq!(Waves::of(&sample.csr).unwrap().order().len(), nodes as usize, "{family:?}");
                assert_eq!(sample.durations.len(), nodes as usize);
            }
        }
    }

    #[test]
    fn the_seed_is_the_whole_sample() {
        let (one, same, other) = (1, 1, 2);
        let edges = |seed| Family::Random.sample(200, seed).csr;
        assert_eq!(edges(one), edges(same));
        assert_ne!(edges(one), edges(other));
    }
}
