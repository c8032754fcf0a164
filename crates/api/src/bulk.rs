//! The same for many runs: what is done to each, and how far a job is.
//!
//! A job notes how far it is after each chunk; after a crash the chunk at hand is looked at again. What was done to its runs
//! already is not done again: a run that is as it should be counts as treated, and one that was started anew since the job
//! began has another generation.

use partitur_model::record::{RunRecord, RunState};
use partitur_model::{RawJson, RunId};
use serde::{Deserialize, Serialize};

/// Sentences that are kept of what did not work.
const ERRORS_MAX: usize = 100;

/// What is done to each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each says what it is")]
pub enum Action {
    Pause,
    Resume,
    Terminate,
    Retry,
    Restart,
    Remove,
}

impl Action {
    /// Whether a run is as it should be: nothing is to be done to it. It had this generation when the job began.
    pub fn is_done(self, run: Option<&RunRecord>, generation: u32) -> bool {
        let Some(run) = run else { return self == Action::Remove };
        match self {
            Action::Pause => run.state == RunState::Paused,
            Action::Resume => run.state == RunState::Running,
            Action::Terminate => run.state.is_ended(),
            Action::Retry | Action::Restart => run.generation > generation,
            Action::Remove => false,
        }
    }
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It goes on.
    Running,
    /// All runs have been treated.
    Ended,
    /// Somebody has stopped it.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub job: String,
    /// What is done.
    pub action: Action,
    /// Why, where that is told.
    pub reason: Option<String>,
    /// The query that found the runs.
    pub query: String,
    /// How it stands.
    pub state: Stage,
    /// Runs.
    pub total: usize,
    /// Of these, how many have been looked at.
    pub position: usize,
    /// Of these, how many are as they should be.
    pub done: usize,
    /// And how many are not.
    pub failed: usize,
    /// Why: the first hundred.
    pub errors: Vec<Problem>,
}

/// Why a run is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which.
    pub run: String,
    /// Why.
    pub message: String,
}

/// The runs of a job, each with the generation in which it was found.
pub type JobRuns = Vec<(RunId, u32)>;

impl Job {
    /// A job of which nothing is done yet.
    pub fn new(name: String, action: Action, query: String, total: usize) -> Job {
        Job {
            job: name,
            action,
            reason: None,
            query,
            state: Stage::Running,
            total,
            position: 0,
            done: 0,
            failed: 0,
            errors: Vec::new(),
        }
    }

    /// The runs that are treated next, at most so many; none if all have been.
    pub fn next<'a>(&self, runs: &'a JobRuns, most: usize) -> &'a [(RunId, u32)] {
        let left = runs.get(self.position..).unwrap_or_default();
        &left[..left.len().min(most)]
    }

    /// What became of these runs, the next ones of the job.
    pub fn treated(&mut self, results: impl IntoIterator<Item = (RunId, Result<(), String>)>) {
        for (run, result) in results {
            self.position += 1;
            match result {
                Ok(()) => self.done += 1,
                Err(message) => {
                    self.failed += 1;
                    if self.errors.len() < ERRORS_MAX {
                        self.errors.push(Problem { run: run.to_string(), message });
                    }
                }
            }
        }
    }

    /// The job as it is kept.
    pub fn written(&self) -> RawJson {
        written(self)
    }

    /// A job that was kept.
    pub fn read(kept: &RawJson) -> Option<Job> {
        serde_json::from_str(kept.as_str()).ok()
    }
}

/// Its runs as they are kept, beside it.
pub fn runs_written(runs: &JobRuns) -> RawJson {
    let list: Vec<(String, u32)> =
        runs.iter().map(|(run, generation)| (run.to_string(), *generation)).collect();
    written(&list)
}

/// The runs of a job that were kept.
pub fn runs_read(kept: &RawJson) -> JobRuns {
    let list: Vec<(String, u32)> = serde_json::from_str(kept.as_str()).unwrap_or_default();
    let runs = list.into_iter().filter_map(|(run, generation)| Some((run.parse().ok()?, generation)));
    #[cfg(feature = "planted-faults")]
    let runs = {
        let runs: JobRuns = runs.collect();
        let left_out = usize::from(partitur_model::planted::Planted::LastOfJobForgotten.is_here());
        let count = runs.len() - left_out.min(runs.len());
        runs.into_iter().take(count)
    };
    runs.collect()
}

fn written(value: &impl Serialize) -> RawJson {
    RawJson::trusted(serde_json::to_string(value).expect("it is made of text and numbers"))
}
