//! What the settings say: `60/min`, `1000/h burst 50`, `off`.

use std::time::Duration;

use super::Class;

/// So many in a span, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per: Duration,
    burst: u32,
}

impl Rate {
    /// Reads a rate; `off` is none. Without `burst`, all of it may come at once.
    ///
    /// # Errors
    /// What it should look like.
    pub fn read(text: &str) -> Result<Option<Rate>, String> {
        let wrong = || format!("`off`, or a rate as 60/min or 1000/h burst 50, not `{text}`");
        if text == "off" {
            return Ok(None);
        }
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(burst.trim().parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let (count, unit) = rate.split_once('/').ok_or_else(wrong)?;
        let count: u32 = count.trim().parse().map_err(|_| wrong())?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3_600),
            _ => return Err(wrong()),
        };
        let burst = burst.unwrap_or(count);
        let sound = (1..=1_000_000).contains(&count) && (1..=1_000_000).contains(&burst);
        if sound { Ok(Some(Rate { count, per, burst })) } else { Err(wrong()) }
    }

    /// One comes back in so long.
    pub(super) fn each(self) -> Duration {
        self.per / self.count
    }

    /// All come back in so long.
    pub(super) fn capacity(self) -> Duration {
        self.each() * self.burst
    }

    /// So many in so many seconds, as clients are told.
    pub fn told(self) -> String {
        format!("{};w={}", self.count, self.per.as_secs())
    }
}

/// All rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of all who are no workers, together.
    pub global: Option<Rate>,
    /// Of an address without a key.
    pub anonymous: Option<Rate>,
    /// Of what a person changes.
    pub person: Option<Rate>,
    /// Of a program, and of what a person looks at.
    pub machine: Option<Rate>,
    /// Of a worker's key.
    pub worker: Option<Rate>,
    /// So many follow runs at once, with one key.
    pub streams: u32,
}

impl Rates {
    /// That of a class.
    pub fn of(&self, class: Class) -> Option<Rate> {
        match class {
            Class::Anonymous => self.anonymous,
            Class::Person => self.person,
            Class::Machine => self.machine,
            Class::Worker => self.worker,
            Class::Stream => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let rate = |text: &str| Rate::read(text).unwrap().map(|rate| (rate.each().as_millis(), rate.burst));
        assert_eq!(rate("60/min"), Some((1_000, 60)));
        assert_eq!(rate("1000/h burst 5"), Some((3_600, 5)));
        assert_eq!(rate("off"), None);
        for bad in ["", "60", "60/day", "0/s", "-1/s", "1/s burst 0", "1e9/s", "1/s burst", "99999999/s"] {
            assert!(Rate::read(bad).is_err(), "{bad}");
        }
    }
}
