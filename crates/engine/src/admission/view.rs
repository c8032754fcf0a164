//! Who holds what and who waits for what, for people.

use partitur_model::Timestamp;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::record::BreakerRecord;

use super::breaker::Breaker;
use super::cell::{CellId, Demand, Need, Stock};
use super::mode::Mode;
use super::ticket::{Entry, Place};
use super::{Admission, Request, ResourceId, TaskKey};

/// Why a ticket waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// Nobody has looked at it yet; the next decision does.
    Undecided,
    /// Something is held by others, or kept free for an older ticket.
    Resource(ResourceId),
    /// The rate is used up; until then, if nothing else is given out.
    Rate(ResourceId, Timestamp),
    /// The breaker is open until then; half open and fully probed if there is no time.
    Breaker(ResourceId, Option<Timestamp>),
}

/// A ticket that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitView {
    /// Which.
    pub task: TaskKey,
    /// Its class.
    pub class: Priority,
    /// Since it became ready.
    pub since: Timestamp,
    /// What refused it.
    pub blocked_on: Blocker,
    /// Who holds that in a way that does not go together with what it wants.
    pub held_by: Vec<TaskKey>,
    /// Older tickets for which that is kept free.
    pub kept_for: Vec<TaskKey>,
    /// It keeps free what it needs.
    pub reserves: bool,
}

/// A ticket that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// Which.
    pub task: TaskKey,
    /// Since when.
    pub since: Timestamp,
    /// What it holds, without the intentions on ancestors.
    pub claims: Vec<Request>,
}

impl Admission {
    /// Everybody who waits, oldest first.
    pub fn waits(&self, now: Timestamp) -> Vec<WaitView> {
        let waiting = self.tickets.iter().filter(|(_, entry)| entry.place != Place::Holding);
        let mut views: Vec<_> = waiting
            .map(|(index, entry)| (entry.since, entry.order, self.wait_view(now, index, entry)))
            .collect();
        views.sort_by_key(|(ready, order, view)| (*ready, *order, view.task));
        views.into_iter().map(|(_, _, view)| view).collect()
    }

    /// How every breaker stands, in the order in which they were first named.
    pub fn breakers(&self, now: Timestamp) -> Vec<BreakerRecord> {
        let record =
            |breaker: &Breaker| BreakerRecord { name: breaker.spec.name.clone(), state: breaker.state(now) };
        self.resources.breakers().map(record).collect()
    }

    /// Everybody who holds something, by task.
    pub fn holders(&self) -> Vec<HoldView> {
        let holding = self.tickets.iter().filter(|(_, entry)| entry.place == Place::Holding);
        let mut views: Vec<_> = holding
            .map(|(_, entry)| HoldView {
                task: entry.key(),
                since: entry.since,
                claims: entry.needs.iter().filter(|need| need.named).map(|need| self.request(need)).collect(),
            })
            .collect();
        views.sort_by_key(|view| view.task);
        views
    }

    /// Why the task waits; `None` if it does not.
    pub fn blocked_on(&self, task: TaskKey) -> Option<Blocker> {
        let index = self.tickets.find(task)?;
        let entry = &self.tickets[index];
        let Some(need) = entry.refused() else {
            return (entry.place == Place::Incoming).then_some(Blocker::Undecided);
        };
        let stalled_on = self.resources.cell(need.cell).lane(need.demand).and_then(|lane| lane.stalled_on);
        // A reserver is looked at by itself, not as one of its lane.
        let refused_by = stalled_on.filter(|_| !self.reservers.contains(&index)).unwrap_or(need.cell);
        Some(self.blocker(refused_by, need.demand))
    }

    fn blocker(&self, id: CellId, demand: Demand) -> Blocker {
        let cell = self.resources.cell(id);
        match &cell.stock {
            Stock::Units { .. } | Stock::Path(_) | Stock::Offers(_) => Blocker::Resource(cell.label),
            Stock::Rate(rate) => Blocker::Rate(cell.label, rate.opens(self.now, demand.units())),
            Stock::Breaker(breaker) => Blocker::Breaker(cell.label, breaker.opens(self.now)),
        }
    }

    fn wait_view(&self, now: Timestamp, index: u32, entry: &Entry) -> WaitView {
        let blocked_on = self.blocked_on(entry.key()).unwrap_or(Blocker::Undecided);
        let refused = match blocked_on {
            Blocker::Undecided => None,
            Blocker::Resource(id) | Blocker::Rate(id, _) | Blocker::Breaker(id, _) => {
                let cell = self.resources.cell_of(id);
                entry.needs.iter().find(|need| need.cell == cell)
            }
        };
        let cell = refused.map(|need| self.resources.cell(need.cell));
        let older =
            cell.into_iter().flat_map(|cell| cell.reserved.iter().take_while(|&&(other, _)| other != index));
        WaitView {
            task: entry.key(),
            class: entry.class,
            since: entry.since.min(now),
            blocked_on,
            held_by: refused.map_or_else(Vec::new, |need| self.in_the_way(need)),
            kept_for: older
                .filter(|(_, kept)| kept.is_some())
                .map(|&(other, _)| self.tickets[other].key())
                .collect(),
            reserves: self.reservers.contains(&index),
        }
    }

    /// The holders that do not go together with the need.
    pub(super) fn in_the_way(&self, need: &Need) -> Vec<TaskKey> {
        let conflicts = |held: &Need| match (held.demand, need.demand) {
            (Demand::Path(held), Demand::Path(wanted)) => !held.compatible(wanted),
            (Demand::Shared, Demand::Shared) | (Demand::Permits(_), _) => false,
            (Demand::Units(_) | Demand::Shared | Demand::Path(_) | Demand::Pass, _wanted) => true,
        };
        let holding = self.tickets.iter().filter(|(_, entry)| entry.place == Place::Holding);
        let mut holders: Vec<_> = holding
            .filter(|(_, entry)| entry.needs.iter().any(|held| held.cell == need.cell && conflicts(held)))
            .map(|(_, entry)| entry.key())
            .collect();
        holders.sort_unstable();
        holders
    }

    fn request(&self, need: &Need) -> Request {
        let mode = match need.demand {
            Demand::Shared | Demand::Path(Mode::IntentShared | Mode::Shared) => ClaimMode::Shared,
            Demand::Path(Mode::IntentExclusive | Mode::SharedIntentExclusive | Mode::Exclusive)
            | Demand::Units(_)
            | Demand::Permits(_)
            | Demand::Pass => ClaimMode::Exclusive,
        };
        Request { resource: self.resources.cell(need.cell).label, mode, units: need.demand.units() }
    }
}
