//! One thing that can be held: a counted resource, a path, a rate, a breaker. And who waits for it.

use partitur_model::Timestamp;

use super::breaker::Breaker;
use super::lane::{Lane, LaneId};
use super::mode::Mode;
use super::rate::Rate;
use super::resource::ResourceId;

/// Indexes the table of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CellId(pub(super) u32);

/// What a ticket wants of a cell. Two tickets with the same demand on a cell are refused or let pass alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// So many units for itself.
    Units(u32),
    /// Together with others that share, and with nobody else.
    Shared,
    /// A path.
    Path(Mode),
    /// So many permits of a rate; never given back.
    Permits(u32),
    /// To pass a breaker.
    Pass,
}

/// One claim of a ticket, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) cell: CellId,
    pub(super) demand: Demand,
    /// Asked for by name; else an intention on an ancestor.
    pub(super) named: bool,
}

/// One thing that can be held.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) label: ResourceId,
    pub(super) parent: Option<CellId>,
    pub(super) stock: Stock,
    /// A place in a pool, not a thing that a task works on: it is never kept free for a ticket that waits for
    /// something else.
    pub(super) limit: bool,
    /// Those whose first refusal was here, by what they want of it.
    pub(super) lanes: Vec<Lane>,
    /// Lanes of other cells in which everybody needs this one too, and which wait for it as a whole.
    pub(super) stalled: Vec<LaneId>,
    /// The tickets with a reservation that need this, oldest reservation first, and what is kept free for them.
    pub(super) reserved: Vec<(u32, Option<Demand>)>,
    /// It is on the list of cells to look at.
    pub(super) dirty: bool,
}

/// What there is of it, and how much of that is held.
#[derive(Clone, Debug)]
pub(super) enum Stock {
    /// Named or counted.
    Units {
        capacity: u32,
        used: u64,
        readers: u32,
    },
    /// A path: how many tasks hold it in each mode.
    Path([u32; 5]),
    Rate(Rate),
    Breaker(Box<Breaker>),
    /// What others offer: used up by starting, not held.
    Offers(u32),
}

impl Cell {
    pub(super) fn new(parent: Option<CellId>, stock: Stock, limit: bool) -> Cell {
        Cell {
            label: ResourceId(0),
            parent,
            stock,
            limit,
            lanes: Vec::new(),
            stalled: Vec::new(),
            reserved: Vec::new(),
            dirty: false,
        }
    }

    /// Whether the demand fits beside what is held and what is kept free for others than `ticket`.
    pub(super) fn admits(&self, now: Timestamp, ticket: u32, demand: Demand) -> bool {
        let older = self.reserved.iter().take_while(|&&(reserver, _)| reserver != ticket);
        self.stock.fits(now, demand, older.filter_map(|&(_, kept)| kept))
    }

    /// Whether nobody new can get anything at all.
    pub(super) fn is_exhausted(&self, now: Timestamp) -> bool {
        let mut kept = self.reserved.iter().filter_map(|&(_, kept)| kept);
        match &self.stock {
            Stock::Units { capacity, used, .. } => used + units(kept) >= u64::from(*capacity),
            Stock::Path(held) => {
                held[Mode::Exclusive as usize] > 0 || kept.any(|d| d == Demand::Path(Mode::Exclusive))
            }
            Stock::Rate(rate) => !rate.fits(now, 1),
            Stock::Breaker(breaker) => !breaker.fits(now),
            Stock::Offers(left) => *left == 0,
        }
    }

    /// Whether several hold it together, so that newcomers could keep it from one who waits to have it alone.
    pub(super) fn is_shared(&self) -> bool {
        match &self.stock {
            Stock::Units { readers, .. } => *readers > 0,
            Stock::Path(held) => {
                held[Mode::Exclusive as usize] == 0 && held.iter().any(|&holders| holders > 0)
            }
            Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_) => false,
        }
    }

    /// When time alone may let somebody pass.
    pub(super) fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.stock {
            Stock::Units { .. } | Stock::Path(_) | Stock::Offers(_) => None,
            Stock::Rate(rate) => {
                let wanted = self.lanes.iter().map(|lane| lane.demand.units()).chain([1]).min();
                let opens = rate.opens(now, wanted.unwrap_or(1));
                (opens > now && opens < Timestamp::MAX).then_some(opens)
            }
            Stock::Breaker(breaker) => breaker.opens(now),
        }
    }

    /// Whether anybody waits for it, alone or as part of a lane.
    pub(super) fn is_wanted(&self) -> bool {
        !self.lanes.is_empty() || !self.stalled.is_empty()
    }
}

