//! Nobody waits for ever: wide tickets over age keep free what they need, a narrow one stops newcomers.
//!
//! Greedy order never wastes capacity, but a ticket that wants ten things at once meets a moment in which all ten are
//! free only by luck. So the oldest wide tickets over age, at most `max_reservations`, are treated by all others as
//! if they held what they wait for. The oldest of them waits for present holders only, hence always gets there.
//!
//! A ticket that wants one thing cannot be passed except where others hold that thing together: readers, or tasks
//! below a directory. There, the oldest over age counts as holding that one cell. It needs nothing else but
//! intentions above it, which it only meets going up; so two of them never wait for each other.
//!
//! Places in pools are not kept free one by one: a reserver is looked at first in every decision, so the next free
//! slot is its own once the things it needs are there.

use partitur_model::Timestamp;

use super::cell::{CellId, Demand, Need};
use super::resource::Resources;
use super::{Admission, Grant};

/// The weight of the newest sample in the moving mean of hold times.
const NEWEST: f64 = 0.05;

/// Whether a ticket can be passed again and again by others that want less.
pub(super) fn is_wide(resources: &Resources, needs: &[Need]) -> bool {
    let things = needs.iter().filter(|need| need.named && !resources.cell(need.cell).limit).count();
    things >= 2 || needs.iter().any(|need| need.demand.units() >= 2)
}

impl Admission {
    /// Those with reservations come first; each that starts makes room for the next reservation.
    pub(super) fn serve_reservers(&mut self, now: Timestamp, out: &mut Vec<Grant>) {
        loop {
            self.promote(now);
            let mut reservers = self.reservers.clone().into_iter();
            match reservers.find(|&index| self.refusal(now, index).is_none()) {
                Some(index) => self.grant(now, index, out),
                None => return,
            }
        }
    }

    /// Gives reservations to the oldest wide tickets over age.
    fn promote(&mut self, now: Timestamp) {
        while self.reservers.len() < self.options.max_reservations {
            let oldest = self.wide.iter().find(|&&(_, _, index)| !self.reservers.contains(&index));
            match oldest {
                Some(&(ready, _, index)) if self.is_over_age(now, ready) => self.reserve(index),
                Some(_) | None => return,
            }
        }
    }

    fn reserve(&mut self, index: u32) {
        self.reservers.push(index);
        for need in &self.tickets[index].needs {
            let cell = self.resources.cell_mut(need.cell);
            if !cell.limit || need.demand.units() >= 2 {
                cell.reserved.push((index, need.demand));
            }
        }
    }

    /// The ticket waits no longer: what it kept free is free for others.
    pub(super) fn forsake(&mut self, index: u32) {
        let Some(at) = self.reservers.iter().position(|&reserver| reserver == index) else { return };
        self.reservers.remove(at);
        for at in 0..self.tickets[index].needs.len() {
            let cell = self.tickets[index].needs[at].cell;
            self.resources.cell_mut(cell).reserved.retain(|&(reserver, _)| reserver != index);
            self.touch(cell);
        }
    }

    /// Where several hold a cell together, and one who waits for it alone is over age, nobody new joins them.
    pub(super) fn stop_newcomers(&mut self, now: Timestamp, id: CellId) {
        let cell = self.resources.cell(id);
        if cell.lanes.is_empty() || cell.limit || cell.stopper.is_some() || !cell.is_shared() {
            return;
        }
        let heads = cell.lanes.iter().flat_map(|lane| {
            lane.queues
                .iter()
                .flatten()
                .filter_map(|queue| queue.first())
                .map(|key| (key.ready, key.order, key.index, lane.demand))
        });
        let narrow = heads.filter(|&(_, _, index, _)| !self.tickets[index].wide);
        let oldest: Option<(Timestamp, u64, u32, Demand)> = narrow.min();
        if let Some((ready, _, index, demand)) = oldest
            && self.is_over_age(now, ready)
        {
            self.resources.cell_mut(id).stopper = Some((index, demand));
        }
    }

    /// Learns how long things are held, from a holder that ends.
    pub(super) fn learn(&mut self, now: Timestamp, index: u32) {
        let entry = &self.tickets[index];
        if entry.needs.iter().all(|need| self.resources.cell(need.cell).limit) {
            return;
        }
        let held = now.since(entry.since).as_micros() as f64;
        self.hold_mean = Some(self.hold_mean.map_or(held, |mean| mean + NEWEST * (held - mean)));
    }

    fn is_over_age(&self, now: Timestamp, ready: Timestamp) -> bool {
        self.hold_mean
            .is_some_and(|mean| now.since(ready).as_micros() as f64 > self.options.lock_aging_factor * mean)
    }
}
