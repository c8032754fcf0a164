//! Whoever hosts: one thread that turns the shard, executes attempts, and talks to terminals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use partitur_api::{Command as WireCommand, Event, EventKind, Request, Response, Status, Stream, Submit};
use partitur_engine::{
    Answer, Command, Effect, Input, Program, Purpose, Refusal, ReplyTo, Resolved, Submission,
};
use partitur_model::change::BatchNo;
use partitur_model::dispatch::{Dispatch, ReportKind};
use partitur_model::event::EventKind as ModelKind;
use partitur_model::record::{
    DefinitionRecord, RunOptions, RunOutcome, RunRecord, RunState, TaskError, TaskRecord,
};
use partitur_model::{AttemptId, DefinitionId, Payload, RunId, TaskSeq, Timestamp};
use partitur_runtime::{Adopt, Clock, Opened, Shard};
use partitur_script::Evaluator;
use partitur_store::{HostLock, Reader, SqliteStore, StateDir, StoreError, Synchronous};
use partitur_worker::build::{Decision, Verdict};
use partitur_worker::calls::{Calls, Egress};
use partitur_worker::{CacheOptions, Jobserver, LocalExecutor, RunContext, Waker, WorkerEvent, kill_strays};

use super::build;
use super::conductor::Question;
use super::context::{Context, Given, env_from_wire};
use super::document::compile_record;
use super::feed::{Feed, Follower};
use super::metrics::Metrics;
use super::pressure::Looks;
use super::session::{HostError, Settings};
use super::status;
use super::terminals::{LISTENER, Terminals};

/// After a crash, processes that the dead host has left are given so long to go.
const STRAYS_GRACE: Duration = Duration::from_secs(5);

/// Over this time the throughput is measured.
const THROUGHPUT_WINDOW: Duration = Duration::from_secs(60);

/// The host of a state directory.
pub(crate) struct Host {
    // Released last: nobody else may host while anything of this one lives.
    shard: Shard<SqliteStore>,
    executor: LocalExecutor,
    terminals: Terminals,
    clock: Clock,
    state: StateDir,
    reader: Option<Reader>,
    /// A document that the next submission need not have compiled.
    lent: Option<(DefinitionId, Arc<Program>)>,
    contexts: BTreeMap<RunId, Context>,
    feed: Feed,
    /// Runs that had ended in memory when somebody began to follow them.
    maybe_over: Vec<RunId>,
    /// Who waits for an answer.
    pending: BTreeMap<u64, Pending>,
    last_reply: u64,
    /// Events and answers for the terminal of the host itself.
    own: VecDeque<Own>,
    interrupts: Interrupts,
    concurrency: u32,
    started: Instant,
    ends: VecDeque<Timestamp>,
    paths: BTreeMap<AttemptId, Arc<str>>,
    /// Runs of which the executor knows where successes are kept, and those of which somebody wants tasks executed again.
    incremental: BTreeSet<RunId>,
    forced: BTreeSet<RunId>,
    /// Tasks that were not executed, until their end is told.
    verdicts: BTreeMap<(RunId, TaskSeq), Verdict>,
    evaluator: Evaluator,
    /// Runs that are wanted and were not looked up yet, and what must be durable before.
    unsettled: Vec<(BatchNo, Asked)>,
    looks: Looks,
    metrics: Metrics,
    later: Later,
    said_later: Receiver<Input>,
    events: Vec<WorkerEvent>,
    socket: PathBuf,
    _lock: HostLock,
}

/// Something for the terminal of the host itself.
#[derive(Debug)]
pub(crate) enum Own {
    Event(Event),
    Answer(Response),
    Ended(u64),
}

/// A run that is wanted.
struct Asked {
    run: RunId,
    task: Option<TaskSeq>,
    generation: u32,
    purpose: Purpose,
    description: Payload,
    input: Payload,
}

/// The way in for what other threads have found out.
#[derive(Clone)]
struct Later {
    sender: Sender<Input>,
    bell: Waker,
}

impl Later {
    /// Without a host nobody wants to know.
    fn tell(&self, input: Input) {
        if self.sender.send(input).is_ok() {
            self.bell.wake();
        }
    }
}

/// Somebody waits for an answer to this.
struct Pending {
    who: Follower,
    context: Option<Context>,
}

/// Signals that ask the process to end, as descriptors that can be waited for.
pub(crate) struct Interrupts {
    incoming: std::os::unix::net::UnixStream,
    pub(crate) count: u32,
}

