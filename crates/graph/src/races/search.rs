//! Which of those that touch the same thing have no order: reachability for a few hundred touches at a time.

use std::ops::Range;

use super::slots::{Slot, Slots};
use super::{Access, Race, Races, Touches, take_turns};
use crate::{Csr, Waves};

/// Words of bits for each node.
const WORDS: usize = 8;
/// Touches whose order is looked up together.
const CHUNK: usize = WORDS * 64;
/// So many unordered pairs are compared claim by claim. Pairs over one and the same resource are not counted here:
/// bits decide about them.
const PAIRS_MAX: u64 = 1 << 24;

type Bits = [u64; WORDS];

pub(super) struct Search<'a> {
    csr: &'a Csr,
    waves: &'a Waves,
    touches: &'a [Touches],
    slots: &'a Slots<'a>,
    limit: usize,
    pairs: u64,
    races: Races,
}

/// The slots of one chunk, a bit for each.
struct Chunk {
    range: Range<usize>,
    write: Bits,
    /// The node holds the resource, exclusively or not.
    held: Bits,
    held_exclusively: Bits,
    /// For each node the slots whose nodes come before it, or are itself.
    before: Vec<Bits>,
}

impl<'a> Search<'a> {
    pub fn new(
        csr: &'a Csr,
        waves: &'a Waves,
        touches: &'a [Touches],
        slots: &'a Slots<'a>,
        limit: usize,
    ) -> Self {
        let races = Races { complete: slots.matches.complete, ..Races::default() };
        Search { csr, waves, touches, slots, limit, pairs: 0, races }
    }

    pub fn run(mut self) -> Races {
        let mut before = vec![[0; WORDS]; self.csr.nodes() as usize];
        let mut resource = 0;
        for begin in (0..self.slots.slots.len()).step_by(CHUNK) {
            while self.slots.range(resource).end <= begin {
                resource += 1;
            }
            let chunk = self.chunk(begin..(begin + CHUNK).min(self.slots.slots.len()), resource, before);
            self.search(&chunk, resource);
            before = chunk.before;
        }
        self.races.found.sort_by(Race::compare);
        self.races
    }

    /// `resource` is that of the first slot in the range.
    fn chunk(&self, range: Range<usize>, mut resource: u32, mut before: Vec<Bits>) -> Chunk {
        before.fill([0; WORDS]);
        let [mut write, mut held, mut held_exclusively] = [[0; WORDS]; 3];
        let mut first = u32::MAX;
        for at in range.clone() {
            while self.slots.range(resource).end <= at {
                resource += 1;
            }
            let slot = self.slots.slots[at];
            let (word, bit) = ((at - range.start) / 64, 1 << ((at - range.start) % 64));
            before[slot.node as usize][word] |= bit;
            write[word] |= if slot.write { bit } else { 0 };
            let hold = self.holds(slot.node, resource);
            held[word] |= if hold.is_some() { bit } else { 0 };
            held_exclusively[word] |= if hold == Some(true) { bit } else { 0 };
            first = first.min(slot.position);
        }
        self.push_along(first as usize, &mut before);
        Chunk { range, write, held, held_exclusively, before }
    }

    /// Whether the node holds the whole resource, and if so, whether exclusively.
    fn holds(&self, node: u32, resource: u32) -> Option<bool> {
        let resource = self.slots.resources[resource as usize];
        let claims = self.touches[node as usize].claims.iter();
        claims.filter(|claim| claim.resource.covers(resource)).map(|claim| claim.exclusive).max()
    }

    /// Gives every node what its predecessors have.
    fn push_along(&self, first: usize, before: &mut [Bits]) {
        for &node in &self.waves.order()[first..] {
            let own = before[node as usize];
            if own == [0; WORDS] {
                continue;
            }
            for &next in self.csr.successors(node) {
                for (bits, own) in before[next as usize].iter_mut().zip(own) {
                    *bits |= own;
                }
            }
        }
    }

