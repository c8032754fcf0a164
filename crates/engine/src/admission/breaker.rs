//! Circuit breakers: a dependency that fails is left alone for a while, then probed.

use partitur_model::Timestamp;
use partitur_model::definition::BreakerSpec;
use partitur_model::record::{BreakerRecord, BreakerState};

/// A breaker and how many attempts behind it are alive.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    pub(super) spec: BreakerSpec,
    state: BreakerState,
    pub(super) alive: u32,
}

impl Breaker {
    pub(super) fn new(spec: BreakerSpec) -> Breaker {
        Breaker { spec, state: BreakerState::Closed { failures: 0 }, alive: 0 }
    }

    /// How it stands now: an open one whose time is over is half open.
    pub(super) fn state(&self, now: Timestamp) -> BreakerState {
        match self.state {
            BreakerState::Open { until } if until <= now => BreakerState::HalfOpen { successes: 0 },
            state @ (BreakerState::Closed { .. }
            | BreakerState::Open { .. }
            | BreakerState::HalfOpen { .. }) => state,
        }
    }

    pub(super) fn fits(&self, now: Timestamp) -> bool {
        match self.state(now) {
            BreakerState::Closed { .. } => true,
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen { .. } => self.alive < self.spec.probes_max.max(1),
        }
    }

    /// When time alone opens the way.
    pub(super) fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        match self.state(now) {
            BreakerState::Open { until } => Some(until),
            BreakerState::Closed { .. } | BreakerState::HalfOpen { .. } => None,
        }
    }

    /// An attempt behind the breaker has ended. The end of one that started before it opened says nothing new.
    pub(super) fn report(&mut self, now: Timestamp, success: bool) -> Option<BreakerRecord> {
        let next = match (self.state(now), success) {
            (BreakerState::Closed { .. }, true) => BreakerState::Closed { failures: 0 },
            (BreakerState::Closed { failures }, false) if failures + 1 < self.spec.failures_max => {
                BreakerState::Closed { failures: failures + 1 }
            }
            (BreakerState::Closed { .. } | BreakerState::HalfOpen { .. }, false) => {
                BreakerState::Open { until: now + self.spec.open_for }
            }
            (BreakerState::HalfOpen { successes }, true) if successes + 1 < self.spec.successes_min => {
                BreakerState::HalfOpen { successes: successes + 1 }
            }
            (BreakerState::HalfOpen { .. }, true) => BreakerState::Closed { failures: 0 },
            (open @ BreakerState::Open { .. }, true | false) => open,
        };
        self.set(next)
    }

    /// Somebody has mended the dependency.
    pub(super) fn reset(&mut self) -> Option<BreakerRecord> {
        self.set(BreakerState::Closed { failures: 0 })
    }

    /// How it stands in its row.
    pub(super) fn recorded(&self) -> BreakerState {
        self.state
    }

    pub(super) fn restore(&mut self, state: BreakerState) {
        self.state = state;
    }

    fn set(&mut self, next: BreakerState) -> Option<BreakerRecord> {
        let changed = self.state != next;
        self.state = next;
        changed.then(|| BreakerRecord { name: self.spec.name.clone(), state: next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BreakerState::{Closed, HalfOpen, Open};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn five_failures_open_it_and_two_successful_probes_close_it() {
        let mut breaker = Breaker::new(BreakerSpec::named("erp"));
        for failures in 1..5 {
            assert_eq!(breaker.report(at(0), false).unwrap().state, Closed { failures });
        }
        assert_eq!(breaker.report(at(1), false).unwrap().state, Open { until: at(61) });
        assert_eq!(breaker.report(at(2), true), None);
        assert!(!breaker.fits(at(60)));
        assert!(breaker.fits(at(61)));
        assert_eq!(breaker.report(at(62), true).unwrap().state, HalfOpen { successes: 1 });
        assert_eq!(breaker.report(at(63), true).unwrap().state, Closed { failures: 0 });
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let mut breaker = Breaker::new(BreakerSpec::named("erp"));
        for success in [false, false, false, false, true, false, false, false, false] {
            breaker.report(at(0), success);
        }
        assert_eq!(breaker.state(at(0)), Closed { failures: 4 });
    }

    #[test]
    fn one_failed_probe_opens_it_again() {
        let mut breaker = Breaker::new(BreakerSpec::named("erp"));
        breaker.restore(Open { until: at(60) });
        assert_eq!(breaker.report(at(70), false).unwrap().state, Open { until: at(130) });
        assert_eq!(breaker.reset().unwrap().state, Closed { failures: 0 });
        assert_eq!(breaker.reset(), None);
    }
}
