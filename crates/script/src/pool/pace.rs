//! How long a helper has been at what it does, and whether it was given a processor for it.
//!
//! On a busy machine a helper may wait longer than it works. Its request is called slow or endless for what it has
//! computed, not for what others have; only after several times its time it is ended in any case.

use std::time::{Duration, Instant};

/// What takes longer makes nobody wait behind it.
const SLOW_AFTER: Duration = Duration::from_millis(20);

/// Nothing is looked at earlier, and a second time after as long.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// A helper notices itself when JavaScript takes too long; only if it does not in this time it is killed.
const GRACE: Duration = Duration::from_millis(25);

/// After so many times its time a request is ended even if it had no processor.
const PATIENCE: u32 = 5;

/// What a helper does now, be it nothing.
pub(super) struct Work {
    pub since: Instant,
    /// What the helper had computed in its life when this work was looked at first.
    first_look: Option<Duration>,
}

/// How a request is getting on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Fine,
    /// Nobody should wait behind it.
    Slow,
    /// It has used up its time.
    Endless,
}

impl Work {
    pub fn begin(now: Instant) -> Work {
        Work { since: now, first_look: None }
    }

    /// Judges a request that may take `timeout`; `computed` is what its helper has computed in its life.
    pub fn judge(&mut self, now: Instant, timeout: Duration, computed: impl FnOnce() -> Duration) -> Pace {
        let wall = now.duration_since(self.since);
        if wall < LOOK_AFTER {
            return Pace::Fine;
        }
        let computed = computed();
        let busy = computed.saturating_sub(*self.first_look.get_or_insert(computed));
        let is_over = wall >= timeout + GRACE && busy >= timeout / 2;
        if is_over || wall >= timeout * PATIENCE + GRACE {
            Pace::Endless
        } else if wall >= SLOW_AFTER && busy >= LOOK_AFTER / 2 {
            Pace::Slow
        } else {
            Pace::Fine
        }
    }

    /// When to judge next; who is known to be slow is left alone until its time is over.
    pub fn next_look(&self, now: Instant, timeout: Duration, is_slow: bool) -> Instant {
        match self.first_look {
            None => self.since + LOOK_AFTER,
            Some(_) if is_slow => (self.since + timeout + GRACE).max(now + LOOK_AFTER),
            Some(_) => now + LOOK_AFTER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    /// The paces at such times, when so much has been computed, in milliseconds.
    fn paces(looks: &[(u64, u64)]) -> Vec<Pace> {
        let start = Instant::now();
        let mut work = Work::begin(start);
        let millis = Duration::from_millis;
        looks
            .iter()
            .map(|&(at, computed)| work.judge(start + millis(at), TIMEOUT, || millis(computed)))
            .collect()
    }

    #[test]
    fn who_computes_is_slow_soon_and_endless_when_its_time_is_over() {
        let looks = [(5, 1000), (10, 1005), (20, 1015), (124, 1115), (125, 1116)];
        assert_eq!(paces(&looks), [Pace::Fine, Pace::Fine, Pace::Slow, Pace::Slow, Pace::Endless]);
    }

    #[test]
    fn who_is_given_no_processor_has_more_time_but_not_for_ever() {
        let looks = [(10, 1000), (50, 1001), (130, 1002), (400, 1004), (525, 1004)];
        assert_eq!(paces(&looks), [Pace::Fine, Pace::Fine, Pace::Fine, Pace::Fine, Pace::Endless]);
    }

    #[test]
    fn it_is_looked_at_when_something_may_have_become_of_it() {
        let start = Instant::now();
        let (mut work, later) = (Work::begin(start), start + LOOK_AFTER);
        assert_eq!(work.next_look(start, TIMEOUT, false), later);
        work.judge(later, TIMEOUT, || Duration::ZERO);
        assert_eq!(work.next_look(later, TIMEOUT, false), later + LOOK_AFTER);
        assert_eq!(work.next_look(later, TIMEOUT, true), start + TIMEOUT + GRACE);
    }
}
