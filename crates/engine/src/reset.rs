//! Going back: an ended run goes on from its failures, from any task, or from the beginning.
//!
//! The target and everything that depends on it are reset in place, with a higher generation; containers around them
//! open again; then the edges are counted afresh. Rows never move, and nothing that did not depend on the target is
//! touched.

use std::collections::{BTreeMap, BTreeSet};

use partitur_model::definition::Trigger;
use partitur_model::record::{
    RunOutcome, RunState, StopCause, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{Payload, TaskSeq};

use crate::admission::TaskKey;
use crate::container::RESET;
use crate::cx::{Cx, Order, Todo};
use crate::effect::Refusal;
use crate::program::Action;
use crate::run::{Key, ROOT, Run};

impl Run {
    /// Goes on from the failures.
    pub(crate) fn retry(&mut self, cx: &mut Cx<'_>, resume_sub_runs: bool) -> Result<(), Refusal> {
        match self.rec.state {
            RunState::Ended(RunOutcome::RollbackFailed) => return self.rollback_again(cx),
            RunState::Ended(RunOutcome::Succeeded) => {
                return Err(Refusal::NothingToDo("the run succeeded: nothing in it failed".to_owned()));
            }
            RunState::Ended(_) => {}
            RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => {
                return Err(self.not_ended());
            }
        }
        let mut targets = Vec::new();
        let (mut children, mut services) = (Vec::new(), Vec::new());
        for key in self.keys() {
            match self.failed_part(key) {
                FailedPart::No => {}
                FailedPart::Child if resume_sub_runs => children.push(key),
                FailedPart::Task if self.is_service(key) => {
                    // What has succeeded with it is not done again.
                    targets.extend(self.unserved(key));
                    services.push(key);
                }
                FailedPart::Task | FailedPart::Child => targets.push(key),
            }
        }
        if self.has_nothing_to_retry(&targets, &children) {
            let problem = "no task of the run failed or was cut off; restart it to do all of it again";
            return Err(Refusal::NothingToDo(problem.to_owned()));
        }
        self.begin_again(cx);
        self.reset(cx, &targets, &children, Again::FurtherRow);
        for service in services {
            if self.is_there(service) && self.state(service).is_some_and(TaskState::is_ended) {
                self.begin_service_again(cx, service);
            }
        }
        for key in children {
            self.retry_child(cx, key);
        }
        self.consider_all(cx);
        cx.agenda.push_back(Todo::MayEnd(self.id()));
        Ok(())
    }

    /// By Conductor's rules a run is not retried in which no task can be, unless it took too long as a whole.
    fn has_nothing_to_retry(&self, targets: &[Key], children: &[Key]) -> bool {
        let took_too_long = self.rec.state == RunState::Ended(RunOutcome::TimedOut);
        self.serves() && targets.is_empty() && children.is_empty() && !took_too_long
    }

    /// A failed sub-run goes on from its own failures, unless its task was reset, itself or with its branch.
    fn retry_child(&mut self, cx: &mut Cx<'_>, key: Key) {
        let task = self.is_there(key).then(|| self.task(key)).flatten();
        let waits = task.filter(|task| matches!(task.state, TaskState::Waiting { .. }));
        if let Some(child) = waits.and_then(|task| task.child) {
            self.order(cx, key, child, Order::Retry);
        }
    }

    fn failed_part(&self, key: Key) -> FailedPart {
        let Some(task) = self.task(key) else { return FailedPart::No };
        let again = match task.state {
            TaskState::Ended(outcome) => {
                self.failed_for_its_run(key, outcome) || task.undo == UndoState::Done
            }
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open => false,
        };
        if !again {
            FailedPart::No
        } else if self.branches(key).next().is_some() {
            // Its branches are looked at themselves; resetting one opens the container again.
            self.failed_container(key)
        } else if task.child.is_some() && task.undo != UndoState::Done {
            FailedPart::Child
        } else {
            FailedPart::Task
        }
    }

    /// Whether this end is one of those for which the run is retried: a failure that nothing excuses, a task that was
    /// cut off, or one that ended the run as failed.
    fn failed_for_its_run(&self, key: Key, outcome: TaskOutcome) -> bool {
        match (outcome, &self.node(key).action) {
            (TaskOutcome::Cancelled, _) => true,
            (TaskOutcome::Failed | TaskOutcome::TimedOut, _) => !self.is_excused(key),
            (TaskOutcome::Succeeded, Action::Terminate { outcome, .. }) => {
                *outcome != RunOutcome::Succeeded && !self.serves()
            }
            (TaskOutcome::Succeeded | TaskOutcome::Skipped, _) => false,
        }
    }

    /// Whether the task or a container around it is optional: going back for it would undo what came after it.
    fn is_excused(&self, key: Key) -> bool {
        let around = self.scope(key.scope).container;
        self.node(key).spec.optional || around.is_some_and(|(container, _)| self.is_excused(container))
    }

    /// A container in whose branches nothing is to be done again cannot be reached through them.
    fn failed_container(&self, key: Key) -> FailedPart {
        let reachable = self.scopes_below(key).iter().any(|&scope| {
            (0..self.scope(scope).instances.len() as u32)
                .any(|node| self.failed_part(Key { scope, node }) != FailedPart::No)
        });
        if reachable { FailedPart::No } else { FailedPart::Task }
    }

    /// Goes on from one task.
    pub(crate) fn rerun(&mut self, cx: &mut Cx<'_>, path: &str) -> Result<(), Refusal> {
        if !self.rec.state.is_ended() {
            return Err(self.not_ended());
        }
        let key = self.find(path).ok_or_else(|| Refusal::UnknownTask(path.to_owned()))?;
        // What a rollback has undone is not there for the task to build on.
        let undone =
            self.keys().filter(|&key| self.task(key).is_some_and(|task| task.undo == UndoState::Done));
        let targets: Vec<Key> = undone.chain([key]).collect();
        self.begin_again(cx);
        self.reset(cx, &targets, &[], Again::InPlace);
        self.consider_all(cx);
        Ok(())
    }

    /// Starts from the beginning, under the same id.
    pub(crate) fn restart(&mut self, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        if !self.rec.state.is_ended() {
            return Err(self.not_ended());
        }
        // Those of attempts that others have followed, too.
        for seq in 1..=self.numbers() as u32 {
            cx.batch.remove_task(self.id(), TaskSeq(seq));
        }
        let mut fresh = Run::new(self.rec.clone(), self.program.clone());
        fresh.levels = self.levels.take();
        fresh.number_after(self);
        *self = fresh;
        self.rec.variables = match self.serves() {
            true => crate::submission::first_variables(&self.program, &self.rec.input),
            false => Payload::Null,
        };
        (self.rec.ended, self.rec.output) = (None, None);
        self.begin_again(cx);
        self.open_root(cx.agenda);
        Ok(())
    }

    /// Undoes an ended run's completed tasks, again if compensations failed.
    pub(crate) fn rollback_again(&mut self, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        let RunState::Ended(outcome) = self.rec.state else { return Err(self.not_ended()) };
        if outcome == RunOutcome::RolledBack {
            return Err(Refusal::NothingToDo("the run is rolled back already".to_owned()));
        }
        let failed: Vec<Key> = self
            .keys()
            .filter(|&key| self.task(key).is_some_and(|task| task.undo == UndoState::Failed))
            .collect();
        for key in failed {
            let mut record = self.record(key);
            record.undo = UndoState::None;
            self.put(cx, key, record);
        }
        self.rec.generation += 1;
        self.start_rollback(cx, outcome);
        Ok(())
    }

    pub(crate) fn not_ended(&self) -> Refusal {
        Refusal::WrongState {
            state: state_name(self.rec.state).to_owned(),
            remedy: "this needs a run that has ended; cancel it first".to_owned(),
        }
    }

    /// Resets tasks and everything that depends on them, and everything that depends on those that live again as they
    /// are. All at once: what is reset opens nothing that another reset would have to close again.
    pub(crate) fn reset(&mut self, cx: &mut Cx<'_>, targets: &[Key], revived: &[Key], again: Again) {
        let mut set: BTreeSet<Key> = BTreeSet::new();
        let mut containers: BTreeSet<Key> = BTreeSet::new();
        for &target in targets {
            self.gather(target, true, &mut set, &mut containers);
        }
        for &key in revived {
            self.gather(key, false, &mut set, &mut containers);
        }
        let what = |key: &Key| match again {
            _ if targets.contains(key) => again,
            // Of a fork that is run again the join is another one.
            Again::InPlace if self.opener(*key).is_some_and(|fork| set.contains(&fork)) => Again::Unmade,
            // A retry makes good what failed; what went on past a failure that may be has happened.
            Again::FurtherRow if self.serves() && self.has_succeeded(*key) => Again::Kept,
            Again::FurtherRow | Again::InPlace | Again::Gone | Again::Unmade | Again::Kept => Again::Gone,
        };
        let set = set.iter().map(|key| (*key, what(key))).collect();
        self.reset_set(cx, set, containers, revived);
    }

    fn has_succeeded(&self, key: Key) -> bool {
        self.state(key) == Some(TaskState::Ended(TaskOutcome::Succeeded))
    }

    /// A task waits for its sub-run again: what depends on it has not happened.
    pub(crate) fn wait_again(&mut self, cx: &mut Cx<'_>, revived: Key) {
        self.reset(cx, &[], &[revived], Again::InPlace);
    }

    /// The dependents of a task in its scope, and of every container around it that had ended: what goes on inside one
    /// that is open has led to nothing outside, and what has begun there for another reason has nothing to do with it.
    fn gather(&self, from: Key, with_itself: bool, set: &mut BTreeSet<Key>, containers: &mut BTreeSet<Key>) {
        let mut at = from;
        let mut include = with_itself;
        loop {
            let body = &self.scope(at.scope).graph;
            let mut todo = if include { vec![at.node] } else { body.successors.successors(at.node).to_vec() };
            while let Some(node) = todo.pop() {
                let key = Key { scope: at.scope, node };
                if (key != from || with_itself) && !set.insert(key) {
                    continue;
                }
                todo.extend_from_slice(body.successors.successors(node));
            }
            let Some((container, _)) = self.scope(at.scope).container else { return };
            containers.insert(container);
            at = container;
            include = false;
            if !self.state(container).is_some_and(TaskState::is_ended) {
                return containers.extend(self.containers(container.scope));
            }
        }
    }

    /// The containers around a scope, from the inside out.
    fn containers(&self, scope: u32) -> impl Iterator<Item = Key> + '_ {
        let around = |scope: u32| self.scope(scope).container.map(|(container, _)| container);
        std::iter::successors(around(scope), move |container| around(container.scope))
    }

    fn reset_set(
        &mut self,
        cx: &mut Cx<'_>,
        set: BTreeMap<Key, Again>,
        containers: BTreeSet<Key>,
        revived: &[Key],
    ) {
        let touched = set.keys().chain(&containers).chain(revived).map(|key| key.scope).collect();
        // A container that is itself reset takes its branches with it: what is reset inside them is gone then.
        let stays = |container: &&Key| set.get(container).is_none_or(|again| *again == Again::Kept);
        for &container in containers.iter().filter(stays) {
            // The outer ones come first, and with an iteration goes what is inside.
            if self.is_there(container) {
                self.reopen(cx, container, &touched);
            }
        }
        let order = self.in_order(&set);
        for &key in &order {
            if self.is_there(key) {
                self.reset_instance(cx, key, set[&key]);
            }
        }
        for &key in revived.iter().filter(|key| !set.contains_key(key)) {
            if self.is_there(key) {
                self.wait_for_child(cx, key);
            }
        }
        let here: Vec<Key> = order.into_iter().filter(|&key| self.is_there(key)).collect();
        self.renew_services(cx, &here);
        for key in here {
            self.recount(key);
            // Another join comes with its fork, behind the first tasks of the branches.
            if set[&key] != Again::Unmade {
                cx.agenda.push_back(Todo::Consider(self.id(), key));
            }
        }
        self.count_again();
    }

    /// In a run of a server what is tried again stands in the order in which it stood.
    fn in_order(&self, set: &BTreeMap<Key, Again>) -> Vec<Key> {
        let mut keys: Vec<Key> = set.keys().copied().collect();
        if self.serves() {
            keys.sort_by_key(|&key| {
                self.is_there(key).then(|| self.task(key).map(|task| task.seq)).flatten()
            });
        }
        keys
    }

    /// Whether the scope of the task has not been removed.
    pub(crate) fn is_there(&self, key: Key) -> bool {
        self.scopes.get(key.scope as usize).is_some_and(Option::is_some)
    }

    /// A container whose branch lives again is open again; of a loop, later iterations are gone.
    fn reopen(&mut self, cx: &mut Cx<'_>, key: Key, touched: &BTreeSet<u32>) {
        let mut record = self.record(key);
        if matches!(self.node(key).action, Action::Loop(_)) {
            let touched = self.children[&key].scopes.iter().find(|(_, scope)| touched.contains(scope));
            if let Some((&iteration, _)) = touched {
                record.iteration = iteration;
                let later: Vec<u32> =
                    self.children[&key].scopes.range(iteration + 1..).map(|(_, &scope)| scope).collect();
                for scope in later {
                    self.remove_scope(cx, scope);
                }
            }
        }
        if record.state != TaskState::Open || record.error.is_some() {
            record.state = TaskState::Open;
            record.generation += 1;
            record.ended = record.ended.filter(|_| self.serves());
            record.error = None;
            record.undo = UndoState::None;
            self.put(cx, key, record);
        }
    }

    fn reset_instance(&mut self, cx: &mut Cx<'_>, key: Key, again: Again) {
        let Some(task) = self.task(key).filter(|_| again != Again::Kept) else { return };
        if task.state.token().is_some() {
            return self.stop_attempt(cx, key, StopCause::Reset);
        }
        if task.state == TaskState::Open {
            return self.close_container(cx, key, TaskError::terminal(RESET, "it begins anew"));
        }
        let task_key = TaskKey { run: self.id(), task: task.seq };
        if let (TaskState::Waiting { .. }, Some(child)) = (task.state, task.child) {
            let reason = "the task that waited for it was reset".to_owned();
            self.order(cx, key, child, Order::Cancel(reason));
        }
        cx.take_back(task_key);
        if self.serves() {
            return self.reset_served(cx, key, again);
        }
        self.make_blank(cx, key);
    }

    /// A container that had to close before it could be reset has closed. In a run that ends meanwhile it waits there for
    /// the run to go on.
    pub(crate) fn reset_after_close(&mut self, cx: &mut Cx<'_>, key: Key) {
        self.make_blank(cx, key);
        self.recount(key);
        cx.agenda.push_back(Todo::Consider(self.id(), key));
    }

    pub(crate) fn make_blank(&mut self, cx: &mut Cx<'_>, key: Key) {
        self.remove_branches(cx, key);
        let record = blank(self.record(key));
        self.put(cx, key, record);
    }

    /// A living attempt of a task that was reset meanwhile is dead: the task begins anew when its time comes.
    pub(crate) fn reset_after_stop(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord) {
        self.put(cx, key, blank(record));
        self.recount(key);
        cx.agenda.push_back(Todo::Consider(self.id(), key));
    }

    /// Looks at every task that has not begun: after a pause, a cancel or a crash nobody else would.
    pub(crate) fn consider_all(&self, cx: &mut Cx<'_>) {
        for key in self.keys() {
            let begun = self.has_begun(key);
            let instance = self.instance(key);
            let may_begin = instance.missing == 0
                || (instance.taken && self.node(key).spec.trigger == Trigger::Any)
                || instance.failed_early
                || self.may_open_join(key);
            if !begun && may_begin {
                cx.agenda.push_back(Todo::Consider(self.id(), key));
            }
        }
        if self.scope(ROOT).open == 0 {
            cx.agenda.push_back(Todo::MayEnd(self.id()));
        }
    }
}

