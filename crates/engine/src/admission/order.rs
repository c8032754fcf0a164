//! Which of the waiting tickets of a class comes first, and which class has its turn.

use std::fmt;

use partitur_model::Timestamp;
use partitur_model::definition::Priority;

use super::Ticket;

/// The order of waiting tickets within a class.
pub trait Order: fmt::Debug + Send + Sync {
    /// Smaller starts earlier; equal ranks start in the order of their becoming ready.
    fn rank(&self, ticket: &Ticket) -> f32;
}

/// The longest remaining path first: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct CriticalPath;

/// In the order of becoming ready.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

/// The task that is expected to take longest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct LongestFirst;

/// The task that is expected to be over soonest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShortestFirst;

impl Order for CriticalPath {
    fn rank(&self, ticket: &Ticket) -> f32 {
        -ticket.level
    }
}

impl Order for Fifo {
    fn rank(&self, _ticket: &Ticket) -> f32 {
        0.0
    }
}

impl Order for LongestFirst {
    fn rank(&self, ticket: &Ticket) -> f32 {
        -ticket.expected
    }
}

impl Order for ShortestFirst {
    fn rank(&self, ticket: &Ticket) -> f32 {
        ticket.expected
    }
}

/// The bits of a rank, so arranged that they compare as the numbers do (`f32::total_cmp`).
pub(super) fn sortable(rank: f32) -> u32 {
    // Minus zero and zero are one rank.
    let bits = (rank + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// How turns are shared between the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aging {
    /// Turns in the proportion 1000 : 100 : 10 : 1 as long as all classes wait.
    #[default]
    Stride,
    /// The highest class first; every hundredth turn goes to the oldest ticket, if that has waited for 60 s.
    Strict,
}

/// In `Aging::Strict`, one turn in so many is for the old.
const TURNS_PER_OLD_ONE: u64 = 100;
/// In `Aging::Strict`, so long makes a ticket old.
const OLD: std::time::Duration = std::time::Duration::from_secs(60);

/// Whose turn it is: stride scheduling, in which each class pays for a turn in inverse proportion to its weight and
/// the one that has paid least is next.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    aging: Aging,
    paid: [u64; 4],
    /// What the last class to have its turn had paid before: "now" in the currency of turns.
    level: u64,
    waiting: [usize; 4],
    taken: u64,
}

impl Turns {
    pub(super) fn new(aging: Aging) -> Turns {
        Turns { aging, paid: [0; 4], level: 0, waiting: [0; 4], taken: 0 }
    }

    /// A ticket of the class begins to wait. A class that nobody waited in saves nothing up.
    pub(super) fn arrive(&mut self, class: Priority) {
        let at = class as usize;
        if self.waiting[at] == 0 {
            self.paid[at] = self.paid[at].max(self.level + price(class));
        }
        self.waiting[at] += 1;
    }

    /// A ticket of the class waits no longer.
    pub(super) fn leave(&mut self, class: Priority) {
        self.waiting[class as usize] -= 1;
    }

    /// A ticket of the class has been granted what it wants. A class whose tickets could not start for a while gets
    /// one turn at once, not all those it missed.
    pub(super) fn take(&mut self, class: Priority) {
        self.taken += 1;
        let at = class as usize;
        self.level = self.level.max(self.paid[at]);
        self.paid[at] = self.level + price(class);
    }

    /// The class that is next, among those of which a ticket (ready since then) can be looked at.
    pub(super) fn next(&self, now: Timestamp, ready: [Option<Timestamp>; 4]) -> Option<Priority> {
        let present = Priority::ALL.into_iter().filter(|&class| ready[class as usize].is_some());
        match self.aging {
            Aging::Stride => present.min_by_key(|&class| (self.paid[class as usize], class)),
            Aging::Strict => {
                let oldest = present.clone().min_by_key(|&class| (ready[class as usize], class))?;
                let is_old = ready[oldest as usize].is_some_and(|since| now.since(since) >= OLD);
                let turn_of_the_old = self.taken % TURNS_PER_OLD_ONE == TURNS_PER_OLD_ONE - 1;
                if is_old && turn_of_the_old { Some(oldest) } else { present.min() }
            }
        }
    }

    pub(super) fn waiting(&self) -> [usize; 4] {
        self.waiting
    }
}

/// What a turn costs the class.
const fn price(class: Priority) -> u64 {
    Priority::Critical.weight() / class.weight()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_compare_as_their_numbers() {
        let numbers = [f32::NEG_INFINITY, -3.5, -1.0, -0.25, 0.0, 0.25, 7.0, f32::INFINITY];
        assert!(numbers.windows(2).all(|pair| sortable(pair[0]) < sortable(pair[1])));
        assert_eq!(sortable(-0.0), sortable(0.0));
    }
}
