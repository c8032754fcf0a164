//! What somebody outside says about a task: a worker about its own, a person about one that waits.

use std::time::Duration;

use partitur_model::record::{Checking, Served, TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{AttemptId, Payload, RunId, TaskSeq, Timestamp};

use crate::admission::TaskKey;
use crate::cx::Cx;
use crate::effect::{Effect, Refusal};
use crate::input::{TaskName, Update, UpdateStatus};
use crate::program::Action;
use crate::ready::CANCELLED;
use crate::run::{Key, Run};

/// A worker says that its task has failed.
const FAILED: &str = "failed";
/// A worker says that its task must not be tried again.
pub(crate) const FAILED_FOR_GOOD: &str = "failed-for-good";

/// What became of an update.
pub(crate) enum Updated {
    /// This task is updated, or stays as it is because it has ended.
    Task {
        /// Which.
        task: TaskSeq,
        /// Whether it has ended now.
        ended: bool,
    },
    /// It is meant for a task of a sub-run.
    Below(Box<Update>),
}

impl Run {
    /// Whether the run has, or had, a task of this number.
    pub(crate) fn knows(&self, task: TaskSeq) -> bool {
        task.0 >= 1 && task.0 as usize <= self.numbers()
    }

    /// Somebody says how a task stands. About a task that has ended there is no more to say: nothing changes.
    pub(crate) fn update(&mut self, cx: &mut Cx<'_>, mut update: Update) -> Result<Updated, Refusal> {
        if !self.serves() {
            // Tasks of native documents are nobody's outside.
            return Err(Refusal::UnknownTask("that a worker may have".to_owned()));
        }
        let key = match &update.task {
            TaskName::Seq(seq) if !self.knows(*seq) => return Err(Refusal::UnknownTask(seq.0.to_string())),
            TaskName::Seq(seq) => match self.key_of(*seq) {
                Some(key) => key,
                // Another attempt is at work by now.
                None => return Ok(Updated::Task { task: *seq, ended: true }),
            },
            TaskName::Reference(name) => {
                self.open_task(name).ok_or_else(|| Refusal::UnknownTask(name.clone()))?
            }
            TaskName::Blocked => match self.blocked_task() {
                Some(Blocked::Here(key)) => key,
                Some(Blocked::Below(run)) => {
                    update.run = run;
                    return Ok(Updated::Below(Box::new(update)));
                }
                None => return Err(Refusal::UnknownTask("that is blocked".to_owned())),
            },
        };
        let task = self.record(key).seq;
        cx.batch.log(self.id(), task, std::mem::take(&mut update.logs));
        // One that was reset and waits for those before it is at nobody's: what is said of it comes too late.
        let is_open = |state: TaskState| !state.is_ended() && state != TaskState::Blocked;
        #[cfg(feature = "planted-faults")]
        let is_open = |state: TaskState| {
            let is_blocked = state == TaskState::Blocked;
            let wrong = partitur_model::planted::Planted::ResetTaskUpdated.is_here();
            is_open(state) || is_blocked && wrong
        };
        if !self.rec.state.is_ended() && self.state(key).is_some_and(is_open) {
            self.update_open(cx, key, update)?;
        }
        // A retry goes on under another number: then this one has ended, too.
        let ended = self.key_of(task).is_none_or(|key| !self.state(key).is_some_and(is_open));
        Ok(Updated::Task { task, ended })
    }

    fn update_open(&mut self, cx: &mut Cx<'_>, key: Key, update: Update) -> Result<(), Refusal> {
        let mut record = self.record(key);
        let is_work = matches!(self.node(key).action, Action::Attempt(_));
        let is_wait = matches!(self.node(key).action, Action::Wait(_));
        if !is_work && !is_wait {
            let problem = "is no task of a worker, and does not wait for a signal".to_owned();
            return Err(Refusal::WrongTaskState { task: record.path.to_string(), problem });
        }
        if record.served.as_ref().is_some_and(|served| served.checking == Some(Checking::Output)) {
            // It has said all there is to say.
            return Ok(());
        }
        if update.status == UpdateStatus::Alive {
            self.sign_of_life(cx, key, record);
            return Ok(());
        }
        note(cx.now, &mut record, &update);
        match update.status {
            UpdateStatus::InProgress { pause } if is_work => {
                self.stop_pushed(cx, key);
                self.again_later(cx, key, record, pause);
            }
            UpdateStatus::Alive | UpdateStatus::InProgress { .. } => self.put(cx, key, record),
            UpdateStatus::Completed
            | UpdateStatus::Failed
            | UpdateStatus::FailedForGood
            | UpdateStatus::Cancelled => {
                self.stop_pushed(cx, key);
                cx.take_back(TaskKey { run: self.id(), task: record.seq });
                record.started.get_or_insert(cx.now);
                self.conclude(cx, key, record, &update);
            }
        }
        Ok(())
    }

    /// What is executed here is told to stop; its own end says nothing any more.
    pub(crate) fn stop_pushed(&mut self, cx: &mut Cx<'_>, key: Key) {
        if let Some(token) = self.living_token(key).filter(|_| !self.node(key).is_polled()) {
            let attempt = AttemptId { run: self.id(), task: self.record(key).seq, token };
            cx.batch.effect(Effect::Stop(attempt));
        }
    }

    /// The task is over for whoever did it.
    fn conclude(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, update: &Update) {
        let reason = update.reason.clone().unwrap_or_default();
        match update.status {
            UpdateStatus::Completed => {
                let output = record.output.take().unwrap_or_default();
                self.succeed(cx, key, record, output);
            }
            UpdateStatus::Failed => {
                self.judge(cx, key, record, TaskError::new(FAILED, reason), TaskOutcome::Failed);
            }
            UpdateStatus::FailedForGood => {
                let error = TaskError::terminal(FAILED_FOR_GOOD, reason);
                self.judge(cx, key, record, error, TaskOutcome::Failed);
            }
            UpdateStatus::Cancelled => {
                record.error = Some(TaskError::terminal(CANCELLED, reason));
                self.end_task(cx, key, record, TaskOutcome::Cancelled);
            }
            UpdateStatus::Alive | UpdateStatus::InProgress { .. } => {}
        }
    }

    fn sign_of_life(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord) {
        if let Some(served) = &mut record.served {
            served.updated = cx.now;
        }
        if let (TaskState::Running { lease, .. }, Some(limit)) =
            (&mut record.state, self.lease_of(self.node(key)))
        {
            *lease = cx.now + limit;
        }
        self.put(cx, key, record);
    }

    /// The worker has given the task back; it may be had again after the pause, and no try is used up.
    pub(crate) fn again_later(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, pause: Duration) {
        cx.take_back(TaskKey { run: self.id(), task: record.seq });
        if record.state.token().is_some() {
            record.attempt = record.attempt.saturating_sub(1);
        }
        record.generation += 1;
        let until = cx.now + pause;
        if let Some(served) = &mut record.served {
            served.held_back = u32::try_from(pause.as_secs()).unwrap_or(u32::MAX);
        }
        if pause.is_zero() && !self.rec.state.is_ended() {
            self.become_ready(cx, key, record);
        } else {
            record.state = TaskState::Backoff { until };
            self.put(cx, key, record);
        }
    }

    /// The first task of this name, in order, that has begun and not ended; of its iterations the name speaks with or
    /// without a suffix.
    fn open_task(&self, name: &str) -> Option<Key> {
        let found = self.open_task_of_the_newest(name);
        debug_assert!(
            found.is_none() || self.numbers() > 100 || found == self.open_task_of_all(name),
            "the newest `{name}` is {found:?}, the first {:?}",
            self.open_task_of_all(name)
        );
        found.or_else(|| self.open_task_of_all(name))
    }

    /// As far as newest branches and iterations go, which is all that is open in most runs: a large run need not be walked.
    fn open_task_of_the_newest(&self, name: &str) -> Option<Key> {
        let plain = name.rsplit_once("__").filter(|(_, index)| index.parse::<u32>().is_ok());
        let exact = plain.into_iter().flat_map(|(plain, _)| self.newest_of(plain));
        let exact = exact.chain(self.newest_of(name)).filter(|key| self.reference(*key) == name);
        let first = |keys: &mut dyn Iterator<Item = Key>| {
            keys.filter(|key| self.is_open_task(*key)).min_by_key(|key| self.task(*key).map(|task| task.seq))
        };
        first(&mut { exact }).or_else(|| first(&mut self.newest_of(name)))
    }

    fn open_task_of_all(&self, name: &str) -> Option<Key> {
        let open = || self.numbered().filter(|key| self.is_open_task(*key));
        let plain = |key: &Key| &*self.node(*key).name == name;
        open().find(|key| self.reference(*key) == name).or_else(|| open().find(plain))
    }

    /// It has begun and not ended.
    fn is_open_task(&self, key: Key) -> bool {
        self.state(key).is_some_and(|state| !state.is_ended() && state != TaskState::Blocked)
    }

    /// The name of a task in sight of a server's users: that of its node, with the number of the iteration around it.
    pub(crate) fn reference(&self, key: Key) -> String {
        let name = &self.node(key).name;
        let mut scope = key.scope;
        while let Some((container, index)) = self.scope(scope).container {
            if matches!(self.node(container).action, Action::Loop(_)) {
                return format!("{name}__{index}");
            }
            scope = container.scope;
        }
        name.to_string()
    }

    /// What a signal to the whole run means: the first task that waits for one, or a sub-run in which there may be one.
    fn blocked_task(&self) -> Option<Blocked> {
        self.numbered().find_map(|key| {
            let task = self.task(key)?;
            match (&self.node(key).action, task.state) {
                // One that waits for a time may be signalled, too.
                (Action::Wait(_), TaskState::Waiting { .. }) => Some(Blocked::Here(key)),
                (Action::SubRun { .. }, TaskState::Waiting { .. }) => task.child.map(Blocked::Below),
                _ => None,
            }
        })
    }
}

/// Where a task is that a signal ends.
enum Blocked {
    Here(Key),
    Below(RunId),
}

/// Output, reason and worker are what the update says.
fn note(now: Timestamp, record: &mut TaskRecord, update: &Update) {
    if let Some(output) = &update.output {
        let known = record.output.take().unwrap_or_default();
        let output = if update.merge { merged(&known, output) } else { output.clone() };
        record.output = (!output.is_null()).then_some(output);
    }
    if let Some(reason) = &update.reason {
        record.error = Some(TaskError::new(FAILED, reason.clone()));
    }
    let served = record.served.get_or_insert_with(Box::<Served>::default);
    served.updated = now;
    if let Some(worker) = &update.worker {
        served.worker = Some(worker.clone());
    }
}

fn merged(known: &Payload, new: &Payload) -> Payload {
    let (Some(mut entries), Some(added)) = (known.entries(), new.entries()) else { return new.clone() };
    for (name, value) in added {
        match entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => entries.push((name, value)),
        }
    }
    Payload::object(entries)
}
