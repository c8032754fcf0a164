//! Who touches what, sorted so that everything about one resource stands together.

use std::ops::Range;

use super::Touches;
use super::matching::{self, Matches};
use crate::{Resource, Waves};

/// One node's touch of one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub node: u32,
    /// Where the node stands in the topological order.
    pub position: u32,
    pub write: bool,
    /// It reads or writes, and does not only hold.
    access: bool,
}

/// The touches that may take part in a race.
pub(super) struct Slots<'a> {
    pub resources: Vec<&'a Resource>,
    /// By resource, then by position.
    pub slots: Vec<Slot>,
    /// Where the slots of each resource begin, and at the end where the last ones end.
    starts: Vec<u32>,
    /// For each resource those that it may meet, itself included.
    pub matches: Matches,
}

impl<'a> Slots<'a> {
    pub fn of(waves: &Waves, touches: &'a [Touches]) -> Slots<'a> {
        let all = sorted_touches(waves, touches);
        let (mut resources, mut slots, mut starts) = (Vec::new(), Vec::new(), vec![0]);
        for group in all.chunk_by(|a, b| a.0 == b.0) {
            resources.push(group[0].0);
            slots.extend(group.chunk_by(|a, b| a.1.node == b.1.node).map(merge));
            starts.push(slots.len() as u32);
        }
        let mut sorted = Slots { resources, slots, starts, matches: Matches::default() };
        let kinds: Vec<Touched> = (0..sorted.resources.len() as u32).map(|r| sorted.touched(r)).collect();
        sorted.matches = matching::matches(&sorted.resources, &kinds);
        sorted.drop_what_meets_nothing();
        sorted
    }

    /// The slots of a resource.
    pub fn range(&self, resource: u32) -> Range<usize> {
        self.starts[resource as usize] as usize..self.starts[resource as usize + 1] as usize
    }

    fn touched(&self, resource: u32) -> Touched {
        let slots = &self.slots[self.range(resource)];
        Touched {
            alone: slots.len() == 1,
            written: slots.iter().any(|slot| slot.write),
            accessed: slots.iter().any(|slot| slot.access),
        }
    }

    /// Most resources belong to one node only; what is left is small.
    fn drop_what_meets_nothing(&mut self) {
        let (mut slots, mut starts) = (Vec::new(), vec![0]);
        for resource in 0..self.resources.len() as u32 {
            if !self.matches.of(resource).is_empty() {
                slots.extend_from_slice(&self.slots[self.range(resource)]);
            }
            starts.push(slots.len() as u32);
        }
        (self.slots, self.starts) = (slots, starts);
    }
}

/// How a resource is touched by all nodes together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touched {
    alone: bool,
    written: bool,
    accessed: bool,
}

impl Touched {
    /// Whether two nodes that touch the one and the other can race. Those that only hold never do: their own claims
    /// are in conflict.
    pub fn may_race_with(self, other: Touched) -> bool {
        (self.written || other.written) && (self.accessed || other.accessed)
    }

    /// Whether two nodes that touch it can race.
    pub fn may_race(self) -> bool {
        !self.alone && self.may_race_with(self)
    }
}

fn sorted_touches<'a>(waves: &Waves, touches: &'a [Touches]) -> Vec<(&'a Resource, Slot)> {
    let mut all = Vec::new();
    for (position, &node) in (0..).zip(waves.order()) {
        let Touches { accesses, claims } = &touches[node as usize];
        let slot = |write, access| Slot { node, position, write, access };
        all.extend(accesses.iter().map(|access| (&access.resource, slot(access.write, true))));
        all.extend(claims.iter().map(|claim| (&claim.resource, slot(claim.exclusive, false))));
    }
    // Stable: within a resource the positions stay sorted.
    all.sort_by(|a, b| a.0.cmp(b.0));
    all
}

/// All touches of one resource by one node are one.
fn merge(touches: &[(&Resource, Slot)]) -> Slot {
    Slot {
        write: touches.iter().any(|(_, slot)| slot.write),
        access: touches.iter().any(|(_, slot)| slot.access),
        ..touches[0].1
    }
}
