//! What people want of runs.

use partitur_model::Payload;
use partitur_model::callback::Moment;
use partitur_model::event::EventKind;
use partitur_model::record::{RunState, TaskError, TaskState};

use crate::admission::TaskKey;
use crate::cx::Cx;
use crate::effect::Refusal;
use crate::input::Command;
use crate::program::Action;
use crate::ready::CANCELLED;
use crate::reset::state_name;
use crate::run::{Key, Run};

impl Run {
    /// Does what somebody wants, or says why not.
    pub(crate) fn command(&mut self, cx: &mut Cx<'_>, command: Command) -> Result<(), Refusal> {
        match command {
            Command::Pause => self.pause(cx),
            Command::Unpause => self.unpause(cx),
            Command::Cancel { reason } => self.cancel_by_hand(cx, &reason),
            Command::CancelTask { task } => self.cancel_task(cx, &task),
            Command::CancelAgent { agent } => self.cancel_agent(cx, &agent),
            Command::Signal { task, result } => self.signal(cx, &task, result),
            Command::Retry { resume_sub_runs } => self.retry(cx, resume_sub_runs),
            Command::Rerun { task } => self.rerun(cx, &task),
            Command::Restart => self.restart(cx),
            Command::Rollback => self.rollback_again(cx),
            Command::RestartWith(restart) => self.restart_with(cx, *restart),
            Command::RerunFrom { task, input } => self.rerun_from(cx, task, input),
            Command::Skip { task, input, output } => self.skip_by_hand(cx, &task, input, output),
            Command::SetVariables(values) => self.set_variables_by_hand(cx, &values),
            Command::ReleaseHeldBack => self.release_held_back(cx),
            Command::Remove { running } => self.remove(cx, running),
        }
    }

    fn pause(&mut self, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        match self.rec.state {
            RunState::Paused => return Ok(()),
            RunState::Running => {}
            RunState::Ending(_) | RunState::RollingBack(_) | RunState::Ended(_) => {
                return Err(self.wrong_state("only a running run can be paused"));
            }
        }
        self.set_state(cx, RunState::Paused);
        // While nothing is considered, nobody would find again what only follows from the rows of others.
        self.write_derived(cx);
        if self.serves() {
            // By Conductor's rules workers still get what was there for them.
            return Ok(());
        }
        for task in self.tasks().filter(|task| task.state == TaskState::Ready) {
            cx.take_back(TaskKey { run: task.run, task: task.seq });
        }
        Ok(())
    }

    fn unpause(&mut self, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        match self.rec.state {
            RunState::Paused => {}
            RunState::Running if !self.serves() => return Ok(()),
            RunState::Running | RunState::Ending(_) | RunState::RollingBack(_) | RunState::Ended(_) => {
                return Err(self.wrong_state("only a paused run can go on"));
            }
        }
        if self.serves() {
            // By Conductor's rules its time counts anew.
            self.clear_run_deadline(cx);
            self.rec.begun = cx.now;
            self.set_run_deadline(cx);
        }
        self.set_state(cx, RunState::Running);
        let ready: Vec<Key> = self.keys().filter(|&key| self.state(key) == Some(TaskState::Ready)).collect();
        for key in ready {
            self.offer(cx, key);
        }
        self.consider_all(cx);
        Ok(())
    }

    fn set_state(&mut self, cx: &mut Cx<'_>, state: RunState) {
        self.rec.state = state;
        self.write(cx);
        cx.event(self.id(), EventKind::Run { state });
        if let Some(moment) = Moment::of_state(state) {
            self.call_back(cx, moment);
        }
    }

    fn cancel_by_hand(&mut self, cx: &mut Cx<'_>, reason: &str) -> Result<(), Refusal> {
        match self.rec.state {
            RunState::Ended(outcome) if self.serves() => self.cancel_ended(cx, outcome),
            RunState::Ended(_) => Err(self.wrong_state("it has ended already")),
            RunState::RollingBack(_) => Err(self.wrong_state("it is being undone; that cannot be cancelled")),
            RunState::Running | RunState::Paused | RunState::Ending(_) => {
                self.cancel(cx, reason);
                Ok(())
            }
        }
    }

    fn cancel_task(&mut self, cx: &mut Cx<'_>, path: &str) -> Result<(), Refusal> {
        let key = self.find(path).ok_or_else(|| Refusal::UnknownTask(path.to_owned()))?;
        if self.state(key).is_none_or(TaskState::is_ended) {
            let problem = "has ended already".to_owned();
            return Err(Refusal::WrongTaskState { task: path.to_owned(), problem });
        }
        self.cancel_whatever(cx, key);
        Ok(())
    }

    /// Cancels a task that has begun, or was reset and has not begun again.
    pub(crate) fn cancel_whatever(&mut self, cx: &mut Cx<'_>, key: Key) {
        match self.state(key) {
            Some(TaskState::Open) => {
                self.close_container(cx, key, TaskError::terminal(CANCELLED, "it was cancelled"));
            }
            Some(TaskState::Blocked) => {
                let record = self.record(key);
                self.cancelled(cx, key, record);
            }
            Some(
                TaskState::Ready
                | TaskState::Running { .. }
                | TaskState::Stopping { .. }
                | TaskState::Backoff { .. }
                | TaskState::Waiting { .. },
            ) => self.cancel_instance(cx, key),
            Some(TaskState::Ended(_)) | None => {}
        }
    }

    /// Cancels whatever of an agent's tasks has begun and not ended; says so if there is none.
    fn cancel_agent(&mut self, cx: &mut Cx<'_>, agent: &str) -> Result<(), Refusal> {
        let keys: Vec<Key> = self.keys().filter(|&key| self.is_of_agent(key, agent)).collect();
        if keys.is_empty() {
            return Err(Refusal::NothingToDo(format!(
                "the agent `{agent}` has no task in flight in this run"
            )));
        }
        for key in keys {
            self.cancel_whatever(cx, key);
        }
        Ok(())
    }

    fn is_of_agent(&self, key: Key, agent: &str) -> bool {
        let in_flight = self.state(key).is_some_and(|state| !state.is_ended());
        in_flight
            && self
                .node(key)
                .agent
                .as_ref()
                .is_some_and(|template| template.resolve_text(&crate::run::View::of(self, key)) == agent)
    }

    fn signal(
        &mut self,
        cx: &mut Cx<'_>,
        path: &str,
        result: Result<Payload, TaskError>,
    ) -> Result<(), Refusal> {
        let key = self.find(path).ok_or_else(|| Refusal::UnknownTask(path.to_owned()))?;
        let waits = matches!(self.state(key), Some(TaskState::Waiting { .. }));
        if !waits || !matches!(self.node(key).action, Action::Wait(_)) {
            let problem = "does not wait for a signal".to_owned();
            return Err(Refusal::WrongTaskState { task: path.to_owned(), problem });
        }
        let record = self.record(key);
        match result {
            Ok(output) => self.succeed(cx, key, record, output),
            Err(error) => self.fail_task(cx, key, record, error),
        }
        Ok(())
    }

    pub(crate) fn wrong_state(&self, remedy: &str) -> Refusal {
        Refusal::WrongState { state: state_name(self.rec.state).to_owned(), remedy: remedy.to_owned() }
    }
}
