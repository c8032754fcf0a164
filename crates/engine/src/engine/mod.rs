//! The engine: its resident runs, and the one door through which everything reaches them.
//!
//! `submission.rs` is how runs come to be, `noted.rs` what leaves a trace, `residency.rs` how they leave memory and
//! return, `incident.rs` what happens when the engine itself is at fault, `view.rs` what others may look at.

mod incident;
pub(crate) mod lock_row;
mod noted;
pub(crate) mod outside;
mod pressure;
mod residency;
mod submission;
mod view;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partitur_model::callback::NamedReceiver;
use partitur_model::catalogue::Entry;
use partitur_model::dispatch::ReportKind;
use partitur_model::record::{BreakerRecord, NodeRecord, RunOutcome, TaskError};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, Timestamp};

use crate::admission::{self, Admission, Grant};
use crate::attempt::SLOTS;
use crate::batch::{Batch, BatchNo};
use crate::callback::Callbacks;
use crate::cx::{Agenda, Cx, Todo};
use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Command, Input, Poll, ReplyTo, StoredRun, Update};
use crate::load::Governors;
use crate::polls::{Polls, offers};
use crate::program::Program;
use crate::recovery::BadRows;
use crate::results::Results;
use crate::run::Run;
use crate::schema::THE_RUN;
use crate::timers::Timers;
use crate::turns::{STRETCH, Turns};
use crate::update::Updated;
use incident::{SetAside, Unit};
use outside::{HeldLock, OUTSIDE, Outside};
use residency::Waiting;

pub use pressure::Urgency;
pub use wake::Reason;

/// How an engine is set up.
#[derive(Debug)]
pub struct Options {
    /// How many attempts may live at once on this node.
    pub concurrency: u32,
    /// In which order ready tasks start.
    pub admission: admission::Options,
    /// So many things follow in a step before loops that wait for nobody wait for their next turn.
    pub stretch: u32,
    /// What those outside held when the node ended.
    pub locks: Vec<HeldLock>,
    /// Somebody looks at the machine and says how it is: limits with bounds follow the load. Otherwise the upper bound
    /// holds.
    pub adapts: bool,
    /// Somebody sends callbacks, to those whom runs name and to these; `None` if nobody does.
    pub callbacks: Option<Vec<NamedReceiver>>,
}

