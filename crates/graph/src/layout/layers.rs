//! The graph with a point on every rank that an edge passes: after this, edges join neighbouring ranks only.
//!
//! All long edges of a node share one chain of points until they part, so that what one task gives to many is one line
//! with branches, and a graph with far edges has at most as many points as nodes times ranks.

use crate::Csr;

/// So many points are worth their time, beside four for each node. If there were more, the longest edges get none and
/// are drawn in one sweep.
const POINTS_MAX: u64 = 12_000;

/// Ranks in an order. Vertices are nodes first, then points.
pub struct Layers {
    /// The vertices of each rank, in order.
    pub rows: Vec<Vec<u32>>,
    /// The rank of each vertex.
    pub rank: Vec<u32>,
    /// Where in its row each vertex stands.
    pub position: Vec<u32>,
    /// From each vertex to those of the next rank.
    pub down: Csr,
    /// From each vertex to those of the rank before.
    pub up: Csr,
    nodes: u32,
    /// For each node the first point of its chain, if it has one.
    chain: Vec<u32>,
    /// Edges over more ranks than this have no points.
    span_max: u32,
}

impl Layers {
    /// The nodes on their ranks, with points between, in the order of a walk from the first nodes: what hangs together
    /// begins beside each other.
    pub fn of(csr: &Csr, mut rank: Vec<u32>) -> Layers {
        let nodes = csr.nodes();
        let span_max = span_max(csr, &rank);
        let span = |from: u32, to: u32, rank: &[u32]| rank[to as usize] - rank[from as usize];
        let mut chain = vec![u32::MAX; nodes as usize];
        let mut segments = Vec::with_capacity(csr.edges() as usize);
        for from in 0..nodes {
            let first = rank.len() as u32;
            let mut points = 0;
            for &to in csr.successors(from) {
                let span = span(from, to, &rank);
                if span > span_max {
                    continue;
                }
                while points + 1 < span {
                    let before = if points == 0 { from } else { first + points - 1 };
                    segments.push((before, first + points));
                    points += 1;
                    rank.push(rank[from as usize] + points);
                }
                segments.push((if span == 1 { from } else { first + span - 2 }, to));
            }
            if points > 0 {
                chain[from as usize] = first;
            }
        }
        let down = Csr::build(rank.len() as u32, &segments);
        let up = down.reversed();
        let mut layers = Layers {
            rows: Vec::new(),
            position: vec![0; rank.len()],
            rank,
            down,
            up,
            nodes,
            chain,
            span_max,
        };
        layers.rows = layers.walked();
        layers.renumber();
        layers
    }

    /// How many vertices there are.
    pub fn len(&self) -> usize {
        self.rank.len()
    }

    /// Whether the vertex is a node of the graph, and no point of an edge.
    pub fn is_node(&self, vertex: u32) -> bool {
        vertex < self.nodes
    }

    /// The ranks of the nodes.
    pub fn ranks_of_nodes(&self) -> &[u32] {
        &self.rank[..self.nodes as usize]
    }

    /// The points that an edge passes on the ranks between, first to last; none if it is too long for that.
    pub fn points(&self, from: u32, to: u32) -> std::ops::Range<u32> {
        let span = self.rank[to as usize] - self.rank[from as usize];
        let first = self.chain[from as usize];
        if span > self.span_max || span == 1 { 0..0 } else { first..first + span - 1 }
    }

    /// Puts the vertices of a row where the row says.
    pub fn renumber_row(&mut self, row: usize) {
        for (position, &vertex) in (0..).zip(&self.rows[row]) {
            self.position[vertex as usize] = position;
        }
    }

    /// Puts all vertices where their rows say.
    pub fn renumber(&mut self) {
        (0..self.rows.len()).for_each(|row| self.renumber_row(row));
    }

    /// Rows in the order of a walk in depth, from the first rank on.
    fn walked(&self) -> Vec<Vec<u32>> {
        let ranks = self.rank.iter().max().map_or(0, |&last| last as usize + 1);
        let mut rows = vec![Vec::new(); ranks];
        let mut seen = vec![false; self.len()];
        let mut starts: Vec<u32> = (0..self.nodes).filter(|&node| self.up.out_degree(node) == 0).collect();
        starts.sort_by_key(|&node| self.rank[node as usize]);
        let mut open = Vec::new();
        for start in starts {
            open.push(start);
            while let Some(vertex) = open.pop() {
                if !std::mem::replace(&mut seen[vertex as usize], true) {
                    rows[self.rank[vertex as usize] as usize].push(vertex);
                    open.extend(self.down.successors(vertex).iter().rev());
                }
            }
        }
        rows
    }
}

/// The longest edges that can all have points without there being too many.
fn span_max(csr: &Csr, rank: &[u32]) -> u32 {
    let allowed = POINTS_MAX.max(u64::from(csr.nodes()) * 4);
    let mut span_max = rank.iter().max().map_or(1, |&last| last.max(1));
    while points(csr, rank, span_max) > allowed && span_max > 1 {
        span_max = (span_max * 3 / 4).max(1);
    }
    span_max
}

/// How many points there are if edges over more ranks than this have none.
fn points(csr: &Csr, rank: &[u32], span_max: u32) -> u64 {
    let longest = |(from, row): (usize, &[u32])| {
        let spans = row.iter().map(|&to| rank[to as usize] - rank[from]);
        spans.filter(|&span| span <= span_max).max().map_or(0, |span| u64::from(span - 1))
    };
    csr.rows().enumerate().map(longest).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_edges_of_a_node_share_their_points_until_they_part() {
        // 0 to 1 2 3 in a row, and from 0 to 2 and 3 at once.
        let csr = Csr::build(4, &[(0, 1), (1, 2), (2, 3), (0, 2), (0, 3)]);
        let layers = Layers::of(&csr, vec![0, 1, 2, 3]);
        assert_eq!(layers.len(), 6);
        assert_eq!((layers.points(0, 1), layers.points(0, 2), layers.points(0, 3)), (0..0, 4..5, 4..6));
        assert_eq!(layers.down.successors(4), [2, 5]);
        assert_eq!(layers.rank[4..], [1, 2]);
    }
}
