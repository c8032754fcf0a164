//! How much of a time was covered by times of some kind, in the time of a look-up.

use std::time::Duration;

/// Times, apart from each other, in order.
#[derive(Debug, Default)]
pub(crate) struct Covered {
    /// From when, until when, and how much was covered before.
    times: Vec<(Duration, Duration, Duration)>,
}

impl Covered {
    /// By at least one of these.
    pub fn by(mut times: Vec<(Duration, Duration)>) -> Covered {
        times.sort_unstable();
        let mut covered = Covered::default();
        for (from, to) in times {
            match covered.times.last_mut() {
                Some((_, end, _)) if from <= *end => *end = (*end).max(to),
                Some(_) | None => covered.times.push((from, to, Duration::ZERO)),
            }
        }
        let mut before = Duration::ZERO;
        for (from, to, sum) in &mut covered.times {
            *sum = before;
            before += *to - *from;
        }
        covered
    }

    /// So much of the time between two moments.
    pub fn between(&self, from: Duration, to: Duration) -> Duration {
        self.until(to).saturating_sub(self.until(from))
    }

    fn until(&self, moment: Duration) -> Duration {
        let at = self.times.partition_point(|&(from, _, _)| from <= moment);
        let Some(&(from, to, before)) = at.checked_sub(1).and_then(|at| self.times.get(at)) else {
            return Duration::ZERO;
        };
        before + (moment.min(to) - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_times_cover_once() {
        let seconds = Duration::from_secs;
        let covered =
            Covered::by(vec![(seconds(7), seconds(9)), (seconds(1), seconds(3)), (seconds(2), seconds(4))]);
        assert_eq!(covered.between(seconds(0), seconds(20)), seconds(5));
        assert_eq!(covered.between(seconds(2), seconds(8)), seconds(3));
        assert_eq!(covered.between(seconds(4), seconds(7)), Duration::ZERO);
    }
}
