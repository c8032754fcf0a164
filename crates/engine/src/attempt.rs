//! The life of an attempt: it waits for its claims, is handed out, reports, and is judged.

use std::time::Duration;

use partitur_model::callback::Moment;
use partitur_model::definition::{Concurrency, OnTimeout};
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::event::EventKind;
use partitur_model::record::{RunState, StopCause, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState};
use partitur_model::{AttemptId, FencingToken, Payload, Timestamp};

use crate::admission::{Grant, Request, TaskKey, Ticket};
use crate::batch::BatchNo;
use crate::cx::{Cx, Order, Todo};
use crate::effect::Effect;
use crate::program::{Action, ProgramNode};
use crate::retry;
use crate::run::{Key, Run, View};
use crate::service::{Services, too_early};
use crate::work;

/// The pool of slots that bounds how many attempts live at once on a node.
pub(crate) const SLOTS: &str = "slots";

/// So many times an attempt may be lost to crashes of ours before its task fails.
pub(crate) const LOSSES_MAX: u32 = 10;

/// The first batch of each start of the node. Before it is durable nothing is handed out: tokens carry the number of the
/// start, and a start that left no trace would be followed by one with the same number and the same tokens.
const OPENING: BatchNo = BatchNo(1);

impl Run {
    /// The task may start as soon as admission lets it.
    ///
    /// Its being ready follows from the rows of its predecessors; it has a row of its own only where that is not the
    /// whole truth: a condition was evaluated, or a limit runs from now.
    pub(crate) fn become_ready(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        record.state = TaskState::Ready;
        let node = self.node(key);
        let needs_row = node.when.is_some()
            || node.spec.timeouts.queue.is_some()
            || record.served.is_some()
            || self.needs_service(key)
            || record.attempt > 0
            || record.generation > 0;
        let (task, path) = (record.seq, record.path.clone());
        if needs_row {
            self.put(cx, key, record);
        } else {
            self.put_derived(cx, key, record);
        }
        cx.event(self.id(), EventKind::TaskReady { task, path });
        self.offer(cx, key);
    }

    /// Puts the task before admission, or fails it if what it wants can never be had.
    pub(crate) fn offer(&mut self, cx: &mut Cx<'_>, key: Key) {
        let seq = self.record(key).seq;
        if cx.admission.holds(TaskKey { run: self.id(), task: seq }) {
            // Granted already; the word of it is on its way.
            return;
        }
        if !self.wants_undo(key) && self.services(key) != Services::Up {
            // Offered as soon as they are up.
            return;
        }
        let ticket = self.ticket(cx, key);
        match cx.admission.impossible(&ticket.claims) {
            None => {
                let batch = cx.batch.number();
                cx.admission.offer(cx.now, ticket, batch);
            }
            Some(problem) => {
                let record = self.record(key);
                self.fail_attempt_for_good(cx, key, record, TaskError::terminal("impossible", problem));
            }
        }
    }

    /// What the task asks of admission.
    pub(crate) fn ticket(&self, cx: &mut Cx<'_>, key: Key) -> Ticket {
        let task = self.task(key).expect("only a task that is ready asks");
        let node = self.node(key);
        let mut claims = self.lock_requests(cx, key, node);
        if node.is_polled() {
            self.worker_requests(cx, key, &mut claims);
        }
        if !node.is_watch() && node.service().is_none() {
            self.slot_requests(cx, key, node, &mut claims);
        }
        Ticket {
            task: TaskKey { run: self.id(), task: task.seq },
            class: node.spec.priority,
            level: self.rank(key),
            ready: task.ready,
            order: self.order_of(key),
            claims,
            breaker: node.spec.breaker.as_deref().map(Into::into),
            expected: node.spec.expected.map_or(1.0, |expected| expected.as_secs_f32()),
        }
    }