/// Whoever started us may share its places with us; else we may with what we start.
fn jobserver(settings: &Settings, state: &StateDir) -> Option<Jobserver> {
    let outer = std::env::var_os("MAKEFLAGS").and_then(|flags| Jobserver::named(&flags));
    // A fifo that is gone, as in a shell that outlived its make, is none.
    let is_there = |jobserver: &Jobserver| match jobserver {
        Jobserver::Join { fifo } | Jobserver::Serve { fifo, .. } => fifo.exists(),
    };
    let own = || Jobserver::Serve { fifo: state.path().join("jobserver"), places: settings.concurrency };
    outer.filter(is_there).or_else(|| settings.jobserver.then(own))
}

/// Whether a host has anything to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Runs are alive.
    Busy,
    /// Nothing lives and everything is durable.
    Idle,
}

const INTERRUPT: u64 = 2;

impl Host {
    /// Becomes the host: kills what a dead host has left, reads what it knew, and goes on with the runs in `adopt`.
    pub(crate) fn open(
        settings: &Settings,
        state: StateDir,
        lock: HostLock,
        adopt: &[u64],
    ) -> Result<(Host, Opened), HostError> {
        // A file that may not grow is an error of writing, like a full disk, and nothing to die of. Heard, not ignored:
        // what is ignored would be so in the tasks too.
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        let evaluator = Evaluator::default();
        let everywhere = Egress::everywhere();
        let mut executor = LocalExecutor::new(partitur_worker::Options {
            cache: Some(CacheOptions {
                eviction: settings.eviction.clone(),
                ..CacheOptions::new(state.path().join("cache"))
            }),
            calls: Some(Calls::new(everywhere, evaluator.clone())),
            jobserver: jobserver(settings, &state),
            ..partitur_worker::Options::default()
        })?;
        let waker = executor.waker();
        let (sender, said_later) = channel();
        let later = Later { sender, bell: waker.clone() };
        let synchronous = if settings.durable { Synchronous::Full } else { Synchronous::Normal };
        let options = partitur_store::Options { synchronous, ..partitur_store::Options::default() };
        let fresh = !state.database().exists();
        let store = SqliteStore::open(state.database(), options, move || waker.wake())?;
        if !fresh {
            // Every run of this directory was the dead host's; in another directory they have other ids.
            let known = Reader::open(state.database())?;
            kill_strays(&|run| known.run(run).is_ok_and(|found| found.is_some()), STRAYS_GRACE)?;
        }
        let clock = Clock::new();
        let options = partitur_runtime::Options {
            engine: partitur_engine::Options {
                concurrency: settings.concurrency,
                admission: settings.order.admission(),
                adapts: true,
                ..Default::default()
            },
            adopt: Adopt::Only(adopt.to_vec()),
            gather: settings.gather,
        };
        let (mut shard, opened) = Shard::open(options, store, Box::new(compile_record), clock.now())?;
        shard.step(clock.now(), Input::AttemptsLost);
        let socket = state.path().join("host.sock");
        let terminals = Terminals::listen(&socket, &mut executor)?;
        let interrupts = Interrupts::listen(&mut executor)?;
        let metrics = state.path().join("metrics");
        let host = Host {
            shard,
            executor,
            terminals,
            clock,
            state,
            reader: None,
            lent: None,
            contexts: BTreeMap::new(),
            feed: Feed::default(),
            maybe_over: Vec::new(),
            pending: BTreeMap::new(),
            last_reply: 0,
            own: VecDeque::new(),
            interrupts,
            concurrency: settings.concurrency,
            started: Instant::now(),
            ends: VecDeque::new(),
            paths: BTreeMap::new(),
            incremental: BTreeSet::new(),
            forced: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            evaluator,
            unsettled: Vec::new(),
            looks: Looks::default(),
            metrics: Metrics::new(metrics),
            later,
            said_later,
            events: Vec::new(),
            socket,
            _lock: lock,
        };
        Ok((host, opened))
    }

    /// One round: waits at most so long for something to happen, and does what follows.
    pub(crate) fn turn(&mut self, timeout: Duration) -> Result<(), HostError> {
        let now = self.clock.now();
        if let Some(found) = self.looks.look(self.shard.engine()) {
            self.shard.step(now, found);
        }
        self.shard.turn(now).map_err(HostError::Shard)?;
        self.carry_out()?;
        let timeout = self.looks.due(self.shard.engine()).map_or(timeout, |due| due.min(timeout));
        let due = self.shard.wake().map_or(timeout, |at| at.since(self.clock.now()).min(timeout));
        let due = if self.own.is_empty() { due } else { Duration::ZERO };
        let mut events = std::mem::take(&mut self.events);
        self.executor.poll(Some(due), &mut events)?;
        for event in events.drain(..) {
            self.happened(event)?;
        }
        self.events = events;
        self.shard.turn(self.clock.now()).map_err(HostError::Shard)?;
        self.carry_out()?;
        self.resolve_what_is_settled();
        self.end_what_is_over();
        self.sample();
        self.terminals.flush(&mut self.executor);
        Ok(())
    }

