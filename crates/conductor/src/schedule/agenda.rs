//! Which schedules there are, and which of their times come next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use partitur_model::note::{Note, NoteKind};
use partitur_model::{RawJson, Timestamp};

use super::{Cron, crons, next_after, zone};
use crate::wire::WorkflowSchedule;

/// All schedules, with the next time of each of their expressions.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    schedules: BTreeMap<Arc<str>, Planned>,
    /// When something is due, by which schedule and which of its expressions.
    times: BTreeSet<(Timestamp, Arc<str>, usize)>,
}

#[derive(Clone, Debug)]
struct Planned {
    schedule: Arc<WorkflowSchedule>,
    lines: Vec<Line>,
}

/// One expression of a schedule.
#[derive(Clone, Debug)]
struct Line {
    cron: Cron,
    zone: TimeZone,
    zone_name: String,
    text: String,
    next: Option<Timestamp>,
}

/// Something is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// By this schedule.
    pub schedule: Arc<WorkflowSchedule>,
    /// When it was due.
    pub at: Timestamp,
    /// The expression and its time zone, as runs are told.
    pub cron: String,
    /// The time zone.
    pub zone: String,
    /// What is to be noted with the start.
    pub note: Note,
    line: usize,
}

impl Agenda {
    /// Takes a schedule in. Its times are those after `now`, or as they were noted.
    pub fn set(&mut self, schedule: Arc<WorkflowSchedule>, noted: Option<&Note>, now: Timestamp) {
        let name: Arc<str> = schedule.name.as_str().into();
        self.remove(&name);
        let read = crons(&schedule).into_iter().filter_map(|cron| {
            let text = format!("{} {}", cron.cron_expression, cron.zone_id);
            let (read, zone) = (cron.cron_expression.parse().ok()?, zone(&cron.zone_id)?);
            Some(Line { cron: read, zone, zone_name: cron.zone_id, text, next: None })
        });
        let mut planned = Planned { lines: read.collect(), schedule };
        let noted = noted.and_then(times_in).filter(|times| times.len() == planned.lines.len());
        for at in 0..planned.lines.len() {
            planned.lines[at].next = match (&noted, planned.schedule.paused) {
                (_, true) => None,
                (Some(times), false) => times[at],
                (None, false) => planned.after(at, now),
            };
            self.times.extend(planned.lines[at].next.map(|time| (time, name.clone(), at)));
        }
        self.schedules.insert(name, planned);
    }

    /// Forgets a schedule.
    pub fn remove(&mut self, name: &str) {
        if let Some((name, planned)) = self.schedules.remove_entry(name) {
            for (at, line) in planned.lines.into_iter().enumerate() {
                self.times.remove(&(line.next.unwrap_or_default(), name.clone(), at));
            }
        }
    }

    /// A schedule, with the time at which it is due next.
    pub fn get(&self, name: &str) -> Option<WorkflowSchedule> {
        self.schedules.get(name).map(Planned::shown)
    }

    /// All schedules, by name.
    pub fn all(&self) -> impl Iterator<Item = WorkflowSchedule> {
        self.schedules.values().map(Planned::shown)
    }

    /// What is to be noted of the times of a schedule.
    pub fn note(&self, name: &str) -> Option<Note> {
        self.schedules.get(name).map(Planned::note)
    }

    /// When something is due next.
    pub fn wake(&self) -> Option<Timestamp> {
        self.times.first().map(|(at, _, _)| *at)
    }

    /// Takes the first thing that is due. Of several times that were missed one is made up for, or each if the schedule
    /// says so.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Due> {
        if self.wake()? > now {
            return None;
        }
        let (at, name, line) = self.times.pop_first()?;
        let planned = self.schedules.get_mut(&name).expect("whoever goes takes its times along");
        let after = if planned.schedule.run_catchup_schedule_instances { at } else { at.max(now) };
        let next = planned.after(line, after);
        planned.lines[line].next = next;
        self.times.extend(next.map(|next| (next, name, line)));
        Some(Due {
            schedule: planned.schedule.clone(),
            at,
            cron: planned.lines[line].text.clone(),
            zone: planned.lines[line].zone_name.clone(),
            note: planned.note(),
            line,
        })
    }

    /// Takes what is due first, at most so much, and of each schedule one thing: what is noted of a schedule must not rest
    /// on something that is still under way and may come to nothing.
    pub fn take_round(&mut self, now: Timestamp, most: usize) -> Vec<Due> {
        let (mut round, mut names) = (Vec::new(), BTreeSet::new());
        while round.len() < most
            && let Some(due) = self.take_due(now)
        {
            if !names.insert(due.schedule.name.clone()) {
                self.put_back(&due);
                break;
            }
            round.push(due);
        }
        round
    }

    /// Something that was taken could not be done: it is due again.
    pub fn put_back(&mut self, due: &Due) {
        let name = due.schedule.name.as_str();
        // Another form of the schedule has times of its own.
        let same = |planned: &&mut Planned| Arc::ptr_eq(&planned.schedule, &due.schedule);
        let Some(planned) = self.schedules.get_mut(name).filter(same) else { return };
        let next = &mut planned.lines[due.line].next;
        self.times.remove(&(next.unwrap_or_default(), name.into(), due.line));
        let earlier = next.map_or(due.at, |next| next.min(due.at));
        *next = Some(earlier);
        self.times.insert((earlier, name.into(), due.line));
    }
}

impl Planned {
    fn after(&self, line: usize, after: Timestamp) -> Option<Timestamp> {
        let millis = |millis: i64| Timestamp::from_millis(u64::try_from(millis).unwrap_or(0));
        let (start, end) = (self.schedule.schedule_start_time, self.schedule.schedule_end_time);
        let line = &self.lines[line];
        let given = |time: Option<i64>| time.filter(|time| *time > 0).map(millis);
        next_after(&line.cron, &line.zone, after, given(start), given(end))
    }

