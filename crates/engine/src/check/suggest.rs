//! Hints: the name that was probably meant.

use std::cell::Cell;

use partitur_model::fault::did_you_mean;

/// So many names are compared for one file. A document in which everything is wrong does not need a hint for each.
const COMPARISONS_MAX: usize = 300_000;

/// Finds near names as long as that is cheap.
pub(super) struct Suggest {
    left: Cell<usize>,
}

impl Suggest {
    pub fn new() -> Suggest {
        Suggest { left: Cell::new(COMPARISONS_MAX) }
    }

    /// The name that `wanted` was probably meant to be.
    pub fn near<'a>(&self, wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let limit = wanted.len().max(3);
        let mut left = self.left.get();
        // Names of quite another length are told apart without a look at their letters.
        let candidates: Vec<&str> = known
            .take_while(|_| {
                left = left.saturating_sub(1);
                left > 0
            })
            .filter(|name| name.len() <= wanted.len() + limit && wanted.len() <= name.len() + limit)
            .collect();
        self.left.set(left.saturating_sub(candidates.len()));
        did_you_mean(wanted, candidates)
    }

    /// The hint for that, or what is known instead if it is not too much.
    pub fn hint<'a>(&self, wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
        if let Some(near) = self.near(wanted, known.clone()) {
            return Some(format!("did you mean `{near}`?"));
        }
        let few: Vec<&str> = known.take(9).collect();
        (1..=8).contains(&few.len()).then(|| format!("known: {}", few.join(", ")))
    }
}
