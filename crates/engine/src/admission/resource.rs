//! Names of resources, what kind of thing each names, and how much there is of it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use partitur_model::definition::{BreakerSpec, ClaimMode};

use super::Request;
use super::breaker::Breaker;
use super::cell::{Cell, CellId, Demand, Need, Stock};
use super::hash::Fixed;
use super::mode::Mode;

/// An interned name of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub u32);

/// All names and cells.
#[derive(Debug, Default)]
pub(super) struct Resources {
    ids: BTreeMap<Box<str>, ResourceId>,
    named: Vec<Option<Named>>,
    pub(super) cells: Vec<Cell>,
    /// Places of names and cells that were forgotten.
    free_names: Vec<ResourceId>,
    free_cells: Vec<CellId>,
    /// The cell of each path, by the path.
    paths: BTreeMap<Box<str>, CellId>,
    breakers: BTreeMap<Box<str>, CellId>,
    declared: BTreeMap<Box<str>, u32>,
    /// Cells that time alone can open.
    pub(super) timed: Vec<CellId>,
    /// Requests that were compiled lately, by their hash.
    compiled: Vec<(Vec<Request>, Arc<[Need]>)>,
}

/// So many compiled requests are kept for those who ask for the same.
const COMPILED_KEPT: usize = 64;

#[derive(Debug)]
struct Named {
    name: Box<str>,
    cell: CellId,
}

