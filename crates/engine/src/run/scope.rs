//! Branches and iterations: opening them, naming what is in them, dropping them.

use std::sync::Arc;

use partitur_model::{Payload, Timestamp};

use super::{Instance, Key, ROOT, Run, scope_done};
use crate::cx::Agenda;
use crate::program::{Body, BodyIx};

/// One branch or iteration, or the root of the run.
#[derive(Debug)]
pub(crate) struct ScopeState {
    pub body: BodyIx,
    /// That body.
    pub graph: Arc<Body>,
    /// Whose body, and which branch (from 0) or iteration (from 1).
    pub container: Option<(Key, u32)>,
    /// The element of a branch.
    pub value: Payload,
    /// What a branch is called; empty for iterations.
    pub label: Arc<str>,
    pub instances: Vec<Instance>,
    /// Tasks that have not ended.
    pub open: u32,
    /// Tasks that failed and are not optional.
    pub failed: u32,
}

impl Run {
    /// Opens the root. Tasks outside `targets` and what they need are left out; everything is in if it is empty.
    pub(crate) fn open_root(&mut self, agenda: &mut Agenda) {
        let wanted = self.wanted();
        self.open_scope(BodyIx::ROOT, None, Payload::Null, "".into(), &wanted, agenda);
    }

    /// Opens a branch or iteration of a container; one that is open already is left as it is.
    pub(crate) fn open_branch(
        &mut self,
        container: Key,
        index: u32,
        value: Payload,
        label: Arc<str>,
        agenda: &mut Agenda,
    ) -> u32 {
        if let Some(&scope) = self.children.get(&container).and_then(|branches| branches.scopes.get(&index)) {
            return scope;
        }
        let body = self.node(container).body().expect("only containers have branches");
        self.open_branch_of(body, container, index, value, label, agenda)
    }

    /// [`Run::open_branch`] with this graph.
    pub(crate) fn open_branch_of(
        &mut self,
        body: BodyIx,
        container: Key,
        index: u32,
        value: Payload,
        label: Arc<str>,
        agenda: &mut Agenda,
    ) -> u32 {
        let scope = self.open_scope(body, Some((container, index)), value, label, &[], agenda);
        let open = self.scope(scope).open;
        let branches = self.children.entry(container).or_default();
        branches.scopes.insert(index, scope);
        branches.open += u32::from(open > 0);
        scope
    }

    fn open_scope(
        &mut self,
        body: BodyIx,
        container: Option<(Key, u32)>,
        value: Payload,
        label: Arc<str>,
        wanted: &[bool],
        agenda: &mut Agenda,
    ) -> u32 {
        let scope = self.scopes.len() as u32;
        let graph = self.body(body).clone();
        let mut degrees = graph.successors.in_degrees();
        for &service in &graph.services {
            // Edges from services are not counted.
            graph.successors.successors(service).iter().for_each(|&node| degrees[node as usize] -= 1);
        }
        let since = container
            .and_then(|(key, _)| self.task(key))
            .map_or(self.rec.created, |task| task.started.unwrap_or(task.ready));
        let instances: Vec<Instance> = degrees
            .iter()
            .enumerate()
            .map(|(node, &missing)| Instance {
                missing,
                since,
                excluded: !wanted.is_empty() && !wanted[node],
                undo_deadline: Timestamp::MAX,
                ..Instance::default()
            })
            .collect();
        let open = instances.iter().filter(|instance| !instance.excluded).count() as u32;
        for (instance, node) in instances.iter().zip(0..) {
            if instance.missing == 0 && !instance.excluded {
                agenda.push_back(crate::cx::Todo::Consider(self.id(), Key { scope, node }));
            }
        }
        if open == 0 {
            agenda.push_back(scope_done(self.id(), scope));
        }
        let state = ScopeState { body, graph, container, value, label, instances, open, failed: 0 };
        self.scopes.push(Some(Box::new(state)));
        self.note_latest(body, scope);
        scope
    }

