//! Whether a failed attempt is followed by another, and when.

use std::time::Duration;

use partitur_model::definition::{Backoff, Retry};
use partitur_model::record::TaskError;

/// The pause before the next attempt, or `None` if there is none. `attempt` counts the one that failed; `seed` decides
/// the jitter, so that the same inputs give the same pauses.
pub(crate) fn pause(retry: &Retry, attempt: u32, error: &TaskError, seed: u64) -> Option<Duration> {
    let is_meant =
        retry.errors.is_empty() || retry.errors.iter().any(|pattern| matches(pattern, &error.code));
    if !error.retriable || !is_meant || attempt >= retry.attempts {
        return None;
    }
    let full = length(retry, attempt).min(retry.max);
    let pause = if retry.jitter { jittered(full, seed) } else { full };
    let share = (mix(seed) >> 11) as f64 / (1_u64 << 53) as f64;
    Some(pause.saturating_add(retry.spread.mul_f64(share)))
}

fn length(retry: &Retry, attempt: u32) -> Duration {
    let factor = match retry.backoff {
        Backoff::Fixed => 1.0,
        Backoff::Linear => f64::from(attempt),
        Backoff::Exponential { factor } => factor.max(1.0).powi(attempt.saturating_sub(1).min(1000) as i32),
    };
    Duration::try_from_secs_f64(retry.base.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// From half of the pause to the whole: enough to part a herd, and never so short that the pause loses its point.
fn jittered(full: Duration, seed: u64) -> Duration {
    let share = 0.5 + 0.5 * (mix(seed) >> 11) as f64 / (1_u64 << 53) as f64;
    full.mul_f64(share)
}

/// SplitMix64's finaliser: neighbouring seeds give unrelated numbers.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn matches(pattern: &str, code: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => pattern == code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(retry: &Retry) -> Vec<u64> {
        let error = TaskError::new("exit-1", "");
        (1..).map_while(|attempt| pause(retry, attempt, &error, 7)).map(|pause| pause.as_secs()).collect()
    }

    #[test]
    fn the_default_doubles_from_one_second_to_sixteen() {
        let retry = Retry { jitter: false, attempts: 8, ..Retry::default() };
        assert_eq!(pauses(&retry), [1, 2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn linear_and_fixed_pauses() {
        let fixed = Retry { jitter: false, backoff: Backoff::Fixed, attempts: 4, ..Retry::default() };
        assert_eq!(pauses(&fixed), [1, 1, 1]);
        let linear = Retry { backoff: Backoff::Linear, ..fixed };
        assert_eq!(pauses(&linear), [1, 2, 3]);
    }

    #[test]
    fn only_the_errors_that_are_meant_are_retried() {
        let retry = Retry { errors: vec!["http-5*".into(), "timeout".into()], ..Retry::default() };
        let after = |code: &str| pause(&retry, 1, &TaskError::new(code, ""), 7).is_some();
        assert!(after("http-503") && after("timeout"));
        assert!(!after("http-404") && !after("exit-1"));
        assert!(pause(&retry, 1, &TaskError::terminal("timeout", ""), 7).is_none());
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let retry = Retry::default();
        for seed in 0..1000 {
            let pause = pause(&retry, 3, &TaskError::new("x", ""), seed).unwrap();
            assert!((Duration::from_secs(2)..=Duration::from_secs(4)).contains(&pause), "{pause:?}");
        }
    }

    #[test]
    fn extreme_policies_do_not_overflow() {
        let retry =
            Retry { backoff: Backoff::Exponential { factor: 1e300 }, attempts: u32::MAX, ..Retry::default() };
        assert!(pause(&retry, u32::MAX - 1, &TaskError::new("x", ""), 1).unwrap() <= retry.max);
    }
}
