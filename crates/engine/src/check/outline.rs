//! The tasks of all scopes, numbered, and one flat graph of them: a container is two nodes, its beginning and its end,
//! with its body between them.

use hashbrown::HashMap;
use partitur_model::definition::{Definition, Edge, Node, Scope};

/// All tasks of a file.
pub(super) struct Outline<'d> {
    /// The root first; each container's body after the scope that holds the container.
    pub scopes: Vec<ScopeOutline<'d>>,
    /// The tasks of a scope stand together, in their order.
    pub tasks: Vec<TaskOutline<'d>>,
    /// The flat graph has so many nodes: a task has its own number, the ends of containers come after all tasks.
    pub nodes: u32,
}

/// A scope.
pub(super) struct ScopeOutline<'d> {
    pub scope: &'d Scope,
    /// The task whose body it is.
    pub container: Option<u32>,
    /// The number of its first task.
    pub first: u32,
    /// The first task of each name.
    names: HashMap<&'d str, u32>,
}

/// A task.
pub(super) struct TaskOutline<'d> {
    pub node: &'d Node,
    pub scope: u32,
    /// The scope inside it.
    pub body: Option<u32>,
    /// The node of the flat graph that is reached when it has ended; itself if it is no container.
    pub end: u32,
    /// Its turn in the document: before the tasks inside it and those after it.
    pub rank: u32,
}

impl<'d> Outline<'d> {
    pub fn of(definition: &'d Definition) -> Outline<'d> {
        let mut outline = Outline { scopes: Vec::new(), tasks: Vec::new(), nodes: 0 };
        let mut open: Vec<(&Scope, Option<u32>)> = vec![(&definition.root, None)];
        let mut at = 0;
        while let Some(&(scope, container)) = open.get(at) {
            outline.add_scope(scope, container, &mut open);
            at += 1;
        }
        outline.nodes = outline.tasks.len() as u32;
        for task in outline.tasks.iter_mut().filter(|task| task.body.is_some()) {
            task.end = outline.nodes;
            outline.nodes += 1;
        }
        outline.rank();
        outline
    }

    fn add_scope(
        &mut self,
        scope: &'d Scope,
        container: Option<u32>,
        open: &mut Vec<(&'d Scope, Option<u32>)>,
    ) {
        let (number, first) = (self.scopes.len() as u32, self.tasks.len() as u32);
        let mut names = HashMap::with_capacity(scope.nodes.len());
        for (node, task) in scope.nodes.iter().zip(first..) {
            names.entry(node.name.as_str()).or_insert(task);
            let body = node.kind.body().map(|inner| {
                open.push((inner, Some(task)));
                open.len() as u32 - 1
            });
            self.tasks.push(TaskOutline { node, scope: number, body, end: task, rank: 0 });
        }
        self.scopes.push(ScopeOutline { scope, container, first, names });
    }

    /// Numbers the tasks in the order of the document.
    fn rank(&mut self) {
        let mut next = 0;
        let mut open: Vec<std::ops::Range<u32>> = vec![self.tasks_of(0)];
        while let Some(range) = open.last_mut() {
            let Some(task) = range.next() else {
                open.pop();
                continue;
            };
            self.tasks[task as usize].rank = next;
            next += 1;
            if let Some(body) = self.tasks[task as usize].body {
                open.push(self.tasks_of(body));
            }
        }
    }

    pub fn task(&self, task: u32) -> &TaskOutline<'d> {
        &self.tasks[task as usize]
    }

    pub fn scope(&self, scope: u32) -> &ScopeOutline<'d> {
        &self.scopes[scope as usize]
    }

    /// The numbers of the tasks of a scope.
    pub fn tasks_of(&self, scope: u32) -> std::ops::Range<u32> {
        let scope = self.scope(scope);
        scope.first..scope.first + scope.scope.nodes.len() as u32
    }

    /// The task of this name in a scope.
    pub fn named(&self, scope: u32, name: &str) -> Option<u32> {
        self.scope(scope).names.get(name).copied()
    }

    /// The scope and those around it, from the inside out.
    pub fn around(&self, scope: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(Some(scope), |&scope| Some(self.task(self.scope(scope).container?).scope))
    }

    /// The tasks around a scope, from the inside out.
    pub fn containers(&self, scope: u32) -> impl Iterator<Item = u32> + '_ {
        self.around(scope).filter_map(|scope| self.scope(scope).container)
    }

    /// The edges of a scope that lie within it and lead from one task to another.
    pub fn edges(&self, scope: u32) -> impl Iterator<Item = &'d Edge> + '_ {
        let scope = self.scope(scope).scope;
        let count = scope.nodes.len() as u32;
        scope.edges.iter().filter(move |edge| edge.from < count && edge.to < count && edge.from != edge.to)
    }

    /// The edges of the flat graph.
    pub fn flat_edges(&self) -> Vec<(u32, u32)> {
        let mut edges = Vec::with_capacity(self.scopes.iter().map(|scope| scope.scope.edges.len()).sum());
        for number in 0..self.scopes.len() as u32 {
            let scope = self.scope(number);
            for edge in self.edges(number) {
                edges.push((self.task(scope.first + edge.from).end, scope.first + edge.to));
            }
            if let Some(container) = scope.container {
                self.enclose(container, number, &mut edges);
            }
        }
        edges
    }

    /// Puts a body between the beginning and the end of its container.
    fn enclose(&self, container: u32, body: u32, edges: &mut Vec<(u32, u32)>) {
        let first = self.scope(body).first;
        let count = self.tasks_of(body).len();
        let (mut is_first, mut is_last) = (vec![true; count], vec![true; count]);
        for edge in self.edges(body) {
            is_first[edge.to as usize] = false;
            is_last[edge.from as usize] = false;
        }
        let end = self.task(container).end;
        for (task, at) in self.tasks_of(body).zip(0..) {
            edges.extend(is_first[at].then_some((container, task)));
            edges.extend(is_last[at].then_some((self.task(first + at as u32).end, end)));
        }
        edges.push((container, end));
    }
}
