//! Decides what starts: the one function through which every attempt goes, first ones and retries alike.
//!
//! A task that wants to start offers a [`Ticket`] with all of its claims: locks, counted resources, the slots of the
//! pool, the concurrency of its run, rates, its breaker. [`Admission::decide`] grants all the claims of a ticket or
//! none. What is held follows from the tickets that live: [`Admission::release`] gives back exactly what was granted,
//! so nothing can leak, and as nobody holds one thing while waiting for another, nothing can deadlock.
//!
//! A ticket that is refused is parked at the first cell that refused it, in a lane of those that want the same of it,
//! and looked at again only when that cell frees. If the whole lane needs another cell that is exhausted, the lane
//! waits there as a whole. So the cost of a decision does not grow with the number of those who wait.
//!
//! Greedy order lets narrow requests pass a wide one for ever, and readers a writer. Therefore the oldest of those
//! who can be passed get a reservation once they are over age (`reserve.rs`).
//!
//! Not here: clocks, randomness, threads; what a task is and what happens to it next.
//! Begin with [`Admission::decide`]; `cell.rs` is what can be held, `lane.rs` who waits, `order.rs` whose turn it is.

mod breaker;
mod cell;
mod census;
mod check;
mod decide;
mod hash;
mod lane;
mod mode;
mod order;
mod rate;
mod reserve;
mod resource;
mod ticket;
mod view;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use partitur_model::change::BatchNo;
use partitur_model::definition::{BreakerSpec, ClaimMode, Priority, RemoteLimits};
use partitur_model::record::{BreakerRecord, BreakerState};
use partitur_model::{RunId, TaskSeq, Timestamp};

pub use census::{Census, Taken, Waiting};
pub use order::{Aging, CriticalPath, Fifo, LongestFirst, Order, ShortestFirst};
pub use resource::ResourceId;
pub use view::{Blocker, HoldView, WaitView};

use cell::{CellId, Stock};
use lane::{Key, Queues};
use order::Turns;
use rate::Rate;
use resource::Resources;
use ticket::{Place, Tickets};

/// Names a task over all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// Its run.
    pub run: RunId,
    /// The task within the run.
    pub task: TaskSeq,
}

/// A task that wants to start.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Which.
    pub task: TaskKey,
    /// Its weight against others.
    pub class: Priority,
    /// Its bottom level: the expected time from its start to the end of the longest path that begins with it.
    pub level: f32,
    /// When it became ready.
    pub ready: Timestamp,
    /// Decides between tickets that are otherwise equal: the order of submission.
    pub order: u64,
    /// Everything it will hold, the slot of the pool included.
    pub claims: Vec<Request>,
    /// The breaker whose dependency it uses.
    pub breaker: Option<Box<str>>,
    /// How long the attempt is expected to take, in seconds.
    pub expected: f32,
}

/// One claim of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Of what.
    pub resource: ResourceId,
    /// Alone or together with others.
    pub mode: ClaimMode,
    /// How many units of a counted resource; for all others 1. Shared claims count no units.
    pub units: u32,
}

/// A ticket has got all of its claims: the task may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub task: TaskKey,
    /// That it is ready is not durable yet.
    pub fresh: bool,
    /// Since it became ready.
    pub waited: Duration,
}

/// How decisions are taken.
#[derive(Debug)]
pub struct Options {
    /// The order within a class.
    pub order: Box<dyn Order>,
    /// How turns are shared between the classes.
    pub aging: Aging,
    /// So many tickets over age may keep things free at once.
    pub max_reservations: usize,
    /// A ticket is over age when it has waited so many times the mean time for which locks are held.
    pub lock_aging_factor: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            order: Box::new(CriticalPath),
            aging: Aging::Stride,
            max_reservations: 2,
            lock_aging_factor: 10.0,
        }
    }
}

/// Who holds what, and who waits for what.
#[derive(Debug)]
pub struct Admission {
    options: Options,
    resources: Resources,
    tickets: Tickets,
    turns: Turns,
    /// Tickets at which nobody has looked yet.
    incoming: Queues,
    /// Cells that may have become free since the last decision.
    dirty: Vec<CellId>,
    /// Tickets whose readiness is not durable, in the order of their batches; some may wait no longer.
    fresh: VecDeque<(BatchNo, TaskKey)>,
    /// When the last decision was taken.
    now: Timestamp,
    /// Tickets parked where others may pass them again and again, oldest first.
    passed: BTreeSet<(Timestamp, u64, u32)>,
    /// Those that keep things free, oldest first.
    reservers: Vec<u32>,
    /// Moving mean of the time for which things are held, in microseconds.
    hold_mean: Option<f64>,
    /// How breakers stood before they were told something, since the last mark.
    breakers_before: Vec<(CellId, BreakerState)>,
}

