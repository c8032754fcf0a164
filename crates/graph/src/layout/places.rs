//! Where on its rank each vertex goes: what belongs together in a straight line, nothing closer than it may be.
//!
//! After Brandes and Köpf: vertices are joined into blocks with the median of their neighbours, from above or below,
//! leaning left or right; each of the four ways gives places, and each vertex takes the middle of its four. Here a
//! block is placed by the longest way over blocks beside it, which needs no classes and cannot go wrong where theirs
//! does (their erratum of 2020).

use super::layers::Layers;
use super::{Direction, Options, Point, Size};
use crate::{Csr, Waves};

/// A rank rises over the gap to the next one at most this steeply before the gap becomes wider …
const STEEPNESS: f32 = 9.0;
/// … and it becomes at most so many times as wide.
const WIDENING_MAX: f32 = 3.0;

/// The places of all vertices. `along` is the direction of the edges, `across` the other one.
pub struct Frame {
    /// The middle of each vertex across.
    pub across: Vec<f32>,
    /// Where each rank begins and ends along.
    pub bands: Vec<(f32, f32)>,
    /// The extent of each node along.
    pub depths: Vec<f32>,
    direction: Direction,
    breadth: f32,
    ranks: Vec<u32>,
}

impl Frame {
    /// Gives each vertex its place.
    pub fn of(layers: &Layers, sizes: &[Size], options: &Options) -> Frame {
        let (depths, breadths): (Vec<f32>, Vec<f32>) = match options.direction {
            Direction::Right => sizes.iter().map(|size| (size.width, size.height)).unzip(),
            Direction::Down => sizes.iter().map(|size| (size.height, size.width)).unzip(),
        };
        let room = Room { layers, breadths: &breadths, options };
        let (across, breadth) = room.shifted(room.across());
        let bands = bands(layers, &across, &depths, options);
        let ranks = layers.ranks_of_nodes().to_vec();
        Frame { across, bands, depths, direction: options.direction, breadth, ranks }
    }

    /// The size of the drawing.
    pub fn size(&self) -> Size {
        let depth = self.bands.last().map_or(0.0, |band| band.1);
        let Point { x: width, y: height } = self.point(depth, self.breadth);
        Size { width, height }
    }

    /// The middles of the nodes.
    pub fn centres(&self) -> Vec<Point> {
        let middle = |(node, &rank): (usize, &u32)| {
            let (begin, end) = self.bands[rank as usize];
            self.point((begin + end) / 2.0, self.across[node])
        };
        self.ranks.iter().enumerate().map(middle).collect()
    }

    /// The point at these distances.
    pub fn point(&self, along: f32, across: f32) -> Point {
        match self.direction {
            Direction::Right => Point { x: along, y: across },
            Direction::Down => Point { x: across, y: along },
        }
    }
}

/// Where each rank begins and ends.
fn bands(layers: &Layers, across: &[f32], depths: &[f32], options: &Options) -> Vec<(f32, f32)> {
    let mut bands = Vec::with_capacity(layers.rows.len());
    let mut at = 0.0;
    for row in &layers.rows {
        let nodes = row.iter().filter(|&&vertex| layers.is_node(vertex));
        let depth = nodes.map(|&node| depths[node as usize]).fold(0.0, f32::max);
        bands.push((at, at + depth));
        let rises = row.iter().flat_map(|&vertex| {
            let lands = layers.down.successors(vertex).iter();
            lands.map(move |&next| (across[vertex as usize] - across[next as usize]).abs())
        });
        let steepest = rises.fold(0.0, f32::max);
        let gap = (steepest / STEEPNESS).clamp(options.rank_gap, options.rank_gap * WIDENING_MAX);
        at += depth + gap;
    }
    bands
}

/// Which vertices may not stand closer than what.
struct Room<'a> {
    layers: &'a Layers,
    breadths: &'a [f32],
    options: &'a Options,
}

