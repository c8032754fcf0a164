//! Schedules: registered, changed and forgotten by people, started by the clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_conductor::schedule::{Agenda, Due};
use partitur_conductor::wire::{self, WorkflowSchedule};
use partitur_engine::{Answer, Input, ReplyTo, Submission};
use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{RunOptions, ServerOptions};
use partitur_model::{Payload, RawJson, Timestamp};

use super::super::{Event, Stop, World};
use super::Errand;
use crate::disk::Disk;

/// So many schedules there are at most.
const SCHEDULES: usize = 3;

/// Started in one turn.
const TURN_MAX: usize = 4;

/// Nobody sleeps longer.
const NAP: Duration = Duration::from_secs(1);

/// When schedules are due: an expression, its time zone, and the distance of its times, which are multiples of it whatever
/// the clocks of that zone do.
const TIMES: [(&str, &str, u64); 5] = [
    ("0/20 * * * * *", "UTC", 20_000),
    ("0/30 * * * * *", "America/New_York", 30_000),
    ("0 * * * * *", "Europe/Berlin", 60_000),
    ("15/60 * * * * *", "Europe/Berlin", 60_000),
    ("0 0/2 * * * *", "Europe/Berlin", 120_000),
];

/// The schedules at work.
#[derive(Default)]
pub struct Schedules {
    agenda: Agenda,
    /// Forms of schedules there have been.
    forms: u64,
    /// A form that is on its way to the disk.
    taught: Option<(ReplyTo, Taught)>,
    starts: BTreeMap<ReplyTo, Due>,
    failures: Vec<(Due, Timestamp)>,
    noting: BTreeMap<ReplyTo, Due>,
    /// At this time of the node's clock nothing was due that was not started, and nothing will be started any more.
    pub settled: Option<Timestamp>,
}

enum Taught {
    Form(Arc<WorkflowSchedule>, Option<Note>, Timestamp),
    Gone(String),
}

/// What was noted of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    /// By which form of a schedule.
    pub form: u64,
    /// When it was due, in milliseconds.
    pub at: u64,
    /// When it was started, by the node's clock.
    pub now: u64,
    /// Whether nothing was started after all.
    pub failed: bool,
}

impl Start {
    fn of(due: &Due, now: Timestamp, failed: bool) -> Start {
        Start { form: due.schedule.create_time as u64, at: due.at.millis(), now: now.millis(), failed }
    }

    fn note(self, about: &str, id: u64) -> Note {
        let number = |name: &'static str, value: u64| (name, Payload::from(value));
        let body = Payload::object([
            number("form", self.form),
            number("at", self.at),
            number("now", self.now),
            ("failed", Payload::from(self.failed)),
        ]);
        Note {
            kind: NoteKind::Started,
            id: format!("{id:016x}").into(),
            about: about.into(),
            at: Timestamp::from_millis(self.now),
            run: None,
            body: Some(body.to_raw()),
        }
    }

    /// As it was noted.
    pub fn read(note: &Note) -> Start {
        let body = Payload::Raw(note.body.clone().expect("it says something"));
        let value = body.to_value();
        let number = |name: &str| value[name].as_u64().expect("a number");
        Start {
            form: number("form"),
            at: number("at"),
            now: number("now"),
            failed: value["failed"].as_bool().expect("true or false"),
        }
    }
}

/// The first time after this one at which a schedule is due, in milliseconds, and by the plainest reckoning.
pub fn next_time(schedule: &WorkflowSchedule, after: u64) -> u64 {
    let own = |(cron, ..): &&(&str, &str, u64)| Some(*cron) == schedule.cron_expression.as_deref();
    let (cron, _, every) = TIMES.iter().find(own).expect("it is one of them");
    let offset = if cron.starts_with("15") { 15_000 } else { 0 };
    (after.saturating_sub(offset) / every + 1) * every + offset
}

impl<D: Disk> World<D> {
    /// Somebody registers, pauses, continues or forgets a schedule.
    pub(super) fn plan_schedule(&mut self) -> Result<(), Stop> {
        let now = self.clock();
        if self.house.schedules.is_occupied() {
            return Ok(());
        }
        let name = format!("schedule{}", self.rng.below(SCHEDULES));
        let known = self.house.schedules.agenda.get(&name);
        let (entry, note, taught) = match known {
            Some(_) if self.rng.percent(20) => {
                self.summary.deed("a schedule is forgotten");
                let gone = Note::gone(NoteKind::Due, name.as_str().into());
                (entry(&name, None, now), Some(gone), Taught::Gone(name))
            }
            Some(known) if self.rng.percent(50) => {
                self.summary.deed(if known.paused { "a schedule goes on" } else { "a schedule is paused" });
                self.form(WorkflowSchedule { paused: !known.paused, ..known }, now)
            }
            Some(_) | None => {
                self.summary.deed("a schedule is registered");
                let (cron, zone, _) = *self.rng.pick(&TIMES).expect("there are some");
                let schedule = WorkflowSchedule {
                    name,
                    cron_expression: Some(cron.into()),
                    zone_id: zone.into(),
                    run_catchup_schedule_instances: self.rng.percent(50),
                    ..WorkflowSchedule::default()
                };
                self.form(schedule, now)
            }
        };
        let asked = self.keep(vec![entry], note.into_iter().collect());
        self.house.schedules.taught = Some((asked.0, taught));
        self.ask(asked)
    }