    /// Whether anything lives.
    pub(crate) fn readiness(&self) -> Readiness {
        let engine = self.shard.engine();
        let busy = engine.resident().any(|run| engine.run(run).is_some_and(|rec| !rec.state.is_ended()));
        if busy || !self.shard.is_quiet() || self.executor.live() > 0 {
            Readiness::Busy
        } else {
            Readiness::Idle
        }
    }

    fn happened(&mut self, event: WorkerEvent) -> Result<(), HostError> {
        match event {
            WorkerEvent::Report(report) => {
                if let ReportKind::Ended(_) | ReportKind::Again { .. } = report.what {
                    self.paths.remove(&report.attempt);
                }
                self.shard.step(self.clock.now(), Input::Report(report));
                // A free slot is worth more than the order of the other events: what may start, starts at once.
                self.carry_out()?;
            }
            WorkerEvent::Output { attempt, stream, bytes } => self.wrote(attempt, stream, &bytes),
            WorkerEvent::Decided { attempt, decision } => self.decided(attempt, &decision),
            WorkerEvent::Woken => {
                while let Ok(input) = self.said_later.try_recv() {
                    self.shard.step(self.clock.now(), input);
                }
            }
            WorkerEvent::Readable(LISTENER) => self.terminals.accept(&mut self.executor),
            WorkerEvent::Readable(INTERRUPT) => self.interrupts.take(),
            WorkerEvent::Readable(tag) => self.asked(tag),
        }
        Ok(())
    }

    fn wrote(&mut self, attempt: AttemptId, stream: partitur_worker::log::Stream, bytes: &[u8]) {
        if !self.feed.has_followers(attempt.run) {
            return;
        }
        let Some(task) = self.paths.get(&attempt).cloned() else { return };
        let stream = match stream {
            partitur_worker::log::Stream::Stdout => Stream::Stdout,
            partitur_worker::log::Stream::Stderr | partitur_worker::log::Stream::Note => Stream::Stderr,
        };
        let text = String::from_utf8_lossy(bytes).into_owned();
        let at = self.clock.now().millis();
        self.tell(
            attempt.run,
            Event::new(at, attempt.run.number(), EventKind::Output { task, stream, text }),
        );
    }

    /// Whether an incremental task is executed.
    fn decided(&mut self, attempt: AttemptId, decision: &Decision) {
        let Some(task) = self.paths.get(&attempt).cloned() else { return };
        if self.feed.has_followers(attempt.run) {
            if decision.verdict != Verdict::Runs {
                self.verdicts.insert((attempt.run, attempt.task), decision.verdict);
            }
            let kind = build::decided(task, decision);
            self.tell(attempt.run, Event::new(self.clock.now().millis(), attempt.run.number(), kind));
        }
    }

    fn tell(&mut self, run: RunId, event: Event) {
        for (follower, event) in self.feed.tell(run, event) {
            match follower {
                Follower::Own => self.own.push_back(Own::Event(event)),
                Follower::Terminal(tag) => {
                    self.terminals.send(tag, &Response::Event(event), &mut self.executor);
                }
            }
        }
    }

    // What the engine wants done.

    fn carry_out(&mut self) -> Result<(), HostError> {
        for effect in self.shard.take_effects() {
            match effect {
                Effect::Dispatch { dispatch, .. } => self.execute(*dispatch)?,
                Effect::Stop(attempt) => self.executor.stop(attempt),
                Effect::Evaluate { run, task, generation, language, source, input } => {
                    let later = self.later.clone();
                    self.evaluator.evaluate(run.number(), &language, source, input, move |result| {
                        later.tell(Input::Evaluated { run, task, generation, result });
                    });
                }
                Effect::Resolve { run, task, generation, purpose, description, input } => {
                    let asked = Asked { run, task, generation, purpose, description, input };
                    self.unsettled.push((self.shard.open_batch(), asked));
                }
                // The shard brings runs itself; nobody polls here.
                Effect::Load(_) | Effect::HandOut { .. } => {}
                Effect::Reply { to, answer } => self.answer(to, answer)?,
                Effect::Event(event) => self.engine_event(&event),
            }
        }
        Ok(())
    }