impl Default for Options {
    /// Ten at once, critical path first.
    fn default() -> Options {
        Options {
            concurrency: 10,
            admission: admission::Options::default(),
            stretch: STRETCH,
            locks: Vec::new(),
            adapts: false,
            callbacks: None,
        }
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
    /// The newest submission under each key of deduplication, whether its run has ended or not.
    pub submitted: Vec<(String, RunId, Timestamp)>,
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
    loading: BTreeMap<RunId, std::collections::VecDeque<Waiting>>,
    /// Runs that leave memory when their rows up to a batch are durable.
    leaving: BTreeMap<RunId, BatchNo>,
    /// Runs that were removed in a batch: until that is durable the store would still give their rows.
    removed: BTreeMap<RunId, BatchNo>,
    /// Runs that a fault of the engine's own, or rows that do not fit together, have set aside.
    quarantined: BTreeMap<RunId, SetAside>,
    /// Recent submissions by key, for deduplication.
    recent: BTreeMap<String, Recent>,
    /// So many of them there were when the others were last forgotten.
    recents: usize,
    /// The newest run in memory by name and key, of which there may be one.
    keyed: BTreeMap<(String, String), RunId>,
    admission: Admission,
    governors: Governors,
    outside: Outside,
    polls: Polls,
    results: Results,
    callbacks: Callbacks,
    /// So many names of resources there were when the unused were last forgotten, and so many queues.
    names: usize,
    queues: usize,
    /// So many programs there were when those of no run in memory were last forgotten.
    definitions: usize,
    timers: Timers,
    turns: Turns,
    incidents: u64,
    unit: Unit,
}

/// So many names of resources, queues, and keys are kept whether anybody uses them or not.
const NAMES_KEPT: usize = 1_000;

/// And so many programs, which are larger.
const PROGRAMS_KEPT: usize = 256;

/// A submission with a key, which equal ones share.
#[derive(Clone, Copy, Debug)]
struct Recent {
    run: RunId,
    created: Timestamp,
    /// From when on no equal one shares it, as far as that is known: what was submitted before this start of the node is
    /// kept until the next.
    until: Option<Timestamp>,
}

fn recent((key, run, created): (String, RunId, Timestamp)) -> (String, Recent) {
    (key, Recent { run, created, until: None })
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
            removed: BTreeMap::new(),
            quarantined: BTreeMap::new(),
            recent: boot.submitted.into_iter().map(recent).collect(),
            recents: 0,
            admission: Admission::new(options.admission),
            governors: Governors::new(options.adapts),
            keyed: BTreeMap::new(),
            outside: Outside::default(),
            polls: Polls::default(),
            results: Results::default(),
            callbacks: Callbacks::new(options.callbacks),
            names: 0,
            queues: 0,
            definitions: 0,
            timers: Timers::default(),
            turns: Turns::new(options.stretch),
            incidents: 0,
            unit: Unit::default(),
        };
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::KeysForgotten.is_here() {
            engine.recent.clear();
        }
        engine.admission.set_capacity(SLOTS, options.concurrency);
        for breaker in &boot.breakers {
            engine.admission.restore_breaker(breaker);
        }
        batch.node(engine.node);
        engine.take_up_locks(options.locks);
        let bad = engine.take_up_runs(boot.runs, batch);
        (engine, bad)
    }

    fn take_up_runs(&mut self, stored: Vec<StoredRun>, batch: &mut Batch) -> Vec<BadRows> {
        let mut bad = Vec::new();
        let mut here = Vec::new();
        for run in stored {
            let id = run.run.id;
            let mut agenda = Agenda::new();
            match self.take_up_rows(run, &mut agenda) {
                Ok(()) => here.push((id, agenda)),
                Err(problem) => bad.push(problem),
            }
        }
        // What follows for others of a family needs all of it in memory.
        for (id, mut follows) in here {
            self.guarded(Some(id), batch, |engine, batch, agenda| {
                agenda.append(&mut follows);
                engine.with_run(id, batch, agenda, |run, cx| run.take_up(cx));
            });
        }
        self.admission.settle(BatchNo(u64::MAX));
        self.grant(batch);
        bad
    }

    /// One input: what it changes and what is to be done go into the batch.
    ///
    /// Engine time never goes back: an earlier `now` than the last counts as the last. A fault of the engine's own
    /// takes back this input alone and sets its run aside; the other inputs of the batch stand.
    pub fn step(&mut self, now: Timestamp, input: Input, batch: &mut Batch) {
        self.now = self.now.max(now);
        self.turns.begin();
        match input {
            Input::Tick => self.tick(batch),
            Input::AttemptsLost => self.attempts_lost(batch),
            Input::Submit(_)
            | Input::Durable(_)
            | Input::Concurrency(_)
            | Input::Pressure(_)
            | Input::ResetBreaker { .. }
            | Input::Locks(_)
            | Input::ClearResults { .. }
            | Input::Loaded(_)
            | Input::NotFound(_)
            | Input::Evict(_)
            | Input::Report(_)
            | Input::Command { .. }
            | Input::Evaluated { .. }
            | Input::Poll(_)
            | Input::PollOver(_)
            | Input::GiveBack(_)
            | Input::Update(_)
            | Input::Resolved { .. }
            | Input::Keep { .. }
            | Input::Noted { .. }
            | Input::Log { .. } => {
                let subject = subject(&input);
                self.guarded(subject, batch, |engine, batch, agenda| engine.handle(input, batch, agenda));
            }
        }
        self.grant(batch);
        self.answer_polls(batch);
        self.forget_the_unused();
    }

    fn handle(&mut self, input: Input, batch: &mut Batch, agenda: &mut Agenda) {
        match input {
            Input::Submit(submission) => self.submit(*submission, batch, agenda),
            Input::Durable(number) => {
                self.durable = number;
                self.admission.settle(number);
                self.let_go();
            }
            Input::Concurrency(count) => self.admission.set_capacity(SLOTS, count),
            Input::Pressure(pressure) => self.press(pressure, batch, agenda),
            Input::ResetBreaker { name, reply } => self.reset_breaker(&name, reply, batch),
            Input::Locks(input) => self.locks(input, batch),
            Input::ClearResults { reply } => {
                self.results.clear();
                answer_to(reply, Answer::Done, batch);
            }
            Input::Loaded(stored) => self.loaded(*stored, batch, agenda),
            Input::NotFound(run) => self.not_found(run, batch, agenda),
            Input::Evict(run) => self.evict(run, batch),
            Input::Report(_)
            | Input::Command { .. }
            | Input::Evaluated { .. }
            | Input::Update(_)
            | Input::Resolved { .. }
            | Input::Log { .. } => {
                self.handle_for_run(input, batch, agenda);
            }
            Input::Poll(poll) => self.poll(poll),
            Input::PollOver(reply) => self.polls.over(reply),
            Input::GiveBack(attempts) => {
                for attempt in attempts {
                    let input = Input::GiveBack(vec![attempt]);
                    if self.if_here(attempt.run, input, Waiting::Input, batch).is_none() {
                        continue;
                    }
                    self.with_run(attempt.run, batch, agenda, |run, cx| run.give_back(cx, attempt));
                }
            }
            Input::Keep { entries, reply } => keep(entries, reply, batch),
            Input::Noted { input, notes } => self.noted(*input, notes, batch, agenda),
            // Both go over many runs: `step` takes them apart.
            Input::Tick | Input::AttemptsLost => {}
        }
    }

    /// An input for one run, which may have to be brought into memory first.
    fn handle_for_run(&mut self, input: Input, batch: &mut Batch, agenda: &mut Agenda) {
        let Some(id) = subject(&input) else { return };
        let Some(input) = self.if_here(id, input, Waiting::Input, batch) else { return };
        match input {
            Input::Report(report) => {
                if matches!(report.what, ReportKind::Ended(_) | ReportKind::Again { .. }) {
                    self.unit.ended.push(report.attempt);
                }
                self.with_run(id, batch, agenda, |run, cx| run.report(cx, report));
            }
            Input::Command { command, reply, .. } => self.command(id, command, reply, batch, agenda),
            Input::Evaluated { task, generation, result, .. } => {
                self.with_run(id, batch, agenda, |run, cx| run.evaluated(cx, task, generation, result));
            }
            Input::Update(update) => self.update(*update, batch, agenda),
            Input::Resolved { task, generation, result, .. } => {
                self.with_run(id, batch, agenda, |run, cx| run.resolved(cx, task, generation, result));
            }
            Input::Log { task, lines, reply, .. } => {
                self.unit.replies.extend(reply);
                let known = self.runs.get(&id).is_some_and(|run| run.knows(task));
                let answer = if known {
                    batch.log(id, task, lines);
                    Answer::Done
                } else {
                    Answer::Refused(Refusal::UnknownTask(task.0.to_string()))
                };
                answer_to(reply, answer, batch);
            }
            Input::Submit(_)
            | Input::Tick
            | Input::Durable(_)
            | Input::AttemptsLost
            | Input::Loaded(_)
            | Input::NotFound(_)
            | Input::Evict(_)
            | Input::Concurrency(_)
            | Input::Pressure(_)
            | Input::Poll(_)
            | Input::PollOver(_)
            | Input::GiveBack(_)
            | Input::Keep { .. }
            | Input::Noted { .. }
            | Input::ResetBreaker { .. }
            | Input::Locks(_)
            | Input::ClearResults { .. } => {}
        }
    }

    fn poll(&mut self, poll: Poll) {
        let queue = self.polls.ask(self.now, poll);
        self.admission.set_offers(&offers(&queue), self.polls.wanted(&queue));
    }

    /// Somebody says how a task stands, and may want the next one in the same breath.
    fn update(&mut self, update: Update, batch: &mut Batch, agenda: &mut Agenda) {
        let (id, then) = (update.run, update.then.clone());
        let reply = update.reply;
        self.unit.replies.extend(reply.or(then.as_ref().map(|poll| poll.reply)));
        let result = self.with_run(id, batch, agenda, |run, cx| run.update(cx, update));
        match (result.unwrap_or(Err(Refusal::UnknownRun)), then) {
            (Ok(Updated::Below(update)), _) => {
                agenda.push_back(Todo::Update(update));
            }
            (Ok(Updated::Task { task, .. }), None) => {
                answer_to(reply, Answer::Updated { run: id, task }, batch);
            }
            (Ok(Updated::Task { ended, .. }), Some(mut poll)) => {
                #[cfg(feature = "planted-faults")]
                if partitur_model::planted::Planted::UpdateUnanswered.is_here() && !ended {
                    return;
                }
                // Who did not end its task gets no other one.
                poll.count = if ended { poll.count } else { 0 };
                self.follow(batch, agenda);
                let reply = poll.reply;
                self.poll(poll);
                self.polls.not_before(reply, batch.number());
            }
            (Err(refusal), then) => {
                let reply = reply.or(then.map(|poll| poll.reply));
                answer_to(reply, Answer::Refused(refusal), batch);
            }
        }
    }

    /// Tells those who asked for tasks what they have got in this step.
    fn answer_polls(&mut self, batch: &mut Batch) {
        for (queue, effect) in self.polls.answers(self.awaits_granted()) {
            self.admission.set_offers(&offers(&queue), self.polls.wanted(&queue));
            batch.effect(effect);
        }
    }

    fn with_run<T>(
        &mut self,
        id: RunId,
        batch: &mut Batch,
        agenda: &mut Agenda,
        transition: impl FnOnce(&mut Run, &mut Cx<'_>) -> T,
    ) -> Option<T> {
        // Whatever touches a run that is about to leave keeps it: its rows of this batch are not durable yet.
        self.leaving.remove(&id);
        let run = self.runs.get_mut(&id)?;
        self.unit.touched.push(id);
        let mut cx = Cx {
            now: self.now,
            batch,
            admission: &mut self.admission,
            governors: &mut self.governors,
            timers: &mut self.timers,
            turns: &mut self.turns,
            node: &mut self.node,
            token: &mut self.token,
            programs: &self.programs,
            polls: &mut self.polls,
            results: &mut self.results,
            callbacks: &mut self.callbacks,
            agenda,
        };
        Some(transition(run, &mut cx))
    }

    /// Does what follows, until nothing does.
    fn follow(&mut self, batch: &mut Batch, agenda: &mut Agenda) {
        while let Some(todo) = agenda.pop_front() {
            self.turns.spend();
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
            Todo::Fatal(id, outcome, error) => {
                self.with_run(id, batch, agenda, |run, cx| run.fatal(cx, outcome, error));
            }
            Todo::UndoNext(id) => {
                self.with_run(id, batch, agenda, |run, cx| run.undo_next(cx));
            }
            Todo::StartChild(record, found) => self.start_child(*record, found, batch, agenda),
            Todo::Update(update) => {
                if let Some(Input::Update(update)) =
                    self.if_here(update.run, Input::Update(update), Waiting::Input, batch)
                {
                    self.update(*update, batch, agenda);
                }
            }
            other => self.follow_in_family(other, batch, agenda),
        }
    }

    /// What one run means for another: that one may not be in memory.
    fn follow_in_family(&mut self, todo: Todo, batch: &mut Batch, agenda: &mut Agenda) {
        let id = match &todo {
            Todo::ChildEnded { parent, .. } | Todo::Revive { parent, .. } => parent.run,
            Todo::ToChild { child, .. } => *child,
            Todo::Consider(id, _)
            | Todo::ScopeDone(id, _)
            | Todo::MayEnd(id)
            | Todo::Fatal(id, _, _)
            | Todo::UndoNext(id) => *id,
            Todo::StartChild(record, _) => record.id,
            Todo::Update(update) => update.run,
        };
        if self.is_out_of_reach(id) {
            return child_is_gone(todo, agenda);
        }
        let Some(todo) = self.if_here(id, todo, Waiting::Todo, batch) else { return };
        self.with_run(id, batch, agenda, |run, cx| match todo {
            Todo::ChildEnded { parent, child, outcome, output, error } => {
                run.child_ended(cx, &parent, child, outcome, output, error);
            }
            Todo::Revive { parent, child } => run.revive(cx, &parent, child),
            Todo::ToChild { parent, order, .. } => run.obey(cx, parent, order),
            Todo::Consider(..)
            | Todo::ScopeDone(..)
            | Todo::MayEnd(_)
            | Todo::Fatal(..)
            | Todo::UndoNext(_)
            | Todo::StartChild(..)
            | Todo::Update(_) => {}
        });
    }

    fn command(
        &mut self,
        id: RunId,
        command: Command,
        reply: Option<ReplyTo>,
        batch: &mut Batch,
        agenda: &mut Agenda,
    ) {
        self.unit.replies.extend(reply);
        if let Command::RestartWith(restart) = &command
            && let Some((program, record)) = &restart.definition
        {
            batch.definition(record);
            self.programs.entry(record.id).or_insert_with(|| program.clone());
        }
        let removes = matches!(command, Command::Remove { .. });
        let result = self.with_run(id, batch, agenda, |run, cx| run.command(cx, command));
        if removes && matches!(result, Some(Ok(()))) {
            self.drop_run(id);
            self.removed.insert(id, batch.number());
        }
        let answer = match result.unwrap_or(Err(Refusal::UnknownRun)) {
            Ok(()) => Answer::Done,
            Err(refusal) => Answer::Refused(refusal),
        };
        answer_to(reply, answer, batch);
    }

    fn tick(&mut self, batch: &mut Batch) {
        self.end_leases(batch);
        self.fire_timers(batch);
        // However many timers are due, somebody goes on.
        self.turns.begin();
        self.take_turns(batch);
    }

    fn fire_timers(&mut self, batch: &mut Batch) {
        while !self.turns.is_over()
            && let Some(timer) = self.timers.pop_due(self.now)
        {
            self.turns.spend();
            self.guarded(Some(timer.run), batch, |engine, batch, agenda| {
                if let Some(timer) = engine.if_here(timer.run, timer, Waiting::Timer, batch) {
                    engine.with_run(timer.run, batch, agenda, |run, cx| run.fire(cx, &timer));
                }
            });
        }
    }

    fn take_turns(&mut self, batch: &mut Batch) {
        while let Some(turn) = self.turns.next() {
            self.guarded(Some(turn.run), batch, |engine, batch, agenda| {
                engine.with_run(turn.run, batch, agenda, |run, cx| run.take_turn(cx, turn.scope));
            });
        }
    }

    fn reset_breaker(&mut self, name: &str, reply: Option<ReplyTo>, batch: &mut Batch) {
        self.unit.replies.extend(reply);
        let answer = match self.admission.reset_breaker(name) {
            Some(record) => {
                batch.breaker(record);
                Answer::Done
            }
            None => Answer::Refused(Refusal::NothingToDo(format!("no breaker `{name}` is open"))),
        };
        answer_to(reply, answer, batch);
    }

    fn attempts_lost(&mut self, batch: &mut Batch) {
        let epoch = self.node.epoch;
        self.bury(epoch);
        let ids: Vec<RunId> = self.runs.keys().copied().collect();
        for id in ids {
            self.guarded(Some(id), batch, |engine, batch, agenda| {
                engine.with_run(id, batch, agenda, |run, cx| run.lose_attempts(cx, epoch));
            });
        }
    }

    /// Names of resources may be made of values, workers may ask for whatever they like, and definitions may come with
    /// their runs: those that are of the past are forgotten when there are twice as many as there were.
    fn forget_the_unused(&mut self) {
        if self.admission.names() > 2 * self.names + NAMES_KEPT {
            self.admission.forget_unused();
            self.names = self.admission.names();
        }
        if self.polls.queues() > 2 * self.queues + NAMES_KEPT {
            self.polls.forget_idle(self.now);
            self.queues = self.polls.queues();
        }
        if self.programs.len() > 2 * self.definitions + PROGRAMS_KEPT {
            // A run that comes back into memory brings its own.
            let used: BTreeSet<DefinitionId> = self.runs.values().map(|run| run.rec.definition).collect();
            self.programs.retain(|id, _| used.contains(id));
            self.definitions = self.programs.len();
        }
        if self.recent.len() > 2 * self.recents + NAMES_KEPT {
            let now = self.now;
            self.recent.retain(|_, recent| recent.until.is_none_or(|until| until > now));
            self.recents = self.recent.len();
        }
    }

    /// Starts everything that may start now.
    fn grant(&mut self, batch: &mut Batch) {
        let mut grants = Vec::new();
        loop {
            self.admission.decide(self.now, &mut grants);
            if grants.is_empty() {
                break;
            }
            for grant in grants.drain(..) {
                if grant.task.run == OUTSIDE {
                    self.hold_lock(&grant, batch);
                    continue;
                }
                self.guarded(Some(grant.task.run), batch, |engine, batch, agenda| {
                    if let Some(grant) = engine.if_here(grant.task.run, grant, Waiting::Grant, batch) {
                        engine.start(&grant, batch, agenda);
                    }
                });
            }
        }
        self.refuse_locks(batch);
    }

    fn start(&mut self, grant: &Grant, batch: &mut Batch, agenda: &mut Agenda) {
        self.with_run(grant.task.run, batch, agenda, |run, cx| match run.key_of(grant.task.task) {
            None if grant.task.task == THE_RUN => run.has_room(cx),
            Some(key) => run.start(cx, key, grant),
            None => cx.admission.release(cx.now, grant.task),
        });
    }
}

