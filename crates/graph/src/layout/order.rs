//! In which order the vertices of each rank stand, so that few edges cross: sweeps that put each vertex at the median
//! of its neighbours, neighbours that change places wherever that helps, vertices that go where they cross least; then
//! the best order found is disturbed here and there, and mended again, as long as the work allows.

use super::crossings::{Counter, between};
use super::layers::Layers;
use crate::Csr;
use crate::csr::running_sums;
use crate::dice::Dice;

/// More sweeps than this have never found anything in the graphs measured.
const SWEEPS_MAX: u32 = 24;
/// So many sweeps in a row may find nothing better.
const PATIENCE: u32 = 6;
/// In one sweep a rank is gone over so often for neighbours that should change places.
const EXCHANGES_MAX: u32 = 4;
/// So often the best order is disturbed; later trials find little.
const TRIALS_MAX: u32 = 100;
/// One in so many trials begins with any order at all.
const AFRESH: u32 = 2;
/// Their share of the work: a graph that is drawn while somebody types has no time for more.
const TRIALS_SHARE: u64 = 8;

/// Puts the ranks in order; looks at a vertex or an edge about `work` times at most.
pub fn order(layers: &mut Layers, work: u64) {
    let mut sweeper = Sweeper::new(layers);
    let mut best = Best { crossings: sweeper.crossings(), rows: sweeper.layers.rows.clone() };
    sweeper.settle(&mut best, SWEEPS_MAX, work);
    sweeper.try_others(&mut best, work.min(sweeper.spent + work / TRIALS_SHARE));
    layers.rows = best.rows;
    layers.renumber();
}

/// The order with the fewest crossings so far.
struct Best {
    crossings: u64,
    rows: Vec<Vec<u32>>,
}

impl Best {
    /// Says whether this one is better, and then takes it.
    fn hear(&mut self, crossings: u64, rows: &[Vec<u32>]) -> bool {
        let better = crossings < self.crossings;
        if better {
            (self.crossings, self.rows) = (crossings, rows.to_vec());
        }
        better
    }
}

/// Which neighbours decide where a vertex goes.
#[derive(Clone, Copy)]
enum Side {
    Above,
    Below,
}

/// Where a vertex wants to stand.
#[derive(Clone, Copy)]
enum Wish {
    /// At the median; among equals those with an odd number of neighbours first. With the other row fixed, this has at
    /// most three times the crossings of the best order (Eades and Wormald).
    Median,
    /// Between the two medians, nearer to the side on which the others are closer together (as `dot` does).
    Weighted,
}

struct Sweeper<'a> {
    layers: &'a mut Layers,
    above: Ends,
    below: Ends,
    counter: Counter,
    spent: u64,
}

