//! Who has surely ended before whom begins.

use partitur_graph::{Csr, Waves};

use super::outline::Outline;

/// So many questions are answered in one pass over the graph.
const CHUNK: usize = 64;

/// The flat graph of a file, without cycles.
pub(super) struct Order {
    successors: Csr,
    waves: Waves,
    predecessors: Csr,
    /// Where each node stands in the topological order.
    position: Vec<u32>,
}

/// Whether the first node is before the second.
pub(super) type Question = (u32, u32);

impl Order {
    /// `None` if there are cycles.
    pub fn of(outline: &Outline<'_>) -> Option<Order> {
        let successors = Csr::build(outline.nodes, &outline.flat_edges());
        let waves = Waves::of(&successors).ok()?;
        let mut position = vec![0; outline.nodes as usize];
        for (at, &node) in (0..).zip(waves.order()) {
            position[node as usize] = at;
        }
        Some(Order { predecessors: successors.reversed(), successors, waves, position })
    }

    /// Whether an edge leads from the first node to the second, or both are the same.
    pub fn is_next(&self, (before, after): Question) -> bool {
        before == after || self.predecessors.successors(after).binary_search(&before).is_ok()
    }

    /// Whether ways lead from the first to the second, question by question.
    ///
    /// The nodes asked for are bits that are pushed along the edges, from the first of them in the order to the last
    /// node that somebody asks about.
    pub fn are_before(&self, questions: &[Question]) -> Vec<bool> {
        let mut answers: Vec<bool> = questions.iter().map(|(before, after)| before == after).collect();
        // By position, with the number of the question.
        let mut open: Vec<(u32, u32, usize)> = questions
            .iter()
            .enumerate()
            .map(|(number, &(before, after))| (self.at(before), self.at(after), number))
            .filter(|(before, after, _)| before < after)
            .collect();
        open.sort_unstable();
        let mut seen = vec![0_u64; self.position.len()];
        let mut sources = open.chunk_by(|a, b| a.0 == b.0).peekable();
        while sources.peek().is_some() {
            let chunk: Vec<_> = sources.by_ref().take(CHUNK).collect();
            let last =
                chunk.iter().flat_map(|group| group.last()).map(|question| question.1).max().unwrap_or(0);
            let range = chunk[0][0].0 as usize..last as usize + 1;
            seen[range.clone()].fill(0);
            for (bit, group) in chunk.iter().enumerate() {
                seen[group[0].0 as usize] |= 1 << bit;
            }
            self.push_along(range, &mut seen);
            for (bit, group) in chunk.iter().enumerate() {
                for &(_, after, number) in *group {
                    answers[number] = seen[after as usize] >> bit & 1 == 1;
                }
            }
        }
        answers
    }

    fn at(&self, node: u32) -> u32 {
        self.position[node as usize]
    }

    /// Gives each node of a part of the order the bits of those before it.
    fn push_along(&self, range: std::ops::Range<usize>, seen: &mut [u64]) {
        for at in range.clone() {
            let own = seen[at];
            if own == 0 {
                continue;
            }
            for &next in self.successors.successors(self.waves.order()[at]) {
                let next = self.at(next) as usize;
                if next < range.end {
                    seen[next] |= own;
                }
            }
        }
    }
}
