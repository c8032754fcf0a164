//! Workers of a server: they come for tasks and say how these stand, in time, late, twice, or never. And the catalogue,
//! which knows what sub-runs execute.

use std::sync::Arc;
use std::time::Duration;

use partitur_engine::admission::Blocker;
use partitur_engine::{
    Command, Handed, Input, Poll, QueueName, ReplyTo, Resolved, TaskName, Update, UpdateStatus,
};
use partitur_model::catalogue::EntryKind;
use partitur_model::change::Change;
use partitur_model::definition::Kind;
use partitur_model::record::{RunState, TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{AttemptId, Payload, RunId, TaskSeq, Timestamp};

use super::{Event, Stop, World};
use crate::checkers::Call;
use crate::disk::Disk;
use crate::faults::Fault;
use crate::workload::{DOMAIN, TYPES, line};

/// So many workers there are.
pub const WORKERS: u8 = 4;

/// What a worker is going to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Saying {
    attempt: AttemptId,
    /// The name of its task.
    name: Arc<str>,
    status: UpdateStatus,
    /// It names the task, not its number.
    by_name: bool,
    /// And wants the next one.
    then: Option<u32>,
}

impl<D: Disk> World<D> {
    /// A worker comes for tasks, and will again.
    pub(super) fn worker(&mut self, worker: u8) -> Result<(), Stop> {
        if !self.is_busy() {
            return Ok(());
        }
        let pause = self.rng.pause(20, 4_000);
        self.at(pause, Event::Worker(worker));
        let count = self.rng.between(0, 3) as u32;
        let wait = self.rng.percent(60);
        let queue = self.some_queue();
        self.poll(queue, count, wait)
    }

    fn some_queue(&mut self) -> QueueName {
        let task_type = TYPES[self.rng.below(TYPES.len())];
        let domain = task_type == TYPES[1] && self.rng.percent(40);
        QueueName { task_type: task_type.into(), domain: domain.then(|| DOMAIN.into()) }
    }

    fn poll(&mut self, queue: QueueName, count: u32, wait: bool) -> Result<(), Stop> {
        if self.shard.is_none() {
            return Ok(());
        }
        let (reply, call) = self.call(None, None);
        let call = Call { queue: Some(queue.to_string()), ..call };
        if wait {
            let pause = self.rng.pause(50, 5_000);
            self.soon(pause, Event::PollOver(reply));
        }
        let poll = Poll { queue, worker: "worker".into(), count, wait, reply };
        self.input(Input::Poll(poll), Some((reply, call)))
    }

    /// The answer to a poll, or to an update with one.
    pub(super) fn handed_out(&mut self, to: ReplyTo, tasks: Vec<Handed>) {
        self.calls.remove(&to);
        self.summary.deed(if tasks.is_empty() { "poll answered with nothing" } else { "poll answered" });
        self.summary.dispatches += tasks.len() as u64;
        if tasks.is_empty() {
            return;
        }
        if self.is_busy() && self.rng.percent(5) {
            self.fault(Fault::AnswerLost);
            let pause = self.rng.pause(0, 50);
            self.soon(pause, Event::GiveBack(tasks.iter().map(|handed| handed.attempt).collect()));
            return;
        }
        tasks.into_iter().for_each(|handed| self.work(&handed));
    }

    /// A worker has a task.
    fn work(&mut self, handed: &Handed) {
        let busy = self.is_busy();
        if busy && self.rng.percent(3) {
            return self.fault(Fault::WorkerGone);
        }
        let late = busy && self.rng.percent(5);
        if late {
            self.fault(Fault::UpdateLate);
        }
        let saying = Saying {
            attempt: handed.attempt,
            name: handed.task.node.clone(),
            status: if busy { self.some_status() } else { UpdateStatus::Completed },
            by_name: busy && self.rng.percent(10),
            then: (busy && self.rng.percent(30)).then(|| self.rng.between(1, 2) as u32),
        };
        let pause = self.rng.pause(1, if late { 90_000 } else { 8_000 });
        self.at(pause, Event::Say(saying.clone()));
        if busy && self.rng.percent(6) {
            self.fault(Fault::UpdateDoubled);
            let pause = self.rng.pause(1, 20_000);
            self.at(pause, Event::Say(saying));
        }
    }

    fn some_status(&mut self) -> UpdateStatus {
        let pause = Duration::from_secs(self.rng.below(5) as u64);
        self.rng.weighted(&[
            (68, UpdateStatus::Completed),
            (10, UpdateStatus::Failed),
            (2, UpdateStatus::FailedForGood),
            (1, UpdateStatus::Cancelled),
            (9, UpdateStatus::InProgress { pause }),
            (10, UpdateStatus::Alive),
        ])
    }

