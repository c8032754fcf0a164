//! Tasks of a server's runs: there each attempt has a row of its own, in sight of everybody, and workers come for it.

use std::sync::Arc;

use partitur_model::callback::Moment;
use partitur_model::definition::{ClaimMode, Dialect};
use partitur_model::event::EventKind;
use partitur_model::record::{Called, Served, TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{AttemptId, FencingToken, Payload, TaskSeq, Timestamp};

use crate::admission::{Grant, Request, TaskKey};
use crate::cx::Cx;
use crate::effect::Handed;
use crate::input::QueueName;
use crate::polls::offers;
use crate::program::{Action, ProgramNode, RemoteTemplate, WorkTemplate};
use crate::run::{Key, PastRow, Run, View};

impl ProgramNode {
    /// The work for a worker, if the task is that.
    pub(crate) fn remote(&self) -> Option<&RemoteTemplate> {
        match &self.action {
            Action::Attempt(WorkTemplate::Remote(remote)) => Some(remote),
            _ => None,
        }
    }

    /// Whether workers come for the task: its attempts are nobody's processes here.
    pub(crate) fn is_polled(&self) -> bool {
        self.remote().is_some_and(|remote| !remote.pushed)
    }
}

impl Run {
    /// Whether this is a run of a server, by Conductor's rules.
    pub(crate) fn serves(&self) -> bool {
        self.program.definition.dialect == Dialect::Conductor
    }

    /// The task begins: what it is given is filled in and seen from now on.
    pub(crate) fn begin_served(
        &mut self,
        cx: &Cx<'_>,
        key: Key,
        record: &mut TaskRecord,
        node: &ProgramNode,
    ) {
        let instead = self.given_instead.take_if(|(target, _)| *target == key);
        let input = instead.map_or_else(|| self.given(key, node), |(_, input)| input);
        let domain = match node.remote() {
            Some(remote) if !remote.pushed => self.domain_of(cx, &remote.task_type),
            _ => None,
        };
        let before = record.served.take();
        let before = before.as_deref();
        let uncounted = match before {
            Some(served) => served.uncounted,
            None => self.count(record.seq, !node.spec.out_of_sight),
        };
        record.served = Some(Box::new(Served {
            input,
            uncounted,
            by_hand: before.is_some_and(|served| served.by_hand),
            domain,
            retry_of: before.and_then(|served| served.retry_of),
            retries: before.map_or(0, |served| served.retries),
            worker: before.and_then(|served| served.worker.clone()),
            polls: before.map_or(0, |served| served.polls),
            held_back: before.map_or(0, |served| served.held_back),
            first_ready: before.map_or(record.ready, |served| served.first_ready),
            updated: cx.now,
            superseded: false,
            skipped_by_hand: false,
            checking: None,
            called: Called(node.spec.label.clone()),
        }));
    }

    /// A row begins: if clients see it, they count it. Gives how many numbers before it they do not.
    pub(crate) fn count(&mut self, seq: TaskSeq, is_seen: bool) -> u32 {
        self.counted += u32::from(is_seen);
        seq.0 - self.counted
    }

    /// Rows are gone: clients count on from the last one that is left.
    pub(crate) fn count_again(&mut self) {
        let left = self.tasks().filter(|task| task.served.is_some()).map(TaskRecord::counted);
        let past = self.past.values().map(|row| row.counted);
        self.counted = left.chain(past).max().unwrap_or(0);
    }

    /// The row is of the past, and not forgotten.
    pub(crate) fn note_past(&mut self, row: &TaskRecord) {
        let retry_of = row.served.as_ref().and_then(|served| served.retry_of);
        self.past.insert(row.seq, PastRow { retry_of, counted: row.counted() });
    }

    /// With a row go those of the attempts before it.
    pub(crate) fn remove_past(&mut self, cx: &mut Cx<'_>, row: &TaskRecord) {
        let mut before = row.served.as_ref().and_then(|served| served.retry_of);
        while let Some(seq) = before {
            cx.batch.remove_task(self.id(), seq);
            before = self.past.remove(&seq).and_then(|row| row.retry_of);
        }
    }

    /// What the task is given: its input with what the template of its kind adds.
    fn given(&self, key: Key, node: &ProgramNode) -> Payload {
        let view = View::inside(self, key.scope);
        let own = node.remote().map(|remote| &remote.input);
        let mut input = match node.input.as_ref().or(own) {
            Some(tree) => tree.resolve(&view),
            None => Payload::object::<&str>([]),
        };
        if input.is_null() {
            input = Payload::object::<&str>([]);
        }
        if let Some(template) = node.remote().and_then(|remote| remote.input_template.as_ref()) {
            input = filled(input, &template.resolve(&view));
        }
        input
    }

    /// Whose workers get tasks of this type: the first domain with an active worker, else the last one.
    fn domain_of(&self, cx: &Cx<'_>, task_type: &Arc<str>) -> Option<Arc<str>> {
        let domains = &self.rec.options.server.as_ref()?.domains;
        let named = |name: &str| domains.iter().find(|(known, _)| known == name).map(|(_, list)| list);
        let list = named(task_type).or_else(|| named("*"))?;
        let mut candidates = list.split(',').map(str::trim).filter(|domain| !domain.is_empty()).peekable();
        while let Some(domain) = candidates.next() {
            let queue = queue_of(task_type, Some(domain));
            if candidates.peek().is_none() || cx.polls.is_active(cx.now, &queue.to_string()) {
                return queue.domain;
            }
        }
        None
    }

    /// Where a task waits for workers.
    pub(crate) fn queue(&self, key: Key) -> Option<String> {
        let remote = self.node(key).remote().filter(|remote| !remote.pushed)?;
        let served = self.task(key).and_then(|task| task.served.as_deref());
        let domain = served.and_then(|served| served.domain.clone());
        Some(QueueName { task_type: remote.task_type.clone(), domain }.to_string())
    }

    /// What a task of a worker asks of admission beside its locks: a worker, and the limits of its name.
    pub(crate) fn worker_requests(&self, cx: &mut Cx<'_>, key: Key, claims: &mut Vec<Request>) {
        let Some(queue) = self.queue(key) else { return };
        let remote = self.node(key).remote().expect("it has a queue");
        let one = |resource| Request { resource, mode: ClaimMode::Exclusive, units: 1 };
        let worker = cx.admission.resource(&offers(&queue));
        claims.push(one(worker));
        claims.extend(cx.admission.limits(&remote.limits).map(one));
    }

    /// Admission lets a task of a worker start: it goes to the worker that asked first.
    pub(crate) fn start_polled(&mut self, cx: &mut Cx<'_>, key: Key, grant: &Grant) {
        let queue = self.queue(key).expect("only a polled task comes here");
        let Some(worker) = cx.polls.next_worker(&queue) else {
            // Nobody waits any more: the offer was of the past.
            cx.admission.release(cx.now, grant.task);
            return self.offer(cx, key);
        };
        let token = cx.next_token();
        let mut record = self.record(key);
        record.generation += 1;
        self.begin_attempt(cx, key, &mut record, token);
        if let Some(served) = &mut record.served {
            served.worker = Some(worker);
            served.polls += 1;
            served.held_back = 0;
            served.updated = cx.now;
        }
        let attempt = AttemptId { run: self.id(), task: record.seq, token };
        let number = record.attempt;
        cx.event(
            self.id(),
            EventKind::TaskStarted { attempt, path: record.path.clone(), number, undo: false },
        );
        self.call_back_of_task(cx, Moment::TaskStarted, &record);
        let limited = self
            .node(key)
            .remote()
            .is_some_and(|remote| remote.limits.concurrency.is_some() || remote.limits.rate.is_some());
        // A second hand-out after a crash does no harm, where nothing is counted: the first answer is taken.
        let after = if limited { cx.batch.number() } else { self.released_after(cx, key, grant, false) };
        let handed = Handed {
            attempt,
            task: record.clone(),
            definition: self.rec.definition,
            options: self.rec.options.server.clone(),
        };
        cx.polls.hand(&queue, handed, after);
        self.put(cx, key, record);
    }

    /// The answer in which the task was handed out did not arrive: it may start again at once, as if it had not been.
    pub(crate) fn give_back(&mut self, cx: &mut Cx<'_>, attempt: AttemptId) {
        let Some(key) = self.key_of(attempt.task) else { return };
        let mut record = self.record(key);
        if record.state.token() != Some(attempt.token) || !self.node(key).is_polled() {
            return;
        }
        cx.admission.release(cx.now, TaskKey { run: attempt.run, task: attempt.task });
        record.attempt -= 1;
        record.generation += 1;
        if let Some(served) = &mut record.served {
            served.polls -= 1;
            if served.polls == 0 {
                record.started = None;
            }
        }
        self.become_ready(cx, key, record);
    }

    /// A failed attempt keeps its row, and the next one has a row of its own: with a number of its own, ready at that
    /// time.
    pub(crate) fn next_row(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut old: TaskRecord,
        outcome: TaskOutcome,
        until: Timestamp,
    ) {
        let next = self.successor_row(cx, key, &old, TaskState::Backoff { until }, false);
        old.state = TaskState::Ended(outcome);
        old.ended = Some(cx.now);
        self.retire(cx, key, old);
        self.put(cx, key, next);
        if until <= cx.now {
            self.pause_is_over(cx, key);
        }
    }

    /// The row of a further attempt, beside the row of the one before.
    pub(crate) fn successor_row(
        &mut self,
        cx: &Cx<'_>,
        key: Key,
        old: &TaskRecord,
        state: TaskState,
        by_hand: bool,
    ) -> TaskRecord {
        let held_back = match state {
            TaskState::Backoff { until } => until.since(cx.now).as_secs_f64().ceil() as u32,
            TaskState::Blocked
            | TaskState::Ready
            | TaskState::Running { .. }
            | TaskState::Stopping { .. }
            | TaskState::Waiting { .. }
            | TaskState::Open
            | TaskState::Ended(_) => 0,
        };
        let before = old.served.as_deref();
        let seq = self.new_number(key);
        let uncounted = self.count(seq, !self.node(key).spec.out_of_sight);
        let mut next = TaskRecord {
            seq,
            state,
            generation: old.generation + 1,
            ready: cx.now,
            started: None,
            ended: None,
            output: None,
            items: None,
            iteration: 0,
            child: None,
            // Of a retry that nobody has asked for one wants to know why.
            error: if by_hand { None } else { old.error.clone() },
            ..old.clone()
        };
        next.served = Some(Box::new(Served {
            by_hand,
            uncounted,
            input: self.given(key, self.node(key)),
            retry_of: Some(old.seq),
            retries: before.map_or(0, |served| served.retries) + 1,
            superseded: false,
            skipped_by_hand: false,
            checking: None,
            worker: None,
            domain: before.and_then(|served| served.domain.clone()),
            polls: 0,
            held_back,
            updated: cx.now,
            first_ready: before.map_or(old.ready, |served| served.first_ready),
            called: Called(self.node(key).spec.label.clone()),
        }));
        next
    }

    /// The row is of the past: a later attempt has one of its own.
    pub(crate) fn retire(&mut self, cx: &mut Cx<'_>, key: Key, mut old: TaskRecord) {
        if let Some(served) = &mut old.served {
            served.superseded = true;
            served.updated = cx.now;
        }
        self.note_past(&old);
        self.clear_timer(cx, key);
        cx.batch.task(&old);
        self.forget(old.seq);
    }

    /// An attempt of a worker is told to stop: nothing of it lives here that could go on.
    pub(crate) fn stop_polled(&mut self, cx: &mut Cx<'_>, key: Key) {
        let seq = self.record(key).seq;
        cx.admission.release(cx.now, TaskKey { run: self.id(), task: seq });
    }

    /// Which token the living attempt of a task has.
    pub(crate) fn living_token(&self, key: Key) -> Option<FencingToken> {
        self.state(key)?.token()
    }

    /// Why a run of a server does not succeed, as Conductor words it.
    pub(crate) fn served_reason(
        &self,
        record: &TaskRecord,
        outcome: TaskOutcome,
        error: &TaskError,
    ) -> String {
        let status = match outcome {
            TaskOutcome::TimedOut => "TIMED_OUT",
            TaskOutcome::Cancelled => "TERMINATED",
            TaskOutcome::Failed | TaskOutcome::Succeeded | TaskOutcome::Skipped => "FAILED",
        };
        let id = partitur_model::TaskId::new(self.id(), record.seq);
        format!("Task {id} failed with status: {status} and reason: '{}'", error.message)
    }
}

fn queue_of(task_type: &Arc<str>, domain: Option<&str>) -> QueueName {
    let domain = domain.filter(|&domain| domain != "NO_DOMAIN").map(Into::into);
    QueueName { task_type: task_type.clone(), domain }
}

/// The input with those entries of the template that it lacks, or in which it has null.
fn filled(input: Payload, template: &Payload) -> Payload {
    let (Some(mut entries), Some(template)) = (input.entries(), template.entries()) else { return input };
    for (name, value) in template {
        match entries.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if known.is_null() => *known = value,
            Some(_) => {}
            None => entries.push((name, value)),
        }
    }
    Payload::object(entries)
}