    /// Decides between tasks that became ready at once: the older run, then the document's order, as far as 64 bits
    /// tell them apart; what these cannot tell apart, a hash of the place does. Not the tasks' numbers: an engine that
    /// is built from rows gives other ones to what has no row yet.
    fn order_of(&self, key: Key) -> u64 {
        let (mut indices, mut place) = (Vec::new(), 0);
        let mut scope = key.scope;
        while let Some((container, index)) = self.scope(scope).container {
            indices.push(index);
            place = retry::mix(place ^ (u64::from(container.node) << 32) ^ u64::from(index));
            scope = container.scope;
        }
        let bounded = |index: Option<&u32>| u64::from(index.copied().unwrap_or(0)).min(0x3fff);
        // At the root there are no branches, but there may be many tasks.
        let beyond = u64::from(key.node) >> 10;
        let branches = (bounded(indices.last()) << 14) | bounded(indices.first());
        let branches = if indices.is_empty() { beyond } else { branches };
        // Bodies that were made when their fork began are numbered as they came.
        let body = self.scope(key.scope).body.0;
        let body = if (body as usize) < self.program.bodies.len() { u64::from(body).min(0x3f) } else { 0x3f };
        let node = u64::from(key.node & 0x3ff);
        (self.id().number() << 56) | (branches << 28) | (node << 18) | (body << 12) | (place & 0xfff)
    }

    fn lock_requests(&self, cx: &mut Cx<'_>, key: Key, node: &ProgramNode) -> Vec<Request> {
        let view = View::of(self, key);
        node.claims
            .iter()
            .map(|claim| {
                let name = work::resource_name(&claim.resource.resolve_text(&view), self.dir());
                Request { resource: cx.admission.resource(&name), mode: claim.mode, units: claim.units }
            })
            .collect()
    }

    /// Slots are claims like any other: on the node's pool, on the run's own concurrency, and on the branches that a
    /// container lets run at once.
    fn slot_requests(&self, cx: &mut Cx<'_>, key: Key, node: &ProgramNode, claims: &mut Vec<Request>) {
        let mut slot = |name: &str| {
            let resource = cx.admission.resource(name);
            claims.push(Request {
                resource,
                mode: partitur_model::definition::ClaimMode::Exclusive,
                units: 1,
            });
        };
        // A worker elsewhere takes none of this node's slots.
        if !node.is_polled() {
            slot(SLOTS);
        }
        if self.concurrency().is_some() {
            slot(&work::run_slots(self.id()));
        }
        let mut scope = key.scope;
        while let Some((container, _)) = self.scope(scope).container {
            if self.max_parallel(container).is_some() {
                let container = self.task(container).expect("a container has begun before its body");
                slot(&work::container_slots(self.id(), container.seq));
            }
            scope = container.scope;
        }
    }

    /// How many of the run's attempts may live at once, if it says so: the submitter's word, else the document's.
    pub(crate) fn concurrency(&self) -> Option<Concurrency> {
        let asked = self.rec.options.concurrency.map(|limit| Concurrency { min: limit, max: limit });
        asked.or(self.program.definition.concurrency)
    }

    /// The directory of the run, for resources that are paths.
    fn dir(&self) -> &str {
        let labels = &self.rec.options.labels;
        labels.iter().find(|(name, _)| name == "dir").map_or("/", |(_, dir)| dir)
    }

    /// By what a task comes before others: by Conductor's rules the priority of its run, else how much must follow it.
    fn rank(&self, key: Key) -> f32 {
        if self.serves() {
            return self.rec.options.server.as_ref().map_or(0.0, |server| f32::from(server.priority));
        }
        self.level(key)
    }

    /// How much must follow this task: the longest remaining path, in seconds.
    fn level(&self, key: Key) -> f32 {
        let mut outer = key;
        while let Some((container, _)) = self.scope(outer.scope).container {
            outer = container;
        }
        let own = self.scope(outer.scope).graph.levels[outer.node as usize];
        self.levels.as_ref().map_or(own, |levels| levels[outer.node as usize])
    }