    fn shown(&self) -> WorkflowSchedule {
        let next = self.lines.iter().filter_map(|line| line.next).min();
        WorkflowSchedule {
            next_run_time: next.map(|next| next.millis() as i64),
            ..WorkflowSchedule::clone(&self.schedule)
        }
    }

    fn note(&self) -> Note {
        let times: Vec<Option<u64>> =
            self.lines.iter().map(|line| line.next.map(Timestamp::millis)).collect();
        let body = serde_json::to_string(&times).expect("numbers are JSON");
        let next = self.lines.iter().filter_map(|line| line.next).min();
        Note {
            kind: NoteKind::Due,
            id: self.schedule.name.as_str().into(),
            about: self.schedule.name.as_str().into(),
            at: next.unwrap_or_default(),
            run: None,
            body: Some(RawJson::trusted(body)),
        }
    }
}

fn times_in(note: &Note) -> Option<Vec<Option<Timestamp>>> {
    let times: Vec<Option<u64>> = serde_json::from_str(note.body.as_ref()?.as_str()).ok()?;
    Some(times.into_iter().map(|time| time.map(Timestamp::from_millis)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn schedule(more: &str) -> Arc<WorkflowSchedule> {
        let text = format!(r#"{{"name":"s","startWorkflowRequest":{{"name":"w"}},{more}}}"#);
        Arc::new(crate::wire::read(text.as_bytes()).unwrap())
    }

    /// The times that are taken at `now`, in minutes after the beginning of the day.
    fn taken(agenda: &mut Agenda, now: u64) -> Vec<u64> {
        let next = || agenda.take_due(Timestamp::from_millis(now)).map(|due| due.at.millis() / 60_000);
        std::iter::from_fn(next).collect()
    }

    fn begun(schedule: &Arc<WorkflowSchedule>) -> Agenda {
        let mut agenda = Agenda::default();
        agenda.set(schedule.clone(), None, Timestamp::from_millis(0));
        agenda
    }

    #[test]
    fn of_missed_times_the_first_is_made_up_for_or_each_if_wanted() {
        let hourly = r#""cronExpression":"0 0 * * * *""#;
        assert_eq!(taken(&mut begun(&schedule(hourly)), 3 * HOUR + 1), [60]);
        let each = schedule(&format!(r#"{hourly},"runCatchupScheduleInstances":true"#));
        assert_eq!(taken(&mut begun(&each), 3 * HOUR + 1), [60, 120, 180]);
        let mut agenda = begun(&schedule(hourly));
        taken(&mut agenda, 3 * HOUR + 1);
        assert_eq!(agenda.wake(), Some(Timestamp::from_millis(4 * HOUR)));
    }

    #[test]
    fn each_expression_has_times_of_its_own_within_start_and_end() {
        let several = schedule(
            r#""cronSchedules":[{"cronExpression":"0 0 * * * *"},{"cronExpression":"0 30/30 * * * *","zoneId":"Asia/Kolkata"}],
               "scheduleStartTime":3600000,"scheduleEndTime":10800000"#,
        );
        let mut agenda = begun(&several);
        let all: Vec<u64> = (0..6).flat_map(|hour| taken(&mut agenda, hour * HOUR)).collect();
        // In Kolkata half an hour is a whole one here.
        assert_eq!(all, [60, 60, 120, 120, 180, 180]);
        assert_eq!(agenda.wake(), None);
    }

    #[test]
    fn what_was_noted_goes_on_after_a_restart_and_what_was_put_back_is_due_again() {
        let hourly = schedule(r#""cronExpression":"0 0 * * * *""#);
        let mut agenda = begun(&hourly);
        let before = agenda.note("s").unwrap();
        let due = agenda.take_due(Timestamp::from_millis(HOUR)).unwrap();
        for (noted, expected) in [(&before, HOUR), (&due.note, 2 * HOUR)] {
            let mut restarted = Agenda::default();
            restarted.set(hourly.clone(), Some(noted), Timestamp::from_millis(9 * HOUR));
            assert_eq!(restarted.wake(), Some(Timestamp::from_millis(expected)));
        }
        agenda.put_back(&due);
        assert_eq!(agenda.take_due(Timestamp::from_millis(HOUR)).unwrap().at, due.at);
    }

    #[test]
    fn a_round_has_one_thing_of_each_schedule() {
        let each = schedule(r#""cronExpression":"0 0 * * * *","runCatchupScheduleInstances":true"#);
        let mut agenda = begun(&each);
        let other = Arc::new(WorkflowSchedule { name: "t".into(), ..WorkflowSchedule::clone(&each) });
        agenda.set(other, None, Timestamp::from_millis(0));
        let now = Timestamp::from_millis(2 * HOUR + 1);
        let mut rounds = || {
            let round = agenda.take_round(now, 10);
            round.iter().map(|due| (due.schedule.name.clone(), due.at.millis() / HOUR)).collect::<Vec<_>>()
        };
        assert_eq!(rounds(), [("s".to_owned(), 1), ("t".to_owned(), 1)]);
        assert_eq!(rounds(), [("s".to_owned(), 2), ("t".to_owned(), 2)]);
        assert_eq!(rounds(), []);
    }

    #[test]
    fn a_paused_schedule_is_never_due() {
        let agenda = begun(&schedule(r#""cronExpression":"* * * * * *","paused":true"#));
        assert_eq!(agenda.wake(), None);
        assert_eq!(agenda.get("s").unwrap().next_run_time, None);
    }
}
