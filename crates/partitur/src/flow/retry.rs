//! How long a task waits before its next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use partitur_model::definition::{Backoff, Retry};
use partitur_model::record::TaskError;

/// The pause after so many failed attempts; `None` if there is no further attempt.
pub(super) fn pause(policy: &Retry, attempts: u32, error: &TaskError) -> Option<Duration> {
    let again = attempts < policy.attempts && error.retriable && matches(&policy.errors, &error.code);
    again.then(|| {
        let whole = full_pause(policy, attempts);
        if policy.jitter { whole.mul_f64(random_between_half_and_one()) } else { whole }
    })
}

fn full_pause(policy: &Retry, attempts: u32) -> Duration {
    let factor = match policy.backoff {
        Backoff::Fixed => 1.0,
        Backoff::Linear => f64::from(attempts),
        Backoff::Exponential { factor } => factor.max(1.0).powi(attempts.saturating_sub(1).min(1000) as i32),
    };
    let seconds = (policy.base.as_secs_f64() * factor).min(policy.max.as_secs_f64());
    Duration::try_from_secs_f64(seconds).unwrap_or(policy.max)
}

/// Whether a failure is one of those for which the filter stands; an empty filter stands for all.
fn matches(filter: &[String], code: &str) -> bool {
    filter.is_empty()
        || filter.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => code.starts_with(prefix),
            None => pattern == code,
        })
}

/// From the keys that the standard library draws for its maps: good enough to spread retries.
fn random_between_half_and_one() -> f64 {
    let bits = RandomState::new().hash_one(0u8);
    0.5 + (bits >> 11) as f64 / (1u64 << 54) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: &Retry, code: &str) -> Vec<u64> {
        let error = TaskError::new(code, "");
        (1..)
            .map_while(|attempts| pause(policy, attempts, &error))
            .map(|pause| pause.as_millis() as u64)
            .collect()
    }

    #[test]
    fn pauses_grow_up_to_the_limit_and_attempts_count_the_first() {
        let plain = Retry { jitter: false, attempts: 7, ..Retry::default() };
        assert_eq!(pauses(&plain, "failed"), [1000, 2000, 4000, 8000, 16000, 16000]);
        let linear = Retry { backoff: Backoff::Linear, attempts: 4, ..plain.clone() };
        assert_eq!(pauses(&linear, "failed"), [1000, 2000, 3000]);
        let fixed = Retry { backoff: Backoff::Fixed, attempts: 3, ..plain };
        assert_eq!(pauses(&fixed, "failed"), [1000, 1000]);
    }

    #[test]
    fn jitter_leaves_between_half_and_the_whole() {
        for pause in (0..100).flat_map(|_| pauses(&Retry { attempts: 2, ..Retry::default() }, "failed")) {
            assert!((500..=1000).contains(&pause), "{pause} ms");
        }
    }

    #[test]
    fn only_failures_that_the_filter_names_and_another_attempt_may_mend_are_retried() {
        let filtered = Retry { errors: vec!["http-5*".to_owned(), "timeout".to_owned()], ..Retry::default() };
        assert_eq!(pauses(&filtered, "http-503").len(), 4);
        assert_eq!(pauses(&filtered, "timeout").len(), 4);
        assert_eq!(pauses(&filtered, "http-404").len(), 0);
        assert_eq!(pause(&Retry::default(), 1, &TaskError::terminal("failed", "")), None);
    }
}
