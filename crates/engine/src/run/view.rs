//! What expressions see: `inputs`, `self`, `each`, `matrix`, `run`, `env`, and the tasks by name.

use std::sync::Arc;

use partitur_expr::{Lookup, Step, navigate};
use partitur_model::record::TaskRecord;
use partitur_model::{Payload, TaskSeq, unit};

use super::{Key, Run};
use crate::program::{Action, BodyIx};

/// A place in a run from which names are looked up.
pub(crate) struct View<'a> {
    pub run: &'a Run,
    pub scope: u32,
    /// What `self` means.
    pub own: Option<Own<'a>>,
}

/// `self`: the task at hand.
pub(crate) struct Own<'a> {
    pub task: &'a TaskRecord,
    /// Whose output is that of the run; without it, it is what the record says.
    key: Option<Key>,
}

impl Own<'_> {
    /// Only for who asks: that of a loop holds all of its iterations.
    fn output(&self, run: &Run) -> Payload {
        match self.key {
            Some(key) => run.output_of(key),
            None => self.task.output.clone().unwrap_or_default(),
        }
    }
}

impl<'a> View<'a> {
    /// From the root of the run.
    pub(crate) fn root(run: &'a Run) -> View<'a> {
        View { run, scope: super::ROOT, own: None }
    }

    /// From a task.
    pub(crate) fn of(run: &'a Run, key: Key) -> View<'a> {
        let own = run.task(key).map(|task| Own { task, key: Some(key) });
        View { run, scope: key.scope, own }
    }

    /// From a task as `record` describes it, before that is its state.
    pub(crate) fn with(run: &'a Run, key: Key, record: &'a TaskRecord) -> View<'a> {
        View { run, scope: key.scope, own: Some(Own { task: record, key: None }) }
    }

    /// From inside a scope.
    pub(crate) fn inside(run: &'a Run, scope: u32) -> View<'a> {
        View { run, scope, own: None }
    }

    /// What the task at hand was given, where that is kept.
    pub(crate) fn given(&self) -> Option<Payload> {
        self.own.as_ref()?.task.served.as_ref().map(|served| served.input.clone())
    }

    fn each(&self, steps: &[Step]) -> Option<Payload> {
        let scope = self.run.scope(self.scope);
        let (_, index) = scope.container?;
        match first_key(steps)? {
            "value" => navigate(&scope.value, &steps[1..]),
            "index" => Some(Payload::from(u64::from(index))),
            "key" => Some(Payload::string(&scope.label)),
            _ => None,
        }
    }

    /// The element of the nearest branch around that has one.
    fn nearest_each(&self, steps: &[Step]) -> Option<Payload> {
        let mut view = View { run: self.run, scope: self.scope, own: None };
        loop {
            if let Some(found) = view.each(steps) {
                return Some(found);
            }
            view.scope = self.run.scope(view.scope).container?.0.scope;
        }
    }

    fn matrix(&self, steps: &[Step]) -> Option<Payload> {
        let mut scope = self.scope;
        loop {
            let state = self.run.scope(scope);
            if let Some(found) = navigate(&state.value, steps).filter(|_| state.container.is_some()) {
                return Some(found);
            }
            scope = state.container?.0.scope;
        }
    }

    fn own(&self, steps: &[Step]) -> Option<Payload> {
        let own = self.own.as_ref()?;
        match first_key(steps)? {
            "output" => navigate(&own.output(self.run), &steps[1..]),
            "attempt" => Some(Payload::from(u64::from(own.task.attempt))),
            "path" => Some(Payload::string(&own.task.path)),
            _ => task_fact(own.task, steps),
        }
    }

    fn run_fact(&self, steps: &[Step]) -> Option<Payload> {
        let rec = &self.run.rec;
        match first_key(steps)? {
            "id" => Some(Payload::string(&rec.id.to_string())),
            "number" => Some(Payload::from(rec.id.number())),
            "name" => Some(Payload::string(&rec.name)),
            "started" => Some(Payload::string(&unit::format_timestamp(rec.created))),
            "error" => error_fact(rec.error.as_ref()?, &steps[1..]),
            "variables" => navigate(&rec.variables, &steps[1..]),
            _ => None,
        }
    }

    fn env(&self, steps: &[Step]) -> Option<Payload> {
        let name = first_key(steps)?;
        let (_, value) = self.run.program.env.iter().rev().find(|(known, _)| known == name)?;
        // A variable of the document cannot name another one: what it may see ends here.
        Some(Payload::string(&value.resolve_text(&Inputs(self.run))))
    }

    fn task(&self, name: &str, steps: &[Step]) -> Option<Payload> {
        let key = self.resolve(name)?;
        match first_key(steps) {
            None => Some(Payload::object([("output", self.run.output_of(key))])),
            Some("output") => navigate(&self.run.output_of(key), &steps[1..]),
            Some(_) => task_fact(self.run.task(key)?, steps),
        }
    }

    /// The task that a name means here: in this scope, the ones around it, or the newest one of a body anywhere.
    pub(super) fn resolve(&self, name: &str) -> Option<Key> {
        let mut scope = self.scope;
        loop {
            let state = self.run.scope(scope);
            if let Some(&node) = state.graph.names.get(name) {
                return Some(self.latest_that_has_begun(Key { scope, node }));
            }
            match state.container {
                Some((container, _)) => scope = container.scope,
                None => return self.resolve_inside_bodies(name),
            }
        }
    }

    /// By Conductor's rules a name in a loop means the task of an earlier iteration until that of the newest has begun.
    fn latest_that_has_begun(&self, key: Key) -> Key {
        let is_there = |key: &Key| self.run.task(*key).is_some_and(|task| task.seq > TaskSeq(0));
        let mut earlier = key;
        while self.run.serves() && !is_there(&earlier) {
            let Some((container, index)) = self.run.scope(earlier.scope).container else { return key };
            let before = self
                .run
                .children
                .get(&container)
                .and_then(|branches| branches.scopes.range(..index).next_back().map(|(_, &scope)| scope));
            match before {
                Some(scope) if self.run.scope(scope).body == self.run.scope(key.scope).body => {
                    earlier = Key { scope, node: key.node };
                }
                Some(_) | None => return key,
            }
        }
        earlier
    }

    fn resolve_inside_bodies(&self, name: &str) -> Option<Key> {
        let within = |body: BodyIx| {
            let &node = self.run.body(body).names.get(name)?;
            Some(self.latest_that_has_begun(Key { scope: self.run.latest_scope(body)?, node }))
        };
        let known = (1..self.run.program.bodies.len() as u32).find_map(|body| within(BodyIx(body)));
        known.or_else(|| within(self.run.grown_name(name)?))
    }
}

impl Lookup for View<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        if self.run.serves() {
            return self.lookup_served(head, steps);
        }
        match head {
            "inputs" => navigate(&self.run.rec.input, steps),
            "self" => self.own(steps),
            "each" => self.nearest_each(steps),
            "matrix" => self.matrix(steps),
            "run" => self.run_fact(steps),
            "env" => self.env(steps),
            name => self.task(name, steps),
        }
    }
}

