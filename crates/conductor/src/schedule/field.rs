//! A field of an expression: which values of its unit it allows, and the next time at which one of them holds.

use jiff::Zoned;
use jiff::civil::Weekday;

use super::calendar::{Unit, days_later, midnight};

/// After so many steps there is no such time.
pub(super) const STEPS_MAX: usize = 366;

/// What a field allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// These values.
    Values { unit: Unit, bits: u64 },
    /// A day that depends on the month.
    Day(Special),
    /// Whichever comes first.
    FirstOf(Vec<Field>),
}

/// A day that depends on the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// So many days before the last.
    FromTheLast(i8),
    /// The last one that is neither Saturday nor Sunday.
    LastWorkday,
    /// The one nearest to this that is neither Saturday nor Sunday, in the same month.
    NearestWorkday(i8),
    /// The last such day of the week.
    LastOf(Weekday),
    /// The so manieth such day of the week.
    Nth(i8, Weekday),
}

impl Field {
    /// The next time that it allows, this one included.
    pub fn next_or_same(&self, at: Zoned) -> Option<Zoned> {
        match self {
            Field::Values { unit, bits } => next_value(*unit, *bits, at),
            Field::Day(special) => special.next_or_same(at),
            Field::FirstOf(fields) => {
                fields.iter().filter_map(|field| field.next_or_same(at.clone())).min_by_key(Zoned::timestamp)
            }
        }
    }
}

fn next_value(unit: Unit, bits: u64, at: Zoned) -> Option<Zoned> {
    let mut now = unit.of(&at);
    let (mut at, mut wanted) = wanted(unit, bits, at, now)?;
    if wanted == now {
        return Some(at);
    }
    now = unit.of(&at);
    for _ in 0..STEPS_MAX {
        if now == wanted {
            return unit.restart_smaller(&at);
        }
        let next = unit.go_to(&at, wanted)?;
        now = unit.of(&next);
        (at, wanted) = self::wanted(unit, bits, next, now)?;
    }
    None
}

/// The next value that is allowed from this one on; if there is none, the first of the next round.
fn wanted(unit: Unit, bits: u64, at: Zoned, from: i8) -> Option<(Zoned, i8)> {
    match bits >> from {
        0 => Some((unit.next_round(&at)?, bits.trailing_zeros() as i8)),
        rest => Some((at, from + rest.trailing_zeros() as i8)),
    }
}

impl Special {
    fn next_or_same(self, at: Zoned) -> Option<Zoned> {
        let found = self.of_month(&at)?;
        if found >= at {
            return Some(found);
        }
        // This month's is over.
        Unit::Day.restart_smaller(&self.of_month(&Unit::Day.next_round(&at)?)?)
    }

    /// The day in the month of this time: this time itself if it is that day, else midnight.
    fn of_month(self, at: &Zoned) -> Option<Zoned> {
        let found = match self {
            Special::FromTheLast(days) => days_later(&Unit::Day.set(at, at.days_in_month())?, -days)?,
            Special::LastWorkday => {
                let last = Unit::Day.set(at, at.days_in_month())?;
                days_later(&last, -(last.weekday().to_monday_one_offset() - 5).max(0))?
            }
            Special::NearestWorkday(day) => return nearest_workday(at, day),
            Special::LastOf(weekday) => {
                let last = Unit::Day.set(at, at.days_in_month())?;
                days_later(&last, -weekday.until(last.weekday()))?
            }
            Special::Nth(nth, weekday) => return nth_weekday(at, nth, weekday),
        };
        same_or_midnight(at, &found)
    }
}

fn same_or_midnight(at: &Zoned, found: &Zoned) -> Option<Zoned> {
    if found.day() == at.day() { Some(at.clone()) } else { midnight(found) }
}

fn nearest_workday(at: &Zoned, day: i8) -> Option<Zoned> {
    let is_workday = |at: &Zoned| at.weekday().to_monday_one_offset() <= 5;
    let (now, weekday) = (at.day(), at.weekday());
    let stands_for_it = (now == day && is_workday(at))
        || (weekday == Weekday::Friday && now == day - 1)
        || (weekday == Weekday::Monday && now == day + 1)
        || (weekday == Weekday::Monday && day == 1 && now == 3);
    if stands_for_it {
        return Some(at.clone());
    }
    let mut at = at.clone();
    for _ in 0..STEPS_MAX {
        if at.day() == day {
            let shift = match at.weekday() {
                Weekday::Saturday if day == 1 => 2,
                Weekday::Saturday => -1,
                Weekday::Sunday => 1,
                Weekday::Monday
                | Weekday::Tuesday
                | Weekday::Wednesday
                | Weekday::Thursday
                | Weekday::Friday => 0,
            };
            return midnight(&days_later(&at, shift)?);
        }
        at = Unit::Day.go_to(&at, day)?;
    }
    None
}

/// Some months have no fifth Friday: then it is that of a later one.
fn nth_weekday(at: &Zoned, nth: i8, weekday: Weekday) -> Option<Zoned> {
    let mut at = at.clone();
    for _ in 0..12 {
        let first = Unit::Day.set(&at, 1)?;
        let found = days_later(&days_later(&first, first.weekday().until(weekday))?, 7 * (nth - 1))?;
        if found.month() == at.month() {
            return same_or_midnight(&at, &found);
        }
        at = found;
    }
    None
}
