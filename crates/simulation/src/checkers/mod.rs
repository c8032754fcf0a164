//! What must always hold. Checkers watch and never steer: each has its own naive idea of what is right, taken from
//! the definition and from what was seen, not from the engine.

mod acknowledged;
mod durable;
mod ends;
mod jobs;
mod locks;
mod order;
mod outside;
mod retention;
mod schedules;
mod slots;
mod tokens;
mod undo;
mod waiting;
mod wakes;

use std::collections::{BTreeMap, BTreeSet};

use partitur_engine::{Command, Effect, Engine, ReplyTo};
use partitur_model::change::Change;
use partitur_model::{AttemptId, RunId, Timestamp};
use partitur_store::retention::Family;

use crate::processes::Processes;
use crate::rows::Rows;
use crate::workload::Documents;
use crate::world::house::House;

/// Everything there is to look at.
pub struct Scene<'a> {
    /// The world's time, which never jumps.
    pub now: Timestamp,
    /// The engine's memory.
    pub engine: &'a Engine,
    /// What runs execute.
    pub documents: &'a Documents,
    /// What the shard has been told is durable.
    pub durable: &'a Rows,
    /// What has been submitted by this start of the node, on top of what it found.
    pub decided: &'a Rows,
    /// The processes of all starts.
    pub processes: &'a Processes,
    /// Who waits for an answer.
    pub calls: &'a BTreeMap<ReplyTo, Call>,
    /// Runs that somebody wanted to be forgotten.
    pub removals: &'a BTreeSet<RunId>,
    /// What the server does beside its runs.
    pub house: &'a House,
    /// What the node's clock shows.
    pub clock: Timestamp,
    /// The most that it has ever shown.
    pub latest: Timestamp,
    /// Inputs up to this one are durable.
    pub durable_inputs: u64,
    /// How many attempts may live at once.
    pub limit: u32,
    /// Everything that was decided is durable.
    pub is_quiet: bool,
    /// The disk refuses to write.
    pub in_trouble: bool,
}

/// Somebody waits for an answer.
#[derive(Default)]
pub struct Call {
    /// Which input it was.
    pub input: u64,
    /// What was wanted of a run, if it was a command.
    pub command: Option<Command>,
    /// The key under which equal submissions share a run.
    pub dedup_key: Option<String>,
    /// The input changed something at once.
    pub changed: bool,
    /// The attempt that is done, as the input says.
    pub ends: Option<AttemptId>,
    /// The queue from which tasks are wanted.
    pub queue: Option<String>,
}

/// Something that was seen.
pub enum Seen<'a> {
    /// A batch is submitted; [`Scene::decided`] is as before.
    Commit(&'a [Change]),
    /// An effect is released.
    Effect(&'a Effect),
    /// All that was to be done at this moment has been done.
    Rest,
    /// Nothing will happen by itself.
    Idle,
    /// The node has started, in this epoch.
    Started(u32),
    /// What the last start left behind has been killed, and the engine knows.
    Killed,
    /// These families are to go.
    Forgotten(&'a [Family]),
}

/// Something that must always hold.
trait Checker {
    /// Looks at what was seen; a sentence if it must not be.
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String>;
}

/// All checkers.
pub struct Checkers(Vec<Box<dyn Checker>>);

impl Checkers {
    /// All of them, having seen nothing.
    pub fn new() -> Checkers {
        Checkers(vec![
            Box::new(acknowledged::Acknowledged::default()),
            Box::new(durable::Durable),
            Box::new(order::Order),
            Box::new(locks::Locks),
            Box::new(tokens::Tokens::default()),
            Box::new(slots::Slots::default()),
            Box::new(ends::Ends),
            Box::new(undo::Undoing),
            Box::new(waiting::Waiting::default()),
            Box::new(wakes::Wakes::default()),
            Box::new(schedules::Schedules),
            Box::new(retention::Retention::default()),
            Box::new(jobs::Jobs),
            Box::new(outside::Outside::default()),
        ])
    }

    /// Shows them something; the first complaint, if there is one.
    pub fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        self.0.iter_mut().try_for_each(|checker| checker.watch(scene, seen))
    }
}

impl Default for Checkers {
    fn default() -> Checkers {
        Checkers::new()
    }
}
