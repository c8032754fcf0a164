//! Time. Durations are [`std::time::Duration`]; points in time are [`Timestamp`].

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time, in microseconds since the Unix epoch.
///
/// The engine only ever sees times that came in with an input; it never reads a clock.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const ZERO: Timestamp = Timestamp(0);
    /// Later than every real time: "never".
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: u64) -> Timestamp {
        Timestamp(micros)
    }

    /// From milliseconds since the Unix epoch; saturates.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis.saturating_mul(1000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn millis(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturates at [`Timestamp::MAX`]: a timeout of a million years is "never", not a panic.
    fn add(self, duration: Duration) -> Timestamp {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(micros))
    }
}

impl Sub<Timestamp> for Timestamp {
    type Output = Duration;

    /// The same as [`Timestamp::since`].
    fn sub(self, earlier: Timestamp) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// The text is not a duration or a point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTime(String);

/// Reads a duration such as `250ms`, `90s`, `2h 30m`, `1d`. A bare number is an error: its unit would be a guess.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, BadTime> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadTime(format!(
            "a duration needs a unit: `{text}s` for seconds, `{text}ms`, `{text}m`, `{text}h`"
        )));
    }
    humantime::parse_duration(text).map_err(|error| BadTime(format!("`{text}` is not a duration: {error}")))
}

/// Prints a duration as people write it: `1h 30m`, `250ms`.
pub fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Reads a point in time in the form of RFC 3339 with the zone `Z`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, BadTime> {
    let time = humantime::parse_rfc3339_weak(text).map_err(|error| BadTime(format!("`{text}`: {error}")))?;
    let since = time
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|_| BadTime(format!("`{text}` lies before 1970")))?;
    Ok(Timestamp::ZERO + since)
}

/// Prints a point in time in the form of RFC 3339, to the millisecond.
pub fn format_timestamp(time: Timestamp) -> String {
    let since = Duration::from_millis(time.millis().min(253_402_300_799_000));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_no_duration() {
        assert!(parse_duration("30").unwrap_err().to_string().contains("`30s` for seconds"));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn times_survive_printing() {
        let time = parse_timestamp("2026-11-21T10:20:30.250Z").unwrap();
        assert_eq!(format_timestamp(time), "2026-11-21T10:20:30.250Z");
        assert!(parse_timestamp("tomorrow").is_err());
        assert_eq!(Timestamp::from_millis(5) + Duration::MAX, Timestamp::MAX);
    }
}
