//! The whole state against a naive recomputation from the tickets: for tests and debug builds.

use super::Admission;
use super::cell::{Demand, Stock};
use super::ticket::Place;

impl Admission {
    /// Recomputes everything derived from the live tickets.
    ///
    /// # Panics
    /// If what is counted differs from what the tickets say.
    pub fn check(&self) {
        self.check_stocks();
        self.check_lanes();
        self.check_reservations();
    }

    /// What is held is what the holders hold.
    fn check_stocks(&self) {
        let mut held: Vec<Vec<Demand>> = vec![Vec::new(); self.resources.cells.len()];
        for (_, entry) in self.tickets.iter().filter(|(_, entry)| entry.place == Place::Holding) {
            for need in entry.needs.iter() {
                held[need.cell.0 as usize].push(need.demand);
            }
        }
        for (cell, held) in self.resources.cells.iter().zip(held) {
            let name = self.name(cell.label);
            match &cell.stock {
                Stock::Units { used, readers, .. } => {
                    let shared = held.iter().filter(|demand| **demand == Demand::Shared).count();
                    let units: u64 =
                        held.iter().filter(|d| **d != Demand::Shared).map(|d| u64::from(d.units())).sum();
                    assert_eq!((*used, *readers as usize), (units, shared), "what is held of {name}");
                }
                Stock::Path(counts) => {
                    for mode in super::mode::Mode::ALL {
                        let holders = held.iter().filter(|demand| **demand == Demand::Path(mode)).count();
                        assert_eq!(counts[mode as usize] as usize, holders, "{mode:?} holders of {name}");
                    }
                }
                Stock::Breaker(breaker) => {
                    assert_eq!(breaker.alive as usize, held.len(), "attempts behind {name}")
                }
                Stock::Rate(_) | Stock::Offers(_) => {}
            }
        }
    }

    /// Each waiting ticket stands in exactly one queue, and the queues hold nothing else.
    fn check_lanes(&self) {
        let mut waiting = [0; 4];
        for (index, entry) in self.tickets.iter().filter(|(_, entry)| entry.place != Place::Holding) {
            waiting[entry.class as usize] += 1;
            let queues = match entry.refused() {
                None => &self.incoming,
                Some(need) => {
                    let lane = self.resources.cell(need.cell).lane(need.demand);
                    &lane.expect("a parked ticket has its lane").queues
                }
            };
            let queue = &queues[usize::from(entry.fresh)][entry.class as usize];
            assert!(queue.contains(&self.key(index)), "{:?} stands where it says", entry.key());
        }
        assert_eq!(self.turns.waiting(), waiting, "tickets waiting by class");
        let lanes = self.resources.cells.iter().flat_map(|cell| &cell.lanes);
        let mut queued = self.incoming.iter().flatten().map(|queue| queue.len()).sum::<usize>();
        for lane in lanes {
            let length: usize = lane.queues.iter().flatten().map(|queue| queue.len()).sum();
            assert_eq!(lane.length as usize, length, "the length of a lane");
            assert!(length > 0, "no empty lane is kept");
            queued += length;
        }
        assert_eq!(queued, waiting.iter().sum::<usize>(), "tickets in queues");
    }

    /// Things are kept free only for tickets that wait, and for few of them.
    fn check_reservations(&self) {
        assert!(self.reservers.len() <= self.options.max_reservations);
        for cell in &self.resources.cells {
            let waits = |index: u32| self.tickets[index].place != Place::Holding;
            assert!(cell.reserved.iter().all(|&(index, _)| self.reservers.contains(&index) && waits(index)));
        }
    }
}