/// Only the inputs of a run: what the environment of a document may name.
struct Inputs<'a>(&'a Run);

impl Lookup for Inputs<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match head {
            "inputs" => navigate(&self.0.rec.input, steps),
            "run" => View::root(self.0).run_fact(steps),
            _ => None,
        }
    }
}

fn first_key(steps: &[Step]) -> Option<&str> {
    match steps.first()? {
        Step::Key(key) => Some(key),
        _ => None,
    }
}

fn task_fact(task: &TaskRecord, steps: &[Step]) -> Option<Payload> {
    match first_key(steps)? {
        "error" => error_fact(task.error.as_ref()?, &steps[1..]),
        "attempts" => Some(Payload::from(u64::from(task.attempt))),
        "outcome" => match task.state {
            partitur_model::record::TaskState::Ended(outcome) => Some(Payload::string(outcome_name(outcome))),
            _ => None,
        },
        "iteration" => Some(Payload::from(u64::from(task.iteration))),
        _ => None,
    }
}

fn error_fact(error: &partitur_model::record::TaskError, steps: &[Step]) -> Option<Payload> {
    let error = Payload::object([
        ("code", Payload::string(&error.code)),
        ("message", Payload::string(&error.message)),
    ]);
    navigate(&error, steps)
}

/// The name of an outcome as documents write it.
pub(crate) fn outcome_name(outcome: partitur_model::record::TaskOutcome) -> &'static str {
    use partitur_model::record::TaskOutcome;
    match outcome {
        TaskOutcome::Succeeded => "success",
        TaskOutcome::Failed => "failure",
        TaskOutcome::TimedOut => "timeout",
        TaskOutcome::Cancelled => "cancelled",
        TaskOutcome::Skipped => "skipped",
    }
}

