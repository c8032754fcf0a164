//! Sub-runs: a task whose work is another run. What ends, cancels or revives one side reaches the other.

use partitur_model::callback::Moment;
use partitur_model::event::EventKind;
use partitur_model::record::{
    Parent, RunOptions, RunOutcome, RunRecord, RunState, TaskError, TaskOutcome, TaskRecord, TaskState,
    UndoState,
};
use partitur_model::{Payload, RunId, Timestamp};

use crate::cx::{Cx, Order, Todo};
use crate::program::Action;
use crate::ready::CANCELLED;
use crate::retry::mix;
use crate::run::{Key, OutputCheck, Run};
use crate::submission::complete_inputs;

/// Between the names of nested flows in [`RunRecord::flow`].
const FLOW_SEPARATOR: char = '\n';

/// Sub-runs may not be nested deeper: a flow that calls itself without end is refused here.
const NESTING_MAX: usize = 64;

impl Run {
    pub(crate) fn begin_sub_run(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        flow: &str,
        input: Payload,
    ) {
        let nested = self.rec.flow.split(FLOW_SEPARATOR).count();
        let path = nested_flow(&self.rec.flow, flow);
        let main = cx.programs.get(&self.rec.definition);
        let Some(program) = main.and_then(|main| main.flow(&path)).filter(|_| nested <= NESTING_MAX) else {
            let message = format!("the flow `{flow}` is unknown or nested deeper than {NESTING_MAX}");
            return self.fail_task(cx, key, record, TaskError::terminal("bad-flow", message));
        };
        let input = match complete_inputs(&program.definition, &given(input)) {
            Ok(input) => input,
            Err(faults) => {
                let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                let error = TaskError::terminal("bad-input", messages.join("; "));
                return self.fail_task(cx, key, record, error);
            }
        };
        let random = mix(self.id().random() ^ u64::from(record.seq.0) ^ (u64::from(record.generation) << 32));
        let child = cx.new_run_id(random);
        record.generation += 1;
        record.attempt += 1;
        record.started.get_or_insert(cx.now);
        record.child = Some(child);
        record.error = None;
        let limit = self.node(key).spec.timeouts.attempt;
        record.state = TaskState::Waiting { until: limit.map_or(Timestamp::MAX, |limit| cx.now + limit) };
        let parent = Parent { run: self.id(), task: record.seq, generation: record.generation };
        let name = program.definition.name.clone();
        let run = RunRecord {
            id: child,
            definition: self.rec.definition,
            flow: path,
            name,
            parent: Some(parent),
            state: RunState::Running,
            generation: 0,
            input,
            variables: Payload::Null,
            output: None,
            error: None,
            options: RunOptions {
                on_failure: self.rec.options.on_failure,
                labels: self.rec.options.labels.clone(),
                ..RunOptions::default()
            },
            created: cx.now,
            begun: cx.now,
            ended: None,
            failure_run: None,
        };
        cx.agenda.push_back(Todo::StartChild(Box::new(run), None));
        self.put(cx, key, record);
    }

    /// The task that waits for this child, if it still does.
    fn waiting_for(&self, parent: &Parent, child: RunId) -> Option<Key> {
        let key = self.key_of(parent.task)?;
        let task = self.task(key)?;
        (task.generation == parent.generation && task.child == Some(child)).then_some(key)
    }

    /// A sub-run has ended: so has the task that waits for it.
    pub(crate) fn child_ended(
        &mut self,
        cx: &mut Cx<'_>,
        parent: &Parent,
        child: RunId,
        outcome: RunOutcome,
        output: Payload,
        error: Option<TaskError>,
    ) {
        let Some(key) = self.waiting_for(parent, child) else { return };
        let mut record = self.record(key);
        if let UndoState::Running { .. } = record.undo {
            return self.child_undone(cx, key, record, outcome, error);
        }
        if !matches!(record.state, TaskState::Waiting { .. }) {
            return;
        }
        let timed_out = record.error.as_ref().is_some_and(|error| error.code == "timeout");
        let cause = error.map_or(String::new(), |error| format!(": {}", error.message));
        let name = if self.serves() { child.to_string() } else { child.number().to_string() };
        if self.serves() && outcome != RunOutcome::Cancelled {
            // However it ended, it has yielded that; a success says so itself.
            record.output = Some(output.clone());
        }
        match outcome {
            RunOutcome::Succeeded => self.succeed(cx, key, record, output),
            RunOutcome::Cancelled if timed_out => {
                let error = TaskError::new("timeout", "its run took too long");
                self.judge(cx, key, record, error, TaskOutcome::TimedOut);
            }
            RunOutcome::Cancelled => {
                let message = format!("its run {name} was cancelled");
                record.error = Some(TaskError::terminal(CANCELLED, message));
                self.end_task(cx, key, record, TaskOutcome::Cancelled);
            }
            RunOutcome::TimedOut => {
                let message = format!("its run {name} took too long");
                let error = TaskError::new("timeout", message);
                self.judge(cx, key, record, error, TaskOutcome::TimedOut);
            }
            RunOutcome::Failed | RunOutcome::RolledBack | RunOutcome::RollbackFailed => {
                let message = format!("its run {name} failed{cause}");
                let error = TaskError::new("sub-run", message);
                self.judge(cx, key, record, error, TaskOutcome::Failed);
            }
        }
    }

