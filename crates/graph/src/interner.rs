//! Names as numbers: each distinct name gets the next `u32`, its text stands once in one arena.
//!
//! Reading a large document is mostly this, so the table is built for the cache: a slot has 4 bytes, and a whole batch
//! of slots is fetched before the first of them is needed.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;

/// So many names are looked up together: with 32, a document in no order takes a sixth longer.
const BATCH: usize = 128;

/// Gives names their numbers, in the order in which they first appear.
///
/// The hash is seeded, since documents may be hostile; no id depends on the seed.
#[derive(Clone, Debug)]
pub struct Interner {
    /// All names, one after the other.
    arena: Vec<u8>,
    /// Where each name begins, and at the end where the last one ends.
    starts: Vec<u32>,
    /// Open addressing with linear probing, at most half full. A slot is zero, or it has the upper bits of the hash
    /// and, in place of the lower ones, with which the search began, the id plus one.
    table: Vec<u32>,
    seed: [u64; 2],
}

impl Default for Interner {
    fn default() -> Interner {
        Interner::new()
    }
}

impl Interner {
    /// Without names, with a seed that nobody can guess.
    pub fn new() -> Interner {
        Interner::with_seed(RandomState::new().hash_one(0))
    }

    /// Without names, with this seed. Ids are the same for every seed; only the time differs.
    pub fn with_seed(seed: u64) -> Interner {
        let first = multiply_fold(seed ^ 0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03);
        let second = multiply_fold(first ^ 0x8cb9_2ba7_2f3d_8dd7, 0xaaaa_aaaa_aaaa_aaab);
        Interner { arena: Vec::new(), starts: vec![0], table: vec![0; 16], seed: [first, second] }
    }

    /// How many distinct names there are; the next new one gets this id.
    pub fn len(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of `name`, which is new if it equals the former [`Interner::len`].
    ///
    /// # Panics
    /// If all names together exceed 4 GiB.
    pub fn intern(&mut self, name: &str) -> u32 {
        self.make_room(1);
        self.intern_hashed(name, hash(self.seed, name.as_bytes()))
    }

    /// The ids of many names: as [`Interner::intern`] one by one, but the waits for memory overlap.
    ///
    /// # Panics
    /// As [`Interner::intern`].
    pub fn intern_all<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Vec<u32> {
        let mut names = names.into_iter();
        let mut ids = Vec::with_capacity(names.size_hint().0);
        let mut batch = Batch::default();
        self.make_room(names.size_hint().0);
        while batch.fill(self.seed, &mut names) {
            self.make_room(BATCH);
            self.guess(&mut batch);
            ids.extend((0..batch.len).map(|at| self.intern_hashed(batch.names[at], batch.hashes[at])));
        }
        ids
    }

    /// The id of `name`, if it has one.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.find(name, hash(self.seed, name.as_bytes())).ok()
    }

    /// The ids of many names: as [`Interner::get`] one by one, but the waits for memory overlap.
    pub fn get_all<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = Option<u32>> {
        let mut names = names.into_iter();
        let (mut batch, mut at) = (Batch::default(), 0);
        std::iter::from_fn(move || {
            if at == batch.len {
                if !batch.fill(self.seed, &mut names) {
                    return None;
                }
                self.guess(&mut batch);
                at = 0;
            }
            at += 1;
            Some(self.find_guessed(&batch, at - 1))
        })
    }

    /// The text of an id that this interner gave.
    pub fn name(&self, id: u32) -> &str {
        std::str::from_utf8(self.bytes(id)).expect("only whole strings go into the arena")
    }

