//! Where everything goes: a layered drawing, in which every edge leads from one rank to a later one.
//!
//! The way of Sugiyama, step by step: turn back edges round (valid documents have none), give each node a rank
//! (`rank`), lead long edges through points of their own on the ranks between (`layers`), order each rank so that few
//! edges cross (`order`), find places that keep long edges straight (`places`), and put parts that no edge joins beside
//! each other (`pack`). Sizes come in, coordinates go out; nothing here knows what a node looks like.
//!
//! Work is bounded by counting, not by a clock: the same graph gives the same picture on every machine.

mod acyclic;
mod crossings;
mod layers;
mod order;
mod pack;
mod places;
mod rank;
mod route;

use crate::{Csr, Waves, independent_groups};
use layers::Layers;
pub use route::Routes;

/// How large a node is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Size {
    /// From left to right.
    pub width: f32,
    /// From top to bottom.
    pub height: f32,
}

/// A place in the drawing; `y` grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
}

/// Where the edges lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From left to right: time goes as in a score, and names have room.
    #[default]
    Right,
    /// From top to bottom.
    Down,
}

/// Distances, and how much work is worth it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Where the edges lead.
    pub direction: Direction,
    /// Between neighbours of a rank.
    pub node_gap: f32,
    /// Between an edge and its neighbour of a rank.
    pub edge_gap: f32,
    /// Between two ranks, at least: where edges rise far, a little more.
    pub rank_gap: f32,
    /// Between parts that no edge joins.
    pub part_gap: f32,
    /// Width by height at which parts that no edge joins are put together.
    pub aspect: f32,
    /// Ends looking for fewer crossings after so many looks at a node or an edge.
    pub work: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            direction: Direction::Right,
            node_gap: 18.0,
            edge_gap: 10.0,
            rank_gap: 44.0,
            part_gap: 36.0,
            aspect: 1.6,
            work: 4_000_000,
        }
    }
}

/// A drawing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Of the whole drawing, which begins at the origin.
    pub size: Size,
    /// The middle of each node.
    pub centres: Vec<Point>,
    /// How many ranks each node stands from the first of its part.
    pub ranks: Vec<u32>,
    /// The way of each edge, in the order of the edges given.
    pub routes: Routes,
}

impl Layout {
    /// Draws the edges between nodes of these sizes.
    ///
    /// # Panics
    /// If an edge names a node that has no size.
    pub fn of(sizes: &[Size], edges: &[(u32, u32)], options: &Options) -> Layout {
        let parts = parts(sizes.len() as u32, edges);
        let total = (sizes.len() + edges.len()).max(1) as u64;
        let drawn: Vec<Drawn> = parts
            .iter()
            .map(|part| {
                let share = options.work * (part.nodes.len() + part.edges.len()) as u64 / total;
                Drawn::of(part, sizes, &Options { work: share, ..*options })
            })
            .collect();
        let extents: Vec<Size> = drawn.iter().map(|drawn| drawn.size).collect();
        let (origins, size) = pack::pack(&extents, options);
        let mut layout = Layout {
            size,
            centres: vec![Point::default(); sizes.len()],
            ranks: vec![0; sizes.len()],
            routes: Routes::default(),
        };
        let mut ways: Vec<Vec<Point>> = vec![Vec::new(); edges.len()];
        for ((part, drawn), origin) in parts.iter().zip(drawn).zip(origins) {
            let moved = |point: Point| Point { x: point.x + origin.x, y: point.y + origin.y };
            for ((&node, centre), rank) in part.nodes.iter().zip(drawn.centres).zip(drawn.ranks) {
                layout.centres[node as usize] = moved(centre);
                layout.ranks[node as usize] = rank;
            }
            for (&edge, way) in part.edge_ids.iter().zip(drawn.ways) {
                ways[edge as usize] = way.into_iter().map(moved).collect();
            }
        }
        layout.routes = Routes::of(&ways);
        layout
    }
}

/// Nodes that hang together, and the edges among them by the numbers that the nodes have here.
struct Part {
    nodes: Vec<u32>,
    edges: Vec<(u32, u32)>,
    edge_ids: Vec<u32>,
}

fn parts(nodes: u32, edges: &[(u32, u32)]) -> Vec<Part> {
    let groups = independent_groups(&Csr::build(nodes, edges));
    let count = groups.iter().max().map_or(0, |&last| last as usize + 1);
    let mut parts: Vec<Part> = Vec::with_capacity(count);
    parts.resize_with(count, || Part { nodes: Vec::new(), edges: Vec::new(), edge_ids: Vec::new() });
    let mut local = vec![0; nodes as usize];
    for node in 0..nodes {
        let part = &mut parts[groups[node as usize] as usize];
        local[node as usize] = part.nodes.len() as u32;
        part.nodes.push(node);
    }
    for (id, &(from, to)) in (0..).zip(edges) {
        let part = &mut parts[groups[from as usize] as usize];
        part.edges.push((local[from as usize], local[to as usize]));
        part.edge_ids.push(id);
    }
    parts
}

/// The drawing of a part, from its own origin.
struct Drawn {
    size: Size,
    centres: Vec<Point>,
    ranks: Vec<u32>,
    ways: Vec<Vec<Point>>,
}

impl Drawn {
    fn of(part: &Part, sizes: &[Size], options: &Options) -> Drawn {
        let sizes: Vec<Size> = part.nodes.iter().map(|&node| sizes[node as usize]).collect();
        if let [size] = sizes[..] {
            let centre = Point { x: size.width / 2.0, y: size.height / 2.0 };
            let ways = vec![Vec::new(); part.edges.len()];
            return Drawn { size, centres: vec![centre], ranks: vec![0], ways };
        }
        let forward = acyclic::forward(sizes.len() as u32, &part.edges);
        let csr = Csr::build(sizes.len() as u32, &forward.edges);
        let waves = Waves::of(&csr).expect("edges that lead back were turned round");
        let ranks = rank::ranks(&csr, &waves);
        let mut layers = Layers::of(&csr, ranks);
        order::order(&mut layers, options.work);
        let frame = places::Frame::of(&layers, &sizes, options);
        Drawn {
            size: frame.size(),
            centres: frame.centres(),
            ways: route::ways(part, &forward, &layers, &frame),
            ranks: layers.ranks_of_nodes().to_vec(),
        }
    }
}
