//! The engine: its resident runs, and the one door through which everything reaches them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use partitur_model::record::{BreakerRecord, NodeRecord, RunOutcome, RunRecord, RunState};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, TaskSeq, Timestamp};

use crate::admission::{self, Admission, Grant, HoldView, WaitView};
use crate::attempt::SLOTS;
use crate::batch::{Batch, BatchNo};
use crate::cx::{Agenda, Cx, Todo};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Command, Input, ReplyTo, StoredRun, Submission};
use crate::program::BodyIx;
use crate::program::{EXPECTED_DEFAULT, Program, levels};
use crate::recovery::BadRows;
use crate::run::Run;
use crate::submission::{complete_inputs, dedup_key, target_faults};
use crate::timers::{Timer, Timers};

/// How an engine is set up.
#[derive(Debug)]
pub struct Options {
    /// How many attempts may live at once on this node.
    pub concurrency: u32,
    /// In which order ready tasks start.
    pub admission: admission::Options,
}

impl Default for Options {
    /// Ten at once (R-RUN-1), critical path first.
    fn default() -> Options {
        Options { concurrency: 10, admission: admission::Options::default() }
    }
}

/// What an engine starts with: the rows of everything that is not ended.
#[derive(Debug, Default)]
pub struct Boot {
    /// What the node remembers.
    pub node: NodeRecord,
    /// Breakers that are not plainly closed.
    pub breakers: Vec<BreakerRecord>,
    /// The compiled definitions of the runs.
    pub programs: Vec<(DefinitionId, Arc<Program>)>,
    /// The runs, parents and children alike.
    pub runs: Vec<StoredRun>,
}

/// The state machine of a node.
#[derive(Debug)]
pub struct Engine {
    node: NodeRecord,
    token: FencingToken,
    now: Timestamp,
    durable: BatchNo,
    programs: BTreeMap<DefinitionId, Arc<Program>>,
    runs: BTreeMap<RunId, Run>,
    /// Inputs for runs whose rows are on their way.
    loading: BTreeMap<RunId, VecDeque<Waiting>>,
    /// Runs that leave memory when their rows up to a batch are durable.
    leaving: BTreeMap<RunId, BatchNo>,
    /// Runs that a fault of the engine's own has set aside.
    quarantined: BTreeSet<RunId>,
    /// Recent submissions by key, for deduplication.
    recent: BTreeMap<String, (RunId, Timestamp)>,
    admission: Admission,
    timers: Timers,
    incidents: u64,
}

/// Something for a run that is not in memory.
#[derive(Debug)]
enum Waiting {
    Input(Input),
    Todo(Todo),
    Grant(Grant),
    Timer(Timer),
}

impl Engine {
    /// An engine over the rows that a node left behind, and the runs among them whose rows do not fit together: they
    /// are set aside. The first batch holds what makes this start of the node different from those before.
    ///
    /// Attempts handed out before count as alive until [`Input::AttemptsLost`] says otherwise.
    pub fn new(options: Options, boot: Boot, now: Timestamp, batch: &mut Batch) -> (Engine, Vec<BadRows>) {
        let mut node = boot.node;
        node.epoch += 1;
        let mut engine = Engine {
            node,
            token: FencingToken::first_of(node.epoch),
            now: now.max(node.time),
            durable: BatchNo(0),
            programs: boot.programs.into_iter().collect(),
            runs: BTreeMap::new(),
            loading: BTreeMap::new(),
            leaving: BTreeMap::new(),
            quarantined: BTreeSet::new(),
            recent: BTreeMap::new(),
            admission: Admission::new(options.admission),
            timers: Timers::default(),
            incidents: 0,
        };
        engine.admission.set_capacity(SLOTS, options.concurrency);
        for breaker in &boot.breakers {
            engine.admission.restore_breaker(breaker);
        }
        batch.node(engine.node);
        let bad = engine.take_up_runs(boot.runs, batch);
        (engine, bad)
    }

