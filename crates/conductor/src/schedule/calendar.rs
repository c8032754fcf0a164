//! Days and hours in a time zone: how they are set, added, and what becomes of those that a change of the clocks leaves
//! out or has twice.
//!
//! An hour that is left out is as much later as the clocks go forward; of one that there is twice, whoever comes from the
//! first stays in the first, and whoever comes from the second in the second.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Zoned};

/// A part of a time that an expression speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Unit {
    /// The smallest value.
    pub fn first(self) -> i8 {
        match self {
            Unit::Second | Unit::Minute | Unit::Hour => 0,
            Unit::Day | Unit::Month | Unit::Weekday => 1,
        }
    }

    /// The largest value that there ever is.
    pub fn last(self) -> i8 {
        match self {
            Unit::Second | Unit::Minute => 59,
            Unit::Hour => 23,
            Unit::Day => 31,
            Unit::Month => 12,
            Unit::Weekday => 7,
        }
    }

    /// The largest value at this time.
    pub fn last_at(self, at: &Zoned) -> i8 {
        match self {
            Unit::Day => at.days_in_month(),
            Unit::Second | Unit::Minute | Unit::Hour | Unit::Month | Unit::Weekday => self.last(),
        }
    }

    /// Its value; Monday is the first day of a week.
    pub fn of(self, at: &Zoned) -> i8 {
        match self {
            Unit::Second => at.second(),
            Unit::Minute => at.minute(),
            Unit::Hour => at.hour(),
            Unit::Day => at.day(),
            Unit::Month => at.month(),
            Unit::Weekday => at.weekday().to_monday_one_offset(),
        }
    }

    /// The time with this value instead; a month that is shorter ends sooner.
    pub fn set(self, at: &Zoned, value: i8) -> Option<Zoned> {
        let local = at.datetime();
        let local = match self {
            Unit::Second => local.with().second(value).build(),
            Unit::Minute => local.with().minute(value).build(),
            Unit::Hour => local.with().hour(value).build(),
            Unit::Day => local.with().day(value).build(),
            Unit::Month => local.checked_add(Span::new().months(value - local.month())),
            Unit::Weekday => local.checked_add(Span::new().days(value - self.of(at))),
        };
        resolved(local.ok()?, at)
    }

    /// So much later: hours and less are hours of a clock that nobody changes.
    pub fn later(self, at: &Zoned, amount: i8) -> Option<Zoned> {
        let span = match self {
            Unit::Second => Span::new().seconds(amount),
            Unit::Minute => Span::new().minutes(amount),
            Unit::Hour => Span::new().hours(amount),
            Unit::Day | Unit::Weekday => return days_later(at, amount),
            Unit::Month => {
                return resolved(at.datetime().checked_add(Span::new().months(amount)).ok()?, at);
            }
        };
        at.checked_add(span).ok()
    }

    /// The beginning of the next round of values: of the next minute, hour, day, week, month or year.
    pub fn next_round(self, at: &Zoned) -> Option<Zoned> {
        let next = match self {
            Unit::Second => Unit::Minute.later(at, 1),
            Unit::Minute => Unit::Hour.later(at, 1),
            Unit::Hour => Unit::Day.later(at, 1),
            Unit::Day => Unit::Month.later(at, 1),
            Unit::Month => resolved(at.datetime().checked_add(Span::new().years(1)).ok()?, at),
            Unit::Weekday => days_later(at, 7),
        }?;
        self.set(&next, self.first())
    }

    /// The next time at which it has this value; what is smaller stays as it is. Where a month has no such day, the first
    /// of the next one.
    pub fn go_to(self, at: &Zoned, value: i8) -> Option<Zoned> {
        let (now, last) = (self.of(at), self.last_at(at));
        if now < value && value <= last {
            self.set(at, value)
        } else if now < value {
            self.later(at, last - now + 1)
        } else {
            self.later(at, value + last - now + 1 - self.first())
        }
    }

    /// Whatever is smaller than this begins anew.
    pub fn restart_smaller(self, at: &Zoned) -> Option<Zoned> {
        let smaller: &[Unit] = match self {
            Unit::Second => &[],
            Unit::Minute => &[Unit::Second],
            Unit::Hour => &[Unit::Minute, Unit::Second],
            Unit::Day | Unit::Weekday => &[Unit::Hour, Unit::Minute, Unit::Second],
            Unit::Month => &[Unit::Day, Unit::Hour, Unit::Minute, Unit::Second],
        };
        let whole = resolved(at.datetime().with().subsec_nanosecond(0).build().ok()?, at)?;
        smaller.iter().try_fold(whole, |at, unit| unit.set(&at, unit.first()))
    }
}

/// So many days later, at the same hour.
pub(super) fn days_later(at: &Zoned, days: i8) -> Option<Zoned> {
    resolved(at.datetime().checked_add(Span::new().days(days)).ok()?, at)
}

/// The beginning of the day.
pub(super) fn midnight(at: &Zoned) -> Option<Zoned> {
    resolved(at.date().to_datetime(jiff::civil::Time::midnight()), at)
}

/// The time at which clocks show this, as seen from another time of the same zone.
fn resolved(local: DateTime, from: &Zoned) -> Option<Zoned> {
    let zone = from.time_zone();
    let offset = offset_of(local, zone, from.offset());
    offset.to_timestamp(local).ok().map(|at| at.to_zoned(zone.clone()))
}

fn offset_of(local: DateTime, zone: &TimeZone, wanted: Offset) -> Offset {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } => before,
        AmbiguousOffset::Fold { after, .. } if after == wanted => after,
        AmbiguousOffset::Fold { before, .. } => before,
    }
}
