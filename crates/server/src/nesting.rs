//! How deep sub-workflows stand in each other, whether the runs above them are in memory or not.

use std::collections::HashMap;

use partitur_model::RunId;

/// So many runs are remembered that are not in memory.
const KNOWN_MAX: usize = 10_000;

/// Which runs stand above those that are not in memory: that never changes.
#[derive(Default)]
pub(crate) struct Nesting {
    known: HashMap<RunId, Option<RunId>>,
}

/// Where the run above another one is to be found.
pub(crate) enum Above {
    /// The other one is in memory, and says so.
    Said(Option<RunId>),
    /// Only its row does.
    Stored,
}

impl Nesting {
    /// Whether more than `max` runs stand in each other, down to this one. Rows are read once.
    pub(crate) fn exceeds(
        &mut self,
        max: usize,
        run: RunId,
        said: impl Fn(RunId) -> Above,
        mut stored: impl FnMut(RunId) -> Option<RunId>,
    ) -> bool {
        let mut above = |run: RunId| match said(run) {
            Above::Said(above) => above,
            Above::Stored => *self.known.entry(run).or_insert_with(|| stored(run)),
        };
        let depth = std::iter::successors(Some(run), |run| above(*run)).take(max + 1).count();
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        depth > max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64) -> RunId {
        RunId::new(0, number, 0)
    }

    #[test]
    fn runs_that_have_left_memory_count_and_are_read_once() {
        let mut nesting = Nesting::default();
        let mut reads = 0;
        // Only the newest is in memory.
        let said = |of: RunId| match of.number() {
            5 => Above::Said(Some(run(4))),
            _ => Above::Stored,
        };
        for _ in 0..3 {
            let mut stored = |of: RunId| {
                reads += 1;
                (of.number() > 1).then(|| run(of.number() - 1))
            };
            assert!(nesting.exceeds(4, run(5), said, &mut stored));
            assert!(!nesting.exceeds(5, run(5), said, &mut stored));
        }
        assert_eq!(reads, 4);
    }
}
