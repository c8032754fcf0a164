//! Services: tasks that live as long as others need them.
//!
//! An edge from a service is not decided by its end: who needs it may begin while it is up, which is a matter of its
//! record alone. A service that runs has a deadline until it is up, and none afterwards; that tells the two apart.
//! It is told to end when all have ended that need it, and begins again when one of them does.

use partitur_model::Timestamp;
use partitur_model::definition::Guard;
use partitur_model::event::EventKind;
use partitur_model::record::{StopCause, TaskError, TaskOutcome, TaskState};

use crate::admission::TaskKey;
use crate::cx::{Cx, Todo};
use crate::run::{Key, Run, is_taken};

/// Whether a task has the services that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Services {
    /// All of them are up; or it needs none.
    Up,
    /// One is not up yet.
    Missing,
    /// One will not be: it was left out, or has failed.
    Lost,
}

impl Run {
    pub(crate) fn is_service(&self, key: Key) -> bool {
        self.node(key).service().is_some()
    }

    /// Whether a service is up.
    pub(crate) fn is_up(&self, key: Key) -> bool {
        matches!(self.state(key), Some(TaskState::Running { deadline: Timestamp::MAX, .. }))
    }

    /// Whether the task has the services that it needs, itself or through what it is a part of.
    pub(crate) fn services(&self, key: Key) -> Services {
        let own = self.own_services(key);
        let mut around = self.scope(key.scope).container;
        while let Some((container, _)) = around {
            if self.own_services(container) != Services::Up {
                // Whatever has become of it, the container is told.
                return own.max(Services::Missing);
            }
            around = self.scope(container.scope).container;
        }
        own
    }

    fn own_services(&self, key: Key) -> Services {
        let body = &self.scope(key.scope).graph;
        if body.services.is_empty() {
            return Services::Up;
        }
        let needed = body.predecessors.out_edges(key.node).filter_map(|(edge, node)| {
            let source = Key { scope: key.scope, node };
            self.is_service(source).then(|| self.service_of(source, &body.guards[edge as usize]))
        });
        needed.max().unwrap_or(Services::Up)
    }

    fn service_of(&self, service: Key, guard: &Guard) -> Services {
        let Some(task) = self.task(service) else { return Services::Missing };
        match (task.state, guard) {
            // Nobody needed it any more; now somebody does.
            (TaskState::Ended(TaskOutcome::Succeeded), Guard::Success) => Services::Missing,
            (TaskState::Ended(_), guard) if is_taken(guard, task, self.node(service), false) => Services::Up,
            (TaskState::Ended(_), _) => Services::Lost,
            (
                TaskState::Blocked
                | TaskState::Ready
                | TaskState::Running { .. }
                | TaskState::Stopping { .. }
                | TaskState::Backoff { .. }
                | TaskState::Waiting { .. }
                | TaskState::Open,
                guard,
            ) => {
                let up = *guard == Guard::Success && self.is_up(service);
                if up { Services::Up } else { Services::Missing }
            }
        }
    }

    /// Those that need the service while it is up.
    fn dependents(&self, service: Key) -> Vec<Key> {
        let body = &self.scope(service.scope).graph;
        let edges = body.successors.out_edges(service.node);
        let needs = edges.filter(|(edge, _)| body.guards[*edge as usize] == Guard::Success);
        needs.map(|(_, node)| Key { scope: service.scope, node }).collect()
    }

    /// Whether anybody needs the service: one of its dependents has not ended or, if it has none, any other task.
    pub(crate) fn is_needed(&self, service: Key) -> bool {
        let is_open =
            |&key: &Key| !self.instance(key).excluded && !self.state(key).is_some_and(TaskState::is_ended);
        let dependents = self.dependents(service);
        if !dependents.is_empty() {
            return dependents.iter().any(is_open);
        }
        let count = self.scope(service.scope).instances.len() as u32;
        let all = (0..count).map(|node| Key { scope: service.scope, node });
        all.filter(|&key| !self.is_service(key)).any(|key| is_open(&key))
    }

    /// A worker says that the service is up: who needs it may begin.
    pub(crate) fn service_is_up(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        let TaskState::Running { deadline, .. } = &mut record.state else { return };
        if !self.is_service(key) || *deadline == Timestamp::MAX {
            return;
        }
        *deadline = Timestamp::MAX;
        let (task, path) = (record.seq, record.path.clone());
        cx.event(self.id(), EventKind::TaskServes { task, path });
        self.put(cx, key, record);
        // Those inside of what needs it, too.
        self.consider_all(cx);
        for key in self.ready_tasks() {
            if !cx.admission.is_waiting(TaskKey { run: self.id(), task: self.record(key).seq }) {
                self.offer(cx, key);
            }
        }
    }

