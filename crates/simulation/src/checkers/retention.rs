//! What goes has ended and has been kept for long enough, with all that belongs to it; and what should go does not stay.

use std::collections::BTreeSet;

use partitur_model::RunId;
use partitur_model::change::Change;
use partitur_store::EndedRoot;
use partitur_store::retention::{FRESH, Family};

use super::{Checker, Scene, Seen};
use crate::rows::Rows;

/// Knows what has gone in one piece.
#[derive(Default)]
pub struct Retention {
    gone: BTreeSet<RunId>,
}

impl Checker for Retention {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Forgotten(families) => families.iter().try_for_each(|family| self.may_go(scene, family)),
            Seen::Commit(changes) => self.goes_whole(changes),
            Seen::Started(_) => {
                self.gone.clear();
                nobody_is_left_behind(scene)
            }
            Seen::Idle => nothing_stays(scene),
            Seen::Effect(_) | Seen::Rest | Seen::Killed => Ok(()),
        }
    }
}

impl Retention {
    fn may_go(&mut self, scene: &Scene<'_>, family: &Family) -> Result<(), String> {
        let whole = family_of(scene.decided, family.root.run);
        let chosen: BTreeSet<RunId> = family.runs.iter().copied().collect();
        if whole != chosen {
            return Err(format!("{chosen:?} go, and the family is {whole:?}"));
        }
        for &run in &whole {
            let row = scene.decided.run(run).ok_or("what goes has gone already")?;
            if !row.state.is_ended() || scene.engine.run(run).is_some() {
                return Err(format!("{run:?} goes, and is {:?}", row.state));
            }
        }
        let root = scene.decided.run(family.root.run).and_then(|run| run.ended);
        let kept = scene.house.retention.kept;
        let is_over = kept.is_over(&family.root, scene.latest);
        let is_surplus = kept.runs.is_some() && family.root.ended + FRESH <= scene.latest;
        if root != Some(family.root.ended) || !(is_over || is_surplus) {
            return Err(format!("{family:?} goes too early: it has ended at {root:?}, and {kept:?}"));
        }
        self.gone.extend(whole);
        Ok(())
    }

    /// In one commit.
    fn goes_whole(&mut self, changes: &[Change]) -> Result<(), String> {
        let goes = |change: &Change| match change {
            Change::RemoveRun(run) => Some(*run),
            Change::Run(_)
            | Change::Node(_)
            | Change::Definition(_)
            | Change::Task(_)
            | Change::RemoveTask(..)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => None,
        };
        let removed: BTreeSet<RunId> = changes.iter().filter_map(goes).collect();
        let gone = std::mem::take(&mut self.gone);
        match gone.difference(&removed).next() {
            Some(run) => Err(format!("{run:?} stays, and others of {gone:?} go")),
            None => Ok(()),
        }
    }
}

/// A run with those below it, found in the plainest way.
fn family_of(rows: &Rows, root: RunId) -> BTreeSet<RunId> {
    let mut family = BTreeSet::from([root]);
    loop {
        let below = rows.runs().filter(|run| run.parent.is_some_and(|parent| family.contains(&parent.run)));
        let all: BTreeSet<RunId> = below.map(|run| run.id).chain(family.iter().copied()).collect();
        if all.len() == family.len() {
            return family;
        }
        family = all;
    }
}

/// Nothing of what has gone came back with the start.
fn nobody_is_left_behind(scene: &Scene<'_>) -> Result<(), String> {
    let orphan = scene.durable.runs().find(|run| {
        let above = run.parent.map(|parent| parent.run);
        above.is_some_and(|above| scene.durable.run(above).is_none() && !scene.removals.contains(&above))
    });
    orphan.map_or(Ok(()), |run| Err(format!("{:?} is there without the run above it", run.id)))
}

fn nothing_stays(scene: &Scene<'_>) -> Result<(), String> {
    let Some(settled) = scene.house.retention.settled else { return Ok(()) };
    let kept = scene.house.retention.kept;
    let over = scene.durable.roots().find(|root: &EndedRoot| kept.is_over(root, settled));
    over.map_or(Ok(()), |root| Err(format!("{root:?} stays, and {kept:?}")))
}
