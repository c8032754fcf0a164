//! A decision: all that may start now, in order, starts.

use std::collections::BTreeSet;

use partitur_model::Timestamp;
use partitur_model::definition::Priority;

use super::cell::{CellId, Demand, Need};
use super::lane::{Key, Lane, LaneId, Queues};
use super::order::Turns;
use super::ticket::Place;
use super::{Admission, Grant};

impl Admission {
    /// Grants all that may start now: of each ticket all claims or none; first those whose readiness is durable.
    pub fn decide(&mut self, now: Timestamp, out: &mut Vec<Grant>) {
        self.now = now;
        self.open_due(now);
        self.serve_reservers(now, out);
        let mut open = Open::default();
        open.insert(None, &self.incoming);
        self.open_dirty(&mut open);
        while let Some((queue, key, lane)) = open.next(&self.turns, now) {
            self.look(now, queue, key, lane, &mut open, out);
            self.open_dirty(&mut open);
        }
    }

    /// Looks at the first ticket of an open queue: it starts, or its lane closes, or it waits elsewhere.
    fn look(
        &mut self,
        now: Timestamp,
        queue: Queue,
        key: Key,
        lane: LaneId,
        open: &mut Open,
        out: &mut Vec<Grant>,
    ) {
        let Some(at) = self.refusal(now, key.index) else {
            self.grant(now, key.index, out);
            return open.advance(queue, key, lane, self.queues(lane));
        };
        let need = self.tickets[key.index].needs[at as usize];
        let refusing: LaneId = Some((need.cell, need.demand));
        if lane == refusing {
            open.remove(lane, self.queues(lane));
            self.note_passed(key.index, need);
        } else if self.stalls(now, lane, need.cell) {
            open.remove(lane, self.queues(lane));
            self.stall(lane, need.cell);
        } else {
            open.remove(refusing, self.queues(refusing));
            self.wait_for(key.index, at);
            open.advance(queue, key, lane, self.queues(lane));
        }
    }

    /// Which of the ticket's needs is the first that is not met.
    pub(super) fn refusal(&self, now: Timestamp, index: u32) -> Option<u32> {
        let refuses = |need: &Need| !self.resources.cell(need.cell).admits(now, index, need.demand);
        let at = self.tickets[index].needs.iter().position(refuses)?;
        Some(u32::try_from(at).expect("fewer than 2^32 claims"))
    }

    /// The ticket gets what it wants.
    pub(super) fn grant(&mut self, now: Timestamp, index: u32, out: &mut Vec<Grant>) {
        self.unpark(index);
        self.forsake(index);
        let entry = &self.tickets[index];
        out.push(Grant { task: entry.key(), fresh: entry.fresh, waited: now.since(entry.since) });
        self.turns.leave(entry.class);
        self.turns.take(entry.class);
        self.hold(now, index);
    }

    /// The one place where anything is taken.
    pub(super) fn hold(&mut self, since: Timestamp, index: u32) {
        let entry = &mut self.tickets[index];
        (entry.place, entry.since) = (Place::Holding, since);
        for need in entry.needs.iter() {
            self.resources.cell_mut(need.cell).stock.take(since, need.demand);
        }
    }

    /// A new ticket: it waits where it is refused, or for the next decision.
    pub(super) fn place(&mut self, now: Timestamp, index: u32) {
        match self.refusal(now, index) {
            Some(at) => self.park(index, at),
            None => {
                let (key, (fresh, class)) = (self.key(index), self.queue(index));
                self.incoming[usize::from(fresh)][class as usize].insert(key);
            }
        }
    }

    pub(super) fn make_durable(&mut self, index: u32) {
        let (key, class) = (self.key(index), self.tickets[index].class as usize);
        let lane = self.lane_of(index);
        let queues = self.queues_mut(lane);
        queues[1][class].remove(&key);
        queues[0][class].insert(key);
        self.tickets[index].fresh = false;
    }

    /// The ticket waits there from now on.
    pub(super) fn wait_for(&mut self, index: u32, refused: u32) {
        if self.tickets[index].place != Place::Parked(refused) {
            self.unpark(index);
            self.park(index, refused);
        }
    }

    fn park(&mut self, index: u32, refused: u32) {
        let (key, queue) = (self.key(index), self.queue(index));
        let entry = &mut self.tickets[index];
        entry.place = Place::Parked(refused);
        let need = entry.needs[refused as usize];
        let cell = self.resources.cell_mut(need.cell);
        let at = cell.lanes.binary_search_by_key(&need.demand, |lane| lane.demand).unwrap_or_else(|at| {
            cell.lanes.insert(at, Lane::new(need.demand));
            at
        });
        let lane = &mut cell.lanes[at];
        lane.insert(need.cell, queue, key, &entry.needs);
        // The newcomer may be able to do without what the others wait for.
        if lane.stalled_on.is_some_and(|other| !lane.all_need(other)) {
            lane.stalled_on = None;
            self.touch(need.cell);
        }
        self.note_passed(index, need);
    }

    /// Takes a waiting ticket from where it waits.
    pub(super) fn unpark(&mut self, index: u32) {
        let (key, queue) = (self.key(index), self.queue(index));
        let entry = &self.tickets[index];
        match entry.refused() {
            None => {
                debug_assert_eq!(entry.place, Place::Incoming, "a ticket that holds does not wait");
                self.incoming[usize::from(queue.0)][queue.1 as usize].remove(&key);
            }
            Some(Need { cell: at, demand, .. }) => {
                self.passed.remove(&(entry.since, entry.order, index));
                let cell = self.resources.cell_mut(at);
                let lane =
                    cell.lanes.binary_search_by_key(&demand, |lane| lane.demand).expect("it is parked there");
                cell.lanes[lane].remove(at, queue, key, &entry.needs);
                if cell.lanes[lane].length == 0 {
                    cell.lanes.remove(lane);
                }
            }
        }
    }

