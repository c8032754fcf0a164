//! The thread that owns the shard: it takes what is there, steps it, has it committed, and lets go what is durable.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use partitur_engine::admission::TaskKey;
use partitur_engine::{Answer, Effect, Input, OUTSIDE, Purpose, ReplyTo};
use partitur_model::change::BatchNo;
use partitur_model::dispatch::{Dispatch, Ending, Report, ReportKind, Work};
use partitur_model::event::{Event, EventKind};
use partitur_model::record::{RunRecord, TaskError};
use partitur_model::{AttemptId, Payload, RunId, Timestamp};
use partitur_runtime::{Adopt, Clock, Opened, Options, Shard, ShardError};
use partitur_store::retention::{Family, is_still_so};
use partitur_store::{Reader, SqliteStore, StateDir, Store as _, StoreError, Synchronous};
use partitur_worker::calls::{Calls, Order};
use partitur_worker::kill_strays;
use tokio::sync::oneshot;

use crate::app::Library;
use crate::commands::{Commands, Workplace};
use crate::handle::{Contender, Contention, HandedOut, Handle, Message, NodeError, Request, Waiter, Watcher};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::metrics::scrape::Standing;
use crate::metrics::store::Measured;
use crate::nesting::{Above, Nesting};
use crate::pressure::Looks;
use crate::reads::Reads;
use crate::resolve::Question;
use crate::{events, messages};

/// So long changes gather that nobody waits for.
const GATHER: Duration = Duration::from_millis(4);

/// A batch of so few changes comes of one request or two: the node writes it itself.
const AT_ONCE_MAX: usize = 16;

/// An answer waits at most so long for evaluations that its request has caused.
const HELD_MAX: Duration = Duration::from_secs(1);

/// Messages taken before the next turn.
const TAKEN_MAX: usize = 4_096;

/// Sub-workflows may not be nested deeper: what contains itself ends here.
const NESTING_MAX: usize = 200;

/// A turn takes no longer: runs that go on without waiting for anybody always have something left to do.
const TURN_MAX: Duration = Duration::from_millis(20);

/// How often runs that nothing has happened to are asked to leave memory.
const SWEEP: Duration = Duration::from_secs(30);

/// Of those who wait for things, so many are told: to say for whom each waits costs a look at all who hold something.
const CONTENDERS_MAX: usize = 200;

/// Nothing happens for so long at most.
const NAP: Duration = Duration::from_secs(1);

/// After a crash, processes that the dead server has left are given so long to go.
const STRAYS_GRACE: Duration = Duration::from_secs(5);

/// The node could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What is stored cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine.
    #[error("the node's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A node at work.
pub(crate) struct Running {
    pub handle: Handle,
    pub reads: Reads,
    pub opened: Opened,
    /// Says why the node has ended by itself.
    pub ended: oneshot::Receiver<ShardError>,
}

/// Opens the state and starts the thread.
pub(crate) fn start(
    state: &StateDir,
    library: Arc<Library>,
    calls: Calls,
    workplace: Option<Workplace>,
    read_threads: usize,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) -> Result<Running, OpenError> {
    let (messages, inbox) = channel();
    let handle = Handle::new(messages.clone(), health.clone());
    let waker = messages.clone();
    let options = partitur_store::Options {
        synchronous: Synchronous::Full,
        at_once_max: AT_ONCE_MAX,
        ..Default::default()
    };
    let store = SqliteStore::open(state.database(), options, move || {
        // Without a node nobody needs waking.
        let _ = waker.send(Message::Woken);
    })?;
    let store = Measured::new(store, metrics.clone());
    let reads = Reads::open(&state.database(), read_threads)?;
    let commands = match workplace {
        Some(workplace) => Some(open_commands(state, workplace, messages.clone())?),
        None => None,
    };
    let catalogue = Reader::open(state.database())?.catalogue()?;
    library.learn(&catalogue.entries);
    let clock = Clock::new();
    let options = Options {
        engine: partitur_engine::Options {
            concurrency: u32::MAX,
            locks: partitur_engine::held_locks_in(&catalogue.entries),
            callbacks: Some(library.receivers.clone()),
            // What works elsewhere says nothing of this machine.
            adapts: commands.is_some(),
            ..Default::default()
        },
        adopt: Adopt::All,
        gather: GATHER,
    };
    let programs = library.clone();
    let compile = Box::new(move |record: &_| programs.programs.program(record));
    let (shard, opened) = Shard::open(options, store, compile, clock.now()).map_err(|error| match error {
        partitur_runtime::OpenError::Store(error) => OpenError::Store(error),
    })?;
    let mut opened = opened;
    opened.quarantined.extend(catalogue.quarantined);
    metrics.set_aside((opened.quarantined.len() + opened.bad.len()) as u64);
    metrics.found(shard.engine(), &opened.runs);
    let (report, ended) = oneshot::channel();
    let node = Node {
        shard,
        reader: Reader::open(state.database())?,
        metrics,
        clock,
        inbox,
        messages,
        library,
        reads: reads.clone(),
        calls,
        commands,
        looks: Looks::default(),
        health,
        waiting: HashMap::new(),
        barriers: VecDeque::new(),
        evaluating: HashMap::new(),
        settling: VecDeque::new(),
        held: Vec::new(),
        watchers: BTreeMap::new(),
        active: HashSet::new(),
        swept: Timestamp::ZERO,
        stopping: None,
        has_more: false,
        called: 0,
        nesting: Nesting::default(),
    };
    thread::Builder::new().name("partitur-node".into()).spawn(move || {
        if let Err(error) = node.run() {
            // Nobody listens any more if the process is ending anyway.
            let _ = report.send(error);
        }
    })?;
    Ok(Running { handle, reads, opened, ended })
}

