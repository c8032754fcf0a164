//! Runs that are described by name: what they execute is looked up outside the engine.

use partitur_model::definition::Dialect;
use partitur_model::record::{
    Parent, RunOptions, RunOutcome, RunRecord, RunState, TaskError, TaskOutcome, TaskRecord, TaskState,
};
use partitur_model::{Payload, RunId, TaskSeq, Timestamp};

use crate::cx::{Cx, Found, Todo};
use crate::effect::{Effect, Purpose};
use crate::input::Resolved;
use crate::program::{Action, FlowAction};
use crate::retry::mix;
use crate::run::{Key, Run, View};

/// A run that is wanted cannot be looked up.
const UNKNOWN_FLOW: &str = "unknown-flow";

impl Run {
    /// The task waits until somebody has looked up what it is to start.
    pub(crate) fn look_up(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        purpose: Purpose,
        description: Payload,
        input: Payload,
    ) {
        record.generation += 1;
        record.attempt += 1;
        record.started.get_or_insert(cx.now);
        record.child = None;
        record.state = TaskState::Waiting { until: Timestamp::MAX };
        cx.batch.effect(Effect::Resolve {
            run: self.id(),
            task: Some(record.seq),
            generation: record.generation,
            purpose,
            description,
            input,
        });
        self.put(cx, key, record);
    }

    /// After recovery: what was asked for and has not come is asked for again.
    pub(crate) fn look_up_again(&self, cx: &mut Cx<'_>, key: Key) {
        let Some(task) = self.task(key).filter(|task| task.child.is_none()) else { return };
        let view = View::inside(self, key.scope);
        let (purpose, description, input) = match &self.node(key).action {
            Action::SubRun { flow: FlowAction::Wanted(tree), input } => {
                (Purpose::SubRun, tree.resolve(&view), input.resolve(&view))
            }
            Action::Start(tree) => (Purpose::Start, tree.resolve(&view), Payload::Null),
            _ => return,
        };
        let generation = task.generation;
        let (run, task) = (self.id(), Some(task.seq));
        cx.batch.effect(Effect::Resolve { run, task, generation, purpose, description, input });
    }

    /// What was looked up is here.
    pub(crate) fn resolved(
        &mut self,
        cx: &mut Cx<'_>,
        task: Option<TaskSeq>,
        generation: u32,
        result: Result<Box<Resolved>, TaskError>,
    ) {
        let Some(seq) = task else { return self.failure_run_resolved(cx, generation, result) };
        let Some(key) = self.key_of(seq) else { return };
        let record = self.record(key);
        let waits = matches!(record.state, TaskState::Waiting { .. }) && record.child.is_none();
        if record.generation != generation || !waits || self.rec.state.is_ended() {
            return;
        }
        match (result, &self.node(key).action) {
            (Err(error), _) => {
                let error = TaskError { code: UNKNOWN_FLOW.to_owned(), retriable: true, ..error };
                self.judge(cx, key, record, error, TaskOutcome::Failed);
            }
            (Ok(resolved), Action::Start(_)) => {
                let id = self.found_run(cx, *resolved, None, u64::from(seq.0), generation);
                let output = Payload::object([("workflowId", Payload::string(&id.to_string()))]);
                self.succeed(cx, key, record, output);
            }
            (Ok(resolved), _) => self.start_wanted(cx, key, record, *resolved),
        }
    }

    fn start_wanted(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, resolved: Resolved) {
        let parent = Parent { run: self.id(), task: record.seq, generation: record.generation };
        let child = self.found_run(cx, resolved, Some(parent), u64::from(record.seq.0), record.generation);
        record.child = Some(child);
        record.error = None;
        if let Some(served) = &mut record.served {
            served.updated = cx.now;
        }
        let limit = self.node(key).spec.timeouts.attempt;
        record.state = TaskState::Waiting { until: limit.map_or(Timestamp::MAX, |limit| cx.now + limit) };
        self.put(cx, key, record);
    }

    /// A run begins of what was looked up.
    fn found_run(
        &mut self,
        cx: &mut Cx<'_>,
        resolved: Resolved,
        parent: Option<Parent>,
        task: u64,
        generation: u32,
    ) -> RunId {
        let Resolved { program, definition, input, options } = resolved;
        let id = cx.new_run_id(mix(self.id().random() ^ task ^ (u64::from(generation) << 32)));
        let record = RunRecord {
            id,
            definition: definition.id,
            flow: String::new(),
            name: program.definition.name.clone(),
            parent,
            state: RunState::Running,
            generation: 0,
            variables: crate::submission::first_variables(&program, &input),
            input,
            output: None,
            error: None,
            options: RunOptions {
                labels: self.rec.options.labels.clone(),
                server: options,
                ..RunOptions::default()
            },
            created: cx.now,
            begun: cx.now,
            ended: None,
            failure_run: None,
        };
        let found = Found { program, definition };
        cx.agenda.push_back(Todo::StartChild(Box::new(record), Some(found)));
        id
    }

    /// Whether the run, which has not succeeded, is to be followed by another one that is not there yet.
    pub(crate) fn wants_failure_run(&self, outcome: RunOutcome) -> bool {
        let failed = matches!(outcome, RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Cancelled);
        let by_hand = self.rec.error.as_ref().is_some_and(|error| error.code == crate::ready::CANCELLED);
        let declared =
            self.program.failure_flow.is_some() && self.program.definition.dialect == Dialect::Conductor;
        declared && failed && !by_hand && self.rec.failure_run.is_none()
    }

    /// Asks what is to follow the run; it ends when that is known.
    pub(crate) fn look_up_failure_run(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        if self.awaits_failure_run {
            return;
        }
        let Some(tree) = &self.program.failure_flow else { return };
        self.awaits_failure_run = true;
        let description = tree.resolve(&View::root(self));
        if self.rec.state != RunState::Ending(outcome) {
            self.rec.state = RunState::Ending(outcome);
            self.write(cx);
        }
        cx.batch.effect(Effect::Resolve {
            run: self.id(),
            task: None,
            generation: self.rec.generation,
            purpose: Purpose::Failure,
            description,
            input: self.rec.input.clone(),
        });
    }

    fn failure_run_resolved(
        &mut self,
        cx: &mut Cx<'_>,
        generation: u32,
        result: Result<Box<Resolved>, TaskError>,
    ) {
        let RunState::Ending(outcome) = self.rec.state else { return };
        if !std::mem::take(&mut self.awaits_failure_run) || self.rec.generation != generation {
            return;
        }
        // Without a definition there is nothing to start; the run ends all the same.
        if let Ok(resolved) = result {
            let id = self.found_run(cx, *resolved, None, u64::MAX, generation);
            self.rec.failure_run = Some(id);
        }
        self.end_run(cx, outcome);
    }
}