    /// Looks up what runs have asked for, as soon as all is durable from which the answer follows.
    fn resolve_what_is_settled(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let (is_quiet, durable) = (self.shard.is_quiet(), self.shard.durable_batch());
        if !is_quiet {
            self.shard.hurry();
        }
        for (batch, asked) in std::mem::take(&mut self.unsettled) {
            if !is_quiet && batch > durable {
                self.unsettled.push((batch, asked));
                continue;
            }
            let Asked { run, task, generation, .. } = asked;
            let resolved = self.resolve(asked);
            let answer = move |result| Input::Resolved { run, task, generation, result };
            match resolved {
                Ok((resolved, Some(schema))) => {
                    let (later, input) = (self.later.clone(), resolved.input.clone());
                    self.evaluator.evaluate(run.number(), "schema", schema, input, move |fits| {
                        later.tell(answer(fits.map(|_| resolved)));
                    });
                }
                Ok((resolved, None)) => self.shard.step(self.clock.now(), answer(Ok(resolved))),
                Err(error) => self.shard.step(self.clock.now(), answer(Err(error))),
            }
        }
    }

    fn resolve(&mut self, asked: Asked) -> Result<(Box<Resolved>, Option<Arc<str>>), TaskError> {
        let Asked { run, purpose, description, input, .. } = asked;
        let gone = || TaskError::terminal("gone", "the run that asks is gone");
        let record = self.shard.engine().run(run).cloned().ok_or_else(gone)?;
        let broken = |error: StoreError| TaskError::new("store", error.to_string());
        let reader = self.reader().ok_or_else(gone)?;
        let asking = reader.definition(record.definition).map_err(broken)?.ok_or_else(gone)?;
        let options = record.options.server.clone();
        let failed = match purpose {
            Purpose::Failure => Some((record, reader.tasks(run).map_err(broken)?)),
            Purpose::SubRun | Purpose::Start => None,
        };
        Question { asking, purpose, description, input, options, failed }.answer()
    }

    fn execute(&mut self, dispatch: Dispatch) -> Result<(), HostError> {
        let run = dispatch.attempt.run;
        if !self.contexts.contains_key(&run) {
            let context = self.inherited_context(run);
            self.enter(run, context)?;
        }
        self.build_incrementally(run);
        self.paths.insert(dispatch.attempt, dispatch.path.clone());
        self.executor.start(dispatch);
        Ok(())
    }

    /// Tells the executor once, before the first task, where the successes of the run's tasks are kept.
    fn build_incrementally(&mut self, run: RunId) {
        let (Some(record), Some(context)) = (self.shard.engine().run(run), self.contexts.get(&run)) else {
            return;
        };
        if self.incremental.insert(run) {
            let force = self.forced.contains(&run);
            let known = build::context(&self.state, record, &context.dir, force, context.only.clone());
            self.executor.build_incrementally(run, known);
        }
    }

    /// A sub-run inherits from the run above; a run that nobody has adopted, from this process.
    fn inherited_context(&self, run: RunId) -> Context {
        let mut above = run;
        while let Some(parent) = self.shard.engine().run(above).and_then(|rec| rec.parent) {
            above = parent.run;
            if let Some(context) = self.contexts.get(&above) {
                return context.clone();
            }
        }
        Context {
            dir: self.dir_of(run),
            env: std::env::vars_os().collect(),
            secrets: Arc::new(Given(BTreeMap::new())),
            seal: None,
            only: None,
        }
    }

    fn dir_of(&self, run: RunId) -> PathBuf {
        let labels = self.shard.engine().run(run).map(|rec| &rec.options.labels);
        let dir = labels.and_then(|labels| labels.iter().find(|(name, _)| name == "dir"));
        dir.map_or_else(|| PathBuf::from("."), |(_, dir)| PathBuf::from(dir))
    }

    fn enter(&mut self, run: RunId, context: Context) -> Result<(), HostError> {
        self.executor.enter_run(RunContext {
            run,
            dir: context.dir.clone(),
            env: context.env.clone(),
            log: self.state.runs().join(format!("{}.log", run.number())),
            secrets: context.secrets.clone(),
        })?;
        self.contexts.insert(run, context);
        Ok(())
    }

