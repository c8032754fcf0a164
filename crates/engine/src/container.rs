//! Tasks that are made of many: a body for each element of a list, and a body again and again.

use std::collections::BTreeSet;
use std::sync::Arc;

use partitur_expr::{Lookup, Step, Tree, navigate};
use partitur_model::Payload;
use partitur_model::record::{RunOutcome, RunState, TaskError, TaskOutcome, TaskRecord, TaskState};

use crate::cx::Cx;
use crate::effect::Effect;
use crate::program::{Action, Computation, EachAction, ItemsTemplate, LoopAction};
use crate::ready::{CANCELLED, Computed};
use crate::run::{Key, Run, View};
use crate::turns::Turn;
use crate::update::FAILED_FOR_GOOD;
use crate::work;

/// No container may have more branches.
pub(crate) const BRANCHES_MAX: usize = 1_000_000;

/// The code of a container that closes to begin anew; no worker's code has blanks.
pub(crate) const RESET: &str = "begins anew";

/// The code of a container that was cancelled while it closed to begin anew: what is inside it is of the past, and goes
/// with it.
const CANCELLED_RESET: &str = "cancelled anew";

/// The code of a container's failure that comes from its branches.
pub(crate) const BRANCH_FAILED: &str = "branch";

impl Run {
    pub(crate) fn begin_each(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        each: &EachAction,
    ) {
        match self.elements(key, each) {
            Ok(elements) => {
                record.started = Some(cx.now);
                record.generation += 1;
                record.iteration = elements.len() as u32;
                record.items = Some(Payload::list(elements));
                record.state = TaskState::Open;
                if let Some(limit) = each.max_parallel {
                    cx.admission.set_capacity(&work::container_slots(self.id(), record.seq), limit);
                }
                self.put(cx, key, record);
                self.open_branches(key, cx.agenda);
                self.finish_if_done(cx, key);
            }
            Err(error) => self.fail_task(cx, key, record, error),
        }
    }

    fn elements(&self, key: Key, each: &EachAction) -> Result<Vec<Payload>, TaskError> {
        let view = View::inside(self, key.scope);
        let most = self.program.definition.branches_max.map_or(BRANCHES_MAX, |most| most as usize);
        let elements = match &each.items {
            ItemsTemplate::List(tree) => list(tree, &view)?,
            ItemsTemplate::Matrix(axes) => combinations(axes, &view, most)?,
        };
        if elements.len() > most {
            let message = format!("{} elements; at most {most} branches are allowed", elements.len());
            return Err(TaskError::terminal("too-many-branches", message));
        }
        Ok(match each.batch {
            Some(size) => {
                elements.chunks(size.max(1) as usize).map(|part| Payload::list(part.to_vec())).collect()
            }
            None => elements,
        })
    }

    /// Opens every branch that the container's record speaks of, as it begins and after recovery alike.
    pub(crate) fn open_branches(&mut self, key: Key, agenda: &mut crate::cx::Agenda) {
        let graph = self.graph_of(key);
        let Action::Each(each) = &graph.nodes[key.node as usize].action else { return };
        let items = self.task(key).and_then(|task| task.items.clone());
        let elements = items.and_then(|items| items.elements()).unwrap_or_default();
        let mut taken = BTreeSet::new();
        for (element, index) in elements.into_iter().zip(0_u32..) {
            let label = self.label(key, each, &element, index, &mut taken);
            self.open_branch(key, index, element, label, agenda);
        }
    }

    /// What a branch is called: its key, made unique among its siblings.
    fn label(
        &self,
        key: Key,
        each: &EachAction,
        element: &Payload,
        index: u32,
        taken: &mut BTreeSet<Arc<str>>,
    ) -> Arc<str> {
        let Some(template) = &each.key else { return index.to_string().into() };
        let element = Element { outer: View::inside(self, key.scope), value: element, index };
        let wanted: Arc<str> = template.resolve_text(&element).into();
        let mut label = wanted.clone();
        let mut count = 2;
        while !taken.insert(label.clone()) {
            label = format!("{wanted}~{count}").into();
            count += 1;
        }
        label
    }

