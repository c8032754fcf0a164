//! The exact order of ready tasks, and their locks: the engine's admission, asked for one task at a time.
//!
//! The slots of the admission follow the workers: whoever asks brings one slot more. So a decision grants one task,
//! the best that can start at that moment, and nobody holds locks while it waits for a thread.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use partitur_engine::admission::{Admission, Grant, HoldView, Options, Request, ResourceId, TaskKey, Ticket};
use partitur_model::change::BatchNo;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::{RunId, TaskSeq, Timestamp};

use super::super::locks::Lock;
use super::lock;

/// The place of a task among the ready ones.
#[derive(Clone, Copy)]
pub(in crate::flow) struct Rank {
    pub(in crate::flow) priority: Priority,
    /// The longest path from its start to the end of the flow, in seconds.
    pub(in crate::flow) bottom_level: f32,
}

/// Ready tasks that leave in the order in which they deserve it, each with its locks.
pub(in crate::flow) struct Gate {
    state: Mutex<State>,
    /// Whether a decision might grant something.
    worth_a_look: AtomicBool,
    begun: Instant,
}

struct State {
    admission: Admission,
    /// What the tasks with locks claim.
    claims: HashMap<u32, Vec<Request>>,
    slot: Request,
    held: u32,
    arrivals: u64,
    granted: Vec<Grant>,
}

/// A lock that is held: by which task, and for how long.
pub(in crate::flow) struct Held {
    pub(in crate::flow) lock: Lock,
    pub(in crate::flow) node: u32,
    pub(in crate::flow) since: Duration,
}

const SLOTS: &str = "slots";

impl Gate {
    pub(in crate::flow) fn new(capacities: &[(String, u32)]) -> Gate {
        let mut admission = Admission::new(Options::default());
        for (name, units) in capacities {
            admission.set_capacity(name, *units);
        }
        let resource = admission.resource(SLOTS);
        let slot = Request { resource, mode: ClaimMode::Exclusive, units: 1 };
        let state =
            State { admission, claims: HashMap::new(), slot, held: 0, arrivals: 0, granted: Vec::new() };
        Gate { state: Mutex::new(state), worth_a_look: AtomicBool::new(false), begun: Instant::now() }
    }

    /// Declares what a task claims.
    ///
    /// # Errors
    /// Why the claims can never be met.
    pub(in crate::flow) fn declare(&mut self, node: u32, locks: &[Lock]) -> Result<(), String> {
        if locks.iter().any(|lock| lock.resource == SLOTS) {
            return Err(format!("the name `{SLOTS}` is taken by the places of the tasks in flight"));
        }
        let state = self.state.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let requests: Vec<Request> = locks.iter().map(|lock| state.request(lock)).collect();
        match state.admission.impossible(&requests) {
            Some(why) => Err(why),
            None => {
                state.claims.insert(node, requests);
                Ok(())
            }
        }
    }

    /// A ready task waits from now on. `false` if it needs nothing, which is asked under the lock that also
    /// [`Gate::withdraw`] takes, so that no cancelled task is left behind.
    pub(super) fn offer(&self, node: u32, rank: Rank, needs_nothing: impl FnOnce() -> bool) -> bool {
        let mut state = lock(&self.state);
        if needs_nothing() {
            return false;
        }
        let ticket = state.ticket(node, rank, self.now());
        state.admission.offer(self.now(), ticket, BatchNo(0));
        self.worth_a_look.store(true, Ordering::Release);
        true
    }

    /// The best task that can start now, with its locks.
    pub(super) fn pop(&self) -> Option<u32> {
        if !self.is_worth_a_look() {
            return None;
        }
        let mut state = lock(&self.state);
        let node = state.decide(self.now());
        if node.is_none() {
            self.worth_a_look.store(false, Ordering::Release);
        }
        node
    }

    /// An attempt is over. `true` if somebody may have waited for what it held.
    pub(super) fn release(&self, node: u32) -> bool {
        let mut state = lock(&self.state);
        let held = state.admission.holds(key(node));
        if held {
            state.admission.release(self.now(), key(node));
            state.held -= 1;
            self.worth_a_look.store(true, Ordering::Release);
        }
        held
    }

    /// Takes back a task that waits. `false` if it does not.
    pub(super) fn withdraw(&self, node: u32) -> bool {
        let mut state = lock(&self.state);
        let waits = state.admission.is_waiting(key(node));
        state.admission.withdraw(key(node));
        waits
    }

    /// Takes back all tasks that wait.
    pub(super) fn withdraw_all(&self) -> Vec<u32> {
        let mut state = lock(&self.state);
        let waiting: Vec<TaskKey> =
            state.admission.waits(self.now()).into_iter().map(|view| view.task).collect();
        waiting.iter().for_each(|task| state.admission.withdraw(*task));
        waiting.into_iter().map(|task| task.task.0).collect()
    }

    pub(super) fn is_worth_a_look(&self) -> bool {
        self.worth_a_look.load(Ordering::Acquire)
    }

    /// The locks that are held, by task.
    pub(in crate::flow) fn held(&self) -> Vec<Held> {
        let state = lock(&self.state);
        let now = self.now();
        state.admission.holders().iter().flat_map(|view| state.locks_of(view, now)).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.begun.elapsed()
    }
}

impl State {
    fn request(&mut self, lock: &Lock) -> Request {
        Request { resource: self.admission.resource(&lock.resource), mode: lock.mode, units: lock.units }
    }

    fn ticket(&mut self, node: u32, rank: Rank, now: Timestamp) -> Ticket {
        self.arrivals += 1;
        let mut claims = self.claims.get(&node).cloned().unwrap_or_default();
        claims.push(self.slot);
        Ticket {
            task: key(node),
            class: rank.priority,
            level: rank.bottom_level,
            ready: now,
            order: self.arrivals,
            claims,
            breaker: None,
            expected: 0.0,
        }
    }

    fn decide(&mut self, now: Timestamp) -> Option<u32> {
        self.admission.set_capacity(SLOTS, self.held + 1);
        self.admission.decide(now, &mut self.granted);
        let grant = self.granted.pop()?;
        debug_assert!(self.granted.is_empty(), "there was one slot");
        self.held += 1;
        Some(grant.task.task.0)
    }

    fn locks_of(&self, view: &HoldView, now: Timestamp) -> Vec<Held> {
        let name = |id: ResourceId| self.admission.name(id).to_owned();
        let claims = view.claims.iter().filter(|claim| claim.resource != self.slot.resource);
        let held = |claim: &Request| Held {
            lock: Lock { resource: name(claim.resource), mode: claim.mode, units: claim.units },
            node: view.task.task.0,
            since: now.since(view.since),
        };
        claims.map(held).collect()
    }
}

/// A flow is one run, and its admission knows no other.
fn key(node: u32) -> TaskKey {
    TaskKey { run: RunId::new(0, 0, 0), task: TaskSeq(node) }
}
