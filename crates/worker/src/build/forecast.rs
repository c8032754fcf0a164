//! What would be decided about tasks, found out without changing anything: nothing is brought back, nothing forgotten.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use partitur_model::RawJson;
use partitur_model::dispatch::Dispatch;

use super::BuildContext;
use super::keeper::Shelf;
use super::objects::{Limits, Objects};
use super::question::Question;
use super::reason::{Decision, Verdict};
use super::state::State;
use crate::environment::Environment;

/// What is known of the tasks of a directory, looked at.
pub struct Forecast {
    context: BuildContext,
    base: PathBuf,
    environment: Environment,
    shelf: Shelf,
}

/// What would be decided about a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// What, and why.
    pub decision: Decision,
    /// What it would yield without being executed.
    pub result: Option<RawJson>,
}

impl Foreseen {
    /// Whether it would be executed.
    pub fn runs(&self) -> bool {
        self.decision.verdict == Verdict::Runs
    }
}

impl Forecast {
    /// For a run in the directory `base` with this environment.
    ///
    /// # Errors
    /// What is known cannot be read.
    pub fn open(context: BuildContext, base: &Path, env: &[(OsString, OsString)]) -> io::Result<Forecast> {
        let state = State::look(&context.state(), base.to_owned())?;
        let objects = Objects::new(context.objects(), Limits::default());
        let environment = Environment::of_run(env, base);
        Ok(Forecast { context, base: base.to_owned(), environment, shelf: Shelf { state, objects } })
    }

    /// What would be decided about this attempt, of a task of the document or sub-flow `name`; `None` if it is executed
    /// each time.
    pub fn of(&mut self, name: &str, dispatch: &Dispatch) -> Option<Foreseen> {
        let context = BuildContext { name: name.to_owned(), ..self.context.clone() };
        let place = (self.base.as_path(), &self.environment);
        let question = Question::of(dispatch, dispatch.build.as_ref()?, &context, place)?;
        let (decision, record) = self.shelf.foresee(&question);
        Some(Foreseen { decision, result: record.and_then(|record| record.result.clone()) })
    }
}
