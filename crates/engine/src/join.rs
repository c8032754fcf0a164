//! Joins: where branches meet again. A join of a server's run waits in sight of everybody from the moment the branches begin.

use partitur_model::record::{TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, Timestamp};

use crate::cx::{Cx, Todo};
use crate::program::Action;
use crate::ready::CANCELLED;
use crate::run::{Key, Run};

/// The code of a join whose branches have not all succeeded.
const JOIN: &str = "join";
/// It has succeeded, although a branch has failed that may.
pub(crate) const WITH_ERRORS: &str = "with-errors";

impl Run {
    /// Everything that the join waits for is there, or enough of it.
    pub(crate) fn join(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        record.started.get_or_insert(cx.now);
        let failed: Vec<Key> =
            self.joined(key).into_iter().filter(|&source| self.has_failed(source)).collect();
        let unexcused = |&source: &Key| !self.node(source).spec.optional;
        if failed.iter().any(unexcused) && (self.serves() || self.instance(key).failed_early) {
            let error = TaskError::terminal(JOIN, self.reasons(&failed));
            let all_cancelled = failed
                .iter()
                .all(|&source| self.state(source) == Some(TaskState::Ended(TaskOutcome::Cancelled)));
            if self.serves() && all_cancelled {
                record.error = Some(TaskError { code: CANCELLED.to_owned(), ..error });
                return self.end_task(cx, key, record, TaskOutcome::Cancelled);
            }
            return self.fail_task(cx, key, record, error);
        }
        if self.serves() && !failed.is_empty() {
            record.error = Some(TaskError::terminal(WITH_ERRORS, self.reasons(&failed)));
            return self.end_task(cx, key, record, TaskOutcome::Succeeded);
        }
        if let Action::Join(join) = &self.node(key).action
            && join.exclusive
        {
            let output = self.first_output(key);
            return self.succeed(cx, key, record, output);
        }
        self.succeed(cx, key, record, Payload::Null);
    }

    fn has_failed(&self, key: Key) -> bool {
        matches!(self.state(key), Some(TaskState::Ended(outcome)) if outcome.is_failure())
    }

    fn reasons(&self, failed: &[Key]) -> String {
        let messages = failed.iter().filter_map(|&source| self.task(source)?.error.as_ref());
        let messages: Vec<&str> = messages.map(|error| error.message.as_str()).collect();
        messages.join(if self.serves() { " " } else { "; " })
    }

    /// The tasks whose outputs the join gathers: its predecessors, or the last tasks of the branches that were made when
    /// its fork began.
    pub(crate) fn joined(&self, key: Key) -> Vec<Key> {
        let opener = self.opener(key);
        if let Some(opener) = opener.filter(|&opener| matches!(self.node(opener).action, Action::Expand(_))) {
            return self.branches(opener).filter_map(|scope| self.last_of_branch(scope)).collect();
        }
        let body = &self.scope(key.scope).graph;
        let sources = body.predecessors.successors(key.node).iter();
        let sources = sources.map(|&node| Key { scope: key.scope, node });
        sources.filter(|&source| Some(source) != opener).collect()
    }

    /// The task of a branch that stands for it: the one that its label names.
    fn last_of_branch(&self, scope: u32) -> Option<Key> {
        let state = self.scope(scope);
        let &node = state.graph.names.get(&*state.label)?;
        Some(Key { scope, node })
    }

    /// The fork with whose beginning the join begins to wait.
    pub(crate) fn opener(&self, key: Key) -> Option<Key> {
        match &self.node(key).action {
            Action::Join(join) => join.opened_by.map(|node| Key { scope: key.scope, node }),
            _ => None,
        }
    }

    /// What the first predecessor yielded that was executed.
    fn first_output(&self, key: Key) -> Payload {
        let executed = |&source: &Key| matches!(self.state(source), Some(TaskState::Ended(outcome)) if outcome != TaskOutcome::Skipped);
        self.joined(key).into_iter().find(executed).map_or(Payload::Null, |source| self.output_of(source))
    }

    /// Whether there is nothing to join: the fork has failed, or was not reached.
    pub(crate) fn is_without_fork(&self, key: Key) -> bool {
        self.opener(key).is_some_and(|opener| {
            let skipped = self.state(opener) == Some(TaskState::Ended(TaskOutcome::Skipped));
            self.has_failed(opener) || skipped && !self.is_left_out(opener)
        })
    }

    /// Whether somebody has left out the task.
    fn is_left_out(&self, key: Key) -> bool {
        let served = self.task(key).and_then(|task| task.served.as_deref());
        served.is_some_and(|served| served.skipped_by_hand)
    }

    /// Whether the join is to begin to wait: its fork has begun, and it has not.
    pub(crate) fn may_open_join(&self, key: Key) -> bool {
        let opener = self.opener(key);
        let left_out = opener.is_some_and(|opener| self.is_left_out(opener));
        let opened = opener.and_then(|opener| self.state(opener)).is_some_and(|state| match state {
            TaskState::Open | TaskState::Ended(TaskOutcome::Succeeded) => true,
            TaskState::Ended(TaskOutcome::Skipped) => left_out,
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Ended(_) => false,
        });
        opened && self.state(key).is_none_or(|state| state == TaskState::Blocked)
    }

    /// The join begins to wait.
    pub(crate) fn open_join(&mut self, cx: &mut Cx<'_>, key: Key) {
        let graph = self.graph_of(key);
        let node = &graph.nodes[key.node as usize];
        let mut record = self.record(key);
        record.ready = cx.now;
        self.begin_served(cx, key, &mut record, node);
        record.started = Some(cx.now);
        record.state = TaskState::Waiting { until: Timestamp::MAX };
        self.put(cx, key, record);
    }

    /// Joins that begin to wait with this fork.
    pub(crate) fn joins_opened_by(&self, cx: &mut Cx<'_>, fork: Key) {
        let graph = &self.scope(fork.scope).graph;
        for &node in graph.successors.successors(fork.node) {
            let join = Key { scope: fork.scope, node };
            if self.opener(join) == Some(fork) {
                cx.agenda.push_back(Todo::Consider(self.id(), join));
            }
        }
    }
}