impl Run {
    /// What a task yielded. The outputs of containers and joins are composed of those of their parts, here and only
    /// when somebody reads them: rewriting them for each branch would make a fork of ten thousand quadratic.
    pub(crate) fn output_of(&self, key: Key) -> Payload {
        let Some(task) = self.task(key) else { return Payload::Null };
        match &self.node(key).action {
            Action::Each(_) => Payload::list(self.branches(key).map(|scope| self.branch_output(scope))),
            Action::Loop(_) => self.loop_output(key, task),
            // What the first of several yielded is the join's own.
            Action::Join(join) if join.exclusive => task.output.clone().unwrap_or_default(),
            Action::Join(_) => self.join_output(key),
            Action::Expand(expand) if expand.stands_for_branch => {
                self.branches(key).next().map_or(Payload::Null, |scope| self.branch_output(scope))
            }
            Action::SubRun { .. } if self.serves() => with_child(task),
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Switch { .. }
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => task.output.clone().unwrap_or_default(),
        }
    }

    /// A branch with one task yields what that yields; any other yields an object by task.
    fn branch_output(&self, scope: u32) -> Payload {
        if self.scope(scope).instances.len() == 1 {
            self.output_of(Key { scope, node: 0 })
        } else {
            self.scope_output(scope)
        }
    }

    fn scope_output(&self, scope: u32) -> Payload {
        let nodes = &self.scope(scope).graph.nodes;
        Payload::object(
            nodes
                .iter()
                .zip(0..)
                .map(|(node, index)| (node.name.clone(), self.output_of(Key { scope, node: index }))),
        )
    }

    fn loop_output(&self, key: Key, task: &TaskRecord) -> Payload {
        let mut parts: Vec<(Arc<str>, Payload)> =
            vec![("iteration".into(), Payload::from(u64::from(task.iteration)))];
        if let (true, Some(Payload::List(items))) = (self.serves(), &task.items) {
            let index = task.iteration.saturating_sub(1);
            parts.push(("loopIndex".into(), Payload::from(u64::from(index))));
            parts.push(("loopItem".into(), items.get(index as usize).cloned().unwrap_or_default()));
        }
        if let Some(iterations) = self.children.get(&key) {
            for (index, &scope) in &iterations.scopes {
                parts.push((index.to_string().into(), self.scope_output(scope)));
            }
        }
        Payload::object(parts)
    }

    fn join_output(&self, key: Key) -> Payload {
        Payload::object(self.joined(key).into_iter().filter_map(|source| {
            let output = self.output_of(source);
            let name =
                if self.serves() { self.reference(source).into() } else { self.node(source).name.clone() };
            let says_something = if self.serves() { !is_empty(&output) } else { !output.is_null() };
            says_something.then_some((name, output))
        }))
    }
}

/// By Conductor's rules nothing was yielded where nothing is in it.
fn is_empty(output: &Payload) -> bool {
    output.is_null() || output.entries().is_some_and(|parts| parts.is_empty())
}

/// What a sub-run yielded, and its id: so Conductor's clients find it.
fn with_child(task: &TaskRecord) -> Payload {
    let Some(child) = task.child else { return task.output.clone().unwrap_or_default() };
    let own = task.output.as_ref().and_then(Payload::entries).unwrap_or_default();
    let id = ("subWorkflowId".into(), Payload::string(&child.to_string()));
    let rest = own.into_iter().filter(|(key, _)| &**key != "subWorkflowId");
    Payload::Object(std::iter::once(id).chain(rest).collect())
}