    /// Whether the lane as a whole waits for that cell: everybody in it needs it, and nothing is left.
    fn stalls(&self, now: Timestamp, lane: LaneId, other: CellId) -> bool {
        lane.is_some_and(|(cell, demand)| {
            let lane = self.resources.cell(cell).lane(demand).expect("a lane at which we look is there");
            lane.all_need(other) && self.resources.cell(other).is_exhausted(now)
        })
    }

    fn stall(&mut self, lane: LaneId, other: CellId) {
        let (cell, demand) = lane.expect("what is incoming does not stall");
        self.resources.cell_mut(cell).lane_mut(demand).expect("the lane is there").stalled_on = Some(other);
        self.resources.cell_mut(other).stalled.push(lane);
    }

    /// Cells that time has opened.
    fn open_due(&mut self, now: Timestamp) {
        for at in 0..self.resources.timed.len() {
            let cell = self.resources.timed[at];
            if !self.resources.cell(cell).is_exhausted(now) {
                self.touch(cell);
            }
        }
    }

    /// Opens the lanes of all cells that may have become free.
    fn open_dirty(&mut self, open: &mut Open) {
        while let Some(id) = self.dirty.pop() {
            let cell = self.resources.cell_mut(id);
            cell.dirty = false;
            for lane in std::mem::take(&mut cell.stalled) {
                self.resume(lane, id, open);
            }
            for lane in self.resources.cell(id).lanes.iter().filter(|lane| lane.stalled_on.is_none()) {
                open.insert(Some((id, lane.demand)), &lane.queues);
            }
        }
    }

    /// The lane waited as a whole for a cell that may be free now.
    fn resume(&mut self, id: LaneId, for_cell: CellId, open: &mut Open) {
        let (cell, demand) = id.expect("what is incoming does not stall");
        // It may have gone, or have found something else to wait for.
        if let Some(lane) = self.resources.cell_mut(cell).lane_mut(demand)
            && lane.stalled_on == Some(for_cell)
        {
            lane.stalled_on = None;
            open.insert(id, &lane.queues);
        }
    }

    /// The lane of a ticket that is parked; `None` if it is not.
    fn lane_of(&self, index: u32) -> LaneId {
        self.tickets[index].refused().map(|need| (need.cell, need.demand))
    }

    fn queue(&self, index: u32) -> Queue {
        (self.tickets[index].fresh, self.tickets[index].class)
    }

    fn queues(&self, lane: LaneId) -> Option<&Queues> {
        match lane {
            None => Some(&self.incoming),
            Some((cell, demand)) => self.resources.cell(cell).lane(demand).map(|lane| &lane.queues),
        }
    }

    fn queues_mut(&mut self, lane: LaneId) -> &mut Queues {
        match lane {
            None => &mut self.incoming,
            Some((cell, demand)) => {
                &mut self.resources.cell_mut(cell).lane_mut(demand).expect("somebody is parked there").queues
            }
        }
    }
}

impl super::cell::Cell {
    pub(super) fn lane(&self, demand: Demand) -> Option<&Lane> {
        self.lanes.binary_search_by_key(&demand, |lane| lane.demand).ok().map(|at| &self.lanes[at])
    }

    fn lane_mut(&mut self, demand: Demand) -> Option<&mut Lane> {
        self.lanes.binary_search_by_key(&demand, |lane| lane.demand).ok().map(|at| &mut self.lanes[at])
    }
}

/// Fresh or not, and the class.
type Queue = (bool, Priority);

/// The first ticket of each queue of each lane at which this decision has yet to look.
#[derive(Default)]
struct Open([[BTreeSet<(Key, LaneId)>; 4]; 2]);

impl Open {
    fn insert(&mut self, lane: LaneId, queues: &Queues) {
        for (heads, queue) in self.0.iter_mut().flatten().zip(queues.iter().flatten()) {
            heads.extend(queue.first().map(|&key| (key, lane)));
        }
    }

    fn remove(&mut self, lane: LaneId, queues: Option<&Queues>) {
        for (heads, queue) in self.0.iter_mut().flatten().zip(queues.into_iter().flatten().flatten()) {
            if let Some(&key) = queue.first() {
                heads.remove(&(key, lane));
            }
        }
    }

    /// The ticket has left its queue; the one behind it comes to the front.
    fn advance(&mut self, queue: Queue, gone: Key, lane: LaneId, queues: Option<&Queues>) {
        let (fresh, class) = (usize::from(queue.0), queue.1 as usize);
        let heads = &mut self.0[fresh][class];
        heads.remove(&(gone, lane));
        heads.extend(queues.and_then(|queues| queues[fresh][class].first()).map(|&key| (key, lane)));
    }

    /// Durable before fresh, then the class whose turn it is, then the order within the class.
    fn next(&self, turns: &Turns, now: Timestamp) -> Option<(Queue, Key, LaneId)> {
        [false, true].into_iter().find_map(|fresh| {
            let classes = &self.0[usize::from(fresh)];
            let ready = std::array::from_fn(|class| classes[class].first().map(|(key, _)| key.ready));
            let class = turns.next(now, ready)?;
            let &(key, lane) = classes[class as usize].first()?;
            Some(((fresh, class), key, lane))
        })
    }
}
