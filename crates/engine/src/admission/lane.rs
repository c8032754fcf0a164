//! Tickets that wait for the same thing in the same way, in order.

use std::collections::BTreeSet;

use hashbrown::HashMap;
use partitur_model::Timestamp;
use partitur_model::definition::Priority;

use super::cell::{CellId, Demand, Need};
use super::hash::Fixed;

/// A ticket's place in its order; smaller starts earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) rank: u32,
    pub(super) ready: Timestamp,
    pub(super) order: u64,
    /// The ticket.
    pub(super) index: u32,
}

/// Which lane; `None` are the tickets at which nobody has looked yet.
pub(super) type LaneId = Option<(CellId, Demand)>;

/// Freshness (0 durable, 1 fresh) and class: the queues of a lane.
pub(super) type Queues = [[BTreeSet<Key>; 4]; 2];

/// The waiters of one demand on one cell. If the cell refuses the first of them it refuses all.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) demand: Demand,
    pub(super) queues: Queues,
    pub(super) length: u32,
    /// How many of them need this other cell too.
    others: HashMap<CellId, u32, Fixed>,
    /// Everybody here needs that cell, and it has nothing left: the whole lane waits for it.
    pub(super) stalled_on: Option<CellId>,
}

impl Lane {
    pub(super) fn new(demand: Demand) -> Lane {
        Lane {
            demand,
            queues: Queues::default(),
            length: 0,
            others: HashMap::with_hasher(Fixed::default()),
            stalled_on: None,
        }
    }

    pub(super) fn insert(&mut self, at: CellId, queue: (bool, Priority), key: Key, needs: &[Need]) {
        self.queues[usize::from(queue.0)][queue.1 as usize].insert(key);
        self.length += 1;
        for need in needs.iter().filter(|need| need.cell != at) {
            *self.others.entry(need.cell).or_insert(0) += 1;
        }
    }

    pub(super) fn remove(&mut self, at: CellId, queue: (bool, Priority), key: Key, needs: &[Need]) {
        let found = self.queues[usize::from(queue.0)][queue.1 as usize].remove(&key);
        debug_assert!(found, "a parked ticket stands in its lane");
        self.length -= 1;
        for need in needs.iter().filter(|need| need.cell != at) {
            let count = self.others.get_mut(&need.cell).expect("it was counted when the ticket came");
            *count -= 1;
            if *count == 0 {
                self.others.remove(&need.cell);
            }
        }
    }

    pub(super) fn all_need(&self, cell: CellId) -> bool {
        self.others.get(&cell).is_some_and(|&count| count == self.length)
    }
}