    /// A worker says how its task stands.
    pub(super) fn say(&mut self, saying: Saying) -> Result<(), Stop> {
        let Some(shard) = &self.shard else {
            // Nobody listens. It tries again, unless it gives up.
            if self.rng.percent(70) {
                let pause = self.rng.pause(500, 10_000);
                self.at(pause, Event::Say(saying));
            }
            return Ok(());
        };
        if saying.attempt.token.epoch() < shard.engine().epoch() {
            self.fault(Fault::UpdateOutlivesCrash);
        }
        if saying.status == UpdateStatus::Alive {
            // It lives, and will have more to say.
            let pause = self.rng.pause(1_000, 8_000);
            let status = if self.rng.percent(50) { UpdateStatus::Alive } else { UpdateStatus::Completed };
            let status = if self.is_busy() { status } else { UpdateStatus::Completed };
            self.at(pause, Event::Say(Saying { status, ..saying.clone() }));
        }
        let seq = saying.attempt.task;
        let (task, deed) = match saying.by_name {
            true => (TaskName::Reference(saying.name.to_string()), "update by name"),
            false => (TaskName::Seq(seq), "update by number"),
        };
        self.summary.deed(deed);
        self.update(saying.attempt.run, task, saying.status, saying.then)
    }

    /// Somebody says how a task stands that no worker has, or another one.
    pub(super) fn somebody_says(
        &mut self,
        run: RunId,
        task: TaskName,
        status: UpdateStatus,
    ) -> Result<(), Stop> {
        self.summary.deed(match task {
            TaskName::Seq(_) | TaskName::Reference(_) => "update by a person",
            TaskName::Blocked => "signal to what waits",
        });
        self.update(run, task, status, None)
    }

    fn update(
        &mut self,
        run: RunId,
        task: TaskName,
        status: UpdateStatus,
        then: Option<u32>,
    ) -> Result<(), Stop> {
        self.summary.deed(match status {
            UpdateStatus::Alive => "it lives",
            UpdateStatus::InProgress { .. } => "it goes on later",
            UpdateStatus::Completed => "it is done",
            UpdateStatus::Failed => "it has failed",
            UpdateStatus::FailedForGood => "it has failed for good",
            UpdateStatus::Cancelled => "it was cancelled",
        });
        let (reply, call) = self.call(None, None);
        let ends = match &task {
            TaskName::Seq(seq) if status == UpdateStatus::Completed => self.attempt_at(run, *seq),
            TaskName::Seq(_) | TaskName::Reference(_) | TaskName::Blocked => None,
        };
        let queue = then.map(|_| self.some_queue());
        let call = Call { ends, queue: queue.as_ref().map(QueueName::to_string), ..call };
        if queue.is_some() {
            self.summary.deed("update and poll in one");
        }
        let wait = queue.is_some() && self.rng.percent(50);
        if wait {
            let pause = self.rng.pause(50, 5_000);
            self.soon(pause, Event::PollOver(reply));
        }
        let worker: Arc<str> = "worker".into();
        let count = then.unwrap_or_default();
        let poll = queue.map(|queue| Poll { queue, worker: worker.clone(), count, wait, reply });
        let output = Payload::object([("n", Payload::from(self.rng.between(0, 5)))]);
        let logs = if self.rng.percent(8) { vec![line()] } else { Vec::new() };
        let update = Update {
            run,
            task,
            status,
            output: self.rng.percent(70).then_some(output),
            merge: self.rng.percent(20),
            reason: self.rng.percent(20).then(|| "it said why".to_owned()),
            worker: Some(worker),
            logs,
            reply: poll.is_none().then_some(reply),
            then: poll,
        };
        self.input(Input::Update(Box::new(update)), Some((reply, call)))
    }

    /// The attempt that lives at a task, in memory or by the rows.
    fn attempt_at(&self, run: RunId, task: TaskSeq) -> Option<AttemptId> {
        let engine = self.shard.as_ref()?.engine();
        let row = match engine.run(run) {
            Some(_) => engine.tasks(run).find(|row| row.seq == task),
            None => self.decided.task(run, task),
        };
        Some(AttemptId { run, task, token: row?.state.token()? })
    }

    /// Somebody asks what a description of a run means.
    pub(super) fn look_up(&mut self, run: RunId, task: Option<TaskSeq>, generation: u32) {
        let pause = self.rng.pause(1, 500);
        self.soon(pause, Event::Found(run, task, generation));
        if self.rng.percent(8) {
            self.fault(Fault::AnswerDoubled);
            let pause = self.rng.pause(1, 5_000);
            self.soon(pause, Event::Found(run, task, generation));
        }
    }

    /// The catalogue answers: what sub-runs execute, or nothing.
    pub(super) fn found(&mut self, run: RunId, task: Option<TaskSeq>, generation: u32) -> Result<(), Stop> {
        let result = if self.rng.percent(88) {
            self.summary.deed("definition found");
            let leaf = self.documents.0.values().next().expect("a world has documents");
            Ok(Box::new(Resolved {
                program: leaf.program.clone(),
                definition: leaf.record.clone(),
                input: Payload::object::<&str>([]),
                options: None,
            }))
        } else {
            self.summary.deed("definition not found");
            Err(TaskError::terminal("not-found", "there is no such definition"))
        };
        self.input(Input::Resolved { run, task, generation, result }, None)
    }

