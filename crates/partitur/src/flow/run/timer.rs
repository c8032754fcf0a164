//! Wakes what waits for a moment: one thread for each run, started when the first thing waits.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex};
use std::task::Waker;
use std::time::Instant;

use super::lock;

/// The moments for which something waits.
#[derive(Default)]
pub(in crate::flow) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    entries: BinaryHeap<Reverse<Entry>>,
    alive: bool,
    closed: bool,
}

struct Entry {
    at: Instant,
    waker: Waker,
}

impl Timer {
    /// Calls `waker` at `at` or a little later; never after [`Timer::close`].
    pub(in crate::flow) fn at(self: &Arc<Timer>, at: Instant, waker: Waker) {
        let mut state = lock(&self.state);
        state.entries.push(Reverse(Entry { at, waker }));
        if !state.alive && !state.closed {
            state.alive = true;
            let timer = Arc::clone(self);
            let thread = std::thread::Builder::new().name("partitur-timer".to_owned());
            thread
                .spawn(move || timer.serve())
                .expect("a system that runs the workers can start one more thread");
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Forgets all moments and ends the thread.
    pub(in crate::flow) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let forgotten = std::mem::take(&mut state.entries);
        // Dropping a waker may run code of others: not under our lock.
        drop(state);
        drop(forgotten);
        self.changed.notify_one();
    }

    fn serve(&self) {
        let mut state = lock(&self.state);
        while !state.closed {
            let now = Instant::now();
            match state.entries.peek() {
                Some(Reverse(next)) if next.at <= now => {
                    let due = state.entries.pop();
                    drop(state);
                    due.into_iter().for_each(|Reverse(entry)| entry.waker.wake());
                    state = lock(&self.state);
                }
                Some(Reverse(next)) => {
                    let pause = next.at - now;
                    state = self
                        .changed
                        .wait_timeout(state, pause)
                        .unwrap_or_else(|poison| poison.into_inner())
                        .0;
                }
                None => state = self.changed.wait(state).unwrap_or_else(|poison| poison.into_inner()),
            }
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.at.cmp(&other.at)
    }
}