    pub(crate) fn begin_loop(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        repeat: &LoopAction,
    ) {
        let items = match &repeat.items {
            Some(tree) => match self.loop_items(key, tree) {
                Ok(elements) => Some(elements),
                Err(error) => return self.fail_task(cx, key, record, error),
            },
            None => None,
        };
        record.started = Some(cx.now);
        if items.as_ref().is_some_and(Vec::is_empty) {
            return self.end_task(cx, key, record, TaskOutcome::Succeeded);
        }
        record.items = items.map(Payload::list);
        record.state = TaskState::Open;
        self.begin_iteration(cx, key, record, 1);
    }

    /// By Conductor's rules a value that is no list is a list of one.
    fn loop_items(&self, key: Key, tree: &Tree) -> Result<Vec<Payload>, TaskError> {
        let view = View::inside(self, key.scope);
        if !self.serves() {
            return list(tree, &view);
        }
        let value = tree.resolve(&view);
        Ok(match value.elements() {
            Some(elements) => elements,
            None if value.is_null() => Vec::new(),
            None => vec![value],
        })
    }

    fn begin_iteration(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, iteration: u32) {
        record.iteration = iteration;
        record.generation += 1;
        self.put(cx, key, record);
        self.open_iteration(key, iteration, cx.agenda);
    }

    /// Opens an iteration, as it begins and after recovery alike.
    pub(crate) fn open_iteration(&mut self, key: Key, iteration: u32, agenda: &mut crate::cx::Agenda) {
        let items = self.task(key).and_then(|task| task.items.as_ref());
        let element = items.and_then(|items| parts(items).get(iteration as usize - 1).cloned());
        self.open_branch(key, iteration, element.unwrap_or_default(), "".into(), agenda);
    }

    /// All tasks of a branch or iteration have ended.
    pub(crate) fn scope_done(&mut self, cx: &mut Cx<'_>, scope: u32) {
        let Some(state) = self.scopes.get(scope as usize).and_then(Option::as_ref) else { return };
        let Some((container, index)) = state.container else { return };
        if state.open > 0 {
            return;
        }
        let Some(task) = self.task(container).filter(|task| task.state == TaskState::Open) else { return };
        let newest = task.iteration == index;
        match &self.node(container).action {
            Action::Each(_) | Action::Expand(_) => self.finish_if_done(cx, container),
            Action::Loop(_) if newest && cx.turns.is_over() => self.await_turn(cx, scope),
            Action::Loop(_) if newest => self.iteration_done(cx, container, scope),
            Action::Loop(_)
            | Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => {}
        }
    }

    /// The step has done enough: the loop goes on in a later one.
    fn await_turn(&mut self, cx: &mut Cx<'_>, scope: u32) {
        if self.turns.insert(scope) {
            cx.turns.wait(Turn { run: self.id(), scope });
        }
    }

    /// A loop that has waited for its turn goes on. What has become of it meanwhile is looked at again.
    pub(crate) fn take_turn(&mut self, cx: &mut Cx<'_>, scope: u32) {
        if self.turns.remove(&scope) {
            self.scope_done(cx, scope);
        }
    }

    /// Ends an `each` whose branches have all ended.
    pub(crate) fn finish_if_done(&mut self, cx: &mut Cx<'_>, key: Key) {
        let (open, failed, all) = self
            .children
            .get(&key)
            .map_or((0, 0, 0), |branches| (branches.open, branches.failed, branches.scopes.len()));
        if open > 0 || self.state(key) != Some(TaskState::Open) {
            return;
        }
        let record = self.record(key);
        // Of a fork whose branches were made as it began, the join judges.
        let stands_apart =
            matches!(&self.node(key).action, Action::Expand(expand) if !expand.stands_for_branch);
        if record.error.is_some() {
            self.end_closed(cx, key, record);
        } else if stands_apart {
            self.end_task(cx, key, record, TaskOutcome::Succeeded);
        } else if failed > 0 && self.rec.state == RunState::Ending(RunOutcome::Cancelled) {
            self.cancelled(cx, key, record);
        } else if failed > 0 {
            let message = format!("{failed} of {all} branches failed");
            self.fail_task(cx, key, record, TaskError::terminal(BRANCH_FAILED, message));
        } else {
            self.end_task(cx, key, record, TaskOutcome::Succeeded);
        }
    }

