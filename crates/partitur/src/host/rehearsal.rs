//! What a run would do at the moment, without executing anything: the engine itself, whose tasks are looked at and not
//! started. What is up to date ends at once with what it yielded before, and what follows from it goes on; what would be
//! executed stays open, and with it all that follows from what it would produce.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use partitur_engine::{Batch, BatchNo, Boot, Effect, Engine, Input, Submission, compile};
use partitur_model::definition::{Definition, Kind, Scope};
use partitur_model::dispatch::{Dispatch, Ending, Report, ReportKind, Work};
use partitur_model::record::{RunOptions, TaskOutcome, TaskState};
use partitur_model::{AttemptId, Payload, RunId, TaskSeq, Timestamp};
use partitur_script::Evaluator;
use partitur_worker::build::{BuildContext, Decision, Forecast, Foreseen, build_dir};

use super::build;
use super::document::Loaded;
use super::session::HostError;

/// So many attempts may be looked at side by side: none of them takes a place.
const PLACES: u32 = 1_000_000;

/// What somebody would run.
pub struct Rehearsal<'a> {
    /// The document.
    pub document: &'a Loaded,
    /// What it would be given.
    pub input: &'a Payload,
    /// Only these tasks and what they need.
    pub targets: &'a [String],
    /// The state directory, which need not be there.
    pub state: &'a Path,
    /// The environment of its tasks.
    pub env: Vec<(OsString, OsString)>,
    /// Whether every task would be executed.
    pub force: bool,
}

/// What would become of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Whether it is executed, and why.
    Decided(Decision),
    /// It is executed each time: it does not declare what it reads and writes.
    EachTime,
    /// It lives as long as others need it.
    Service,
    /// The engine has ended it itself: a value, a condition that does not hold.
    Ended(TaskOutcome),
    /// It begins, and what becomes of it is not known: it waits, or is made of parts.
    Open,
}

impl Rehearsal<'_> {
    /// What would become of the tasks that would begin, by path and in that order, those of sub-flows included. Of all
    /// others it is not known: they follow from what those produce.
    ///
    /// # Errors
    /// What is known of earlier runs cannot be read.
    pub fn foresee(&self) -> Result<Vec<(Arc<str>, Fate)>, HostError> {
        let dir = &self.document.dir;
        let context = BuildContext {
            dir: build_dir(self.state, dir),
            name: self.document.record.name.clone(),
            force: self.force,
            only: None,
        };
        let mut stage = Stage::new(Forecast::open(context, dir, &self.env)?);
        stage.submit(self);
        stage.play();
        Ok(stage.fates())
    }

    fn submission(&self) -> Option<Submission> {
        let definition = freed(&self.document.document.definition);
        let dir = self.document.dir.display().to_string();
        Some(Submission {
            // It was compiled before, with what is taken away here.
            program: compile(&Arc::new(definition)).ok()?,
            definition: Arc::new(self.document.record.clone()),
            input: self.input.clone(),
            options: RunOptions {
                targets: self.targets.to_vec(),
                labels: vec![("dir".to_owned(), dir)],
                ..RunOptions::default()
            },
            under_key: None,
            random: 0,
            expected: Vec::new(),
            reply: None,
        })
    }
}

/// The same without what keeps tasks from beginning side by side: what would be executed never ends here.
fn freed(definition: &Definition) -> Definition {
    let mut freed = definition.clone();
    freed.concurrency = None;
    freed.timeout = None;
    free(&mut freed.root);
    for flow in freed.flows.values_mut() {
        *flow = Arc::new(self::freed(flow));
    }
    freed
}

fn free(scope: &mut Scope) {
    for node in &mut scope.nodes {
        node.claims.clear();
        node.breaker = None;
        node.delay = None;
        match &mut node.kind {
            Kind::Each(each) => {
                each.max_parallel = None;
                free(&mut each.body);
            }
            Kind::Loop(repeat) => free(&mut repeat.body),
            Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => {}
        }
    }
}

/// An engine that nobody stores and nobody works for.
struct Stage {
    engine: Engine,
    batch: Batch,
    forecast: Forecast,
    evaluator: Evaluator,
    /// What was looked at.
    seen: BTreeMap<(RunId, TaskSeq), Fate>,
}

