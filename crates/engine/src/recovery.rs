//! A run comes back into memory from its rows. Everything that is not in a row follows from those that are.

use std::sync::Arc;

use partitur_model::record::{RunState, TaskRecord, TaskState};
use partitur_model::{Payload, RunId};

use crate::admission::TaskKey;
use crate::cx::{Agenda, Cx, Todo};
use crate::input::StoredRun;
use crate::program::{Action, Program};
use crate::ready::Computed;
use crate::run::{Key, ROOT, Run, View};
use crate::timers::Timers;

/// The rows of a run do not fit together or do not fit its definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {}: task {task}: {problem}", .run.number())]
pub struct BadRows {
    /// The run.
    pub run: RunId,
    /// The path of the first row that does not fit.
    pub task: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Run {
    /// Builds the run from its rows. What its tasks' ends lead to goes onto the agenda, and what has been followed
    /// already is recognised there by its rows.
    pub(crate) fn from_rows(
        stored: StoredRun,
        program: Arc<Program>,
        timers: &mut Timers,
        agenda: &mut Agenda,
    ) -> Result<Run, BadRows> {
        let mut run = Run::new(stored.run, program);
        #[cfg(feature = "planted-faults")]
        let mut forgotten = Timers::default();
        #[cfg(feature = "planted-faults")]
        let timers =
            if partitur_model::planted::Planted::TimersForgotten.is_here() { &mut forgotten } else { timers };
        run.open_root(agenda);
        for task in stored.tasks {
            run.place(task, timers, agenda)?;
        }
        if run.serves() {
            run.place_not_reached(timers, agenda);
        }
        Ok(run)
    }

    /// Inside a container that has ended, whatever has no row was not reached.
    fn place_not_reached(&mut self, timers: &mut Timers, agenda: &mut Agenda) {
        let is_over = |key: &Key| {
            let container = self.scope(key.scope).container.map(|(container, _)| container);
            container.and_then(|container| self.state(container)).is_some_and(TaskState::is_ended)
        };
        let without_row = |key: &Key| self.task(*key).is_none();
        for key in self.keys().filter(without_row).filter(is_over).collect::<Vec<Key>>() {
            let record = self.not_reached(key);
            self.apply(key, record, timers, agenda);
        }
    }

    fn place(
        &mut self,
        mut task: TaskRecord,
        timers: &mut Timers,
        agenda: &mut Agenda,
    ) -> Result<(), BadRows> {
        // Taken apart once, instead of at each iteration; what is no list belongs to a container that is made of it.
        task.items = task.items.map(|items| items.elements().map_or(items, Payload::list));
        if task.served.is_some() {
            self.counted = self.counted.max(task.counted());
        }
        if task.served.as_ref().is_some_and(|served| served.superseded) {
            self.note_past(&task);
            self.note_number(task.seq);
            return Ok(());
        }
        let bad = |problem: &str| BadRows {
            run: task.run,
            task: task.path.to_string(),
            problem: problem.to_owned(),
        };
        let scope = match task.scope {
            None => ROOT,
            Some(place) => {
                let container =
                    self.key_of(place.container).ok_or_else(|| bad("its container has no row"))?;
                self.scope_of(container, place.index, agenda).ok_or_else(|| bad("its container is none"))?
            }
        };
        let node = *self
            .scope(scope)
            .graph
            .names
            .get(&*task.node)
            .ok_or_else(|| bad("the definition has no such task"))?;
        let key = Key { scope, node };
        let state = task.state;
        self.apply(key, task, timers, agenda);
        match &self.node(key).action {
            Action::Each(_) if state != TaskState::Blocked => self.open_branches(key, agenda),
            Action::Expand(_) if state != TaskState::Blocked => self.grow_again(key, agenda),
            Action::Loop(_) if state != TaskState::Blocked => {
                let iteration = self.task(key).map_or(0, |task| task.iteration);
                if iteration > 0 {
                    self.open_iteration(key, iteration, agenda);
                }
            }
            Action::Each(_)
            | Action::Loop(_)
            | Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => {}
        }
        Ok(())
    }

    fn scope_of(&mut self, container: Key, index: u32, agenda: &mut Agenda) -> Option<u32> {
        if let Some(&scope) = self.children.get(&container).and_then(|branches| branches.scopes.get(&index)) {
            return Some(scope);
        }
        self.node(container).body()?;
        self.open_iteration(container, index, agenda);
        Some(self.children[&container].scopes[&index])
    }

    /// After recovery: puts before admission what waits and what holds, and emits again what is open.
    pub(crate) fn take_up(&mut self, cx: &mut Cx<'_>) {
        if !self.rec.state.is_ended() {
            self.limit_slots(cx);
        }
        self.take_up_room(cx, false);
        self.set_run_deadline(cx);
        if let RunState::RollingBack(_) = self.rec.state {
            self.plan_rollback();
            cx.agenda.push_back(Todo::UndoNext(self.id()));
        }
        let keys: Vec<Key> = self.keys().filter(|&key| self.task(key).is_some()).collect();
        for key in keys {
            self.take_up_task(cx, key);
        }
        cx.agenda.push_back(Todo::MayEnd(self.id()));
    }

    fn take_up_task(&mut self, cx: &mut Cx<'_>, key: Key) {
        let task = self.task(key).expect("only tasks with a record are looked at");
        let task_key = TaskKey { run: self.id(), task: task.seq };
        let known = cx.admission.is_waiting(task_key) || cx.admission.holds(task_key);
        let undoes = task.undo.token().is_some();
        match task.state {
            _ if known => {}
            TaskState::Running { .. } | TaskState::Stopping { .. } => {
                let ticket = self.ticket(cx, key);
                cx.admission.adopt(ticket);
            }
            TaskState::Ready if self.lets_begin() => self.offer(cx, key),
            TaskState::Waiting { .. } if self.is_about_to_terminate(key) => {
                cx.agenda.push_back(Todo::Consider(self.id(), key));
            }
            TaskState::Waiting { .. } => {
                self.evaluate_again(cx, key);
                self.look_up_again(cx, key);
            }
            TaskState::Ended(_) if undoes => {
                let ticket = self.ticket(cx, key);
                cx.admission.adopt(ticket);
            }
            TaskState::Ready
            | TaskState::Blocked
            | TaskState::Backoff { .. }
            | TaskState::Open
            | TaskState::Ended(_) => {}
        }
    }

    /// An evaluation outside the engine that was in flight is asked for again, under its generation.
    fn evaluate_again(&mut self, cx: &mut Cx<'_>, key: Key) {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::ValuesForgotten.is_here() {
            return;
        }
        if let Some(effect) = self.check_in_flight(key) {
            return cx.batch.effect(effect);
        }
        let task = self.task(key).expect("only tasks with a record are looked at");
        let computation = match &self.node(key).action {
            Action::Evaluate(computation) | Action::Switch { value: computation, .. } => computation,
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Each(_)
            | Action::Loop(_)
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => return,
        };
        if let Computed::Elsewhere(effect) = self.compute_in(&View::with(self, key, task), task, computation)
        {
            cx.batch.effect(effect.of_generation(task.generation));
        }
    }

