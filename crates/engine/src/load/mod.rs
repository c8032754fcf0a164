//! How many attempts of a run live at once, where its definition gives bounds: as many as the machine bears.
//!
//! Somebody looks at the machine and says what was found ([`Input::Pressure`](crate::Input::Pressure)); a [`Governor`]
//! for each such run decides from that, from how long its tasks take, and from what it has seen before. Its word is the
//! capacity of the run's slots: what lives goes on, only what is new waits.
//!
//! Nothing of it is stored: after a start of the process, the machine is looked at anew.

mod governor;
mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::definition::Concurrency;
use partitur_model::{Pressure, RunId, Timestamp};

pub use governor::{Cause, Governor, Sight};
use pace::Pace;

/// The runs whose limit follows the load.
#[derive(Debug, Default)]
pub(crate) struct Governors {
    /// Somebody looks at the machine. Without that, a run has its upper bound.
    adapts: bool,
    of: BTreeMap<RunId, Governed>,
}

#[derive(Debug)]
struct Governed {
    governor: Governor,
    pace: Pace,
}

/// How a run is limited at present.
#[derive(Clone, Debug, PartialEq)]
pub struct LimitView {
    /// Which run.
    pub run: RunId,
    /// Its bounds.
    pub bounds: Concurrency,
    /// So many at once.
    pub limit: u32,
    /// So many live.
    pub live: u32,
    /// Why it moved last, for people.
    pub reason: String,
    /// When it moved last.
    pub since: Timestamp,
}

impl Governors {
    /// Of an engine whose owner looks at the machine, or does not.
    pub fn new(adapts: bool) -> Governors {
        Governors { adapts, ..Governors::default() }
    }

    /// What the run begins with: until somebody has looked, the least.
    pub fn limit(&mut self, now: Timestamp, run: RunId, bounds: Concurrency) -> u32 {
        if !self.adapts || bounds.min >= bounds.max {
            return bounds.max;
        }
        let fresh = || Governed { governor: Governor::new(bounds, now), pace: Pace::default() };
        self.of.entry(run).or_insert_with(fresh).governor.limit()
    }

    /// The run has ended.
    pub fn forget(&mut self, run: RunId) {
        self.of.remove(&run);
    }

    /// Whether anybody wants to know how the machine is.
    pub fn is_wanted(&self) -> bool {
        !self.of.is_empty()
    }

    /// Whether somebody waits for the first look at it.
    pub fn is_urgent(&self) -> bool {
        self.of.values().any(|governed| !governed.governor.has_looked())
    }

    /// The runs that follow the load.
    pub fn runs(&self) -> Vec<RunId> {
        self.of.keys().copied().collect()
    }

    /// An attempt of this task has taken so long.
    pub fn took(&mut self, run: RunId, task: &Arc<str>, time: Duration) {
        if let Some(governed) = self.of.get_mut(&run) {
            governed.pace.took(task, time);
        }
    }

    /// The machine was found so; the run's governor, if its limit has moved.
    pub fn look(
        &mut self,
        run: RunId,
        now: Timestamp,
        pressure: Pressure,
        live: u32,
        waits: bool,
    ) -> Option<&Governor> {
        let governed = self.of.get_mut(&run)?;
        let sight = Sight { pressure, live, waits, slowdown: governed.pace.slowdown() };
        governed.governor.look(now, &sight).then_some(&governed.governor)
    }

    /// How the run is limited, and so many of it live.
    pub fn view(&self, run: RunId, live: u32) -> Option<LimitView> {
        let governor = &self.of.get(&run)?.governor;
        Some(LimitView {
            run,
            bounds: governor.bounds(),
            limit: governor.limit(),
            live,
            reason: governor.cause().to_string(),
            since: governor.since(),
        })
    }
}
