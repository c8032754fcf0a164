//! How runs come to be: submitted from outside, or as the work of a task.

use std::time::Duration;

use partitur_model::callback::Moment;
use partitur_model::definition::Definition;
use partitur_model::event::EventKind;
use partitur_model::record::{Idempotency, RunOptions, RunRecord, RunState};
use partitur_model::{Payload, RunId};

use super::{Engine, Recent};
use crate::admission::HoldView;
use crate::batch::Batch;
use crate::cx::{Agenda, Found};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::Submission;
use crate::program::{BodyIx, EXPECTED_DEFAULT, Program, levels};
use crate::run::Run;
use crate::submission::{complete_inputs, dedup_key, first_variables, target_faults};

impl Engine {
    /// A sub-run begins; the task that waits for it has looked at its inputs.
    pub(super) fn start_child(
        &mut self,
        record: RunRecord,
        found: Option<Found>,
        batch: &mut Batch,
        agenda: &mut Agenda,
    ) {
        if let Some(Found { program, definition }) = found {
            batch.definition(&definition);
            self.programs.entry(definition.id).or_insert(program);
        }
        let root = self.programs.get(&record.definition).expect("the parent runs it");
        let program = root.flow(&record.flow).expect("the parent looked it up");
        self.insert_run(Run::new(record, program), batch, agenda);
    }

    fn insert_run(&mut self, run: Run, batch: &mut Batch, agenda: &mut Agenda) {
        let id = run.id();
        self.runs.insert(id, run);
        self.unit.created.push(id);
        self.with_run(id, batch, agenda, |run, cx| {
            run.write(cx);
            cx.event(id, EventKind::Run { state: run.rec.state });
            run.call_back(cx, Moment::Started);
            run.limit_slots(cx);
            run.set_run_deadline(cx);
            run.ask_for_room(cx);
            run.open_root(cx.agenda);
            run.end_as_before(cx);
        });
    }

    pub(super) fn submit(&mut self, submission: Submission, batch: &mut Batch, agenda: &mut Agenda) {
        let reply = submission.reply;
        self.unit.replies.extend(reply);
        let answer = match self.accept(submission, batch, agenda) {
            Ok((run, duplicate)) => Answer::Accepted { run, duplicate },
            Err(refusal) => Answer::Refused(refusal),
        };
        if let Some(to) = reply {
            batch.effect(Effect::Reply { to, answer });
        }
    }

    fn accept(
        &mut self,
        mut submission: Submission,
        batch: &mut Batch,
        agenda: &mut Agenda,
    ) -> Result<(RunId, bool), Refusal> {
        let program = submission.program.clone();
        let input = sound_input(&submission)?;
        if let Some(template) = &program.dedup_key {
            let key = &mut submission.options.dedup_key;
            key.get_or_insert_with(|| dedup_key(template, &program.definition.name, &input));
        }
        if let Some(known) = self.under_its_key(&submission) {
            return known.map(|run| (run, true));
        }
        if let Some(run) = self.equal_submission(&program.definition, submission.options.dedup_key.as_deref())
        {
            return Ok((run, true));
        }
        let record = self.new_record(&submission, input, batch);
        self.leave_room(&program, &record)?;
        let id = record.id;
        batch.definition(&submission.definition);
        self.programs.entry(submission.definition.id).or_insert_with(|| program.clone());
        self.remember(&record);
        let mut run = Run::new(record, program);
        run.levels = expected_levels(&run.program, &submission.expected);
        self.insert_run(run, batch, agenda);
        Ok((id, false))
    }

    fn new_record(&mut self, submission: &Submission, input: Payload, batch: &mut Batch) -> RunRecord {
        self.node.last_run += 1;
        batch.node(self.node);
        let variables = first_variables(&submission.program, &input);
        RunRecord {
            id: RunId::new(0, self.node.last_run, submission.random),
            definition: submission.definition.id,
            flow: String::new(),
            name: submission.program.definition.name.clone(),
            parent: None,
            state: RunState::Running,
            generation: 0,
            input,
            variables,
            output: None,
            error: None,
            options: submission.options.clone(),
            created: self.now,
            begun: self.now,
            ended: None,
            failure_run: None,
        }
    }

    /// Refuses a run too many, where such runs are refused and do not wait.
    fn leave_room(&mut self, program: &Program, record: &RunRecord) -> Result<(), Refusal> {
        let Some(limit) = program.room.as_ref().filter(|limit| limit.refuse) else { return Ok(()) };
        let resource = limit.resource(&mut self.admission, record);
        let has_place = |hold: &HoldView| hold.claims.iter().any(|claim| claim.resource == resource);
        match self.holders().iter().filter(|hold| has_place(hold)).count() as u32 >= limit.runs {
            true => Err(Refusal::TooManyRuns { name: record.name.clone(), runs: limit.runs }),
            false => Ok(()),
        }
    }

    /// The run of an equal submission within the window.
    fn equal_submission(&self, definition: &Definition, key: Option<&str>) -> Option<RunId> {
        let recent = self.recent.get(key?)?;
        (self.now < recent.created + window(definition)).then_some(recent.run)
    }

