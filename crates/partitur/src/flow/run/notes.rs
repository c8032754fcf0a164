//! What is known about some tasks beside their word: times, attempts, progress, errors.
//!
//! A task that does its work at once, without an agent, a limit or an error, has no note.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use partitur_model::record::TaskError;

use super::lock;
use super::wakeup::Wakeup;

/// About one task.
#[derive(Clone, Default)]
pub(in crate::flow) struct Note {
    /// Attempts begun.
    pub(in crate::flow) attempts: u32,
    /// When the living attempt began.
    pub(in crate::flow) started: Option<Instant>,
    /// How long the attempts took, pauses apart.
    pub(in crate::flow) elapsed: Option<Duration>,
    /// When the living attempt has to be over.
    pub(in crate::flow) deadline: Option<Instant>,
    /// While it waits for its next attempt: when that may begin.
    pub(in crate::flow) rests_until: Option<Instant>,
    /// How it is reached while it is pending.
    pub(in crate::flow) wakeup: Option<Arc<Wakeup>>,
    /// The last sign of life, with what it said.
    pub(in crate::flow) heartbeat: Option<Instant>,
    pub(in crate::flow) fraction: Option<f64>,
    pub(in crate::flow) message: String,
    /// What the task says about its answer.
    pub(in crate::flow) confidence: Option<f64>,
    pub(in crate::flow) evidence: Vec<String>,
    /// Why it did not succeed.
    pub(in crate::flow) error: Option<TaskError>,
}

impl Note {
    /// An attempt is over.
    pub(in crate::flow) fn close_attempt(&mut self) {
        if let Some(started) = self.started.take() {
            *self.elapsed.get_or_insert_default() += started.elapsed();
        }
        self.deadline = None;
    }

    /// The task is over. The error of an earlier attempt is no error of a task that succeeded.
    pub(in crate::flow) fn close(&mut self, succeeded: bool) {
        self.close_attempt();
        self.wakeup = None;
        if succeeded {
            self.error = None;
        }
    }
}

/// So many locks; a power of two.
const SHARDS: usize = 16;

/// The notes by node.
#[derive(Default)]
pub(in crate::flow) struct Notes([Mutex<HashMap<u32, Note>>; SHARDS]);

impl Notes {
    /// Changes a note, made if there is none. The change must not call back into this run: the lock is held.
    pub(in crate::flow) fn edit<R>(&self, node: u32, change: impl FnOnce(&mut Note) -> R) -> R {
        change(lock(self.shard(node)).entry(node).or_default())
    }

    /// Changes a note if there is one.
    pub(in crate::flow) fn edit_existing<R>(
        &self,
        node: u32,
        change: impl FnOnce(&mut Note) -> R,
    ) -> Option<R> {
        lock(self.shard(node)).get_mut(&node).map(change)
    }

    pub(in crate::flow) fn get(&self, node: u32) -> Option<Note> {
        lock(self.shard(node)).get(&node).cloned()
    }

    /// How every pending task is reached.
    pub(in crate::flow) fn wakeups(&self) -> Vec<Arc<Wakeup>> {
        let of = |shard: &Mutex<HashMap<u32, Note>>| -> Vec<_> {
            lock(shard).values().filter_map(|note| note.wakeup.clone()).collect()
        };
        self.0.iter().flat_map(of).collect()
    }

    fn shard(&self, node: u32) -> &Mutex<HashMap<u32, Note>> {
        &self.0[node as usize % SHARDS]
    }
}
