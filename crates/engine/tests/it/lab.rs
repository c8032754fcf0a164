//! An engine over rows in memory, driven by text.
//!
//! After each input the rows are committed, and a second engine is built from them: it must describe itself like the
//! first. So every test here is a test of recovery from every prefix, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::{
    Answer, Batch, BatchNo, Boot, Command, Effect, Engine, Input, Options, Poll, Program, QueueName, ReplyTo,
    Resolved, StoredRun, Submission, TaskName, Update, UpdateStatus, compile,
};
use partitur_model::change::Change;
use partitur_model::definition::Definition;
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::event::EventKind;
use partitur_model::record::{
    BreakerRecord, DefinitionRecord, NodeRecord, RunOptions, RunRecord, SourceFormat, TaskError, TaskRecord,
};
use partitur_model::{AttemptId, DefinitionId, FencingToken, Payload, RunId, TaskSeq, Timestamp};

use crate::met::Met;

/// The rows that have been committed.
#[derive(Clone, Default)]
pub struct Rows {
    pub node: NodeRecord,
    pub runs: BTreeMap<RunId, RunRecord>,
    pub tasks: BTreeMap<(RunId, TaskSeq), TaskRecord>,
    pub breakers: BTreeMap<String, BreakerRecord>,
}

impl Rows {
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Node(record) => self.node = *record,
            Change::Definition(_) => {}
            Change::Run(record) => {
                self.runs.insert(record.id, (**record).clone());
            }
            Change::Task(record) => {
                let before = self.tasks.insert((record.run, record.seq), (**record).clone());
                if let Some(before) = before.filter(|before| before.state.is_ended()) {
                    let again = record.state.is_ended() && before.generation == record.generation;
                    let is_other = (before.state, before.ended) != (record.state, record.ended);
                    assert!(!(again && is_other), "no task ends twice: {before:?} / {record:?}");
                }
            }
            Change::RemoveTask(run, task) => {
                self.tasks.remove(&(*run, *task));
            }
            Change::RemoveRun(run) => {
                self.runs.remove(run);
                self.tasks.retain(|(of, _), _| of != run);
            }
            Change::Entry(_) | Change::Note(_) | Change::Log(..) => {}
            Change::Breaker(record) => {
                self.breakers.insert(record.name.clone(), record.clone());
            }
        }
    }

    pub fn stored(&self, run: RunId) -> Option<StoredRun> {
        let tasks =
            self.tasks.range((run, TaskSeq(0))..=(run, TaskSeq(u32::MAX))).map(|(_, task)| task.clone());
        Some(StoredRun { run: self.runs.get(&run)?.clone(), tasks: tasks.collect() })
    }
}

pub struct Lab {
    pub engine: Engine,
    pub rows: Rows,
    pub now: Timestamp,
    number: BatchNo,
    pub definitions: Vec<(Arc<DefinitionRecord>, Arc<Program>)>,
    concurrency: u32,
    stretch: u32,
    /// Living attempts by run and path; a compensation is `undo path`.
    pub live: BTreeMap<(u64, String), AttemptId>,
    /// Every attempt there has been, by run and `path#` which of all its attempts ever: what late and doubled reports
    /// speak of.
    pub past: BTreeMap<(u64, String), AttemptId>,
    /// How many attempts there have been.
    attempts: BTreeMap<(u64, String), u32>,
    /// The largest token seen.
    token: FencingToken,
    /// Evaluations that were asked for; one that is asked for again, after a return to memory, is not told again.
    evaluations: BTreeSet<(RunId, TaskSeq, u32)>,
    /// Runs that are to be looked up.
    pub lookups: Vec<(RunId, Option<TaskSeq>, u32)>,
    /// How many polls there have been.
    polls: u64,
    /// How often each kind of input met each state of a task.
    pub met: Met,
    pub answers: Vec<Answer>,
    /// Every run leaves memory after every input.
    pub evicts: bool,
    /// A second engine is built from the rows after every input.
    pub recovers: bool,
    /// What must hold is checked after every step.
    pub checks: bool,
    /// Whoever waits for a turn goes on at once.
    pub gives_turns: bool,
}

