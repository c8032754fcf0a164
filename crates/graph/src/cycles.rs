//! What can never run, and why: the cycles of a graph, as short as they come.

use crate::Csr;

/// So many edges may be walked in the search for the shortest cycles. Beyond that, a component shows the shortest one
/// that has been found: still a cycle, but perhaps not the shortest of a component of thousands.
const SEARCH_MAX: u64 = 1 << 25;

const UNSEEN: u32 = u32::MAX;

/// What keeps a graph from having an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Nodes that wait for themselves.
    pub self_loops: Vec<u32>,
    /// One cycle for each strongly connected component of two or more nodes: a shortest one. It begins with its
    /// smallest node; each waits for the one before, and the first for the last. Sorted by first node.
    pub cycles: Vec<Vec<u32>>,
}

impl Cycles {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.self_loops.is_empty() && self.cycles.is_empty()
    }
}

/// The cycles of a graph. Depth costs no stack: a chain of a million nodes is walked like any other.
pub fn cycles(csr: &Csr) -> Cycles {
    let self_loops = (0..csr.nodes()).filter(|&node| csr.successors(node).contains(&node)).collect();
    let components = Components::of(csr);
    let mut search = Search::new(csr, &components.of_node);
    let mut cycles: Vec<_> =
        components.larger_than_one().map(|nodes| search.shortest_cycle(&nodes)).collect();
    cycles.sort_unstable();
    Cycles { self_loops, cycles }
}

/// Strongly connected components: within one, every node waits for every other.
struct Components {
    of_node: Vec<u32>,
    count: u32,
}

impl Components {
    fn of(csr: &Csr) -> Components {
        let mut walk = Walk::new(csr);
        for node in 0..csr.nodes() {
            if walk.index[node as usize] == UNSEEN {
                walk.from(node);
            }
        }
        Components { of_node: walk.component, count: walk.components }
    }

    /// The nodes of each component that has more than one, in ascending order.
    fn larger_than_one(&self) -> impl Iterator<Item = Vec<u32>> {
        let mut sizes = vec![0u32; self.count as usize];
        for &component in &self.of_node {
            sizes[component as usize] += 1;
        }
        let mut members: Vec<(u32, u32)> = (0..)
            .zip(&self.of_node)
            .filter(|&(_, &component)| sizes[component as usize] > 1)
            .map(|(node, &component)| (component, node))
            .collect();
        members.sort_unstable();
        let groups: Vec<Vec<u32>> = members
            .chunk_by(|a, b| a.0 == b.0)
            .map(|group| group.iter().map(|&(_, node)| node).collect())
            .collect();
        groups.into_iter()
    }
}

/// Tarjan's algorithm with its stack of calls as a list.
struct Walk<'a> {
    csr: &'a Csr,
    /// The order in which nodes were entered.
    index: Vec<u32>,
    /// The earliest node of the open component that a node leads back to, by its index.
    low: Vec<u32>,
    component: Vec<u32>,
    components: u32,
    entered: u32,
    /// Nodes whose component is not known yet.
    open: Vec<u32>,
    /// The way to the current node, and how many successors of each node on it have been looked at.
    path: Vec<(u32, u32)>,
}

impl<'a> Walk<'a> {
    fn new(csr: &'a Csr) -> Walk<'a> {
        let unseen = vec![UNSEEN; csr.nodes() as usize];
        Walk {
            csr,
            index: unseen.clone(),
            low: unseen.clone(),
            component: unseen,
            components: 0,
            entered: 0,
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    fn from(&mut self, start: u32) {
        self.enter(start);
        while let Some(&mut (node, ref mut looked_at)) = self.path.last_mut() {
            match self.csr.successors(node).get(*looked_at as usize) {
                Some(&next) => {
                    *looked_at += 1;
                    self.look_at(node, next);
                }
                None => self.leave(node),
            }
        }
    }

    fn enter(&mut self, node: u32) {
        self.index[node as usize] = self.entered;
        self.low[node as usize] = self.entered;
        self.entered += 1;
        self.open.push(node);
        self.path.push((node, 0));
    }

    fn look_at(&mut self, node: u32, next: u32) {
        if self.index[next as usize] == UNSEEN {
            self.enter(next);
        } else if self.component[next as usize] == UNSEEN {
            self.low[node as usize] = self.low[node as usize].min(self.index[next as usize]);
        }
    }

    fn leave(&mut self, node: u32) {
        self.path.pop();
        if let Some(&(parent, _)) = self.path.last() {
            self.low[parent as usize] = self.low[parent as usize].min(self.low[node as usize]);
        }
        if self.low[node as usize] == self.index[node as usize] {
            self.close_component(node);
        }
    }

    fn close_component(&mut self, first: u32) {
        while let Some(node) = self.open.pop() {
            self.component[node as usize] = self.components;
            if node == first {
                break;
            }
        }
        self.components += 1;
    }
}

/// Breadth-first searches inside components. The arrays serve all of them; each search undoes its own marks.
struct Search<'a> {
    csr: &'a Csr,
    component: &'a [u32],
    /// The node from which each node was reached in the current search.
    reached_from: Vec<u32>,
    queue: Vec<u32>,
    walked: u64,
}

impl<'a> Search<'a> {
    fn new(csr: &'a Csr, component: &'a [u32]) -> Search<'a> {
        let reached_from = vec![UNSEEN; csr.nodes() as usize];
        Search { csr, component, reached_from, queue: Vec::new(), walked: 0 }
    }

    /// A shortest cycle of the component with these nodes.
    fn shortest_cycle(&mut self, nodes: &[u32]) -> Vec<u32> {
        let mut best: Vec<u32> = Vec::new();
        for start in self.starts(nodes) {
            let limit = if best.is_empty() { usize::MAX } else { best.len() };
            best = self.cycle_through(start, limit).unwrap_or(best);
            if best.len() == 2 || self.walked > SEARCH_MAX {
                break;
            }
        }
        let smallest = (0..best.len()).min_by_key(|&at| best[at]).unwrap_or(0);
        best.rotate_left(smallest);
        best
    }

    /// Every cycle passes a node where the ways part, unless the component is nothing but one ring.
    fn starts(&self, nodes: &[u32]) -> Vec<u32> {
        let parts = |&node: &u32| self.inside(node).take(2).count() > 1;
        let parting: Vec<u32> = nodes.iter().copied().filter(parts).collect();
        if parting.is_empty() { nodes[..1].to_vec() } else { parting }
    }

    fn inside(&self, node: u32) -> impl Iterator<Item = u32> + use<'a> {
        let component = self.component;
        let successors = self.csr.successors(node).iter().copied();
        successors.filter(move |&next| next != node && component[next as usize] == component[node as usize])
    }

