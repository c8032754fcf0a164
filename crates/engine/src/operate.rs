//! What people do to runs of a server, by Conductor's rules.

use partitur_model::Payload;
use partitur_model::record::{
    Called, RunOutcome, RunState, Served, TaskError, TaskOutcome, TaskRecord, TaskState,
};
use partitur_model::{TaskSeq, Timestamp};

use crate::admission::TaskKey;
use crate::cx::{Cx, Todo};
use crate::effect::Refusal;
use crate::input::Restart;
use crate::program::Action;
use crate::reset::Again;
use crate::run::{Key, ROOT, Run};

impl Run {
    /// An ended run that did not succeed counts as cancelled once somebody cancels it; one that did stays as it is.
    pub(crate) fn cancel_ended(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) -> Result<(), Refusal> {
        match outcome {
            RunOutcome::Cancelled => Ok(()),
            RunOutcome::Succeeded => Err(self.wrong_state("it has succeeded already")),
            RunOutcome::Failed
            | RunOutcome::TimedOut
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed => {
                self.rec.state = RunState::Ended(RunOutcome::Cancelled);
                self.write(cx);
                Ok(())
            }
        }
    }

    /// Starts from the beginning, perhaps as something else.
    pub(crate) fn restart_with(&mut self, cx: &mut Cx<'_>, restart: Restart) -> Result<(), Refusal> {
        if !self.rec.state.is_ended() {
            return self.restart(cx);
        }
        if let Some((program, record)) = restart.definition {
            self.program = program;
            self.rec.definition = record.id;
        }
        if let Some(input) = restart.input {
            self.rec.input = input;
        }
        if restart.correlation.is_some() || restart.version.is_some() {
            let mut server = self.rec.options.server.as_deref().cloned().unwrap_or_default();
            server.correlation = restart.correlation.or(server.correlation);
            server.version = restart.version.unwrap_or(server.version);
            self.rec.options.server = Some(server.into());
        }
        self.rec.created = cx.now;
        let last_end = (self.rec.ended, self.rec.output.clone());
        self.restart(cx)?;
        if restart.keeps_end {
            (self.rec.ended, self.rec.output) = last_end;
            self.write(cx);
        }
        Ok(())
    }

    /// Goes on from one task, with another input for it if one is given.
    pub(crate) fn rerun_from(
        &mut self,
        cx: &mut Cx<'_>,
        task: TaskSeq,
        input: Option<Payload>,
    ) -> Result<(), Refusal> {
        if !self.rec.state.is_ended() {
            return Err(self.not_ended());
        }
        let key = self.key_of(task).ok_or_else(|| Refusal::UnknownTask(task.0.to_string()))?;
        self.begin_again(cx);
        self.given_instead = input.map(|input| (key, input));
        self.reset(cx, &[key], &[], Again::InPlace);
        self.consider_all(cx);
        Ok(())
    }

    /// Leaves out a task that has not begun.
    pub(crate) fn skip_by_hand(
        &mut self,
        cx: &mut Cx<'_>,
        name: &str,
        input: Payload,
        output: Payload,
    ) -> Result<(), Refusal> {
        if !self.serves() || !self.is_running() {
            return Err(self.wrong_state("only tasks of a running run of Conductor's can be left out"));
        }
        let node =
            *self.scope(ROOT).graph.names.get(name).ok_or_else(|| Refusal::UnknownTask(name.to_owned()))?;
        let key = Key { scope: ROOT, node };
        if self.task(key).is_some() {
            let problem = "has begun already".to_owned();
            return Err(Refusal::WrongTaskState { task: name.to_owned(), problem });
        }
        let mut record = self.record(key);
        let called = Called(self.node(key).spec.label.clone());
        record.ready = cx.now;
        record.output = (!output.is_null()).then_some(output);
        record.ended = Some(cx.now);
        record.served = Some(Box::new(Served {
            input,
            skipped_by_hand: true,
            // It stands before all tasks that come.
            uncounted: record.seq.0,
            updated: cx.now,
            first_ready: cx.now,
            called,
            ..Served::default()
        }));
        self.put(cx, key, record);
        cx.agenda.push_back(Todo::Consider(self.id(), key));
        Ok(())
    }

    /// Adds to the run's variables.
    pub(crate) fn set_variables_by_hand(&mut self, cx: &mut Cx<'_>, values: &Payload) -> Result<(), Refusal> {
        if self.rec.state.is_ended() {
            return Err(self.wrong_state("it has ended already"));
        }
        self.set_variables(cx, values);
        Ok(())
    }

