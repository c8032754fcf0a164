//! A graph as two flat arrays (compressed sparse rows): 4 bytes a node, 4 bytes an edge.

/// A directed graph over the nodes `0..nodes`. Parallel edges and self-loops are kept as they come.
///
/// The successors of each node stand in the order in which their edges were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csr {
    /// The successors of `n` are `targets[offsets[n]..offsets[n + 1]]`; one entry more than there are nodes.
    offsets: Vec<u32>,
    targets: Vec<u32>,
    /// Position in the given slice of the edge at the same position of `targets`; empty if nobody asked.
    edge_ids: Vec<u32>,
}

impl Csr {
    /// The graph with the edges `(from, to)`, in O(nodes + edges).
    ///
    /// # Panics
    /// If an edge names a node that is not below `nodes`, or there are more than `u32::MAX` edges.
    pub fn build(nodes: u32, edges: &[(u32, u32)]) -> Csr {
        let offsets = offsets(nodes, edges);
        let mut next = offsets.clone();
        let mut targets = vec![0; edges.len()];
        for &(from, to) in edges {
            assert!(to < nodes, "the edge {from} -> {to} leaves the graph of {nodes} nodes");
            let slot = &mut next[from as usize];
            targets[*slot as usize] = to;
            *slot += 1;
        }
        Csr { offsets, targets, edge_ids: Vec::new() }
    }

    /// The same graph, which also remembers which edge is which, for [`Csr::out_edges`]: 4 bytes an edge more.
    ///
    /// # Panics
    /// As [`Csr::build`].
    pub fn build_with_edge_ids(nodes: u32, edges: &[(u32, u32)]) -> Csr {
        let mut csr = Csr::build(nodes, edges);
        let mut next = csr.offsets.clone();
        csr.edge_ids = vec![0; edges.len()];
        for (id, &(from, _)) in (0u32..).zip(edges) {
            let slot = &mut next[from as usize];
            csr.edge_ids[*slot as usize] = id;
            *slot += 1;
        }
        csr
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        // An empty default has no offsets at all.
        (self.offsets.len() as u32).saturating_sub(1)
    }

    /// How many edges there are.
    pub fn edges(&self) -> u32 {
        self.targets.len() as u32
    }

    /// The nodes that wait for `node`, in the order of the edges given; one entry for each parallel edge.
    pub fn successors(&self, node: u32) -> &[u32] {
        &self.targets[self.row(node)]
    }

    /// The successors of every node, in the order of the nodes.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[u32]> + ExactSizeIterator {
        self.offsets.windows(2).map(|ends| &self.targets[ends[0] as usize..ends[1] as usize])
    }

    /// How many edges leave `node`.
    pub fn out_degree(&self, node: u32) -> u32 {
        self.offsets[node as usize + 1] - self.offsets[node as usize]
    }

    /// The edges that leave `node`: position of the edge in the slice given, and the node that it leads to.
    ///
    /// # Panics
    /// If the graph has edges and was built without their ids.
    pub fn out_edges(&self, node: u32) -> impl ExactSizeIterator<Item = (u32, u32)> + '_ {
        assert_eq!(self.edge_ids.len(), self.targets.len(), "the graph was built without edge ids");
        let row = self.row(node);
        self.edge_ids[row.clone()].iter().copied().zip(self.targets[row].iter().copied())
    }

    /// How many edges lead to each node: the counters that reach zero when a node is ready.
    pub fn in_degrees(&self) -> Vec<u32> {
        let mut degrees = vec![0; self.nodes() as usize];
        for &to in &self.targets {
            degrees[to as usize] += 1;
        }
        degrees
    }

    /// All edges `(from, to)`, grouped by `from`.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..).zip(self.rows()).flat_map(|(from, row)| row.iter().map(move |&to| (from, to)))
    }

    /// Every edge turned round: the successors are the predecessors, in ascending order. Edge ids are kept.
    pub fn reversed(&self) -> Csr {
        let offsets = running_sums(self.in_degrees());
        let mut next = offsets.clone();
        let mut targets = vec![0; self.targets.len()];
        let mut edge_ids = vec![0; self.edge_ids.len()];
        for from in 0..self.nodes() {
            for at in self.row(from) {
                let slot = &mut next[self.targets[at] as usize];
                targets[*slot as usize] = from;
                if let Some(id) = self.edge_ids.get(at) {
                    edge_ids[*slot as usize] = *id;
                }
                *slot += 1;
            }
        }
        Csr { offsets, targets, edge_ids }
    }

    fn row(&self, node: u32) -> std::ops::Range<usize> {
        self.offsets[node as usize] as usize..self.offsets[node as usize + 1] as usize
    }
}