/// What becomes of the row of a task that is reset, in a run of a server. Elsewhere it is kept, blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is kept, and a further one stands for the further attempt.
    FurtherRow,
    /// It begins anew as it is.
    InPlace,
    /// It goes: the task has not happened. A join waits again where it stands.
    Gone,
    /// It goes, even if the task is a join.
    Unmade,
    /// It stays: the task has happened.
    Kept,
}

/// Where retrying has to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailedPart {
    No,
    Task,
    Child,
}

/// A record as if the task had done nothing, but under a higher generation.
fn blank(record: TaskRecord) -> TaskRecord {
    TaskRecord {
        state: TaskState::Blocked,
        generation: record.generation + 1,
        attempt: 0,
        losses: 0,
        started: None,
        ended: None,
        output: None,
        error: None,
        items: None,
        iteration: 0,
        child: None,
        undo: UndoState::None,
        cached: false,
        usage: Usage::default(),
        served: record.served,
        run: record.run,
        seq: record.seq,
        node: record.node,
        scope: record.scope,
        path: record.path,
        ready: record.ready,
        log: record.log,
    }
}

/// The name of a run's state, for people.
pub fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Ending(_) => "ending",
        RunState::RollingBack(_) => "rolling back",
        RunState::Ended(RunOutcome::Succeeded) => "succeeded",
        RunState::Ended(RunOutcome::Failed) => "failed",
        RunState::Ended(RunOutcome::Cancelled) => "cancelled",
        RunState::Ended(RunOutcome::TimedOut) => "timed out",
        RunState::Ended(RunOutcome::RolledBack) => "rolled back",
        RunState::Ended(RunOutcome::RollbackFailed) => "rollback failed",
    }
}
