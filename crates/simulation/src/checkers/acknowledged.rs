//! Nothing is acknowledged before it is durable, and equal submissions share a run.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_engine::{Answer, Effect, ReplyTo};
use partitur_model::{RunId, Timestamp};

use super::{Checker, Scene, Seen};

/// Submissions with equal keys within this time share a run.
const WINDOW: Duration = Duration::from_secs(60);

/// Remembers what was acknowledged.
#[derive(Default)]
pub struct Acknowledged {
    runs: Vec<RunId>,
    /// The newest run under a key.
    keys: BTreeMap<String, (RunId, Timestamp)>,
}

impl Checker for Acknowledged {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Effect(Effect::Reply { to, answer }) => self.answered(scene, *to, answer),
            Seen::Started(_) => self.still_there(scene),
            Seen::Effect(
                Effect::Dispatch { .. }
                | Effect::Stop(_)
                | Effect::Evaluate { .. }
                | Effect::HandOut { .. }
                | Effect::Resolve { .. }
                | Effect::Load(_)
                | Effect::Event(_),
            )
            | Seen::Commit(_)
            | Seen::Rest
            | Seen::Idle
            | Seen::Killed => Ok(()),
        }
    }
}

impl Acknowledged {
    fn answered(&mut self, scene: &Scene<'_>, to: ReplyTo, answer: &Answer) -> Result<(), String> {
        let call = scene.calls.get(&to).ok_or("an answer that nobody waits for")?;
        let is_durable = call.input <= scene.durable_inputs;
        match answer {
            Answer::Accepted { run, duplicate } => {
                let record = scene.durable.run(*run).ok_or(format!("{run:?} is accepted, and has no row"))?;
                if !duplicate && !is_durable {
                    return Err(format!("{run:?} is accepted before it is durable"));
                }
                self.runs.push(*run);
                match &call.dedup_key {
                    Some(key) => self.keyed(key, *run, *duplicate, record.created),
                    None => Ok(()),
                }
            }
            Answer::Done if call.changed && !is_durable => {
                Err(format!("{:?} is acknowledged before it is durable", call.command))
            }
            Answer::Done | Answer::Updated { .. } | Answer::Refused(_) => Ok(()),
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
        match self.runs.iter().find(|&&run| scene.durable.run(run).is_none()) {
            Some(run) => Err(format!("{run:?} was acknowledged and is lost")),
            None => Ok(()),
        }
    }
}