    /// A sub-run lives again: the task waits for it again, and with it every container around and every run above.
    pub(crate) fn revive(&mut self, cx: &mut Cx<'_>, parent: &Parent, child: RunId) {
        let Some(key) = self.waiting_for(parent, child) else { return };
        if !matches!(self.state(key), Some(TaskState::Ended(_))) {
            return;
        }
        if matches!(self.rec.state, RunState::Ending(_) | RunState::RollingBack(_)) || self.has_gone_on(key) {
            let reason = "the task that waited for it does not wait any more".to_owned();
            return self.order(cx, key, child, Order::Cancel(reason));
        }
        self.begin_again(cx);
        self.wait_again(cx, key);
        // A run that was cut off has tasks whose predecessors have all ended and that never began.
        self.consider_all(cx);
    }

    /// Whether a loop around the task is in a later iteration by now: it does not go back for a sub-run.
    fn has_gone_on(&self, key: Key) -> bool {
        let mut scope = key.scope;
        while let Some((container, index)) = self.scope(scope).container {
            let is_later = |task: &TaskRecord| task.state == TaskState::Open && task.iteration != index;
            let loops = matches!(self.node(container).action, Action::Loop(_));
            if loops && self.task(container).is_some_and(is_later) {
                return true;
            }
            scope = container.scope;
        }
        false
    }

    /// The task waits for its sub-run again.
    pub(crate) fn wait_for_child(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        record.state = TaskState::Waiting { until: Timestamp::MAX };
        record.error = None;
        if !self.serves() {
            (record.ended, record.output) = (None, None);
        }
        self.put(cx, key, record);
    }

    /// The task wants something of its sub-run.
    pub(crate) fn order(&self, cx: &mut Cx<'_>, key: Key, child: RunId, order: Order) {
        let task = self.task(key).expect("a task that has a sub-run has a record");
        let parent = Parent { run: self.id(), task: task.seq, generation: task.generation };
        cx.agenda.push_back(Todo::ToChild { child, parent, order });
    }

    /// The task above wants something of this run. If there is nothing to do, it hears again how this one ended.
    pub(crate) fn obey(&mut self, cx: &mut Cx<'_>, parent: Parent, order: Order) {
        let nothing_to_do = match order {
            Order::Cancel(reason) => {
                self.cancel(cx, &reason);
                false
            }
            Order::Retry => self.retry(cx, true).is_err(),
            Order::Rollback => self.rollback_again(cx).is_err(),
        };
        if let RunState::Ended(outcome) = self.rec.state
            && nothing_to_do
        {
            self.tell_parent(cx, parent, outcome);
        }
    }

    pub(crate) fn tell_parent(&self, cx: &mut Cx<'_>, parent: Parent, outcome: RunOutcome) {
        let (output, error) = (self.rec.output.clone().unwrap_or_default(), self.rec.error.clone());
        cx.agenda.push_back(Todo::ChildEnded { parent, child: self.id(), outcome, output, error });
    }

    /// An ended run is alive again, and so are the runs above it.
    pub(crate) fn begin_again(&mut self, cx: &mut Cx<'_>) {
        if !self.rec.state.is_ended() {
            return;
        }
        self.rec.state = RunState::Running;
        self.rec.generation += 1;
        self.rec.begun = cx.now;
        self.rec.error = None;
        self.output_check = OutputCheck::Open;
        if !self.serves() {
            // Conductor's clients see the last end until there is another one.
            (self.rec.ended, self.rec.output) = (None, None);
        }
        self.undoing = None;
        self.forget_not_reached(cx);
        self.write(cx);
        self.limit_slots(cx);
        self.take_up_room(cx, true);
        self.set_run_deadline(cx);
        cx.event(self.id(), EventKind::Run { state: self.rec.state });
        self.call_back(cx, Moment::Restarted);
        if let Some(parent) = self.rec.parent {
            cx.agenda.push_back(Todo::Revive { parent, child: self.id() });
        }
    }
}

/// What a sub-run is given: nothing at all is an empty object.
fn given(input: Payload) -> Payload {
    if input.is_null() { Payload::object::<&str>([]) } else { input }
}

fn nested_flow(outer: &str, flow: &str) -> String {
    if outer.is_empty() { flow.to_owned() } else { format!("{outer}{FLOW_SEPARATOR}{flow}") }
}

/// The names of nested flows, outermost first.
pub(crate) fn flow_names(flow: &str) -> impl Iterator<Item = &str> {
    flow.split(FLOW_SEPARATOR).filter(|name| !name.is_empty())
}
