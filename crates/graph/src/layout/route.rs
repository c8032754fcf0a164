//! The way of each edge: straight through the ranks that it passes, in a curve over the gaps between them. As no node
//! stands in a gap, and each rank keeps a place free for the edges that pass it, no edge runs under a node.

use super::acyclic::{Fate, Forward};
use super::layers::Layers;
use super::places::Frame;
use super::{Part, Point};

/// The ways of all edges.
///
/// A way begins at the rim of a node and ends at the rim of another. Between its points, straight lines and curves
/// alternate, a straight line first and last; a curve leaves and arrives in the direction of the edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routes {
    begins: Vec<u32>,
    points: Vec<Point>,
}

impl Routes {
    /// These ways.
    pub(super) fn of(ways: &[Vec<Point>]) -> Routes {
        let begins = crate::csr::running_sums(ways.iter().map(|way| way.len() as u32).collect());
        Routes { begins, points: ways.concat() }
    }

    /// The way of the edge at this position of the edges given; empty for one from a node to itself.
    pub fn way(&self, edge: usize) -> &[Point] {
        &self.points[self.begins[edge] as usize..self.begins[edge + 1] as usize]
    }

    /// All ways, in the order of the edges given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Point]> + '_ {
        self.begins.windows(2).map(|ends| &self.points[ends[0] as usize..ends[1] as usize])
    }
}

/// The ways of the edges of a part, in their order.
pub fn ways(part: &Part, forward: &Forward, layers: &Layers, frame: &Frame) -> Vec<Vec<Point>> {
    let way = |(&(from, to), fate): (&(u32, u32), &Fate)| match fate {
        Fate::Kept => way(from, to, layers, frame),
        Fate::Turned => {
            let mut way = way(to, from, layers, frame);
            way.reverse();
            way
        }
        Fate::Loop => Vec::new(),
    };
    part.edges.iter().zip(&forward.fates).map(way).collect()
}

fn way(from: u32, to: u32, layers: &Layers, frame: &Frame) -> Vec<Point> {
    let band = |vertex: u32| frame.bands[layers.rank[vertex as usize] as usize];
    let at = |along: f32, vertex: u32| frame.point(along, frame.across[vertex as usize]);
    let margin = |node: u32| {
        let (begin, end) = band(node);
        (end - begin - frame.depths[node as usize]) / 2.0
    };
    let points = layers.points(from, to);
    let mut way = Vec::with_capacity(4 + 2 * points.len());
    way.extend([at(band(from).1 - margin(from), from), at(band(from).1, from)]);
    for point in points {
        way.extend([at(band(point).0, point), at(band(point).1, point)]);
    }
    way.extend([at(band(to).0, to), at(band(to).0 + margin(to), to)]);
    way
}