    /// After recovery older iterations may be opened after newer ones.
    fn note_latest(&mut self, body: BodyIx, scope: u32) {
        let place = |scope: u32| self.scopes[scope as usize].as_ref().and_then(|state| state.container);
        let is_older = match (place(scope), self.latest.get(&body).and_then(|&known| place(known))) {
            (Some((container, index)), Some((known, newer))) => container == known && index < newer,
            (None, _) | (_, None) => false,
        };
        if !is_older {
            self.latest.insert(body, scope);
        }
    }

    /// Which root tasks the run's targets need; empty if it has no targets.
    fn wanted(&self) -> Vec<bool> {
        if self.rec.options.targets.is_empty() {
            return Vec::new();
        }
        let root = self.program.body(BodyIx::ROOT);
        let mut wanted = vec![false; root.nodes.len()];
        let mut todo: Vec<u32> = self
            .rec
            .options
            .targets
            .iter()
            .filter_map(|name| root.names.get(name.as_str()).copied())
            .collect();
        while let Some(node) = todo.pop() {
            if !std::mem::replace(&mut wanted[node as usize], true) {
                todo.extend_from_slice(root.predecessors.successors(node));
            }
        }
        wanted
    }

    /// Every scope of a container and of the containers inside it, outermost first.
    pub(crate) fn scopes_below(&self, container: Key) -> Vec<u32> {
        let mut found: Vec<u32> = self.branches(container).collect();
        let mut at = 0;
        while let Some(&scope) = found.get(at) {
            for node in 0..self.scope(scope).instances.len() as u32 {
                found.extend(self.branches(Key { scope, node }));
            }
            at += 1;
        }
        found
    }

    /// The scopes of a container, by branch or iteration.
    pub(crate) fn branches(&self, container: Key) -> impl Iterator<Item = u32> + '_ {
        self.children.get(&container).into_iter().flat_map(|branches| branches.scopes.values().copied())
    }

    /// Forgets a scope and what is in it. Its rows are the caller's to remove.
    pub(crate) fn drop_scope(&mut self, scope: u32) {
        let Some(state) = self.scopes[scope as usize].take() else { return };
        for (instance, node) in state.instances.iter().zip(0..) {
            self.children.remove(&Key { scope, node });
            if let Some(task) = &instance.task {
                self.forget(task.seq);
            }
        }
        if let Some((container, index)) = state.container
            && let Some(branches) = self.children.get_mut(&container)
        {
            branches.scopes.remove(&index);
            branches.open -= u32::from(state.open > 0);
            branches.failed -= u32::from(state.open == 0 && state.failed > 0);
        }
        if self.latest.get(&state.body) == Some(&scope) {
            self.latest.remove(&state.body);
        }
        self.forget_grown(&state);
    }

    /// A graph that was made for one branch goes with it.
    fn forget_grown(&mut self, state: &ScopeState) {
        if let Some(grown) = (state.body.0 as usize).checked_sub(self.program.bodies.len()) {
            for name in state.graph.names.keys() {
                // A later iteration may have made the name anew.
                if self.grown_names.get(name) == Some(&state.body) {
                    self.grown_names.remove(name);
                }
            }
            self.grown[grown] = None;
        }
    }

    /// The newest scope of a body.
    pub(crate) fn latest_scope(&self, body: BodyIx) -> Option<u32> {
        self.latest.get(&body).copied()
    }

    /// The path of a task, for people: `report`, `invoices[de]`, `loop#3/check`.
    pub(crate) fn path_of(&self, key: Key) -> Arc<str> {
        if key.scope == ROOT {
            return self.node(key).name.clone();
        }
        let scope = self.scope(key.scope);
        let (container, index) = scope.container.expect("only the root has no container");
        let mut path = self.path_of(container).to_string();
        if scope.label.is_empty() {
            path.push_str(&format!("#{index}"));
        } else {
            path.push_str(&format!("[{}]", scope.label));
        }
        let body = &scope.graph;
        let stands_for_branch = body.nodes.len() == 1 && body.nodes[0].name == self.node(container).name;
        if !stands_for_branch {
            path.push('/');
            path.push_str(&self.node(key).name);
        }
        path.into()
    }
}
