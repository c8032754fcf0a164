//! What waits, fair between owners: each has a line of its own, and the lines take turns.

use std::collections::{HashMap, VecDeque};

/// Lines of things that wait.
pub(super) struct FairQueue<T> {
    lines: HashMap<u64, VecDeque<T>>,
    /// The owners whose lines are not empty; the next one first.
    turns: VecDeque<u64>,
    waiting: usize,
}

impl<T> FairQueue<T> {
    pub fn new() -> FairQueue<T> {
        FairQueue { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0 }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// At the end of its owner's line.
    pub fn push(&mut self, owner: u64, item: T) {
        self.line(owner).push_back(item);
    }

    /// At the head of its owner's line: it has waited before.
    pub fn push_front(&mut self, owner: u64, item: T) {
        self.line(owner).push_front(item);
    }

    /// The head of the next line whose owner is welcome.
    pub fn pop(&mut self, is_welcome: impl Fn(u64) -> bool) -> Option<T> {
        let at = self.turns.iter().position(|&owner| is_welcome(owner))?;
        let owner = self.turns.remove(at).expect("a position in it");
        let line = self.lines.get_mut(&owner).expect("whoever has a turn has a line");
        let item = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        self.waiting -= usize::from(item.is_some());
        item
    }

    fn line(&mut self, owner: u64) -> &mut VecDeque<T> {
        self.waiting += 1;
        self.lines.entry(owner).or_insert_with(|| {
            self.turns.push_back(owner);
            VecDeque::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_take_turns_and_each_keeps_its_order() {
        let mut queue = FairQueue::new();
        for item in ["a1", "a2", "a3"] {
            queue.push(1, item);
        }
        queue.push(2, "b1");
        queue.push_front(1, "a0");
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop(|_| true)).collect();
        assert_eq!(order, ["a0", "b1", "a1", "a2", "a3"]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn who_is_not_welcome_keeps_its_place() {
        let mut queue = FairQueue::new();
        queue.push(1, "a1");
        queue.push(2, "b1");
        queue.push(2, "b2");
        assert_eq!(queue.pop(|owner| owner != 1), Some("b1"));
        assert_eq!(queue.pop(|_| true), Some("a1"));
        assert_eq!(queue.pop(|owner| owner != 2), None);
        assert_eq!(queue.len(), 1);
    }
}
