//! Branches whose graphs are only known when their container begins: dynamic forks and dynamic tasks.

use std::sync::Arc;

use partitur_model::Payload;
use partitur_model::definition::Branch;
use partitur_model::record::{TaskError, TaskRecord, TaskState};

use crate::container::BRANCHES_MAX;
use crate::cx::{Agenda, Cx};
use crate::program::{Action, Body, BodyIx, ExpandAction, compile_branch};
use crate::run::{Key, Run, View};

/// A branch cannot be compiled, or collides with another task.
const BAD_BRANCH: &str = "bad-branch";

impl Run {
    pub(crate) fn begin_expand(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        expand: &ExpandAction,
    ) {
        let input = expand.input.resolve(&View::inside(self, key.scope));
        match self.grow(key, expand, &input) {
            Ok(branches) => {
                record.started = Some(cx.now);
                record.generation += 1;
                record.iteration = branches.len() as u32;
                // What the branches follow from: after a start of the node they are made of it again.
                record.items = Some(input);
                record.state = TaskState::Open;
                self.put(cx, key, record);
                self.open_grown(key, branches, cx.agenda);
                self.joins_opened_by(cx, key);
                self.finish_if_done(cx, key);
            }
            Err(error) => {
                // It stands for nothing: it is seen itself.
                if let (true, Some(served)) = (expand.stands_for_branch, &mut record.served) {
                    served.uncounted = self.count(record.seq, true);
                }
                self.fail_task(cx, key, record, error)
            }
        }
    }

    fn grow(&self, key: Key, expand: &ExpandAction, input: &Payload) -> Result<Vec<Grown>, TaskError> {
        let branches = expand.expander.0.branches(input)?;
        if branches.len() > BRANCHES_MAX {
            let message = format!("{} branches; at most {BRANCHES_MAX} are allowed", branches.len());
            return Err(TaskError::terminal("too-many-branches", message));
        }
        let mut base = self.next_body();
        let mut grown = Vec::with_capacity(branches.len());
        for branch in branches {
            if !expand.stands_for_branch {
                self.is_new(key, &branch)?;
            }
            let bodies = compile_branch(&branch.scope, base).map_err(|faults| {
                let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                TaskError::terminal(BAD_BRANCH, format!("`{}`: {}", branch.last, messages.join("; ")))
            })?;
            base += bodies.len() as u32;
            grown.push(Grown { last: branch.last.into(), bodies });
        }
        Ok(grown)
    }

    /// A name that is a task's already would be two things.
    fn is_new(&self, fork: Key, branch: &Branch) -> Result<(), TaskError> {
        for node in &branch.scope.nodes {
            let taken = self.program.bodies.iter().any(|body| body.names.contains_key(node.name.as_str()));
            if taken || self.grown_name(&node.name).is_some_and(|body| !self.is_of_same_fork(body, fork)) {
                let message = format!("the reference name `{}` is used by another task already", node.name);
                return Err(TaskError::terminal(BAD_BRANCH, message));
            }
        }
        Ok(())
    }

    /// Whether the graph was made for the same fork, in an earlier iteration of a loop around it.
    fn is_of_same_fork(&self, body: BodyIx, fork: Key) -> bool {
        let container = self.latest_scope(body).and_then(|scope| self.scope(scope).container);
        container.is_some_and(|(maker, _)| {
            let same_graph = self.scope(maker.scope).body == self.scope(fork.scope).body;
            maker != fork && same_graph && maker.node == fork.node
        })
    }

    fn open_grown(&mut self, key: Key, branches: Vec<Grown>, agenda: &mut Agenda) {
        for (branch, index) in branches.into_iter().zip(0_u32..) {
            let body = self.adopt_bodies(branch.bodies);
            self.open_branch_of(body, key, index, Payload::Null, branch.last, agenda);
        }
    }

    /// After recovery: the branches follow from what the container's record keeps.
    pub(crate) fn grow_again(&mut self, key: Key, agenda: &mut Agenda) {
        let graph = self.graph_of(key);
        let Action::Expand(expand) = &graph.nodes[key.node as usize].action else { return };
        let Some(input) = self.task(key).and_then(|task| task.items.clone()) else { return };
        if self.branches(key).next().is_some() {
            return;
        }
        if let Ok(branches) = self.grow(key, expand, &input) {
            self.open_grown(key, branches, agenda);
        }
    }
}

/// A branch, compiled.
struct Grown {
    last: Arc<str>,
    bodies: Vec<Arc<Body>>,
}

impl Run {
    fn next_body(&self) -> u32 {
        (self.program.bodies.len() + self.grown.len()) as u32
    }

    fn adopt_bodies(&mut self, bodies: Vec<Arc<Body>>) -> BodyIx {
        let first = BodyIx(self.next_body());
        for (body, at) in bodies.into_iter().zip(first.0..) {
            for name in body.names.keys() {
                self.grown_names.insert(name.clone(), BodyIx(at));
            }
            self.grown.push(Some(body));
        }
        first
    }
}
