//! What a run would look like with locks and limits: as [`crate::simulate`], but whatever a task holds while it runs has
//! a capacity. A slot of a machine is held like a lock, so that everything that delays a task is one of two things: a
//! predecessor, or a cell that was full.
//!
//! As in a real run, what becomes free goes first to those that wait already: a task that becomes ready at the same
//! moment has to be written down before it may start.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{Csr, Cyclic, Waves, bottom_levels};

/// Units of a cell that a task holds while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Which cell.
    pub cell: u32,
    /// How many of its units; no more than it has count.
    pub units: u32,
}

/// Who may do how much of what at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The units of each cell. A lock has as many as can be held shared; whoever holds it alone takes all of them.
    pub capacities: Vec<u32>,
    /// What each node holds. Nodes that wait for the first of these wait for nothing else, so what is scarcest comes first.
    pub holds: Vec<Vec<Hold>>,
}

/// Who starts when, and why not earlier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timetable {
    /// When the last node ends.
    pub makespan: u64,
    /// When each node starts.
    pub starts: Vec<u64>,
    /// Why not earlier.
    pub causes: Vec<Cause>,
}

/// Why a node did not start earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// It started at once.
    #[default]
    None,
    /// This predecessor was the last to end.
    Node(u32),
    /// This cell was full.
    Cell(u32),
}

impl Limits {
    /// So many slots, of which every node takes one.
    pub fn slots(nodes: u32, slots: u32) -> Limits {
        Limits { capacities: vec![slots], holds: vec![vec![Hold { cell: 0, units: 1 }]; nodes as usize] }
    }
}

/// Runs the graph within these limits; of those that may start, the one with the longest way to the end starts first.
///
/// # Errors
/// If there is a cycle.
///
/// # Panics
/// If there is not exactly one duration and one list of holds for each node, or a cell has no units.
pub fn timetable(csr: &Csr, durations: &[u64], limits: &Limits) -> Result<Timetable, Cyclic> {
    assert_eq!(durations.len(), csr.nodes() as usize, "every node has a duration");
    assert_eq!(limits.holds.len(), csr.nodes() as usize, "every node has its holds");
    assert!(limits.capacities.iter().all(|&units| units > 0), "what has no units can never be held");
    let priorities = bottom_levels(csr, &Waves::of(csr)?, durations);
    let mut hall = Hall::new(csr, durations, limits, &priorities);
    hall.start_what_can();
    while let Some(arrived) = hall.advance() {
        hall.start_what_can();
        arrived.into_iter().for_each(|node| hall.arrive(node));
        hall.start_what_can();
    }
    Ok(hall.timetable)
}

/// By priority, then by the number of arrivals before.
type Waiting = (u64, Reverse<u32>, u32);

/// Everything at one moment.
struct Hall<'a> {
    csr: &'a Csr,
    durations: &'a [u64],
    limits: &'a Limits,
    priorities: &'a [u64],
    missing: Vec<u32>,
    free: Vec<u32>,
    arrivals: u32,
    ready: BinaryHeap<Waiting>,
    /// Those that a cell refused, by cell.
    lanes: Vec<BinaryHeap<Waiting>>,
    /// Cells of which units became free at this moment.
    freed: Vec<u32>,
    /// By the time of their end, then by the order of their start.
    running: BinaryHeap<Reverse<(u64, u32, u32)>>,
    started: u32,
    now: u64,
    timetable: Timetable,
}

