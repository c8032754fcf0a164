//! When schedules are due: expressions, time zones, and which of them are next.
//!
//! [`Agenda`] is the state machine: it is told the time, says what is due, and what is to be noted when that is started,
//! so that a start and the note of it can stand in one commit. Nothing here looks at a clock. `cron.rs` reads
//! expressions, `calendar.rs` knows what changes of the clocks mean.

mod agenda;
mod calendar;
mod cron;
mod field;

pub use agenda::{Agenda, Due};
pub use cron::{BadCron, Cron};

use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use partitur_model::Timestamp;

use crate::check::NAME_MAX;
use crate::wire::{CronSchedule, ValidationError, WorkflowSchedule};

/// Expressions in one schedule.
const CRONS_MAX: usize = 100;

/// A time zone by its name, or by its distance from Greenwich. The names come with this program: the machine has no say.
pub fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "Z" => Some(TimeZone::UTC),
        _ => TimeZoneDatabase::bundled().get(name).ok().or_else(|| fixed(name)),
    }
}

/// `+02:00`, with or without `UTC` or `GMT` before it.
fn fixed(name: &str) -> Option<TimeZone> {
    let distance = name.strip_prefix("UTC").or(name.strip_prefix("GMT")).unwrap_or(name);
    let sign = match distance.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = distance[1..].split_once(':').unwrap_or((&distance[1..], "0"));
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let seconds = sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60);
    (hours <= 18 && minutes <= 59).then(|| Offset::from_seconds(seconds).ok().map(TimeZone::fixed))?
}

/// What is wrong with a schedule.
pub fn check(schedule: &WorkflowSchedule) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if schedule.name.is_empty() || schedule.name.len() > NAME_MAX {
        faults.push(ValidationError::of("name", "a schedule needs a name", &schedule.name));
    }
    match &schedule.start_workflow_request {
        None => faults.push(ValidationError::new("startWorkflowRequest", "it says what is started")),
        Some(request) => faults.extend(crate::check::start_request(request, "startWorkflowRequest")),
    }
    let crons = crons(schedule);
    if crons.is_empty() {
        faults.push(ValidationError::new("cronExpression", "it says when something is started"));
    }
    if crons.len() > CRONS_MAX {
        faults.push(ValidationError::new("cronSchedules", format!("there are at most {CRONS_MAX}")));
    }
    for cron in crons {
        if let Err(bad) = cron.cron_expression.parse::<Cron>() {
            faults.push(ValidationError::of("cronExpression", bad.to_string(), cron.cron_expression));
        }
        if zone(&cron.zone_id).is_none() {
            faults.push(ValidationError::of("zoneId", "there is no such time zone", cron.zone_id));
        }
    }
    faults
}

/// The times of a schedule: the list, or the one that stands for itself.
fn crons(schedule: &WorkflowSchedule) -> Vec<CronSchedule> {
    if !schedule.cron_schedules.is_empty() {
        return schedule.cron_schedules.clone();
    }
    let own = schedule.cron_expression.clone().filter(|expression| !expression.is_empty());
    let zone_id = if schedule.zone_id.is_empty() { "UTC" } else { &schedule.zone_id };
    own.map(|cron_expression| CronSchedule { cron_expression, zone_id: zone_id.to_owned() })
        .into_iter()
        .collect()
}

/// The first time of an expression after `after`, no earlier than `start` and no later than `end`.
pub fn next_after(
    cron: &Cron,
    zone: &TimeZone,
    after: Timestamp,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
) -> Option<Timestamp> {
    // At the beginning itself it may be due.
    let before_start = start.map(|start| Timestamp::from_micros(start.micros().saturating_sub(1)));
    let after = before_start.map_or(after, |start| start.max(after));
    let after = jiff::Timestamp::from_microsecond(i64::try_from(after.micros()).ok()?).ok()?;
    let next = cron.next(&after.to_zoned(zone.clone()))?.timestamp().as_microsecond();
    let next = Timestamp::from_micros(u64::try_from(next).ok()?);
    Some(next).filter(|next| end.is_none_or(|end| *next <= end))
}
