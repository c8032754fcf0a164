//! Intention modes on a tree of paths: who may hold a directory and what lies below it at the same time.
//!
//! A claim on a path takes [`Mode::Shared`] or [`Mode::Exclusive`] there and an intention on every ancestor, so that
//! two claims conflict exactly if one path is the other or lies above it and one of the two is exclusive.

/// How a path is held, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    /// IS: something below is held shared.
    IntentShared,
    /// IX: something below is held exclusively.
    IntentExclusive,
    /// S: this and all below, together with other readers.
    Shared,
    /// SIX: all of it shared, something below exclusively; arises when a task claims both.
    SharedIntentExclusive,
    /// X: this and all below, alone.
    Exclusive,
}

impl Mode {
    pub(super) const ALL: [Mode; 5] = [
        Mode::IntentShared,
        Mode::IntentExclusive,
        Mode::Shared,
        Mode::SharedIntentExclusive,
        Mode::Exclusive,
    ];

    /// Whether two different tasks may hold these at once.
    pub(super) const fn compatible(self, other: Mode) -> bool {
        self.allows() & other.bit() != 0
    }

    /// The weakest mode that covers both: what one task holds that asked for both.
    pub(super) fn join(self, other: Mode) -> Mode {
        let (weak, strong) = if self <= other { (self, other) } else { (other, self) };
        match (weak, strong) {
            (Mode::IntentExclusive, Mode::Shared) => Mode::SharedIntentExclusive,
            _ordered => strong,
        }
    }

    /// What the ancestors are held in.
    pub(super) const fn intention(self) -> Mode {
        match self {
            Mode::IntentShared | Mode::Shared => Mode::IntentShared,
            Mode::IntentExclusive | Mode::SharedIntentExclusive | Mode::Exclusive => Mode::IntentExclusive,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    const fn allows(self) -> u8 {
        use Mode::{IntentExclusive as Ix, IntentShared as Is, Shared as S, SharedIntentExclusive as Six};
        match self {
            Mode::IntentShared => Is.bit() | Ix.bit() | S.bit() | Six.bit(),
            Mode::IntentExclusive => Is.bit() | Ix.bit(),
            Mode::Shared => Is.bit() | S.bit(),
            Mode::SharedIntentExclusive => Is.bit(),
            Mode::Exclusive => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_exclude_each_other_as_in_the_textbook() {
        let table: Vec<String> = Mode::ALL
            .iter()
            .map(|a| Mode::ALL.iter().map(|b| if a.compatible(*b) { '+' } else { '-' }).collect())
            .collect();
        assert_eq!(table, ["++++-", "++---", "+-+--", "+----", "-----"]);
    }

    #[test]
    fn a_join_excludes_whatever_one_of_its_parts_excludes() {
        for a in Mode::ALL {
            for b in Mode::ALL {
                for other in Mode::ALL {
                    let both = a.compatible(other) && b.compatible(other);
                    assert_eq!(a.join(b).compatible(other), both, "{a:?} and {b:?} against {other:?}");
                }
            }
        }
    }
}
