//! What a description of a run means: a definition, its input, and what is chosen for it.

use std::sync::Arc;

use partitur_conductor::{Wanted, failure_input, wanted_by_failure, wanted_by_start, wanted_by_sub_workflow};
use partitur_engine::{Input, Purpose, Resolved};
use partitur_model::record::{ServerOptions, TaskError};
use partitur_model::{Payload, RunId, TaskSeq};
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
    /// Looks it up; the answer is told once. Whoever asks about a failure does so before the failure is durable: `settled`
    /// waits for that.
    pub fn answer(
        self,
        library: &Library,
        reader: &Reader,
        settled: impl FnOnce(),
        tell: impl FnOnce(Input) + Send + 'static,
    ) {
        if self.purpose == Purpose::Failure {
            settled();
        }
        let resolved = self.resolve(library, reader);
        let Question { run, task, generation, .. } = self;
        let tell = move |result| tell(Input::Resolved { run, task, generation, result });
        match resolved {
            Ok((resolved, Some(schema))) => {
                let input = resolved.input.clone();
                library.evaluator.evaluate(run.number(), "schema", schema, input, move |fits| {
                    tell(fits.map(|_| Box::new(resolved)).map_err(unfit));
                });
            }
            Ok((resolved, None)) => tell(Ok(Box::new(resolved))),
            Err(error) => tell(Err(error)),
        }
    }

    /// What it is, and what its input must be.
    fn resolve(&self, library: &Library, reader: &Reader) -> Result<(Resolved, Option<Arc<str>>), TaskError> {
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
        let options = wanted.options(known.def.version, self.options.as_deref());
        let resolved = Resolved {
            program: known.program.clone(),
            definition: known.record.clone(),
            input: known.def.filled_input(&wanted.input),
            options: Some(Arc::new(options)),
        };
        Ok((resolved, known.def.wanted_input()))
    }

    /// The input of a run that follows a failure: that of the failed one, and all that is to be said about it.
    fn after_failure(&self, library: &Library, reader: &Reader) -> Result<Payload, TaskError> {
        let broken = |error: partitur_store::StoreError| TaskError::new("store", error.to_string());
        let run = reader.run(self.run).map_err(broken)?;
        let run = run.ok_or_else(|| TaskError::terminal("gone", "the failed run is gone"))?;
        let known = library.programs.load(run.definition, reader).map_err(broken)?;
        let tasks = reader.tasks(self.run).map_err(broken)?;
        Ok(failure_input(&self.input, &run, &tasks, &known.renderer))
    }
}

/// A run is wanted with an input that is none of its own.
fn unfit(error: TaskError) -> TaskError {
    TaskError { message: format!("its input is not as its schema wants it: {}", error.message), ..error }
}
