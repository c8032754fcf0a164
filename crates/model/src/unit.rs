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

/// Reads a span as Conductor's WAIT spells it: `1 days 2 hours 30 minutes 5 seconds`, with `d`, `h`, `m`, `s` for
/// short, in this order, each at most once, in whatever case.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_wait_duration(text: &str) -> Result<Duration, BadTime> {
    const UNITS: [(&[&str], u64); 4] = [
        (&["d", "day", "days"], 86_400),
        (&["h", "hr", "hrs", "hour", "hours"], 3_600),
        (&["m", "min", "mins", "minute", "minutes"], 60),
        (&["s", "sec", "secs", "second", "seconds"], 1),
    ];
    let bad = || BadTime(format!("`{text}` is no duration such as `2 hours 30 minutes 5 seconds`"));
    let lower = text.to_ascii_lowercase();
    let (mut rest, mut units, mut seconds) = (lower.trim(), UNITS.iter(), 0_u64);
    while !rest.is_empty() {
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let number: u64 = rest[..digits_end].parse().map_err(|_| bad())?;
        rest = rest[digits_end..].trim_start();
        let word_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, factor) = units.find(|(words, _)| words.contains(&&rest[..word_end])).ok_or_else(bad)?;
        rest = rest[word_end..].trim_start();
        seconds = number.checked_mul(*factor).and_then(|span| seconds.checked_add(span)).ok_or_else(bad)?;
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads a point in time as Conductor's WAIT spells it: `2026-11-21`, `2026-11-21 10:20`, `2026-11-21 10:20 CET`;
/// also in the form of RFC 3339. Without a zone it is UTC.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_wait_until(text: &str) -> Result<Timestamp, BadTime> {
    let text = text.trim();
    if text.contains('T') && text.ends_with('Z') {
        return parse_timestamp(text);
    }
    let bad = |why: &str| BadTime(format!("`{text}` is no date such as `2026-11-21 10:20 UTC`{why}"));
    let mut parts = text.splitn(3, ' ');
    let date = parts.next().unwrap_or_default();
    let time = parts.next().unwrap_or("00:00");
    let offset = match parts.next() {
        None => 0,
        Some(zone) => {
            zone_offset(zone.trim()).ok_or_else(|| bad(": the zone is not known; write it as `GMT+2`"))?
        }
    };
    let local = parse_timestamp(&format!("{date}T{time}:00Z")).map_err(|_| bad(""))?;
    let micros = i64::try_from(local.0).map_err(|_| bad(""))?.checked_sub(offset * 60_000_000);
    micros.and_then(|micros| u64::try_from(micros).ok()).map(Timestamp).ok_or_else(|| bad(""))
}

/// How many minutes a zone is ahead of UTC: its abbreviation, or `GMT+2`, `UTC-03:30`, `+0200`.
fn zone_offset(zone: &str) -> Option<i64> {
    const ZONES: [(&str, i64); 30] = [
        ("UTC", 0),
        ("GMT", 0),
        ("Z", 0),
        ("WET", 0),
        ("WEST", 60),
        ("BST", 60),
        ("CET", 60),
        ("CEST", 120),
        ("EET", 120),
        ("EEST", 180),
        ("MSK", 180),
        ("IST", 330),
        ("SGT", 480),
        ("HKT", 480),
        ("AWST", 480),
        ("JST", 540),
        ("KST", 540),
        ("AEST", 600),
        ("AEDT", 660),
        ("NZST", 720),
        ("NZDT", 780),
        ("EST", -300),
        ("EDT", -240),
        ("CST", -360),
        ("CDT", -300),
        ("MST", -420),
        ("MDT", -360),
        ("PST", -480),
        ("PDT", -420),
        ("HST", -600),
    ];
    let name = zone.to_ascii_uppercase();
    if let Some((_, minutes)) = ZONES.iter().find(|(known, _)| *known == name) {
        return Some(*minutes);
    }
    let offset = name.strip_prefix("GMT").or_else(|| name.strip_prefix("UTC")).unwrap_or(&name);
    let (sign, digits) = match offset.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |digits: &str, max: i64| digits.parse().ok().filter(|number| (0..=max).contains(number));
    Some(sign * (number(hours, 14)? * 60 + number(minutes, 59)?))
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

    #[test]
    fn a_wait_is_spelt_as_conductor_spells_it() {
        let seconds = |text: &str| parse_wait_duration(text).map(|span| span.as_secs()).ok();
        assert_eq!(seconds("1 days 2 hours 30 minutes 5 seconds"), Some(95_405));
        assert_eq!(seconds(" 1D 2h30M 5s "), Some(95_405));
        assert_eq!(seconds("90 Secs"), Some(90));
        assert_eq!(seconds(""), Some(0));
        for text in
            ["5", "5 x", "5 s 1 h", "1 h 1 h", "s", "-1 s", "1.5 s", "99999999999999999999 d", "9e9 s"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_wait_ends_on_a_date_in_a_zone() {
        let until = |text: &str| parse_wait_until(text).map(format_timestamp);
        let is = |time: &str| Ok(format!("{time}.000Z"));
        assert_eq!(until("2026-11-21"), is("2026-11-21T00:00:00"));
        assert_eq!(until("2026-11-21 10:20"), is("2026-11-21T10:20:00"));
        assert_eq!(until("2026-11-21 10:20 CET"), is("2026-11-21T09:20:00"));
        assert_eq!(until("2026-11-21 10:20 PST"), is("2026-11-21T18:20:00"));
        assert_eq!(until("2026-11-21 10:20 GMT-03:30"), is("2026-11-21T13:50:00"));
        assert_eq!(until("2026-11-21 10:20 +0200"), is("2026-11-21T08:20:00"));
        assert_eq!(until("2026-11-21T10:20:30Z"), is("2026-11-21T10:20:30"));
        for text in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-11-21 25:00",
            "2026-11-21 10:20 Mars",
            "1970-01-01 00:00 CET",
        ] {
            assert!(until(text).is_err(), "{text}");
        }
    }
}
