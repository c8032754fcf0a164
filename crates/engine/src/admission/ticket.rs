//! The tickets that live: those that wait and those that hold.

use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use hashbrown::HashTable;
use partitur_model::change::BatchNo;
use partitur_model::definition::Priority;
use partitur_model::{RunId, TaskSeq, Timestamp};

use super::TaskKey;
use super::cell::Need;
use super::hash::Fixed;

/// Where a ticket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It waits, and nobody has looked at it yet.
    Incoming,
    /// It waits where this one of its needs was refused.
    Parked(u32),
    /// It holds all of its claims.
    Holding,
}

/// A ticket, compiled: 80 bytes.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) run: RunId,
    pub(super) task: TaskSeq,
    pub(super) rank: u32,
    /// Shared between tickets that claim the same.
    pub(super) needs: Arc<[Need]>,
    /// When it became ready; once it holds, since when.
    pub(super) since: Timestamp,
    pub(super) order: u64,
    /// The batch that makes its readiness durable.
    pub(super) ready_in: BatchNo,
    pub(super) place: Place,
    pub(super) class: Priority,
    /// That it is ready is not durable yet.
    pub(super) fresh: bool,
    /// It wants several things, or several units of one.
    pub(super) wide: bool,
}

impl Entry {
    pub(super) fn key(&self) -> TaskKey {
        TaskKey { run: self.run, task: self.task }
    }

    /// The need that was refused, if the ticket is parked there.
    pub(super) fn refused(&self) -> Option<Need> {
        match self.place {
            Place::Parked(at) => Some(self.needs[at as usize]),
            Place::Incoming | Place::Holding => None,
        }
    }
}

/// All live tickets, at stable indices.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// The indices, found by the tasks of their entries.
    by_task: HashTable<u32>,
}

impl Tickets {
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 tickets")
        });
        let hash = hash(entry.key());
        self.entries[index as usize] = Some(entry);
        let entries = &self.entries;
        self.by_task.insert_unique(hash, index, |&index| hash_at(entries, index));
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Entry {
        let hash = hash_at(&self.entries, index);
        if let Ok(found) = self.by_task.find_entry(hash, |&other| other == index) {
            found.remove();
        }
        self.free.push(index);
        self.entries[index as usize].take().expect("the ticket lives")
    }

    pub(super) fn find(&self, task: TaskKey) -> Option<u32> {
        self.by_task.find(hash(task), |&index| self[index].key() == task).copied()
    }

    /// All of them, in the order of their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().zip(0..).filter_map(|(entry, index)| Some((index, entry.as_ref()?)))
    }
}

fn hash(task: TaskKey) -> u64 {
    Fixed::default().hash_one(task)
}

fn hash_at(entries: &[Option<Entry>], index: u32) -> u64 {
    hash(entries[index as usize].as_ref().expect("the ticket lives").key())
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