    /// Nothing will happen by itself: workers come for everything, and what nobody will speak about is done.
    pub(super) fn everybody_comes(&mut self) -> Result<(), Stop> {
        let open: Vec<RunId> =
            self.durable.runs().filter(|run| !run.state.is_ended()).map(|run| run.id).collect();
        if open.is_empty() {
            return Ok(());
        }
        let tasks = open.iter().flat_map(|&run| self.durable.tasks(run));
        let alone: Vec<(RunId, TaskSeq)> =
            tasks.filter(|task| self.is_left_alone(task)).map(|task| (task.run, task.seq)).collect();
        for (run, task) in alone {
            self.update(run, TaskName::Seq(task), UpdateStatus::Completed, None)?;
        }
        let domains = [None, Some(DOMAIN.into())];
        for domain in domains {
            for task_type in TYPES {
                self.poll(QueueName { task_type: task_type.into(), domain: domain.clone() }, 20, false)?;
            }
        }
        Ok(())
    }

    /// A task that waits for people, or that a worker has of which nothing is heard.
    fn is_left_alone(&self, task: &TaskRecord) -> bool {
        let node = self.durable.run(task.run).and_then(|run| {
            let definition = self.documents.of(run);
            self.durable.node(definition, task)
        });
        match node.map(|node| &node.kind) {
            Some(Kind::Remote(remote)) => match task.state {
                TaskState::Running { .. } => !remote.pushed,
                TaskState::Waiting { .. } => true,
                _ => false,
            },
            Some(Kind::Wait(_)) => matches!(task.state, TaskState::Waiting { until: Timestamp::MAX }),
            _ => false,
        }
    }

    // What occurs.

    /// A command for a run that has kin.
    pub(super) fn note_kin(&mut self, run: RunId, command: &Command) {
        let Command::Cancel { .. } = command else { return };
        let live = |run: RunId| self.durable.run(run).is_some_and(|run| !run.state.is_ended());
        if self.durable.run(run).is_some_and(|record| record.parent.is_some()) && live(run) {
            self.summary.deed("a sub-run is cancelled");
        }
        if live(run) && self.durable.tasks(run).any(|task| task.child.is_some_and(live)) {
            self.summary.deed("a run with a living sub-run is cancelled");
        }
    }

    /// Counts what tasks and runs wait for.
    pub(super) fn note_waits(&mut self) {
        let Some(shard) = &self.shard else { return };
        let engine = shard.engine();
        for wait in engine.waits() {
            let deed = match wait.blocked_on {
                Blocker::Rate(..) => "a task waits for a rate",
                Blocker::Resource(_) if wait.task.task == TaskSeq(0) => "a run waits for room",
                Blocker::Resource(resource) if engine.resource_name(resource).starts_with("limit/") => {
                    "a task waits for a limit"
                }
                Blocker::Resource(_) | Blocker::Undecided | Blocker::Breaker(..) => continue,
            };
            self.summary.deed(deed);
        }
    }

    /// Counts what the engine has been seen to do.
    pub(super) fn note_happenings(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Task(task) => happenings(task).for_each(|deed| self.summary.deed(deed)),
                Change::Run(run) => {
                    if run.parent.is_some() {
                        self.summary.deed("sub-run");
                    }
                    if run.failure_run.is_some() {
                        self.summary.deed("run after a failure");
                    }
                    if matches!(run.state, RunState::Ended(partitur_model::record::RunOutcome::TimedOut)) {
                        self.summary.deed("run timed out");
                    }
                }
                Change::RemoveRun(_) => self.summary.deed("run removed"),
                Change::RemoveTask(..) => self.summary.deed("row removed"),
                Change::Log(..) => self.summary.deed("log written"),
                Change::Entry(entry) if entry.kind == EntryKind::Lock => self.note_lock(entry),
                Change::Entry(_) => self.summary.deed("document kept"),
                Change::Note(_) => self.summary.deed("note written"),
                Change::Node(_) | Change::Definition(_) | Change::Breaker(_) => {}
            }
        }
    }
}

/// What a row says has happened.
fn happenings(task: &TaskRecord) -> impl Iterator<Item = &'static str> {
    let served = task.served.as_deref();
    let code = task.error.as_ref().map(|error| error.code.as_str());
    let all = [
        (task.state == TaskState::Ended(TaskOutcome::TimedOut), "task timed out"),
        (code == Some("heartbeat"), "task showed no sign of life"),
        (served.is_some_and(|served| served.retries > 0), "task tried again"),
        (served.is_some_and(|served| served.skipped_by_hand), "task left out by hand"),
        (served.is_some_and(|served| served.held_back > 0), "task held back"),
        (served.is_some_and(|served| served.domain.is_some()), "task of a domain"),
        (served.is_some_and(|served| served.checking.is_some()), "task compared with a schema"),
        (task.iteration > 1, "second iteration"),
        (task.node.contains('_'), "task of a dynamic branch"),
    ];
    all.into_iter().filter_map(|(happened, deed)| happened.then_some(deed))
}