impl Room<'_> {
    /// The distance that the middles of two neighbours keep.
    fn between(&self, a: u32, b: u32) -> f32 {
        let gap = match (self.layers.is_node(a), self.layers.is_node(b)) {
            (true, true) => self.options.node_gap,
            (false, _) | (_, false) => self.options.edge_gap,
        };
        self.half(a) + self.half(b) + gap
    }

    /// A point of an edge has no breadth.
    fn half(&self, vertex: u32) -> f32 {
        self.breadths.get(vertex as usize).map_or(0.0, |breadth| breadth / 2.0)
    }

    /// The middle of the four ways.
    fn across(&self) -> Vec<f32> {
        let crossed = crossed(self.layers);
        let mut ways: Vec<Vec<f32>> = Vec::with_capacity(4);
        for from in [From::Above, From::Below] {
            for lean in [Lean::Left, Lean::Right] {
                let blocks = blocks(self.layers, &crossed, from, lean);
                ways.push(self.place(&blocks, lean));
            }
        }
        self.align(&mut ways);
        let middle = |vertex: usize| {
            let mut four = [ways[0][vertex], ways[1][vertex], ways[2][vertex], ways[3][vertex]];
            four.sort_unstable_by(f32::total_cmp);
            (four[1] + four[2]) / 2.0
        };
        (0..self.layers.len()).map(middle).collect()
    }

    /// Places every block as far to the side it leans to as its neighbours allow, then back towards the neighbours on
    /// the other side.
    fn place(&self, blocks: &[u32], lean: Lean) -> Vec<f32> {
        let mut beside = Vec::with_capacity(blocks.len());
        let mut distances = Vec::with_capacity(blocks.len());
        for row in &self.layers.rows {
            for pair in row.windows(2) {
                let ends = (blocks[pair[0] as usize], blocks[pair[1] as usize]);
                beside.push(match lean {
                    Lean::Left => ends,
                    Lean::Right => (ends.1, ends.0),
                });
                distances.push(self.between(pair[0], pair[1]));
            }
        }
        let graph = Csr::build_with_edge_ids(blocks.len() as u32, &beside);
        let waves = Waves::of(&graph).expect("blocks do not cross, so that each pair has one order");
        let mut at = vec![0.0f32; blocks.len()];
        for &block in waves.order() {
            for (edge, next) in graph.out_edges(block) {
                at[next as usize] = at[next as usize].max(at[block as usize] + distances[edge as usize]);
            }
        }
        for &block in waves.order().iter().rev() {
            let room = graph
                .out_edges(block)
                .map(|(edge, next)| at[next as usize] - distances[edge as usize])
                .min_by(f32::total_cmp);
            if let Some(room) = room {
                at[block as usize] = at[block as usize].max(room);
            }
        }
        let sign = match lean {
            Lean::Left => 1.0,
            Lean::Right => -1.0,
        };
        blocks.iter().map(|&block| sign * at[block as usize]).collect()
    }

    /// Moves all ways so that those that lean left begin, and those that lean right end, where the narrowest does.
    fn align(&self, ways: &mut [Vec<f32>]) {
        let bounds: Vec<(f32, f32)> = ways.iter().map(|way| self.bounds(way)).collect();
        let narrowest = bounds.iter().copied().min_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let (begin, end) = narrowest.expect("there are four ways");
        for (number, (way, own)) in ways.iter_mut().zip(bounds).enumerate() {
            let shift = if number % 2 == 0 { begin - own.0 } else { end - own.1 };
            way.iter_mut().for_each(|at| *at += shift);
        }
    }

    fn bounds(&self, way: &[f32]) -> (f32, f32) {
        (0..).zip(way).fold((f32::INFINITY, f32::NEG_INFINITY), |(begin, end), (vertex, &at)| {
            let half = self.half(vertex);
            (begin.min(at - half), end.max(at + half))
        })
    }

    /// From zero on, and how far it reaches.
    fn shifted(&self, mut across: Vec<f32>) -> (Vec<f32>, f32) {
        let (begin, end) = self.bounds(&across);
        across.iter_mut().for_each(|at| *at -= begin);
        (across, end - begin)
    }
}

/// Whose median a vertex is joined with.
#[derive(Clone, Copy)]
enum From {
    Above,
    Below,
}

/// Which of two medians comes first, and to which side blocks are pushed.
#[derive(Clone, Copy)]
enum Lean {
    Left,
    Right,
}

