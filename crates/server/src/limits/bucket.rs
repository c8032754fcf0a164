//! Budgets that fill up steadily, one figure for each: the time at which it would be full again.

use std::collections::HashMap;
use std::time::Duration;

use super::Who;
use super::rates::Rate;

/// So many budgets are told apart; whoever comes when all are in use shares one with all others.
const PLACES_MAX: usize = 50_000;

/// When there is no place, those that are full again are given away, at most so often.
const CLEAN_EACH: Duration = Duration::from_millis(250);

/// The budgets of a class.
#[derive(Default)]
pub(super) struct Buckets {
    /// When each is full again.
    full_at: HashMap<Who, Duration>,
    cleaned: Duration,
}

impl Buckets {
    /// Takes one out; otherwise says how long that takes.
    pub fn take(&mut self, who: Who, rate: Rate, now: Duration) -> Result<(), Duration> {
        let who = self.place(who, now);
        let full_at = self.full_at.get(&who).copied().unwrap_or_default().max(now);
        let next = full_at + rate.each();
        match next.checked_sub(now + rate.capacity()) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => {
                self.full_at.insert(who, next);
                Ok(())
            }
        }
    }

    fn place(&mut self, who: Who, now: Duration) -> Who {
        if self.full_at.len() < PLACES_MAX || self.full_at.contains_key(&who) {
            return who;
        }
        if now >= self.cleaned + CLEAN_EACH {
            self.cleaned = now;
            // Of a budget that is full there is nothing to remember.
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < PLACES_MAX { who } else { Who::Others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: fn(&str) -> Rate = |text| Rate::read(text).unwrap().unwrap();

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_budget_may_be_spent_at_once_and_comes_back_bit_by_bit() {
        let (mut buckets, rate) = (Buckets::default(), RATE("60/min burst 3"));
        let mut take = |now| buckets.take(Who::All, rate, at(now));
        assert_eq!([take(5_000), take(5_000), take(5_000)], [Ok(()); 3]);
        assert_eq!(take(5_400), Err(at(600)), "and says when it is worth trying again");
        assert_eq!(take(6_000), Ok(()));
        assert!(take(6_001).is_err());
        assert_eq!([take(90_000), take(90_000), take(90_000)], [Ok(()); 3]);
        assert!(take(90_000).is_err(), "it never holds more than its size");
    }

    #[test]
    fn over_any_span_no_more_passes_than_the_rate_allows() {
        // Against a plain count of what was let through: within any span at most burst + rate × span.
        let (mut buckets, rate) = (Buckets::default(), RATE("10/s burst 4"));
        let mut passed: Vec<u64> = Vec::new();
        let mut now = 0;
        for step in 0..2_000_u64 {
            now += step * 7_919 % 83;
            if buckets.take(Who::All, rate, at(now)).is_ok() {
                passed.push(now);
            }
        }
        for (first, start) in passed.iter().enumerate() {
            for (count, end) in passed[first..].iter().enumerate() {
                let most = 4.0 + (end - start) as f64 / 100.0;
                assert!((count + 1) as f64 <= most + 1e-9, "{} within {} ms", count + 1, end - start);
            }
        }
        assert!(passed.len() > 500, "and what may pass does");
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_memory_and_shares_one_budget() {
        let (mut buckets, rate) = (Buckets::default(), RATE("1/h"));
        let address = |number: u32| Who::behind(std::net::Ipv4Addr::from_bits(number).into());
        for number in 0..PLACES_MAX as u32 + 10_000 {
            // Ends, not errors, are what is looked at here.
            let _ = buckets.take(address(number), rate, at(1_000));
        }
        assert!(buckets.full_at.len() <= PLACES_MAX + 1);
        assert!(buckets.take(address(u32::MAX), rate, at(1_000)).is_err());
        assert!(buckets.take(address(u32::MAX), rate, at(3_700_000)).is_ok(), "later there is room again");
        assert_eq!(buckets.full_at.len(), 1);
    }
}
