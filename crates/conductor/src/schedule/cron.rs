//! Cron expressions of six fields, seconds first, as Spring reads them, and the times that they mean.

use std::str::FromStr;

use jiff::Zoned;
use jiff::civil::Weekday;

use super::calendar::Unit;
use super::field::{Field, STEPS_MAX, Special};

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// In the order in which they are applied: large steps first.
    fields: [Field; 6],
}

/// An expression that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} in cron expression \"{expression}\"")]
pub struct BadCron {
    /// As it was written.
    pub expression: String,
    /// What is wrong.
    pub problem: String,
}

const SHORT: &[(&str, &str)] = &[
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

impl FromStr for Cron {
    type Err = BadCron;

    fn from_str(expression: &str) -> Result<Cron, BadCron> {
        read(expression).map_err(|problem| BadCron { expression: expression.to_owned(), problem })
    }
}

impl Cron {
    /// The first time after this one. What clocks leave out when they go forward is left out; what they show twice when
    /// they go back is meant twice.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        let mut at = after.checked_add(jiff::Span::new().nanoseconds(1)).ok()?;
        for _ in 0..STEPS_MAX {
            let next = self.fields.iter().try_fold(at.clone(), |at, field| field.next_or_same(at))?;
            let next = whole_second(&next)?;
            if next == at {
                return Some(next);
            }
            at = next;
        }
        None
    }
}

fn whole_second(at: &Zoned) -> Option<Zoned> {
    match at.subsec_nanosecond() {
        0 => Some(at.clone()),
        part => at.checked_add(jiff::Span::new().nanoseconds(1_000_000_000 - part)).ok(),
    }
}

fn read(expression: &str) -> Result<Cron, String> {
    let short = SHORT.iter().find(|(name, _)| name.eq_ignore_ascii_case(expression.trim()));
    let text = short.map_or(expression, |(_, long)| long);
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [second, minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!("there must be 6 fields, not {},", fields.len()));
    };
    Ok(Cron {
        fields: [
            days_of_week(weekday)?,
            values(Unit::Month, &numbered(month, &MONTHS))?,
            days_of_month(day)?,
            values(Unit::Hour, hour)?,
            values(Unit::Minute, minute)?,
            values(Unit::Second, second)?,
        ],
    })
}

/// Names become numbers.
fn numbered(text: &str, names: &[&str]) -> String {
    let upper = text.to_ascii_uppercase();
    (1..).zip(names).fold(upper, |text, (number, name)| text.replace(name, &number.to_string()))
}

fn days_of_month(text: &str) -> Result<Field, String> {
    list(text, |part| match part {
        "?" => values(Unit::Day, "*"),
        _ if part.contains(['L', 'W']) => special_day(part).map(Field::Day),
        _ => values(Unit::Day, part),
    })
}

fn special_day(part: &str) -> Result<Special, String> {
    let wrong = || format!("`{part}` is no day of a month");
    if let Some(before) = part.strip_suffix('W').filter(|before| *before != "L") {
        let day = before.parse().map_err(|_| wrong())?;
        return in_range(Unit::Day, day).map(Special::NearestWorkday);
    }
    match part.strip_prefix('L').ok_or_else(wrong)? {
        "" => Ok(Special::FromTheLast(0)),
        "W" => Ok(Special::LastWorkday),
        days => {
            let days = days.strip_prefix('-').and_then(|days| days.parse().ok()).ok_or_else(wrong)?;
            if (1..=30).contains(&days) { Ok(Special::FromTheLast(days)) } else { Err(wrong()) }
        }
    }
}

fn days_of_week(text: &str) -> Result<Field, String> {
    list(&numbered(text, &WEEKDAYS), |part| match part {
        "?" => values(Unit::Weekday, "*"),
        _ if part.contains(['L', '#']) => special_weekday(part).map(Field::Day),
        _ => values(Unit::Weekday, part),
    })
}

fn special_weekday(part: &str) -> Result<Special, String> {
    let wrong = || format!("`{part}` is no day of a week");
    if let Some(day) = part.strip_suffix('L') {
        return weekday(day).map(Special::LastOf).ok_or_else(wrong);
    }
    let (day, nth) = part.split_once('#').ok_or_else(wrong)?;
    let nth = nth.parse::<i8>().ok().filter(|nth| (1..=6).contains(nth)).ok_or_else(wrong)?;
    Ok(Special::Nth(nth, weekday(day).ok_or_else(wrong)?))
}

/// 0 and 7 are Sunday.
fn weekday(digit: &str) -> Option<Weekday> {
    Weekday::from_sunday_zero_offset(digit.parse::<i8>().ok().filter(|day| (0..=7).contains(day))? % 7).ok()
}

fn list(text: &str, read: impl Fn(&str) -> Result<Field, String>) -> Result<Field, String> {
    let mut fields = text.split(',').map(read).collect::<Result<Vec<Field>, String>>()?;
    if fields.len() == 1 { Ok(fields.remove(0)) } else { Ok(merged(fields)) }
}

/// Plain values are one field together.
fn merged(fields: Vec<Field>) -> Field {
    let mut plain: Option<(Unit, u64)> = None;
    let mut others = Vec::new();
    for field in fields {
        match field {
            Field::Values { unit, bits } => plain = Some((unit, bits | plain.map_or(0, |(_, known)| known))),
            other @ (Field::Day(_) | Field::FirstOf(_)) => others.push(other),
        }
    }
    let plain = plain.map(|(unit, bits)| Field::Values { unit, bits });
    match plain {
        Some(plain) if others.is_empty() => plain,
        plain => {
            others.extend(plain);
            Field::FirstOf(others)
        }
    }
}

