//! Who has surely ended before whom begins.

use partitur_graph::{Csr, Waves};

use super::outline::Outline;

/// So many questions are answered in one pass over the graph.
const CHUNK: usize = 64;

/// The flat graph of a file, without cycles.
pub(super) struct Order {
    pub successors: Csr,
    pub waves: Waves,
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
        let at = |node: u32| self.position[node as usize];
        let mut answers = vec![false; questions.len()];
        let mut open: Vec<usize> = (0..questions.len())
            .filter(|&number| {
                let (before, after) = questions[number];
                answers[number] = before == after;
                at(before) < at(after)
            })
            .collect();
        open.sort_by_key(|&number| at(questions[number].0));
        let mut seen = vec![0_u64; self.position.len()];
        let mut rest = &open[..];
        while let Some(&first) = rest.first() {
            let mut sources: Vec<u32> = Vec::new();
            let mut count = 0;
            for &number in rest {
                let source = questions[number].0;
                if sources.last() != Some(&source) {
                    if sources.len() == CHUNK {
                        break;
                    }
                    sources.push(source);
                }
                count += 1;
            }
            let (chunk, later) = rest.split_at(count);
            rest = later;
            let last = chunk.iter().map(|&number| at(questions[number].1)).max().unwrap_or(0);
            self.push_along(&sources, at(questions[first].0) as usize..last as usize, &mut seen);
            for &number in chunk {
                let (before, after) = questions[number];
                let bit = sources.iter().position(|&source| source == before).unwrap_or(0);
                answers[number] = seen[after as usize] >> bit & 1 == 1;
            }
        }
        answers
    }

    fn push_along(&self, sources: &[u32], range: std::ops::Range<usize>, seen: &mut [u64]) {
        seen.fill(0);
        for (bit, &source) in sources.iter().enumerate() {
            seen[source as usize] |= 1 << bit;
        }
        for &node in &self.waves.order()[range] {
            let own = seen[node as usize];
            if own != 0 {
                for &next in self.successors.successors(node) {
                    seen[next as usize] |= own;
                }
            }
        }
    }
}
