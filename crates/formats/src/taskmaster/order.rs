//! The graph of a tag: who waits for whom.
//!
//! A task with subtasks is a pair around them: its beginning waits for its dependencies, its subtasks for its
//! beginning, its end for them, and whoever depends on it for its end.

use partitur_graph::{Csr, Waves, cycles};

use super::backlog::Tag;
use super::resolve::Reference;

/// What a node of the graph is of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All of it: it has no subtasks.
    Whole,
    /// What its subtasks wait for.
    Begin,
    /// What waits for its subtasks.
    End,
}

/// The graph of a tag, without what would make it wait for ever.
pub struct Order {
    /// Over [`Order::nodes`].
    pub csr: Csr,
    /// Its waves.
    pub waves: Waves,
    /// In the order of the file.
    pub nodes: Vec<Node>,
    /// The dependencies that were left out, each with the cycle it belongs to.
    pub cuts: Vec<Cut>,
    /// Of each task.
    ends: Vec<Ends>,
}

/// A task, and what the node is of it.
pub type Node = (u32, Role);

/// The node that begins a task, and the one that ends it.
type Ends = (u32, u32);

/// A dependency that was left out because it closes a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub reference: Reference,
    /// The tasks of the cycle: each waits for the next, and the last for the first.
    pub cycle: Vec<u32>,
    /// The cycle leads from a task to its subtasks or back.
    pub containment: bool,
}

/// So often one dependency of each cycle is left out; then all that lead back.
const ROUNDS_MAX: usize = 50;

impl Order {
    /// The graph of these references. Those to nothing, and of a task to itself, are left out.
    pub fn of(tag: &Tag<'_>, references: &[Reference]) -> Order {
        let (nodes, ends) = nodes(tag);
        let mut draft = Draft { tag, nodes, ends, references, edges: Vec::new(), cuts: Vec::new() };
        draft.enter_containment();
        draft.enter_references();
        draft.settle()
    }

    /// The node with which a task begins.
    pub fn begin(&self, task: u32) -> u32 {
        self.ends[task as usize].0
    }

    /// The node with which a task ends.
    pub fn end(&self, task: u32) -> u32 {
        self.ends[task as usize].1
    }

    /// A figure for each node, from a figure for each task that has no subtasks; beginnings and ends have none.
    pub fn weigh(&self, mut of_task: impl FnMut(u32) -> u64) -> Vec<u64> {
        let weigh = |&(task, role): &Node| match role {
            Role::Whole => of_task(task),
            Role::Begin | Role::End => 0,
        };
        self.nodes.iter().map(weigh).collect()
    }
}

/// Nodes ascend along containment, so that no cycle is made of it alone.
fn nodes(tag: &Tag<'_>) -> (Vec<Node>, Vec<Ends>) {
    let mut nodes = Vec::with_capacity(tag.tasks.len());
    let mut ends = vec![(0, 0); tag.tasks.len()];
    let mut enter = |task: u32, role| {
        nodes.push((task, role));
        nodes.len() as u32 - 1
    };
    for task in tag.each().filter(|&task| tag.tasks[task as usize].parent.is_none()) {
        let subtasks = tag.subtasks(task);
        if subtasks.is_empty() {
            let node = enter(task, Role::Whole);
            ends[task as usize] = (node, node);
            continue;
        }
        let begin = enter(task, Role::Begin);
        for subtask in subtasks {
            let node = enter(subtask, Role::Whole);
            ends[subtask as usize] = (node, node);
        }
        ends[task as usize] = (begin, enter(task, Role::End));
    }
    (nodes, ends)
}

/// An edge, and the reference that it stands for; containment has none.
struct Link {
    from: u32,
    to: u32,
    reference: Option<Reference>,
}

struct Draft<'t, 's> {
    tag: &'t Tag<'s>,
    nodes: Vec<Node>,
    ends: Vec<Ends>,
    references: &'t [Reference],
    edges: Vec<Link>,
    cuts: Vec<Cut>,
}

impl Draft<'_, '_> {
    fn enter_containment(&mut self) {
        for task in self.tag.each() {
            let (begin, end) = self.ends[task as usize];
            for subtask in self.tag.subtasks(task) {
                let (first, last) = self.ends[subtask as usize];
                self.edges.push(Link { from: begin, to: first, reference: None });
                self.edges.push(Link { from: last, to: end, reference: None });
            }
        }
    }

    fn enter_references(&mut self) {
        for &reference in self.references {
            let Some(target) = reference.meaning.task().filter(|&target| target != reference.task) else {
                continue;
            };
            let (from, to) = (self.ends[target as usize].1, self.ends[reference.task as usize].0);
            self.edges.push(Link { from, to, reference: Some(reference) });
        }
    }

    /// Leaves out dependencies until there is an order.
    fn settle(mut self) -> Order {
        for _ in 0..ROUNDS_MAX {
            let csr = self.csr();
            if let Ok(waves) = Waves::of(&csr) {
                return Order { csr, waves, nodes: self.nodes, cuts: self.cuts, ends: self.ends };
            }
            let closing: Vec<u32> = cycles(&csr).cycles.iter().map(|cycle| self.cut(&csr, cycle)).collect();
            self.leave_out(|at, _| closing.contains(&at));
        }
        self.leave_out(|_, link| link.reference.is_some() && link.from >= link.to);
        let csr = self.csr();
        let waves = Waves::of(&csr).expect("all edges ascend");
        Order { csr, waves, nodes: self.nodes, cuts: self.cuts, ends: self.ends }
    }

    fn csr(&self) -> Csr {
        let pairs: Vec<(u32, u32)> = self.edges.iter().map(|link| (link.from, link.to)).collect();
        Csr::build_with_edge_ids(self.nodes.len() as u32, &pairs)
    }

    fn leave_out(&mut self, gone: impl Fn(u32, &Link) -> bool) {
        let mut at = 0..;
        self.edges.retain(|link| !gone(at.next().expect("numbers do not end"), link));
    }

    /// The edge of the cycle that is declared last; it is remembered.
    fn cut(&mut self, csr: &Csr, cycle: &[u32]) -> u32 {
        let nexts = cycle.iter().skip(1).chain(cycle.first());
        let edge = |(&from, &to): (&u32, &u32)| {
            let mut between = csr.out_edges(from).filter(|&(_, target)| target == to);
            between.next().expect("the nodes of a cycle follow each other").0
        };
        let edges: Vec<u32> = cycle.iter().zip(nexts).map(edge).collect();
        let declared = |&at: &u32| self.edges[at as usize].reference.map(|reference| (reference, at));
        let (reference, last) = edges
            .iter()
            .filter_map(declared)
            .max_by_key(|(reference, _)| reference.dependency)
            .expect("containment alone has no cycle");
        let mut tasks: Vec<u32> = cycle.iter().rev().map(|&node| self.nodes[node as usize].0).collect();
        tasks.dedup();
        while tasks.len() > 1 && tasks.first() == tasks.last() {
            tasks.pop();
        }
        let first = tasks.iter().position(|&task| task == reference.task).unwrap_or_default();
        tasks.rotate_left(first);
        let containment = edges.iter().any(|&at| self.edges[at as usize].reference.is_none());
        self.cuts.push(Cut { reference, cycle: tasks, containment });
        last
    }
}