    /// Admission lets the task start: as itself, or to be undone.
    ///
    /// A grant may be late: what it was for may have been cancelled, paused or begun since.
    pub(crate) fn start(&mut self, cx: &mut Cx<'_>, key: Key, grant: &Grant) {
        if !cx.admission.holds(grant.task) || self.has_living_attempt(key) {
            return;
        }
        let undo = self.wants_undo(key);
        let may_begin = self.lets_begin()
            && self.state(key) == Some(TaskState::Ready)
            && self.services(key) == Services::Up;
        if !undo && !may_begin {
            return cx.admission.release(cx.now, grant.task);
        }
        if self.node(key).is_polled() && !undo {
            return self.start_polled(cx, key, grant);
        }
        #[cfg(test)]
        crate::planted::strike(&self.node(key).name, "breaks at its start");
        let token = cx.next_token();
        let mut record = self.record(key);
        record.generation += 1;
        if let Some(served) = record.served.as_mut().filter(|_| self.node(key).remote().is_some()) {
            served.polls += 1;
            served.held_back = 0;
        }
        let number = if undo {
            self.start_undo(cx, key, &mut record, token)
        } else {
            self.begin_attempt(cx, key, &mut record, token)
        };
        let attempt = AttemptId { run: self.id(), task: record.seq, token };
        match work::dispatch(self, key, &record, attempt, number, undo) {
            Ok(dispatch) => {
                let after = self.released_after(cx, key, grant, undo);
                let path = record.path.clone();
                cx.event(self.id(), EventKind::TaskStarted { attempt, path, number, undo });
                if !undo {
                    self.call_back_of_task(cx, Moment::TaskStarted, &record);
                }
                cx.batch.effect(Effect::Dispatch { dispatch: Box::new(dispatch), after });
                self.put(cx, key, record);
            }
            Err(error) => {
                cx.admission.release(cx.now, grant.task);
                self.fail_attempt_for_good(cx, key, record, error);
            }
        }
    }

    /// Whether tasks that are ready may begin: by Conductor's rules those may that were ready before a pause.
    pub(crate) fn lets_begin(&self) -> bool {
        self.is_running() || self.serves() && self.rec.state == RunState::Paused
    }

    fn has_living_attempt(&self, key: Key) -> bool {
        self.task(key).is_some_and(|task| task.state.token().or(task.undo.token()).is_some())
    }

    fn wants_undo(&self, key: Key) -> bool {
        let rolls_back = matches!(self.rec.state, RunState::RollingBack(_));
        let is_open = |task: &TaskRecord| match task.undo {
            UndoState::None | UndoState::Backoff { .. } => task.state.is_ended(),
            UndoState::Running { .. } | UndoState::Done | UndoState::Failed => false,
        };
        rolls_back && self.task(key).is_some_and(is_open)
    }

    pub(crate) fn begin_attempt(
        &self,
        cx: &Cx<'_>,
        key: Key,
        record: &mut TaskRecord,
        token: FencingToken,
    ) -> u32 {
        let node = self.node(key);
        let first = record.started.unwrap_or(cx.now);
        // In a run of a server each attempt has its own row, and a worker may come for one attempt many times.
        let limits = match &record.served {
            Some(served) => {
                [(first, node.spec.timeouts.attempt), (served.first_ready, node.spec.timeouts.total)]
            }
            None => [(cx.now, node.spec.timeouts.attempt), (first, node.spec.timeouts.total)],
        };
        let deadline = limits.into_iter().filter_map(|(from, limit)| Some(from + limit?)).min();
        let deadline = match node.service() {
            Some(service) => cx.now + service.within,
            None => deadline.unwrap_or(Timestamp::MAX),
        };
        let lease = self.lease_of(node).map_or(Timestamp::MAX, |lease| cx.now + lease);
        record.state = TaskState::Running { token, deadline, lease };
        record.attempt += 1;
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::RetryNotCounted.is_here() {
            record.attempt = 1;
        }
        record.started.get_or_insert(cx.now);
        // In a run of a server, what an earlier round had to show stays in sight until there is more.
        if record.served.is_none() {
            record.output = None;
        }
        record.attempt
    }

    fn start_undo(&mut self, cx: &Cx<'_>, key: Key, record: &mut TaskRecord, token: FencingToken) -> u32 {
        let used = match record.undo {
            UndoState::Backoff { attempt, .. } => attempt,
            UndoState::None | UndoState::Running { .. } | UndoState::Done | UndoState::Failed => 0,
        };
        let undo = self.node(key).undo.as_ref().expect("only a task with a compensation is undone");
        let deadline = undo.timeout.map_or(Timestamp::MAX, |limit| cx.now + limit);
        self.instance_mut(key).undo_deadline = deadline;
        record.undo = UndoState::Running { token, attempt: used + 1 };
        used + 1
    }

    /// From when on an attempt may be handed out. Its own batch, if a second hand-out after a crash could do harm.
    pub(crate) fn released_after(&self, cx: &Cx<'_>, key: Key, grant: &Grant, undo: bool) -> BatchNo {
        let spec = &self.node(key).spec;
        let harmless = !undo && spec.claims.is_empty() && spec.breaker.is_none() && !spec.at_most_once;
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::HandOutNotDurable.is_here() {
            return OPENING;
        }
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::StartNotDurable.is_here() && harmless && !grant.fresh {
            return BatchNo(0);
        }
        if harmless && !grant.fresh { OPENING } else { cx.batch.number() }
    }

