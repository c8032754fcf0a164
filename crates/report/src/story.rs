//! The records of a run, and what each task is in its definition.

use std::collections::{HashMap, HashSet};

use partitur_graph::Csr;
use partitur_model::definition::{Definition, Kind, Node, Scope};
use partitur_model::record::{RunRecord, ScopeRef, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{TaskSeq, Timestamp};

/// A run with its tasks, its definition and its sub-runs.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    /// The run.
    pub run: &'a RunRecord,
    /// Its tasks, by number.
    pub tasks: &'a [TaskRecord],
    /// What it executes.
    pub definition: &'a Definition,
    /// Its sub-runs.
    pub children: Vec<Story<'a>>,
    /// The time at which it is told: the end of what has not ended.
    pub now: Timestamp,
}

/// The tasks of a story by where they stand. Everything that is asked of it is a look-up.
pub(crate) struct Cast<'a> {
    pub tasks: &'a [TaskRecord],
    by_seq: HashMap<TaskSeq, usize>,
    by_place: HashMap<(Option<ScopeRef>, &'a str), usize>,
    /// What each task is.
    nodes: Vec<Option<&'a Node>>,
    /// The graphs in which tasks stand: the root's under `None`, a container's under its number.
    graphs: HashMap<Option<TaskSeq>, Graph<'a>>,
    /// The task that ended last in each branch or iteration, and in each container.
    last: HashMap<Option<ScopeRef>, usize>,
    last_inside: HashMap<TaskSeq, usize>,
    /// The containers of which a part failed.
    failed_inside: HashSet<TaskSeq>,
}

/// A graph with its names and the ways back.
struct Graph<'a> {
    scope: &'a Scope,
    index: HashMap<&'a str, u32>,
    before: Csr,
}

impl<'a> Graph<'a> {
    fn of(scope: &'a Scope) -> Graph<'a> {
        let edges: Vec<(u32, u32)> = scope.edges.iter().map(|edge| (edge.to, edge.from)).collect();
        Graph {
            scope,
            index: scope.nodes.iter().map(|node| node.name.as_str()).zip(0..).collect(),
            before: Csr::build(scope.nodes.len() as u32, &edges),
        }
    }

    fn node(&self, name: &str) -> Option<&'a Node> {
        self.index.get(name).map(|&at| &self.scope.nodes[at as usize])
    }
}

impl<'a> Cast<'a> {
    pub fn of(story: &Story<'a>) -> Cast<'a> {
        let tasks = story.tasks;
        let mut cast = Cast {
            tasks,
            by_seq: tasks.iter().enumerate().map(|(at, task)| (task.seq, at)).collect(),
            by_place: tasks.iter().enumerate().map(|(at, task)| ((task.scope, &*task.node), at)).collect(),
            nodes: vec![None; tasks.len()],
            graphs: HashMap::from([(None, Graph::of(&story.definition.root))]),
            last: HashMap::new(),
            last_inside: HashMap::new(),
            failed_inside: HashSet::new(),
        };
        cast.find_nodes();
        cast.find_last();
        cast
    }

    /// A container was ready before its parts, so its number is lower and its graph known when they are looked at.
    fn find_nodes(&mut self) {
        for (at, task) in self.tasks.iter().enumerate() {
            let graph = self.graphs.get(&task.scope.map(|scope| scope.container));
            let Some(node) = graph.and_then(|graph| graph.node(&task.node)) else { continue };
            self.nodes[at] = Some(node);
            if let Some(body) = node.kind.body() {
                self.graphs.insert(Some(task.seq), Graph::of(body));
            }
        }
    }

    fn find_last(&mut self) {
        let tasks = self.tasks;
        let nodes = std::mem::take(&mut self.nodes);
        let later = |kept: &mut usize, at: usize| {
            let end = |at: usize| (tasks[at].ended, tasks[at].seq);
            if end(at) > end(*kept) {
                *kept = at;
            }
        };
        // Services end when all is done: they determine no end.
        let ends =
            |(at, task): &(usize, &TaskRecord)| task.ended.is_some() && !nodes[*at].is_some_and(is_service);
        for (at, task) in tasks.iter().enumerate().filter(ends) {
            later(self.last.entry(task.scope).or_insert(at), at);
            if let Some(scope) = task.scope {
                later(self.last_inside.entry(scope.container).or_insert(at), at);
                if has_failed(task) {
                    self.failed_inside.insert(scope.container);
                }
            }
        }
        self.nodes = nodes;
    }

    /// The task of a scope that ended last.
    pub fn last(&self, scope: Option<ScopeRef>) -> Option<usize> {
        self.last.get(&scope).copied()
    }

    /// The part of a container that ended last.
    pub fn last_inside(&self, at: usize) -> Option<usize> {
        self.last_inside.get(&self.tasks[at].seq).copied()
    }

    pub fn container(&self, scope: ScopeRef) -> Option<usize> {
        self.at(scope.container)
    }

    /// Where the task with this number stands.
    pub fn at(&self, seq: TaskSeq) -> Option<usize> {
        self.by_seq.get(&seq).copied()
    }

    /// The tasks that this one waited for, beside it.
    pub fn before(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let scope = self.tasks[at].scope;
        let graph = self.graphs.get(&scope.map(|scope| scope.container));
        let own = graph.and_then(|graph| Some((graph, *graph.index.get(&*self.tasks[at].node)?)));
        own.into_iter().flat_map(move |(graph, own)| {
            let name = |&from: &u32| graph.scope.nodes[from as usize].name.as_str();
            let place = move |from| self.by_place.get(&(scope, name(from))).copied();
            let before = graph.before.successors(own).iter();
            before.filter(|&&from| !is_service(&graph.scope.nodes[from as usize])).filter_map(place)
        })
    }

    /// What the task is.
    pub fn node(&self, at: usize) -> Option<&'a Node> {
        self.nodes[at]
    }

    /// Whether the task is told by its parts.
    pub fn unfolds(&self, at: usize) -> bool {
        self.node(at).is_some_and(|node| node.kind.body().is_some())
    }

    /// Whether the task declares what it reads and writes.
    pub fn is_incremental(&self, at: usize) -> bool {
        self.node(at).is_some_and(|node| !node.reads.is_empty() && !node.writes.is_empty())
    }

    /// Whether a container failed although no part of it did, as when its list is no list.
    pub fn fails_alone(&self, at: usize) -> bool {
        self.unfolds(at) && has_failed(&self.tasks[at]) && !self.failed_inside.contains(&self.tasks[at].seq)
    }

    /// Whether attempts of the task do work themselves: they hold a slot.
    pub fn works(&self, at: usize) -> bool {
        self.node(at).is_none_or(|node| match node.kind {
            // A service is there for others, beside the slots.
            Kind::Command(ref command) => command.service.is_none(),
            Kind::Http(_) | Kind::Remote(_) => true,
            Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Each(_)
            | Kind::Loop(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => false,
        })
    }
}

fn is_service(node: &Node) -> bool {
    matches!(&node.kind, Kind::Command(command) if command.service.is_some())
}

fn has_failed(task: &TaskRecord) -> bool {
    matches!(task.state, TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut))
}
