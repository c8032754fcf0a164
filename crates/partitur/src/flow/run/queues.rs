//! Where ready and woken tasks wait for a worker, and how many may be in flight.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};
use crossbeam_utils::CachePadded;

use super::gate::Gate;
use super::sleepers::Sleepers;

/// What the workers of a run share.
pub(in crate::flow) struct Queues {
    /// Ready tasks for whoever comes first; in exact order only those that need nothing, because they do not run.
    common: Injector<u32>,
    /// The other ends of the workers' own deques.
    deques: Vec<Stealer<u32>>,
    /// Ready tasks in exact order, if the flow asks for it; then the deques stay empty.
    pub(in crate::flow) gate: Option<Gate>,
    /// Pending tasks whose future can go on.
    woken: Injector<u32>,
    /// How many more tasks may be in flight. Sleeping workers hold none of them.
    permits: CachePadded<AtomicUsize>,
    /// No further task starts.
    paused: AtomicBool,
    pub(super) sleepers: CachePadded<Sleepers>,
}

impl Queues {
    pub(super) fn new(deques: &[Deque<u32>], concurrency: usize, gate: Option<Gate>) -> Queues {
        Queues {
            common: Injector::new(),
            deques: deques.iter().map(Deque::stealer).collect(),
            gate,
            woken: Injector::new(),
            permits: CachePadded::new(AtomicUsize::new(concurrency)),
            paused: AtomicBool::new(false),
            sleepers: CachePadded::default(),
        }
    }

    /// A task that every worker may take.
    pub(super) fn push_common(&self, node: u32) {
        self.common.push(node);
    }

    /// The future of a task that is in flight can go on.
    pub(super) fn push_woken(&self, node: u32) {
        self.woken.push(node);
        self.sleepers.notify(1);
    }

    pub(super) fn pop_woken(&self) -> Option<u32> {
        if self.woken.is_empty() { None } else { insist(|| self.woken.steal()) }
    }

    /// A ready task that is not in the worker's own deque.
    pub(super) fn pop_ready(&self, own: &Deque<u32>) -> Option<u32> {
        let Some(gate) = &self.gate else {
            return insist(|| self.common.steal_batch_and_pop(own)).or_else(|| self.steal(own));
        };
        let node = insist(|| self.common.steal()).or_else(|| gate.pop())?;
        if gate.is_worth_a_look() {
            // Where one could start, another one may.
            self.sleepers.notify(1);
        }
        Some(node)
    }

    /// Half of what another worker has.
    fn steal(&self, own: &Deque<u32>) -> Option<u32> {
        self.deques
            .iter()
            .filter(|deque| !deque.is_empty())
            .find_map(|deque| insist(|| deque.steal_batch_and_pop(own)))
    }

    /// The right to have one task in flight.
    pub(super) fn take_permit(&self) -> bool {
        let take = |permits: usize| permits.checked_sub(1);
        self.permits.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }

    /// Wakes somebody only if there is something to start: otherwise two idle workers, each giving its permit back
    /// before it sleeps, would wake each other for ever. The fence is that of `Sleepers`: either this sees the ready
    /// task, or whoever offers the task wakes a worker that sees the permit.
    pub(super) fn give_permit(&self) {
        self.permits.fetch_add(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        if self.has_ready() {
            self.sleepers.notify(1);
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(in crate::flow) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
        self.sleepers.notify_all();
    }

    /// Whether a worker that sleeps would miss something.
    pub(super) fn has_work(&self) -> bool {
        !self.woken.is_empty()
            || (self.has_ready() && !self.is_paused() && self.permits.load(Ordering::Acquire) > 0)
    }

    fn has_ready(&self) -> bool {
        self.gate.as_ref().is_some_and(Gate::is_worth_a_look)
            || !self.common.is_empty()
            || self.deques.iter().any(|deque| !deque.is_empty())
    }
}

/// Steals until it is clear whether there was anything.
fn insist(mut steal: impl FnMut() -> Steal<u32>) -> Option<u32> {
    loop {
        match steal() {
            Steal::Success(node) => return Some(node),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
