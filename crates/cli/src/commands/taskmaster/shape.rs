//! The part of a tag that can be done, as a graph of its own: how long it takes, and what determines that.

use partitur_formats::taskmaster::{Order, Part, Reach, Reference, Role, Rule, Standing, Tag};
use partitur_graph::{
    Csr, Order as By, Waves, bottom_levels, critical_path, earliest_starts, simulate, work,
};

use super::weights::Weights;

/// A tag, and everything that follows from it.
pub struct Shape<'c, 's> {
    /// Of which.
    pub tag: &'c Tag<'s>,
    /// What its dependencies mean.
    pub references: Vec<Reference>,
    /// Its whole graph.
    pub order: Order,
    /// How far its tasks are.
    pub standing: Standing,
    /// How much work they are.
    pub weights: Weights,
    /// Which part is looked at.
    pub reach: Reach,
    /// The nodes of that part, by their numbers in the whole graph.
    nodes: Vec<u32>,
    /// Over these.
    pub csr: Csr,
    waves: Waves,
    /// Of these.
    pub durations: Vec<u64>,
}

impl<'c, 's> Shape<'c, 's> {
    /// Looks at a part of a tag.
    pub fn of(tag: &'c Tag<'s>, weights: Weights, rule: Rule, part: Part) -> Shape<'c, 's> {
        let references = tag.references();
        let order = Order::of(tag, &references);
        let standing = Standing::of(tag, &references, rule);
        let reach = Reach::of(tag, &references, &order, &standing, part);
        let nodes: Vec<u32> = (0..order.nodes.len() as u32).filter(|&node| reach.has(node)).collect();
        let mut place = vec![u32::MAX; order.nodes.len()];
        for (at, &node) in (0..).zip(&nodes) {
            place[node as usize] = at;
        }
        let inner = |(from, to): (u32, u32)| {
            (reach.has(from) && reach.has(to)).then(|| (place[from as usize], place[to as usize]))
        };
        let edges: Vec<(u32, u32)> = order.csr.pairs().filter_map(inner).collect();
        let csr = Csr::build(nodes.len() as u32, &edges);
        let waves = Waves::of(&csr).expect("a part of a graph without cycles has none");
        let all = order.weigh(|task| weights.of_task[task as usize]);
        let durations = nodes.iter().map(|&node| all[node as usize]).collect();
        Shape { tag, references, order, standing, weights, reach, nodes, csr, waves, durations }
    }

    /// The task of a node, unless that is only the beginning or end of one.
    pub fn task(&self, node: u32) -> Option<u32> {
        let (task, role) = self.order.nodes[self.nodes[node as usize] as usize];
        match role {
            Role::Whole => Some(task),
            Role::Begin | Role::End => None,
        }
    }

    /// The tasks that can be done at the same time, wave after wave; subtasks, but no tasks that consist of them.
    pub fn waves(&self) -> Vec<Vec<u32>> {
        let steps: Vec<u64> =
            (0..self.csr.nodes()).map(|node| u64::from(self.task(node).is_some())).collect();
        let levels = earliest_starts(&self.csr, &self.waves, &steps);
        let mut waves: Vec<Vec<u32>> = Vec::new();
        for (node, level) in (0..).zip(levels) {
            let Some(task) = self.task(node) else { continue };
            let level = level as usize;
            waves.resize_with(waves.len().max(level + 1), Vec::new);
            waves[level].push(task);
        }
        waves
    }

    /// The tasks of the longest way, and its length.
    pub fn critical(&self) -> (Vec<u32>, u64) {
        if self.csr.nodes() == 0 {
            return (Vec::new(), 0);
        }
        let bottom = bottom_levels(&self.csr, &self.waves, &self.durations);
        let path = critical_path(&self.csr, &self.waves, &bottom);
        (path.nodes.iter().filter_map(|&node| self.task(node)).collect(), path.length)
    }

    /// All work.
    pub fn work(&self) -> u64 {
        work(&self.durations)
    }

    /// How long it takes with so many workers.
    pub fn makespan(&self, workers: u32) -> u64 {
        if self.csr.nodes() == 0 {
            return 0;
        }
        let schedule = simulate(&self.csr, &self.durations, workers, By::BottomLevel);
        schedule.expect("a part of a graph without cycles has none").makespan
    }
}