impl Lab {
    pub fn new() -> Lab {
        Lab::with_concurrency(1000)
    }

    pub fn with_concurrency(concurrency: u32) -> Lab {
        Lab::with(concurrency, Options::default().stretch)
    }

    /// Steps that do so much; who goes on after that has to be given a turn by a `tick`.
    pub fn with_stretch(stretch: u32) -> Lab {
        Lab { gives_turns: false, ..Lab::with(1000, stretch) }
    }

    fn with(concurrency: u32, stretch: u32) -> Lab {
        let mut batch = Batch::new(BatchNo(1));
        let options = Options { concurrency, stretch, ..Options::default() };
        let (engine, bad) = Engine::new(options, Boot::default(), Timestamp::ZERO, &mut batch);
        assert!(bad.is_empty());
        let mut lab = Lab {
            engine,
            rows: Rows::default(),
            now: Timestamp::ZERO,
            number: BatchNo(1),
            definitions: Vec::new(),
            concurrency,
            stretch,
            live: BTreeMap::new(),
            past: BTreeMap::new(),
            attempts: BTreeMap::new(),
            token: FencingToken(0),
            evaluations: BTreeSet::new(),
            lookups: Vec::new(),
            polls: 0,
            met: Met::default(),
            answers: Vec::new(),
            evicts: false,
            recovers: true,
            checks: true,
            gives_turns: true,
        };
        lab.commit(batch);
        lab
    }

    /// Starts a run of a definition; its number is its place among all runs.
    pub fn submit(&mut self, definition: Definition) -> Vec<String> {
        self.submit_with(definition, Payload::object::<&str>([]), RunOptions::default())
    }

    pub fn submit_with(
        &mut self,
        definition: Definition,
        input: Payload,
        options: RunOptions,
    ) -> Vec<String> {
        let definition = Arc::new(definition);
        let id = DefinitionId(self.definitions.len() as u128 + 1);
        let program = compile(&definition).expect("definitions of tests are sound");
        let (name, format) = (definition.name.clone(), SourceFormat::Yaml);
        let record = Arc::new(DefinitionRecord { id, name, format, files: Vec::new() });
        self.definitions.push((record, program));
        self.submit_again(input, options)
    }

    /// A further run of the definition submitted last.
    pub fn submit_again(&mut self, input: Payload, options: RunOptions) -> Vec<String> {
        let (definition, program) = self.definitions.last().expect("one was submitted").clone();
        let under_key = self.under_key(&program.definition.name, &options);
        self.input(Input::Submit(Box::new(Submission {
            program,
            definition,
            input,
            options,
            random: 7,
            expected: Vec::new(),
            under_key,
            reply: Some(ReplyTo(1)),
        })))
    }

    /// The newest run of this name under the key of these options, as the rows have it.
    fn under_key(&self, name: &str, options: &RunOptions) -> Option<(RunId, bool)> {
        let key = |options: &RunOptions| Some(options.server.as_ref()?.idempotency.as_ref()?.0.clone());
        let wanted = key(options)?;
        let mut runs = self.rows.runs.values().rev();
        let newest = runs.find(|run| run.name == name && key(&run.options).as_ref() == Some(&wanted))?;
        Some((newest.id, newest.state.is_ended()))
    }

    /// One input, committed at once; what it had done, as text.
    pub fn input(&mut self, input: Input) -> Vec<String> {
        let mut told = Vec::new();
        self.step(input, &mut told);
        while let Some(run) = self.loads_wanted(&told) {
            let load = format!("load {}", run.number());
            told.retain(|line| *line != load);
            let answer = match self.rows.stored(run) {
                Some(stored) => Input::Loaded(Box::new(stored)),
                None => Input::NotFound(run),
            };
            self.step(answer, &mut told);
        }
        while self.gives_turns && self.engine.wake() == Some(Timestamp::ZERO) {
            self.step(Input::Tick, &mut told);
        }
        if self.evicts {
            self.evict_all();
        } else if self.recovers {
            self.compare_with_recovered();
        }
        told
    }

