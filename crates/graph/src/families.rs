//! Graphs to test and to measure with: families that differ in shape, the same for the same seed.

use crate::Csr;

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

/// Numbers that look random and follow from the seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u32
    }

    /// The numbers `0..count` in random order.
    pub fn shuffled(&mut self, count: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..count).collect();
        for end in (1..count).rev() {
            numbers.swap(end as usize, self.below(end + 1) as usize);
        }
        numbers
    }

    /// A duration with median 1,000: a tenth takes over three times as long, one in a hundred over eight times.
    fn log_normal(&mut self) -> u64 {
        // Twelve uniform numbers together are as normal as is needed here.
        let sum: f64 = (0..12).map(|_| self.bits() as f64 / u64::MAX as f64).sum();
        ((1000.0 * (0.9 * (sum - 6.0)).exp()) as u64).max(1)
    }
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