/// Kills what an earlier start has left, and begins to execute commands.
fn open_commands(
    state: &StateDir,
    workplace: Workplace,
    messages: Sender<Message>,
) -> Result<Commands, OpenError> {
    let known = Reader::open(state.database())?;
    kill_strays(&|run| known.run(run).is_ok_and(|found| found.is_some()), STRAYS_GRACE)?;
    Ok(Commands::start(workplace, messages)?)
}

struct Node {
    shard: Shard<Measured<SqliteStore>>,
    /// For a look at what is durable of runs that are not in memory.
    reader: Reader,
    metrics: Arc<Metrics>,
    clock: Clock,
    inbox: Receiver<Message>,
    /// Into the inbox, for what others do in the node's name.
    messages: Sender<Message>,
    library: Arc<Library>,
    reads: Reads,
    calls: Calls,
    /// What executes commands, if they are allowed.
    commands: Option<Commands>,
    looks: Looks,
    health: Arc<Health>,
    waiting: HashMap<ReplyTo, Waiter>,
    /// Who waits for which batch.
    barriers: VecDeque<(BatchNo, oneshot::Sender<()>)>,
    nesting: Nesting,
    /// Evaluations in flight, and those whose consequences are not durable yet.
    evaluating: HashMap<RunId, u32>,
    settling: VecDeque<(BatchNo, RunId)>,
    held: Vec<Held>,
    watchers: BTreeMap<RunId, Vec<Watcher>>,
    /// Runs to which something has happened since the last sweep.
    active: HashSet<RunId>,
    swept: Timestamp,
    stopping: Option<oneshot::Sender<()>>,
    /// The last turn ended before there was nothing left to do.
    has_more: bool,
    /// So many callbacks were noted when somebody was last woken to send them.
    called: u64,
}

/// An answer that waits for the evaluations of its run.
struct Held {
    run: RunId,
    until: Timestamp,
    answer: Ready,
}

/// An answer with whoever waits for it.
enum Ready {
    Answer(oneshot::Sender<Result<Answer, NodeError>>, Answer),
    Tasks(oneshot::Sender<Result<HandedOut, NodeError>>, HandedOut),
}

impl Ready {
    fn go(self) {
        // Whoever asked may be gone: an answer is nothing then, and tasks go back when they are dropped.
        match self {
            Ready::Answer(sender, answer) => drop(sender.send(match answer {
                Answer::Refused(refusal) => Err(NodeError::Refused(refusal)),
                done @ (Answer::Accepted { .. } | Answer::Done | Answer::Updated { .. }) => Ok(done),
            })),
            Ready::Tasks(sender, tasks) => drop(sender.send(Ok(tasks))),
        }
    }
}