    fn engine_event(&mut self, event: &partitur_model::event::Event) {
        match &event.what {
            ModelKind::TaskEnded { .. } => self.ends.push_back(event.at),
            ModelKind::Run { .. } => self.note_family(event.run),
            ModelKind::TaskReady { .. }
            | ModelKind::TaskWaits { .. }
            | ModelKind::TaskStarted { .. }
            | ModelKind::TaskProgress { .. }
            | ModelKind::TaskRetries { .. }
            | ModelKind::UndoEnded { .. }
            | ModelKind::TaskServes { .. }
            | ModelKind::Limit { .. }
            | ModelKind::Notice { .. } => {}
        }
        while self.ends.front().is_some_and(|&at| at + THROUGHPUT_WINDOW < event.at) {
            self.ends.pop_front();
        }
        if self.feed.has_followers(event.run) {
            let mut wire = Event::from(event);
            self.complete(event.run, &mut wire);
            if let (ModelKind::TaskEnded { task, .. }, EventKind::TaskEnded { verdict, .. }) =
                (&event.what, &mut wire.kind)
            {
                let taken = self.verdicts.remove(&(event.run, *task));
                *verdict = taken.map(|taken| build::verdict_name(taken).to_owned());
            }
            self.tell(event.run, wire);
        }
        if let ModelKind::Run { state } = event.what
            && state.is_ended()
        {
            self.run_ended(event.run);
        }
    }

    /// The end of a run is told with its output and error, which its row knows.
    fn complete(&self, run: RunId, event: &mut Event) {
        let EventKind::Run { ended: true, error, output, .. } = &mut event.kind else { return };
        let Some(rec) = self.shard.engine().run(run) else { return };
        *error = rec.error.as_ref().map(partitur_api::Failure::from);
        *output = rec.output.as_ref().map(Payload::to_value);
    }

    fn note_family(&mut self, run: RunId) {
        let engine = self.shard.engine();
        let Some(parent) = engine.run(run).and_then(|rec| rec.parent) else { return };
        if let Some(path) = engine.path(parent.run, parent.task) {
            let path: Arc<str> = path.into();
            self.feed.nest(run, parent.run, path);
        }
    }

    fn run_ended(&mut self, run: RunId) {
        self.seal(run);
        self.executor.leave_run(run);
        self.measure(run);
        self.tell_end(run);
        // A run that is at rest leaves memory; whoever asks for it later has it brought back.
        if self.shard.engine().run(run).is_some_and(|rec| rec.parent.is_none()) {
            self.contexts.remove(&run);
        }
    }

    /// An equal run may be spared, as long as nothing changes.
    fn seal(&mut self, run: RunId) {
        self.incremental.remove(&run);
        self.verdicts.retain(|(other, _), _| *other != run);
        let seal = self.contexts.get(&run).and_then(|context| context.seal);
        let record = self.shard.engine().run(run);
        if let (Some(seal), Some(record)) = (seal, record)
            && record.state == RunState::Ended(RunOutcome::Succeeded)
        {
            let output = record.output.as_ref().filter(|output| !output.is_null()).map(Payload::render);
            self.executor.seal(run, seal, output);
        }
    }

    /// What a run came to that nobody above tells about goes into the metric log.
    fn measure(&self, run: RunId) {
        let engine = self.shard.engine();
        if let Some(record) = engine.run(run).filter(|record| record.parent.is_none()) {
            let tasks = engine.tasks(run).filter_map(|task| engine.task(run, task.seq));
            self.metrics.run_ended(record, tasks);
        }
    }

    fn sample(&mut self) {
        if self.metrics.is_due() && self.readiness() == Readiness::Busy {
            let (at, status) = (self.clock.now().millis(), self.status());
            self.metrics.sample(at, &status);
        }
    }

    // What terminals want.

    fn asked(&mut self, tag: u64) {
        match self.terminals.read(tag, &mut self.executor) {
            Some(requests) => {
                for request in requests {
                    match request {
                        Ok(request) => self.request(Follower::Terminal(tag), request),
                        Err(message) => self.respond(
                            Follower::Terminal(tag),
                            Response::Refused { message, faults: Vec::new() },
                        ),
                    }
                }
            }
            None => self.feed.leave(Follower::Terminal(tag)),
        }
    }

