//! What a run would look like if every task took as long as expected: list scheduling, simulated.
//!
//! The figures of `--dry-run` and the comparison of orders come from here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{Csr, Cyclic, Waves, bottom_levels};

/// Which of the ready nodes starts first. Among equals the one that has been ready for longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// As they become ready.
    Fifo,
    /// The longest of them.
    LongestFirst,
    /// The shortest of them.
    ShortestFirst,
    /// The one with the longest way to the end.
    BottomLevel,
}

/// Who did what when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// When the last node ends.
    pub makespan: u64,
    /// When each node starts.
    pub starts: Vec<u64>,
    /// On which worker.
    pub worker: Vec<u32>,
}

/// Runs the graph on so many equal workers in one of the usual orders.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// If there are no workers, or not exactly one duration for each node.
pub fn simulate(csr: &Csr, durations: &[u64], workers: u32, order: Order) -> Result<Schedule, Cyclic> {
    let priorities = match order {
        Order::Fifo => vec![0; durations.len()],
        Order::LongestFirst => durations.to_vec(),
        Order::ShortestFirst => durations.iter().map(|&duration| u64::MAX - duration).collect(),
        Order::BottomLevel => bottom_levels(csr, &Waves::of(csr)?, durations),
    };
    simulate_by(csr, durations, workers, &priorities)
}

/// Runs the graph on so many equal workers; of the ready nodes the one with the highest priority starts first.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// As [`simulate`], or if there is not exactly one priority for each node.
pub fn simulate_by(
    csr: &Csr,
    durations: &[u64],
    workers: u32,
    priorities: &[u64],
) -> Result<Schedule, Cyclic> {
    assert!(workers > 0, "somebody has to do the work");
    assert_eq!(durations.len(), csr.nodes() as usize, "every node has a duration");
    assert_eq!(priorities.len(), csr.nodes() as usize, "every node has a priority");
    let mut floor = Floor::new(csr, durations, workers, priorities);
    let mut started = floor.start_what_can();
    while floor.advance() {
        started += floor.start_what_can();
    }
    if started == csr.nodes() { Ok(floor.schedule) } else { Err(Cyclic) }
}

/// Everything at one moment of the simulation.
struct Floor<'a> {
    csr: &'a Csr,
    durations: &'a [u64],
    priorities: &'a [u64],
    missing: Vec<u32>,
    /// By priority, then by the number of arrivals before.
    ready: BinaryHeap<(u64, Reverse<u32>, u32)>,
    arrivals: u32,
    /// The idle worker with the lowest number comes first.
    idle: BinaryHeap<Reverse<u32>>,
    /// By the time of their end, then by the order of their start.
    running: BinaryHeap<Reverse<(u64, u32, u32)>>,
    starts: u32,
    now: u64,
    schedule: Schedule,
}

impl<'a> Floor<'a> {
    fn new(csr: &'a Csr, durations: &'a [u64], workers: u32, priorities: &'a [u64]) -> Floor<'a> {
        let nodes = csr.nodes();
        let mut floor = Floor {
            csr,
            durations,
            priorities,
            missing: csr.in_degrees(),
            ready: BinaryHeap::new(),
            arrivals: 0,
            // More workers than nodes never get anything to do.
            idle: (0..workers.min(nodes)).map(Reverse).collect(),
            running: BinaryHeap::new(),
            starts: 0,
            now: 0,
            schedule: Schedule {
                makespan: 0,
                starts: vec![0; nodes as usize],
                worker: vec![0; nodes as usize],
            },
        };
        for node in (0..nodes).filter(|&node| floor.missing[node as usize] == 0).collect::<Vec<_>>() {
            floor.arrive(node);
        }
        floor
    }

    fn arrive(&mut self, node: u32) {
        self.ready.push((self.priorities[node as usize], Reverse(self.arrivals), node));
        self.arrivals += 1;
    }

    /// Gives ready nodes to idle workers until one of both runs out; says how many.
    fn start_what_can(&mut self) -> u32 {
        let before = self.starts;
        while let Some(&Reverse(worker)) = self.idle.peek()
            && let Some((_, _, node)) = self.ready.pop()
        {
            self.idle.pop();
            self.schedule.starts[node as usize] = self.now;
            self.schedule.worker[node as usize] = worker;
            let end = self.now.saturating_add(self.durations[node as usize]);
            self.running.push(Reverse((end, self.starts, node)));
            self.starts += 1;
        }
        self.starts - before
    }

    /// Goes on to the next moment at which something ends, and ends all that ends then; false if nothing runs.
    fn advance(&mut self) -> bool {
        let Some(&Reverse((end, _, _))) = self.running.peek() else { return false };
        self.now = end;
        self.schedule.makespan = end;
        while let Some(&Reverse((at, _, node))) = self.running.peek()
            && at == end
        {
            self.running.pop();
            self.finish(node);
        }
        true
    }

    fn finish(&mut self, node: u32) {
        self.idle.push(Reverse(self.schedule.worker[node as usize]));
        let csr = self.csr;
        for &next in csr.successors(node) {
            self.missing[next as usize] -= 1;
            if self.missing[next as usize] == 0 {
                self.arrive(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three short nodes stand before a chain of two long ones, on two workers.
    fn short_ones_first() -> (Csr, [u64; 5]) {
        (Csr::build(5, &[(3, 4)]), [2, 2, 2, 4, 4])
    }

    #[test]
    fn the_bottom_level_starts_the_long_chain_at_once() {
        let (csr, durations) = short_ones_first();
        let schedule = simulate(&csr, &durations, 2, Order::BottomLevel).unwrap();
        assert_eq!(
            schedule,
            Schedule { makespan: 8, starts: vec![0, 2, 4, 0, 4], worker: vec![1, 1, 1, 0, 0] }
        );
    }

    #[test]
    fn each_order_has_its_makespan() {
        let (csr, durations) = short_ones_first();
        let makespan = |order| simulate(&csr, &durations, 2, order).unwrap().makespan;
        assert_eq!(makespan(Order::Fifo), 10);
        assert_eq!(makespan(Order::ShortestFirst), 10);
        assert_eq!(makespan(Order::LongestFirst), 8);
        assert_eq!(makespan(Order::BottomLevel), 8);
    }

    #[test]
    fn one_worker_takes_as_long_as_all_the_work() {
        let (csr, durations) = short_ones_first();
        let schedule = simulate(&csr, &durations, 1, Order::Fifo).unwrap();
        assert_eq!((schedule.makespan, schedule.worker), (14, vec![0; 5]));
    }

    #[test]
    fn nodes_that_take_no_time_still_wait_their_turn() {
        let csr = Csr::build(3, &[(0, 1), (1, 2)]);
        let schedule = simulate(&csr, &[0, 3, 0], 4, Order::Fifo).unwrap();
        assert_eq!((schedule.starts, schedule.makespan), (vec![0, 0, 3], 3));
    }

    #[test]
    fn a_cycle_has_no_schedule() {
        let csr = Csr::build(3, &[(0, 1), (1, 2), (2, 1)]);
        assert_eq!(simulate(&csr, &[1; 3], 2, Order::Fifo), Err(Cyclic));
        assert_eq!(simulate(&csr, &[1; 3], 2, Order::BottomLevel), Err(Cyclic));
    }
}
