//! Order, lengths, cycles, schedules.

use partitur_graph::{
    Csr, Order, Waves, bottom_levels, critical_path, cycles, earliest_starts, independent_groups, levels,
    makespan_bound, needed_by, reachable_from, simulate, slack, topological_order,
};
use petgraph::graph::DiGraph;
use proptest::prelude::*;

const NODES: u32 = 12;

pub type Edges = Vec<(u32, u32)>;

/// Any edges at all.
pub fn tangles() -> impl Strategy<Value = (u32, Edges)> {
    (1..NODES).prop_flat_map(|n| (Just(n), prop::collection::vec((0..n, 0..n), 0..24)))
}

/// Edges without cycles, over shuffled numbers in half of the cases.
pub fn orders() -> impl Strategy<Value = (u32, Edges)> {
    let numbers =
        |n: u32| prop_oneof![Just((0..n).collect::<Vec<_>>()), Just((0..n).collect()).prop_shuffle()];
    (1..NODES).prop_flat_map(move |n| (numbers(n), prop::collection::vec((0..n, 0..n), 0..24))).prop_map(
        |(numbers, edges)| {
            let upward = edges.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b)));
            let renamed = upward.map(|(a, b)| (numbers[a as usize], numbers[b as usize])).collect();
            (numbers.len() as u32, renamed)
        },
    )
}

fn timed_orders() -> impl Strategy<Value = (u32, Edges, Vec<u64>)> {
    orders().prop_flat_map(|(n, edges)| (Just(n), Just(edges), prop::collection::vec(0..9u64, n as usize)))
}

/// `reach[a][b]`: a way of one or more edges leads from `a` to `b`. Warshall's three loops.
pub fn reach(n: u32, edges: &[(u32, u32)]) -> Vec<Vec<bool>> {
    let n = n as usize;
    let mut reach = vec![vec![false; n]; n];
    for &(a, b) in edges {
        reach[a as usize][b as usize] = true;
    }
    for via in 0..n {
        for a in 0..n {
            for b in 0..n {
                reach[a][b] |= reach[a][via] && reach[via][b];
            }
        }
    }
    reach
}

/// For each node the largest sum of `weight` over a way to it, itself not included: relaxed until nothing changes.
fn longest_before(n: u32, edges: &[(u32, u32)], weight: &[u64]) -> Vec<u64> {
    let mut longest = vec![0; n as usize];
    for _ in 0..n {
        for &(a, b) in edges {
            longest[b as usize] = longest[b as usize].max(longest[a as usize] + weight[a as usize]);
        }
    }
    longest
}

/// The length of the shortest cycle of two or more nodes through `start`.
fn shortest_through(n: u32, edges: &[(u32, u32)], start: u32) -> Option<usize> {
    let mut distance = vec![None; n as usize];
    distance[start as usize] = Some(0);
    for step in 0..n as usize {
        for &(a, b) in edges.iter().filter(|(a, b)| a != b) {
            if distance[a as usize] == Some(step) {
                if b == start {
                    return Some(step + 1);
                }
                distance[b as usize].get_or_insert(step + 1);
            }
        }
    }
    None
}