    /// Tells admission how many attempts the run and its containers let live at once.
    pub(crate) fn limit_slots(&self, cx: &mut Cx<'_>) {
        if let Some(bounds) = self.concurrency() {
            let limit = cx.governors.limit(cx.now, self.id(), bounds);
            cx.admission.set_capacity(&crate::work::run_slots(self.id()), limit.max(1));
        }
        for resource in &self.program.definition.resources {
            cx.admission.set_capacity(&resource.name, resource.units);
        }
        for breaker in &self.program.definition.breakers {
            cx.admission.declare_breaker(breaker);
        }
        for key in self.keys() {
            if let (Some(limit), Some(task)) = (self.max_parallel(key), self.task(key)) {
                cx.admission.set_capacity(&crate::work::container_slots(self.id(), task.seq), limit);
            }
        }
    }

    /// What bounded the run alone bounds nothing any more; if it goes on, it is bounded again.
    pub(crate) fn give_up_slots(&self, cx: &mut Cx<'_>) {
        cx.admission.undeclare(&crate::work::run_slots(self.id()));
        cx.governors.forget(self.id());
        for task in
            self.keys().filter(|&key| self.max_parallel(key).is_some()).filter_map(|key| self.task(key))
        {
            cx.admission.undeclare(&crate::work::container_slots(self.id(), task.seq));
        }
    }

    /// How many branches of a container may have attempts at once, if it says so.
    pub(crate) fn max_parallel(&self, container: Key) -> Option<u32> {
        match &self.node(container).action {
            Action::Each(each) => each.max_parallel,
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Loop(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => None,
        }
    }
}