    /// Does what somebody asks; the answer comes when it is durable.
    pub(crate) fn request(&mut self, who: Follower, request: Request) {
        match request {
            Request::Submit(submit) => self.submit(who, *submit),
            Request::Command { run, command } => self.command(who, run, command),
            Request::Follow { run } => self.follow(who, run),
            Request::Adopt { run, env, secrets } => self.adopt(who, run, &env, secrets),
            Request::Status => {
                let status = Response::Status(Box::new(self.status()));
                self.respond(who, status);
            }
            Request::ResetBreaker { name } => {
                let reply = self.await_answer(who, None);
                self.shard.step(self.clock.now(), Input::ResetBreaker { name, reply: Some(reply) });
            }
        }
    }

    fn respond(&mut self, who: Follower, response: Response) {
        match who {
            Follower::Own => self.own.push_back(Own::Answer(response)),
            Follower::Terminal(tag) => self.terminals.send(tag, &response, &mut self.executor),
        }
    }

    fn refuse(&mut self, who: Follower, message: impl Into<String>) {
        self.respond(who, Response::Refused { message: message.into(), faults: Vec::new() });
    }

    fn await_answer(&mut self, who: Follower, context: Option<Context>) -> ReplyTo {
        self.last_reply += 1;
        self.pending.insert(self.last_reply, Pending { who, context });
        ReplyTo(self.last_reply)
    }

    fn submit(&mut self, who: Follower, submit: Submit) {
        let Some(record) = submit.definition.to_record() else {
            return self.refuse(who, "the definition is no record of one");
        };
        let program = match self.compiled(who, &record) {
            Ok(program) => program,
            Err(message) => return self.refuse(who, message),
        };
        let input = match Payload::parse(&submit.input) {
            Ok(input) => input,
            Err(error) => return self.refuse(who, format!("the inputs are no JSON: {error}")),
        };
        let dir = submit.labels.iter().find(|(name, _)| name == "dir").map(|(_, dir)| PathBuf::from(dir));
        let sealing = submit.seal.as_deref().and_then(build::sealing_from_wire);
        let names = || program.definition.root.nodes.iter().map(|node| node.name.clone()).collect();
        let context = Context {
            only: sealing.is_some_and(|sealing| sealing.onto.is_some()).then(names),
            dir: dir.unwrap_or_else(|| PathBuf::from(".")),
            env: env_from_wire(&submit.env),
            secrets: Arc::new(Given(submit.secrets.into_iter().collect())),
            seal: sealing,
        };
        let reply = self.await_answer(who, Some(context));
        let expected = self.durations(&record.name);
        self.shard.step(
            self.clock.now(),
            Input::Submit(Box::new(Submission {
                program,
                definition: Arc::new(record),
                input,
                options: RunOptions {
                    on_failure: submit.on_failure.map(Into::into),
                    concurrency: submit.concurrency,
                    targets: submit.targets,
                    dedup_key: submit.dedup_key,
                    labels: submit.labels,
                    callbacks: Vec::new(),
                    server: None,
                },
                under_key: None,
                random: random(),
                expected,
                reply: Some(reply),
            })),
        );
    }

    /// What the terminal of the host itself has compiled is taken from it; others may lend nothing.
    fn compiled(&mut self, who: Follower, record: &DefinitionRecord) -> Result<Arc<Program>, String> {
        match (who, self.lent.take()) {
            (Follower::Own, Some((id, program))) if id == record.id => Ok(program),
            (Follower::Own | Follower::Terminal(_), _) => self.shard.compile(record),
        }
    }

    /// The terminal of the host itself has compiled this document, and is about to submit it.
    pub(crate) fn lend(&mut self, id: DefinitionId, program: Arc<Program>) {
        self.lent = Some((id, program));
    }

    /// How long tasks of this name took before, for the order in which they start.
    fn durations(&mut self, name: &str) -> Vec<(String, Duration)> {
        match self.reader() {
            Some(reader) => {
                reader.durations(name).map(|times| times.into_iter().collect()).unwrap_or_default()
            }
            None => Vec::new(),
        }
    }

    fn reader(&mut self) -> Option<&Reader> {
        if self.reader.is_none() {
            self.reader = Reader::open(self.state.database()).ok();
        }
        self.reader.as_ref()
    }

    /// The run with this number, in memory or on the disk.
    fn find(&mut self, number: u64) -> Option<RunId> {
        let here = self.shard.engine().resident().find(|run| run.number() == number);
        here.or_else(|| {
            let found = self.reader()?.find(&number.to_string()).ok()?;
            found.into_iter().find(|run| run.number() == number)
        })
    }