    fn loads_wanted(&self, told: &[String]) -> Option<RunId> {
        let number: u64 = told.iter().find_map(|line| line.strip_prefix("load ")?.parse().ok())?;
        Some(self.run_id(number))
    }

    fn step(&mut self, input: Input, told: &mut Vec<String>) {
        self.number = self.number.next();
        let mut batch = Batch::new(self.number);
        self.met.note(&self.engine, &input, self.now);
        self.engine.step(self.now, input, &mut batch);
        told.extend(self.commit(batch));
        self.number = self.number.next();
        let mut batch = Batch::new(self.number);
        self.engine.step(self.now, Input::Durable(BatchNo(self.number.0 - 1)), &mut batch);
        told.extend(self.commit(batch));
        if self.checks {
            self.check();
        }
    }

    /// What holds after every step.
    fn check(&self) {
        assert_eq!(self.engine.quarantined().count(), 0, "the engine found a fault of its own");
        for run in self.engine.resident() {
            let state = self.engine.run(run).expect("it is resident").state;
            let reason = self.engine.reason_to_wake(run);
            assert!(state.is_ended() || reason.is_some(), "{run:?} stands still: {state:?}");
        }
        // A run holds its place as a task holds its slots, under a number that no task has.
        let holders = self.engine.holders().into_iter().filter(|hold| hold.task.task != TaskSeq(0));
        let holds: Vec<_> = holders.map(|hold| (hold.task.run, hold.task.task)).collect();
        let lives = self.rows.tasks.values().filter(|task| token_of(task).is_some());
        let lives: Vec<_> = lives.map(|task| (task.run, task.seq)).collect();
        if !self.is_loading() {
            assert_eq!(holds, lives, "slots in use / living attempts");
        }
    }

    /// A grant may wait for its run to be loaded: it holds, and nothing lives yet.
    fn is_loading(&self) -> bool {
        self.engine.holders().iter().any(|hold| self.engine.run(hold.task.run).is_none())
    }

    fn commit(&mut self, batch: Batch) -> Vec<String> {
        let (changes, effects) = batch.into_parts();
        for change in &changes {
            self.rows.apply(change);
        }
        effects.into_iter().filter_map(|effect| self.release(effect)).collect()
    }