    /// Ends a container that was told to close: as cancelled, or as failed by the branch that made it close.
    fn end_closed(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        if record.error.as_ref().is_some_and(|error| error.code == RESET) {
            return self.reset_after_close(cx, key);
        }
        if record.error.as_ref().is_some_and(|error| error.code == CANCELLED_RESET) {
            self.remove_branches(cx, key);
            (record.items, record.iteration) = (None, 0);
            return self.cancelled(cx, key, record);
        }
        let was_cancelled = record.error.as_ref().is_some_and(|error| error.code == CANCELLED);
        let outcome = if was_cancelled { TaskOutcome::Cancelled } else { TaskOutcome::Failed };
        self.end_task(cx, key, record, outcome);
    }

    /// Whether the container was told to close, to begin anew.
    pub(crate) fn begins_anew(&self, key: Key) -> bool {
        let error = self.task(key).and_then(|task| task.error.as_ref());
        self.state(key) == Some(TaskState::Open) && error.is_some_and(|error| error.code == RESET)
    }

    fn iteration_done(&mut self, cx: &mut Cx<'_>, key: Key, scope: u32) {
        let record = self.record(key);
        if record.error.is_some() {
            return self.end_closed(cx, key, record);
        }
        if self.scope(scope).failed > 0 && self.rec.state == RunState::Ending(RunOutcome::Cancelled) {
            return self.cancelled(cx, key, record);
        }
        if self.serves() && !self.is_under_way() && self.scope(scope).failed > 0 {
            return self.cancelled(cx, key, record);
        }
        if self.scope(scope).failed > 0 {
            let message = format!("iteration {} failed", record.iteration);
            return self.fail_task(cx, key, record, TaskError::terminal(BRANCH_FAILED, message));
        }
        let graph = self.graph_of(key);
        let Action::Loop(repeat) = &graph.nodes[key.node as usize].action else { return };
        let Some(condition) = &repeat.condition else {
            return self.decide_iteration(cx, key, record, repeat, repeat.items.is_some());
        };
        let view = View { scope, ..View::of(self, key) };
        let computed = match condition {
            Computation::Script { language, source, quick, .. } if self.serves() => {
                let seen = LoopInput::of(self, key, scope);
                match quick.as_ref().and_then(|quick| quick.evaluate(&seen)) {
                    Some(value) => Computed::Value(value),
                    None => Computed::Elsewhere(Effect::Evaluate {
                        run: self.id(),
                        task: record.seq,
                        generation: record.generation,
                        language: language.clone(),
                        source: source.text(&view),
                        input: seen.whole(),
                    }),
                }
            }
            Computation::Script { .. }
            | Computation::Expression(_)
            | Computation::Tree(_)
            | Computation::Rules(_) => self.compute_in(&view, &record, condition),
        };
        match computed {
            Computed::Value(value) => self.decide_iteration(cx, key, record, repeat, goes_on(&value)),
            Computed::Failed(error) => self.fail_task(cx, key, record, error),
            // Each iteration has a generation of its own: asked again after a crash, it asks the same.
            Computed::Elsewhere(effect) => cx.batch.effect(effect.of_generation(record.generation)),
        }
    }

    /// Whether a loop waits for its condition to be evaluated elsewhere.
    pub(crate) fn awaits_evaluation(&self, key: Key) -> bool {
        let Action::Loop(repeat) = &self.node(key).action else { return false };
        let Some(task) = self.task(key).filter(|task| task.state == TaskState::Open) else { return false };
        let newest = self.children.get(&key).and_then(|branches| branches.scopes.get(&task.iteration));
        matches!(repeat.condition, Some(Computation::Script { .. }))
            && newest.is_some_and(|&scope| self.scope(scope).open == 0)
    }

    /// The condition of a loop has been evaluated elsewhere.
    pub(crate) fn loop_evaluated(&mut self, cx: &mut Cx<'_>, key: Key, result: Result<Payload, TaskError>) {
        if !self.awaits_evaluation(key) || !self.is_under_way() {
            return;
        }
        let record = self.record(key);
        let graph = self.graph_of(key);
        let Action::Loop(repeat) = &graph.nodes[key.node as usize].action else { return };
        match result {
            Ok(value) => self.decide_iteration(cx, key, record, repeat, goes_on(&value)),
            Err(error) => {
                let code = if self.serves() { FAILED_FOR_GOOD.to_owned() } else { error.code };
                self.fail_task(cx, key, record, TaskError { code, retriable: false, ..error });
            }
        }
    }