fn values(unit: Unit, text: &str) -> Result<Field, String> {
    let mut bits = text.split(',').try_fold(0_u64, |bits, part| Ok::<_, String>(bits | step(unit, part)?))?;
    if unit == Unit::Weekday && bits & 1 == 1 {
        bits = (bits & !1) | 1 << 7;
    }
    Ok(Field::Values { unit, bits })
}

/// `range` or `range/step`; a step from a single value goes on to the last.
fn step(unit: Unit, part: &str) -> Result<u64, String> {
    let Some((from, step)) = part.split_once('/') else {
        let (first, last) = range(unit, part)?;
        return Ok(bits(first, last, 1));
    };
    let (first, last) = range(unit, from)?;
    let last = if from.contains('-') { last } else { unit.last() };
    match step.parse::<u32>() {
        Ok(step @ 1..) => Ok(bits(first, last, step as usize)),
        Ok(0) | Err(_) => Err(format!("the step of `{part}` must be 1 or more")),
    }
}

fn bits(first: i8, last: i8, step: usize) -> u64 {
    (first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value)
}

fn range(unit: Unit, text: &str) -> Result<(i8, i8), String> {
    if text == "*" {
        return Ok((unit.first(), unit.last()));
    }
    let number = |digits: &str| {
        let number = digits.parse().map_err(|_| format!("`{text}` is no number"))?;
        in_range(unit, number)
    };
    let Some((first, last)) = text.split_once('-') else {
        let value = number(text)?;
        return Ok((value, value));
    };
    let (first, last) = (number(first)?, number(last)?);
    // A week may begin with its Sunday.
    let first = if unit == Unit::Weekday && first == 7 { 0 } else { first };
    if first > last { Err(format!("`{text}` ends before it begins")) } else { Ok((first, last)) }
}

fn in_range(unit: Unit, value: i8) -> Result<i8, String> {
    let first = if unit == Unit::Weekday { 0 } else { unit.first() };
    if (first..=unit.last()).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{value} is not between {first} and {}", unit.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::zone;

    /// Lines of `expression|zone|from|times`, as Spring 6.2 computes them: changes of clocks in ten zones among them.
    const SPRING: &str = include_str!("spring.txt");

    fn times(expression: &str, zone_name: &str, from: i64) -> String {
        let Ok(cron) = expression.parse::<Cron>() else { return "refused".to_owned() };
        let mut at = jiff::Timestamp::from_millisecond(from).unwrap().to_zoned(zone(zone_name).unwrap());
        let mut found = Vec::new();
        for _ in 0..6 {
            let Some(next) = cron.next(&at) else {
                found.push("none".to_owned());
                break;
            };
            found.push(next.timestamp().as_millisecond().to_string());
            at = next;
        }
        found.join(" ")
    }

    #[test]
    fn times_are_those_that_spring_computes() {
        let wrong: Vec<String> = SPRING
            .lines()
            .filter_map(|line| {
                let parts: Vec<&str> = line.split('|').collect();
                let [expression, zone, from, expected] = parts[..] else { return Some(line.to_owned()) };
                let found = times(expression, zone, from.parse().unwrap());
                let is_right =
                    if expected.starts_with("bad") { found == "refused" } else { found == expected };
                (!is_right).then(|| format!("{line}\n  found {found}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), SPRING.lines().count(), wrong.join("\n"));
    }

    #[test]
    fn an_hour_that_clocks_leave_out_is_left_out_and_one_that_they_show_twice_comes_twice() {
        let berlin = |expression: &str, from: &str| {
            let (cron, zone) = (expression.parse::<Cron>().unwrap(), zone("Europe/Berlin").unwrap());
            let mut at = from.parse::<jiff::Timestamp>().unwrap().to_zoned(zone);
            let next = std::iter::from_fn(|| {
                at = cron.next(&at)?;
                Some(at.strftime("%d.%m. %H:%M%:z").to_string())
            });
            next.take(3).collect::<Vec<_>>().join(", ")
        };
        let (march, october) = ("2026-03-28T23:40:00Z", "2026-10-24T23:10:00Z");
        insta::assert_snapshot!(berlin("0 30 2 * * *", march), @"30.03. 02:30+02:00, 31.03. 02:30+02:00, 01.04. 02:30+02:00");
        insta::assert_snapshot!(berlin("0 30 * * * *", march), @"29.03. 01:30+01:00, 29.03. 03:30+02:00, 29.03. 04:30+02:00");
        insta::assert_snapshot!(berlin("0 30 2 * * *", october), @"25.10. 02:30+02:00, 25.10. 02:30+01:00, 26.10. 02:30+01:00");
    }

    #[test]
    fn what_means_nothing_is_refused_with_the_reason() {
        let refused = |text: &str| text.parse::<Cron>().unwrap_err().to_string();
        insta::assert_snapshot!(
            ["* * * * *", "60 * * * * *", "a * * * * *", "*/0 * * * * *", "0 0 0 10-5 * *", "0 0 0 ? * L", "0 0 0 5L * *", ""]
                .map(refused).join("\n"),
            @r#"
        there must be 6 fields, not 5, in cron expression "* * * * *"
        60 is not between 0 and 59 in cron expression "60 * * * * *"
        `a` is no number in cron expression "a * * * * *"
        the step of `*/0` must be 1 or more in cron expression "*/0 * * * * *"
        `10-5` ends before it begins in cron expression "0 0 0 10-5 * *"
        `L` is no day of a week in cron expression "0 0 0 ? * L"
        `5L` is no day of a month in cron expression "0 0 0 5L * *"
        there must be 6 fields, not 0, in cron expression ""
        "#
        );
    }
}
