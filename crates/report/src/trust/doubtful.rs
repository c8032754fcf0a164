//! Dependencies that lengthen the whole: for each on the longest way, how much sooner the end would come without it.

use std::cmp::Reverse;

use partitur_graph::{Csr, Resource, Waves, bottom_levels, earliest_starts};

use super::{Doubt, Subject};

/// So many dependencies are tried.
const TRIED_MAX: usize = 200;

/// The declared edges whose absence would bring the end nearer, the costliest first.
pub(super) fn doubtful(subject: &Subject<'_>, waves: &Waves, bottom: &[u64], length: u64) -> Vec<Doubt> {
    let starts = earliest_starts(subject.csr, waves, subject.durations);
    let tight = |&&(from, to): &&(u32, u32)| {
        let (from, to) = (from as usize, to as usize);
        starts[from] + subject.durations[from] == starts[to] && starts[to] + bottom[to] == length
    };
    let mut edges: Vec<(u32, u32)> = subject.declared.iter().filter(tight).copied().collect();
    edges.sort_unstable();
    edges.dedup();
    edges.truncate(TRIED_MAX);
    let doubt = |(from, to): (u32, u32)| Doubt {
        from,
        to,
        saved: length - length_without(subject, (from, to)),
        no_common_file: no_common_file(subject, from, to),
    };
    let mut doubts: Vec<Doubt> = edges.into_iter().map(doubt).filter(|doubt| doubt.saved > 0).collect();
    doubts.sort_by_key(|doubt| (Reverse(doubt.saved), Reverse(doubt.no_common_file), doubt.from, doubt.to));
    doubts
}

fn length_without(subject: &Subject<'_>, edge: (u32, u32)) -> u64 {
    let edges: Vec<(u32, u32)> = subject.csr.pairs().filter(|&pair| pair != edge).collect();
    let csr = Csr::build(subject.csr.nodes(), &edges);
    let waves = Waves::of(&csr).expect("a part of a graph without cycles has none");
    bottom_levels(&csr, &waves, subject.durations).into_iter().max().unwrap_or_default()
}

/// Both say what they touch, and that gives no reason for their order.
fn no_common_file(subject: &Subject<'_>, from: u32, to: u32) -> bool {
    let (from, to) = (&subject.files[from as usize], &subject.files[to as usize]);
    let common = |(a, writes): &(String, bool)| {
        let a = Resource::path(a);
        to.iter().any(|(b, also)| (*writes || *also) && a.overlaps(&Resource::path(b)))
    };
    !from.is_empty() && !to.is_empty() && !from.iter().any(common)
}