    fn command(&mut self, who: Follower, number: u64, command: WireCommand) {
        let Some(run) = self.find(number) else {
            return self.refuse(who, format!("there is no run {number}"));
        };
        match engine_command(command) {
            Ok(command) => {
                if let Command::Rerun { .. } | Command::Restart = command {
                    // Whoever wants it again wants it executed.
                    self.forced.insert(run);
                    self.incremental.remove(&run);
                }
                let reply = self.await_answer(who, None);
                let input = Input::Command { run, command, reply: Some(reply) };
                self.shard.step(self.clock.now(), input);
            }
            Err(message) => self.refuse(who, message),
        }
    }

    fn follow(&mut self, who: Follower, number: u64) {
        let Some(run) = self.find(number) else {
            return self.refuse(who, format!("there is no run {number}"));
        };
        self.feed.follow(run, who);
        self.respond(who, Response::Done);
        let ended = self.shard.engine().run(run).is_none_or(|rec| rec.state.is_ended());
        if ended {
            // The engine is ahead of what has been told: the end may still be on its way to the disk.
            self.maybe_over.push(run);
        }
    }

    /// Runs that had ended when somebody began to follow them are over once nothing is left to be told.
    fn end_what_is_over(&mut self) {
        if self.maybe_over.is_empty() || !self.shard.is_quiet() {
            return;
        }
        for run in std::mem::take(&mut self.maybe_over) {
            if self.shard.engine().run(run).is_none_or(|rec| rec.state.is_ended()) {
                self.tell_end(run);
            }
        }
    }

    fn tell_end(&mut self, run: RunId) {
        for follower in self.feed.end(run) {
            match follower {
                Follower::Own => self.own.push_back(Own::Ended(run.number())),
                Follower::Terminal(tag) => {
                    self.terminals.send(tag, &Response::End { run: run.number() }, &mut self.executor);
                }
            }
        }
    }

    fn adopt(
        &mut self,
        who: Follower,
        number: u64,
        env: &[(Vec<u8>, Vec<u8>)],
        secrets: Vec<(String, String)>,
    ) {
        let Some(run) = self.find(number) else {
            return self.refuse(who, format!("there is no run {number}"));
        };
        if self.shard.engine().run(run).is_none() {
            let dir = self.stored_dir(run);
            let context = Context {
                dir,
                env: env_from_wire(env),
                secrets: Arc::new(Given(secrets.into_iter().collect())),
                seal: None,
                only: None,
            };
            if let Err(error) = self.enter(run, context) {
                return self.refuse(who, error.to_string());
            }
            self.shard.adopt(self.clock.now(), run);
        } else if !self.contexts.contains_key(&run) {
            let context = Context {
                dir: self.dir_of(run),
                env: env_from_wire(env),
                secrets: Arc::new(Given(secrets.into_iter().collect())),
                seal: None,
                only: None,
            };
            if let Err(error) = self.enter(run, context) {
                return self.refuse(who, error.to_string());
            }
        }
        self.respond(who, Response::Done);
    }

    fn stored_dir(&mut self, run: RunId) -> PathBuf {
        let rec = self.reader().and_then(|reader| reader.run(run).ok()?);
        let labels = rec.map(|rec| rec.options.labels).unwrap_or_default();
        labels.into_iter().find(|(name, _)| name == "dir").map_or_else(|| ".".into(), |(_, dir)| dir.into())
    }

    fn answer(&mut self, to: ReplyTo, answer: Answer) -> Result<(), HostError> {
        let Some(pending) = self.pending.remove(&to.0) else { return Ok(()) };
        let response = match answer {
            Answer::Accepted { run, duplicate } => {
                if let Some(context) = pending.context.filter(|_| !self.contexts.contains_key(&run)) {
                    self.enter(run, context)?;
                }
                self.feed.follow(run, pending.who);
                Response::Accepted { run: run.number(), id: run.to_string(), duplicate }
            }
            Answer::Done | Answer::Updated { .. } => Response::Done,
            Answer::Refused(refusal) => refused(&refusal),
        };
        self.respond(pending.who, response);
        Ok(())
    }

