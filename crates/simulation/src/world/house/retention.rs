//! What has ended long ago goes: chosen from rows, and carried out some time later, if it is still so.

use std::time::Duration;

use partitur_engine::Input;
use partitur_model::Timestamp;
use partitur_store::retention::{Family, Kept, Sweep, is_still_so};

use super::super::{Event, Stop, World};
use super::Errand;
use crate::checkers::Seen;
use crate::disk::Disk;
use crate::rng::Rng;

/// What is kept, and what is about to go.
pub struct Retention {
    pub kept: Kept,
    sweep: Option<Sweep>,
    chosen: Vec<Family>,
    /// Something has gone since it was last looked for the first.
    removed: bool,
    /// At this time of the node's clock nothing was left that should go.
    pub settled: Option<Timestamp>,
}

impl Retention {
    pub fn new(rng: &mut Rng) -> Retention {
        let age = |rng: &mut Rng| Some(rng.pause(5_000, 90_000));
        let kept = Kept {
            succeeded: if rng.percent(80) { age(rng) } else { None },
            failed: if rng.percent(70) { age(rng) } else { None },
            runs: rng.percent(40).then(|| rng.between(2, 6)),
            bytes: None,
        };
        Retention { kept, sweep: None, chosen: Vec::new(), removed: false, settled: None }
    }

    pub fn forget(&mut self) {
        (self.sweep, self.chosen, self.settled) = (None, Vec::new(), None);
    }
}

impl<D: Disk> World<D> {
    /// Looks for what is to go next.
    pub(super) fn sweep(&mut self) -> Result<(), Stop> {
        if self.shard.is_none() {
            return Ok(());
        }
        let (begins, now) = (self.house.retention.sweep.is_none(), self.clock());
        let mut sweep = match self.house.retention.sweep.take() {
            Some(sweep) => sweep,
            None => self.new_sweep(),
        };
        let chosen = sweep.next(&self.durable).expect("rows in memory are never out of order");
        if chosen.is_empty() {
            let is_busy = self.is_busy();
            self.house.retention.settled = (begins && self.swept).then_some(now);
            let goes_on = is_busy || self.house.retention.removed;
            if goes_on {
                let pause = self.rng.pause(1_000, 15_000);
                self.soon(pause, Event::House(Errand::Sweep));
            }
            self.house.retention.removed = false;
            return Ok(());
        }
        (self.house.retention.sweep, self.house.retention.chosen) = (Some(sweep), chosen);
        // Others have their turn, and may want what was chosen.
        let pause = self.rng.pause(0, 4_000);
        self.soon(pause, Event::House(Errand::Forget));
        Ok(())
    }

    /// Everything has ended: all leave memory, some time passes, and once more it is looked for what is to go.
    pub(in crate::world) fn last_sweep(&mut self) -> Result<(), Stop> {
        let here: Vec<_> = self.shard.iter().flat_map(|shard| shard.engine().resident()).collect();
        for run in here {
            self.input(Input::Evict(run), None)?;
        }
        self.skew += 120_000_000;
        self.house.retention.forget();
        self.soon(Duration::from_secs(1), Event::House(Errand::Sweep));
        Ok(())
    }

    fn new_sweep(&mut self) -> Sweep {
        let (kept, now) = (self.house.retention.kept, self.clock());
        let ended = self.durable.runs().filter(|run| run.state.is_ended()).count();
        match kept.runs.map(|most| ended.saturating_sub(most as usize)) {
            Some(surplus) if surplus > 0 && self.is_busy() && self.rng.percent(50) => {
                self.summary.deed("there are too many runs");
                Sweep::of_surplus(surplus, now)
            }
            Some(_) | None => Sweep::of_old(kept, now),
        }
    }

    /// What was chosen goes; if somebody is in the way, each family by itself.
    pub(super) fn forget_chosen(&mut self) -> Result<(), Stop> {
        if self.shard.is_none() {
            return Ok(());
        }
        let chosen = std::mem::take(&mut self.house.retention.chosen);
        let mut stayed = 0;
        if !self.forget_families(&chosen)? {
            for family in &chosen {
                if !self.forget_families(std::slice::from_ref(family))? {
                    self.summary.deed("a family is not as it was chosen");
                    stayed += family.runs.len();
                }
            }
        }
        if let Some(sweep) = &mut self.house.retention.sweep {
            sweep.stayed(stayed);
        }
        let pause = self.rng.pause(1, 50).max(Duration::from_millis(1));
        self.soon(pause, Event::House(Errand::Sweep));
        self.turn()
    }

    fn forget_families(&mut self, families: &[Family]) -> Result<bool, Stop> {
        let is_so = |family: &Family| is_still_so(&self.durable, family).unwrap_or(false);
        if !families.iter().all(is_so) {
            return Ok(false);
        }
        let now = self.clock();
        let runs: Vec<_> = families.iter().flat_map(|family| family.runs.clone()).collect();
        let Some(shard) = &mut self.shard else { return Ok(false) };
        if !shard.forget(now, &runs) {
            return Ok(false);
        }
        self.note(|| format!("forget {families:?}"));
        for family in families {
            self.summary.deed("a family goes");
            if family.runs.len() > 1 {
                self.summary.deed("a run goes with its sub-runs");
            }
        }
        self.removals.extend(&runs);
        self.house.retention.removed = true;
        self.watch(&Seen::Forgotten(families))?;
        Ok(true)
    }
}
