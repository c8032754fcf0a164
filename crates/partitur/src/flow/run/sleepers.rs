//! Workers without work: they sleep until somebody has some.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex};

use super::lock;

/// Who sleeps.
#[derive(Default)]
pub(in crate::flow) struct Sleepers {
    count: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

impl Sleepers {
    /// Sleeps unless `has_work`; wakes when somebody notifies.
    ///
    /// No wake-up is lost. Both sides put a sequentially consistent fence between their write and their read: the
    /// sleeper counts itself, then looks for work; the notifier publishes work, then looks at the count. One of the
    /// two sees the other. If it is the notifier, it passes through the mutex, so that the sleeper is either before
    /// its look or in the wait already.
    pub(in crate::flow) fn sleep_unless(&self, has_work: impl FnOnce() -> bool) {
        let bed = lock(&self.bed);
        self.count.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !has_work() {
            drop(self.alarm.wait(bed).unwrap_or_else(|poison| poison.into_inner()));
        }
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// There is work for so many workers more.
    pub(in crate::flow) fn notify(&self, workers: usize) {
        fence(Ordering::SeqCst);
        let asleep = self.count.load(Ordering::Relaxed);
        if asleep > 0 {
            drop(lock(&self.bed));
            for _ in 0..workers.min(asleep) {
                self.alarm.notify_one();
            }
        }
    }

    /// It is over.
    pub(in crate::flow) fn notify_all(&self) {
        self.notify(usize::MAX);
    }
}
