//! The waker of a task that had to wait: puts the task into the queue of the woken, once for each time it waits.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::Wake;

use super::Run;

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const POLLING: u8 = 2;
const POLLING_AND_WOKEN: u8 = 3;

/// Made when a future is pending for the first time; most never are.
pub(in crate::flow) struct Wakeup {
    // Weak: a waker that somebody forgot in a channel must not keep the run in memory.
    run: Weak<Run>,
    node: u32,
    /// At most one entry in the queue for each task, and none while it is polled: two threads never meet in one body.
    state: AtomicU8,
}

impl Wakeup {
    /// For a task that is about to be polled.
    pub(super) fn polling(run: &Arc<Run>, node: u32) -> Arc<Wakeup> {
        Arc::new(Wakeup { run: Arc::downgrade(run), node, state: AtomicU8::new(POLLING) })
    }

    /// The task comes out of the queue, or is started again.
    pub(super) fn begin_poll(&self) {
        // Acquire: what the waking thread wrote is seen by the poll.
        self.state.swap(POLLING, Ordering::Acquire);
    }

    /// The task is still pending. `false` if it was woken during the poll: then it belongs into the queue, and the
    /// caller puts it there.
    pub(super) fn end_poll(&self) -> bool {
        let idle = self.state.compare_exchange(POLLING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !idle {
            self.state.store(QUEUED, Ordering::Release);
        }
        idle
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Wakeup>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Wakeup>) {
        let next = |state: u8| match state {
            IDLE => Some(QUEUED),
            POLLING => Some(POLLING_AND_WOKEN),
            QUEUED | POLLING_AND_WOKEN => None,
            other => unreachable!("no waker has state {other}"),
        };
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        if before == Ok(IDLE)
            && let Some(run) = self.run.upgrade()
        {
            run.queues.push_woken(self.node);
        }
    }
}
