//! How the node stands, for whoever asks: answered from here, without asking the node.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use partitur_store::StoreError;

use crate::handle::NodeError;

/// How the node stands.
#[derive(Debug, Default)]
pub struct Health {
    recovered: AtomicBool,
    draining: AtomicBool,
    trouble: RwLock<Option<NodeError>>,
    in_trouble: AtomicBool,
    /// When the loop last turned, in milliseconds.
    turned: AtomicU64,
    commits: AtomicU64,
}

impl Health {
    /// Whether requests are welcome.
    pub fn is_ready(&self) -> bool {
        self.recovered.load(Ordering::Acquire)
            && !self.draining.load(Ordering::Acquire)
            && !self.in_trouble.load(Ordering::Acquire)
    }

    /// Whether the process is on its way to its end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Why nothing can be written, if so.
    pub fn trouble(&self) -> Option<NodeError> {
        if !self.in_trouble.load(Ordering::Acquire) {
            return None;
        }
        self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the loop last turned, in milliseconds since 1970.
    pub fn turned_at(&self) -> u64 {
        self.turned.load(Ordering::Relaxed)
    }

    /// Commits so far.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn set_recovered(&self) {
        self.recovered.store(true, Ordering::Release);
    }

    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn turned(&self, now_ms: u64, commits: u64) {
        self.turned.store(now_ms, Ordering::Relaxed);
        self.commits.store(commits, Ordering::Relaxed);
    }

    /// Notes how the disk stands; says whether that is news.
    pub(crate) fn set_trouble(&self, error: Option<&StoreError>) -> bool {
        if error.is_some() == self.in_trouble.load(Ordering::Acquire) {
            return false;
        }
        let trouble = error.map(|error| match error {
            full @ StoreError::Full => NodeError::DiskFull(full.to_string()),
            other => NodeError::DiskTrouble(other.to_string()),
        });
        let is_some = trouble.is_some();
        *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.in_trouble.store(is_some, Ordering::Release);
        true
    }
}