impl Demand {
    /// Units or permits.
    pub(super) fn units(self) -> u32 {
        match self {
            Demand::Units(units) | Demand::Permits(units) => units,
            Demand::Shared | Demand::Path(_) | Demand::Pass => 1,
        }
    }

    /// What covers both demands of one task on the same cell.
    pub(super) fn join(self, other: Demand) -> Demand {
        match (self, other) {
            (Demand::Units(a), Demand::Units(b)) => Demand::Units(a.max(b)),
            (Demand::Permits(a), Demand::Permits(b)) => Demand::Permits(a.max(b)),
            (Demand::Path(a), Demand::Path(b)) => Demand::Path(a.join(b)),
            (units @ Demand::Units(_), Demand::Shared) | (Demand::Shared, units @ Demand::Units(_)) => units,
            (
                Demand::Shared | Demand::Units(_) | Demand::Path(_) | Demand::Permits(_) | Demand::Pass,
                second,
            ) => second,
        }
    }
}

impl Stock {
    /// Whether the demand fits beside what is held, and `beside` as if that were held too.
    pub(super) fn fits(
        &self,
        now: Timestamp,
        demand: Demand,
        mut beside: impl Iterator<Item = Demand> + Clone,
    ) -> bool {
        match (self, demand) {
            (Stock::Units { capacity, used, readers }, Demand::Units(wanted)) => {
                *readers == 0
                    && !beside.clone().any(|kept| kept == Demand::Shared)
                    && used + units(beside) + u64::from(wanted) <= u64::from(*capacity)
            }
            (Stock::Units { used, .. }, Demand::Shared) => *used == 0 && units(beside) == 0,
            (Stock::Path(held), Demand::Path(mode)) => {
                Mode::ALL.into_iter().all(|other| held[other as usize] == 0 || mode.compatible(other))
                    && beside.all(|kept| matches!(kept, Demand::Path(other) if mode.compatible(other)))
            }
            (Stock::Rate(rate), Demand::Permits(wanted)) => {
                let kept: u64 = beside.map(|kept| u64::from(kept.units())).sum();
                rate.fits(now, wanted.saturating_add(u32::try_from(kept).unwrap_or(u32::MAX)))
            }
            (Stock::Breaker(breaker), Demand::Pass) => breaker.fits(now),
            (Stock::Offers(left), Demand::Permits(wanted)) => *left >= wanted,
            (
                Stock::Units { .. } | Stock::Path(_) | Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_),
                _mismatch,
            ) => {
                unreachable!("a demand is made for the kind of its cell")
            }
        }
    }

    pub(super) fn take(&mut self, at: Timestamp, demand: Demand) {
        match (self, demand) {
            (Stock::Units { used, .. }, Demand::Units(wanted)) => *used += u64::from(wanted),
            (Stock::Units { readers, .. }, Demand::Shared) => *readers += 1,
            (Stock::Path(held), Demand::Path(mode)) => held[mode as usize] += 1,
            (Stock::Rate(rate), Demand::Permits(wanted)) => rate.take(at, wanted),
            (Stock::Breaker(breaker), Demand::Pass) => breaker.alive += 1,
            // Who is found at work after a start of the process took an offer of the time before.
            (Stock::Offers(left), Demand::Permits(wanted)) => *left = left.saturating_sub(wanted),
            (
                Stock::Units { .. } | Stock::Path(_) | Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_),
                _mismatch,
            ) => {
                unreachable!("a demand is made for the kind of its cell")
            }
        }
    }

    pub(super) fn give_back(&mut self, demand: Demand) {
        match (self, demand) {
            (Stock::Units { used, .. }, Demand::Units(wanted)) => *used -= u64::from(wanted),
            (Stock::Units { readers, .. }, Demand::Shared) => *readers -= 1,
            (Stock::Path(held), Demand::Path(mode)) => held[mode as usize] -= 1,
            // What went out stays out until its span is over.
            (Stock::Rate(_) | Stock::Offers(_), Demand::Permits(_)) => {}
            (Stock::Breaker(breaker), Demand::Pass) => breaker.alive -= 1,
            (
                Stock::Units { .. } | Stock::Path(_) | Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_),
                _mismatch,
            ) => {
                unreachable!("a demand is made for the kind of its cell")
            }
        }
    }
}

fn units(kept: impl Iterator<Item = Demand>) -> u64 {
    kept.map(|demand| match demand {
        Demand::Units(units) => u64::from(units),
        Demand::Shared | Demand::Path(_) | Demand::Permits(_) | Demand::Pass => 0,
    })
    .sum()
}
