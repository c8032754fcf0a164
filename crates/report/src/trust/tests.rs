use proptest::prelude::*;

use super::*;

/// Nodes `0..count` with equal durations, all of them tasks that name no files.
struct Graph {
    csr: Csr,
    edges: Vec<(u32, u32)>,
    durations: Vec<u64>,
    files: Vec<Vec<(String, bool)>>,
    is_task: Vec<bool>,
    history: Vec<Vec<Ran>>,
}

fn graph(count: u32, edges: &[(u32, u32)]) -> Graph {
    Graph {
        csr: Csr::build(count, edges),
        edges: edges.to_vec(),
        durations: vec![10; count as usize],
        files: vec![Vec::new(); count as usize],
        is_task: vec![true; count as usize],
        history: Vec::new(),
    }
}

impl Graph {
    fn touching(mut self, files: &[(usize, &str, bool)]) -> Graph {
        for &(node, path, write) in files {
            self.files[node].push((path.to_owned(), write));
        }
        self
    }

    fn trust(&self, errors: usize) -> Trust {
        let Graph { csr, edges, durations, files, is_task, history } = self;
        Trust::of(&Subject { csr, durations, declared: edges, files, is_task, history, errors }).unwrap()
    }
}

#[test]
fn a_dependency_that_follows_from_others_is_redundant() {
    let trust = graph(4, &[(0, 1), (1, 2), (0, 2), (0, 3), (2, 3)]).trust(0);
    assert_eq!(trust.redundant, [(0, 2), (0, 3)]);
    assert!(trust.redundant_complete);
}

#[test]
fn tasks_without_order_that_write_the_same_file_need_a_lock() {
    let files = [(0, "src/a.rs", true), (1, "src/a.rs", true), (2, "src/a.rs", false), (3, "src/b.rs", true)];
    let trust = graph(4, &[(0, 2)]).touching(&files).trust(0);
    let pairs: Vec<(u32, u32)> =
        trust.missing.iter().map(|missing| (missing.first, missing.second)).collect();
    assert_eq!(pairs, [(0, 1), (1, 2)]);
    assert_eq!(trust.locks(), ["file:src/a.rs"]);
    assert_eq!(trust.verdict, Verdict::SafeWithLocks);
}

#[test]
fn a_dependency_between_tasks_with_nothing_in_common_is_doubted_by_what_it_costs() {
    let files = [(0, "a", true), (1, "b", true), (2, "b", true)];
    let trust = graph(3, &[(0, 1), (1, 2)]).touching(&files).trust(0);
    let told: Vec<(u32, u32, u64, bool)> =
        trust.doubtful.iter().map(|it| (it.from, it.to, it.saved, it.no_common_file)).collect();
    assert_eq!(told, [(0, 1, 10, true), (1, 2, 10, false)]);
}

#[test]
fn what_began_too_early_and_went_well_disproves_a_dependency() {
    let mut graph = graph(2, &[(0, 1)]);
    let ran = |node, began, ended, succeeded| Ran { node, began, ended, succeeded };
    graph.history = vec![vec![ran(0, 0, 10, true), ran(1, 5, 9, true)]];
    assert_eq!(graph.trust(0).disproved, [(0, 1)]);
    graph.history.push(vec![ran(0, 0, 10, true), ran(1, 5, 9, false)]);
    assert_eq!(graph.trust(0).disproved, []);
}

#[test]
fn errors_forbid_and_silence_limits_what_can_be_said() {
    assert_eq!(graph(2, &[]).trust(1).verdict, Verdict::NotBefore);
    assert_eq!(graph(2, &[]).trust(0).verdict, Verdict::SafeAsFarAsSeen);
    let files = [(0, "a", true), (1, "b", true)];
    assert_eq!(graph(2, &[]).touching(&files).trust(0).verdict, Verdict::Safe);
    assert_eq!(graph(0, &[]).trust(0).makespans, [(1, 0), (2, 0), (4, 0), (8, 0)]);
    assert_eq!(graph(4, &[(0, 1), (0, 2), (2, 3)]).trust(0).weightiest, Some((0, 3)));
}

/// Edges from lower to higher nodes, so that there are no cycles.
fn edges() -> impl Strategy<Value = Vec<(u32, u32)>> {
    proptest::collection::vec((0u32..12, 0u32..12), 0..40).prop_map(|pairs| {
        let mut edges: Vec<(u32, u32)> = pairs.into_iter().filter(|(a, b)| a < b).collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    })
}

proptest! {
    /// The oracle takes each edge away and looks whether its end can still be reached.
    #[test]
    fn redundant_is_what_can_be_left_out(edges in edges()) {
        let without = |gone: (u32, u32)| {
            let kept: Vec<(u32, u32)> = edges.iter().copied().filter(|&edge| edge != gone).collect();
            reachable_from(&Csr::build(12, &kept), &[gone.0]).contains(&gone.1)
        };
        let wanted: Vec<(u32, u32)> = edges.iter().copied().filter(|&edge| without(edge)).collect();
        prop_assert_eq!(graph(12, &edges).trust(0).redundant, wanted);
    }

    /// What is promised is what a simulation with a worker for each task gives.
    #[test]
    fn what_a_dropped_dependency_saves_is_what_the_simulation_saves(
        edges in edges(),
        durations in proptest::collection::vec(1u64..20, 12),
    ) {
        let graph = Graph { durations, ..graph(12, &edges) };
        let takes = |edges: &[(u32, u32)]| {
            simulate(&Csr::build(12, edges), &graph.durations, 12, Order::BottomLevel).unwrap().makespan
        };
        for doubt in graph.trust(0).doubtful {
            let gone = (doubt.from, doubt.to);
            let kept: Vec<(u32, u32)> = edges.iter().copied().filter(|&edge| edge != gone).collect();
            prop_assert_eq!(takes(&edges) - takes(&kept), doubt.saved);
        }
    }
}
