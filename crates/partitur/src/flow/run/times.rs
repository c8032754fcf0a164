//! How long tasks took that ended at once, if somebody wants to know: 8 bytes a task, and no lock.
//!
//! Tasks that had to wait, or that say something about themselves, have a note and are measured there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Execution times by node; empty if nobody asked.
pub(in crate::flow) struct Times(Box<[AtomicU64]>);

/// Not measured, or not yet.
const UNKNOWN: u64 = u64::MAX;

impl Times {
    pub(super) fn new(nodes: usize) -> Times {
        Times((0..nodes).map(|_| AtomicU64::new(UNKNOWN)).collect())
    }

    /// Reads the clock, if anybody asked.
    pub(super) fn begin(&self) -> Option<Instant> {
        (!self.0.is_empty()).then(Instant::now)
    }

    pub(super) fn end(&self, node: u32, begin: Option<Instant>) {
        if let Some(begin) = begin {
            // Released by the end of the task, as its output is.
            self.0[node as usize].store(begin.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
    }

    pub(in crate::flow) fn get(&self, node: u32) -> Option<Duration> {
        let nanos = self.0.get(node as usize)?.load(Ordering::Relaxed);
        (nanos != UNKNOWN).then(|| Duration::from_nanos(nanos))
    }
}