impl Node {
    fn run(mut self) -> Result<(), ShardError> {
        self.shard.step(self.clock.now(), Input::AttemptsLost);
        self.turn()?;
        self.health.set_recovered();
        while !self.is_over() {
            match self.inbox.recv_timeout(self.patience()) {
                Ok(message) => {
                    self.take(message);
                    for _ in 1..TAKEN_MAX {
                        let Ok(message) = self.inbox.try_recv() else { break };
                        self.take(message);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if let Some(found) = self.looks.look(self.shard.engine()) {
                self.step(found);
            }
            self.turn()?;
        }
        if let Some(over) = self.stopping.take() {
            // Whoever asked for the end may not wait for it.
            let _ = over.send(());
        }
        Ok(())
    }

    /// Whether the process is ending and everything is on the disk; or cannot be brought there.
    fn is_over(&self) -> bool {
        self.stopping.is_some() && (self.shard.is_quiet() || self.shard.trouble().is_some())
    }

    fn patience(&self) -> Duration {
        if self.has_more {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let held = self.held.iter().map(|held| held.until).min();
        let due = [self.shard.wake(), held].into_iter().flatten().min();
        let look = self.looks.due(self.shard.engine()).unwrap_or(NAP);
        due.map_or(NAP, |due| due.since(now).min(NAP)).min(look)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Input(input, waiter) => self.request((input, waiter)),
            Message::Many(requests) => requests.into_iter().for_each(|request| self.request(request)),
            Message::Barrier(sender) => {
                if self.shard.is_quiet() {
                    // Whoever waited may be gone.
                    let _ = sender.send(());
                } else {
                    self.shard.hurry();
                    self.barriers.push_back((self.shard.open_batch(), sender));
                }
            }
            Message::Watch(run, watcher) => self.watchers.entry(run).or_default().push(watcher),
            Message::Queues(sender) => drop(sender.send(self.queues())),
            Message::Lock(id, sender) => drop(sender.send(self.shard.engine().held_lock(id).cloned())),
            Message::Contention(sender) => drop(sender.send(self.contention())),
            Message::Standing(sender) => drop(sender.send(self.standing())),
            Message::Woken => {}
            Message::Forget(families, done) => {
                let is_so = |family: &Family| is_still_so(&self.reader, family).unwrap_or(false);
                let runs: Vec<RunId> = families.iter().flat_map(|family| family.runs.clone()).collect();
                if families.iter().all(is_so) && self.shard.forget(self.clock.now(), &runs) {
                    self.barriers.push_back((self.shard.open_batch(), done));
                }
            }
            Message::Label(run, tasks, done) => {
                let labelled = self.shard.store().inner().label(run, tasks);
                // Whoever asked goes on after the next start.
                let _ = done.send(labelled);
            }
            Message::EndPolls => {
                let polls =
                    self.waiting.iter().filter(|(_, waiter)| matches!(waiter, Waiter::Tasks(None, _)));
                let polls: Vec<ReplyTo> = polls.map(|(reply, _)| *reply).collect();
                for reply in polls {
                    self.step(Input::PollOver(reply));
                }
            }
            Message::Stop(over) => {
                self.shard.hurry();
                self.stopping = Some(over);
            }
        }
    }

    fn request(&mut self, (input, waiter): Request) {
        self.waiting.extend(waiter);
        self.step(input);
    }

    fn step(&mut self, input: Input) {
        if let Input::Evaluated { run, .. } = &input {
            self.settling.push_back((self.shard.open_batch(), *run));
        }
        let begun = Instant::now();
        self.shard.step(self.clock.now(), input);
        self.metrics.stepped(begun.elapsed());
    }

    fn turn(&mut self) -> Result<(), ShardError> {
        let until = self.clock.now() + TURN_MAX;
        self.has_more = true;
        while self.clock.now() <= until {
            self.shard.turn(self.clock.now())?;
            let effects = self.shard.take_effects();
            if effects.is_empty() {
                self.has_more = false;
                break;
            }
            for effect in effects {
                self.carry_out(effect);
            }
        }
        self.wake_the_courier();
        self.settle();
        self.pass_barriers();
        self.look_at_the_disk();
        self.sweep();
        self.health.turned(self.clock.now().millis(), self.shard.commits());
        Ok(())
    }

    /// Whoever sends callbacks waits by itself until they are durable.
    fn wake_the_courier(&mut self) {
        let called = self.shard.engine().callbacks_noted();
        if called != self.called {
            self.called = called;
            self.library.callbacks.notify_one();
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dispatch { dispatch, .. } => self.execute(*dispatch),
            Effect::Stop(attempt) if self.commands.as_ref().is_some_and(|commands| commands.has(attempt)) => {
                // Its end is told when nothing of it lives.
                self.commands.iter().for_each(|commands| commands.stop(attempt));
            }
            Effect::Stop(attempt) => {
                self.calls.stop(attempt);
                let error = TaskError::terminal("stopped", "stopped before it had ended");
                let what = ReportKind::Ended(Box::new(Ending::failure(error)));
                self.step(Input::Report(Report { attempt, what }));
            }
            Effect::Evaluate { run, task, generation, language, source, input } => {
                *self.evaluating.entry(run).or_default() += 1;
                let messages = self.messages.clone();
                self.library.evaluator.evaluate(run.number(), &language, source, input, move |result| {
                    let input = Input::Evaluated { run, task, generation, result };
                    // Without a node nobody waits for it.
                    let _ = messages.send(Message::Input(input, None));
                });
            }
            Effect::Resolve { run, task, generation, purpose, description, input } => {
                let options = self.shard.engine().run(run).and_then(|run| run.options.server.clone());
                self.resolve(Question { run, task, generation, purpose, description, input, options });
            }
            Effect::HandOut { to, tasks, .. } => {
                let tasks = HandedOut::new(tasks, self.messages.clone());
                match self.waiting.remove(&to) {
                    Some(Waiter::Tasks(run, sender)) => self.release(run, Ready::Tasks(sender, tasks)),
                    // Nobody asked: what was handed out goes back.
                    Some(Waiter::Answer(_) | Waiter::Keep(..)) | None => drop(tasks),
                }
            }
            // The shard brings runs itself.
            Effect::Load(_) => {}
            Effect::Reply { to, answer } => self.reply(to, answer),
            Effect::Event(event) => self.event(event),
        }
    }

    /// Work that is done here: calls over HTTP, and commands where they are allowed.
    fn execute(&self, dispatch: Dispatch) {
        if let (Work::Process(_) | Work::AwaitFile { .. }, Some(commands)) = (&dispatch.work, &self.commands)
        {
            return commands.execute(dispatch);
        }
        if let Work::Remote { task_type, input, .. } = &dispatch.work {
            match task_type.as_str() {
                events::EVENT => return self.publish(dispatch.attempt, input),
                messages::PULL => return self.pull(dispatch.attempt, input.clone()),
                _ => {}
            }
        }
        let (attempt, messages) = (dispatch.attempt, self.messages.clone());
        let tell = move |what| {
            // Without a node, the next start begins the attempt anew.
            let _ = messages.send(Message::Input(Input::Report(Report { attempt, what }), None));
        };
        match dispatch.work {
            Work::Remote { task_type, input, round } if Calls::makes(&task_type) => {
                self.calls.start(Order { attempt, task_type, input, round }, tell);
            }
            Work::Http(call) => self.calls.start_native(attempt, call, tell),
            Work::Remote { .. } | Work::Process(_) | Work::AwaitFile { .. } => {
                let message = "this server executes nothing on its machine (setting `commands_dir`)";
                let error = TaskError::terminal("not-allowed", message);
                tell(ReportKind::Ended(Box::new(Ending::failure(error))));
            }
        }
    }

    /// An event, in the commit in which its task ends.
    fn publish(&self, attempt: AttemptId, input: &Payload) {
        let engine = self.shard.engine();
        let task = engine.tasks(attempt.run).find(|task| task.seq == attempt.task);
        // Without its run there is no task any more.
        let (Some(task), Some(run)) = (task, engine.run(attempt.run)) else { return };
        let published = events::published(attempt, &task.node, run, input, self.clock.now());
        // Without a node, the next start begins the attempt anew.
        let _ = self.messages.send(Message::Input(published, None));
        self.library.arrivals.notify_one();
    }

    /// Messages for a run, after those that were taken before.
    fn pull(&self, attempt: AttemptId, input: Payload) {
        let messages = self.messages.clone();
        let asked = self.reads.run(move |reader| {
            let (sender, durable) = oneshot::channel();
            // Without a node nobody waits for the answer.
            let _ = messages.send(Message::Barrier(sender));
            let _ = durable.blocking_recv();
            let _ = messages.send(Message::Input(crate::messages::pulled(reader, attempt, &input), None));
        });
        if asked.is_err() {
            // Too many read at once.
            let what = ReportKind::Again { output: Payload::Null, pause: NAP };
            let report = Input::Report(Report { attempt, what });
            let _ = self.messages.send(Message::Input(report, None));
        }
    }

    fn resolve(&mut self, question: Question) {
        let (library, messages) = (self.library.clone(), self.messages.clone());
        let (run, task, generation) = (question.run, question.task, question.generation);
        if question.purpose == Purpose::SubRun && self.is_nested_too_deep(run) {
            let message = format!("sub-workflows are nested more than {NESTING_MAX} deep");
            let result = Err(TaskError::terminal("nested-too-deep", message));
            // Without a node nobody waits for the answer.
            let _ = messages.send(Message::Input(Input::Resolved { run, task, generation, result }, None));
            return;
        }
        let asked = self.reads.run(move |reader| {
            let settled = || {
                let (sender, durable) = oneshot::channel();
                // Without a node nobody waits for the answer.
                let _ = messages.send(Message::Barrier(sender));
                let _ = durable.blocking_recv();
            };
            let answers = messages.clone();
            question.answer(&library, reader, settled, move |answer| {
                let _ = answers.send(Message::Input(answer, None));
            });
        });
        if let Err(error) = asked {
            let result = Err(TaskError::new("overloaded", error.to_string()));
            let _ =
                self.messages.send(Message::Input(Input::Resolved { run, task, generation, result }, None));
        }
    }

    fn is_nested_too_deep(&mut self, run: RunId) -> bool {
        let above = |run: &RunRecord| run.parent.map(|parent| parent.run);
        let shard = RefCell::new(&mut self.shard);
        let said =
            |run| shard.borrow().engine().run(run).map_or(Above::Stored, |run| Above::Said(above(run)));
        // A disk that cannot be read says so to others.
        let stored = |run| above(&shard.borrow_mut().store().load_run(run).ok()??.run);
        self.nesting.exceeds(NESTING_MAX, run, said, stored)
    }

    fn reply(&mut self, to: ReplyTo, answer: Answer) {
        match self.waiting.remove(&to) {
            Some(Waiter::Answer(sender)) => {
                let run = match &answer {
                    Answer::Accepted { run, .. } | Answer::Updated { run, .. } => Some(*run),
                    Answer::Done | Answer::Refused(_) => None,
                };
                self.release(run, Ready::Answer(sender, answer));
            }
            Some(Waiter::Keep(entries, sender)) => {
                if answer == Answer::Done {
                    self.library.learn(&entries);
                }
                Ready::Answer(sender, answer).go();
            }
            Some(Waiter::Tasks(_, sender)) => drop(sender.send(match answer {
                Answer::Refused(refusal) => Err(NodeError::Refused(refusal)),
                Answer::Accepted { .. } | Answer::Done | Answer::Updated { .. } => {
                    Ok(HandedOut::new(Vec::new(), self.messages.clone()))
                }
            })),
            None => {}
        }
    }

    /// Lets an answer go, unless evaluations of its run are in flight: clients of Conductor read at once, and expect to
    /// find what follows from their request.
    fn release(&mut self, run: Option<RunId>, answer: Ready) {
        match run.filter(|run| self.evaluating.contains_key(run)) {
            Some(run) => {
                let until = self.clock.now() + HELD_MAX;
                self.held.push(Held { run, until, answer });
            }
            None => answer.go(),
        }
    }

    /// Evaluations are over when what follows from them is durable and carried out.
    fn settle(&mut self) {
        let durable = self.shard.durable_batch();
        while let Some((_, run)) = self.settling.pop_front_if(|(batch, _)| *batch <= durable) {
            if let Some(count) = self.evaluating.get_mut(&run) {
                *count -= 1;
                if *count == 0 {
                    self.evaluating.remove(&run);
                }
            }
        }
        let now = self.clock.now();
        let evaluating = &self.evaluating;
        let free = |held: &mut Held| held.until <= now || !evaluating.contains_key(&held.run);
        self.held.extract_if(.., free).for_each(|held| held.answer.go());
    }

    fn pass_barriers(&mut self) {
        let (durable, quiet) = (self.shard.durable_batch(), self.shard.is_quiet());
        while let Some((_, sender)) = self.barriers.pop_front_if(|(batch, _)| *batch <= durable || quiet) {
            // Whoever waited may be gone.
            let _ = sender.send(());
        }
    }

    /// Nobody waits for a disk that does not write: what becomes of the request is open.
    fn look_at_the_disk(&mut self) {
        let trouble = self.shard.trouble().map(|(_, error)| error);
        self.health.set_trouble(trouble);
        let Some(why) = self.health.trouble() else { return };
        for (_, waiter) in self.waiting.drain() {
            match waiter {
                Waiter::Answer(sender) | Waiter::Keep(_, sender) => drop(sender.send(Err(why.clone()))),
                Waiter::Tasks(_, sender) => drop(sender.send(Err(why.clone()))),
            }
        }
    }

    fn event(&mut self, event: Event) {
        self.metrics.saw(self.shard.engine(), &event);
        let run = event.run;
        let ended = matches!(event.what, EventKind::Run { state } if state.is_ended());
        self.tell(event);
        if ended {
            self.commands.iter().for_each(|commands| commands.leave(run));
            self.active.remove(&run);
            self.step(Input::Evict(run));
        } else {
            self.active.insert(run);
        }
    }

    /// Followers of a run hear of it, and those of the runs above it that something has happened.
    fn tell(&mut self, event: Event) {
        if self.watchers.is_empty() {
            return;
        }
        if let Some(watchers) = self.watchers.get_mut(&event.run) {
            watchers.retain(|watcher| match watcher {
                Watcher::Events(sender) => sender.try_send(event.clone()).is_ok(),
                Watcher::Changes(_) => true,
            });
        }
        let mut above = Some(event.run);
        while let Some(run) = above {
            if let Some(watchers) = self.watchers.get_mut(&run) {
                watchers.retain(|watcher| match watcher {
                    Watcher::Events(sender) => !sender.is_closed(),
                    Watcher::Changes(changes) => {
                        changes.notify_one();
                        // Nobody else holds it: whoever followed is gone.
                        Arc::strong_count(changes) > 1
                    }
                });
                if watchers.is_empty() {
                    self.watchers.remove(&run);
                }
            }
            above = self.shard.engine().run(run).and_then(|run| run.parent).map(|parent| parent.run);
        }
    }

    fn queues(&self) -> Vec<(String, u64)> {
        let queues = self.shard.engine().census().queues.into_iter();
        queues.map(|waiting| (waiting.queue, waiting.tasks)).collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    fn contention(&self) -> Contention {
        let engine = self.shard.engine();
        let names = |tasks: Vec<TaskKey>| tasks.into_iter().map(|task| engine.name_of(task)).collect();
        let mut waiting: Vec<Contender> = Vec::new();
        for wanted in engine.wanted_locks().into_iter().take(CONTENDERS_MAX) {
            let wants = wanted.claims.iter().map(|claim| claim.resource.clone()).collect();
            let waits_for = names(wanted.waits_for);
            waiting.push(Contender { who: wanted.holder.to_string(), wants, since: wanted.since, waits_for });
        }
        let tasks = engine.contenders(CONTENDERS_MAX);
        let cut = tasks.len() == CONTENDERS_MAX || waiting.len() == CONTENDERS_MAX;
        for (task, thing, since) in tasks.into_iter().filter(|(task, ..)| task.run != OUTSIDE) {
            let (who, waits_for) = (engine.name_of(task), names(engine.in_the_way_of(task)));
            waiting.push(Contender { who, wants: vec![thing], since, waits_for });
        }
        waiting.sort_by_key(|waiting| waiting.since);
        Contention {
            held: engine.held_locks().cloned().collect(),
            waiting,
            things: engine.census().things,
            cut,
        }
    }

    fn standing(&self) -> Standing {
        let engine = self.shard.engine();
        Standing {
            now: self.clock.now(),
            census: engine.census(),
            breakers: engine.breakers(),
            results: engine.results(),
            resident: engine.residents(),
            quarantined: engine.quarantined().count(),
            limits: engine.limits(),
        }
    }

    /// Runs to which nothing has happened for a while leave memory, if they may.
    fn sweep(&mut self) {
        let now = self.clock.now();
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        let active = std::mem::take(&mut self.active);
        let idle: Vec<RunId> = self.shard.engine().resident().filter(|run| !active.contains(run)).collect();
        for run in idle {
            self.step(Input::Evict(run));
        }
        self.watchers.retain(|_, watchers| {
            watchers.retain(|watcher| match watcher {
                Watcher::Events(sender) => !sender.is_closed(),
                Watcher::Changes(changes) => Arc::strong_count(changes) > 1,
            });
            !watchers.is_empty()
        });
    }
}