impl<'a> Sweeper<'a> {
    fn new(layers: &'a mut Layers) -> Sweeper<'a> {
        let (above, below) = (Ends::of(&layers.up), Ends::of(&layers.down));
        Sweeper { layers, above, below, counter: Counter::default(), spent: 0 }
    }

    /// Sweeps until nothing is found any more.
    fn settle(&mut self, best: &mut Best, sweeps: u32, work: u64) {
        let mut in_vain = 0;
        for sweep in 0..sweeps {
            if best.crossings == 0 || in_vain == PATIENCE || self.spent > work {
                return;
            }
            self.sweep(sweep);
            self.exchange();
            let crossings = self.crossings();
            in_vain = if best.hear(crossings, &self.layers.rows) { 0 } else { in_vain + 1 };
        }
    }

    /// Disturbs the best order, and keeps what becomes of it if that is better.
    fn try_others(&mut self, best: &mut Best, work: u64) {
        let mut dice = Dice::new(0);
        for trial in 0..TRIALS_MAX {
            if best.crossings == 0 || self.spent > work {
                return;
            }
            self.stand(&best.rows);
            match trial {
                0 => {}
                _ if trial.is_multiple_of(AFRESH) => self.begin_afresh(&mut dice),
                _ => self.disturb(&mut dice),
            }
            self.sift_until_settled(best, work);
        }
    }

    fn stand(&mut self, rows: &[Vec<u32>]) {
        self.layers.rows.clone_from_slice(rows);
        self.layers.renumber();
    }

    /// Shuffles all ranks, and sweeps once down and up.
    fn begin_afresh(&mut self, dice: &mut Dice) {
        self.layers.rows.iter_mut().for_each(|row| dice.shuffle(row));
        self.layers.renumber();
        (0..2).for_each(|sweep| self.sweep(sweep));
    }

    /// Shuffles a stretch of some of the ranks.
    fn disturb(&mut self, dice: &mut Dice) {
        for row in &mut self.layers.rows {
            if row.len() > 1 && dice.below(3) == 0 {
                let from = dice.below(row.len() as u32) as usize;
                let to = (from + 2 + dice.below(5) as usize).min(row.len());
                dice.shuffle(&mut row[from..to]);
            }
        }
        self.layers.renumber();
    }

    /// Sifts, downwards and upwards by turns, as long as that finds anything.
    fn sift_until_settled(&mut self, best: &mut Best, work: u64) {
        let ranks = self.layers.rows.len();
        let mut fewest = u64::MAX;
        while self.spent <= work {
            (0..ranks).for_each(|row| self.sift(row));
            (0..ranks).rev().for_each(|row| self.sift(row));
            let crossings = self.crossings();
            best.hear(crossings, &self.layers.rows);
            if crossings >= fewest {
                return;
            }
            fewest = crossings;
        }
    }

    /// Each vertex of the row goes where it crosses least while all others stand still: sifting, as Matuszewski, Schönfeld
    /// and Molitor do it (Graph Drawing 1999).
    fn sift(&mut self, row: usize) {
        self.look(row, Side::Above);
        self.look(row, Side::Below);
        for vertex in self.layers.rows[row].clone() {
            let vertices = &self.layers.rows[row];
            let at = vertices.iter().position(|&other| other == vertex).expect("it stands in its row");
            let to = self.best_place(vertices, at);
            let moved = &mut self.layers.rows[row];
            if to < at {
                moved[to..=at].rotate_right(1);
            } else {
                moved[at..=to].rotate_left(1);
            }
        }
        self.spent += (self.layers.rows[row].len() as u64).pow(2) * 4;
        self.layers.renumber_row(row);
    }

    /// Where the vertex that stands at `at` would cross least; nearest to where it stands among equals.
    fn best_place(&self, vertices: &[u32], at: usize) -> usize {
        let mut best = (0, at);
        let (mut leftwards, mut rightwards) = (0, 0);
        for to in (0..at).rev() {
            leftwards += change(&self.above, &self.below, vertices[to], vertices[at]);
            if leftwards < best.0 {
                best = (leftwards, to);
            }
        }
        for to in at + 1..vertices.len() {
            rightwards += change(&self.above, &self.below, vertices[at], vertices[to]);
            if rightwards < best.0 {
                best = (rightwards, to);
            }
        }
        best.1
    }

    /// Puts rank after rank in order, downwards and upwards by turns.
    fn sweep(&mut self, number: u32) {
        let ranks = self.layers.rows.len();
        // The plain median keeps its promise; the weighted one is better in most graphs.
        let wish = if number % 4 < 2 { Wish::Weighted } else { Wish::Median };
        let rightmost_first = number % 4 >= 2;
        if number.is_multiple_of(2) {
            (1..ranks).for_each(|row| self.place(row, Side::Above, wish, rightmost_first));
        } else {
            (0..ranks - 1).rev().for_each(|row| self.place(row, Side::Below, wish, rightmost_first));
        }
    }

    /// Puts a row in order. Vertices without neighbours keep their places.
    fn place(&mut self, row: usize, side: Side, wish: Wish, last_of_equals_first: bool) {
        self.look(row, side);
        let ends = match side {
            Side::Above => &self.above,
            Side::Below => &self.below,
        };
        let vertices = &self.layers.rows[row];
        let mut moving: Vec<(f32, u32)> = vertices
            .iter()
            .filter(|&&vertex| !ends.of_vertex(vertex).is_empty())
            .map(|&vertex| (wish.at(ends.of_vertex(vertex)), vertex))
            .collect();
        if last_of_equals_first {
            moving.reverse();
        }
        moving.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let mut moved = moving.into_iter().map(|(_, vertex)| vertex);
        let placed = vertices.iter().map(|&vertex| {
            let stays = ends.of_vertex(vertex).is_empty();
            if stays { vertex } else { moved.next().expect("as many come back as were taken out") }
        });
        self.layers.rows[row] = placed.collect();
        self.layers.renumber_row(row);
    }

    /// Lets neighbours change places, rank by rank, wherever that saves crossings.
    fn exchange(&mut self) {
        for row in 0..self.layers.rows.len() {
            self.look(row, Side::Above);
            self.look(row, Side::Below);
            for _ in 0..EXCHANGES_MAX {
                if !self.exchange_in(row) {
                    break;
                }
            }
            self.layers.renumber_row(row);
        }
    }

    fn exchange_in(&mut self, row: usize) -> bool {
        let vertices = &mut self.layers.rows[row];
        let mut better = false;
        for at in 1..vertices.len() {
            let (left, right) = (vertices[at - 1], vertices[at]);
            if change(&self.above, &self.below, left, right) < 0 {
                vertices.swap(at - 1, at);
                better = true;
            }
        }
        self.spent += vertices.len() as u64 * 4;
        better
    }

    /// All crossings.
    fn crossings(&mut self) -> u64 {
        let mut crossings = 0;
        for row in 1..self.layers.rows.len() {
            self.look(row, Side::Above);
            let upper = self.layers.rows[row - 1].len();
            let ends = self.layers.rows[row].iter().flat_map(|&vertex| self.above.of_vertex(vertex));
            crossings += self.counter.count(upper, ends.copied());
        }
        crossings
    }

    /// Looks where the neighbours of a row stand now.
    fn look(&mut self, row: usize, side: Side) {
        let (ends, other, edges) = match side {
            Side::Above => (&mut self.above, row.checked_sub(1), &self.layers.down),
            Side::Below => (&mut self.below, Some(row + 1), &self.layers.up),
        };
        let other = other.and_then(|other| self.layers.rows.get(other));
        self.spent += ends.look(&self.layers.rows[row], other.map_or(&[], Vec::as_slice), edges);
    }
}

/// How many crossings more there are if two neighbours change places.
fn change(above: &Ends, below: &Ends, left: u32, right: u32) -> i64 {
    let above = between(above.of_vertex(left), above.of_vertex(right));
    let below = between(below.of_vertex(left), below.of_vertex(right));
    (above.1 + below.1) as i64 - (above.0 + below.0) as i64
}

/// For each vertex where its neighbours on one side stand, in ascending order.
struct Ends {
    begins: Vec<u32>,
    fills: Vec<u32>,
    places: Vec<u32>,
}

impl Ends {
    fn of(edges: &Csr) -> Ends {
        let degrees: Vec<u32> = (0..edges.nodes()).map(|vertex| edges.out_degree(vertex)).collect();
        let begins = running_sums(degrees);
        Ends { fills: begins.clone(), places: vec![0; edges.edges() as usize], begins }
    }