    fn release(&mut self, effect: Effect) -> Option<String> {
        match effect {
            Effect::Dispatch { dispatch, .. } => {
                let run = dispatch.attempt.run.number();
                let name =
                    if dispatch.undo { format!("undo {}", dispatch.path) } else { dispatch.path.to_string() };
                let line = format!("dispatch {}{name}#{}", prefix(run), dispatch.number);
                assert!(dispatch.attempt.token > self.token, "tokens rise");
                self.token = dispatch.attempt.token;
                let before = self.attempts.entry((run, name.clone())).or_default();
                *before += 1;
                self.past.insert((run, format!("{name}#{before}")), dispatch.attempt);
                self.live.insert((run, name), dispatch.attempt);
                Some(line)
            }
            Effect::Stop(attempt) => {
                let name =
                    self.live.iter().find(|(_, live)| **live == attempt).map(|((_, name), _)| name.clone());
                Some(format!("stop {}{}", prefix(attempt.run.number()), name.unwrap_or_else(|| "?".into())))
            }
            Effect::Evaluate { run, task, generation, source, .. } => {
                if !self.evaluations.insert((run, task, generation)) {
                    return None;
                }
                let path = self.engine.path(run, task).unwrap_or("?").to_owned();
                Some(format!("evaluate {}{path} g{generation} {source}", prefix(run.number())))
            }
            Effect::HandOut { tasks, .. } => {
                let paths: Vec<String> = tasks
                    .iter()
                    .map(|handed| {
                        let run = handed.attempt.run.number();
                        let name = handed.task.path.to_string();
                        let served = handed.task.served.as_ref().expect("what is polled is served");
                        self.live.insert((run, name.clone()), handed.attempt);
                        format!("{}{name}#{} {}", prefix(run), served.retries, served.input.render())
                    })
                    .collect();
                Some(format!("hand out [{}]", paths.join(", ")))
            }
            Effect::Resolve { run, task, generation, purpose, description, .. } => {
                self.lookups.push((run, task, generation));
                Some(format!("resolve {}{purpose:?} {}", prefix(run.number()), description.render()))
            }
            Effect::Load(run) => Some(format!("load {}", run.number())),
            Effect::Reply { answer, .. } => {
                let refused = match &answer {
                    Answer::Refused(refusal) => Some(format!("refused: {refusal}")),
                    Answer::Accepted { .. } | Answer::Done | Answer::Updated { .. } => None,
                };
                self.answers.push(answer);
                refused
            }
            Effect::Event(event) => {
                let run = prefix(event.run.number());
                match event.what {
                    EventKind::Run { state } if state.is_ended() => {
                        Some(format!("run {}{}", run, partitur_engine::state_name(state)))
                    }
                    EventKind::TaskEnded { path, outcome, .. } => {
                        Some(format!("{run}{path} {}", format!("{outcome:?}").to_lowercase()))
                    }
                    EventKind::Notice { path, .. } => Some(format!("notice {run}{path}")),
                    EventKind::UndoEnded { path, error: Some(_), .. } => {
                        Some(format!("{run}{path} undo failed"))
                    }
                    EventKind::Run { .. }
                    | EventKind::TaskReady { .. }
                    | EventKind::TaskWaits { .. }
                    | EventKind::TaskStarted { .. }
                    | EventKind::TaskProgress { .. }
                    | EventKind::TaskRetries { .. }
                    | EventKind::TaskServes { .. }
                    | EventKind::Limit { .. }
                    | EventKind::UndoEnded { .. } => None,
                }
            }
        }
    }

    /// Every run leaves memory.
    pub fn evict_all(&mut self) {
        let runs: Vec<RunId> = self.engine.resident().collect();
        for run in runs {
            let mut told = Vec::new();
            self.step(Input::Evict(run), &mut told);
            assert!(told.is_empty(), "leaving memory does nothing else: {told:?}");
        }
        assert_eq!(self.engine.resident().count(), 0);
    }

    /// A second engine over the rows must be in the same state.
    pub fn compare_with_recovered(&self) {
        if self.engine.resident().count() < self.rows.runs.len() {
            // Some have left memory: there is nothing to compare with.
            return;
        }
        let mut batch = Batch::new(BatchNo(1));
        let recovered = self.recover(&mut batch);
        let handed_out = batch.effects().iter().find(|effect| matches!(effect, Effect::Dispatch { .. }));
        assert!(handed_out.is_none(), "only a recovered engine starts this: {handed_out:?}");
        assert_eq!(recovered.describe(), self.engine.describe(), "after recovery / before");
    }

    /// An engine built from the rows.
    pub fn recover(&self, batch: &mut Batch) -> Engine {
        let options = Options { concurrency: self.concurrency, stretch: self.stretch, ..Options::default() };
        let (engine, bad) = Engine::new(options, self.boot(), self.now, batch);
        assert_eq!(bad, []);
        engine
    }

    /// What an engine built from the rows starts with: every run, ended or not.
    pub fn boot(&self) -> Boot {
        let programs = self.definitions.iter().map(|(record, program)| (record.id, program.clone()));
        let runs = self.rows.runs.keys().filter_map(|&run| self.rows.stored(run));
        let breakers = self.rows.breakers.values().cloned();
        Boot {
            node: self.rows.node,
            breakers: breakers.collect(),
            programs: programs.collect(),
            runs: runs.collect(),
            ..Boot::default()
        }
    }

