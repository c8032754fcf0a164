//! Fake executors: what becomes of a dispatch in the world outside the node.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_model::dispatch::{Dispatch, Ending};
use partitur_model::record::TaskError;
use partitur_model::{AttemptId, Payload};

use crate::faults::Fault;
use crate::rng::Rng;

/// A process that executes an attempt.
pub struct Process {
    /// What it executes.
    pub dispatch: Dispatch,
    /// It has been told to stop.
    pub stopping: bool,
}

/// The processes of all starts of the node.
#[derive(Default)]
pub struct Processes {
    /// Those that live. A dispatch on its way to its executor counts: its process may start at any moment.
    pub live: BTreeMap<AttemptId, Process>,
    /// Those that are dead although nobody heard of it.
    pub unheard: BTreeMap<AttemptId, Dispatch>,
}

/// What an attempt is going to do.
pub struct Plan {
    /// So long it lives.
    pub lasts: Duration,
    /// How it shows signs of life.
    pub beats: Option<Duration>,
    /// What goes wrong with it.
    pub faults: Vec<Fault>,
}

/// What an attempt is going to do, at random.
pub fn plan(rng: &mut Rng, dispatch: &Dispatch) -> Plan {
    let mut faults = Vec::new();
    let mut lasts = rng.pause(10, 30_000);
    if rng.percent(4) {
        faults.push(Fault::Hang);
        lasts = Duration::from_secs(600);
    }
    let beats = dispatch.heartbeat.map(|due| due / 3);
    if beats.is_some() && rng.percent(20) {
        faults.push(Fault::Silence);
    }
    let beats = beats.filter(|_| !faults.contains(&Fault::Silence));
    Plan { lasts, beats, faults }
}

/// How an attempt ends by itself.
pub fn ending(rng: &mut Rng) -> Ending {
    if rng.percent(75) {
        let n = Payload::from(rng.between(0, 5));
        let list = Payload::list((0..rng.between(0, 4)).map(Payload::from));
        let case = Payload::string(["a", "b", "c"][rng.below(3)]);
        return Ending::success(Some(Payload::object([("n", n), ("list", list), ("case", case)])));
    }
    let code = ["exit-1", "exit-9", "http-503", "timeout"][rng.below(4)];
    let error = TaskError::new(code, "it did not work");
    Ending::failure(TaskError { retriable: rng.percent(85), ..error })
}

/// How an attempt ends that was told to stop.
pub fn stopped(rng: &mut Rng) -> Ending {
    // It may have been done just before the word reached it.
    if rng.percent(10) { ending(rng) } else { Ending::failure(TaskError::new("signal-15", "it was stopped")) }
}

/// What an evaluation outside the engine yields.
pub fn value(rng: &mut Rng) -> Result<Payload, TaskError> {
    match rng.below(8) {
        0 => Err(TaskError::terminal("script", "it threw an error")),
        1 | 2 => Ok(Payload::from(true)),
        3 => Ok(Payload::string("a")),
        4 => Ok(Payload::string("b")),
        5 => Ok(Payload::from(0)),
        _ => Ok(Payload::from(false)),
    }
}