    /// A worker speaks about an attempt.
    pub(crate) fn report(&mut self, cx: &mut Cx<'_>, report: Report) {
        let Some(key) = self.key_of(report.attempt.task) else { return };
        let Some(task) = self.task(key) else { return };
        let token = report.attempt.token;
        let undoes = task.undo.token() == Some(token);
        let is_living = task.state.token() == Some(token) || undoes;
        #[cfg(feature = "planted-faults")]
        let is_living = is_living
            || (partitur_model::planted::Planted::StaleReportAccepted.is_here()
                && task.state.token().is_some())
            || (partitur_model::planted::Planted::EndsTwice.is_here() && task.state.is_ended());
        if !is_living {
            // No living attempt has this token: slot and locks may be another's by now.
            return;
        }
        match report.what {
            ReportKind::Alive => self.extend_lease(cx, key),
            ReportKind::Serves => self.service_is_up(cx, key),
            ReportKind::Progress { fraction, message } => {
                let (task, path) = (task.seq, task.path.clone());
                cx.event(self.id(), EventKind::TaskProgress { task, path, fraction, message });
                self.extend_lease(cx, key);
            }
            ReportKind::Ended(ending) => {
                cx.admission.release(cx.now, TaskKey { run: self.id(), task: report.attempt.task });
                if undoes {
                    self.undo_ended(cx, key, *ending);
                } else {
                    self.attempt_ended(cx, key, *ending);
                }
            }
            ReportKind::Again { output, pause } => self.has_another_round(cx, key, output, pause),
        }
    }

    /// How long an attempt may show no sign of life. Conductor looks a second late, and the beats of its clients count on
    /// it: they look once a second whether one is due.
    pub(crate) fn lease_of(&self, node: &ProgramNode) -> Option<Duration> {
        let grace = if node.is_polled() { Duration::from_secs(1) } else { Duration::ZERO };
        lease(node).map(|lease| lease + grace)
    }

    fn extend_lease(&mut self, cx: &mut Cx<'_>, key: Key) {
        let Some(limit) = lease(self.node(key)) else { return };
        let mut record = self.record(key);
        if let TaskState::Running { lease, .. } = &mut record.state {
            *lease = cx.now + limit;
            self.put(cx, key, record);
        }
    }

    /// Its round is over and the task is not: it is had again after a pause, unless it was told to stop meanwhile.
    fn has_another_round(&mut self, cx: &mut Cx<'_>, key: Key, output: Payload, pause: Duration) {
        let mut record = self.record(key);
        if let TaskState::Stopping { cause, .. } = record.state {
            cx.admission.release(cx.now, TaskKey { run: self.id(), task: record.seq });
            return self.stopped(cx, key, record, cause);
        }
        record.output = Some(output);
        if let Some(served) = &mut record.served {
            served.updated = cx.now;
        }
        self.again_later(cx, key, record, pause);
    }

    fn attempt_ended(&mut self, cx: &mut Cx<'_>, key: Key, ending: Ending) {
        let mut record = self.record(key);
        record.log = ending.log.or(record.log);
        record.usage = ending.usage;
        record.cached = ending.cached;
        record.output = ending.shown;
        if let TaskState::Stopping { cause, .. } = record.state {
            return self.stopped_with(cx, key, record, cause, ending.result);
        }
        if let (Ok(_), false, Some((began, ended))) = (&ending.result, ending.cached, ending.span) {
            cx.governors.took(self.id(), &record.node, ended.since(began));
        }
        let mut result = ending.result.and_then(|output| self.check_until(key, &record, output));
        if self.is_service(key) {
            result = too_early(result, self.is_up(key));
        }
        self.tell_breaker(cx, key, result.is_ok());
        match result {
            Ok(output) if self.node(key).remote().is_some_and(|remote| remote.async_complete) => {
                // The request is done; the task is when somebody says so.
                record.output = output;
                record.state = TaskState::Waiting { until: Timestamp::MAX };
                self.put(cx, key, record);
            }
            Ok(output) => self.succeed(cx, key, record, output.unwrap_or_default()),
            Err(error) => self.judge(cx, key, record, error, TaskOutcome::Failed),
        }
    }