impl<'a> Hall<'a> {
    fn new(csr: &'a Csr, durations: &'a [u64], limits: &'a Limits, priorities: &'a [u64]) -> Hall<'a> {
        let nodes = csr.nodes() as usize;
        let mut hall = Hall {
            csr,
            durations,
            limits,
            priorities,
            missing: csr.in_degrees(),
            free: limits.capacities.clone(),
            arrivals: 0,
            ready: BinaryHeap::new(),
            lanes: vec![BinaryHeap::new(); limits.capacities.len()],
            freed: Vec::new(),
            running: BinaryHeap::new(),
            started: 0,
            now: 0,
            timetable: Timetable { makespan: 0, starts: vec![0; nodes], causes: vec![Cause::None; nodes] },
        };
        for node in (0..csr.nodes()).filter(|&node| hall.missing[node as usize] == 0).collect::<Vec<_>>() {
            hall.arrive(node);
        }
        hall
    }

    fn arrive(&mut self, node: u32) {
        self.ready.push((self.priorities[node as usize], Reverse(self.arrivals), node));
        self.arrivals += 1;
    }

    /// Starts what may start. From the lane of a cell that has units again one node after another is asked, so that a
    /// thousand that wait for one lock cost one question each time it is given back.
    fn start_what_can(&mut self) {
        let mut refused: Vec<(u32, Waiting)> = Vec::new();
        for cell in std::mem::take(&mut self.freed) {
            self.ask_next(cell);
        }
        while let Some(waiting) = self.ready.pop() {
            let node = waiting.2;
            let asked = self.timetable.causes[node as usize];
            match self.refusing(node) {
                None => self.start(node),
                Some(cell) => {
                    self.timetable.causes[node as usize] = Cause::Cell(cell);
                    refused.push((cell, waiting));
                }
            }
            if let Cause::Cell(cell) = asked {
                self.ask_next(cell);
            }
        }
        for (cell, waiting) in refused {
            self.lanes[cell as usize].push(waiting);
        }
    }

    /// The first of those that wait for the cell may try again, if there is anything to have.
    fn ask_next(&mut self, cell: u32) {
        if self.free[cell as usize] > 0
            && let Some(waiting) = self.lanes[cell as usize].pop()
        {
            self.ready.push(waiting);
        }
    }

    fn refusing(&self, node: u32) -> Option<u32> {
        let holds = self.limits.holds[node as usize].iter();
        holds.clone().find(|hold| self.units(hold) > self.free[hold.cell as usize]).map(|hold| hold.cell)
    }

    fn units(&self, hold: &Hold) -> u32 {
        hold.units.min(self.limits.capacities[hold.cell as usize])
    }

    fn start(&mut self, node: u32) {
        let limits = self.limits;
        for hold in &limits.holds[node as usize] {
            self.free[hold.cell as usize] -= self.units(hold);
        }
        self.timetable.starts[node as usize] = self.now;
        let end = self.now.saturating_add(self.durations[node as usize]);
        self.running.push(Reverse((end, self.started, node)));
        self.started += 1;
    }

    /// Goes on to the next moment at which something ends, and ends all that ends then. Gives those for which it was the
    /// last that they waited for; nothing if nothing runs.
    fn advance(&mut self) -> Option<Vec<u32>> {
        let &Reverse((end, _, _)) = self.running.peek()?;
        self.now = end;
        self.timetable.makespan = end;
        let mut arrived = Vec::new();
        while let Some(&Reverse((at, _, node))) = self.running.peek()
            && at == end
        {
            self.running.pop();
            self.finish(node, &mut arrived);
        }
        Some(arrived)
    }

    fn finish(&mut self, node: u32, arrived: &mut Vec<u32>) {
        let limits = self.limits;
        for hold in &limits.holds[node as usize] {
            self.free[hold.cell as usize] += self.units(hold);
            if !self.freed.contains(&hold.cell) {
                self.freed.push(hold.cell);
            }
        }
        let csr = self.csr;
        for &next in csr.successors(node) {
            self.missing[next as usize] -= 1;
            if self.missing[next as usize] == 0 {
                self.timetable.causes[next as usize] = Cause::Node(node);
                arrived.push(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::Family;
    use crate::{Order, simulate};

    /// Looks at every moment: nobody starts before what it needs has ended or holds what is not there, and nobody waits
    /// while everything it wants is there.
    fn check(csr: &Csr, durations: &[u64], limits: &Limits, table: &Timetable) {
        let end = |node: u32| table.starts[node as usize] + durations[node as usize];
        let before = csr.reversed();
        let runs = |node: u32, at: u64| table.starts[node as usize] <= at && at < end(node);
        let held = |cell: u32, at: u64, but: u32| -> u32 {
            let units = |node: u32| {
                let holds = limits.holds[node as usize].iter().filter(|hold| hold.cell == cell);
                holds.map(|hold| hold.units.min(limits.capacities[cell as usize])).sum::<u32>()
            };
            (0..csr.nodes()).filter(|&node| node != but && runs(node, at)).map(units).sum()
        };
        let moments: Vec<u64> = (0..csr.nodes()).map(end).chain([0]).collect();
        for node in 0..csr.nodes() {
            let ready = before.successors(node).iter().map(|&from| end(from)).max().unwrap_or(0);
            let start = table.starts[node as usize];
            assert!(start >= ready);
            let fits = |at: u64| {
                let fits = |hold: &Hold| {
                    let most = limits.capacities[hold.cell as usize];
                    held(hold.cell, at, node) + hold.units.min(most) <= most
                };
                limits.holds[node as usize].iter().all(fits)
            };
            assert!(fits(start), "{node} holds what is not there");
            for &at in moments.iter().filter(|&&at| ready <= at && at < start) {
                assert!(!fits(at), "{node} could have started at {at}, not at {start}");
            }
        }
    }

    #[test]
    fn nobody_starts_too_early_and_nobody_waits_for_nothing() {
        for (seed, family) in (1u64..).zip(Family::ALL) {
            let sample = family.sample(150, seed);
            let mut limits = Limits::slots(150, 4);
            limits.capacities.extend([9, 3]);
            for (node, holds) in (0u32..).zip(&mut limits.holds) {
                match node % 5 {
                    0 => holds.insert(0, Hold { cell: 1, units: 9 }),
                    1 => holds.insert(0, Hold { cell: 1, units: 1 }),
                    2 => holds.push(Hold { cell: 2, units: 1 + node % 3 }),
                    _ => {}
                }
            }
            let table = timetable(&sample.csr, &sample.durations, &limits).unwrap();
            check(&sample.csr, &sample.durations, &limits, &table);
        }
    }

    #[test]
    fn with_slots_alone_it_is_nearly_the_plain_simulation() {
        for family in Family::ALL {
            for workers in [1, 3, 16, 400] {
                let sample = family.sample(400, 7);
                let plain = simulate(&sample.csr, &sample.durations, workers, Order::BottomLevel).unwrap();
                let limits = Limits::slots(400, workers);
                let table = timetable(&sample.csr, &sample.durations, &limits).unwrap();
                if workers == 1 || workers == 400 {
                    assert_eq!(table.makespan, plain.makespan, "{family:?}");
                }
                let tenth = plain.makespan / 10;
                assert!(table.makespan.abs_diff(plain.makespan) <= tenth, "{family:?} {workers}");
            }
        }
    }

    #[test]
    fn whoever_holds_a_lock_alone_keeps_others_out_and_the_cause_says_so() {
        let csr = Csr::build(3, &[]);
        let alone = |units| vec![Hold { cell: 0, units }];
        let limits = Limits { capacities: vec![9], holds: vec![alone(9), alone(1), alone(1)] };
        let table = timetable(&csr, &[5, 3, 3], &limits).unwrap();
        assert_eq!((table.makespan, table.starts), (8, vec![0, 5, 5]));
        assert_eq!(table.causes, [Cause::None, Cause::Cell(0), Cause::Cell(0)]);
    }

    #[test]
    fn who_wants_less_passes_who_wants_more_than_there_is() {
        let csr = Csr::build(3, &[]);
        let units = |units| vec![Hold { cell: 0, units }];
        let limits = Limits { capacities: vec![3], holds: vec![units(2), units(2), units(1)] };
        let table = timetable(&csr, &[4, 4, 2], &limits).unwrap();
        assert_eq!((table.makespan, table.starts), (8, vec![0, 4, 0]));
    }

    #[test]
    fn more_than_there_is_means_all_of_it() {
        let csr = Csr::build(1, &[]);
        let limits = Limits { capacities: vec![2], holds: vec![vec![Hold { cell: 0, units: 7 }]] };
        assert_eq!(timetable(&csr, &[4], &limits).unwrap().makespan, 4);
    }

    #[test]
    fn a_predecessor_that_ends_last_is_the_cause() {
        let csr = Csr::build(3, &[(0, 2), (1, 2)]);
        let table = timetable(&csr, &[2, 5, 1], &Limits::slots(3, 2)).unwrap();
        assert_eq!(table.causes[2], Cause::Node(1));
        assert_eq!(timetable(&Csr::build(1, &[(0, 0)]), &[1], &Limits::slots(1, 1)), Err(Cyclic));
    }
}