    /// All races whose earlier node has its slot in the chunk; `resource` is that of its first slot.
    fn search(&mut self, chunk: &Chunk, mut resource: u32) {
        while let Some(earlier) = self.part_of(resource, chunk) {
            for &other in self.slots.matches.of(resource) {
                for later in self.slots.range(other) {
                    if self.pairs > PAIRS_MAX {
                        self.races.complete = false;
                        return;
                    }
                    self.meet(chunk, (resource, earlier.clone()), (other, later));
                }
            }
            resource += 1;
        }
    }

    /// The slots of a resource that lie in the chunk; `None` if the resource begins behind it.
    fn part_of(&self, resource: u32, chunk: &Chunk) -> Option<Range<usize>> {
        if resource as usize == self.slots.resources.len() {
            return None;
        }
        let range = self.slots.range(resource);
        (range.start < chunk.range.end)
            .then(|| range.start.max(chunk.range.start)..range.end.min(chunk.range.end))
    }

    /// Finds the slots of `earlier` that race with the slot `later`: they stand before it in the topological order,
    /// but do not lead to it.
    fn meet(
        &mut self,
        chunk: &Chunk,
        (resource, earlier): (u32, Range<usize>),
        (other, later): (u32, usize),
    ) {
        let slot = self.slots.slots[later];
        let count = self.slots.slots[earlier.clone()].partition_point(|a| a.position < slot.position);
        let (begin, end) = (earlier.start - chunk.range.start, earlier.start + count - chunk.range.start);
        for word in begin / 64..end.div_ceil(64) {
            let mut bits = mask(begin, end, word) & !chunk.before[slot.node as usize][word];
            if !slot.write {
                bits &= chunk.write[word];
            }
            if bits == 0 {
                continue;
            }
            if resource == other {
                bits &= !self.taking_turns(chunk, word, slot.node, resource);
            }
            self.collect(chunk.range.start + word * 64, bits, resource, (other, slot));
        }
    }

    /// Those that hold the resource in conflict with `node`.
    fn taking_turns(&self, chunk: &Chunk, word: usize, node: u32, resource: u32) -> u64 {
        match self.holds(node, resource) {
            Some(true) => chunk.held[word],
            Some(false) => chunk.held_exclusively[word],
            None => 0,
        }
    }

    /// Each bit is a slot, from `base` on, without order to `later`.
    fn collect(&mut self, base: usize, mut bits: u64, resource: u32, later: (u32, Slot)) {
        if resource == later.0 && self.races.found.len() >= self.limit {
            self.races.more += u64::from(bits.count_ones());
            return;
        }
        while bits != 0 {
            let earlier = self.slots.slots[base + bits.trailing_zeros() as usize];
            bits &= bits - 1;
            if resource == later.0 || !self.keep_apart((resource, earlier), later) {
                self.tell((resource, earlier), later);
            }
        }
    }

    fn keep_apart(&mut self, a: (u32, Slot), b: (u32, Slot)) -> bool {
        self.pairs += 1;
        let touches = |node: u32| &self.touches[node as usize];
        let touched = [a.0, b.0].map(|resource| self.slots.resources[resource as usize]);
        take_turns(touches(a.1.node), touches(b.1.node), touched)
    }

    fn tell(&mut self, a: (u32, Slot), b: (u32, Slot)) {
        if self.races.found.len() >= self.limit {
            self.races.more += 1;
            return;
        }
        let side = |(resource, slot): (u32, Slot)| {
            let resource = self.slots.resources[resource as usize].clone();
            (slot.node, Access { resource, write: slot.write })
        };
        self.races.found.push(Race::new(side(a), side(b)));
    }
}

/// The bits of `begin..end` that lie in a word.
fn mask(begin: usize, end: usize, word: usize) -> u64 {
    let below = |end: usize| match end.saturating_sub(word * 64) {
        0 => 0,
        bits @ 1..64 => (1 << bits) - 1,
        _ => u64::MAX,
    };
    below(end) & !below(begin)
}