impl Admission {
    /// Nothing is held and nobody waits.
    pub fn new(options: Options) -> Admission {
        Admission {
            turns: Turns::new(options.aging),
            options,
            resources: Resources::default(),
            tickets: Tickets::default(),
            incoming: Queues::default(),
            dirty: Vec::new(),
            fresh: VecDeque::new(),
            now: Timestamp::ZERO,
            passed: BTreeSet::new(),
            reservers: Vec::new(),
            hold_mean: None,
            breakers_before: Vec::new(),
        }
    }

    /// The id of a name. `file:` and `dir:` are followed by absolute, normalised paths; `slots`, `slots/…` and
    /// `run:…` are places in pools; every other name is a thing of which there are as many units as declared.
    pub fn resource(&mut self, name: &str) -> ResourceId {
        self.resources.intern(name)
    }

    /// The id of a name that is known already.
    pub fn known(&self, name: &str) -> Option<ResourceId> {
        self.resources.find(name)
    }

    /// The name of an id.
    pub fn name(&self, id: ResourceId) -> &str {
        self.resources.name(id)
    }

    /// Declares how many units there are of a name or, if it ends in `*`, of each name with that prefix that is not
    /// declared itself. Fewer than are held is allowed: nothing new starts until they fit.
    pub fn set_capacity(&mut self, name: &str, units: u32) {
        if !name.ends_with('*') {
            self.resources.intern(name);
        }
        for cell in self.resources.declare(name, units) {
            self.touch(cell);
        }
    }

    /// What was declared by this name is not there any more.
    pub fn undeclare(&mut self, name: &str) {
        self.resources.undeclare(name);
    }

    /// So many names are known.
    pub fn names(&self) -> usize {
        self.resources.len()
    }

    /// Forgets the names that no ticket wants or holds and nobody has declared. Their ids mean nothing from then on.
    pub fn forget_unused(&mut self) {
        let mut used = vec![false; self.resources.cells.len()];
        for (_, entry) in self.tickets.iter() {
            entry.needs.iter().for_each(|need| used[need.cell.0 as usize] = true);
        }
        for (cell, used) in self.resources.cells.iter().zip(&mut used) {
            let offers = matches!(cell.stock, Stock::Offers(left) if left > 0);
            *used |= cell.dirty || cell.is_wanted() || offers;
        }
        self.resources.forget_unused(|cell| used[cell.0 as usize]);
    }

    /// How many units there are.
    pub fn capacity(&mut self, id: ResourceId) -> u32 {
        self.resources.capacity(id)
    }