    /// A lab whose engine is built from the rows, while the attempts live on.
    pub fn snapshot(&self) -> Lab {
        let mut batch = Batch::new(BatchNo(1));
        let engine = self.recover(&mut batch);
        let mut lab = Lab {
            engine,
            rows: self.rows.clone(),
            now: self.now,
            number: BatchNo(1),
            definitions: self.definitions.clone(),
            concurrency: self.concurrency,
            stretch: self.stretch,
            live: self.live.clone(),
            past: self.past.clone(),
            attempts: self.attempts.clone(),
            token: self.token,
            evaluations: self.evaluations.clone(),
            lookups: self.lookups.clone(),
            polls: self.polls,
            met: Met::default(),
            answers: Vec::new(),
            evicts: false,
            recovers: false,
            checks: self.checks,
            gives_turns: self.gives_turns,
        };
        lab.commit(batch);
        lab
    }

    /// The process dies; a new one finds the rows, and the attempts of the old one are dead.
    pub fn crash(&mut self) -> Vec<String> {
        let mut batch = Batch::new(BatchNo(1));
        self.engine = self.recover(&mut batch);
        self.number = BatchNo(1);
        self.live.clear();
        self.evaluations.clear();
        let mut told = self.commit(batch);
        told.extend(self.input(Input::AttemptsLost));
        told
    }

    pub fn run_id(&self, number: u64) -> RunId {
        self.rows.runs.keys().copied().find(|run| run.number() == number).expect("the run was submitted")
    }

    pub fn command(&mut self, run: u64, command: Command) -> Vec<String> {
        let run = self.run_id(run);
        self.input(Input::Command { run, command, reply: Some(ReplyTo(2)) })
    }

    pub fn end(&mut self, run: u64, name: &str, ending: Ending) -> Vec<String> {
        let attempt = self.live.remove(&(run, name.to_owned()));
        let attempt = attempt.unwrap_or_else(|| panic!("no living attempt of `{name}`: {:?}", self.live));
        self.report(attempt, ReportKind::Ended(Box::new(ending)))
    }

    pub fn report(&mut self, attempt: AttemptId, what: ReportKind) -> Vec<String> {
        self.input(Input::Report(Report { attempt, what }))
    }

