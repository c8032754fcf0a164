//! At most so many in any span of time.

use std::collections::VecDeque;
use std::time::Duration;

use partitur_model::Timestamp;

/// An exact sliding window: it remembers each permit given out until its span is over.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    pub(super) permits: u32,
    per: Duration,
    /// When permits were given out and how many, oldest first.
    given: VecDeque<(Timestamp, u32)>,
}

impl Rate {
    pub(super) fn new(permits: u32, per: Duration) -> Rate {
        Rate { permits, per, given: VecDeque::new() }
    }

    /// Changes the figures; what was given out still counts.
    pub(super) fn set(&mut self, permits: u32, per: Duration) {
        (self.permits, self.per) = (permits, per);
    }

    /// Whether these are its figures.
    pub(super) fn is(&self, permits: u32, per: Duration) -> bool {
        (self.permits, self.per) == (permits, per)
    }

    pub(super) fn fits(&self, now: Timestamp, units: u32) -> bool {
        u64::from(units) + self.in_window(now) <= u64::from(self.permits)
    }

    pub(super) fn take(&mut self, at: Timestamp, units: u32) {
        while self.given.front().is_some_and(|&(given, _)| given + self.per <= at) {
            self.given.pop_front();
        }
        // Adopted attempts arrive in any order.
        let place = self.given.partition_point(|&(given, _)| given <= at);
        self.given.insert(place, (at, units));
    }

    /// When `units` fit, if nothing else is given out until then.
    pub(super) fn opens(&self, now: Timestamp, units: u32) -> Timestamp {
        let mut excess = (u64::from(units) + self.in_window(now)).saturating_sub(u64::from(self.permits));
        for &(given, gone) in self.given.iter().filter(|&&(given, _)| given + self.per > now) {
            if excess == 0 {
                return now;
            }
            excess = excess.saturating_sub(u64::from(gone));
            if excess == 0 {
                return given + self.per;
            }
        }
        if excess == 0 { now } else { Timestamp::MAX }
    }

    fn in_window(&self, now: Timestamp) -> u64 {
        let over = self.given.partition_point(|&(given, _)| given + self.per <= now);
        self.given.range(over..).map(|&(_, units)| u64::from(units)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_than_the_permits() {
        let mut rate = Rate::new(3, Duration::from_secs(10));
        let mut given = Vec::new();
        for second in 0..100 {
            let now = Timestamp::from_millis(second * 700);
            if rate.fits(now, 1) {
                rate.take(now, 1);
                given.push(now);
            } else {
                assert!(rate.opens(now, 1) > now);
            }
        }
        assert!(given.windows(4).all(|four| four[3].since(four[0]) >= Duration::from_secs(10)));
        assert!(given.len() >= 18);
    }
}