    fn take_up_runs(&mut self, stored: Vec<StoredRun>, batch: &mut Batch) -> Vec<BadRows> {
        let mut agenda = Agenda::new();
        let mut bad = Vec::new();
        for run in stored {
            let id = run.run.id;
            if let Err(problem) = self.insert_rows(run, &mut agenda) {
                self.quarantined.insert(id);
                bad.push(problem);
            }
        }
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        for id in ids {
            self.with_run(id, batch, &mut agenda, |run, cx| run.take_up(cx));
        }
        self.follow(batch, &mut agenda);
        self.admission.settle(BatchNo(u64::MAX));
        self.grant(batch, &mut agenda);
        bad
    }

    fn insert_rows(&mut self, stored: StoredRun, agenda: &mut Agenda) -> Result<(), BadRows> {
        let id = stored.run.id;
        let bad = |problem: &str| BadRows { run: id, task: String::new(), problem: problem.to_owned() };
        let program =
            self.programs.get(&stored.run.definition).ok_or_else(|| bad("its definition is unknown"))?;
        let program = program.flow(&stored.run.flow).ok_or_else(|| bad("its flow is unknown"))?;
        if let Some(latest) = stored.tasks.iter().filter_map(|task| task.ended.or(task.started)).max() {
            self.now = self.now.max(latest);
        }
        self.remember(&stored.run);
        let run = Run::from_rows(stored, program, &mut self.timers, agenda)?;
        self.runs.insert(id, run);
        Ok(())
    }

    /// One input: what it changes and what is to be done go into the batch.
    ///
    /// Engine time never goes back: an earlier `now` than the last counts as the last. A fault of the engine's own
    /// takes back this input alone and sets its run aside; the other inputs of the batch stand.
    pub fn step(&mut self, now: Timestamp, input: Input, batch: &mut Batch) {
        self.now = self.now.max(now);
        let subject = subject(&input);
        let mark = batch.mark();
        let done = catch_unwind(AssertUnwindSafe(|| {
            let mut agenda = Agenda::new();
            self.handle(input, batch, &mut agenda);
            self.follow(batch, &mut agenda);
            self.grant(batch, &mut agenda);
        }));
        if done.is_err() {
            batch.rewind(mark);
            self.set_aside(subject, batch);
        }
    }

    fn handle(&mut self, input: Input, batch: &mut Batch, agenda: &mut Agenda) {
        match input {
            Input::Submit(submission) => self.submit(*submission, batch, agenda),
            Input::Tick => self.tick(batch, agenda),
            Input::Durable(number) => {
                self.durable = number;
                self.admission.settle(number);
                self.let_go();
            }
            Input::Concurrency(count) => self.admission.set_capacity(SLOTS, count),
            Input::ResetBreaker { name, reply } => self.reset_breaker(&name, reply, batch),
            Input::AttemptsLost => self.attempts_lost(batch, agenda),
            Input::Loaded(stored) => self.loaded(*stored, batch, agenda),
            Input::NotFound(run) => self.not_found(run, batch),
            Input::Evict(run) => self.evict(run, batch),
            Input::Report(ref report) => {
                let id = report.attempt.run;
                if self.is_here(id, || Waiting::Input(input.clone()), batch) {
                    let Input::Report(report) = input else { unreachable!("just matched") };
                    self.with_run(id, batch, agenda, |run, cx| run.report(cx, report));
                }
            }
            Input::Command { run: id, .. } => {
                if self.is_here(id, || Waiting::Input(input.clone()), batch) {
                    let Input::Command { command, reply, .. } = input else { unreachable!("just matched") };
                    self.command(id, command, reply, batch, agenda);
                }
            }
            Input::Evaluated { run: id, .. } => {
                if self.is_here(id, || Waiting::Input(input.clone()), batch) {
                    let Input::Evaluated { task, generation, result, .. } = input else {
                        unreachable!("just matched")
                    };
                    self.with_run(id, batch, agenda, |run, cx| run.evaluated(cx, task, generation, result));
                }
            }
        }
    }

    /// Whether the run is in memory. If not, what is meant for it waits and its rows are sent for.
    fn is_here(&mut self, run: RunId, waiting: impl FnOnce() -> Waiting, batch: &mut Batch) -> bool {
        self.leaving.remove(&run);
        if self.runs.contains_key(&run) {
            return true;
        }
        if self.quarantined.contains(&run) {
            return false;
        }
        let queue = self.loading.entry(run).or_default();
        if queue.is_empty() {
            batch.effect(Effect::Load(run));
        }
        queue.push_back(waiting());
        false
    }