    /// A success counts as a failure while the task's `until` condition does not hold.
    fn check_until(
        &self,
        key: Key,
        record: &TaskRecord,
        output: Option<Payload>,
    ) -> Result<Option<Payload>, TaskError> {
        let Some(until) = self.node(key).retry.as_ref().and_then(|retry| retry.until.as_ref()) else {
            return Ok(output);
        };
        let seen = TaskRecord { output: output.clone(), ..record.clone() };
        match until.truth(&View::with(self, key, &seen)) {
            Ok(true) => Ok(output),
            Ok(false) => {
                Err(TaskError::new(crate::ready::CONDITION, "its result does not satisfy `until` yet"))
            }
            Err(error) => Err(TaskError::terminal(crate::ready::CONDITION, error.to_string())),
        }
    }

    fn tell_breaker(&mut self, cx: &mut Cx<'_>, key: Key, success: bool) {
        if let Some(name) = &self.node(key).spec.breaker
            && let Some(record) = cx.admission.breaker_report(cx.now, name, success)
        {
            cx.batch.breaker(record);
        }
    }

    /// An attempt failed: another follows, or the task is over.
    pub(crate) fn judge(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        error: TaskError,
        outcome: TaskOutcome,
    ) {
        record.error = Some(error.clone());
        match self.next_attempt_at(cx, key, &record, &error) {
            Some(at) => {
                let (task, path) = (record.seq, record.path.clone());
                cx.event(self.id(), EventKind::TaskRetries { task, path, at, error });
                self.call_back_of_task(cx, Moment::TaskRetried, &record);
                if record.served.is_some() {
                    return self.next_row(cx, key, record, outcome, at);
                }
                record.state = TaskState::Backoff { until: at };
                self.put(cx, key, record);
                if self.is_service(key) {
                    self.service_is_down(cx);
                }
            }
            None => self.end_task(cx, key, record, outcome),
        }
    }

    fn next_attempt_at(
        &self,
        cx: &Cx<'_>,
        key: Key,
        record: &TaskRecord,
        error: &TaskError,
    ) -> Option<Timestamp> {
        let node = self.node(key);
        let retry = node.retry.as_ref()?;
        // A try that nobody came for counts, too, where each has a row.
        let tries = record.served.as_ref().map_or(record.attempt, |served| served.retries + 1);
        let pause = retry::pause(&retry.policy, tries, error, cx.token.0)?;
        if let Some(condition) = &retry.condition
            && !condition.truth(&View::with(self, key, record)).unwrap_or(false)
        {
            return None;
        }
        let at = cx.now + pause;
        let limit = node
            .spec
            .timeouts
            .total
            .map_or(Timestamp::MAX, |total| record.started.unwrap_or(record.ready) + total);
        (at < limit).then_some(at)
    }

    /// An attempt that was told to stop has ended. If it was faster and there is a compensation for what it has done,
    /// it has succeeded: only so will a rollback undo it.
    fn stopped_with(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        record: TaskRecord,
        cause: StopCause,
        result: Result<Option<Payload>, TaskError>,
    ) {
        match result {
            Ok(output) if cause != StopCause::Reset && self.node(key).undo.is_some() => {
                self.succeed(cx, key, record, output.unwrap_or_default());
            }
            Ok(_) | Err(_) => self.stopped(cx, key, record, cause),
        }
    }

    /// An attempt that was told to stop is dead.
    fn stopped(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord, cause: StopCause) {
        match cause {
            StopCause::Cancel => self.cancelled(cx, key, record),
            StopCause::Unneeded => self.succeed(cx, key, record, Payload::Null),
            StopCause::Timeout if self.is_service(key) => {
                let within = self.node(key).service().map(|service| service.within).unwrap_or_default();
                let message =
                    format!("it was not up within {}", partitur_model::unit::format_duration(within));
                self.judge(cx, key, record, TaskError::new("not-up", message), TaskOutcome::TimedOut);
            }
            StopCause::Timeout => {
                let limit = self.limit_that_ran_out(cx, key, &record);
                let message = format!("it took longer than {}", partitur_model::unit::format_duration(limit));
                self.tell_breaker(cx, key, false);
                self.timed_out(cx, key, record, TaskError::new("timeout", message));
            }
            StopCause::HeartbeatLost => {
                self.tell_breaker(cx, key, false);
                let error = TaskError::new("heartbeat", "it showed no sign of life in time");
                self.judge(cx, key, record, error, TaskOutcome::TimedOut);
            }
            StopCause::Reset => self.reset_after_stop(cx, key, record),
        }
    }

