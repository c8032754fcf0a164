//! What a description of a run means: a definition, its input, and what is chosen for it.

use std::sync::Arc;

use partitur_conductor::render::workflow_status;
use partitur_conductor::{Wanted, wanted_by_failure, wanted_by_start, wanted_by_sub_workflow};
use partitur_engine::{Input, Purpose, Resolved};
use partitur_model::record::{RunState, ServerOptions, TaskError};
use partitur_model::{Payload, RunId, TaskId, TaskSeq};
use partitur_store::Reader;

use crate::app::Library;

/// What was asked for.
pub(crate) struct Question {
    pub run: RunId,
    pub task: Option<TaskSeq>,
    pub generation: u32,
    pub purpose: Purpose,
    pub description: Payload,
    pub input: Payload,
    /// What was chosen for the run that asks.
    pub options: Option<Arc<ServerOptions>>,
}

impl Question {
    /// Looks it up. Whoever asks about a failure does so before the failure is durable: `settled` waits for that.
    pub fn answer(self, library: &Library, reader: &Reader, settled: impl FnOnce()) -> Input {
        if self.purpose == Purpose::Failure {
            settled();
        }
        let result = self.resolve(library, reader).map(Box::new);
        Input::Resolved { run: self.run, task: self.task, generation: self.generation, result }
    }

    fn resolve(&self, library: &Library, reader: &Reader) -> Result<Resolved, TaskError> {
        let wanted = match self.purpose {
            Purpose::SubRun => wanted_by_sub_workflow(&self.input)?,
            Purpose::Start => wanted_by_start(&self.description)?,
            Purpose::Failure => {
                let wanted = wanted_by_failure(&self.description)?;
                Wanted { input: self.after_failure(library, reader)?, ..wanted }
            }
        };
        let known = match &wanted.definition {
            Some(def) => library.programs.inline(def),
            None => library.programs.named(&wanted.name, wanted.version),
        };
        let known = known.map_err(|error| TaskError::terminal("definition", error.to_string()))?;
        let own = self.options.as_deref();
        let options = ServerOptions {
            version: known.def.version,
            correlation: wanted.correlation.or_else(|| own?.correlation.clone()),
            priority: wanted.priority,
            domains: wanted.domains.or_else(|| Some(own?.domains.clone())).unwrap_or_default(),
            idempotency: wanted.idempotency,
            creator: own.map(|own| own.creator.clone()).unwrap_or_default(),
            event: own.and_then(|own| own.event.clone()),
        };
        Ok(Resolved {
            program: known.program.clone(),
            definition: known.record.clone(),
            input: known.def.filled_input(&wanted.input),
            options: Some(Arc::new(options)),
        })
    }

    /// The input of a run that follows a failure: that of the failed one, and all that is to be said about it.
    fn after_failure(&self, library: &Library, reader: &Reader) -> Result<Payload, TaskError> {
        let broken = |error: partitur_store::StoreError| TaskError::new("store", error.to_string());
        let run = reader.run(self.run).map_err(broken)?;
        let mut run = run.ok_or_else(|| TaskError::terminal("gone", "the failed run is gone"))?;
        run.state = ended(run.state);
        let known = library.programs.load(run.definition, reader).map_err(broken)?;
        let tasks = reader.tasks(self.run).map_err(broken)?;
        let view = known.renderer.run(&run, &tasks);
        let failed =
            view.tasks().filter(|(_, status)| status.is_terminal() && !status.is_successful()).last();
        let failed_id = failed.map(|(task, _)| Payload::string(&TaskId::new(task.run, task.seq).to_string()));
        let mut whole = String::new();
        view.write_workflow(true, &mut whole);
        let reason = run.error.as_ref().map(|error| Payload::string(&error.message));
        let mut entries = self.input.entries().unwrap_or_default();
        let said = [
            ("workflowId", Some(Payload::string(&self.run.to_string()))),
            ("reason", reason),
            ("failureStatus", Some(Payload::string(workflow_status(run.state).as_str()))),
            ("failureTaskId", failed_id),
            ("failedWorkflow", Payload::parse(&whole).ok()),
        ];
        for (name, value) in said {
            entries.retain(|(known, _)| &**known != name);
            entries.push((name.into(), value.unwrap_or_default()));
        }
        Ok(Payload::Object(entries.into()))
    }
}

/// How a run that is about to end will stand: its end waits for what follows it.
fn ended(state: RunState) -> RunState {
    match state {
        RunState::Ending(outcome) => RunState::Ended(outcome),
        other @ (RunState::Running | RunState::Paused | RunState::RollingBack(_) | RunState::Ended(_)) => {
            other
        }
    }
}