/// What a run wanted of its sub-run cannot be had: it hears of its end.
fn child_is_gone(todo: Todo, agenda: &mut Agenda) {
    if let Todo::ToChild { child, parent, .. } = todo {
        let message = format!("its run {} cannot be reached: it was set aside or removed", child.number());
        agenda.push_back(Todo::ChildEnded {
            parent,
            child,
            outcome: RunOutcome::Failed,
            output: Payload::Null,
            error: Some(TaskError::terminal("lost", message)),
        });
    }
}

/// Which run an input is for.
fn subject(input: &Input) -> Option<RunId> {
    match input {
        Input::Noted { input, .. } => subject(input),
        Input::Report(report) => Some(report.attempt.run),
        Input::Update(update) => Some(update.run),
        Input::Command { run, .. }
        | Input::Evaluated { run, .. }
        | Input::Resolved { run, .. }
        | Input::Log { run, .. } => Some(*run),
        Input::Evict(run) | Input::NotFound(run) => Some(*run),
        Input::Loaded(stored) => Some(stored.run.id),
        Input::Submit(_)
        | Input::Tick
        | Input::Durable(_)
        | Input::AttemptsLost
        | Input::Concurrency(_)
        | Input::Pressure(_)
        | Input::Poll(_)
        | Input::PollOver(_)
        | Input::GiveBack(_)
        | Input::Keep { .. }
        | Input::ResetBreaker { .. }
        | Input::Locks(_)
        | Input::ClearResults { .. } => None,
    }
}

fn answer_to(reply: Option<ReplyTo>, answer: Answer, batch: &mut Batch) {
    if let Some(to) = reply {
        batch.effect(Effect::Reply { to, answer });
    }
}

fn keep(entries: Vec<Entry>, reply: Option<ReplyTo>, batch: &mut Batch) {
    for entry in entries {
        batch.entry(entry);
    }
    answer_to(reply, Answer::Done, batch);
}
