//! What a drawing costs. `cargo bench -p partitur-graph --bench layout`
#![allow(missing_docs, reason = "the macros of criterion write functions without a word")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use partitur_graph::families::Family;
use partitur_graph::layout::{Layout, Options, Size};

const SIZES: [u32; 2] = [200, 5_000];

fn layouts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layout");
    group.sample_size(20);
    for nodes in SIZES {
        for family in Family::ALL {
            let edges: Vec<(u32, u32)> = family.sample(nodes, 1).csr.pairs().collect();
            let sizes = vec![Size { width: 140.0, height: 36.0 }; nodes as usize];
            let id = BenchmarkId::new(format!("{family:?}"), nodes);
            group.bench_function(id, |bench| bench.iter(|| Layout::of(&sizes, &edges, &Options::default())));
        }
    }
    group.finish();
}

criterion_group!(benches, layouts);
criterion_main!(benches);