    fn with_run<T>(
        &mut self,
        id: RunId,
        batch: &mut Batch,
        agenda: &mut Agenda,
        transition: impl FnOnce(&mut Run, &mut Cx<'_>) -> T,
    ) -> Option<T> {
        let run = self.runs.get_mut(&id)?;
        let mut cx = Cx {
            now: self.now,
            batch,
            admission: &mut self.admission,
            timers: &mut self.timers,
            node: &mut self.node,
            token: &mut self.token,
            agenda,
        };
        Some(transition(run, &mut cx))
    }

    /// Does what follows, until nothing does.
    fn follow(&mut self, batch: &mut Batch, agenda: &mut Agenda) {
        while let Some(todo) = agenda.pop_front() {
            self.follow_one(todo, batch, agenda);
        }
    }

    fn follow_one(&mut self, todo: Todo, batch: &mut Batch, agenda: &mut Agenda) {
        match todo {
            Todo::Consider(id, key) => {
                self.with_run(id, batch, agenda, |run, cx| run.consider(cx, key));
            }
            Todo::ScopeDone(id, scope) => {
                self.with_run(id, batch, agenda, |run, cx| run.scope_done(cx, scope));
            }
            Todo::MayEnd(id) => {
                self.with_run(id, batch, agenda, |run, cx| run.may_end(cx));
            }
            Todo::Fatal(id, error) => {
                self.with_run(id, batch, agenda, |run, cx| run.fatal(cx, error));
            }
            Todo::UndoNext(id) => {
                self.with_run(id, batch, agenda, |run, cx| run.undo_next(cx));
            }
            Todo::StartChild(record) => self.start_child(*record, batch, agenda),
            other => self.follow_in_family(other, batch, agenda),
        }
    }

    /// What one run means for another: that one may not be in memory.
    fn follow_in_family(&mut self, todo: Todo, batch: &mut Batch, agenda: &mut Agenda) {
        let id = match &todo {
            Todo::ChildEnded { parent, .. } | Todo::Revive { parent, .. } => parent.run,
            Todo::CancelRun(id, _) | Todo::RollbackRun(id) | Todo::RetryRun(id) => *id,
            Todo::Consider(id, _)
            | Todo::ScopeDone(id, _)
            | Todo::MayEnd(id)
            | Todo::Fatal(id, _)
            | Todo::UndoNext(id) => *id,
            Todo::StartChild(record) => record.id,
        };
        if !self.runs.contains_key(&id) {
            let mut todo = Some(todo);
            self.is_here(id, || Waiting::Todo(todo.take().expect("asked once")), batch);
            return;
        }
        self.with_run(id, batch, agenda, |run, cx| match todo {
            Todo::ChildEnded { parent, child, outcome, output, error } => {
                run.child_ended(cx, &parent, child, outcome, output, error);
            }
            Todo::Revive { parent, child } => run.revive(cx, &parent, child),
            Todo::CancelRun(_, reason) => run.cancel(cx, &reason),
            Todo::RollbackRun(_) => run.roll_back_for_parent(cx),
            Todo::RetryRun(_) => {
                // A sub-run that has nothing to retry leaves its parent's task as it was.
                let _ = run.retry(cx, true);
            }
            Todo::Consider(..)
            | Todo::ScopeDone(..)
            | Todo::MayEnd(_)
            | Todo::Fatal(..)
            | Todo::UndoNext(_)
            | Todo::StartChild(_) => {}
        });
    }

    fn start_child(&mut self, mut record: RunRecord, batch: &mut Batch, agenda: &mut Agenda) {
        let Some(parent) = record.parent else { return };
        let root = self.programs.get(&record.definition).expect("the parent runs it");
        let program = root.flow(&record.flow).expect("the parent looked it up");
        let given = if record.input.is_null() { Payload::object::<&str>([]) } else { record.input.clone() };
        match complete_inputs(&program.definition, &given) {
            Ok(input) => {
                record.input = input;
                self.insert_run(Run::new(record, program), batch, agenda);
            }
            Err(faults) => {
                let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                let error = partitur_model::record::TaskError::terminal("bad-input", messages.join("; "));
                agenda.push_back(Todo::ChildEnded {
                    parent,
                    child: record.id,
                    outcome: RunOutcome::Failed,
                    output: Payload::Null,
                    error: Some(error),
                });
            }
        }
    }

    fn insert_run(&mut self, run: Run, batch: &mut Batch, agenda: &mut Agenda) {
        let id = run.id();
        self.runs.insert(id, run);
        self.with_run(id, batch, agenda, |run, cx| {
            run.write(cx);
            cx.event(id, partitur_model::event::EventKind::Run { state: run.rec.state });
            run.limit_slots(cx);
            run.set_run_deadline(cx);
            run.open_root(cx.agenda);
        });
    }

    fn submit(&mut self, submission: Submission, batch: &mut Batch, agenda: &mut Agenda) {
        let reply = submission.reply;
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
        submission: Submission,
        batch: &mut Batch,
        agenda: &mut Agenda,
    ) -> Result<(RunId, bool), Refusal> {
        let definition = &submission.program.definition;
        let mut options = submission.options;
        let mut faults = target_faults(definition, &options.targets);
        let input = match complete_inputs(definition, &submission.input) {
            Ok(input) if faults.is_empty() => input,
            Ok(_) => return Err(Refusal::BadSubmission(faults)),
            Err(more) => {
                faults.extend(more);
                return Err(Refusal::BadSubmission(faults));
            }
        };
        if let Some(template) = &submission.program.dedup_key {
            options.dedup_key.get_or_insert_with(|| dedup_key(template, &definition.name, &input));
        }
        if let Some(run) = self.equal_submission(definition, options.dedup_key.as_deref()) {
            return Ok((run, true));
        }
        self.node.last_run += 1;
        batch.node(self.node);
        let record = RunRecord {
            id: RunId::new(0, self.node.last_run, submission.random),
            definition: submission.definition.id,
            flow: String::new(),
            name: definition.name.clone(),
            parent: None,
            state: RunState::Running,
            generation: 0,
            input,
            variables: Payload::Null,
            output: None,
            error: None,
            options,
            created: self.now,
            ended: None,
        };
        let id = record.id;
        batch.definition(&submission.definition);
        self.programs.entry(submission.definition.id).or_insert_with(|| submission.program.clone());
        self.remember(&record);
        let mut run = Run::new(record, submission.program.clone());
        run.levels = expected_levels(&submission.program, &submission.expected);
        self.insert_run(run, batch, agenda);
        Ok((id, false))
    }

    /// The run of an equal submission within the window.
    fn equal_submission(
        &mut self,
        definition: &partitur_model::definition::Definition,
        key: Option<&str>,
    ) -> Option<RunId> {
        let window = definition.deduplicate.as_ref().map_or(DEDUP_WINDOW, |deduplicate| deduplicate.window);
        let &(run, at) = self.recent.get(key?)?;
        (self.now < at + window).then_some(run)
    }

    fn remember(&mut self, record: &RunRecord) {
        if let Some(key) = &record.options.dedup_key {
            self.recent.insert(key.clone(), (record.id, record.created));
        }
    }

    fn command(
        &mut self,
        id: RunId,
        command: Command,
        reply: Option<ReplyTo>,
        batch: &mut Batch,
        agenda: &mut Agenda,
    ) {
        let result = self.with_run(id, batch, agenda, |run, cx| run.command(cx, command));
        let answer = match result.unwrap_or(Err(Refusal::UnknownRun)) {
            Ok(()) => Answer::Done,
            Err(refusal) => Answer::Refused(refusal),
        };
        if let Some(to) = reply {
            batch.effect(Effect::Reply { to, answer });
        }
    }

    fn tick(&mut self, batch: &mut Batch, agenda: &mut Agenda) {
        while let Some(timer) = self.timers.pop_due(self.now) {
            if self.is_here(timer.run, || Waiting::Timer(timer), batch) {
                self.with_run(timer.run, batch, agenda, |run, cx| run.fire(cx, &timer));
            }
            self.follow(batch, agenda);
        }
    }

    fn reset_breaker(&mut self, name: &str, reply: Option<ReplyTo>, batch: &mut Batch) {
        let answer = match self.admission.reset_breaker(name) {
            Some(record) => {
                batch.breaker(record);
                Answer::Done
            }
            None => Answer::Refused(Refusal::NothingToDo(format!("there is no breaker `{name}`"))),
        };
        if let Some(to) = reply {
            batch.effect(Effect::Reply { to, answer });
        }
    }

    fn attempts_lost(&mut self, batch: &mut Batch, agenda: &mut Agenda) {
        let epoch = self.node.epoch;
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        for id in ids {
            self.with_run(id, batch, agenda, |run, cx| run.lose_attempts(cx, epoch));
            self.follow(batch, agenda);
        }
    }

    /// Starts everything that may start now.
    fn grant(&mut self, batch: &mut Batch, agenda: &mut Agenda) {
        let mut grants = Vec::new();
        loop {
            self.admission.decide(self.now, &mut grants);
            if grants.is_empty() {
                return;
            }
            for grant in grants.drain(..) {
                let id = grant.task.run;
                let mut waiting = Some(grant);
                if self.runs.contains_key(&id) {
                    let grant = waiting.take().expect("just put there");
                    self.start(&grant, batch, agenda);
                } else {
                    self.is_here(id, || Waiting::Grant(waiting.take().expect("asked once")), batch);
                }
            }
            self.follow(batch, agenda);
        }
    }

    fn start(&mut self, grant: &Grant, batch: &mut Batch, agenda: &mut Agenda) {
        self.with_run(grant.task.run, batch, agenda, |run, cx| match run.key_of(grant.task.task) {
            Some(key) => run.start(cx, key, grant),
            None => cx.admission.release(cx.now, grant.task),
        });
    }

    // Runs that are not in memory.

    fn loaded(&mut self, stored: StoredRun, batch: &mut Batch, agenda: &mut Agenda) {
        let id = stored.run.id;
        if self.runs.contains_key(&id) {
            return;
        }
        let mut follows = Agenda::new();
        match self.insert_rows(stored, &mut follows) {
            Ok(()) => {
                self.with_run(id, batch, &mut follows, |run, cx| run.take_up(cx));
                self.follow(batch, &mut follows);
            }
            Err(_) => {
                self.quarantined.insert(id);
                return self.not_found(id, batch);
            }
        }
        for waiting in self.loading.remove(&id).unwrap_or_default() {
            match waiting {
                Waiting::Input(input) => self.handle(input, batch, agenda),
                Waiting::Todo(todo) => self.follow_in_family(todo, batch, agenda),
                Waiting::Grant(grant) => self.start(&grant, batch, agenda),
                Waiting::Timer(timer) => {
                    self.with_run(id, batch, agenda, |run, cx| run.fire(cx, &timer));
                }
            }
            self.follow(batch, agenda);
        }
    }

    fn not_found(&mut self, id: RunId, batch: &mut Batch) {
        for waiting in self.loading.remove(&id).unwrap_or_default() {
            match waiting {
                Waiting::Input(Input::Command { reply: Some(to), .. }) => {
                    batch.effect(Effect::Reply { to, answer: Answer::Refused(Refusal::UnknownRun) });
                }
                Waiting::Grant(grant) => self.admission.release(self.now, grant.task),
                Waiting::Input(_) | Waiting::Todo(_) | Waiting::Timer(_) => {}
            }
        }
    }

    /// Makes the run's state whole in its rows; it leaves when they are durable, unless something comes for it first.
    fn evict(&mut self, id: RunId, batch: &mut Batch) {
        let mut agenda = Agenda::new();
        let there = self.with_run(id, batch, &mut agenda, |run, cx| run.write_derived(cx));
        if there.is_some() {
            self.leaving.insert(id, batch.number());
        }
    }

    fn let_go(&mut self) {
        let durable = self.durable;
        let gone: Vec<RunId> =
            self.leaving.iter().filter(|(_, batch)| **batch <= durable).map(|(&run, _)| run).collect();
        for run in gone {
            self.leaving.remove(&run);
            self.runs.remove(&run);
        }
    }

    // Faults of the engine's own.

    /// The input at hand has failed halfway: its run is set aside, and admission is built afresh from the others.
    fn set_aside(&mut self, subject: Option<(Option<RunId>, Option<ReplyTo>)>, batch: &mut Batch) {
        self.incidents += 1;
        let (run, reply) = subject.unwrap_or_default();
        if let Some(id) = run {
            self.quarantined.insert(id);
            if let Some(run) = self.runs.remove(&id) {
                for task in run.tasks() {
                    let key = admission::TaskKey { run: id, task: task.seq };
                    self.admission.withdraw(key);
                    self.admission.release(self.now, key);
                }
            }
        }
        if let Some(to) = reply {
            let answer = Answer::Refused(Refusal::Incident(self.incidents));
            batch.effect(Effect::Reply { to, answer });
        }
    }

    // What others may look at.

    /// When the engine has something to do although nothing happens.
    pub fn wake(&self) -> Option<Timestamp> {
        [self.timers.next(), self.admission.wake()].into_iter().flatten().min()
    }

    /// Who waits for what, and who has it.
    pub fn waits(&self) -> Vec<WaitView> {
        self.admission.waits(self.now)
    }

    /// Who holds what.
    pub fn holders(&self) -> Vec<HoldView> {
        self.admission.holders()
    }

    /// How every breaker stands.
    pub fn breakers(&self) -> Vec<BreakerRecord> {
        self.admission.breakers(self.now)
    }

    /// The name of a resource in [`Engine::waits`] and [`Engine::holders`].
    pub fn resource_name(&self, resource: admission::ResourceId) -> &str {
        self.admission.name(resource)
    }

    pub(crate) fn runs_in_memory(&self) -> impl Iterator<Item = &Run> + '_ {
        self.runs.values()
    }