    /// Tasks of workers that are held back may be had at once.
    pub(crate) fn release_held_back(&mut self, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        if self.rec.state.is_ended() {
            return Err(self.wrong_state("it has ended already"));
        }
        let held: Vec<Key> = self
            .numbered()
            .filter(|&key| {
                matches!(self.state(key), Some(TaskState::Backoff { .. })) && self.node(key).is_polled()
            })
            .collect();
        for key in held {
            let mut record = self.record(key);
            record.generation += 1;
            if let Some(served) = &mut record.served {
                served.held_back = 0;
            }
            self.become_ready(cx, key, record);
        }
        Ok(())
    }

    /// Nothing is to be left of the run: what it holds and waits for goes, and its rows.
    pub(crate) fn remove(&mut self, cx: &mut Cx<'_>, running: bool) -> Result<(), Refusal> {
        if !running && !self.rec.state.is_ended() {
            return Err(self.wrong_state("only a run that has ended can be removed like this"));
        }
        let keys: Vec<Key> = self.numbered().collect();
        for key in keys {
            let seq = self.record(key).seq;
            self.clear_timer(cx, key);
            self.stop_pushed(cx, key);
            cx.take_back(TaskKey { run: self.id(), task: seq });
        }
        self.give_up_slots(cx);
        self.tell_parent_of_removal(cx);
        cx.batch.remove_run(self.id());
        Ok(())
    }

    /// Who waits for the run does not wait any longer.
    fn tell_parent_of_removal(&self, cx: &mut Cx<'_>) {
        if let Some(parent) = self.rec.parent.filter(|_| !self.rec.state.is_ended()) {
            let message = format!("its run {} was removed", self.id());
            cx.agenda.push_back(Todo::ChildEnded {
                parent,
                child: self.id(),
                outcome: RunOutcome::Failed,
                output: Payload::Null,
                error: Some(TaskError::terminal("lost", message)),
            });
        }
    }

    /// Resets a task of a server's run. What failed and is tried again gets a further row; what came after it has not
    /// happened and loses its row; a join waits again where it stands.
    pub(crate) fn reset_served(&mut self, cx: &mut Cx<'_>, key: Key, again: Again) {
        let record = self.record(key);
        let is_join = matches!(self.node(key).action, Action::Join(_));
        match again {
            Again::FurtherRow if !is_join => {
                let next = self.successor_row(cx, key, &record, TaskState::Blocked, true);
                self.remove_branches(cx, key);
                self.retire(cx, key, record);
                self.put(cx, key, next);
            }
            Again::FurtherRow => self.join_again(cx, key, record.ended),
            Again::InPlace => self.rerun_in_place(cx, key),
            Again::Gone if is_join => self.join_again(cx, key, record.ended),
            Again::Gone | Again::Unmade => self.unmake(cx, key, &record),
            Again::Kept => {}
        }
    }

    /// A join waits again where it stands, and when it had ended before is still seen.
    fn join_again(&mut self, cx: &mut Cx<'_>, key: Key, ended: Option<Timestamp>) {
        self.make_blank(cx, key);
        let record = TaskRecord { ended, ..self.record(key) };
        self.put(cx, key, record);
    }

    /// The task begins anew under its own number.
    fn rerun_in_place(&mut self, cx: &mut Cx<'_>, key: Key) {
        self.make_blank(cx, key);
        let mut record = self.record(key);
        if let Some(served) = &mut record.served {
            (served.by_hand, served.polls) = (true, 0);
        }
        self.put(cx, key, record);
    }

    /// What was not reached when a run of a server ended may be reached now that it goes on.
    pub(crate) fn forget_not_reached(&mut self, cx: &mut Cx<'_>) {
        if !self.serves() {
            return;
        }
        let not_reached = |key: &Key| {
            let task = self.task(*key);
            task.is_some_and(|task| {
                task.state == TaskState::Ended(TaskOutcome::Skipped) && task.served.is_none()
            })
        };
        for key in self.keys().filter(not_reached).collect::<Vec<Key>>() {
            let record = self.record(key);
            let seq = record.seq;
            self.put_derived(cx, key, TaskRecord { state: TaskState::Blocked, ..record });
            self.instance_mut(key).task = None;
            self.forget(seq);
        }
        for key in self.keys().collect::<Vec<Key>>() {
            self.recount(key);
        }
    }

    /// The task has not begun: there is no row of it.
    fn unmake(&mut self, cx: &mut Cx<'_>, key: Key, record: &TaskRecord) {
        self.make_blank(cx, key);
        cx.batch.remove_task(self.id(), record.seq);
        self.remove_past(cx, record);
        self.instance_mut(key).task = None;
        self.forget(record.seq);
    }
}
