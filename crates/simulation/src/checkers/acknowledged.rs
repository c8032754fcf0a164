//! Nothing is acknowledged before it is durable, and equal submissions share a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use partitur_engine::{Answer, Effect, ReplyTo};
use partitur_model::change::Change;
use partitur_model::record::TaskRecord;
use partitur_model::{AttemptId, RunId, Timestamp};

use super::{Checker, Scene, Seen};

/// Submissions with equal keys within this time share a run.
const WINDOW: Duration = Duration::from_secs(60);

/// Remembers what was acknowledged.
#[derive(Default)]
pub struct Acknowledged {
    runs: Vec<RunId>,
    /// The newest run under a key.
    keys: BTreeMap<String, (RunId, Timestamp)>,
    /// Attempts whose being done was acknowledged.
    done: BTreeSet<AttemptId>,
}

impl Checker for Acknowledged {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Effect(Effect::Reply { to, answer }) => self.answered(scene, *to, answer),
            Seen::Effect(Effect::HandOut { to, .. }) => self.handed_out(scene, *to),
            Seen::Started(_) => self.still_there(scene),
            Seen::Commit(changes) => changes.iter().try_for_each(|change| match change {
                Change::Task(task) => self.stays_done(task),
                Change::RemoveRun(run) => self.may_go(scene, *run),
                Change::Node(_)
                | Change::Definition(_)
                | Change::Run(_)
                | Change::RemoveTask(..)
                | Change::Breaker(_)
                | Change::Entry(_)
                | Change::Note(_)
                | Change::Log(..) => Ok(()),
            }),
            Seen::Idle => every_call_is_answered(scene),
            Seen::Effect(
                Effect::Dispatch { .. }
                | Effect::Stop(_)
                | Effect::Evaluate { .. }
                | Effect::Resolve { .. }
                | Effect::Load(_)
                | Effect::Event(_),
            )
            | Seen::Rest
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

impl Acknowledged {
    fn answered(&mut self, scene: &Scene<'_>, to: ReplyTo, answer: &Answer) -> Result<(), String> {
        let call = scene.calls.get(&to).ok_or("an answer that nobody waits for")?;
        let is_durable = call.input <= scene.durable_inputs;
        match answer {
            Answer::Accepted { run, duplicate } => {
                let Some(record) = scene.durable.run(*run) else {
                    let is_gone = scene.removals.contains(run);
                    return if is_gone {
                        Ok(())
                    } else {
                        Err(format!("{run:?} is accepted, and has no row"))
                    };
                };
                if !duplicate && !is_durable {
                    return Err(format!("{run:?} is accepted before it is durable"));
                }
                self.runs.push(*run);
                match &call.dedup_key {
                    Some(key) => self.keyed(key, *run, *duplicate, record.created),
                    None => Ok(()),
                }
            }
            Answer::Done | Answer::Updated { .. } if call.changed && !is_durable => {
                Err(format!("{:?} is acknowledged before it is durable", call.command))
            }
            Answer::Updated { .. } => self.done(scene, call.ends),
            Answer::Done | Answer::Refused(_) => Ok(()),
        }
    }

    /// A poll is answered; if it came with an update, so is that.
    fn handed_out(&mut self, scene: &Scene<'_>, to: ReplyTo) -> Result<(), String> {
        let call = scene.calls.get(&to).ok_or("tasks for somebody who does not wait for any")?;
        if call.queue.is_none() {
            return Err("tasks for somebody who did not want any".to_owned());
        }
        if call.changed && call.input > scene.durable_inputs {
            return Err(format!("an update of {:?} is acknowledged before it is durable", call.ends));
        }
        self.done(scene, call.ends)
    }

    /// Somebody hears that an attempt is done: so say the rows, and will always.
    fn done(&mut self, scene: &Scene<'_>, attempt: Option<AttemptId>) -> Result<(), String> {
        let Some(attempt) = attempt else { return Ok(()) };
        self.done.insert(attempt);
        let row = scene.durable.task(attempt.run, attempt.task);
        row.map_or(Ok(()), |row| self.stays_done(row))
    }

    fn stays_done(&self, row: &TaskRecord) -> Result<(), String> {
        let Some(token) = row.state.token() else { return Ok(()) };
        match self.done.contains(&AttemptId { run: row.run, task: row.seq, token }) {
            true => Err(format!("`{}` of {:?} is done, and at work again as {token}", row.path, row.run)),
            false => Ok(()),
        }
    }

    /// A run goes only if somebody wanted it to.
    fn may_go(&mut self, scene: &Scene<'_>, run: RunId) -> Result<(), String> {
        self.runs.retain(|&known| known != run);
        match scene.removals.contains(&run) {
            true => Ok(()),
            false => Err(format!("{run:?} is removed, and nobody wanted that")),
        }
    }

    fn keyed(&mut self, key: &str, run: RunId, duplicate: bool, created: Timestamp) -> Result<(), String> {
        match self.keys.get(key) {
            Some(&(first, at)) if !duplicate && first != run && created < at + WINDOW => {
                return Err(format!("{first:?} and {run:?} share the key {key}, and are two"));
            }
            Some(_) | None => {}
        }
        self.keys.insert(key.to_owned(), (run, created));
        Ok(())
    }

    fn still_there(&self, scene: &Scene<'_>) -> Result<(), String> {
        let rows = scene.durable.runs().flat_map(|run| scene.durable.tasks(run.id));
        rows.into_iter().try_for_each(|row| self.stays_done(row))?;
        match self.runs.iter().find(|&&run| scene.durable.run(run).is_none()) {
            Some(run) => Err(format!("{run:?} was acknowledged and is lost")),
            None => Ok(()),
        }
    }
}

/// Nothing happens any more: nobody waits for an answer.
fn every_call_is_answered(scene: &Scene<'_>) -> Result<(), String> {
    match scene.calls.values().next() {
        Some(call) => {
            Err(format!("input {} is never answered: {:?} {:?}", call.input, call.command, call.queue))
        }
        None => Ok(()),
    }
}
