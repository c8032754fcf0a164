//! Edges that lead back are turned round, so that what follows may rely on an order. Valid documents have none; a
//! drawing of one that is not valid shows them as they are.

use crate::{Csr, Waves};

/// Edges without a cycle.
pub struct Forward {
    /// Without loops from a node to itself, each in the direction in which it is drawn.
    pub edges: Vec<(u32, u32)>,
    /// What became of each edge given.
    pub fates: Vec<Fate>,
}

/// What became of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stands as it came.
    Kept,
    /// It leads back and is drawn from its end to its beginning.
    Turned,
    /// It leads from a node to itself and is not drawn.
    Loop,
}

/// Turns round as many edges as a walk finds that lead back to where it came from.
pub fn forward(nodes: u32, edges: &[(u32, u32)]) -> Forward {
    let csr = Csr::build_with_edge_ids(nodes, edges);
    let mut fates: Vec<Fate> =
        edges.iter().map(|(from, to)| if from == to { Fate::Loop } else { Fate::Kept }).collect();
    if Waves::of(&csr).is_err() {
        for edge in leading_back(&csr) {
            let fate = &mut fates[edge as usize];
            if *fate == Fate::Kept {
                *fate = Fate::Turned;
            }
        }
    }
    let drawn = |(&(from, to), fate): (&(u32, u32), &Fate)| match fate {
        Fate::Kept => Some((from, to)),
        Fate::Turned => Some((to, from)),
        Fate::Loop => None,
    };
    Forward { edges: edges.iter().zip(&fates).filter_map(drawn).collect(), fates }
}

/// Edges to a node from which a walk in depth has not returned yet. A chain of a million nodes must not recurse.
fn leading_back(csr: &Csr) -> Vec<u32> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        OnTheWay,
        Left,
    }
    let mut seen = vec![Seen::No; csr.nodes() as usize];
    let mut back = Vec::new();
    for start in 0..csr.nodes() {
        if seen[start as usize] != Seen::No {
            continue;
        }
        seen[start as usize] = Seen::OnTheWay;
        let mut way = vec![(start, csr.out_edges(start))];
        while let Some((node, edges)) = way.last_mut() {
            match edges.next() {
                None => {
                    seen[*node as usize] = Seen::Left;
                    way.pop();
                }
                Some((edge, to)) => match seen[to as usize] {
                    Seen::No => {
                        seen[to as usize] = Seen::OnTheWay;
                        way.push((to, csr.out_edges(to)));
                    }
                    Seen::OnTheWay => back.push(edge),
                    Seen::Left => {}
                },
            }
        }
    }
    back
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_without_a_cycle_stay_as_they_are() {
        let forward = forward(3, &[(2, 0), (0, 1)]);
        assert_eq!(forward.edges, [(2, 0), (0, 1)]);
    }

    #[test]
    fn an_edge_that_closes_a_cycle_is_turned_and_a_loop_left_out() {
        let forward = forward(3, &[(0, 1), (1, 2), (2, 0), (1, 1)]);
        assert_eq!(forward.edges, [(0, 1), (1, 2), (0, 2)]);
        assert_eq!(forward.fates, [Fate::Kept, Fate::Kept, Fate::Turned, Fate::Loop]);
    }
}