    fn form(&mut self, schedule: WorkflowSchedule, now: Timestamp) -> (Entry, Option<Note>, Taught) {
        self.house.schedules.forms += 1;
        let schedule = Arc::new(WorkflowSchedule {
            create_time: self.house.schedules.forms as i64,
            updated_time: now.millis() as i64,
            next_run_time: None,
            ..schedule
        });
        let mut planned = Agenda::default();
        planned.set(schedule.clone(), None, now);
        let note = planned.note(&schedule.name);
        let text = serde_json::to_string(&*schedule).expect("a schedule is JSON");
        let entry = entry(&schedule.name, Some(RawJson::trusted(text)), now);
        (entry, note.clone(), Taught::Form(schedule, note, now))
    }

    /// The schedules on the disk, and when they are due.
    pub(super) fn recall_schedules(&mut self) {
        let now = self.clock();
        let mut agenda = Agenda::default();
        for entry in self.durable.entries(EntryKind::Schedule) {
            let schedule = read(entry);
            let note = self.durable.note(NoteKind::Due, &schedule.name);
            agenda.set(Arc::new(schedule), note, now);
        }
        let forms = self.house.schedules.forms;
        self.house.schedules = Schedules { agenda, forms, ..Schedules::default() };
    }

    /// Starts what is due, and comes back when something will be.
    pub(super) fn keep_time(&mut self) -> Result<(), Stop> {
        if self.shard.is_none() {
            return Ok(());
        }
        let now = self.clock();
        self.note_failures()?;
        if !self.house.schedules.is_occupied() {
            let due = self.house.schedules.agenda.take_round(now, TURN_MAX);
            if due.is_empty() && !self.is_busy() {
                self.house.schedules.settled = Some(now);
                return Ok(());
            }
            self.start_due(due, now)?;
        }
        let wake = self.house.schedules.agenda.wake();
        let nap = wake.map_or(NAP, |wake| wake.since(self.clock()).clamp(Duration::from_millis(5), NAP));
        self.soon(nap, Event::House(Errand::KeepTime));
        Ok(())
    }

    fn start_due(&mut self, due: Vec<Due>, now: Timestamp) -> Result<(), Stop> {
        if due.len() > 1 {
            self.summary.deed("several times are due at once");
        }
        for due in due {
            let late = now.since(due.at) > Duration::from_secs(10);
            let catches_up = due.schedule.run_catchup_schedule_instances;
            self.summary.deed(match (late, catches_up) {
                (false, _) => "a schedule is due",
                (true, true) => "each missed time is made up for",
                (true, false) => "a missed time is made up for",
            });
            if self.rng.percent(6) {
                self.house.schedules.failures.push((due, now));
                continue;
            }
            self.start(due, now)?;
        }
        self.note_failures()
    }

    fn start(&mut self, due: Due, now: Timestamp) -> Result<(), Stop> {
        let start = Start::of(&due, now, false);
        let trace = start.note(&due.schedule.name, self.rng.bits());
        let document = self.documents.0.values().next().expect("a world has documents");
        let (reply, call) = self.call(None, None);
        let server = ServerOptions { version: 1, creator: "schedule".into(), ..ServerOptions::default() };
        let submission = Submission {
            program: document.program.clone(),
            definition: document.record.clone(),
            input: Payload::object([("form", Payload::from(start.form)), ("at", Payload::from(start.at))]),
            options: RunOptions { server: Some(server.into()), ..RunOptions::default() },
            random: self.rng.bits(),
            under_key: None,
            expected: Vec::new(),
            reply: Some(reply),
        };
        let notes = vec![due.note.clone(), trace];
        self.house.schedules.starts.insert(reply, due);
        let input = Box::new(Input::Submit(Box::new(submission)));
        self.input(Input::Noted { input, notes }, Some((reply, call)))
    }

    /// When it is known what has become of all others, those are noted that were not started.
    fn note_failures(&mut self) -> Result<(), Stop> {
        if !self.house.schedules.starts.is_empty() {
            return Ok(());
        }
        for (due, now) in std::mem::take(&mut self.house.schedules.failures) {
            self.summary.deed("a schedule starts nothing");
            let name = &due.schedule.name;
            let trace = Start::of(&due, now, true).note(name, self.rng.bits());
            let asked = self.keep(Vec::new(), vec![due.note.clone(), trace]);
            self.house.schedules.noting.insert(asked.0, due);
            self.ask(asked)?;
        }
        Ok(())
    }

    pub(super) fn schedule_hears(&mut self, to: ReplyTo, answer: &Answer) {
        let now = self.clock();
        let schedules = &mut self.house.schedules;
        if let Some((_, taught)) = schedules.taught.take_if(|(reply, _)| *reply == to) {
            match taught {
                Taught::Form(schedule, note, then) => schedules.agenda.set(schedule, note.as_ref(), then),
                Taught::Gone(name) => schedules.agenda.remove(&name),
            }
        }
        schedules.noting.remove(&to);
        if let (Some(due), Answer::Refused(_)) = (schedules.starts.remove(&to), answer) {
            schedules.failures.push((due, now));
        }
    }
}

impl Schedules {
    /// Something is on its way to the disk: until then nothing else is done.
    fn is_occupied(&self) -> bool {
        self.taught.is_some()
            || !self.starts.is_empty()
            || !self.failures.is_empty()
            || !self.noting.is_empty()
    }
}

fn entry(name: &str, body: Option<RawJson>, now: Timestamp) -> Entry {
    Entry { kind: EntryKind::Schedule, name: name.into(), version: 0, body, created: now, updated: now }
}

/// A schedule as it was kept.
pub fn read(entry: &Entry) -> WorkflowSchedule {
    let body = entry.body.as_ref().expect("it is kept");
    wire::read(body.as_str().as_bytes()).expect("it was written so")
}