    /// A limit of the task has run out: what follows is as its definition says.
    fn timed_out(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, error: TaskError) {
        match self.node(key).spec.on_timeout {
            OnTimeout::Retry | OnTimeout::Tell => self.judge(cx, key, record, error, TaskOutcome::TimedOut),
            OnTimeout::EndRun => {
                record.error = Some(error);
                self.end_task(cx, key, record, TaskOutcome::TimedOut);
            }
        }
    }

    /// The limit that ran out is one of which people are only told; it does not run out again.
    fn tell_of_timeout(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        if let TaskState::Running { deadline, .. } = &mut record.state {
            *deadline = Timestamp::MAX;
        }
        let message = "it takes longer than it should".to_owned();
        cx.event(self.id(), EventKind::Notice { path: record.path.clone(), message });
        self.put(cx, key, record);
    }

    /// The task has begun and nobody may have it yet.
    pub(crate) fn hold_back(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, delay: Duration) {
        record.state = TaskState::Backoff { until: cx.now + delay };
        if let Some(served) = &mut record.served {
            served.held_back = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
        }
        self.put(cx, key, record);
    }

    /// For people: the limit of the attempt, or that of all attempts together.
    fn limit_that_ran_out(&self, cx: &Cx<'_>, key: Key, record: &TaskRecord) -> Duration {
        let timeouts = &self.node(key).spec.timeouts;
        let first = record.started.unwrap_or(record.ready);
        let total = timeouts.total.filter(|&total| first + total <= cx.now);
        total.or(timeouts.attempt).unwrap_or_default()
    }

    /// The task ends as cancelled.
    pub(crate) fn cancelled(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        record.error = Some(TaskError::terminal(crate::ready::CANCELLED, "it was cancelled"));
        self.end_task(cx, key, record, TaskOutcome::Cancelled);
    }

    /// Tells a living attempt to stop. It keeps slot and claims until it is dead: its process may still write.
    pub(crate) fn stop_attempt(&mut self, cx: &mut Cx<'_>, key: Key, cause: StopCause) {
        let mut record = self.record(key);
        if self.node(key).is_polled() && record.state.token().is_some() {
            self.stop_polled(cx, key);
            return self.stopped(cx, key, record, cause);
        }
        let (token, known) = match record.state {
            TaskState::Running { token, .. } => (token, None),
            TaskState::Stopping { token, cause } => (token, Some(cause)),
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open
            | TaskState::Ended(_) => return,
        };
        if known.is_none_or(|known| weight(cause) > weight(known)) {
            record.state = TaskState::Stopping { token, cause };
            let attempt = AttemptId { run: self.id(), task: record.seq, token };
            self.put(cx, key, record);
            if known.is_none() {
                cx.batch.effect(Effect::Stop(attempt));
            }
        }
    }

    /// Something that was due for the task at a time may have come.
    pub(crate) fn due(&mut self, cx: &mut Cx<'_>, key: Key) {
        let Some(task) = self.task(key) else { return };
        match task.state {
            TaskState::Running { deadline, .. }
                if deadline <= cx.now && self.node(key).spec.on_timeout == OnTimeout::Tell =>
            {
                self.tell_of_timeout(cx, key);
            }
            TaskState::Running { deadline, .. } if deadline <= cx.now => {
                self.stop_attempt(cx, key, StopCause::Timeout);
            }
            TaskState::Running { lease, .. } if lease <= cx.now => {
                self.stop_attempt(cx, key, StopCause::HeartbeatLost);
            }
            TaskState::Backoff { until } if until <= cx.now => {
                self.pause_is_over(cx, key);
            }
            TaskState::Waiting { until } if until <= cx.now => self.wait_is_over(cx, key),
            TaskState::Ready => self.queue_limit(cx, key),
            TaskState::Running { .. }
            | TaskState::Backoff { .. }
            | TaskState::Waiting { .. }
            | TaskState::Blocked
            | TaskState::Stopping { .. }
            | TaskState::Open
            | TaskState::Ended(_) => {}
        }
        self.undo_due(cx, key);
    }

    /// The pause before the next attempt is over. What is no attempt of a worker's simply begins again.
    pub(crate) fn pause_is_over(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        if record.served.is_none() {
            record.ready = cx.now;
        }
        if matches!(self.node(key).action, Action::Attempt(_)) {
            self.become_ready_unless_paused(cx, key, record);
        } else {
            record.state = TaskState::Blocked;
            self.put(cx, key, record);
            cx.agenda.push_back(Todo::Consider(self.id(), key));
        }
    }