    /// A shortest cycle through `start`, if it has fewer nodes than `limit`.
    fn cycle_through(&mut self, start: u32, limit: usize) -> Option<Vec<u32>> {
        self.queue.clear();
        self.queue.push(start);
        let mut found = None;
        let (mut at, mut depth, mut depth_ends) = (0, 1, 1);
        'search: while depth < limit && at < self.queue.len() {
            let node = self.queue[at];
            at += 1;
            for next in self.inside(node) {
                self.walked += 1;
                if next == start {
                    found = Some(self.way_to(node));
                    break 'search;
                }
                if self.reached_from[next as usize] == UNSEEN {
                    self.reached_from[next as usize] = node;
                    self.queue.push(next);
                }
            }
            if at == depth_ends {
                (depth, depth_ends) = (depth + 1, self.queue.len());
            }
        }
        for &node in &self.queue {
            self.reached_from[node as usize] = UNSEEN;
        }
        found
    }

    /// The nodes from the start of the current search to `node`.
    fn way_to(&self, mut node: u32) -> Vec<u32> {
        let mut way = vec![node];
        while self.reached_from[node as usize] != UNSEEN {
            node = self.reached_from[node as usize];
            way.push(node);
        }
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_shows_its_shortest_cycle() {
        // 0 → 1 → 2 → 3 → 0 with the shortcut 2 → 1, apart from it 6 → 5 → 4 → 6, and 7 behind both.
        let edges = [(0, 1), (1, 2), (2, 3), (3, 0), (2, 1), (6, 5), (5, 4), (4, 6), (4, 7), (3, 7)];
        assert_eq!(cycles(&Csr::build(8, &edges)).cycles, [vec![1, 2], vec![4, 6, 5]]);
    }

    #[test]
    fn a_node_that_waits_for_itself_is_told_apart() {
        let found = cycles(&Csr::build(3, &[(0, 0), (0, 1), (1, 0), (2, 2), (2, 2)]));
        assert_eq!(found, Cycles { self_loops: vec![0, 2], cycles: vec![vec![0, 1]] });
    }

    #[test]
    fn an_order_has_no_cycles() {
        assert!(cycles(&Csr::build(4, &[(3, 1), (1, 0), (3, 0), (3, 1)])).is_empty());
    }

    #[test]
    fn a_chain_of_a_million_nodes_needs_no_stack() {
        let n = 1_000_000;
        let mut edges: Vec<_> = (1..n).map(|node| (node - 1, node)).collect();
        assert!(cycles(&Csr::build(n, &edges)).is_empty());
        edges.push((n - 1, 0));
        assert_eq!(cycles(&Csr::build(n, &edges)).cycles, [(0..n).collect::<Vec<_>>()]);
    }

    /// Two nodes on opposite arcs lie on one cycle of full length each: a search from every node would take hours.
    #[test]
    fn a_huge_component_is_searched_within_a_limit() {
        let n = 200_000;
        let edges: Vec<_> = (0..n).flat_map(|i| [(i, (i + 1) % n), (i, (i + 2) % n)]).collect();
        let found = cycles(&Csr::build(n, &edges)).cycles;
        assert_eq!((found.len(), found[0].len()), (1, 100_000));
    }
}
