//! What was compiled, by its source.

use std::collections::{HashMap, VecDeque};

/// A bounded number of compiled sources; the oldest leave first.
pub(super) struct Cache<T> {
    entries: HashMap<Box<str>, T>,
    order: VecDeque<Box<str>>,
    max: usize,
}

/// What is longer is seldom met twice, and not kept.
const KEPT_MAX: usize = 64 * 1024;

impl<T> Cache<T> {
    pub fn new(max: usize) -> Cache<T> {
        Cache { entries: HashMap::new(), order: VecDeque::new(), max }
    }

    /// What `source` was compiled to, if it is kept.
    pub fn get(&self, source: &str) -> Option<&T> {
        self.entries.get(source)
    }

    /// Keeps what `source` was compiled to.
    pub fn insert(&mut self, source: &str, compiled: T) {
        if source.len() > KEPT_MAX {
            return;
        }
        if self.order.len() == self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        if self.entries.insert(source.into(), compiled).is_none() {
            self.order.push_back(source.into());
        }
    }
}

impl<T: Clone> Cache<T> {
    /// What `source` is compiled to, now or earlier.
    pub fn get_or<E>(&mut self, source: &str, compile: impl FnOnce(&str) -> Result<T, E>) -> Result<T, E> {
        if let Some(compiled) = self.get(source) {
            return Ok(compiled.clone());
        }
        let compiled = compile(source)?;
        self.insert(source, compiled.clone());
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_and_what_is_long_is_not_kept() {
        let mut cache = Cache::new(2);
        for (at, source) in ["a", "b", "b", "c"].into_iter().enumerate() {
            let compiled = cache.get_or::<()>(source, |_| Ok(at));
            assert_eq!(compiled, Ok(if source == "b" { 1 } else { at }));
        }
        assert_eq!((cache.get("a"), cache.get("b"), cache.get("c")), (None, Some(&1), Some(&3)));
        let long = "x".repeat(KEPT_MAX + 1);
        cache.insert(&long, 9);
        assert_eq!(cache.get(&long), None);
    }

    #[test]
    fn what_cannot_be_compiled_is_not_kept() {
        let mut cache = Cache::<u8>::new(2);
        assert_eq!(cache.get_or("a", |_| Err("no")), Err("no"));
        assert_eq!(cache.get_or::<()>("a", |_| Ok(1)), Ok(1));
    }
}