    /// Runs a script: `time input => what it does`, a line each. Inputs: `TASK ok [JSON]`, `TASK fail [CODE]`, `tick`,
    /// `crash`, `cancel`, `cancel TASK`, `pause`, `unpause`, `retry`, `rerun TASK`, `restart`, `rollback`,
    /// `signal TASK [JSON]`, `value TASK GENERATION JSON`, `alive TASK`, and `old TASK#N ok|fail`, the report of an
    /// attempt whatever has become of it. A leading `N:` names a run other than 1.
    pub fn script(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (left, expected) = line.split_once("=>").expect("a line is `time input => effects`");
            let (time, input) = left.trim().split_once(' ').expect("a line begins with a time");
            let seconds: u64 = time.trim_end_matches('s').parse().expect("a time is `12s`");
            self.now = self.now.max(Timestamp::ZERO + Duration::from_secs(seconds));
            let told = self.text_input(input.trim()).join(", ");
            assert_eq!(told, expected.trim(), "in `{line}`");
        }
    }

    pub fn text_input(&mut self, text: &str) -> Vec<String> {
        let (run, text) = match text.split_once(": ") {
            Some((run, rest)) if run.parse::<u64>().is_ok() => (run.parse().expect("just parsed"), rest),
            _ => (1, text),
        };
        let words: Vec<&str> = text.splitn(3, ' ').collect();
        match words[..] {
            ["tick"] => self.input(Input::Tick),
            ["crash"] => self.crash(),
            ["cancel"] => self.command(run, Command::Cancel { reason: "by hand".into() }),
            ["cancel", task] => self.command(run, Command::CancelTask { task: task.into() }),
            ["agent", agent] => self.command(run, Command::CancelAgent { agent: agent.into() }),
            ["pause"] => self.command(run, Command::Pause),
            ["unpause"] => self.command(run, Command::Unpause),
            ["retry"] => self.command(run, Command::Retry { resume_sub_runs: true }),
            ["retry", "fresh"] => self.command(run, Command::Retry { resume_sub_runs: false }),
            ["rerun", task] => self.command(run, Command::Rerun { task: task.into() }),
            ["restart"] => self.command(run, Command::Restart),
            ["rollback"] => self.command(run, Command::Rollback),
            ["remove"] => self.command(run, Command::Remove { running: true }),
            ["signal", task] => {
                self.command(run, Command::Signal { task: task.into(), result: Ok(Payload::Null) })
            }
            ["signal", task, json] => {
                let result = Ok(Payload::parse(json).expect("JSON"));
                self.command(run, Command::Signal { task: task.into(), result })
            }
            ["signal-fail", task] => {
                let result = Err(TaskError::new("refused", "it said no"));
                self.command(run, Command::Signal { task: task.into(), result })
            }
            ["up", task] => self.report(self.live[&(run, task.to_owned())], ReportKind::Serves),
            ["alive", task] => self.report(self.live[&(run, task.to_owned())], ReportKind::Alive),
            ["old", attempt, how] => {
                let attempt = self.past[&(run, attempt.to_owned())];
                let ending = if how == "ok" { Ending::success(None) } else { failure("exit-1") };
                self.report(attempt, ReportKind::Ended(Box::new(ending)))
            }
            ["poll", queue] => self.poll(queue, 1, false),
            ["poll", queue, count] => self.poll(queue, count.parse().expect("a number"), false),
            ["await", queue, count] => self.poll(queue, count.parse().expect("a number"), true),
            ["done", task] => self.update(run, task, UpdateStatus::Completed, None),
            ["done", task, json] => self.update(run, task, UpdateStatus::Completed, Some(json)),
            ["failed", task] => self.update(run, task, UpdateStatus::Failed, None),
            ["failed-for-good", task] => self.update(run, task, UpdateStatus::FailedForGood, None),
            ["later", task, pause] => {
                let (seconds, output) =
                    pause.split_once(' ').map_or((pause, None), |(seconds, json)| (seconds, Some(json)));
                let pause = Duration::from_secs(seconds.parse().expect("a number"));
                self.update(run, task, UpdateStatus::InProgress { pause }, output)
            }
            ["living", task] => self.update(run, task, UpdateStatus::Alive, None),
            ["give-back", task] => {
                let attempt = self.live[&(run, task.to_owned())];
                self.input(Input::GiveBack(vec![attempt]))
            }
            ["found", number] => self.found(number.parse().expect("a number")),
            ["not-found"] => self.look_up_ends(Err(TaskError::new("x", "there is none"))),
            ["skip", task] => self.command(
                run,
                Command::Skip { task: task.into(), input: Payload::Null, output: Payload::Null },
            ),
            ["rerun-from", task] => {
                let task = self.newest(run, task);
                self.command(run, Command::RerunFrom { task, input: None })
            }
            ["reset-breaker", name] => {
                self.input(Input::ResetBreaker { name: name.into(), reply: Some(ReplyTo(3)) })
            }
            ["undo", task, "ok"] => self.end(run, &format!("undo {task}"), Ending::success(None)),
            ["undo", task, "fail"] => self.end(run, &format!("undo {task}"), failure("exit-1")),
            [task, "ok"] => self.end(run, task, Ending::success(None)),
            [task, "ok", json] => {
                self.end(run, task, Ending::success(Some(Payload::parse(json).expect("JSON"))))
            }
            [task, "fail"] => self.end(run, task, failure("exit-1")),
            [task, "fail", code] => self.end(run, task, failure(code)),
            ["value", task, rest] => self.value(run, task, rest),
            ["unfit", task, generation] => self.unfit(run, task, generation),
            ["fits", generation] => self.fits(run, generation, Ok(Payload::Null)),
            ["fits-not", generation] => self.fits(run, generation, Err(TaskError::new("schema", "no"))),
            ["again", task, seconds] => {
                let pause = Duration::from_secs(seconds.parse().expect("a number"));
                let attempt = self.live[&(run, task.to_owned())];
                self.report(attempt, ReportKind::Again { output: Payload::Null, pause })
            }
            _ => panic!("not an input: `{text}`"),
        }
    }

    fn poll(&mut self, queue: &str, count: u32, wait: bool) -> Vec<String> {
        self.polls += 1;
        let queue = QueueName { task_type: queue.into(), domain: None };
        let poll = Poll { queue, worker: "w".into(), count, wait, reply: ReplyTo(1000 + self.polls) };
        self.input(Input::Poll(poll))
    }

    fn newest(&self, run: u64, path: &str) -> TaskSeq {
        let run = self.run_id(run);
        let mut rows = self.rows.tasks.values().rev();
        rows.find(|task| task.run == run && &*task.path == path).expect("the task has a row").seq
    }

    fn update(&mut self, run: u64, path: &str, status: UpdateStatus, json: Option<&str>) -> Vec<String> {
        let task = TaskName::Seq(self.newest(run, path));
        let output = json.map(|json| Payload::parse(json).expect("JSON"));
        let reason = matches!(status, UpdateStatus::Failed | UpdateStatus::FailedForGood);
        self.input(Input::Update(Box::new(Update {
            run: self.run_id(run),
            task,
            status,
            output,
            merge: false,
            reason: reason.then(|| "it said no".to_owned()),
            worker: Some("w".into()),
            logs: Vec::new(),
            then: None,
            reply: Some(ReplyTo(4)),
        })))
    }

    /// The oldest wish for a run is met with this definition.
    fn found(&mut self, definition: usize) -> Vec<String> {
        let (definition, program) = self.definitions[definition].clone();
        let input = Payload::object::<&str>([]);
        self.look_up_ends(Ok(Box::new(Resolved { program, definition, input, options: None })))
    }

    fn look_up_ends(&mut self, result: Result<Box<Resolved>, TaskError>) -> Vec<String> {
        let (run, task, generation) = self.lookups.remove(0);
        self.input(Input::Resolved { run, task, generation, result })
    }

    /// A definition that runs may be looked up as.
    pub fn know(&mut self, definition: Definition) {
        let definition = Arc::new(definition);
        let id = DefinitionId(self.definitions.len() as u128 + 1);
        let program = compile(&definition).expect("definitions of tests are sound");
        let (name, format) = (definition.name.clone(), SourceFormat::Conductor);
        let record = Arc::new(DefinitionRecord { id, name, format, files: Vec::new() });
        self.definitions.push((record, program));
    }

    fn value(&mut self, run: u64, path: &str, rest: &str) -> Vec<String> {
        let (generation, json) = rest.split_once(' ').expect("`value TASK GENERATION JSON`");
        let run = self.run_id(run);
        let task = self.rows.tasks.values().rev().find(|task| task.run == run && &*task.path == path);
        let task = task.expect("the task has a row").seq;
        let generation = generation.trim_start_matches('g').parse().expect("a number");
        let result = Ok(Payload::parse(json).expect("JSON"));
        self.input(Input::Evaluated { run, task, generation, result })
    }

    /// A comparison with a schema has failed.
    fn unfit(&mut self, run: u64, path: &str, generation: &str) -> Vec<String> {
        let (task, run) = (self.newest(run, path), self.run_id(run));
        let generation = generation.trim_start_matches('g').parse().expect("a number");
        let result = Err(TaskError::terminal("schema", "it is none"));
        self.input(Input::Evaluated { run, task, generation, result })
    }

    /// The output of a run was compared with its schema.
    fn fits(&mut self, run: u64, generation: &str, result: Result<Payload, TaskError>) -> Vec<String> {
        let (task, run) = (TaskSeq(0), self.run_id(run));
        let generation = generation.trim_start_matches('g').parse().expect("a number");
        self.input(Input::Evaluated { run, task, generation, result })
    }

    pub fn output(&self, run: u64) -> String {
        let run = &self.rows.runs[&self.run_id(run)];
        run.output.clone().unwrap_or_default().render()
    }
}

fn token_of(task: &TaskRecord) -> Option<FencingToken> {
    task.state.token().or(task.undo.token())
}

pub fn failure(code: &str) -> Ending {
    Ending::failure(TaskError::new(code, format!("it said {code}")))
}

fn prefix(run: u64) -> String {
    if run == 1 { String::new() } else { format!("{run}:") }
}