    fn ready_tasks(&self) -> Vec<Key> {
        self.keys().filter(|&key| self.state(key) == Some(TaskState::Ready)).collect()
    }

    /// A service is not up any more: who has not begun waits until it is again. That they were ready follows from no
    /// row then: they get their own.
    pub(crate) fn service_is_down(&mut self, cx: &mut Cx<'_>) {
        for key in self.ready_tasks() {
            if self.services(key) != Services::Up {
                let record = self.record(key);
                cx.take_back(TaskKey { run: self.id(), task: record.seq });
                self.put(cx, key, record);
            }
        }
    }

    /// A service will not be up any more: who needs it and has begun is cancelled, all others are left out.
    pub(crate) fn service_is_lost(&mut self, cx: &mut Cx<'_>, service: Key) {
        if !self.is_under_way() {
            return;
        }
        for key in self.dependents(service) {
            if self.has_begun(key) {
                self.cancel_whatever(cx, key);
            }
        }
    }

    /// A task of this scope has ended: services that nobody needs any more are told to end.
    pub(crate) fn let_services_go(&mut self, cx: &mut Cx<'_>, scope: u32) {
        let body = self.scope(scope).graph.clone();
        for &node in &body.services {
            let key = Key { scope, node };
            match self.state(key) {
                Some(TaskState::Running { .. }) if !self.is_needed(key) => {
                    self.stop_attempt(cx, key, StopCause::Unneeded);
                }
                Some(TaskState::Ready | TaskState::Backoff { .. }) if !self.is_needed(key) => {
                    self.leave_out_service(cx, key);
                }
                Some(
                    TaskState::Running { .. }
                    | TaskState::Ready
                    | TaskState::Backoff { .. }
                    | TaskState::Blocked
                    | TaskState::Stopping { .. }
                    | TaskState::Waiting { .. }
                    | TaskState::Open
                    | TaskState::Ended(_),
                )
                | None => {}
            }
        }
    }

    /// A service that nobody needs does not begin.
    pub(crate) fn leave_out_service(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        cx.take_back(TaskKey { run: self.id(), task: record.seq });
        record.error = Some(TaskError::terminal("unneeded", "nobody needs it any more"));
        self.end_task(cx, key, record, TaskOutcome::Skipped);
    }

    /// Somebody is about to begin whose services have ended because nobody needed them: they begin again.
    pub(crate) fn wake_services(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut at = Some(key);
        while let Some(key) = at {
            for service in self.services_before(key) {
                if self.state(service) == Some(TaskState::Ended(TaskOutcome::Succeeded)) {
                    self.begin_service_again(cx, service);
                }
            }
            at = self.scope(key.scope).container.map(|(container, _)| container);
        }
    }

    /// Whether the task needs a service itself: then that it is ready follows from no row of its predecessors.
    pub(crate) fn needs_service(&self, key: Key) -> bool {
        !self.services_before(key).is_empty()
    }

    /// The services that the task needs while they are up.
    fn services_before(&self, key: Key) -> Vec<Key> {
        let body = &self.scope(key.scope).graph;
        if body.services.is_empty() {
            return Vec::new();
        }
        let edges = body.predecessors.out_edges(key.node);
        let needs = edges.filter(|(edge, _)| body.guards[*edge as usize] == Guard::Success);
        let sources = needs.map(|(_, node)| Key { scope: key.scope, node });
        sources.filter(|&source| self.is_service(source)).collect()
    }

    /// Tasks are done again: so are those of their services that ended otherwise than well.
    pub(crate) fn renew_services(&mut self, cx: &mut Cx<'_>, keys: &[Key]) {
        for &key in keys {
            for service in self.services_before(key) {
                if matches!(self.state(service), Some(TaskState::Ended(outcome)) if outcome != TaskOutcome::Succeeded)
                {
                    self.begin_service_again(cx, service);
                }
            }
        }
    }

    pub(crate) fn begin_service_again(&mut self, cx: &mut Cx<'_>, service: Key) {
        self.make_blank(cx, service);
        self.recount(service);
        cx.agenda.push_back(Todo::Consider(self.id(), service));
    }

    /// Of a service that failed, what is to be tried again: who needed it and did not succeed.
    pub(crate) fn unserved(&self, service: Key) -> Vec<Key> {
        let succeeded = Some(TaskState::Ended(TaskOutcome::Succeeded));
        let is_open = |key: &Key| !self.instance(*key).excluded && self.state(*key) != succeeded;
        self.dependents(service).into_iter().filter(is_open).collect()
    }
}

/// A service has ended by itself: whatever it says, that is too early.
pub(crate) fn too_early<T>(result: Result<T, TaskError>, up: bool) -> Result<T, TaskError> {
    let message = if up { "it ended although others still need it" } else { "it ended before it was up" };
    result.and_then(|_| Err(TaskError::new("service-ended", message)))
}