    fn become_ready_unless_paused(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        if self.lets_begin() {
            self.become_ready(cx, key, record);
        } else {
            record.state = TaskState::Ready;
            self.put(cx, key, record);
        }
    }

    fn queue_limit(&mut self, cx: &mut Cx<'_>, key: Key) {
        let Some(limit) = self.node(key).spec.timeouts.queue else { return };
        let mut record = self.record(key);
        if available(&record) + limit <= cx.now {
            if self.node(key).spec.on_timeout == OnTimeout::Tell {
                let message = "it waits longer than it should".to_owned();
                return cx.event(self.id(), EventKind::Notice { path: record.path, message });
            }
            cx.take_back(TaskKey { run: self.id(), task: record.seq });
            let message = format!("it waited longer than {}", partitur_model::unit::format_duration(limit));
            let error = TaskError::terminal("queue-timeout", message);
            if record.served.is_some() {
                return self.timed_out(cx, key, record, TaskError { retriable: true, ..error });
            }
            record.error = Some(error);
            self.end_task(cx, key, record, TaskOutcome::TimedOut);
        }
    }

    /// The time of a waiting task has come: a wait for time has succeeded, any other has taken too long.
    fn wait_is_over(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        let graph = self.graph_of(key);
        let node = &graph.nodes[key.node as usize];
        if let Action::Wait(wait) = &node.action
            && self.wait_target(key, &record, wait).is_ok_and(|target| target <= cx.now)
        {
            return self.succeed(cx, key, record, Payload::Null);
        }
        record.error = Some(TaskError::new("timeout", "nothing ended its wait in time"));
        match record.child {
            Some(child) => {
                record.state = TaskState::Waiting { until: Timestamp::MAX };
                self.put(cx, key, record);
                let reason = "the task that waits for it has timed out".to_owned();
                self.order(cx, key, child, Order::Cancel(reason));
            }
            None => {
                record.generation += 1;
                let error = record.error.clone().expect("just put there");
                self.judge(cx, key, record, error, TaskOutcome::TimedOut);
            }
        }
    }

    /// The attempt was handed out before this start of the node, and its process is dead.
    pub(crate) fn attempt_lost(&mut self, cx: &mut Cx<'_>, key: Key) {
        cx.admission.release(cx.now, TaskKey { run: self.id(), task: self.record(key).seq });
        let mut record = self.record(key);
        if let TaskState::Stopping { cause, .. } = record.state {
            return self.stopped(cx, key, record, cause);
        }
        record.losses += 1;
        let node = self.node(key);
        if node.spec.at_most_once || record.losses > LOSSES_MAX {
            let error = TaskError::terminal("lost", "its attempt was lost when the process that ran it died");
            return self.fail_task(cx, key, record, error);
        }
        record.attempt -= 1;
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::AttemptsForgotten.is_here() {
            record.attempt = 0;
        }
        record.ready = cx.now;
        self.become_ready_unless_paused(cx, key, record);
        if self.is_service(key) {
            self.service_is_down(cx);
        }
    }

    /// The attempt could not even be made: as a task it fails, as a compensation too.
    fn fail_attempt_for_good(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord, error: TaskError) {
        if record.state.is_ended() {
            self.undo_failed(cx, key, record, error);
        } else {
            self.fail_task(cx, key, record, error);
        }
    }
}

/// Since when somebody may have the task.
pub(crate) fn available(task: &TaskRecord) -> Timestamp {
    let held_back = task.served.as_ref().map_or(0, |served| served.held_back);
    task.ready + Duration::from_secs(u64::from(held_back))
}

/// What an attempt was told to stop for gives way to what outweighs it: a reset forgets a timeout, a cancel both.
fn weight(cause: StopCause) -> u32 {
    match cause {
        StopCause::Timeout | StopCause::HeartbeatLost | StopCause::Unneeded => 0,
        StopCause::Reset => 1,
        StopCause::Cancel => 2,
    }
}

/// How long an attempt may show no sign of life: its own heartbeat, or the shortest lease of its claims.
pub(crate) fn lease(node: &ProgramNode) -> Option<Duration> {
    let claims = node.claims.iter().filter_map(|claim| claim.expires);
    claims.chain(node.spec.timeouts.heartbeat).min()
}