    fn decide_iteration(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        record: TaskRecord,
        repeat: &LoopAction,
        wanted: bool,
    ) {
        let left = record.items.as_ref().is_none_or(|items| (record.iteration as usize) < parts(items).len());
        if !wanted || !left {
            return self.end_task(cx, key, record, TaskOutcome::Succeeded);
        }
        if record.iteration >= repeat.iterations_max {
            let message = format!("it did not end within {} iterations", repeat.iterations_max);
            return self.fail_task(cx, key, record, TaskError::terminal("too-many-iterations", message));
        }
        if !self.is_under_way() {
            return self.cancelled(cx, key, record);
        }
        let next = record.iteration + 1;
        self.begin_iteration(cx, key, record, next);
        if let Some(keep) = repeat.keep_last {
            let last = next.saturating_sub(keep.max(1));
            #[cfg(feature = "planted-faults")]
            let last = if partitur_model::planted::Planted::IterationDropped.is_here() { next } else { last };
            self.drop_iterations(cx, key, last);
            if !self.is_running() {
                // The next iteration begins later: until then nothing counts further than what is left.
                self.count_again();
            }
        }
    }

    /// Removes the iterations up to this one, rows included.
    fn drop_iterations(&mut self, cx: &mut Cx<'_>, key: Key, last: u32) {
        let Some(branches) = self.children.get(&key) else { return };
        let old: Vec<u32> = branches.scopes.range(..=last).map(|(_, &scope)| scope).collect();
        for scope in old {
            self.remove_scope(cx, scope);
        }
    }

    /// Removes all branches or iterations of a container, rows included.
    pub(crate) fn remove_branches(&mut self, cx: &mut Cx<'_>, key: Key) {
        for scope in self.branches(key).collect::<Vec<u32>>() {
            self.remove_scope(cx, scope);
        }
    }

    /// Removes a scope and everything inside it, rows included.
    pub(crate) fn remove_scope(&mut self, cx: &mut Cx<'_>, scope: u32) {
        debug_assert!(self.is_still(scope), "what lives is stopped before its scope is removed");
        let inner: Vec<u32> = (0..self.scope(scope).instances.len() as u32)
            .flat_map(|node| self.branches(Key { scope, node }))
            .collect();
        for scope in inner {
            self.remove_scope(cx, scope);
        }
        let instances = &self.scope(scope).instances;
        let rows: Vec<TaskRecord> =
            instances.iter().filter_map(|instance| instance.task.as_deref().cloned()).collect();
        for row in rows {
            cx.batch.remove_task(row.run, row.seq);
            self.remove_past(cx, &row);
        }
        self.drop_scope(scope);
    }

    fn is_still(&self, scope: u32) -> bool {
        let states = self.scope(scope).instances.iter().filter_map(|instance| instance.task.as_ref());
        states.map(|task| task.state).all(|state| state.token().is_none() && state != TaskState::Ready)
    }

    /// Tells a container to end: its branches are cancelled, and it ends with this error when the last has stopped.
    pub(crate) fn close_container(&mut self, cx: &mut Cx<'_>, key: Key, mut error: TaskError) {
        if self.begins_anew(key) && error.code == CANCELLED {
            error.code = CANCELLED_RESET.to_owned();
        }
        let mut record = self.record(key);
        let order = [RESET, CANCELLED, CANCELLED_RESET];
        let weight = |error: &TaskError| order.iter().position(|code| error.code == *code);
        let outweighed = record.error.as_ref().is_some_and(|known| weight(known) >= weight(&error));
        if record.state != TaskState::Open || outweighed {
            return;
        }
        let evaluates = self.awaits_evaluation(key);
        record.error = Some(error);
        self.put(cx, key, record);
        for scope in self.scopes_below(key) {
            for node in 0..self.scope(scope).instances.len() as u32 {
                self.cancel_inside(cx, Key { scope, node });
            }
        }
        if evaluates {
            let record = self.record(key);
            self.end_closed(cx, key, record);
        }
    }

    fn cancel_inside(&mut self, cx: &mut Cx<'_>, key: Key) {
        match self.state(key) {
            None if self.serves() => self.note_not_reached(cx, key),
            None | Some(TaskState::Blocked) if !self.instance(key).excluded => {
                let record = self.record(key);
                self.cancelled(cx, key, record);
            }
            Some(TaskState::Open) => {
                self.close_container(cx, key, TaskError::terminal(CANCELLED, "it was cancelled"));
            }
            _ => self.cancel_instance(cx, key),
        }
    }
}