    /// The run that has the key of a submission already, if that serves; a refusal if it does not.
    fn under_its_key(&self, submission: &Submission) -> Option<Result<RunId, Refusal>> {
        let (key, mode) = idempotency(&submission.options)?;
        let name = &submission.program.definition.name;
        let here = self.keyed.get(&(name.clone(), key.clone())).map(|&run| (run, false));
        // Numbers rise: the highest is the newest.
        let on_the_disk = submission.under_key.filter(|(run, _)| !self.removed.contains_key(run));
        let (run, ended) = here.max(on_the_disk)?;
        let ended = self.runs.get(&run).map_or(ended, |run| run.rec.state.is_ended());
        match mode {
            Idempotency::ReturnExisting => Some(Ok(run)),
            Idempotency::FailOnRunning if ended => None,
            Idempotency::Fail | Idempotency::FailOnRunning => Some(Err(Refusal::KeyTaken(run))),
        }
    }

    /// Remembers which run has a key.
    fn remember_key(&mut self, record: &RunRecord) {
        if let Some((key, _)) = idempotency(&record.options) {
            let newest = self.keyed.entry((record.name.clone(), key.clone())).or_insert(record.id);
            *newest = record.id.max(*newest);
        }
    }

    /// The run leaves memory.
    pub(super) fn forget_key(&mut self, record: &RunRecord) {
        if let Some((key, _)) = idempotency(&record.options) {
            let place = (record.name.clone(), key.clone());
            if self.keyed.get(&place) == Some(&record.id) {
                self.keyed.remove(&place);
            }
        }
    }

    pub(super) fn remember(&mut self, record: &RunRecord) {
        self.remember_key(record);
        if let Some(key) = &record.options.dedup_key {
            let known = self.recent.get(key).map(|known| known.created);
            let program = self.programs.get(&record.definition);
            let until = program.map(|program| record.created + window(&program.definition));
            // An older run may come back into memory after a newer one was submitted.
            if known.is_none_or(|known| known <= record.created) {
                let recent = Recent { run: record.id, created: record.created, until };
                self.recent.insert(key.clone(), recent);
            }
        }
    }
}

/// The key that only one run of its name may have, and what becomes of who comes second.
fn idempotency(options: &RunOptions) -> Option<&(String, Idempotency)> {
    options.server.as_ref()?.idempotency.as_ref()
}

/// How long equal submissions share a run.
fn window(definition: &Definition) -> Duration {
    definition.deduplicate.as_ref().map_or(DEDUP_WINDOW, |deduplicate| deduplicate.window)
}

/// How long a submission with a key of its own is remembered.
const DEDUP_WINDOW: Duration = Duration::from_secs(60);

/// The inputs with defaults filled in, or every fault of inputs and targets.
fn sound_input(submission: &Submission) -> Result<Payload, Refusal> {
    let definition = &submission.program.definition;
    let mut faults = target_faults(definition, &submission.options.targets);
    match complete_inputs(definition, &submission.input) {
        Ok(input) if faults.is_empty() => Ok(input),
        Ok(_) => Err(Refusal::BadSubmission(faults)),
        Err(more) => {
            faults.extend(more);
            Err(Refusal::BadSubmission(faults))
        }
    }
}

/// Bottom levels of the root's tasks from expected durations by name.
fn expected_levels(program: &Program, expected: &[(String, Duration)]) -> Option<Vec<f32>> {
    if expected.is_empty() {
        return None;
    }
    let root = program.body(BodyIx::ROOT);
    let mut durations: Vec<_> =
        root.nodes.iter().map(|node| node.spec.expected.unwrap_or(EXPECTED_DEFAULT)).collect();
    for (name, duration) in expected {
        if let Some(&node) = root.names.get(name.as_str()) {
            durations[node as usize] = *duration;
        }
    }
    Some(levels(&root.successors, &durations))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use partitur_model::record::{DefinitionRecord, SourceFormat};
    use partitur_model::{DefinitionId, Payload, Timestamp};

    use super::*;
    use crate::batch::BatchNo;
    use crate::engine::{Boot, Options};
    use crate::input::Input;

    #[test]
    fn keys_of_submissions_that_nobody_can_share_any_more_are_forgotten() {
        let definition = Arc::new(Definition { name: "often".into(), ..Definition::default() });
        let program = crate::program::compile(&definition).expect("it is sound");
        let (name, format) = (definition.name.clone(), SourceFormat::Yaml);
        let record = Arc::new(DefinitionRecord { id: DefinitionId(1), name, format, files: Vec::new() });
        let (mut engine, _) =
            Engine::new(Options::default(), Boot::default(), Timestamp::ZERO, &mut Batch::new(BatchNo(1)));
        let submit = |engine: &mut Engine, second: u64, key: u64| {
            let submission = Submission {
                program: program.clone(),
                definition: record.clone(),
                input: Payload::object::<&str>([]),
                options: RunOptions { dedup_key: Some(format!("key{key}")), ..RunOptions::default() },
                under_key: None,
                random: 0,
                expected: Vec::new(),
                reply: None,
            };
            let now = Timestamp::ZERO + Duration::from_secs(second);
            engine.step(now, Input::Submit(Box::new(submission)), &mut Batch::new(BatchNo(2)));
        };
        for second in 0..5_000 {
            submit(&mut engine, second, second);
        }
        assert!(engine.recent.len() < 1_200, "{} of 5,000", engine.recent.len());
        let runs = engine.runs.len();
        submit(&mut engine, 5_000, 4_990);
        assert_eq!(engine.runs.len(), runs, "within its time it is shared");
        submit(&mut engine, 5_000, 10);
        assert_eq!(engine.runs.len(), runs + 1);
    }
}
