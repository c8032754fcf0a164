//! Each time of a schedule starts one run, or one of those that were missed does, as the schedule says; and the run, the
//! note of it and the schedule's next time stand in one commit.

use std::collections::{BTreeMap, BTreeSet};

use partitur_model::catalogue::EntryKind;
use partitur_model::change::Change;
use partitur_model::note::NoteKind;
use partitur_model::{RunId, Timestamp};

use super::{Checker, Scene, Seen};
use crate::world::house::{Start, next_time, read_schedule};

/// Looks at what was noted.
pub struct Schedules;

impl Checker for Schedules {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Commit(changes) => in_one_commit(scene, changes),
            Seen::Started(_) => each_time_once(scene).map(drop),
            Seen::Idle => {
                let starts = each_time_once(scene)?;
                in_their_order(scene, &starts)
            }
            Seen::Effect(_) | Seen::Rest | Seen::Killed | Seen::Forgotten(_) => Ok(()),
        }
    }
}

fn in_one_commit(scene: &Scene<'_>, changes: &[Change]) -> Result<(), String> {
    let is_new = |run: &RunId| scene.decided.run(*run).is_none();
    let mut of_schedules = BTreeSet::new();
    let mut noted = BTreeSet::new();
    let mut dues = BTreeSet::new();
    let mut schedules = BTreeSet::new();
    for change in changes {
        match change {
            Change::Run(run) if run.parent.is_none() && is_new(&run.id) => {
                let is_ours = run.options.server.as_ref().is_some_and(|server| server.creator == "schedule");
                of_schedules.extend(is_ours.then_some(run.id));
            }
            Change::Note(note) if note.kind == NoteKind::Started => {
                noted.extend(note.run);
                schedules.insert(note.about.clone());
            }
            Change::Note(note) if note.kind == NoteKind::Due => {
                dues.insert(note.id.clone());
            }
            Change::Run(_)
            | Change::Node(_)
            | Change::Definition(_)
            | Change::Task(_)
            | Change::RemoveTask(..)
            | Change::RemoveRun(_)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => {}
        }
    }
    if of_schedules != noted {
        return Err(format!("schedules start {of_schedules:?}, and {noted:?} is noted"));
    }
    match schedules.iter().find(|name| !dues.contains(*name)) {
        Some(name) => Err(format!("{name} starts something, and its next time is not noted with it")),
        None => Ok(()),
    }
}

type Starts = BTreeMap<u64, Vec<Start>>;

/// By the forms of schedules, in the order of their times.
fn each_time_once(scene: &Scene<'_>) -> Result<Starts, String> {
    let mut starts = Starts::new();
    for note in scene.durable.notes(NoteKind::Started) {
        let start = Start::read(note);
        if start.failed != note.run.is_none() {
            return Err(format!("{start:?} has started {:?}", note.run));
        }
        starts.entry(start.form).or_default().push(start);
    }
    for of_form in starts.values_mut() {
        of_form.sort_by_key(|start| start.at);
        if let Some(twice) = of_form.windows(2).find(|pair| pair[0].at == pair[1].at) {
            return Err(format!("one time is started twice: {twice:?}"));
        }
    }
    Ok(starts)
}

/// Nothing will be started any more: nothing was left out that the schedule, as it is now, should have started.
fn in_their_order(scene: &Scene<'_>, starts: &Starts) -> Result<(), String> {
    let Some(settled) = scene.house.schedules.settled else { return Ok(()) };
    for entry in scene.durable.entries(EntryKind::Schedule) {
        let schedule = read_schedule(entry);
        let none = Vec::new();
        let of_form = starts.get(&(schedule.create_time as u64)).unwrap_or(&none);
        if schedule.paused {
            if !of_form.is_empty() {
                return Err(format!("{} is paused and starts {of_form:?}", schedule.name));
            }
            continue;
        }
        let mut expected = next_time(&schedule, schedule.updated_time as u64);
        for start in of_form {
            if start.at != expected {
                return Err(format!("{schedule:?} starts {start:?} where {expected} is due: {of_form:?}"));
            }
            let from =
                if schedule.run_catchup_schedule_instances { start.at } else { start.at.max(start.now) };
            expected = next_time(&schedule, from);
        }
        if Timestamp::from_millis(expected) <= settled {
            return Err(format!("{schedule:?} has not started what was due at {expected}: {of_form:?}"));
        }
    }
    Ok(())
}