/// What the condition of one of Conductor's loops sees: beside what the loop is given, the loop and the tasks of its body
/// by their names. What a long loop has yielded is put together only if it is asked for.
struct LoopInput<'a> {
    run: &'a Run,
    key: Key,
    /// The iteration that has ended.
    scope: u32,
    given: Payload,
}

impl LoopInput<'_> {
    fn of(run: &Run, key: Key, scope: u32) -> LoopInput<'_> {
        let input = run.node(key).input.as_ref();
        let given = input.map_or(Payload::Null, |input| input.resolve(&View::inside(run, key.scope)));
        LoopInput { run, key, scope, given }
    }

    /// The task of the body of this name, if it has begun.
    fn inner(&self, name: &str) -> Option<Key> {
        let &node = self.run.scope(self.scope).graph.names.get(name)?;
        let key = Key { scope: self.scope, node };
        self.run.task(key).map(|_| key)
    }

    /// All of it, for an evaluator outside.
    fn whole(&self) -> Payload {
        let mut parts = self.given.entries().unwrap_or_default();
        parts.push((self.run.node(self.key).name.clone(), self.run.output_of(self.key)));
        for inner in &self.run.scope(self.scope).graph.nodes {
            if let Some(key) = self.inner(&inner.name) {
                parts.push((inner.name.clone(), self.run.output_of(key)));
            }
        }
        Payload::object(parts)
    }
}

impl Lookup for LoopInput<'_> {
    fn lookup(&self, _head: &str, steps: &[Step]) -> Option<Payload> {
        let (Step::Key(name), rest) = steps.split_first()? else { return None };
        if **name == *self.run.node(self.key).name {
            let iteration = self.run.task(self.key).map_or(0, |task| task.iteration);
            return match rest {
                [Step::Key(fact)] if &**fact == "iteration" => Some(Payload::from(u64::from(iteration))),
                _ => navigate(&self.run.output_of(self.key), rest),
            };
        }
        match self.inner(name) {
            Some(key) => navigate(&self.run.output_of(key), rest),
            None => navigate(&self.given, steps),
        }
    }
}

/// What a body sees before its branch is open: for the branch's own name.
struct Element<'a> {
    outer: View<'a>,
    value: &'a Payload,
    index: u32,
}

impl Lookup for Element<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match (head, steps) {
            ("each", [Step::Key(key), rest @ ..]) if &**key == "value" => navigate(self.value, rest),
            ("each", [Step::Key(key)]) if &**key == "index" => Some(Payload::from(u64::from(self.index))),
            ("matrix", rest) => navigate(self.value, rest),
            _ => self.outer.lookup(head, steps),
        }
    }
}

fn list(tree: &Tree, view: &View<'_>) -> Result<Vec<Payload>, TaskError> {
    let value = tree.resolve(view);
    value.elements().ok_or_else(|| {
        let mut shown = value.render();
        shown.truncate(shown.char_indices().nth(60).map_or(shown.len(), |(at, _)| at));
        TaskError::terminal("not-a-list", format!("its elements are not a list: {shown}"))
    })
}

/// The elements of a container: [`Run::from_rows`] has taken them apart if they came as text.
fn parts(items: &Payload) -> &[Payload] {
    match items {
        Payload::List(parts) => parts,
        Payload::Null | Payload::Raw(_) | Payload::Object(_) => &[],
    }
}

/// All combinations, the last axis fastest.
fn combinations(axes: &[(Arc<str>, Tree)], view: &View<'_>, most: usize) -> Result<Vec<Payload>, TaskError> {
    let mut rows: Vec<Vec<(Arc<str>, Payload)>> = vec![Vec::new()];
    for (name, tree) in axes {
        let values = list(tree, view)?;
        if rows.len().saturating_mul(values.len()) > most {
            let message = format!("the matrix has more than {most} combinations");
            return Err(TaskError::terminal("too-many-branches", message));
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.push((name.clone(), value.clone()));
                    row
                })
            })
            .collect();
    }
    Ok(rows.into_iter().map(Payload::object).collect())
}

/// A loop goes on while its condition is true or a number above zero.
fn goes_on(value: &Payload) -> bool {
    let value = value.member("result").unwrap_or_else(|| value.clone());
    match value.to_value() {
        serde_json::Value::Bool(truth) => truth,
        serde_json::Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        serde_json::Value::Null
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => false,
    }
}