    /// Why nothing goes on at present.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.refuses_to_write().map(|error| format!("the disk refuses to write: {error}"))
    }

    /// Why the disk took nothing when it was last asked.
    pub(crate) fn refuses_to_write(&self) -> Option<&StoreError> {
        self.shard.trouble().map(|(_, error)| error)
    }

    /// How things stand.
    pub(crate) fn status(&mut self) -> Status {
        let now = self.clock.now();
        while self.ends.front().is_some_and(|&at| at + THROUGHPUT_WINDOW < now) {
            self.ends.pop_front();
        }
        let window = self.started.elapsed().min(THROUGHPUT_WINDOW).as_secs_f64().max(1.0);
        Status {
            health: self.trouble().unwrap_or_else(|| "ok".to_owned()),
            pid: std::process::id(),
            uptime_ms: self.started.elapsed().as_millis() as u64,
            active: self.executor.live() as u64,
            slots: self.concurrency,
            tasks_per_second: self.ends.len() as f64 / window,
            memory_bytes: status::memory_bytes(),
            cache: status::of_cache(self.executor.cache_stats()),
            ..status::of_engine(self.shard.engine())
        }
    }

    /// A run and its tasks, if all of it is durable.
    pub(crate) fn rows(&self, number: u64) -> Option<(RunRecord, Vec<TaskRecord>)> {
        let engine = self.shard.engine();
        let run = engine.resident().find(|run| run.number() == number).filter(|_| self.shard.is_quiet())?;
        Some((engine.run(run)?.clone(), engine.tasks(run).cloned().collect()))
    }

    /// The next thing for the terminal of the host itself.
    pub(crate) fn next_own(&mut self) -> Option<Own> {
        self.own.pop_front()
    }

    /// Puts back what was taken before its turn.
    pub(crate) fn put_back(&mut self, others: Vec<Own>) {
        for other in others.into_iter().rev() {
            self.own.push_front(other);
        }
    }

    /// So often the process was asked to end.
    pub(crate) fn interrupted(&self) -> u32 {
        self.interrupts.count
    }

    /// Ends every attempt at once.
    pub(crate) fn kill_all(&mut self) {
        self.executor.kill_all();
    }

    /// How many other terminals have joined.
    pub(crate) fn joined(&self) -> usize {
        self.terminals.count()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The socket is useless without its host; the next one makes its own.
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Interrupts {
    fn listen(executor: &mut LocalExecutor) -> io::Result<Interrupts> {
        use std::os::fd::AsFd;
        let (incoming, outgoing) = std::os::unix::net::UnixStream::pair()?;
        incoming.set_nonblocking(true)?;
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            signal_hook::low_level::pipe::register(signal, outgoing.try_clone()?)?;
        }
        executor.watch_fd(incoming.as_fd(), INTERRUPT)?;
        Ok(Interrupts { incoming, count: 0 })
    }

    fn take(&mut self) {
        use std::io::Read;
        let mut bytes = [0; 64];
        while let Ok(count) = self.incoming.read(&mut bytes) {
            if count == 0 {
                return;
            }
            self.count += count as u32;
        }
    }
}

fn engine_command(command: WireCommand) -> Result<Command, String> {
    Ok(match command {
        WireCommand::Pause => Command::Pause,
        WireCommand::Unpause => Command::Unpause,
        WireCommand::Cancel { reason } => Command::Cancel { reason },
        WireCommand::CancelTask { task } => Command::CancelTask { task },
        WireCommand::CancelAgent { agent } => Command::CancelAgent { agent },
        WireCommand::Signal { task, output, fail } => {
            let result = match (fail, output) {
                (Some(message), _) => Err(TaskError::terminal("signal", message)),
                (None, Some(text)) => Ok(Payload::from(WireCommand::parse_output(&text)?)),
                (None, None) => Ok(Payload::Null),
            };
            Command::Signal { task, result }
        }
        WireCommand::Retry => Command::Retry { resume_sub_runs: true },
        WireCommand::Rerun { task } => Command::Rerun { task },
        WireCommand::Restart => Command::Restart,
        WireCommand::Rollback => Command::Rollback,
    })
}

fn refused(refusal: &Refusal) -> Response {
    let faults = match refusal {
        Refusal::BadSubmission(faults) => faults
            .iter()
            .map(|fault| (fault.code.to_owned(), fault.message.clone(), fault.hint.clone()))
            .collect(),
        Refusal::UnknownRun
        | Refusal::UnknownTask(_)
        | Refusal::WrongState { .. }
        | Refusal::WrongTaskState { .. }
        | Refusal::NothingToDo(_)
        | Refusal::NoLock
        | Refusal::LockTaken(_)
        | Refusal::KeyTaken(_)
        | Refusal::TooManyRuns { .. }
        | Refusal::Incident(_) => Vec::new(),
    };
    Response::Refused { message: refusal.to_string(), faults }
}

/// Bits that cannot be guessed, for the ids of runs.
fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without the kernel's randomness ids can be guessed, but they stay unique: their numbers differ.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    u64::from_ne_bytes(bytes)
}