proptest! {
    #[test]
    fn the_rows_hold_the_edges((n, edges) in tangles()) {
        let csr = Csr::build_with_edge_ids(n, &edges);
        for node in 0..n {
            let naive: Vec<_> = (0..).zip(&edges).filter(|(_, e)| e.0 == node).map(|(id, e)| (id, e.1)).collect();
            prop_assert_eq!(csr.out_edges(node).collect::<Vec<_>>(), naive);
        }
        let mut turned: Vec<_> = csr.reversed().pairs().map(|(b, a)| (a, b)).collect();
        turned.sort_unstable();
        let mut sorted = edges;
        sorted.sort_unstable();
        prop_assert_eq!(turned, sorted);
    }

    #[test]
    fn closures_are_what_can_be_reached((n, edges) in tangles(), start in 0..NODES) {
        let start = start % n;
        let reach = reach(n, &edges);
        let csr = Csr::build(n, &edges);
        let after: Vec<_> = (0..n).filter(|&b| b == start || reach[start as usize][b as usize]).collect();
        let before: Vec<_> = (0..n).filter(|&a| a == start || reach[a as usize][start as usize]).collect();
        prop_assert_eq!(reachable_from(&csr, &[start]), after);
        prop_assert_eq!(needed_by(&csr, &[start]), before);
    }

    #[test]
    fn groups_are_what_hangs_together((n, edges) in tangles()) {
        let both: Vec<_> = edges.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).collect();
        let reach = reach(n, &both);
        let groups = independent_groups(&Csr::build(n, &edges));
        for a in 0..n as usize {
            for b in 0..n as usize {
                prop_assert_eq!(groups[a] == groups[b], a == b || reach[a][b]);
            }
        }
        let firsts: Vec<_> = (0..n as usize).filter(|&a| !groups[..a].contains(&groups[a])).collect();
        prop_assert!(firsts.iter().zip(0..).all(|(&first, group)| groups[first] == group));
    }

    #[test]
    fn there_is_an_order_exactly_if_petgraph_finds_one((n, edges) in tangles()) {
        let csr = Csr::build(n, &edges);
        let mut other = DiGraph::<(), ()>::from_edges(&edges);
        while other.node_count() < n as usize {
            other.add_node(());
        }
        let sorted = petgraph::algo::toposort(&other, None);
        prop_assert_eq!(topological_order(&csr).is_err(), sorted.is_err());
        let found = cycles(&csr);
        prop_assert_eq!(found.is_empty(), sorted.is_ok());
        let components = petgraph::algo::kosaraju_scc(&other).into_iter().filter(|nodes| nodes.len() > 1).count();
        prop_assert_eq!(found.cycles.len(), components);
    }

    #[test]
    fn the_cycle_of_a_component_is_a_shortest_one((n, edges) in tangles()) {
        let reach = reach(n, &edges);
        for cycle in cycles(&Csr::build(n, &edges)).cycles {
            for (at, &node) in cycle.iter().enumerate() {
                prop_assert!(edges.contains(&(node, cycle[(at + 1) % cycle.len()])));
            }
            prop_assert_eq!(cycle[0], *cycle.iter().min().unwrap());
            let first = cycle[0] as usize;
            let same = |&b: &u32| reach[first][b as usize] && reach[b as usize][first];
            let shortest = (0..n).filter(same).filter_map(|b| shortest_through(n, &edges, b)).min();
            prop_assert_eq!(Some(cycle.len()), shortest);
        }
    }

    #[test]
    fn waves_count_the_steps((n, edges) in orders()) {
        let csr = Csr::build(n, &edges);
        let naive = longest_before(n, &edges, &vec![1; n as usize]);
        let found: Vec<u64> = levels(&csr).unwrap().into_iter().map(u64::from).collect();
        prop_assert_eq!(&found, &naive);
        let waves = Waves::of(&csr).unwrap();
        for (level, wave) in (0..).zip(waves.iter()) {
            let members: Vec<_> = (0..n).filter(|&node| naive[node as usize] == level).collect();
            prop_assert_eq!(wave, &members[..]);
        }
        let place = |node: u32| waves.order().iter().position(|&other| other == node);
        prop_assert!(edges.iter().all(|&(a, b)| place(a) < place(b)));
    }

    #[test]
    fn times_are_longest_ways((n, edges, durations) in timed_orders()) {
        let csr = Csr::build(n, &edges);
        let waves = Waves::of(&csr).unwrap();
        let turned: Vec<_> = edges.iter().map(|&(a, b)| (b, a)).collect();
        let starts = longest_before(n, &edges, &durations);
        let after = longest_before(n, &turned, &durations);
        let bottom: Vec<_> = after.iter().zip(&durations).map(|(after, own)| after + own).collect();
        let length = *bottom.iter().max().unwrap();
        prop_assert_eq!(earliest_starts(&csr, &waves, &durations), starts.clone());
        prop_assert_eq!(bottom_levels(&csr, &waves, &durations), bottom.clone());
        let spare: Vec<_> = (0..n as usize).map(|node| length - starts[node] - bottom[node]).collect();
        prop_assert_eq!(slack(&csr, &waves, &durations), spare);

        let path = critical_path(&csr, &waves, &bottom);
        prop_assert_eq!(path.length, length);
        prop_assert_eq!(path.nodes.iter().map(|&node| durations[node as usize]).sum::<u64>(), length);
        prop_assert!(path.nodes.windows(2).all(|pair| edges.contains(&(pair[0], pair[1]))));
    }

    #[test]
    fn schedules_can_be_carried_out(
        (n, edges, durations) in timed_orders(), workers in 1..5u32,
        order in prop::sample::select(vec![Order::Fifo, Order::LongestFirst, Order::ShortestFirst, Order::BottomLevel]),
    ) {
        let csr = Csr::build(n, &edges);
        let schedule = simulate(&csr, &durations, workers, order).unwrap();
        let end = |node: u32| schedule.starts[node as usize] + durations[node as usize];
        prop_assert_eq!(schedule.makespan, (0..n).map(end).max().unwrap());
        prop_assert!(edges.iter().all(|&(a, b)| end(a) <= schedule.starts[b as usize]));
        for a in 0..n {
            prop_assert!(schedule.worker[a as usize] < workers);
            for b in (0..n).filter(|&b| b != a && schedule.worker[a as usize] == schedule.worker[b as usize]) {
                prop_assert!(end(a) <= schedule.starts[b as usize] || end(b) <= schedule.starts[a as usize]);
            }
        }
        // Graham: no greedy schedule takes twice as long as the best one.
        let waves = Waves::of(&csr).unwrap();
        let length = *bottom_levels(&csr, &waves, &durations).iter().max().unwrap();
        let bound = makespan_bound(&csr, &waves, &durations, workers);
        let plain = length.max(durations.iter().sum::<u64>().div_ceil(u64::from(workers)));
        prop_assert!(plain <= bound && bound <= schedule.makespan && schedule.makespan <= 2 * plain);
        prop_assert_eq!(&simulate(&csr, &durations, workers, order).unwrap(), &schedule);
    }
}