/// The block of each vertex, named by one of its vertices.
fn blocks(layers: &Layers, crossed: &Crossed, from: From, lean: Lean) -> Vec<u32> {
    let mut joiner = Joiner::new(layers, crossed, lean);
    match from {
        From::Above => (1..layers.rows.len()).for_each(|row| joiner.join_row(row, &layers.up)),
        From::Below => {
            (0..layers.rows.len().saturating_sub(1)).rev().for_each(|row| joiner.join_row(row, &layers.down));
        }
    }
    joiner.block
}

struct Joiner<'a> {
    layers: &'a Layers,
    crossed: &'a Crossed,
    lean: Lean,
    block: Vec<u32>,
    /// The vertex already has a neighbour on the side from which it is looked at.
    taken: Vec<bool>,
    neighbours: Vec<u32>,
}

impl<'a> Joiner<'a> {
    fn new(layers: &'a Layers, crossed: &'a Crossed, lean: Lean) -> Joiner<'a> {
        Joiner {
            layers,
            crossed,
            lean,
            block: (0..layers.len() as u32).collect(),
            taken: vec![false; layers.len()],
            neighbours: Vec::new(),
        }
    }

    /// Joins each vertex of a row with a median of its neighbours, if that crosses nothing that is joined already.
    fn join_row(&mut self, row: usize, edges: &Csr) {
        let row = &self.layers.rows[row];
        let mut last = None;
        for at in 0..row.len() {
            let vertex = match self.lean {
                Lean::Left => row[at],
                Lean::Right => row[row.len() - 1 - at],
            };
            self.neighbours.clear();
            self.neighbours.extend(edges.successors(vertex));
            self.neighbours.sort_unstable_by_key(|&other| self.layers.position[other as usize]);
            let Some(most) = self.neighbours.len().checked_sub(1) else { continue };
            let medians = match self.lean {
                Lean::Left => [most / 2, most.div_ceil(2)],
                Lean::Right => [most.div_ceil(2), most / 2],
            };
            for median in medians {
                let other = self.neighbours[median];
                let free = !self.taken[other as usize] && !self.crossed.contains(vertex, other);
                if free && self.is_past(last, other) {
                    self.block[vertex as usize] = self.block[other as usize];
                    self.taken[other as usize] = true;
                    last = Some(other);
                    break;
                }
            }
        }
    }

    fn is_past(&self, last: Option<u32>, other: u32) -> bool {
        let position = |vertex: u32| self.layers.position[vertex as usize];
        match (last, self.lean) {
            (None, _) => true,
            (Some(last), Lean::Left) => position(last) < position(other),
            (Some(last), Lean::Right) => position(last) > position(other),
        }
    }
}

/// Pairs of neighbours whose edge crosses a long one: the long one is to be straight, so these are not joined.
struct Crossed(Vec<(u32, u32)>);

impl Crossed {
    fn contains(&self, a: u32, b: u32) -> bool {
        self.0.binary_search(&(a.min(b), a.max(b))).is_ok()
    }
}

/// Goes along each pair of rows once, from one inner segment (between two points) to the next.
fn crossed(layers: &Layers) -> Crossed {
    let mut crossed = Vec::new();
    for rows in layers.rows.windows(2) {
        let (upper, lower) = (&rows[0], &rows[1]);
        let (mut begin, mut from) = (0, 0);
        for (at, &vertex) in lower.iter().enumerate() {
            let inner = inner_upper(layers, vertex);
            if inner.is_none() && at + 1 < lower.len() {
                continue;
            }
            let end = inner.map_or(upper.len() as u32, |upper| layers.position[upper as usize]);
            for &below in &lower[from..=at] {
                for &above in layers.up.successors(below) {
                    let position = layers.position[above as usize];
                    let is_inner = !layers.is_node(above) && !layers.is_node(below);
                    if (position < begin || position > end) && !is_inner {
                        crossed.push((above.min(below), above.max(below)));
                    }
                }
            }
            (begin, from) = (end, at + 1);
        }
    }
    crossed.sort_unstable();
    Crossed(crossed)
}

/// The point above a point of the same chain.
fn inner_upper(layers: &Layers, vertex: u32) -> Option<u32> {
    let above = || layers.up.successors(vertex).first().copied();
    if layers.is_node(vertex) { None } else { above().filter(|&above| !layers.is_node(above)) }
}