/// Where the row of each node begins, and at the end where the last one ends.
fn offsets(nodes: u32, edges: &[(u32, u32)]) -> Vec<u32> {
    assert!(u32::try_from(edges.len()).is_ok(), "a graph has at most u32::MAX edges");
    let mut degrees = vec![0; nodes as usize];
    for &(from, to) in edges {
        assert!(from < nodes, "the edge {from} -> {to} leaves the graph of {nodes} nodes");
        degrees[from as usize] += 1;
    }
    running_sums(degrees)
}

/// `[2, 0, 3]` becomes `[0, 2, 2, 5]`.
pub(crate) fn running_sums(mut degrees: Vec<u32>) -> Vec<u32> {
    let mut sum = 0;
    for degree in &mut degrees {
        let begin = sum;
        sum += *degree;
        *degree = begin;
    }
    degrees.push(sum);
    degrees
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [(u32, u32); 5] = [(2, 0), (0, 1), (2, 1), (0, 3), (2, 0)];

    #[test]
    fn successors_stand_in_the_order_of_the_edges_given() {
        let csr = Csr::build(5, &EDGES);
        assert_eq!((csr.nodes(), csr.edges()), (5, 5));
        assert_eq!(csr.successors(0), [1, 3]);
        assert_eq!(csr.successors(2), [0, 1, 0]);
        assert_eq!(csr.successors(4), []);
        assert_eq!(csr.out_degree(2), 3);
        assert_eq!(csr.in_degrees(), [2, 2, 0, 1, 0]);
    }

    #[test]
    fn edge_ids_are_positions_in_the_slice_given() {
        let csr = Csr::build_with_edge_ids(5, &EDGES);
        assert_eq!(csr.out_edges(2).collect::<Vec<_>>(), [(0, 0), (2, 1), (4, 0)]);
        for (from, id, to) in (0..5).flat_map(|n| csr.out_edges(n).map(move |(id, to)| (n, id, to))) {
            assert_eq!(EDGES[id as usize], (from, to));
        }
    }

    #[test]
    fn reversing_turns_every_edge_and_keeps_its_id() {
        let csr = Csr::build_with_edge_ids(5, &EDGES).reversed();
        assert_eq!(csr.successors(0), [2, 2]);
        assert_eq!(csr.successors(1), [0, 2]);
        assert_eq!(csr.out_edges(1).collect::<Vec<_>>(), [(1, 0), (2, 2)]);
        assert_eq!(csr.reversed().pairs_in_order(), EDGES);
    }

    #[test]
    fn a_graph_without_nodes_is_a_graph() {
        assert_eq!(Csr::default().nodes(), 0);
        assert_eq!(Csr::build(0, &[]).in_degrees(), []);
        assert_eq!(Csr::build(0, &[]).reversed().edges(), 0);
    }

    #[test]
    #[should_panic(expected = "leaves the graph of 2 nodes")]
    fn an_edge_to_nowhere_is_refused() {
        Csr::build(2, &[(0, 2)]);
    }

    #[test]
    #[should_panic(expected = "built without edge ids")]
    fn edge_ids_that_nobody_asked_for_are_not_made_up() {
        let csr = Csr::build(5, &EDGES);
        let _ = csr.out_edges(0);
    }

    impl Csr {
        fn pairs_in_order(&self) -> Vec<(u32, u32)> {
            let mut edges: Vec<_> = (0..self.nodes())
                .flat_map(|from| self.out_edges(from).map(move |(id, to)| (id, from, to)))
                .collect();
            edges.sort_unstable();
            edges.into_iter().map(|(_, from, to)| (from, to)).collect()
        }
    }
}
