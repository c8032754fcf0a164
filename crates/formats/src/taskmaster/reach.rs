//! What can be done now, one after the other: the open tasks that wait for nothing but each other.

use super::backlog::Tag;
use super::order::{Node, Order, Role};
use super::resolve::Reference;
use super::standing::Standing;

/// Which part of a tag is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The open tasks that can be reached.
    Open,
    /// All tasks, as if nothing had been done; references to nothing and those that close cycles are left out.
    All,
}

/// The part of a graph that can be done.
pub struct Reach {
    /// For each node of the order, whether it belongs to it.
    nodes: Vec<bool>,
    /// Open tasks without subtasks that do not: they wait for what will not be done.
    pub left_out: Vec<u32>,
}

impl Reach {
    /// Looks at a tag.
    pub fn of(
        tag: &Tag<'_>,
        references: &[Reference],
        order: &Order,
        standing: &Standing,
        part: Part,
    ) -> Reach {
        match part {
            Part::All => Reach { nodes: vec![true; order.nodes.len()], left_out: Vec::new() },
            Part::Open => open(tag, references, order, standing),
        }
    }

    /// Whether this node of the order belongs to it.
    pub fn has(&self, node: u32) -> bool {
        self.nodes[node as usize]
    }
}

fn open(tag: &Tag<'_>, references: &[Reference], order: &Order, standing: &Standing) -> Reach {
    let mut nodes = vec![false; order.nodes.len()];
    let cut = |reference: &Reference| order.cuts.iter().any(|cut| cut.reference == *reference);
    for &node in order.waves.order() {
        let (task, role): Node = order.nodes[node as usize];
        let will_be = |task: u32| standing.is_satisfied(task) || nodes[order.end(task) as usize];
        let mut declared = references_of(tag, references, task).iter();
        let met = |reference: &Reference| reference.meaning.task().is_some_and(will_be) && !cut(reference);
        let parent = tag.tasks[task as usize].parent;
        let is_open = tag.tasks[task as usize].status.is_open() && !standing.is_satisfied(task);
        nodes[node as usize] = is_open
            && match role {
                Role::Whole | Role::Begin => {
                    parent.is_none_or(|parent| nodes[order.begin(parent) as usize]) && declared.all(met)
                }
                Role::End => nodes[order.begin(task) as usize] && tag.subtasks(task).all(will_be),
            };
    }
    let leaf = |&task: &u32| tag.subtasks(task).is_empty();
    let open = |&task: &u32| tag.tasks[task as usize].status.is_open() && !standing.is_satisfied(task);
    let left_out = tag.each().filter(leaf).filter(open).filter(|&task| !nodes[order.end(task) as usize]);
    let left_out = left_out.collect();
    Reach { nodes, left_out }
}

/// What a task declares.
fn references_of<'r>(tag: &Tag<'_>, references: &'r [Reference], task: u32) -> &'r [Reference] {
    let range = &tag.tasks[task as usize].dependencies;
    &references[range.start as usize..range.end as usize]
}