impl Resources {
    pub(super) fn intern(&mut self, name: &str) -> ResourceId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        match name.strip_prefix("file:").or_else(|| name.strip_prefix("dir:")) {
            Some(path) => {
                let cell = self.path(path);
                self.ids.get(name).copied().unwrap_or_else(|| self.name_cell(name, cell))
            }
            None if name.starts_with(OFFERS) => self.add(name, None, Stock::Offers(0), true),
            None => {
                let stock = Stock::Units { capacity: self.declared_capacity(name), used: 0, readers: 0 };
                self.add(name, None, stock, is_limit(name))
            }
        }
    }

    /// The breaker's cell; breakers have names of their own, apart from those of resources.
    pub(super) fn breaker(&mut self, name: &str) -> CellId {
        if let Some(&cell) = self.breakers.get(name) {
            return cell;
        }
        let stock = Stock::Breaker(Box::new(Breaker::new(BreakerSpec::named(name))));
        let cell = self.add_cell(None, stock, true);
        self.label(&format!("breaker {name}"), cell);
        self.breakers.insert(name.into(), cell);
        self.timed.push(cell);
        cell
    }

    /// The breakers, in the order in which they were first named.
    pub(super) fn breakers(&self) -> impl Iterator<Item = &Breaker> {
        self.named.iter().flatten().filter_map(|named| match &self.cell(named.cell).stock {
            Stock::Breaker(breaker) => Some(&**breaker),
            Stock::Units { .. } | Stock::Path(_) | Stock::Rate(_) | Stock::Offers(_) => None,
        })
    }

    /// Makes the name a rate.
    pub(super) fn rate(&mut self, name: &str) -> CellId {
        let cell = self.intern(name);
        let cell = self.cell_of(cell);
        if !self.timed.contains(&cell) {
            self.timed.push(cell);
        }
        // What was compiled before took it for a thing with units.
        self.compiled.clear();
        cell
    }

    /// Each cell that has a name, once.
    pub(super) fn labelled(&self) -> impl Iterator<Item = (ResourceId, &Cell)> {
        let labels =
            self.named.iter().zip(0..).filter_map(|(named, id)| Some((ResourceId(id), named.as_ref()?.cell)));
        labels.map(|(id, cell)| (id, self.cell(cell))).filter(|(id, cell)| cell.label == *id)
    }

    pub(super) fn name(&self, id: ResourceId) -> &str {
        self.named[id.0 as usize].as_ref().map_or("", |named| &named.name)
    }

    /// So many names are known.
    pub(super) fn len(&self) -> usize {
        self.named.len() - self.free_names.len()
    }

    /// The id of a name that is known already.
    pub(super) fn find(&self, name: &str) -> Option<ResourceId> {
        self.ids.get(name).copied()
    }

    /// Takes back the declaration of a name: from now on there is as much as of any.
    pub(super) fn undeclare(&mut self, name: &str) {
        self.declared.remove(name);
    }

    /// Forgets every name that nobody has declared, and whose cell nobody uses.
    pub(super) fn forget_unused(&mut self, is_used: impl Fn(CellId) -> bool) {
        self.compiled.clear();
        let is_named = |cell: &Cell| !matches!(cell.stock, Stock::Rate(_) | Stock::Breaker(_));
        let mut freed = Vec::new();
        for at in 0..self.named.len() {
            let Some(Named { name, cell }) = &self.named[at] else { continue };
            let (cell, known) = (*cell, self.declared.contains_key(name));
            if known || is_used(cell) || !is_named(self.cell(cell)) {
                continue;
            }
            self.ids.remove(name);
            self.named[at] = None;
            self.free_names.push(ResourceId(at as u32));
            freed.push(cell);
        }
        // A path may have two names, and one of them may be declared.
        let known: BTreeSet<CellId> = self.named.iter().flatten().map(|named| named.cell).collect();
        freed.sort_unstable();
        freed.dedup();
        freed.retain(|cell| !known.contains(cell));
        self.paths.retain(|_, cell| freed.binary_search(cell).is_err());
        self.free_cells.extend(freed);
    }

    pub(super) fn cell_of(&self, id: ResourceId) -> CellId {
        self.named[id.0 as usize].as_ref().expect("ids are of names that are known").cell
    }

    pub(super) fn cell(&self, id: CellId) -> &Cell {
        &self.cells[id.0 as usize]
    }

    pub(super) fn cell_mut(&mut self, id: CellId) -> &mut Cell {
        &mut self.cells[id.0 as usize]
    }

    /// Declares how much there is of a name, or of each name with a prefix. Yields the cells that changed.
    pub(super) fn declare(&mut self, name: &str, units: u32) -> Vec<CellId> {
        self.declared.insert(name.into(), units);
        let concerned: Vec<CellId> = match name.strip_suffix('*') {
            None => self.ids.get(name).map(|&id| self.cell_of(id)).into_iter().collect(),
            Some(prefix) => {
                let from = self.ids.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
                let alike = from.take_while(|(own, _)| own.starts_with(prefix));
                alike.map(|(_, &id)| self.cell_of(id)).collect()
            }
        };
        concerned.into_iter().filter(|&cell| self.set_capacity(cell)).collect()
    }

    /// Gives a cell of units as many as its name has. Says whether it is one.
    fn set_capacity(&mut self, cell: CellId) -> bool {
        let units = self.declared_capacity(self.name(self.cell(cell).label));
        match &mut self.cell_mut(cell).stock {
            Stock::Units { capacity, .. } => {
                *capacity = units;
                true
            }
            Stock::Path(_) | Stock::Rate(_) | Stock::Breaker(_) | Stock::Offers(_) => false,
        }
    }

    pub(super) fn capacity(&self, id: ResourceId) -> u32 {
        match &self.cell(self.cell_of(id)).stock {
            Stock::Units { capacity, .. } => *capacity,
            Stock::Path(_) => 1,
            Stock::Rate(rate) => rate.permits,
            Stock::Breaker(breaker) => breaker.spec.probes_max,
            // There may be more at any time.
            Stock::Offers(_) => u32::MAX,
        }
    }

    /// What the requests come to; the same allocation for those who lately asked for the same.
    pub(super) fn needs(&mut self, requests: Vec<Request>, breaker: Option<&str>) -> Arc<[Need]> {
        if breaker.is_some() {
            return self.compile(&requests, breaker);
        }
        let place = Fixed::default().hash_one(&requests) as usize % COMPILED_KEPT;
        self.compiled.resize_with(COMPILED_KEPT, || (Vec::new(), Arc::default()));
        if self.compiled[place].0 != requests {
            self.compiled[place] = (requests.clone(), self.compile(&requests, None));
        }
        self.compiled[place].1.clone()
    }

    /// One need for each cell, first those that refuse longest.
    fn compile(&mut self, requests: &[Request], breaker: Option<&str>) -> Arc<[Need]> {
        let mut needs = Vec::with_capacity(requests.len() + 1);
        for request in requests {
            self.add_needs(request, &mut needs);
        }
        if let Some(name) = breaker {
            needs.push(Need { cell: self.breaker(name), demand: Demand::Pass, named: true });
        }
        needs.sort_by_key(|need: &Need| need.cell);
        needs.dedup_by(|next, kept| {
            let same = next.cell == kept.cell;
            if same {
                kept.demand = kept.demand.join(next.demand);
                kept.named |= next.named;
            }
            same
        });
        // Things before places in pools, and what lies deep before its ancestors: who is refused waits where it
        // takes longest.
        needs.sort_by_key(|need| (self.cell(need.cell).limit, std::cmp::Reverse(need.cell)));
        needs.into()
    }

    fn add_needs(&self, request: &Request, needs: &mut Vec<Need>) {
        let cell = self.cell_of(request.resource);
        let units = request.units.max(1);
        let demand = match (&self.cell(cell).stock, request.mode) {
            (Stock::Units { .. }, ClaimMode::Exclusive) => Demand::Units(units),
            (Stock::Units { .. }, ClaimMode::Shared) => Demand::Shared,
            (Stock::Path(_), ClaimMode::Exclusive) => Demand::Path(Mode::Exclusive),
            (Stock::Path(_), ClaimMode::Shared) => Demand::Path(Mode::Shared),
            (Stock::Rate(_) | Stock::Offers(_), ClaimMode::Exclusive | ClaimMode::Shared) => {
                Demand::Permits(units)
            }
            (Stock::Breaker(_), ClaimMode::Exclusive | ClaimMode::Shared) => Demand::Pass,
        };
        needs.push(Need { cell, demand, named: true });
        if let Demand::Path(mode) = demand {
            let mut above = self.cell(cell).parent;
            while let Some(cell) = above {
                needs.push(Need { cell, demand: Demand::Path(mode.intention()), named: false });
                above = self.cell(cell).parent;
            }
        }
    }

    /// The cell of a path; its ancestors first.
    fn path(&mut self, path: &str) -> CellId {
        let path = path.trim_end_matches('/');
        if let Some(&cell) = self.paths.get(path) {
            return cell;
        }
        let parent = path.rfind('/').map(|slash| self.path(&path[..slash]));
        let name = if path.is_empty() { "dir:/".to_owned() } else { format!("dir:{path}") };
        let id = self.add(&name, parent, Stock::Path([0; 5]), false);
        let cell = self.cell_of(id);
        self.paths.insert(path.into(), cell);
        cell
    }

    fn add(&mut self, name: &str, parent: Option<CellId>, stock: Stock, limit: bool) -> ResourceId {
        let cell = self.add_cell(parent, stock, limit);
        self.name_cell(name, cell)
    }

    fn add_cell(&mut self, parent: Option<CellId>, stock: Stock, limit: bool) -> CellId {
        if let Some(cell) = self.free_cells.pop() {
            *self.cell_mut(cell) = Cell::new(parent, stock, limit);
            return cell;
        }
        let cell = CellId(u32::try_from(self.cells.len()).expect("fewer than 2^32 cells"));
        self.cells.push(Cell::new(parent, stock, limit));
        cell
    }

    fn name_cell(&mut self, name: &str, cell: CellId) -> ResourceId {
        let id = self.label(name, cell);
        self.ids.insert(name.into(), id);
        id
    }

    /// The last name is the label: the one that somebody asked for is better than the one made up for an ancestor.
    fn label(&mut self, name: &str, cell: CellId) -> ResourceId {
        let named = Some(Named { name: name.into(), cell });
        let id = match self.free_names.pop() {
            Some(id) => {
                self.named[id.0 as usize] = named;
                id
            }
            None => {
                self.named.push(named);
                ResourceId(u32::try_from(self.named.len() - 1).expect("fewer than 2^32 resources"))
            }
        };
        self.cells[cell.0 as usize].label = id;
        id
    }

    fn declared_capacity(&self, name: &str) -> u32 {
        let longest_prefix = || {
            let prefixes = self.declared.iter().filter_map(|(declared, units)| {
                declared
                    .strip_suffix('*')
                    .filter(|prefix| name.starts_with(prefix))
                    .map(|prefix| (prefix.len(), *units))
            });
            prefixes.max().map_or(1, |(_, units)| units)
        };
        self.declared.get(name).copied().unwrap_or_else(longest_prefix)
    }
}

/// How names of queues begin, whose units are offered by those who ask at them.
const OFFERS: &str = "workers/";

/// Names of places in pools: those of the node, of a run, of a container of branches, of all tasks of a name.
fn is_limit(name: &str) -> bool {
    name == "slots" || ["slots/", "run:", "limit/", "rate/"].iter().any(|prefix| name.starts_with(prefix))
}