impl Stage {
    fn new(forecast: Forecast) -> Stage {
        let mut batch = Batch::new(BatchNo(1));
        let options = partitur_engine::Options { concurrency: PLACES, ..Default::default() };
        let (engine, _) = Engine::new(options, Boot::default(), Timestamp::ZERO, &mut batch);
        Stage { engine, batch, forecast, evaluator: Evaluator::default(), seen: BTreeMap::new() }
    }

    fn submit(&mut self, wanted: &Rehearsal<'_>) {
        if let Some(submission) = wanted.submission() {
            self.step(Input::Submit(Box::new(submission)));
        }
    }

    fn step(&mut self, input: Input) {
        self.engine.step(Timestamp::ZERO, input, &mut self.batch);
    }

    /// Until nothing goes on.
    fn play(&mut self) {
        loop {
            let effects: Vec<Effect> = self.batch.take_effects(0, |_| true).collect();
            if effects.is_empty() {
                return;
            }
            effects.into_iter().for_each(|effect| self.act(effect));
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Dispatch { dispatch, .. } => self.look(&dispatch),
            Effect::Evaluate { run, task, generation, language, source, input } => {
                let (sender, results) = channel();
                self.evaluator.evaluate(run.number(), &language, source, input, move |result| {
                    // Whoever asked waits below.
                    let _ = sender.send(result);
                });
                if let Ok(result) = results.recv() {
                    self.step(Input::Evaluated { run, task, generation, result });
                }
            }
            // Nobody is asked, and nobody waits for an answer: what follows stays open.
            Effect::Stop(_)
            | Effect::Resolve { .. }
            | Effect::Load(_)
            | Effect::HandOut { .. }
            | Effect::Reply { .. }
            | Effect::Event(_) => {}
        }
    }

    fn look(&mut self, dispatch: &Dispatch) {
        let attempt = dispatch.attempt;
        let fate = if is_service(dispatch) {
            self.report(attempt, ReportKind::Serves);
            Fate::Service
        } else {
            let name = self.engine.run(attempt.run).map(build::document).unwrap_or_default();
            match self.forecast.of(&name, dispatch) {
                None => Fate::EachTime,
                Some(Foreseen { decision, result }) => {
                    if decision.verdict != partitur_worker::build::Verdict::Runs {
                        let ending = Ending { cached: true, ..Ending::success(result.map(Payload::from)) };
                        self.report(attempt, ReportKind::Ended(Box::new(ending)));
                    }
                    Fate::Decided(decision)
                }
            }
        };
        self.seen.insert((attempt.run, attempt.task), fate);
    }

    fn report(&mut self, attempt: AttemptId, what: ReportKind) {
        self.step(Input::Report(Report { attempt, what }));
    }

    fn fates(mut self) -> Vec<(Arc<str>, Fate)> {
        let runs: Vec<RunId> = self.engine.resident().collect();
        let mut fates = Vec::new();
        for run in runs {
            let above = self.path_above(run);
            let tasks: Vec<_> =
                self.engine.tasks(run).map(|task| (task.seq, task.path.clone(), task.state)).collect();
            for (seq, path, state) in tasks {
                let fate = match (self.seen.remove(&(run, seq)), state) {
                    (Some(fate), _) => fate,
                    (None, TaskState::Ended(outcome)) => Fate::Ended(outcome),
                    (None, TaskState::Blocked) => continue,
                    (
                        None,
                        TaskState::Ready
                        | TaskState::Running { .. }
                        | TaskState::Stopping { .. }
                        | TaskState::Backoff { .. }
                        | TaskState::Waiting { .. }
                        | TaskState::Open,
                    ) => Fate::Open,
                };
                fates.push((format!("{above}{path}").into(), fate));
            }
        }
        fates
    }

    /// The tasks of which the run is the work, outermost first: `build/`.
    fn path_above(&self, run: RunId) -> String {
        let Some(parent) = self.engine.run(run).and_then(|record| record.parent) else {
            return String::new();
        };
        let task = self.engine.tasks(parent.run).find(|task| task.seq == parent.task);
        let path = task.map(|task| format!("{}/", task.path)).unwrap_or_default();
        self.path_above(parent.run) + &path
    }
}

fn is_service(dispatch: &Dispatch) -> bool {
    match &dispatch.work {
        Work::Process(process) => process.service.is_some(),
        Work::Http(_) | Work::Remote { .. } | Work::AwaitFile { .. } => false,
    }
}