    /// What a run's row says now, if it is in memory.
    pub fn run(&self, id: RunId) -> Option<&RunRecord> {
        self.runs.get(&id).map(|run| &run.rec)
    }

    /// The rows of a run that is in memory, by number.
    pub fn tasks(&self, id: RunId) -> impl Iterator<Item = &partitur_model::record::TaskRecord> + '_ {
        self.runs.get(&id).into_iter().flat_map(|run| run.tasks())
    }

    /// The runs in memory.
    pub fn resident(&self) -> impl Iterator<Item = RunId> + '_ {
        self.runs.keys().copied()
    }

    /// Runs set aside by a fault of the engine's own or by rows that do not fit together.
    pub fn quarantined(&self) -> impl Iterator<Item = RunId> + '_ {
        self.quarantined.iter().copied()
    }

    /// Whether the program of this definition is known.
    pub fn knows(&self, definition: DefinitionId) -> bool {
        self.programs.contains_key(&definition)
    }

    /// The program of a definition whose runs may be loaded.
    pub fn learn(&mut self, definition: DefinitionId, program: Arc<Program>) {
        self.programs.insert(definition, program);
    }

    /// How often this node was started, this start included.
    pub fn epoch(&self) -> u32 {
        self.node.epoch
    }

    /// The path of a task, for people.
    pub fn path(&self, run: RunId, task: TaskSeq) -> Option<&str> {
        let run = self.runs.get(&run)?;
        run.task(run.key_of(task)?).map(|task| &*task.path)
    }
}

/// How long a submission with a key of its own is remembered (R-RUN-4).
const DEDUP_WINDOW: std::time::Duration = std::time::Duration::from_secs(60);

/// Whom a fault while handling this input concerns.
fn subject(input: &Input) -> Option<(Option<RunId>, Option<ReplyTo>)> {
    match input {
        Input::Submit(submission) => Some((None, submission.reply)),
        Input::Report(report) => Some((Some(report.attempt.run), None)),
        Input::Command { run, reply, .. } => Some((Some(*run), *reply)),
        Input::Evaluated { run, .. } | Input::Evict(run) => Some((Some(*run), None)),
        Input::Loaded(stored) => Some((Some(stored.run.id), None)),
        Input::ResetBreaker { reply, .. } => Some((None, *reply)),
        Input::Tick
        | Input::Durable(_)
        | Input::AttemptsLost
        | Input::NotFound(_)
        | Input::Concurrency(_) => None,
    }
}

/// Bottom levels of the root's tasks from expected durations by name.
fn expected_levels(program: &Program, expected: &[(String, std::time::Duration)]) -> Option<Vec<f32>> {
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
