//! The exact order of ready tasks: classes by stride, inside a class the longest remaining path, then age.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use partitur_model::definition::Priority;

/// The place of a task among the ready ones.
#[derive(Clone, Copy)]
pub(in crate::flow) struct Rank {
    pub(in crate::flow) priority: Priority,
    /// The longest path from its start to the end of the flow, in microseconds.
    pub(in crate::flow) bottom_level: u64,
}

/// Ready tasks that leave in the order in which they deserve it.
///
/// Stride scheduling: a class pays for each turn the inverse of its weight, and the class that has paid least is
/// next. So `low` gets one turn in a thousand while `critical` is busy, and never none.
#[derive(Default)]
pub(in crate::flow) struct Order {
    classes: [Class; Priority::ALL.len()],
    /// What the class of the last turn had paid: a class that was empty begins here and has saved up nothing.
    paid: u64,
    arrivals: u64,
}

#[derive(Default)]
struct Class {
    /// By bottom level, then age.
    heap: BinaryHeap<(u64, Reverse<u64>, u32)>,
    paid: u64,
}

/// A turn of the lightest class costs so much.
const STRIDE: u64 = 1000;

impl Order {
    pub(in crate::flow) fn push(&mut self, node: u32, rank: Rank) {
        self.arrivals += 1;
        let class = &mut self.classes[rank.priority as usize];
        if class.heap.is_empty() {
            class.paid = class.paid.max(self.paid);
        }
        class.heap.push((rank.bottom_level, Reverse(self.arrivals), node));
    }

    pub(in crate::flow) fn pop(&mut self) -> Option<u32> {
        let waiting =
            Priority::ALL.into_iter().filter(|&priority| !self.classes[priority as usize].heap.is_empty());
        // Of two that have paid alike the heavier is first: `ALL` begins with it.
        let priority = waiting.min_by_key(|&priority| self.classes[priority as usize].paid)?;
        let class = &mut self.classes[priority as usize];
        self.paid = class.paid;
        class.paid += STRIDE / priority.weight();
        class.heap.pop().map(|(_, _, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(tasks: &[(Priority, u64)]) -> Vec<u32> {
        let mut order = Order::default();
        for (node, &(priority, bottom_level)) in (0..).zip(tasks) {
            order.push(node, Rank { priority, bottom_level });
        }
        std::iter::from_fn(|| order.pop()).collect()
    }

    #[test]
    fn inside_a_class_the_longest_path_is_first_and_then_the_oldest() {
        let normal = Priority::Normal;
        assert_eq!(drain(&[(normal, 1), (normal, 3), (normal, 1), (normal, 2)]), [1, 3, 0, 2]);
    }

    #[test]
    fn a_heavier_class_gets_more_turns_and_a_lighter_one_never_none() {
        let mut tasks = vec![(Priority::High, 0); 300];
        tasks.extend([(Priority::Low, 0); 3]);
        let turns = drain(&tasks);
        assert_eq!(turns[0], 0);
        // 100 turns of `high` for each of `low`.
        let low: Vec<usize> =
            turns.iter().enumerate().filter(|(_, node)| **node >= 300).map(|(at, _)| at).collect();
        assert_eq!(low, [1, 102, 203]);
    }
}
