//! Strings tasks together: what follows what.

use std::collections::BTreeMap;

use partitur_model::Place;
use partitur_model::definition::{Edge, Guard, Node, Scope, Trigger};

use super::{
    Lowering, dynamic, event, fork, http, repeat, script, simple, sub_workflow, switch, terminate, wait,
};
use crate::TaskType;
use crate::wire::WorkflowTask;

/// An edge that still leads nowhere: the end of what is strung together so far.
pub type Exit = (u32, Guard);

/// A scope that grows.
#[derive(Default)]
pub struct Graph {
    /// So far.
    pub scope: Scope,
    by_name: BTreeMap<String, u32>,
}

impl Graph {
    /// Adds tasks, one after the other. The first follows from `entries`; what comes next follows from the result.
    pub fn sequence(
        &mut self,
        lowering: &Lowering<'_>,
        tasks: &[WorkflowTask],
        entries: Vec<Exit>,
        place: &str,
    ) -> Vec<Exit> {
        let mut exits = entries;
        let mut rest = tasks.iter().enumerate();
        while let Some((at, task)) = rest.next() {
            let place = format!("{place}[{at}]");
            exits = match task.task_type() {
                TaskType::ForkJoin => {
                    let opened = fork::fork(self, lowering, task, exits, &place);
                    self.join_after(opened, rest.next(), &place)
                }
                TaskType::ForkJoinDynamic => {
                    let opened = self.follow(dynamic::fork(lowering, task, &place), exits);
                    self.join_after(opened, rest.next(), &place)
                }
                TaskType::Switch | TaskType::Decision => switch::switch(self, lowering, task, exits, &place),
                TaskType::Join => fork::lone_join(self, task, exits, &place),
                TaskType::ExclusiveJoin => fork::exclusive_join(self, task, exits, &place),
                _ => {
                    let node = self.follow(single(lowering, task, &place), exits);
                    vec![(node, Guard::Continue)]
                }
            };
        }
        exits
    }

    /// The JOIN that belongs to a fork. The checks see to it that there is one.
    fn join_after(&mut self, fork: u32, join: Option<(usize, &WorkflowTask)>, place: &str) -> Vec<Exit> {
        match join {
            Some((_, join)) => fork::join(self, join, fork, place),
            None => vec![(fork, Guard::Continue)],
        }
    }

    /// Adds a node that follows from some ends.
    pub fn follow(&mut self, mut node: Node, entries: Vec<Exit>) -> u32 {
        if entries.len() > 1 {
            node.trigger = Trigger::Any;
        }
        let place = node.place.clone();
        let node = self.add(node);
        for (from, guard) in entries {
            self.edge(from, node, guard, &place);
        }
        node
    }

    /// Adds a node.
    pub fn add(&mut self, node: Node) -> u32 {
        let index = self.scope.nodes.len() as u32;
        self.by_name.insert(node.name.clone(), index);
        self.scope.nodes.push(node);
        index
    }

    /// Adds an edge.
    pub fn edge(&mut self, from: u32, to: u32, guard: Guard, place: &Place) {
        self.scope.edges.push(Edge { from, to, guard, place: place.clone() });
    }

    /// The node of a name, if it is there already.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// What a join begins with when more than one end leads to it: no task of the definition.
    pub fn gate(&mut self, name: &str, entries: Vec<Exit>, place: &str) -> u32 {
        let gate = Node::at(&format!("{name}$gate"), Place(place.to_owned()));
        self.follow(Node { out_of_sight: true, ..gate }, entries)
    }
}

/// The node of a task that is one node.
fn single(lowering: &Lowering<'_>, task: &WorkflowTask, place: &str) -> Node {
    match task.task_type() {
        TaskType::Simple => simple::worker_task(lowering, task, &task.name, place),
        TaskType::Custom(queue) => simple::worker_task(lowering, task, &queue, place),
        TaskType::Http => http::call(task, "HTTP", place),
        TaskType::HttpPoll => http::call(task, "HTTP_POLL", place),
        TaskType::Inline => script::inline(task, place),
        TaskType::Lambda => script::lambda(task, place),
        TaskType::JsonJqTransform => script::jq(task, place),
        TaskType::DoWhile => repeat::do_while(lowering, task, place),
        TaskType::Dynamic => dynamic::task(lowering, task, place),
        TaskType::SubWorkflow => sub_workflow::sub_workflow(task, place),
        TaskType::StartWorkflow => sub_workflow::start(task, place),
        TaskType::Terminate => terminate::terminate(task, place),
        TaskType::SetVariable => simple::set_variable(task, place),
        TaskType::Wait => wait::wait(task, place),
        TaskType::Human | TaskType::Yield => wait::signal(task, place),
        TaskType::Event => event::event(task, place),
        TaskType::PullMessages => event::pull_messages(task, place),
        TaskType::Noop => simple::noop(task, place),
        TaskType::Switch
        | TaskType::Decision
        | TaskType::ForkJoin
        | TaskType::ForkJoinDynamic
        | TaskType::Join
        | TaskType::ExclusiveJoin => unreachable!("tasks of more than one node are strung in by `sequence`"),
        TaskType::Absent(_) => unreachable!("the checks refuse what is not built in"),
    }
}