    /// All names, in the order of their ids.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|id| self.name(id))
    }

    fn bytes(&self, id: u32) -> &[u8] {
        &self.arena[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    /// The lower bits of a hash with which the search begins.
    fn mask(&self) -> u32 {
        (self.table.len() - 1) as u32
    }

    /// The id of `name`, or the free slot where it belongs.
    fn find(&self, name: &str, hash: u32) -> Result<u32, usize> {
        let mask = self.mask();
        let mut slot = hash & mask;
        loop {
            let entry = self.table[slot as usize];
            if entry == 0 {
                return Err(slot as usize);
            }
            let id = (entry & mask).wrapping_sub(1);
            if (entry ^ hash) & !mask == 0 && equal(self.bytes(id), name.as_bytes()) {
                return Ok(id);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// There must be room for one more.
    fn intern_hashed(&mut self, name: &str, hash: u32) -> u32 {
        self.find(name, hash).unwrap_or_else(|slot| {
            let id = self.len();
            self.table[slot] = hash & !self.mask() | (id + 1);
            self.arena.extend_from_slice(name.as_bytes());
            self.starts.push(u32::try_from(self.arena.len()).expect("names take less than 4 GiB"));
            id
        })
    }

    /// Keeps the table at most half full after `more` names. All names are read once more when it grows, one after
    /// the other as they stand in the arena.
    fn make_room(&mut self, more: usize) {
        let wanted = ((self.len() as usize + more + 1) * 2).next_power_of_two();
        if wanted <= self.table.len() {
            return;
        }
        assert!(wanted <= 1 << 32, "names take less than 4 GiB");
        self.table = vec![0; wanted];
        let mask = self.mask();
        for id in 0..self.len() {
            let hash = hash(self.seed, self.bytes(id));
            let mut slot = hash & mask;
            while self.table[slot as usize] != 0 {
                slot = (slot + 1) & mask;
            }
            self.table[slot as usize] = hash & !mask | (id + 1);
        }
    }

    /// Guesses the ids of the batch, and reads what it takes to check them. Within a loop no read depends on another
    /// one, so the processor has many of them under way at once; looked up one by one, each would wait for the one
    /// before.
    fn guess(&self, batch: &mut Batch<'_>) {
        let mask = self.mask();
        let mut entries = [(0, 0); BATCH];
        for (entry, &hash) in entries.iter_mut().zip(&batch.hashes) {
            *entry = (self.table[(hash & mask) as usize], self.table[(hash.wrapping_add(1) & mask) as usize]);
        }
        for ((guess, &hash), (first, second)) in batch.guesses.iter_mut().zip(&batch.hashes).zip(entries) {
            // Without a branch: a wrong prediction would throw away the reads that are under way.
            let fits = |entry: u32| u32::from((entry ^ hash) & !mask == 0) * (entry & mask);
            let (first, second) = (fits(first), fits(second));
            *guess = (first + second * u32::from(first == 0)).saturating_sub(1);
        }
        let mut begins = [0; BATCH];
        for (begin, &guess) in begins.iter_mut().zip(&batch.guesses) {
            *begin = self.starts[guess as usize];
        }
        black_box(begins.iter().fold(0, |sum, &at| sum ^ self.arena.get(at as usize).unwrap_or(&0)));
    }

    fn find_guessed(&self, batch: &Batch<'_>, at: usize) -> Option<u32> {
        let (name, guess) = (batch.names[at], batch.guesses[at]);
        let right = guess < self.len() && equal(self.bytes(guess), name.as_bytes());
        if right { Some(guess) } else { self.find(name, batch.hashes[at]).ok() }
    }
}

/// Names on their way in.
struct Batch<'a> {
    names: [&'a str; BATCH],
    hashes: [u32; BATCH],
    /// The id at the first slot of each name, if the hash may be the same; else any.
    guesses: [u32; BATCH],
    len: usize,
}

impl Default for Batch<'_> {
    fn default() -> Self {
        Batch { names: [""; BATCH], hashes: [0; BATCH], guesses: [0; BATCH], len: 0 }
    }
}

impl<'a> Batch<'a> {
    /// Takes the next names; false if there are none.
    fn fill(&mut self, seed: [u64; 2], names: &mut impl Iterator<Item = &'a str>) -> bool {
        self.len = 0;
        for name in names.take(BATCH) {
            self.names[self.len] = name;
            self.hashes[self.len] = hash(seed, name.as_bytes());
            self.len += 1;
        }
        self.len > 0
    }
}

/// Sixteen bytes a round, each folded into the state by one wide multiplication.
fn hash(seed: [u64; 2], name: &[u8]) -> u32 {
    let mut state = seed[0] ^ name.len() as u64;
    let mut rest = name;
    while rest.len() > 16
        && let Some((head, tail)) = rest.split_first_chunk::<16>()
    {
        let (low, high) = halves(head);
        state = multiply_fold(state ^ low, seed[1] ^ high);
        rest = tail;
    }
    let (low, high) = ends(rest);
    let state = multiply_fold(state ^ low, seed[1] ^ high);
    (multiply_fold(state, seed[1]) >> 32) as u32
}

/// As `==`, which calls a function for what is mostly a few bytes.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && if a.len() <= 16 { ends(a) == ends(b) } else { a == b }
}

/// At most sixteen bytes as two words; for lengths between the powers of two the words overlap.
fn ends(bytes: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) {
        (u64::from(first) << 8 | u64::from(last), bytes[bytes.len() / 2].into())
    } else {
        (0, 0)
    }
}

fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

fn multiply_fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_in_the_order_of_their_first_appearance() {
        let mut interner = Interner::new();
        assert_eq!(interner.intern_all(["load", "sum", "load", "", "sum", "Straße"]), [0, 1, 0, 2, 1, 3]);
        assert_eq!(interner.intern("sum"), 1);
        assert_eq!(interner.intern("new"), 4);
        assert_eq!(interner.names().collect::<Vec<_>>(), ["load", "sum", "", "Straße", "new"]);
        assert_eq!((interner.len(), interner.is_empty()), (5, false));
    }

    #[test]
    fn looking_up_adds_nothing() {
        let mut interner = Interner::new();
        interner.intern("load");
        assert_eq!(interner.get("sum"), None);
        assert!(interner.get_all(["sum", "load"]).eq([None, Some(0)]));
        assert_eq!(interner.len(), 1);
    }

    #[test]
    fn ids_do_not_depend_on_the_seed() {
        let names: Vec<String> = (0..5000).map(|i| format!("task-{}", i * 7 % 3000)).collect();
        let ids = |seed| Interner::with_seed(seed).intern_all(names.iter().map(String::as_str));
        assert_eq!(ids(1), ids(2));
    }

    /// With all names of one length, a hash that forgot a byte would put many of them into one slot.
    #[test]
    fn every_byte_of_a_name_counts_for_its_hash() {
        let seed = Interner::with_seed(7).seed;
        for length in 1..40 {
            let plain = vec![b'a'; length];
            for at in 0..length {
                let mut other = plain.clone();
                other[at] = b'b';
                assert_ne!(hash(seed, &plain), hash(seed, &other), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn names_that_differ_only_in_a_counter_spread_over_the_table() {
        let seed = Interner::with_seed(7).seed;
        let mut slots = vec![0u32; 1 << 16];
        for i in 0..1 << 16 {
            slots[hash(seed, format!("task-{i}").as_bytes()) as usize & 0xffff] += 1;
        }
        let fullest = slots.iter().max().unwrap();
        assert!(*fullest < 12, "thrown at random, the fullest of 65,536 slots holds 8 or 9, not {fullest}");
    }
}