    fn of_vertex(&self, vertex: u32) -> &[u32] {
        &self.places[self.begins[vertex as usize] as usize..self.begins[vertex as usize + 1] as usize]
    }

    /// Going along the other row fills all lists in ascending order, without sorting. Says how much was looked at.
    fn look(&mut self, row: &[u32], other: &[u32], edges: &Csr) -> u64 {
        for &vertex in row {
            self.fills[vertex as usize] = self.begins[vertex as usize];
        }
        let mut looked = row.len() + other.len();
        for (position, &neighbour) in (0..).zip(other) {
            for &vertex in edges.successors(neighbour) {
                let fill = &mut self.fills[vertex as usize];
                self.places[*fill as usize] = position;
                *fill += 1;
            }
            looked += edges.successors(neighbour).len();
        }
        looked as u64
    }
}

impl Wish {
    fn at(self, ends: &[u32]) -> f32 {
        let middle = ends.len() / 2;
        match self {
            Wish::Median if ends.len() % 2 == 1 => ends[middle] as f32,
            Wish::Median => ends[middle - 1] as f32 + 0.5,
            Wish::Weighted if ends.len() % 2 == 1 => ends[middle] as f32,
            Wish::Weighted if ends.len() == 2 => (ends[0] + ends[1]) as f32 / 2.0,
            Wish::Weighted => {
                let left = (ends[middle - 1] - ends[0]) as f32;
                let right = (ends[ends.len() - 1] - ends[middle]) as f32;
                let (before, after) = (ends[middle - 1] as f32, ends[middle] as f32);
                // All at two places: neither side is closer together.
                if left + right == 0.0 {
                    (before + after) / 2.0
                } else {
                    (before * right + after * left) / (left + right)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROW: u32 = 6;

    /// Two rows of six; each edge leads from the first to the second.
    fn two_rows(edges: &[(u32, u32)]) -> Layers {
        let edges: Vec<(u32, u32)> = edges.iter().map(|&(from, to)| (from, to + ROW)).collect();
        let csr = Csr::build(2 * ROW, &edges);
        let mut layers = Layers::of(&csr, (0..2 * ROW).map(|node| node / ROW).collect());
        layers.rows = vec![(0..ROW).collect(), (ROW..2 * ROW).collect()];
        layers.renumber();
        layers
    }

    fn naive(edges: &[(u32, u32)], upper: &[u32], lower: &[u32]) -> u64 {
        let at = |row: &[u32], node: u32| row.iter().position(|&other| other == node).unwrap();
        let ends: Vec<(usize, usize)> =
            edges.iter().map(|&(from, to)| (at(upper, from), at(lower, to))).collect();
        let pairs = ends.iter().flat_map(|a| ends.iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| a.0 < b.0 && a.1 > b.1).count() as u64
    }

    /// The fewest crossings of any order of the lower row.
    fn optimum(edges: &[(u32, u32)]) -> u64 {
        let upper: Vec<u32> = (0..ROW).collect();
        orders(upper.clone()).iter().map(|lower| naive(edges, &upper, lower)).min().unwrap()
    }

    fn orders(items: Vec<u32>) -> Vec<Vec<u32>> {
        if items.len() <= 1 {
            return vec![items];
        }
        let mut all = Vec::new();
        for first in 0..items.len() {
            let mut rest = items.clone();
            let head = rest.remove(first);
            all.extend(orders(rest).into_iter().map(|tail| [vec![head], tail].concat()));
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn the_median_of_a_row_has_at_most_three_times_the_fewest_crossings(
            edges in prop::collection::btree_set((0..ROW, 0..ROW), 1..18),
        ) {
            let edges: Vec<(u32, u32)> = edges.into_iter().collect();
            let mut layers = two_rows(&edges);
            let mut sweeper = Sweeper::new(&mut layers);
            sweeper.place(1, Side::Above, Wish::Median, false);
            let found = sweeper.crossings();
            let lower: Vec<u32> = layers.rows[1].iter().map(|node| node - ROW).collect();
            prop_assert_eq!(found, naive(&edges, &layers.rows[0], &lower));
            prop_assert!(found <= 3 * optimum(&edges), "{} > 3 * {}", found, optimum(&edges));
        }

        #[test]
        fn an_order_is_never_worse_than_the_one_it_began_with(
            edges in prop::collection::vec((0..12u32, 0..12u32), 1..40),
        ) {
            let upward: Vec<(u32, u32)> = edges.iter().filter(|(from, to)| from < to).copied().collect();
            let csr = Csr::build(12, &upward);
            let ranks = crate::levels(&csr).unwrap();
            let mut layers = Layers::of(&csr, ranks);
            let before = naive_of_all(&layers);
            prop_assert_eq!(Sweeper::new(&mut layers).crossings(), before);
            order(&mut layers, 10_000);
            let after = naive_of_all(&layers);
            prop_assert_eq!(Sweeper::new(&mut layers).crossings(), after);
            prop_assert!(after <= before, "{} > {}", after, before);
        }
    }

    /// Ten ranks of six, with two edges from each node to the rank before.
    fn ten_ranks(seed: u64) -> Csr {
        let mut dice = Dice::new(seed);
        let edges: Vec<(u32, u32)> = (ROW..10 * ROW)
            .flat_map(|node| {
                let (rank, one, other) = ((node / ROW - 1) * ROW, dice.below(ROW), dice.below(ROW - 1));
                [(rank + one, node), (rank + other + u32::from(other >= one), node)]
            })
            .collect();
        Csr::build(10 * ROW, &edges)
    }

    #[test]
    fn dense_ranks_cross_no_more_often_than_dot_has_them() {
        let found: Vec<u64> = (10..16)
            .map(|seed| {
                let csr = ten_ranks(seed);
                let ranks = crate::levels(&csr).unwrap();
                let mut layers = Layers::of(&csr, ranks);
                order(&mut layers, crate::layout::Options::default().work);
                Sweeper::new(&mut layers).crossings()
            })
            .collect();
        // Counted in the order in which `dot` 2.43 puts the same six graphs: 68, 77, 67, 81, 65, 75.
        insta::assert_compact_debug_snapshot!(found, @r"
        [70, 72, 59, 80, 65, 71]
        ");
        assert!(found.iter().sum::<u64>() <= 68 + 77 + 67 + 81 + 65 + 75, "{found:?}");
    }

    /// The crossings between all rows.
    fn naive_of_all(layers: &Layers) -> u64 {
        let between = |rows: &[Vec<u32>]| {
            let edges: Vec<(u32, u32)> = rows[0]
                .iter()
                .flat_map(|&from| layers.down.successors(from).iter().map(move |&to| (from, to)))
                .collect();
            naive(&edges, &rows[0], &rows[1])
        };
        layers.rows.windows(2).map(between).sum()
    }
}
