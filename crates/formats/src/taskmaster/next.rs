//! What to do now, and why.
//!
//! Of all that is ready: first what has begun (or whose parent has), then what matters more, then what the longest
//! chain of open work waits for, then what stands first in the file.

use std::cmp::Reverse;

use partitur_graph::{bottom_levels, reachable_from};

use super::backlog::Tag;
use super::order::{Order, Role};
use super::resolve::{Meaning, Reference};
use super::standing::Standing;
use super::word::{Priority, Status};

/// A task that may be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub task: u32,
    /// It has begun, or its parent has.
    pub begun: bool,
    /// How much it matters.
    pub priority: Priority,
    /// The longest chain of open work behind it, in the unit of the weights.
    pub behind: u64,
}

/// What may be worked on, the best first. `weights` has a figure for each task.
pub fn next(tag: &Tag<'_>, order: &Order, standing: &Standing, weights: &[u64]) -> Vec<Candidate> {
    let open = order.weigh(|task| if standing.is_satisfied(task) { 0 } else { weights[task as usize] });
    let bottom = bottom_levels(&order.csr, &order.waves, &open);
    let candidate = |task: u32| {
        let begun = |task: u32| tag.tasks[task as usize].status == Status::InProgress;
        let node = order.begin(task) as usize;
        Candidate {
            task,
            begun: begun(task) || tag.tasks[task as usize].parent.is_some_and(begun),
            priority: tag.priority(task),
            behind: bottom[node] - open[node],
        }
    };
    let leaf = |&task: &u32| standing.is_ready(task) && tag.subtasks(task).is_empty();
    let mut ready: Vec<Candidate> = tag.each().filter(leaf).map(candidate).collect();
    ready.sort_by_key(|it| (Reverse(it.begun), Reverse(it.priority), Reverse(it.behind), it.task));
    ready
}

impl Order {
    /// How many open tasks wait for this one, directly or not.
    pub fn waiting_for(&self, standing: &Standing, task: u32) -> usize {
        let own = self.begin(task);
        let reached = reachable_from(&self.csr, &[self.end(task)]);
        let open = |&node: &u32| {
            let (task, role) = self.nodes[node as usize];
            node != own && role == Role::Whole && !standing.is_satisfied(task)
        };
        reached.into_iter().filter(open).count()
    }
}

/// Why open tasks are not ready and will not become so by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// They wait for a task that nobody may work on.
    Status {
        /// That task.
        task: u32,
        /// Those that wait for it.
        waiting: Vec<u32>,
    },
    /// A dependency leads to nothing.
    Nothing(Reference),
    /// They wait for each other.
    Cycle(Vec<u32>),
}

/// What keeps open tasks from ever becoming ready.
pub fn holds(tag: &Tag<'_>, references: &[Reference], order: &Order, standing: &Standing) -> Vec<Hold> {
    let is_open = |task: u32| tag.tasks[task as usize].status.is_open() && !standing.is_satisfied(task);
    let stuck = |task: u32| !tag.tasks[task as usize].status.is_open() && !standing.is_satisfied(task);
    let mut waiting: Vec<Vec<u32>> = vec![Vec::new(); tag.tasks.len()];
    let mut holds = Vec::new();
    for reference in references.iter().filter(|reference| is_open(reference.task)) {
        match reference.meaning {
            Meaning::Nothing => holds.push(Hold::Nothing(*reference)),
            Meaning::Task(target) | Meaning::OtherLevel(target) if stuck(target) => {
                waiting[target as usize].push(reference.task);
            }
            Meaning::Task(_) | Meaning::OtherLevel(_) => {}
        }
    }
    for task in tag.each().filter(|&task| is_open(task)) {
        if let Some(parent) = tag.tasks[task as usize].parent.filter(|&parent| stuck(parent)) {
            waiting[parent as usize].push(task);
        }
    }
    let held = tag.each().zip(waiting).filter(|(_, waiting)| !waiting.is_empty());
    holds.extend(held.map(|(task, mut waiting)| {
        waiting.dedup();
        Hold::Status { task, waiting }
    }));
    let open_cycles = order.cuts.iter().filter(|cut| cut.cycle.iter().all(|&task| is_open(task)));
    holds.extend(open_cycles.map(|cut| Hold::Cycle(cut.cycle.clone())));
    holds
}