    /// How many units are held, and whether anybody waits for more.
    pub fn demand(&self, id: ResourceId) -> (u32, bool) {
        let cell = self.resources.cell(self.resources.cell_of(id));
        let held = match &cell.stock {
            Stock::Units { used, .. } => u32::try_from(*used).unwrap_or(u32::MAX),
            Stock::Path(_) | Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_) => 0,
        };
        (held, cell.is_wanted())
    }

    /// Why the requests can never be met, if so.
    pub fn impossible(&self, requests: &[Request]) -> Option<String> {
        requests.iter().find_map(|request| {
            let capacity = self.resources.capacity(request.resource);
            let wanted = match request.mode {
                ClaimMode::Exclusive => request.units.max(1),
                ClaimMode::Shared => 1,
            };
            let name = self.name(request.resource);
            (wanted > capacity)
                .then(|| format!("{wanted} units of `{name}` are wanted, and there are only {capacity}"))
        })
    }

    /// At most so many permits of the key in any span of this length. Permits are used up by starting, not held.
    /// A name becomes a rate before anybody claims it; the figures of a rate may change at any time.
    pub fn set_rate(&mut self, key: &str, permits: u32, per: Duration) {
        let id = self.resources.rate(key);
        let is_rate = matches!(self.resources.cell(id).stock, Stock::Rate(_));
        let claimed = || self.tickets.iter().any(|(_, entry)| entry.needs.iter().any(|need| need.cell == id));
        assert!(is_rate || !claimed(), "`{key}` is claimed as a thing and cannot become a rate");
        let cell = self.resources.cell_mut(id);
        match &mut cell.stock {
            Stock::Rate(rate) => rate.set(permits, per),
            stock @ Stock::Units { .. } => *stock = Stock::Rate(Rate::new(permits, per)),
            Stock::Path(_) | Stock::Breaker(_) | Stock::Offers(_) => {
                debug_assert!(false, "`{key}` cannot be a rate")
            }
        }
        self.touch(id);
    }

    /// So many units of the name are on offer. `workers/…` are offered; all other names are there or not.
    pub fn set_offers(&mut self, name: &str, units: u32) {
        let id = self.resources.intern(name);
        let cell = self.resources.cell_of(id);
        if let Stock::Offers(left) = &mut self.resources.cell_mut(cell).stock {
            let grows = units > *left;
            *left = units;
            if grows {
                self.touch(cell);
            }
        }
    }

    /// The limits that hold for all tasks of a name together, as resources to claim.
    pub fn limits(&mut self, limits: &RemoteLimits) -> impl Iterator<Item = ResourceId> {
        let concurrency = limits.concurrency.map(|units| {
            let name = format!("limit/{}", limits.name);
            let id = self.resource(&name);
            if self.capacity(id) != units {
                self.set_capacity(&name, units);
            }
            id
        });
        let rate = limits.rate.map(|(permits, per)| {
            let name = format!("rate/{}", limits.name);
            if !self.has_rate(&name, permits, per) {
                self.set_rate(&name, permits, per);
            }
            self.resource(&name)
        });
        concurrency.into_iter().chain(rate)
    }

    fn has_rate(&mut self, name: &str, permits: u32, per: Duration) -> bool {
        let id = self.resources.intern(name);
        let cell = self.resources.cell_of(id);
        matches!(&self.resources.cell(cell).stock, Stock::Rate(rate) if rate.is(permits, per))
    }

    /// The task waits from now on, in place of an earlier ticket of it that waits. That it is ready becomes durable
    /// with the batch `ready_in`; what is read back after a start of the process is in batch 0 and durable.
    pub fn offer(&mut self, now: Timestamp, ticket: Ticket, ready_in: BatchNo) {
        self.withdraw(ticket.task);
        assert!(!self.holds(ticket.task), "a task that holds its claims cannot wait for them");
        let class = ticket.class;
        let task = ticket.task;
        let index = self.admit(ticket, Place::Incoming, ready_in);
        if ready_in > BatchNo(0) {
            self.fresh.push_back((ready_in, task));
        }
        self.turns.arrive(class);
        self.place(now, index);
    }

    /// Everything up to this batch is durable.
    pub fn settle(&mut self, durable: BatchNo) {
        while let Some(&(batch, task)) = self.fresh.front()
            && batch <= durable
        {
            self.fresh.pop_front();
            if let Some(index) = self.tickets.find(task)
                && self.tickets[index].place != Place::Holding
                && self.tickets[index].fresh
                && self.tickets[index].ready_in == batch
            {
                self.make_durable(index);
            }
        }
    }

    /// The task no longer wants to start. One that holds its claims keeps them.
    pub fn withdraw(&mut self, task: TaskKey) {
        if let Some(index) = self.tickets.find(task)
            && self.tickets[index].place != Place::Holding
        {
            self.unpark(index);
            self.forsake(index);
            self.turns.leave(self.tickets[index].class);
            self.tickets.remove(index);
        }
    }

    /// The task holds its claims already: found alive after a start of the process.
    pub fn adopt(&mut self, ticket: Ticket) {
        self.withdraw(ticket.task);
        if self.holds(ticket.task) {
            return;
        }
        let since = ticket.ready;
        let index = self.admit(ticket, Place::Holding, BatchNo(0));
        self.hold(since, index);
    }

    /// The attempt is over, however it ended. Of a task that holds nothing, nothing is released.
    pub fn release(&mut self, now: Timestamp, task: TaskKey) {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::SlotLeaked.is_here() && task.task.0.is_multiple_of(4) {
            return;
        }
        if let Some(index) = self.tickets.find(task)
            && self.tickets[index].place == Place::Holding
        {
            self.learn(now, index);
            let entry = self.tickets.remove(index);
            for need in entry.needs.iter() {
                self.resources.cell_mut(need.cell).stock.give_back(need.demand);
                self.touch(need.cell);
            }
        }
    }

    /// Declares a breaker; how it stands is kept.
    pub fn declare_breaker(&mut self, spec: &BreakerSpec) {
        let (cell, breaker) = self.breaker(&spec.name);
        breaker.spec = spec.clone();
        self.touch(cell);
    }

    /// An attempt behind the breaker has ended. The record if the breaker stands differently now.
    pub fn breaker_report(&mut self, now: Timestamp, name: &str, success: bool) -> Option<BreakerRecord> {
        self.change_breaker(name, |breaker| breaker.report(now, success))
    }

    /// Closes a breaker by hand. The record if it was not plainly closed.
    pub fn reset_breaker(&mut self, name: &str) -> Option<BreakerRecord> {
        self.change_breaker(name, breaker::Breaker::reset)
    }

    fn change_breaker(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut breaker::Breaker) -> Option<BreakerRecord>,
    ) -> Option<BreakerRecord> {
        let (cell, breaker) = self.breaker(name);
        let before = breaker.recorded();
        let record = change(breaker);
        if record.is_some() {
            self.breakers_before.push((cell, before));
        }
        self.touch(cell);
        record
    }

    /// From here on breakers may have to be taken back.
    pub fn mark_breakers(&mut self) {
        self.breakers_before.clear();
    }

    /// Every breaker stands again as at the last mark.
    pub fn rewind_breakers(&mut self) {
        for (cell, before) in std::mem::take(&mut self.breakers_before).into_iter().rev() {
            if let Stock::Breaker(breaker) = &mut self.resources.cell_mut(cell).stock {
                breaker.restore(before);
            }
            self.touch(cell);
        }
    }

    /// After a start of the process: the breaker stands as recorded.
    pub fn restore_breaker(&mut self, record: &BreakerRecord) {
        let (cell, breaker) = self.breaker(&record.name);
        breaker.restore(record.state);
        self.touch(cell);
    }

    /// When time alone may let something start.
    pub fn wake(&self) -> Option<Timestamp> {
        let wanted =
            self.resources.timed.iter().map(|&cell| self.resources.cell(cell)).filter(|c| c.is_wanted());
        wanted.filter_map(|cell| cell.opens(self.now)).min()
    }

    /// Whether the task waits to start.
    pub fn is_waiting(&self, task: TaskKey) -> bool {
        self.tickets.find(task).is_some_and(|index| self.tickets[index].place != Place::Holding)
    }

    /// Whether the task holds its claims.
    pub fn holds(&self, task: TaskKey) -> bool {
        self.tickets.find(task).is_some_and(|index| self.tickets[index].place == Place::Holding)
    }

    fn breaker(&mut self, name: &str) -> (CellId, &mut breaker::Breaker) {
        let id = self.resources.breaker(name);
        match &mut self.resources.cell_mut(id).stock {
            Stock::Breaker(breaker) => (id, breaker),
            Stock::Units { .. } | Stock::Path(_) | Stock::Rate(_) | Stock::Offers(_) => {
                unreachable!("the cell was made for a breaker")
            }
        }
    }

    fn admit(&mut self, ticket: Ticket, place: Place, ready_in: BatchNo) -> u32 {
        let rank = order::sortable(self.options.order.rank(&ticket));
        let needs = self.resources.needs(ticket.claims, ticket.breaker.as_deref());
        let wide = reserve::is_wide(&self.resources, &needs);
        self.tickets.insert(ticket::Entry {
            run: ticket.task.run,
            task: ticket.task.task,
            needs,
            since: ticket.ready,
            order: ticket.order,
            rank,
            class: ticket.class,
            place,
            fresh: ready_in > BatchNo(0),
            ready_in,
            wide,
        })
    }

    /// The cell may have become free: those who wait there are looked at with the next decision.
    fn touch(&mut self, id: CellId) {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::ParkedNotWoken.is_here() {
            return;
        }
        let cell = self.resources.cell_mut(id);
        if !cell.dirty && cell.is_wanted() {
            cell.dirty = true;
            self.dirty.push(id);
        }
    }

    fn key(&self, index: u32) -> Key {
        let entry = &self.tickets[index];
        Key { rank: entry.rank, ready: entry.since, order: entry.order, index }
    }
}
