//! The tickets that live: those that wait and those that hold.

use std::ops::{Index, IndexMut};

use hashbrown::HashMap;
use partitur_model::Timestamp;
use partitur_model::change::BatchNo;
use partitur_model::definition::Priority;

use super::TaskKey;
use super::cell::{CellId, Demand, Need};
use super::hash::Fixed;

/// Where a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It waits, and nobody has looked at it yet.
    Incoming,
    /// It waits in this lane of this cell.
    Parked(CellId, Demand),
    /// It holds all of its claims.
    Holding,
}

/// A ticket, compiled.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) task: TaskKey,
    pub(super) needs: Box<[Need]>,
    pub(super) ready: Timestamp,
    pub(super) order: u64,
    /// Holds since.
    pub(super) since: Timestamp,
    pub(super) rank: u32,
    pub(super) class: Priority,
    pub(super) place: Place,
    /// That it is ready is not durable yet.
    pub(super) fresh: bool,
    /// The batch that makes it durable.
    pub(super) ready_in: BatchNo,
    /// It wants several things, or several units of one.
    pub(super) wide: bool,
}

/// All live tickets, at stable indices.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    by_task: HashMap<TaskKey, u32, Fixed>,
}

impl Tickets {
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 tickets")
        });
        self.by_task.insert(entry.task, index);
        self.entries[index as usize] = Some(entry);
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Entry {
        let entry = self.entries[index as usize].take().expect("the ticket lives");
        self.by_task.remove(&entry.task);
        self.free.push(index);
        entry
    }

    pub(super) fn find(&self, task: TaskKey) -> Option<u32> {
        self.by_task.get(&task).copied()
    }

    /// All of them, in the order of their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().zip(0..).filter_map(|(entry, index)| Some((index, entry.as_ref()?)))
    }
}

impl Index<u32> for Tickets {
    type Output = Entry;

    fn index(&self, index: u32) -> &Entry {
        self.entries[index as usize].as_ref().expect("the ticket lives")
    }
}

impl IndexMut<u32> for Tickets {
    fn index_mut(&mut self, index: u32) -> &mut Entry {
        self.entries[index as usize].as_mut().expect("the ticket lives")
    }
}
