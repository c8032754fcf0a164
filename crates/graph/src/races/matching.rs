//! Which resources have something in common: a sweep over what stands before their first wildcards.

use std::cmp::Ordering;

use super::slots::Touched;
use crate::{Csr, PathPattern, Resource};

/// So many pairs of paths are compared. Only patterns with the same beginning are, so that it takes thousands of
/// different ones in one directory to come here.
const COMPARISONS_MAX: u32 = 1 << 22;

/// A path and the number of its resource.
type Path<'a> = (u32, &'a PathPattern);

/// Resources that may meet.
#[derive(Debug)]
pub(super) struct Matches {
    graph: Csr,
    pub complete: bool,
}

impl Default for Matches {
    fn default() -> Matches {
        Matches { graph: Csr::default(), complete: true }
    }
}

impl Matches {
    /// What a resource meets, itself included if two nodes may race for it.
    pub fn of(&self, resource: u32) -> &[u32] {
        self.graph.successors(resource)
    }
}

/// The pairs of distinct resources, and those with themselves, in which there may be a race.
pub(super) fn matches(resources: &[&Resource], touched: &[Touched]) -> Matches {
    let count = resources.len() as u32;
    let mut sweep = Sweep { touched, pairs: Vec::new(), comparisons: 0 };
    sweep.pairs.extend((0..count).filter(|&r| touched[r as usize].may_race()).map(|r| (r, r)));
    let complete = sweep.run(&sorted_paths(resources));
    Matches { graph: Csr::build(count, &sweep.pairs), complete }
}

/// All paths, each directory directly before what lies below it.
fn sorted_paths<'a>(resources: &[&'a Resource]) -> Vec<Path<'a>> {
    let mut paths: Vec<_> = (0..)
        .zip(resources)
        .filter_map(|(id, resource)| match resource {
            Resource::Path(path) => Some((id, path)),
            Resource::Name(_) => None,
        })
        .collect();
    paths.sort_by(|a, b| compare(a.1.plain_prefix(), b.1.plain_prefix()));
    paths
}

/// As bytes, but the slash comes before everything else: `a`, `a/x`, `a-b`.
fn compare(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    a.bytes().map(rank).cmp(b.bytes().map(rank))
}

struct Sweep<'a> {
    touched: &'a [Touched],
    pairs: Vec<(u32, u32)>,
    comparisons: u32,
}

impl Sweep<'_> {
    /// Two paths can only meet if the plain beginning of one is a prefix of that of the other. In this order all that
    /// begin alike stand together, so a stack holds just those that the next one may meet. False if there were too
    /// many to compare.
    fn run(&mut self, paths: &[Path<'_>]) -> bool {
        let (mut directories, mut patterns) = (Vec::<Path<'_>>::new(), Vec::<Path<'_>>::new());
        for &(id, path) in paths {
            let prefix = path.plain_prefix();
            while directories.last().is_some_and(|(_, above)| !above.leads_to(prefix)) {
                directories.pop();
            }
            while patterns.last().is_some_and(|(_, above)| !prefix.starts_with(above.plain_prefix())) {
                patterns.pop();
            }
            for &(above, other) in directories.iter().chain(&patterns) {
                self.compare((above, other), (id, path));
            }
            if self.comparisons > COMPARISONS_MAX {
                return false;
            }
            if path.is_plain() { directories.push((id, path)) } else { patterns.push((id, path)) }
        }
        true
    }

    fn compare(&mut self, a: Path<'_>, b: Path<'_>) {
        self.comparisons += 1;
        if self.touched[a.0 as usize].may_race_with(self.touched[b.0 as usize]) && a.1.overlaps(b.1) {
            self.pairs.extend([(a.0, b.0), (b.0, a.0)]);
        }
    }
}
