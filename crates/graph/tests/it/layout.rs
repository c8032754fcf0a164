//! What every drawing keeps to, whatever is drawn.

use partitur_graph::layout::{Direction, Layout, Options, Point, Size};
use proptest::prelude::*;

use crate::graphs::{Edges, orders, tangles};

fn options() -> impl Strategy<Value = Options> {
    (prop::bool::ANY, 1..30u8, 1..30u8, 0..5000u64).prop_map(|(right, node_gap, rank_gap, work)| Options {
        direction: if right { Direction::Right } else { Direction::Down },
        node_gap: f32::from(node_gap),
        rank_gap: f32::from(rank_gap),
        edge_gap: 4.0,
        work,
        ..Options::default()
    })
}

fn sized(graph: impl Strategy<Value = (u32, Edges)>) -> impl Strategy<Value = (Vec<Size>, Edges)> {
    let size = (1..90u8, 1..40u8)
        .prop_map(|(width, height)| Size { width: f32::from(width), height: f32::from(height) });
    graph.prop_flat_map(move |(nodes, edges)| {
        (prop::collection::vec(size.clone(), nodes as usize), Just(edges))
    })
}

/// Sums of sizes and gaps are rounded.
const ROUNDING: f32 = 0.05;

/// The node's left, right, upper and lower rim.
fn rims(layout: &Layout, sizes: &[Size], node: usize) -> [f32; 4] {
    let (Point { x, y }, Size { width, height }) = (layout.centres[node], sizes[node]);
    [x - width / 2.0, x + width / 2.0, y - height / 2.0, y + height / 2.0]
}

fn check_nodes(layout: &Layout, sizes: &[Size]) -> Result<(), TestCaseError> {
    for a in 0..sizes.len() {
        let [left, right, top, bottom] = rims(layout, sizes, a);
        prop_assert!(left > -ROUNDING && top > -ROUNDING, "{} lies outside: {:?}", a, layout);
        prop_assert!(right < layout.size.width + ROUNDING && bottom < layout.size.height + ROUNDING);
        for b in 0..a {
            let other = rims(layout, sizes, b);
            let apart = left > other[1] - ROUNDING
                || right < other[0] + ROUNDING
                || top > other[3] - ROUNDING
                || bottom < other[2] + ROUNDING;
            prop_assert!(apart, "{} and {} overlap: {:?}", b, a, layout);
        }
    }
    Ok(())
}

fn along(options: &Options, point: Point) -> f32 {
    match options.direction {
        Direction::Right => point.x,
        Direction::Down => point.y,
    }
}

fn across(options: &Options, point: Point) -> f32 {
    match options.direction {
        Direction::Right => point.y,
        Direction::Down => point.x,
    }
}

proptest! {
    #[test]
    fn no_node_overlaps_another_or_leaves_the_drawing(
        (sizes, edges) in sized(orders()),
        options in options(),
    ) {
        check_nodes(&Layout::of(&sizes, &edges, &options), &sizes)?;
    }

    #[test]
    fn what_has_cycles_is_drawn_too(
        (sizes, edges) in sized(tangles()),
        options in options(),
    ) {
        let layout = Layout::of(&sizes, &edges, &options);
        check_nodes(&layout, &sizes)?;
        for (&(from, to), way) in edges.iter().zip(layout.routes.iter()) {
            prop_assert_eq!(way.is_empty(), from == to);
        }
    }

    #[test]
    fn every_edge_leads_from_rim_to_rim_and_never_back(
        (sizes, edges) in sized(orders()),
        options in options(),
    ) {
        let layout = Layout::of(&sizes, &edges, &options);
        for (&(from, to), way) in edges.iter().zip(layout.routes.iter()) {
            prop_assert!(layout.ranks[from as usize] < layout.ranks[to as usize]);
            prop_assert!(way.len() >= 4 && way.len() % 2 == 0);
            let forward = |step: &[Point]| along(&options, step[0]) < along(&options, step[1]) + ROUNDING;
            prop_assert!(way.windows(2).all(forward), "{:?}", way);
            let (first, last) = (way[0], way[way.len() - 1]);
            let (begin, end) = (rims(&layout, &sizes, from as usize), rims(&layout, &sizes, to as usize));
            let (leaves, arrives) = match options.direction {
                Direction::Right => (begin[1], end[0]),
                Direction::Down => (begin[3], end[2]),
            };
            prop_assert!((along(&options, first) - leaves).abs() < ROUNDING);
            prop_assert!((along(&options, last) - arrives).abs() < ROUNDING);
            for (point, node) in [(first, from), (last, to)] {
                prop_assert_eq!(across(&options, point), across(&options, layout.centres[node as usize]));
            }
        }
    }

    /// A curve lies in a gap, where no node is; so the straight lines decide.
    #[test]
    fn no_edge_runs_under_a_node(
        (sizes, edges) in sized(orders()),
        options in options(),
    ) {
        let layout = Layout::of(&sizes, &edges, &options);
        for (&(from, to), way) in edges.iter().zip(layout.routes.iter()) {
            for line in way.chunks(2) {
                prop_assert_eq!(across(&options, line[0]), across(&options, line[1]));
                for node in (0..sizes.len()).filter(|&node| node != from as usize && node != to as usize) {
                    let [left, right, top, bottom] = rims(&layout, &sizes, node);
                    let beside = line[1].x < left + ROUNDING
                        || line[0].x > right - ROUNDING
                        || line[1].y < top + ROUNDING
                        || line[0].y > bottom - ROUNDING;
                    prop_assert!(beside, "{} to {} runs under {}: {:?}", from, to, node, layout);
                }
            }
        }
    }
}
