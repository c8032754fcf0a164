//! How much waits and is held, without naming anybody: its cost grows with the things there are, not with the tickets.

use partitur_model::Timestamp;

use super::cell::{Cell, Stock};
use super::lane::Lane;
use super::{Admission, ResourceId, TaskKey};

/// How much waits and is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Where tasks wait for workers.
    pub queues: Vec<Waiting>,
    /// Limits that hold over many tasks.
    pub limits: Vec<Taken>,
    /// Things that tasks claim: paths, services, counted resources.
    pub things: Vec<Taken>,
}

/// Tasks in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The queue, as Conductor writes it.
    pub queue: String,
    /// So many.
    pub tasks: u64,
    /// Since when the oldest of those waits that are next in their lanes.
    pub oldest: Option<Timestamp>,
}

/// Something of which there is only so much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// Units that are held, or holders where it has no units.
    pub held: u64,
    /// Units that there are.
    pub capacity: u64,
    /// Tickets that wait here first.
    pub waiting: u64,
}

impl Admission {
    /// How much waits and is held.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for (name, cell) in self.resources.named_cells() {
            let waiting = cell.lanes.iter().map(|lane| u64::from(lane.length)).sum();
            let (held, capacity) = held(&cell.stock);
            if let Some(queue) = name.strip_prefix("workers/") {
                if waiting > 0 {
                    let oldest = cell.lanes.iter().filter_map(oldest).min();
                    census.queues.push(Waiting { queue: queue.to_owned(), tasks: waiting, oldest });
                }
            } else if let Some(limit) = name.strip_prefix("limit/") {
                census.limits.push(Taken { name: limit.to_owned(), held, capacity, waiting });
            } else if !cell.limit && (held > 0 || waiting > 0) {
                census.things.push(Taken { name: name.to_owned(), held, capacity, waiting });
            }
        }
        census
    }
}

impl Admission {
    /// Those who hold anything that does not go together with what a waiting ticket wants.
    pub fn in_the_way_of(&self, task: TaskKey) -> Vec<TaskKey> {
        let Some(index) = self.tickets.find(task) else { return Vec::new() };
        let entry = &self.tickets[index];
        let mut holders: Vec<TaskKey> = entry.needs.iter().flat_map(|need| self.in_the_way(need)).collect();
        holders.retain(|&holder| holder != task);
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// The tickets that wait for things, at most so many, oldest of each thing first: what they wait for, and since when.
    pub fn contenders(&self, most: usize) -> Vec<(TaskKey, ResourceId, Timestamp)> {
        let things = self.resources.cells.iter().filter(|cell| !cell.limit);
        let waiting = things.flat_map(|cell| {
            let keys = cell.lanes.iter().flat_map(|lane| lane.queues.iter().flatten().flatten());
            keys.map(|key| (self.tickets[key.index].key(), cell.label, key.ready))
        });
        waiting.take(most).collect()
    }
}

fn held(stock: &Stock) -> (u64, u64) {
    match stock {
        Stock::Units { capacity, used, readers } => (used + u64::from(*readers), u64::from(*capacity)),
        // Shared, both, exclusive: intentions on what lies below hold nothing here.
        Stock::Path(modes) => (modes[2..].iter().map(|&count| u64::from(count)).sum(), 1),
        Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_) => (0, 0),
    }
}

fn oldest(lane: &Lane) -> Option<Timestamp> {
    lane.queues.iter().flatten().filter_map(|queue| queue.first()).map(|key| key.ready).min()
}

impl super::resource::Resources {
    /// Each cell once, under the name that people see.
    fn named_cells(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.labelled().map(|(label, cell)| (self.name(label), cell))
    }
}
