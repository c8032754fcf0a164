//! What goes in and what comes out is compared with schemas, outside the engine: a task waits for that before it begins and
//! before it has succeeded, a run before it has.

use partitur_model::record::{Checking, RunOutcome, RunState, TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, TaskSeq, Timestamp};

use crate::cx::Cx;
use crate::effect::Effect;
use crate::program::ProgramNode;
use crate::run::{Key, OutputCheck, Run};

/// The language of schemas, for whoever evaluates: nothing comes of it if the value fits, and an error if not.
const SCHEMA: &str = "schema";

/// In place of a task: what is evaluated is the run's. No task has this number.
pub(crate) const THE_RUN: TaskSeq = TaskSeq(0);

impl ProgramNode {
    /// What its input or output must be.
    pub(crate) fn schema(&self, side: Checking) -> Option<&str> {
        let schemas = self.spec.schemas.as_deref()?;
        match side {
            Checking::Input => schemas.input.as_deref(),
            Checking::Output => schemas.output.as_deref(),
        }
    }
}

impl Run {
    /// The task waits until its input or output has been compared with its schema.
    pub(crate) fn await_check(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, side: Checking) {
        record.generation += 1;
        record.state = TaskState::Waiting { until: Timestamp::MAX };
        if let Some(served) = &mut record.served {
            served.checking = Some(side);
        }
        self.put(cx, key, record);
        let effect = self.check_in_flight(key).expect("it was begun just now");
        cx.batch.effect(effect);
    }

    /// The comparison for which a task waits.
    pub(crate) fn check_in_flight(&self, key: Key) -> Option<Effect> {
        let task = self.task(key)?;
        let served = task.served.as_ref()?;
        let side = served.checking?;
        let schema = self.node(key).schema(side)?;
        let value = match side {
            Checking::Input => served.input.clone(),
            Checking::Output => task.output.clone().unwrap_or_else(|| Payload::object::<&str>([])),
        };
        Some(self.comparison(task.seq, task.generation, schema, value))
    }

    fn comparison(&self, task: TaskSeq, generation: u32, schema: &str, value: Payload) -> Effect {
        let (language, source) = (SCHEMA.to_owned(), schema.to_owned());
        Effect::Evaluate { run: self.id(), task, generation, language, source, input: value }
    }

    /// The input or output of a task has been compared.
    pub(crate) fn checked(&mut self, cx: &mut Cx<'_>, key: Key, result: Result<Payload, TaskError>) {
        let mut record = self.record(key);
        let Some(served) = &mut record.served else { return };
        let side = served.checking.take();
        served.updated = cx.now;
        match (result, side) {
            (Ok(_), Some(Checking::Input)) => {
                record.state = TaskState::Blocked;
                let graph = self.graph_of(key);
                self.act(cx, key, record, &graph.nodes[key.node as usize]);
            }
            (Ok(_), Some(Checking::Output) | None) => {
                self.end_task(cx, key, record, TaskOutcome::Succeeded);
            }
            (Err(error), side) => {
                let what = if side == Some(Checking::Input) { "input" } else { "output" };
                let message = format!("its {what} is not as its schema wants it: {}", error.message);
                // One that could not be made at all may be made another time.
                self.judge(cx, key, record, TaskError { message, ..error }, TaskOutcome::Failed);
            }
        }
    }

    /// Whether the run may not succeed before its output was compared.
    pub(crate) fn wants_output_checked(&self) -> bool {
        self.program.definition.output_schema.is_some() && self.output_check != OutputCheck::Done
    }

    /// Has the output compared; the run ends when that is done.
    pub(crate) fn check_output(&mut self, cx: &mut Cx<'_>) {
        if self.output_check == OutputCheck::Asked {
            return;
        }
        self.output_check = OutputCheck::Asked;
        if self.rec.output.is_none() {
            self.rec.output = self.outputs();
        }
        if self.serves() {
            self.note_served_output();
        }
        self.rec.state = RunState::Ending(RunOutcome::Succeeded);
        self.write(cx);
        let schema = self.program.definition.output_schema.clone().expect("looked at before");
        let output = self.rec.output.clone().unwrap_or_else(|| Payload::object::<&str>([]));
        let effect = self.comparison(THE_RUN, self.rec.generation, &schema, output);
        cx.batch.effect(effect);
    }

    /// The run's output has been compared.
    pub(crate) fn output_checked(
        &mut self,
        cx: &mut Cx<'_>,
        generation: u32,
        result: Result<Payload, TaskError>,
    ) {
        let ends = self.rec.state == RunState::Ending(RunOutcome::Succeeded);
        if !ends || self.output_check != OutputCheck::Asked || self.rec.generation != generation {
            return;
        }
        self.output_check = OutputCheck::Done;
        match result {
            Ok(_) => self.settle(cx, RunOutcome::Succeeded),
            Err(error) => {
                let message = format!("its output is not as its schema wants it: {}", error.message);
                self.rec.error = Some(TaskError { message, ..error });
                self.settle(cx, RunOutcome::Failed);
            }
        }
    }
}
