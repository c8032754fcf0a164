//! When somebody is told again who could not be told: a pure function of what has happened so far.

use std::time::Duration;

use partitur_model::Timestamp;

/// How often, and with which pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Tries after the first one.
    pub retries: u32,
    /// Before the second try; each further pause is twice as long.
    pub pause: Duration,
}

/// No pause is longer, whoever asks for it.
pub const PAUSE_MAX: Duration = Duration::from_secs(300);

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was an answer.
    Answered {
        /// Its status.
        status: u16,
        /// After which pause it wants to hear again.
        retry_after: Option<Duration>,
    },
    /// Nobody may be told there.
    Refused(String),
    /// There was no answer; why, for people.
    Unanswered(String),
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whoever was to be told has been told.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is not tried again by itself.
    Dead,
}

/// The receiver is gone, and says so.
const GONE: u16 = 410;

impl Policy {
    /// What follows from the last of so many tries.
    ///
    /// Whatever is no success may be one later: keys change, proxies err, what is missing is rolled out. Only a receiver
    /// that says that it is gone for good, and one that may not be reached, are given up at once.
    pub fn judge(&self, tries: u32, outcome: &Outcome, now: Timestamp) -> Verdict {
        let wish = match outcome {
            Outcome::Answered { status: 200..=299, .. } => return Verdict::Delivered,
            Outcome::Answered { status: GONE, .. } | Outcome::Refused(_) => return Verdict::Dead,
            Outcome::Answered { retry_after, .. } => retry_after.unwrap_or_default(),
            Outcome::Unanswered(_) => Duration::ZERO,
        };
        if tries > self.retries {
            return Verdict::Dead;
        }
        Verdict::Again(now + self.pause_after(tries).max(wish.min(PAUSE_MAX)))
    }

    fn pause_after(&self, tries: u32) -> Duration {
        let times = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.pause.saturating_mul(times).min(PAUSE_MAX)
    }
}

impl Outcome {
    /// For people; nothing if all is well.
    pub fn problem(&self) -> Option<String> {
        match self {
            Outcome::Answered { status: 200..=299, .. } => None,
            Outcome::Answered { status, .. } => Some(format!("it was answered with {status}")),
            Outcome::Refused(why) | Outcome::Unanswered(why) => Some(why.clone()),
        }
    }
}

/// The pause that a header wants: seconds, or a time.
pub(crate) fn read_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text.trim()).ok()?;
    let then = then.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(then.saturating_sub(Duration::from_micros(now.micros())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { retries: 3, pause: Duration::from_secs(10) };

    fn answered(status: u16) -> Outcome {
        Outcome::Answered { status, retry_after: None }
    }

    /// After which seconds each try is made, on a clock that goes on by itself to whatever is due.
    fn tries(policy: Policy, outcome: &Outcome) -> Vec<u64> {
        let (mut now, mut made) = (Timestamp::ZERO, Vec::new());
        loop {
            made.push(now.millis() / 1_000);
            match policy.judge(made.len() as u32, outcome, now) {
                Verdict::Again(then) => now = then,
                Verdict::Delivered | Verdict::Dead => return made,
            }
        }
    }

    #[test]
    fn there_are_three_retries_and_each_pause_is_twice_as_long() {
        assert_eq!(tries(POLICY, &answered(500)), [0, 10, 30, 70]);
        assert_eq!(tries(POLICY, &Outcome::Unanswered("nobody listens".to_owned())), [0, 10, 30, 70]);
        assert_eq!(tries(POLICY, &answered(404)), [0, 10, 30, 70]);
        assert_eq!(tries(POLICY, &answered(302)), [0, 10, 30, 70]);
    }

    #[test]
    fn no_pause_is_longer_than_five_minutes_whoever_asks_for_it() {
        let patient = Policy { retries: 6, pause: Duration::from_secs(60) };
        assert_eq!(tries(patient, &answered(500)), [0, 60, 180, 420, 720, 1020, 1320]);
        let late = Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(86_400)) };
        assert_eq!(tries(POLICY, &late), [0, 300, 600, 900]);
        let soon = Outcome::Answered { status: 429, retry_after: Some(Duration::from_secs(15)) };
        assert_eq!(tries(POLICY, &soon), [0, 15, 35, 75]);
        let most = Policy { retries: u32::MAX, pause: Duration::MAX };
        assert_eq!(
            most.judge(u32::MAX - 1, &answered(500), Timestamp::ZERO),
            Verdict::Again(Timestamp::ZERO + PAUSE_MAX)
        );
    }

    #[test]
    fn who_is_gone_or_may_not_be_reached_is_given_up_at_once() {
        assert_eq!(tries(POLICY, &answered(410)), [0]);
        assert_eq!(tries(POLICY, &Outcome::Refused("inside".to_owned())), [0]);
        for status in [200, 204, 299] {
            assert_eq!(POLICY.judge(1, &answered(status), Timestamp::ZERO), Verdict::Delivered);
        }
        assert_eq!(POLICY.judge(4, &answered(200), Timestamp::ZERO), Verdict::Delivered);
    }

    #[test]
    fn a_pause_is_wanted_in_seconds_or_until_a_time() {
        let now = Timestamp::from_millis(784_111_767_000);
        assert_eq!(read_retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(read_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(read_retry_after("Sat, 06 Nov 1993 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(read_retry_after("soon", now), None);
    }
}
