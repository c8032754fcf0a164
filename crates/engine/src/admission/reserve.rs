//! Nobody waits for ever: the oldest of those who can be passed keep free what they need.
//!
//! Greedy order never wastes capacity, but a ticket that wants ten things at once meets a moment in which all ten are
//! free only by luck, and a writer one without readers. So the oldest over age, at most `max_reservations`, are
//! treated by all others as if they held what they wait for. The oldest of them waits for present holders only, hence
//! always gets there. In particular nobody new reads what it wants to write.
//!
//! Who waits in line for one thing that one holds at a time is never passed except by order, so a long line at one
//! lock keeps the order of classes and paths and makes no reservations.
//!
//! Places in pools are not kept free one by one: a reserver is looked at first in every decision, so the next free
//! slot is its own once the things it needs are there.

use partitur_model::Timestamp;

use super::cell::Need;
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
        self.promote(now);
        let mut at = 0;
        while let Some(&index) = self.reservers.get(at) {
            match self.refusal(now, index) {
                Some(refused) => {
                    self.wait_for(index, refused);
                    at += 1;
                }
                None => {
                    self.grant(now, index, out);
                    self.promote(now);
                }
            }
        }
    }

    /// A ticket has been refused there: can others pass it as long as it waits?
    pub(super) fn note_passed(&mut self, index: u32, refused: Need) {
        let (entry, cell) = (&self.tickets[index], self.resources.cell(refused.cell));
        let can_be_passed =
            if cell.limit { refused.demand.units() >= 2 } else { entry.wide || cell.is_shared() };
        if can_be_passed {
            self.passed.insert((entry.since, entry.order, index));
        }
    }

    /// Gives reservations to the oldest over age of those who can be passed.
    fn promote(&mut self, now: Timestamp) {
        while self.reservers.len() < self.options.max_reservations {
            let oldest = self.passed.iter().find(|&&(_, _, index)| !self.reservers.contains(&index));
            match oldest {
                Some(&(ready, _, index)) if self.is_over_age(now, ready) => self.reserve(index),
                Some(_) | None => return,
            }
        }
    }

    fn reserve(&mut self, index: u32) {
        self.reservers.push(index);
        for need in self.tickets[index].needs.iter() {
            let cell = self.resources.cell_mut(need.cell);
            let keeps_free = !cell.limit || need.demand.units() >= 2;
            cell.reserved.push((index, keeps_free.then_some(need.demand)));
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
