//! How often edges between two rows cross.

/// Counts what stands before and is larger: a tree of sums (Fenwick's).
#[derive(Default)]
pub struct Counter {
    sums: Vec<u32>,
}

impl Counter {
    /// How many pairs of edges cross, given the ends in the upper row of all edges, in the order of their ends in the
    /// lower row: for each vertex of the lower row in turn, its edges in ascending order. `upper` is the length of the
    /// upper row.
    pub fn count(&mut self, upper: usize, ends: impl Iterator<Item = u32>) -> u64 {
        self.sums.clear();
        self.sums.resize(upper + 1, 0);
        let mut crossings = 0;
        for (before, end) in (0u64..).zip(ends) {
            crossings += before - u64::from(self.at_most(end));
            self.add(end);
        }
        crossings
    }

    fn at_most(&self, end: u32) -> u32 {
        let mut at = end as usize + 1;
        let mut sum = 0;
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }

    fn add(&mut self, end: u32) {
        let mut at = end as usize + 1;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
}

/// How many crossings two neighbours have with each other: as they stand, and with their places changed. Both lists are
/// the ascending ends of their edges in one neighbouring row.
pub fn between(left: &[u32], right: &[u32]) -> (u64, u64) {
    let (mut standing, mut changed) = (0, 0);
    let (mut less, mut not_more) = (0, 0);
    for &end in left {
        while less < right.len() && right[less] < end {
            less += 1;
        }
        while not_more < right.len() && right[not_more] <= end {
            not_more += 1;
        }
        standing += less as u64;
        changed += (right.len() - not_more) as u64;
    }
    (standing, changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(ends: &[u32]) -> u64 {
        let pairs = (0..ends.len()).flat_map(|a| (a + 1..ends.len()).map(move |b| (a, b)));
        pairs.filter(|&(a, b)| ends[a] > ends[b]).count() as u64
    }

    proptest! {
        #[test]
        fn the_tree_counts_what_looking_at_every_pair_counts(ends in prop::collection::vec(0..9u32, 0..20)) {
            prop_assert_eq!(Counter::default().count(9, ends.iter().copied()), naive(&ends));
        }

        #[test]
        fn changing_places_changes_crossings_as_counted(
            mut left in prop::collection::vec(0..9u32, 0..9),
            mut right in prop::collection::vec(0..9u32, 0..9),
        ) {
            left.sort_unstable();
            right.sort_unstable();
            let inner = naive(&left) + naive(&right);
            let standing = naive(&[&left[..], &right].concat()) - inner;
            let changed = naive(&[&right[..], &left].concat()) - inner;
            prop_assert_eq!(between(&left, &right), (standing, changed));
        }
    }
}
